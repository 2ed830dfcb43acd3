//! KPI views, scorecards, comparisons and contract statements as a client meets them.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use medfleet_domain::fact::Body as Said;
use medfleet_lake::rows::{ContractRow, DeviceRow, OrderRow, StatementRow};
use medfleet_lake::{Day, UtcMicros};
use serde_json::{Value, json};

use super::fleet::{DAY, Fleet, HOUR, device, office_hours, site, text, told};
use super::http::{NOW, Street, bytes, problem};

/// 2026-03-02T00:00Z, the Monday before the cut.
const MONDAY: i64 = 1_772_409_600_000_000;
const PERIOD: &str = "from=2026-03-02&until=2026-03-03";

/// Two scanners at a site whose clock is UTC: one stood by all Monday but for two hours under an order, one was never heard.
pub fn one_order() -> Fleet {
    let mut fleet = Fleet {
        sites: vec![site("north", "North", "UTC", "East")],
        calendars: office_hours("north"),
        devices: ["ct-1", "ct-2"].map(|name| device(name, "north", "ct", NOW - 900 * DAY)).into(),
        contracts: vec![contract()],
        offsets: ["medfleet.facts.v1/0", "medfleet.fleet.v1/0"].map(|home| (home.to_owned(), 1)).into(),
        ..Fleet::default()
    };
    let of = fleet.devices[0].clone();
    for (condition, from, until) in [("standby", 0, 10), ("unscheduled_down", 10, 12), ("standby", 12, 24)] {
        fleet.intervals.extend(told(&of, condition, MONDAY + from * HOUR, MONDAY + until * HOUR));
    }
    let phase = |phase: &'static str, hour, seq| OrderRow {
        device: text("ct-1"),
        site: text("north"),
        kind: text("ct"),
        work_order: text("=wo,1"),
        class: text("corrective"),
        phase: text(phase),
        at: UtcMicros(MONDAY + hour * HOUR),
        recorded_at: UtcMicros(MONDAY + hour * HOUR),
        seq,
        weight: 1,
        ..OrderRow::default()
    };
    fleet.orders = vec![phase("opened", 10, 1), phase("returned_to_service", 12, 2)];
    fleet
}

fn contract() -> ContractRow {
    ContractRow {
        site: text("north"),
        contract: text("SC-1"),
        vendor: text("Acme"),
        kind: Some(text("ct")),
        valid_from: Day((MONDAY / DAY) as i32 - 400),
        guarantee_bp: 9_700,
        period: text("month"),
        hours: text("of_site"),
        partial_bp: 5_000,
        severe_bp: 7_500,
        clock_starts: text("reported"),
        clock_stops: text("returned_to_use"),
        weight: 1,
        ..ContractRow::default()
    }
}

pub async fn csv(street: &Street, path: &str) -> Vec<String> {
    let answer = street.get(path).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8; header=present");
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"medfleet-"));
    String::from_utf8(bytes(answer).await).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_view_is_listed_and_answers_with_what_its_columns_mean() {
    let street = Street::with(&one_order()).await;
    let listed = street.json("/api/v1/kpi").await;
    let views = listed["views"].as_array().unwrap();
    assert!(views.len() >= 14);
    for view in views {
        let name = view["name"].as_str().unwrap();
        let answer = street.json(&format!("/api/v1/kpi/{name}?{PERIOD}&device=ct-1")).await;
        assert_eq!((&answer["columns"], &answer["one_row"]), (&view["columns"], &view["one_row"]), "{name}");
        assert_eq!((&answer["cut"]["number"], answer["cut"]["lag_records"].is_i64()), (&json!(1), true), "{name}");
        for row in answer["rows"].as_array().unwrap() {
            let named = answer["columns"]
                .as_array()
                .unwrap()
                .iter()
                .all(|column| row.get(column["name"].as_str().unwrap()).is_some());
            assert!(named, "{name}: {row}");
        }
    }
}

