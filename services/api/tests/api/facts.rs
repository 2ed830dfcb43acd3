//! What people tell of a device and take back: each is one fact with its author, and nonsense is refused with the cure.

use axum::http::StatusCode;
use medfleet_domain::fact::Body;
use serde_json::{Value, json};

use super::http::{Street, bytes, problem};

async fn tell(street: &Street, key: &str, tell: Value) -> axum::http::Response<axum::body::Body> {
    let body = json!({"author": "kim", "at": "2026-03-02T20:00:00Z", "tell": tell});
    street.state("/api/v1/devices/ct-1/facts", key, &body).await
}

#[tokio::test]
async fn what_happened_to_a_device_is_a_fact_by_whoever_says_so() {
    let street = Street::open().await;
    let told = [
        json!({"type": "moved", "site": "north", "department": "ED", "room": "2"}),
        json!({"type": "loaned", "to_site": "north", "until": "2026-03-09T00:00:00Z"}),
        json!({"type": "returned"}),
        json!({"type": "replaced", "component": "tube", "new_serial": "T-9", "preventive": false}),
        json!({"type": "pm_done", "procedure": "annual", "due": "2026-03-01", "outcome": "completed"}),
        json!({"type": "bound", "place": "10.0.0.7"}),
        json!({"type": "unbound", "place": "10.0.0.7"}),
    ];
    for (number, what) in told.iter().enumerate() {
        let answer = tell(&street, &format!("k-{number}"), what.clone()).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{what}");
        let said: Value = serde_json::from_slice(&bytes(answer).await).unwrap();
        let run = street.door.runs.lock().unwrap().pop().unwrap();
        assert_eq!((said["epoch"].clone(), said["seq"].clone()), (json!(run.epoch.to_string()), json!(1)));
        let fact = &run.facts[0].fact;
        assert_eq!((fact.source.name.as_str(), fact.at.to_string().as_str()), ("kim", "2026-03-02T20:00:00Z"));
        let name = fact.body.name();
        assert!(what["type"].as_str().unwrap().replace("replaced", "component_replaced") == name, "{what}: {name}");
    }
}

#[tokio::test]
async fn what_cannot_be_so_is_refused_with_the_cure() {
    let street = Street::open().await;
    problem(tell(&street, "k-1", json!({"type": "moved", "site": "nowhere"})).await, 404).await;
    problem(tell(&street, "k-2", json!({"type": "bound", "place": ""})).await, 422).await;
    let outcome = json!({"type": "pm_done", "procedure": "annual", "outcome": "perhaps"});
    let refused = problem(tell(&street, "k-3", outcome).await, 422).await.to_string();
    assert!(refused.contains("perhaps") && refused.contains("completed"), "{refused}");
    problem(tell(&street, "k-4", json!({"type": "flew"})).await, 422).await;
    assert!(street.door.runs.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_what_was_told_can_be_amended() {
    let street = Street::open().await;
    let amend = async |key: &str, epoch: &str, seq: u64, last: Option<u64>, replacement: Option<Value>| {
        let body = json!({"epoch": epoch, "seq": seq, "last_seq": last, "author": "kim", "reason": "another device",
            "replacement": replacement});
        street.state("/api/v1/devices/ct-1/amendments", key, &body).await
    };
    let missing = problem(amend("k-1", "00000000000000aa", 1, None, None).await, 404).await.to_string();
    assert!(missing.contains("/api/v1/devices/ct-1/evidence"), "{missing}");
    problem(amend("k-2", "aa", 1, None, None).await, 400).await;
    problem(amend("k-3", "00000000000000aa", 0, None, None).await, 400).await;
    problem(amend("k-4", "00000000000000aa", 3, Some(2), None).await, 400).await;
    problem(amend("k-5", "00000000000000aa", 3, Some(u64::MAX), None).await, 400).await;
    let two = Some(json!({"fact": {"at": "2026-03-02T20:00:00Z", "tell": {"type": "returned"}}}));
    problem(amend("k-6", "00000000000000aa", 1, Some(2), two).await, 400).await;
    assert!(street.door.runs.lock().unwrap().iter().all(|run| !matches!(run.facts[0].fact.body, Body::Amended(_))));
}
