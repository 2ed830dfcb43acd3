//! What happens to alerts, as it happens: server-sent events whose ids are places in the topic of alerts.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures::stream::Stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::AlertOut;
use crate::problem::Problem;
use crate::rest::live::events;
use crate::service::App;

/// Alerts to which something has happened, as they stand.
#[derive(Debug, Serialize, ToSchema)]
pub struct HappenedOut {
    pub alerts: Vec<AlertOut>,
}

/// What happens to alerts: event `alerts` with those that changed, event `resync` when some were missed and everything has
/// to be read again. `Last-Event-ID` resumes.
#[utoipa::path(get, path = "/api/v1/alerts/live", tag = "alerts",
    responses((status = 200, content_type = "text/event-stream", body = HappenedOut), (status = 503, body = Problem)))]
pub async fn stream(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    events(&app, &headers, &app.alerts.feed, "alerts", |app, event, happened| {
        let alerts = app.alerts.look(|book| {
            let cases = happened.alerts.iter().filter_map(|id| book.case(*id));
            cases.map(|case| AlertOut::from(&case.alert)).collect()
        });
        // A value of plain strings and numbers always has a JSON text.
        event.json_data(HappenedOut { alerts }).unwrap_or_default()
    })
}