#[tokio::test]
async fn rows_of_a_view_are_the_same_as_json_and_as_csv() {
    let street = Street::with(&one_order()).await;
    let path = format!("/api/v1/kpi/failures?{PERIOD}");
    let answer = street.json(&path).await;
    let row = &answer["rows"][0];
    assert_eq!(
        (&row["class"], &row["down_seconds"], &row["work_order"]),
        (&json!("failure"), &json!(7_200.0), &json!("=wo,1"))
    );
    assert_eq!(row["onset_at"], "2026-03-02T10:00:00Z");
    let lines = csv(&street, &format!("{path}&format=csv")).await;
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("device,site,kind,class,") && lines[0].ends_with(",cut,cut_made_at,lag_records"),
        "{lines:?}"
    );
    // No spreadsheet may take a name for a formula.
    assert!(lines[1].contains(",\"'=wo,1\",") && lines[1].contains(",7200,"), "{}", lines[1]);
    let bearer = format!("Bearer {}", street.token);
    let asked = Request::get(&path).header(header::AUTHORIZATION, bearer).header(header::ACCEPT, "text/csv");
    let accepted = street.ask(asked, Body::empty()).await;
    assert_eq!(String::from_utf8(bytes(accepted).await).unwrap().lines().collect::<Vec<_>>(), lines);
}

#[tokio::test]
async fn a_scorecard_says_the_uptime_that_the_running_sums_say() {
    let street = Street::with(&one_order()).await;
    let card = street.json(&format!("/api/v1/scorecards?group=fleet&{PERIOD}")).await["rows"][0].clone();
    let sums = street.json(&format!("/api/v1/uptime?group=fleet&{PERIOD}")).await["rows"][0].clone();
    assert_eq!((&card["total_uptime"], &card["total_uptime_coverage"]), (&sums["uptime"], &sums["coverage"]));
    assert_eq!(
        (&card["total_uptime_worst"], &card["total_uptime_best"]),
        (&sums["uptime_worst"], &sums["uptime_best"])
    );
    assert_eq!((&card["registered_devices"], &card["monitored_devices"]), (&json!(2), &json!(1)));
    assert_eq!(
        (&card["operational_uptime_over_seconds"], &card["operational_uptime_under_seconds"]),
        (&json!(25_200.0), &json!(32_400.0))
    );
    assert_eq!(
        (&card["failures"], &card["failure_rate_is_enough"], &card["device"]),
        (&json!(1), &json!(false), &Value::Null)
    );
    assert_eq!(card["turnaround_median_seconds"], json!(7_200.0));
    let lines = csv(&street, &format!("/api/v1/scorecards?group=device&{PERIOD}&format=csv")).await;
    assert_eq!(lines.len(), 3, "a device never heard has its row");
}

#[tokio::test]
async fn a_site_alone_is_like_the_fleet() {
    let street = Street::with(&one_order()).await;
    let answer = street.json(&format!("/api/v1/comparison?{PERIOD}&by=failures")).await;
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4, "one for each adjustment");
    for row in rows {
        assert_eq!(
            (&row["ratio"], &row["place_best"], &row["place_worst"]),
            (&json!(1.0), &json!(1), &json!(1)),
            "{row}"
        );
        assert!(row["funnel_998_low"].as_f64() <= row["funnel_95_low"].as_f64());
    }
}

#[tokio::test]
async fn a_statement_names_its_contract_and_why_each_span_counts() {
    let street = Street::with(&one_order()).await;
    let path = "/api/v1/devices/ct-1/statement?day=2026-03-02";
    let answer = street.json(path).await;
    assert_eq!((&answer["contract"]["contract"], &answer["contract"]["guarantee"]), (&json!("SC-1"), &json!(0.97)));
    assert_eq!((&answer["is_open"], &answer["figure"]["base_seconds"]), (&json!(true), &json!(32_400.0)));
    assert_eq!((&answer["figure"]["weighted_down_seconds"], &answer["guarantee"]), (&json!(7_200.0), &json!("missed")));
    assert_eq!(answer["treatments"].as_array().unwrap().len(), 3);
    let counted: Vec<&Value> =
        answer["lines"].as_array().unwrap().iter().filter(|line| line["class"] == "counted").collect();
    assert_eq!(counted.len(), 1);
    assert_eq!((&counted[0]["from_at"], &counted[0]["orders"]), (&json!("2026-03-02T10:00:00Z"), &json!("=wo,1")));
    let lines = csv(&street, &format!("{path}&format=csv")).await;
    assert_eq!(lines.len(), 1 + answer["lines"].as_array().unwrap().len());
}

