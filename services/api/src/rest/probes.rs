//! How the process is: /metrics, /live and /ready.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use medfleet_runtime::Health;

use crate::error::ApiError;
use crate::problem::Problem;
use crate::service::App;

pub fn metrics_route() -> Router<App> {
    Router::new().route("/metrics", get(metrics)).route("/live", get(live)).route("/ready", get(ready))
}

async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let text = app.metrics.encode().map_err(ApiError::from)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

async fn live(State(app): State<App>) -> Response {
    probe(app.health.is_live(), &app.health)
}

async fn ready(State(app): State<App>) -> Response {
    probe(app.health.is_ready(), &app.health)
}

fn probe(good: bool, health: &Health) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, health.report()).into_response()
}
