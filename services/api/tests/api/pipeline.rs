//! The pipeline as the operator sees it: page, JSON, and the second try of what was refused.

use axum::body::Body;
use axum::http::{Request, header};
use medfleet_api::operator::Refusal;
use medfleet_domain::time::Timestamp;
use medfleet_lake::UtcMicros;
use medfleet_lake::rows::HeadRow;
use serde_json::json;

use super::fleet::{Fleet, sign_of_life};
use super::http::{NOW, Street, bytes, problem};

fn refusal(offset: u64, subject: Option<&str>) -> Refusal {
    Refusal {
        partition: 0,
        offset,
        received_at: Timestamp(NOW),
        reason: "not_readable".into(),
        origin: "medfleet/v1/north/18/edge-1/batch".into(),
        subject: subject.map(str::to_owned),
        payload_bytes: 1_400,
    }
}

async fn street() -> Street {
    let street = Street::open().await;
    street.door.refused.lock().unwrap().extend([refusal(7, None), refusal(8, Some("device ct-<1>"))]);
    street
}

#[tokio::test]
async fn the_pipeline_names_every_partition_every_agent_and_what_it_cannot_count() {
    let street = street().await;
    let told = street.json("/api/v1/pipeline").await;
    assert!(told["partitions"].as_array().unwrap().iter().all(|row| row["lag_records"] == 0), "{told}");
    assert_eq!(told["agents"][0]["agent"], "agent-1");
    assert_eq!(told["agents"][0]["last_heard_at"], "2026-03-03T00:30:00Z");
    assert_eq!(told["counted"]["facts_received"], json!(null), "ingest runs elsewhere: no zero");
    assert_eq!(told["agents"][0]["receipts"], json!(null), "it did not say");
    assert!(street.page("/pipeline").await.contains("an agent that does not say it"));
}

/// No agent runs in this process: what they said is in the tables.
#[tokio::test]
async fn every_agents_receipts_are_as_of_its_heartbeat_and_unknown_since_where_it_fell_silent() {
    let now = Timestamp(medfleet_runtime::now_micros());
    let held = |agent: &str, at: i64, waiting: i64| HeadRow {
        accepted_facts: Some(12_345),
        waiting_facts: Some(waiting),
        journal_bytes: Some(3_100_000),
        journal_limit_bytes: Some(1_000_000_000),
        oldest_waiting_at: (waiting > 0).then_some(UtcMicros(at - 400_000_000)),
        ..sign_of_life(agent, "north", at)
    };
    let (heard, cut_off, before) =
        (held("edge-1", now.0 - 14_500_000, 0), held("edge-2", now.0 - 180_000_000, 67), 30_000_000);
    // A heartbeat of before, which the next one has withdrawn.
    let earlier = held("edge-2", now.0 - 180_000_000 - before, 1);
    let withdrawn = HeadRow { weight: -1, ..earlier.clone() };
    let heads = vec![heard, earlier, withdrawn, cut_off, held("edge-3", NOW, 5)];
    let street = Street::with(&Fleet { heads, ..Fleet::default() }).await;

    let told = street.json("/api/v1/pipeline").await;
    let names = told["agents"].as_array().unwrap().iter().map(|one| one["agent"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["edge-3", "edge-2", "edge-1"], "longest silent first");
    let (accepted, journal_bytes, journal_limit_bytes) = (12_345, 3_100_000, 1_000_000_000);
    let expected = json!({ "accepted": accepted, "receipted": 12_278, "waiting": 67, "oldest_waiting_seconds": 400,
        "journal_bytes": journal_bytes, "journal_limit_bytes": journal_limit_bytes });
    assert_eq!(told["agents"][1]["receipts"], expected);
    assert_eq!(told["agents"][2]["receipts"]["oldest_waiting_seconds"], json!(null), "nothing waits");

    let page = street.page("/pipeline").await;
    let row =
        |agent: &str| page.split(&format!("<th scope=\"row\">{agent}")).nth(1).unwrap().split("</tr>").next().unwrap();
    let clock = |at: i64| Timestamp(at).to_string()[11..19].to_owned();
    assert!(row("edge-1").contains(&clock(now.0 - 14_500_000)) && row("edge-1").contains("3.1 MB of 1.0 GB"), "{page}");
    assert!(!row("edge-1").contains("unknown since") && row("edge-1").contains(">0</td>"), "{page}");
    assert!(
        row("edge-2").contains("3 min ago <b>unknown since</b>") && row("edge-2").contains(">67 then</td>"),
        "{page}"
    );
    assert!(row("edge-2").contains("6 min <b>late</b>"), "{page}");
    assert!(row("edge-3").contains("<b>silent, unknown since</b>") && row("edge-3").contains(">5 then</td>"), "{page}");
    assert!(!page.contains("an agent that does not say it"));

    let csv = street.page("/pipeline?format=csv&table=agents").await;
    assert!(csv.contains("edge-2,north,") && csv.contains(",12345,12278,67,400,3100000,1000000000"), "{csv}");
}

#[tokio::test]
async fn the_quarantine_is_listed_newest_first_and_escaped_on_the_page() {
    let street = street().await;
    let told = street.json("/api/v1/quarantine").await;
    assert_eq!((told["entries"].as_u64(), told["newest"][0]["place"].as_str()), (Some(2), Some("0:8")));
    let page = street.page("/pipeline").await;
    assert!(page.contains("device ct-&#60;1&#62;") && !page.contains("ct-<1>"), "{page}");
    assert!(page.contains("1.4 kB") && page.contains("Redrive 0:7"));
}

#[tokio::test]
async fn a_second_try_says_what_came_of_it_and_an_unknown_place_says_so() {
    let street = street().await;
    let bearer = format!("Bearer {}", street.token);
    let post = |path: &str| Request::post(path).header(header::AUTHORIZATION, &bearer);
    let done = street.ask(post("/api/v1/quarantine/0/7/redrive"), Body::empty()).await;
    let done: serde_json::Value = serde_json::from_slice(&bytes(done).await).unwrap();
    assert_eq!(done, json!({"appended": 3, "quarantined": 0, "held": 0}));
    let absent = street.ask(post("/api/v1/quarantine/0/99/redrive"), Body::empty()).await;
    assert!(problem(absent, 422).await["detail"].as_str().unwrap().contains("0:99"));
    let wrong = street.ask(post("/api/v1/quarantine/x/99/redrive"), Body::empty()).await;
    assert!(problem(wrong, 400).await["detail"].as_str().unwrap().contains("`x`"));

    let form = post("/pipeline/redrive").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let sent = street.ask(form, Body::from("partition=0&offset=7")).await;
    assert_eq!(sent.status(), 303);
    let page = street.page(sent.headers()[header::LOCATION].to_str().unwrap().split('#').next().unwrap()).await;
    assert!(page.contains("0:7: 3 facts admitted"), "{page}");
}