#[tokio::test]
async fn a_period_that_is_over_is_issued_once_and_pins_its_cut() {
    let street = Street::with(&one_order()).await;
    let path = "/api/v1/devices/ct-1/statements";
    let of = |day: &str| json!({"day": day, "author": "kim"});
    let open = problem(street.state(path, "k-1", &of("2026-03-02")).await, 422).await;
    assert!(open["detail"].as_str().unwrap().contains("2026-04-01"), "{open}");
    let first = street.state(path, "k-2", &of("2026-02-10")).await;
    assert_eq!(first.status(), StatusCode::ACCEPTED);
    let said = bytes(first).await;
    assert_eq!(
        bytes(street.state(path, "k-2", &of("2026-02-10")).await).await,
        said,
        "the same key is the same statement"
    );
    problem(street.state(path, "k-3", &json!({"day": "2026-02-10"})).await, 422).await;
    problem(street.state("/api/v1/devices/ct-9/statements", "k-4", &of("2026-02-10")).await, 404).await;
    let runs = street.door.runs.lock().unwrap();
    assert_eq!(runs.len(), 1);
    let Said::StatementIssued(issued) = &runs[0].facts[0].fact.body else { panic!("{:?}", runs[0]) };
    assert_eq!((&*issued.statement, &*issued.contract, issued.cut), ("SC-1-2026-02-01", "SC-1", 1));
    assert_eq!(issued.pins.len(), 2, "as far as the cut had read the log");
    assert_eq!(issued.base_micros, 20 * 9 * HOUR, "twenty weekdays of February");
    assert_eq!(issued.unknown_micros, issued.base_micros, "nothing is known of them");
}

/// A statement of the second ten days of February, by an earlier version of the contract.
fn ten_days() -> StatementRow {
    let february = |date: i64| UtcMicros(MONDAY - (30 - date) * DAY);
    StatementRow {
        device: text("ct-1"),
        site: text("north"),
        kind: text("ct"),
        statement: text("SC-1-ten-days"),
        contract: text("SC-1"),
        period_from: february(10),
        period_until: february(20),
        cut: 1,
        as_of: february(21),
        offsets: text(r#"{"medfleet.facts.v1/0": 1, "medfleet.fleet.v1/0": 1}"#),
        at: february(21),
        recorded_at: february(21),
        weight: 1,
        ..StatementRow::default()
    }
}

#[tokio::test]
async fn days_that_a_statement_told_are_not_told_by_another() {
    let street = Street::with(&Fleet { statements: vec![ten_days()], ..one_order() }).await;
    let path = "/api/v1/devices/ct-1/statements";
    for (day, says) in [("2026-02-03", "would count them twice"), ("2026-02-12", "was issued at")] {
        let asked = json!({"day": day, "author": "kim"});
        let refused = problem(street.state(path, day, &asked).await, 422).await;
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains("SC-1-ten-days") && detail.contains(says), "{day}: {detail}");
    }
    assert!(street.door.runs.lock().unwrap().is_empty(), "nothing was said to the log");
    assert_eq!(street.json(path).await["statements"][0]["statement"], "SC-1-ten-days");
    let earlier = street.json(&format!("{path}?at=2026-02-15")).await;
    assert_eq!((&earlier["statements"], &earlier["cut"]["at"]), (&json!([]), &json!("2026-02-15T00:00:00Z")));
}

