//! Pages and API as a client meets them.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use medfleet_api::{ApiConfig, Service};
use medfleet_domain::time::Timestamp;
use medfleet_runtime::{Health, Metrics, Shutdown};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use super::fleet::{
    EmptyLog, Fleet, HOUR, OpenDoor, Rig, device, head, office_hours, sign_of_life, site, six_hospitals, text, told,
};

/// 2026-03-03T00:30Z.
pub const NOW: i64 = 1_772_497_800_000_000;

pub struct Street {
    _folder: TempDir,
    rig: Rig,
    pub door: Arc<OpenDoor>,
    service: Service,
    shutdown: Shutdown,
    pub token: String,
}

fn two_cts() -> Fleet {
    let mut fleet = Fleet {
        sites: vec![site("north", "North <General>", "America/New_York", "East")],
        calendars: office_hours("north"),
        ..Fleet::default()
    };
    for name in ["ct-1", "ct-2"] {
        let of = device(name, "north", "ct", NOW - 900 * 24 * HOUR);
        fleet.intervals.extend(told(&of, "standby", NOW - 30 * HOUR, NOW - 5 * HOUR));
        let mut live = head(&of, "live", "standby", NOW - 5 * HOUR, None);
        live.agent = Some(text("agent-1"));
        fleet.heads.push(live);
        fleet.devices.push(of);
    }
    fleet.heads.push(sign_of_life("agent-1", "north", NOW));
    fleet
}

impl Street {
    pub async fn open() -> Self {
        Self::with(&two_cts()).await
    }

    pub async fn with(fleet: &Fleet) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rig = Rig::open(folder.path()).await.unwrap();
        rig.fill(fleet, Timestamp(NOW)).await.unwrap();
        let door = Arc::new(OpenDoor::default());
        let shutdown = Shutdown::new();
        let config = ApiConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            token_file: folder.path().join("login.token"),
            cut_poll_milliseconds: 20,
            ..ApiConfig::default()
        };
        let log = Arc::new(EmptyLog);
        let (metrics, health) = (Metrics::default(), Health::new());
        let service =
            Service::new(config, rig.lake.clone(), log, door.clone(), metrics, health, shutdown.clone()).unwrap();
        service.advance().await.unwrap();
        let token = service.login_link().split_once("token=").unwrap().1.to_owned();
        Self { _folder: folder, rig, door, service, shutdown, token }
    }

    pub fn router(&self) -> Router {
        self.service.router()
    }

    pub async fn ask(&self, request: axum::http::request::Builder, body: Body) -> Response<Body> {
        self.router().oneshot(request.body(body).unwrap()).await.unwrap()
    }

    /// A GET with the bearer token.
    pub async fn get(&self, path: &str) -> Response<Body> {
        let bearer = format!("Bearer {}", self.token);
        self.ask(Request::get(path).header(header::AUTHORIZATION, bearer), Body::empty()).await
    }

    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        serde_json::from_slice(&bytes(response).await).unwrap()
    }

    pub async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        String::from_utf8(bytes(response).await).unwrap()
    }

    pub async fn state(&self, path: &str, key: &str, body: &Value) -> Response<Body> {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header("idempotency-key", key);
        self.ask(request, Body::from(body.to_string())).await
    }
}

pub async fn bytes(response: Response<Body>) -> Vec<u8> {
    to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()
}

pub async fn problem(response: Response<Body>, status: u16) -> Value {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    serde_json::from_slice(&bytes(response).await).unwrap()
}

