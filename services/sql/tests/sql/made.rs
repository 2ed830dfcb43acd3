//! Scorecards and sites compared, as SQL says them: cell by cell what the KPI room makes of the same cut, and so what REST
//! answers.

use medfleet_domain::time::Timestamp;
use medfleet_kpi::comparison::{self, By, Fleet};
use medfleet_kpi::figures::figures;
use medfleet_kpi::scorecard::{Group, scorecards};
use medfleet_kpi::table::Table;
use medfleet_kpi::{Question, hours};
use medfleet_lake::{Reader, ReaderLimits, SessionContext};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::rig::{DAY, LATE, MONDAY, Rig, SECOND, column, refused, told};

const PERIOD: &str = "'2026-03-02', '2026-03-03'";

/// The tables of the newest cut as the api holds them, and the question about Monday.
async fn cut(rig: &Rig) -> (SessionContext, Question) {
    let reader = Reader::new(rig.lake.clone(), ReaderLimits::default()).unwrap();
    let cut = reader.newest_cut().await.unwrap().expect("a cut was made");
    let session = reader.open_cut(&cut).await.unwrap();
    medfleet_kpi::furnish(&session).unwrap();
    hours::register(&session, Timestamp(cut.made_at.0)).await.unwrap();
    (session, Question::new(Timestamp(MONDAY), Timestamp(MONDAY + DAY), Timestamp(cut.made_at.0)))
}

/// Every cell of a call as JSON, by the type that the wire names.
async fn in_sql(rig: &Rig, call: &str) -> Vec<Vec<(String, Value)>> {
    let rows = rig.client("leader").await.query(&format!("SELECT * FROM {call}"), &[]).await.unwrap();
    let cell = |row: &tokio_postgres::Row, place: usize| match *row.columns()[place].type_() {
        Type::BOOL => Value::from(row.get::<_, Option<bool>>(place)),
        Type::INT8 => Value::from(row.get::<_, Option<i64>>(place)),
        Type::FLOAT8 => Value::from(row.get::<_, Option<f64>>(place)),
        _ => Value::from(row.get::<_, Option<String>>(place)),
    };
    let cells = |row: &tokio_postgres::Row| {
        // Where it comes from stands behind its own columns.
        let named = row.columns().iter().enumerate().take_while(|(_, column)| column.name() != "period_from");
        named.map(|(place, column)| (column.name().to_owned(), cell(row, place))).collect()
    };
    rows.iter().map(cells).collect()
}

fn in_rest(table: &Table) -> Vec<Vec<(String, Value)>> {
    let names = || table.headings.iter().map(|heading| heading.name.clone());
    table.objects().into_iter().map(|row| names().map(|name| (name.clone(), row[&name].clone())).collect()).collect()
}

#[tokio::test]
async fn scorecards_in_sql_are_those_of_rest_cell_by_cell() {
    let rig = Rig::open().await;
    let (session, question) = cut(&rig).await;
    for (word, group) in Group::WORDS {
        let cards = scorecards(&session, &question, group).await.unwrap();
        let wanted = in_rest(&Table::of(&figures(), &cards));
        assert_eq!(in_sql(&rig, &format!("scorecards({PERIOD}, by => '{word}')")).await, wanted, "{word}");
        assert!(!wanted.is_empty() && wanted[0].len() > 100, "{word}");
    }
    let narrowed = question.of_site("south");
    let cards = scorecards(&session, &narrowed, Group::SiteKind).await.unwrap();
    let wanted = in_rest(&Table::of(&figures(), &cards));
    assert_eq!(in_sql(&rig, &format!("scorecards({PERIOD}, 'south')")).await, wanted);
    assert_eq!(wanted.len(), 1);
}