#[tokio::test]
async fn calendars_and_contracts_are_facts_of_their_site() {
    let street = Street::with(&one_order()).await;
    let path = "/api/v1/sites/north/contracts";
    let contract = json!({"contract": "SC-2", "kind": "ct", "valid_from": "2026-04-01", "guarantee": 0.985, "period": "quarter",
        "hours": "own", "own_hours": [{"weekday": 1, "from": "08:00", "until": "17:00"}], "exclusions": ["facility"]});
    assert_eq!(street.state(path, "k-1", &contract).await.status(), StatusCode::ACCEPTED);
    let calendar = json!({"valid_from": "2026-05-01", "hours": [{"weekday": 6, "from": "08:00", "until": "12:00"}]});
    assert_eq!(street.state("/api/v1/sites/north/calendars", "k-2", &calendar).await.status(), StatusCode::ACCEPTED);
    problem(street.state("/api/v1/sites/south/calendars", "k-3", &calendar).await, 404).await;
    for (field, wrong, word) in [
        ("guarantee", json!(98.5), "98.5"),
        ("period", json!("week"), "week"),
        ("exclusions", json!(["weather"]), "weather"),
        ("own_hours", json!([{"weekday": 8, "from": "08:00", "until": "17:00"}]), "weekday"),
    ] {
        let mut other = contract.clone();
        other[field] = wrong;
        let answer = street.state(path, &format!("wrong-{field}"), &other).await;
        assert!(matches!(answer.status().as_u16(), 400 | 422), "{field}");
        let detail = String::from_utf8(bytes(answer).await).unwrap();
        assert!(detail.contains(word), "{field}: {detail}");
    }
    let runs = street.door.runs.lock().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run.subject.to_string().contains("north") && run.site.as_str() == "north"));
    assert!(matches!(&runs[0].facts[0].fact.body, Said::ContractDefined(of) if of.guarantee.0 == 9_850));
}

#[tokio::test]
async fn every_question_about_a_period_says_as_of_when() {
    let street = Street::with(&one_order()).await;
    for path in [
        "kpi/failures",
        "scorecards",
        "comparison",
        "uptime",
        "devices/ct-1",
        "devices/ct-1/timeline",
        "devices/ct-1/errors",
        "devices/ct-1/usage",
        "devices/ct-1/evidence",
        "devices/ct-1/statement",
        "devices",
        "sites",
    ] {
        let answer = street.json(&format!("/api/v1/{path}?as_of=2026-03-03T00:15:00Z")).await;
        assert_eq!(answer["cut"]["as_of"], "2026-03-03T00:15:00Z", "{path}");
    }
}

#[tokio::test]
async fn the_inventory_is_told_as_it_stood_and_what_ended_then_had_not_ended() {
    let mut fleet = one_order();
    let noon = UtcMicros(MONDAY + 12 * HOUR);
    fleet.devices[0].valid_until = Some(noon);
    fleet.devices.push(DeviceRow { room: Some(text("7")), valid_from: noon, ..device("ct-1", "north", "ct", 0) });
    let street = Street::with(&fleet).await;
    let first = async |at: &str| {
        let answer = street.json(&format!("/api/v1/devices?at={at}")).await;
        assert_eq!(answer["cut"]["at"], at, "{at}");
        let device = &answer["devices"][0];
        (answer["total"].clone(), device["room"].clone(), device["valid_until"].clone())
    };
    assert_eq!(first("2026-03-02T12:00:00Z").await, (json!(2), Value::Null, Value::Null), "it had not moved yet");
    assert_eq!(first("2026-03-02T12:00:01Z").await, (json!(2), json!("7"), Value::Null));
    assert_eq!(first("2020-01-01T00:00:00Z").await.0, 0, "nobody was there");
    let sites = street.json("/api/v1/sites?at=2020-01-01").await;
    assert_eq!(sites["sites"][0]["name"], "North", "what a site is called is knowledge");
    let wrong = problem(street.get("/api/v1/devices?as_of=soon").await, 400).await;
    assert!(wrong["detail"].as_str().unwrap().contains("soon"), "{wrong}");
}

#[tokio::test]
async fn a_question_that_cannot_be_is_told_so() {
    let street = Street::with(&one_order()).await;
    for (path, status, word) in [
        ("/api/v1/kpi/nonsense", 404, "nonsense"),
        ("/api/v1/kpi/failures?format=xml", 400, "xml"),
        ("/api/v1/kpi/amendments?closed=soon", 400, "soon"),
        ("/api/v1/scorecards?group=ward", 400, "ward"),
        ("/api/v1/comparison?by=luck", 400, "luck"),
        ("/api/v1/comparison?site=north", 400, "north"),
        ("/api/v1/devices/ct-9/statement", 404, "ct-9"),
        ("/api/v1/devices/ct-1/statement?contract=SC-9", 404, "SC-9"),
        ("/api/v1/devices/ct-1/statement?day=soon", 400, "soon"),
        ("/api/v1/devices/ct-1/statements/none", 404, "none"),
        ("/api/v1/devices/ct-9/evidence", 404, "ct-9"),
    ] {
        let detail = problem(street.get(path).await, status).await["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{path}: {detail}");
    }
}