#[tokio::test]
async fn nobody_is_let_in_without_proof() {
    let street = Street::open().await;
    for path in ["/api/v1/sites", "/api/v1/live", "/api/openapi.json", "/metrics", "/ready"] {
        problem(street.ask(Request::get(path), Body::empty()).await, 401).await;
    }
    let page = street.ask(Request::get("/").header(header::ACCEPT, "text/html"), Body::empty()).await;
    assert_eq!((page.status(), page.headers()["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/login"));
    let forged = street.ask(Request::get("/").header(header::COOKIE, "medfleet_session=00"), Body::empty()).await;
    assert_eq!(forged.status(), StatusCode::UNAUTHORIZED);
    let wrong = street.ask(Request::get("/login?token=wrong"), Body::empty()).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(!wrong.headers().contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn the_link_signs_in_and_a_session_changes_nothing_from_elsewhere() {
    let street = Street::open().await;
    let link = format!("/login?token={}", street.token);
    let answer = street.ask(Request::get(&link), Body::empty()).await;
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let session = cookie.split(';').next().unwrap().to_owned();
    let fleet = street.ask(Request::get("/").header(header::COOKIE, &session), Body::empty()).await;
    assert_eq!(fleet.status(), StatusCode::OK);
    let post = |from: &str| {
        Request::post("/api/v1/devices/ct-1/assertions")
            .header(header::COOKIE, &session)
            .header("sec-fetch-site", from)
            .header("idempotency-key", "k-1")
    };
    let body = json!({"claim": "down", "author": "kim"}).to_string();
    problem(street.ask(post("cross-site"), Body::from(body.clone())).await, 403).await;
    assert_eq!(street.ask(post("same-origin"), Body::from(body)).await.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn every_answer_keeps_a_browser_strict() {
    let street = Street::open().await;
    for path in ["/", "/api/v1/sites", "/login", "/assets/medfleet.css", "/nowhere"] {
        let answer = street.get(path).await;
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    }
    for path in ["/", "/sites/north", "/devices/ct-1"] {
        let page = street.page(path).await;
        assert!(!page.contains("style=") && !page.contains("<script>") && !page.contains(" onclick"), "{path}");
        assert!(page.len() < 60_000, "{path} has {} bytes", page.len());
        assert!(page.contains("Demo data"), "{path}");
    }
}

#[tokio::test]
async fn pages_say_what_they_know_and_escape_what_they_are_told() {
    let street = Street::open().await;
    let fleet = street.page("/").await;
    assert!(fleet.contains("North &#60;General&#62;") && !fleet.contains("<General>"), "{fleet}");
    let device = street.page("/devices/ct-1?days=2").await;
    assert!(device.contains("Condition, day by day") && device.contains("Clock of America/New_York"));
    let silent = street.page("/devices/ct-1?from=2020-01-01&until=2020-01-02").await;
    assert!(silent.contains("No data") && !silent.contains(">0.0%<"), "{silent}");
    let missing = street.get("/devices/ct-9").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn six_hospitals_fit_small_pages() {
    let street = Street::with(&six_hospitals(Timestamp(NOW))).await;
    for path in ["/?days=7", "/sites/harbor", "/devices/prairie-ip-05?days=30"] {
        let page = street.page(path).await;
        assert!(page.len() < 60_000, "{path} has {} bytes", page.len());
    }
    let fleet = street.page("/").await;
    for word in ["Harbor General", "Infusion pump", "never heard", "coverage", "bounds"] {
        assert!(fleet.contains(word), "{word}");
    }
}

#[tokio::test]
async fn uptime_carries_its_cut_its_coverage_and_what_it_is_made_of() {
    let street = Street::open().await;
    let answer = street.json("/api/v1/uptime?group=kind&from=2026-03-02&until=2026-03-03").await;
    let row = &answer["rows"][0];
    assert_eq!(answer["cut"]["number"], 1);
    assert_eq!(
        (&row["kind"], &row["registered_devices"], &row["monitored_devices"]),
        (&json!("ct"), &json!(2), &json!(2))
    );
    assert_eq!((&row["uptime"], &row["seconds"]["registered"]), (&json!(1.0), &json!(172_800.0)));
    // Told until 19:30 of 24 hours.
    assert_eq!(
        (&row["coverage"], &row["uptime_worst"], &row["uptime_best"]),
        (&json!(0.8125), &json!(0.8125), &json!(1.0))
    );
    let devices = street.json("/api/v1/uptime?group=device&from=2026-03-02&until=2026-03-03&cut=1").await;
    assert_eq!(devices["rows"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_problem_with_its_value_and_cure() {
    let street = Street::open().await;
    for (path, status, word) in [
        ("/api/v1/uptime?from=yesterday", 400, "yesterday"),
        ("/api/v1/uptime?group=ward", 400, "ward"),
        ("/api/v1/devices?limit=0", 400, "1 to 1000"),
        ("/api/v1/devices/ct-9", 404, "ct-9"),
        ("/api/v1/uptime?cut=99", 404, "99"),
        ("/api/v1/nothing", 404, "/api/v1/nothing"),
    ] {
        let detail = problem(street.get(path).await, status).await["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{path}: {detail}");
    }
}

#[tokio::test]
async fn devices_come_page_by_page() {
    let street = Street::open().await;
    let first = street.json("/api/v1/devices?limit=1&kind=ct").await;
    assert_eq!(
        (&first["devices"][0]["device"], &first["next"], &first["total"]),
        (&json!("ct-1"), &json!("ct-1"), &json!(2))
    );
    let second = street.json("/api/v1/devices?limit=1&after=ct-1").await;
    assert_eq!((&second["devices"][0]["device"], &second["next"]), (&json!("ct-2"), &Value::Null));
    assert_eq!(street.json("/api/v1/devices?q=CT-2").await["total"], 1);
    let timeline = street.json("/api/v1/devices/ct-1/timeline?days=1").await;
    assert!(timeline["timeline"].as_array().unwrap().iter().any(|piece| piece["origin"] == "live"), "{timeline}");
}

#[tokio::test]
async fn a_statement_enters_the_log_once_per_key() {
    let street = Street::open().await;
    let path = "/api/v1/devices/ct-1/assertions";
    let down = json!({"claim": "down", "author": "kim", "reason": "tube arc"});
    let first = bytes(street.state(path, "k-7", &down).await).await;
    assert_eq!(bytes(street.state(path, "k-7", &down).await).await, first);
    let other = json!({"claim": "usable", "author": "kim"});
    problem(street.state(path, "k-7", &other).await, 409).await;
    problem(street.state(path, "", &down).await, 400).await;
    problem(street.state("/api/v1/devices/ct-9/assertions", "k-8", &down).await, 404).await;
    let partial = json!({"claim": "partial", "author": "kim"});
    problem(street.state(path, "k-9", &partial).await, 400).await;
    let runs = street.door.runs.lock().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].site.as_str(), runs[0].kind.as_str(), runs[0].facts.len()), ("north", "ct", 1));
}

#[tokio::test]
async fn a_request_waits_for_its_verdict() {
    let street = Street::open().await;
    let ask = json!({"author": "kim", "site": "north", "ask": {"type": "register", "kind": "mri", "serial": "SN-9"}});
    let answer = street.state("/api/v1/devices/mr-1/requests", "r-1", &ask).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(street.json("/api/v1/requests/r-1").await["verdict"], "pending");
    assert_eq!(street.door.runs.lock().unwrap()[0].kind.as_str(), "mri");
}

#[tokio::test]
async fn a_newer_cut_is_an_event_with_its_number() {
    let street = Street::open().await;
    let (rig, token, shutdown) = (street.rig, street.token, street.shutdown);
    let bound = street.service.bind().await.unwrap();
    let address = bound.address();
    let server = tokio::spawn(bound.serve());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let ask = format!(
        "GET /api/v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let head = lines.next_line().await.unwrap().unwrap();
    assert!(head.contains("200"), "{head}");
    let mut down = two_cts();
    down.heads.retain(|row| &*row.subject != "ct-1");
    let of = down.devices[0].clone();
    down.heads = vec![
        medfleet_lake::rows::HeadRow { weight: -1, ..two_cts().heads[0].clone() },
        head_with_agent(&of, "unscheduled_down", NOW),
    ];
    down.intervals.clear();
    (down.devices, down.sites, down.calendars) = (Vec::new(), Vec::new(), Vec::new());
    rig.fill(&down, Timestamp(NOW + 60_000_000)).await.unwrap();
    let mut seen = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        seen.push(line.clone());
        if line.contains("\"standing\":\"down\"") {
            break;
        }
    }
    assert!(seen.iter().any(|line| line == "event: change") && seen.iter().any(|line| line == "id: 2"), "{seen:?}");
    shutdown.request();
    server.await.unwrap().unwrap();
}

fn head_with_agent(
    of: &medfleet_lake::rows::DeviceRow,
    condition: &'static str,
    from: i64,
) -> medfleet_lake::rows::HeadRow {
    medfleet_lake::rows::HeadRow { agent: Some(text("agent-1")), ..head(of, "live", condition, from, None) }
}
