//! The pipeline as the operator sees it: page, JSON, and the second try of what was refused.

use axum::body::Body;
use axum::http::{Request, header};
use medfleet_api::operator::Refusal;
use medfleet_domain::time::Timestamp;
use serde_json::json;

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
    assert_eq!(told["agents"][0]["receipts"], json!(null), "the agent does too");
    assert!(street.page("/pipeline").await.contains("an agent of another process"));
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
