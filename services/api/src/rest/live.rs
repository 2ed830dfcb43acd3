//! The present as it changes: server-sent events whose ids are cut numbers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{Stream, unfold};
use prometheus::IntGauge;
use tokio::sync::OwnedSemaphorePermit;

use crate::feed::{Feed, Heard, Listener, Placed};
use crate::live::Changes;
use crate::problem::Problem;
use crate::service::App;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Changes of what devices are: event `change` with the changed devices, event `resync` when some were missed and
/// everything has to be read again. Ids are cut numbers; `Last-Event-ID` resumes.
#[utoipa::path(get, path = "/api/v1/live", tag = "fleet",
    responses((status = 200, content_type = "text/event-stream", body = Changes), (status = 503, body = Problem)))]
pub async fn stream(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    // A value of plain strings and numbers always has a JSON text.
    events(&app, &headers, &app.hub, "change", |_, event, changes| event.json_data(changes).unwrap_or_default())
}

/// A feed as events of one name: each with its place as its id and what `told` adds; `resync` when some were missed.
pub(super) fn events<T, F>(
    app: &App,
    headers: &HeaderMap,
    feed: &Feed<T>,
    name: &'static str,
    told: F,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<T, F>>, Problem>
where
    T: Placed + Send + Sync + 'static,
    F: Fn(&App, Event, &T) -> Event + Send + 'static,
{
    let open = Open::admit(app)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let state = (Listener::after(feed, last), told, app.clone(), open);
    let events = unfold(state, move |(mut listener, told, app, open)| async move {
        let event = match listener.next(&app.shutdown).await? {
            Heard::Happened(happened) => {
                let event = Event::default().event(name).id(happened.place().to_string());
                told(&app, event, &happened)
            }
            Heard::Missed => {
                app.meters.live_resyncs.inc();
                Event::default().event("resync").data("{}")
            }
        };
        Some((Ok(event), (listener, told, app, open)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Counts a stream as long as it is open.
struct Open {
    gauge: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn admit(app: &App) -> Result<Self, Problem> {
        let permit = Arc::clone(&app.streams).try_acquire_owned();
        let permit = permit.map_err(|_| Problem::busy("256 event streams are open, the most there may be"))?;
        let gauge = app.meters.live_connections.clone();
        gauge.inc();
        Ok(Self { gauge, _permit: permit })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
