//! Pages over the KPI room as people meet them: words, figures, files, and the button that issues a statement.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use medfleet_domain::fact::Body as Said;
use medfleet_lake::rows::OrderRow;

use super::fleet::{DAY, Fleet, HOUR, device, office_hours, site, text};
use super::http::{NOW, Street, bytes};
use super::kpi::{csv, one_order};

const PERIOD: &str = "from=2026-03-02&until=2026-03-03";

/// Two sites alike but for what fails: twenty orders on the scanners of the south, two on those of the north.
fn one_site_fails() -> Fleet {
    let mut fleet = Fleet::default();
    for (name, title, orders) in [("north", "North", 2), ("south", "South & East", 20)] {
        fleet.sites.push(site(name, title, "UTC", "East"));
        fleet.calendars.extend(office_hours(name));
        for nth in 1..=5 {
            let of = device(&format!("{name}-ct-{nth}"), name, "ct", NOW - 900 * DAY);
            // In turns, so that none is a repeat of the one before.
            for order in (0..orders).filter(|order| order % 5 == nth - 1) {
                let at = NOW - 85 * DAY + i64::from(order) * 9 * DAY / 2;
                for (phase, hour, seq) in [("opened", 0, 1), ("returned_to_service", 3, 2)] {
                    fleet.orders.push(OrderRow {
                        device: of.device.clone(),
                        site: of.site.clone(),
                        kind: of.kind.clone(),
                        work_order: text(&format!("{name}-wo-{order}")),
                        class: text("corrective"),
                        phase: text(phase),
                        at: medfleet_lake::UtcMicros(at + hour * HOUR),
                        recorded_at: medfleet_lake::UtcMicros(at + hour * HOUR),
                        seq,
                        weight: 1,
                        ..OrderRow::default()
                    });
                }
            }
            fleet.devices.push(of);
        }
    }
    fleet
}

