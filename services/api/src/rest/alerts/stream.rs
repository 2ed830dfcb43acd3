//! What happens to alerts, as it happens: server-sent events whose ids are places in the topic of alerts.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{Stream, unfold};
use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

use super::AlertOut;
use crate::alerts::Happened;
use crate::problem::Problem;
use crate::rest::live::{KEEP_ALIVE, Open};
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
    let open = Open::admit(&app)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let (missed, receiver) = app.alerts.resume(last);
    let waiting = match missed {
        Some(missed) => missed.into_iter().map(Some).collect(),
        None => VecDeque::from([None]),
    };
    let listener = Listener { app: app.clone(), receiver, waiting, sent: last, _open: open };
    let events = unfold(listener, |mut listener| async move {
        let told = listener.next().await?;
        Some((Ok(listener.event(told.as_deref())), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Listener {
    app: App,
    receiver: broadcast::Receiver<Arc<Happened>>,
    /// None: some were missed.
    waiting: VecDeque<Option<Arc<Happened>>>,
    sent: Option<u64>,
    _open: Open,
}

impl Listener {
    /// The next thing to tell; None ends the stream.
    async fn next(&mut self) -> Option<Option<Arc<Happened>>> {
        loop {
            let told = match self.waiting.pop_front() {
                Some(told) => told,
                None => match self.app.shutdown.unless_requested(self.receiver.recv()).await? {
                    Ok(happened) => Some(happened),
                    Err(broadcast::error::RecvError::Lagged(_)) => None,
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            };
            match &told {
                None => self.app.meters.live_resyncs.inc(),
                Some(happened) if self.sent.is_some_and(|sent| happened.offset <= sent) => continue,
                Some(happened) => self.sent = Some(happened.offset),
            }
            return Some(told);
        }
    }

    fn event(&self, told: Option<&Happened>) -> Event {
        let Some(happened) = told else { return Event::default().event("resync").data("{}") };
        let alerts = self.app.alerts.look(|book| {
            let cases = happened.alerts.iter().filter_map(|id| book.case(*id));
            cases.map(|case| AlertOut::from(&case.alert)).collect()
        });
        let event = Event::default().event("alerts").id(happened.offset.to_string());
        // A value of plain strings and numbers always has a JSON text.
        event.json_data(HappenedOut { alerts }).unwrap_or_default()
    }
}
