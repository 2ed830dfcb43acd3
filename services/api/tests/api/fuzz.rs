//! Whatever a client sends over HTTP: an answer with a reason, never a fault of the server, and the next question is answered.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use medfleet_fuzz::{Bounds, Heap, fuzz};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use super::http::Street;

#[global_allocator]
static HEAP: Heap = Heap;

const ASSERTIONS: [&str; 3] = [
    r#"{"claim":"down","author":"k.moreno","reason":"smoke","order":"WO-7","from":"2026-03-02T20:00:00Z"}"#,
    r#"{"claim":"partial","degradation":"minor","author":"k.moreno","from":"2026-03-02T20:00:00Z","until":"2026-03-02T21:00:00Z"}"#,
    r#"{"claim":"maintenance","author":"x","planned_from":"2026-03-02T20:00:00Z","planned_until":"2026-03-02T22:00:00Z"}"#,
];
const REQUESTS: [&str; 3] = [
    r#"{"author":"k.moreno","site":"north","ask":{"type":"register","kind":"ct","make":"Helion","model":"Axial","serial":"7"}}"#,
    r#"{"author":"k.moreno","ask":{"type":"retire","reason":"old"}}"#,
    r#"{"author":"k.moreno","ask":{"type":"open_order","order":"WO-7","class":"corrective","text":"noise"}}"#,
];
const FACTS: [&str; 4] = [
    r#"{"author":"k.moreno","at":"2026-03-02T20:00:00Z","tell":{"type":"moved","site":"north","department":"ED","room":"2"}}"#,
    r#"{"author":"k.moreno","tell":{"type":"replaced","component":"tube","new_serial":"T-9","preventive":false,"order":"WO-7"}}"#,
    r#"{"author":"k.moreno","tell":{"type":"pm_done","procedure":"annual","due":"2026-03-01","outcome":"in_use"}}"#,
    r#"{"author":"k.moreno","tell":{"type":"bound","place":"10.0.0.7"}}"#,
];
const AMENDMENTS: [&str; 2] = [
    r#"{"epoch":"00000000000000aa","seq":1,"last_seq":3,"author":"k.moreno","reason":"another device"}"#,
    r#"{"epoch":"00000000000000aa","seq":1,"author":"k","reason":"later","replacement":{"fact":{"at":"2026-03-02T20:00:00Z","tell":{"type":"returned"}}}}"#,
];
const CALENDARS: [&str; 1] =
    [r#"{"kind":"ct","valid_from":"2026-03-01","hours":[{"weekday":1,"from":"08:00","until":"17:00"}]}"#];
const CONTRACTS: [&str; 1] = [
    r#"{"contract":"C-1","vendor":"Helion","kind":"ct","valid_from":"2026-03-01","guarantee":0.98,"period":"month","hours":"own","own_hours":[{"weekday":1,"from":"08:00","until":"17:00"}],"exclusions":["facility"]}"#,
];
const ISSUES: [&str; 1] = [r#"{"contract":"C-1","day":"2026-02-03","author":"k.moreno"}"#];
const QUESTIONS: [&str; 9] = [
    "/api/v1/sites",
    "/api/v1/uptime?from=2026-03-01T00:00:00Z&until=2026-03-02T00:00:00Z&by=site",
    "/api/v1/devices?site=north&kind=ct",
    "/api/v1/devices/ct-1?from=2026-03-01&until=2026-03-02",
    "/api/v1/devices/ct-1/timeline?from=2026-03-01T00:00:00Z&until=2026-03-02T00:00:00Z",
    "/api/v1/devices/ct-1/errors?cut=1",
    "/api/v1/requests/abc?subject=ct-1",
    "/sites/north?period=7d",
    "/devices/ct-1",
];

fn bounds() -> Bounds {
    // Plans of queries, and statements that the door of the test keeps.
    Bounds {
        peak_base_bytes: 64 * 1024 * 1024,
        kept_max_bytes: 256 * 1024 * 1024,
        input_max_bytes: 8 * 1024,
        ..Bounds::default()
    }
}

fn stage() -> (Runtime, Arc<Street>, Router) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let street = Arc::new(runtime.block_on(Street::open()));
    let router = street.router();
    (runtime, street, router)
}

async fn answer(router: &Router, request: Request<Body>) -> String {
    let answer = router.clone().oneshot(request).await.unwrap();
    let (status, is_problem) =
        (answer.status(), answer.headers().get("content-type").is_some_and(|kind| kind == "application/problem+json"));
    let body = to_bytes(answer.into_body(), 8 << 20).await.unwrap();
    assert!(!status.is_server_error(), "{status} {}", String::from_utf8_lossy(&body));
    if !is_problem {
        return status.as_u16().to_string();
    }
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    format!("{} {}", status.as_u16(), problem["type"].as_str().unwrap_or_default())
}

/// `answered` is what the first of the corpus gets, before damage and after.
fn fuzz_statements(name: &str, path: &str, corpus: &[&str], answered: &str) {
    let (runtime, street, router) = stage();
    let mut key = 0_u64;
    let mut post = |body: &[u8]| {
        key += 1;
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", street.token))
            .header("idempotency-key", key.to_string())
            .body(Body::from(body.to_vec()));
        let said = runtime.block_on(answer(&router, request.unwrap()));
        street.door.runs.lock().unwrap().clear();
        said
    };
    assert_eq!(post(corpus[0].as_bytes())[..3], *answered, "the corpus is good");
    fuzz(name, corpus.iter().map(|text| text.as_bytes().to_vec()).collect(), bounds(), &mut post);
    assert_eq!(post(corpus[0].as_bytes())[..3], *answered, "good statements are taken as before");
}

#[test]
fn fuzz_http_assertion() {
    fuzz_statements("HTTP assertion", "/api/v1/devices/ct-1/assertions", &ASSERTIONS, "202");
}

#[test]
fn fuzz_http_request() {
    fuzz_statements("HTTP request", "/api/v1/devices/ct-1/requests", &REQUESTS, "202");
}

#[test]
fn fuzz_http_fact() {
    fuzz_statements("HTTP fact", "/api/v1/devices/ct-1/facts", &FACTS, "202");
}

#[test]
fn fuzz_http_calendar() {
    fuzz_statements("HTTP calendar", "/api/v1/sites/north/calendars", &CALENDARS, "202");
}

#[test]
fn fuzz_http_contract() {
    fuzz_statements("HTTP contract", "/api/v1/sites/north/contracts", &CONTRACTS, "202");
}

/// No contract covers the device.
#[test]
fn fuzz_http_issue() {
    fuzz_statements("HTTP issue", "/api/v1/devices/ct-1/statements", &ISSUES, "404");
}

/// Nothing that it could amend has been told.
#[test]
fn fuzz_http_amendment() {
    fuzz_statements("HTTP amendment", "/api/v1/devices/ct-1/amendments", &AMENDMENTS, "404");
}

#[test]
fn fuzz_http_question() {
    let (runtime, street, router) = stage();
    let mut get = |target: &[u8]| {
        let target = String::from_utf8_lossy(target);
        let request = Request::get(&*target).header(header::AUTHORIZATION, format!("Bearer {}", street.token));
        match request.body(Body::empty()) {
            // The event stream has no end to wait for.
            Ok(request) if request.uri().path().contains("live") => "a stream".into(),
            Ok(request) => runtime.block_on(answer(&router, request)),
            Err(_) => "no target".into(),
        }
    };
    for question in QUESTIONS {
        println!("{question}: {}", get(question.as_bytes()));
    }
    fuzz("HTTP question", QUESTIONS.map(|text| text.as_bytes().to_vec()).to_vec(), bounds(), &mut get);
    assert_eq!(get(b"/api/v1/sites"), StatusCode::OK.as_u16().to_string());
}

#[test]
fn an_oversized_body_is_refused_and_the_next_is_taken() {
    let (runtime, street, router) = stage();
    let post = |body: Vec<u8>| {
        let request = Request::post("/api/v1/devices/ct-1/assertions")
            .header(header::AUTHORIZATION, format!("Bearer {}", street.token))
            .header("idempotency-key", body.len().to_string());
        runtime.block_on(answer(&router, request.body(Body::from(body)).unwrap()))
    };
    assert_eq!(post(vec![b' '; 3 << 20])[..3], *"413");
    assert_eq!(post(ASSERTIONS[0].as_bytes().to_vec()), "202");
}