#[tokio::test]
async fn a_comparison_says_what_can_be_said_and_names_the_devices_behind_it() {
    let street = Street::with(&one_site_fails()).await;
    let page = street.page("/compare?site=south").await;
    assert!(page.contains("South &#38; East") && !page.contains("South & East"), "names are escaped");
    assert!(page.contains("Fewer failures than its equipment explains"), "{page}");
    assert!(page.contains("2 groups can be told apart"), "{page}");
    assert!(page.contains("south-ct-1") && page.contains("which devices"), "the site is looked into");
    for adjustment in ["nothing", "kind", "kind_model", "kind_model_age"] {
        let answer = street.page(&format!("/compare?adjust={adjustment}&by=downtime")).await;
        assert!(answer.contains("aria-current=\"true\""), "{adjustment}");
    }
    let refused = street.get("/compare?adjust=luck").await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_page_never_orders_sites_that_it_cannot_tell_apart() {
    let mut fleet = one_site_fails();
    fleet.orders.retain(|row| row.site == text("north") || row.work_order.ends_with("wo-0"));
    let street = Street::with(&fleet).await;
    let page = street.page("/compare?days=90").await;
    assert!(page.contains("too few to compare sites"), "{page}");
    assert!(page.contains("1 to 2 of 2"), "both may stand anywhere");
}

#[tokio::test]
async fn a_file_has_the_figures_of_rest() {
    let street = Street::with(&one_order()).await;
    let of_page = csv(&street, &format!("/devices/ct-1?{PERIOD}&format=csv&table=episodes")).await;
    let of_rest = csv(&street, &format!("/api/v1/kpi/failures?{PERIOD}&device=ct-1&format=csv")).await;
    assert_eq!(of_page, of_rest);
    let of_page = csv(&street, &format!("/compare?{PERIOD}&format=csv")).await;
    let of_rest = csv(&street, &format!("/api/v1/comparison?{PERIOD}&format=csv")).await;
    assert_eq!(of_page, of_rest);
    let wrong = street.get(&format!("/devices/ct-1?{PERIOD}&format=csv&table=nonsense")).await;
    let said = String::from_utf8(bytes(wrong).await).unwrap();
    assert!(said.contains("nonsense") && said.contains("intervals, episodes, orders"), "{said}");
}

#[tokio::test]
async fn every_page_is_a_workbook_too() {
    let street = Street::with(&one_order()).await;
    for path in [
        "/",
        "/sites/north",
        "/devices/ct-1",
        "/devices/ct-1/evidence",
        "/devices/ct-1/statement",
        "/compare",
        "/contracts",
        "/contracts/north/SC-1",
        "/pipeline",
        "/maintenance",
        "/scorecard",
    ] {
        let answer = street.get(&format!("{path}?format=xlsx")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let attached = answer.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().to_owned();
        assert!(
            attached.starts_with("attachment; filename=\"medfleet-") && attached.ends_with(".xlsx\""),
            "{attached}"
        );
        assert!(bytes(answer).await.starts_with(b"PK\x03\x04"), "{path}: a workbook is a zip archive");
        let page = street.page(path).await;
        assert!(page.contains("format=xlsx") && !page.contains("style=\""), "{path}");
    }
}

#[tokio::test]
async fn a_device_shows_its_trouble_with_the_facts_one_step_away() {
    let street = Street::with(&one_order()).await;
    let page = street.page(&format!("/devices/ct-1?{PERIOD}")).await;
    assert!(page.contains("=wo,1") && page.contains("downtime under an order"), "{page}");
    assert!(page.contains("/devices/ct-1/evidence?from=2026-03-02T10:00:00Z"), "{page}");
    assert!(page.contains("contract=SC-1"), "its contract is one step away");
    let facts = street.page("/devices/ct-1/evidence?from=2026-03-02T10:00:00Z&until=2026-03-02T12:00:00Z").await;
    assert!(facts.contains("Facts behind ct-1"), "{facts}");
}

#[tokio::test]
async fn a_statement_is_judged_by_its_bounds_and_issued_once() {
    let street = Street::with(&one_order()).await;
    let page = street.page("/devices/ct-1/statement?contract=SC-1&day=2026-03-02").await;
    assert!(page.contains("March 2026") && page.contains("missed") && page.contains("77.77%"), "{page}");
    assert!(!page.contains("Issue this statement"), "a period that runs is not issued");
    let over = street.page("/devices/ct-1/statement?contract=SC-1&day=2026-02-10").await;
    assert!(over.contains("Issue this statement") && over.contains("undecided"), "{over}");
    let press = |author: &str| {
        let form = format!("contract=SC-1&day=2026-02-01&cut=1&author={author}");
        let request = Request::post("/devices/ct-1/statement")
            .header(header::AUTHORIZATION, format!("Bearer {}", street.token))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        street.ask(request, Body::from(form))
    };
    let first = press("kim").await;
    assert_eq!(first.status(), StatusCode::SEE_OTHER);
    let to = first.headers()["location"].to_str().unwrap().to_owned();
    assert!(to.contains("issued=0:1"), "{to}");
    assert_eq!(press("kim").await.headers()["location"].to_str().unwrap(), to, "pressed twice, issued once");
    assert_eq!(press("").await.status(), StatusCode::BAD_REQUEST, "somebody must answer for it");
    let runs = street.door.runs.lock().unwrap();
    assert_eq!(runs.len(), 1);
    assert!(matches!(&runs[0].facts[0].fact.body, Said::StatementIssued(of) if of.cut == 1 && of.author == "kim"));
}

#[tokio::test]
async fn contracts_are_listed_with_how_their_devices_stand() {
    let street = Street::with(&one_order()).await;
    let all = street.page("/contracts").await;
    assert!(all.contains("SC-1") && all.contains("97%") && all.contains("None yet"), "{all}");
    let one = street.page("/contracts/north/SC-1?day=2026-03-02").await;
    assert!(one.contains("ct-1") && one.contains("ct-2") && one.contains("missed"), "{one}");
    assert_eq!(street.get("/contracts/north/SC-9").await.status(), StatusCode::NOT_FOUND);
}