#[tokio::test]
async fn sites_compared_in_sql_are_those_of_rest_cell_by_cell() {
    let rig = Rig::open().await;
    let (session, question) = cut(&rig).await;
    let fleet = Fleet::read(&session, &question).await.unwrap();
    for (word, by) in By::WORDS {
        let wanted = in_rest(&Table::of(&comparison::figures(), &fleet.compare(by)));
        assert_eq!(in_sql(&rig, &format!("comparison({PERIOD}, by => '{word}')")).await, wanted, "{word}");
        assert_eq!(wanted.len(), 8, "two sites under four adjustments");
    }
}

#[tokio::test]
async fn what_is_made_is_filtered_projected_limited_and_added_up_like_any_rows() {
    let rig = Rig::open().await;
    let ann = rig.client("ann").await;
    let rate = "failures_per_device_year_low < failures_per_device_year, failures_per_device_year < failures_per_device_year_high";
    let sql = format!("SELECT {rate}, turnaround_median_seconds FROM scorecards({PERIOD}) WHERE kind = 'ct'");
    let row = told(&ann, &sql).await.remove(0);
    assert_eq!((row.get(0), row.get(1), row.get(2)), (Some("t"), Some("t"), Some("3600.0")));
    let limits = "rate_low(failures, device_years) = failures_per_device_year_low, rate_high(failures, device_years) = failures_per_device_year_high";
    let row = told(&ann, &format!("SELECT {limits} FROM scorecards({PERIOD})")).await.remove(0);
    assert_eq!((row.get(0), row.get(1)), (Some("t"), Some("t")), "limits of sums are those of scorecards");
    let leader = rig.client("leader").await;
    let count = |what: &str| format!("SELECT count(*) FROM (SELECT site FROM comparison({PERIOD}) {what}) AS sites");
    assert_eq!(column(&leader, &count("WHERE adjustment = 'kind'")).await, ["2"]);
    assert_eq!(column(&leader, &count("LIMIT 3")).await, ["3"]);
    let named = column(&ann, "SELECT usage FROM about WHERE name = 'scorecards'").await;
    assert_eq!(named, ["SELECT * FROM scorecards(since, until, [site], [kind], [device], [by], [as_of], [at])"]);
}

#[tokio::test]
async fn what_is_made_knows_what_was_known_and_refuses_a_word_it_does_not_know() {
    let rig = Rig::open().await;
    rig.hear_late(&["north"], 2).await;
    let ann = rig.client("ann").await;
    let before = column(&ann, &format!("SELECT instant({})::text", LATE - SECOND)).await.remove(0);
    let as_of = format!(", as_of => '{before}'");
    let down = |as_of: &str| format!("SELECT unscheduled_down_seconds FROM scorecards({PERIOD}{as_of})");
    assert_eq!(column(&ann, &down("")).await, ["7200.0"]);
    assert_eq!(column(&ann, &down(&as_of)).await, ["3600.0"]);
    let hours = |as_of: &str| {
        format!("SELECT observed FROM comparison({PERIOD}, by => 'downtime'{as_of}) WHERE adjustment = 'kind'")
    };
    assert_eq!(column(&ann, &hours("")).await, ["2.0"]);
    assert_eq!(column(&ann, &hours(&as_of)).await, ["1.0"]);
    let base = "SELECT base_hours_seconds FROM scorecards('2026-03-02', '2026-03-03')";
    assert_eq!(column(&ann, base).await, ["32400.0"], "nine hours of a Monday");
    for (call, word) in [
        (format!("scorecards({PERIOD}, by => 'ward')"), "ward"),
        (format!("comparison({PERIOD}, by => 'luck')"), "luck"),
    ] {
        let (code, message) = refused(&ann, &format!("SELECT * FROM {call}")).await;
        assert!(code == "22023" && message.contains(word), "{call}: {code} {message}");
    }
    let prepared = ann.prepare("SELECT site FROM scorecards($1, $2, by => $3)").await.unwrap();
    let rows = ann.query(&prepared, &[&"2026-03-02", &"2026-03-03", &"site"]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), ["north"]);
}
