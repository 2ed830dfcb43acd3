//! The present as it changes: server-sent events whose ids are cut numbers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{Stream, unfold};
use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, broadcast};

use crate::live::Changes;
use crate::problem::Problem;
use crate::service::App;

pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Changes of what devices are: event `change` with the changed devices, event `resync` when some were missed and
/// everything has to be read again. Ids are cut numbers; `Last-Event-ID` resumes.
#[utoipa::path(get, path = "/api/v1/live", tag = "fleet",
    responses((status = 200, content_type = "text/event-stream", body = Changes), (status = 503, body = Problem)))]
pub async fn stream(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let open = Open::admit(&app)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let (missed, receiver) = app.hub.resume(last);
    let mut waiting: VecDeque<Told> = VecDeque::new();
    match missed {
        Some(missed) => waiting.extend(missed.into_iter().map(Told::Change)),
        None => waiting.push_back(Told::Resync),
    }
    let listener = Listener { app: app.clone(), receiver, waiting, sent: last, _open: open };
    let events = unfold(listener, |mut listener| async move {
        let told = listener.next().await?;
        Some((Ok(event(&told)), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

enum Told {
    Change(Arc<Changes>),
    Resync,
}

struct Listener {
    app: App,
    receiver: broadcast::Receiver<Arc<Changes>>,
    waiting: VecDeque<Told>,
    sent: Option<i64>,
    _open: Open,
}

impl Listener {
    /// The next thing to tell; None ends the stream.
    async fn next(&mut self) -> Option<Told> {
        loop {
            let told = match self.waiting.pop_front() {
                Some(told) => told,
                None => match self.app.shutdown.unless_requested(self.receiver.recv()).await? {
                    Ok(changes) => Told::Change(changes),
                    Err(broadcast::error::RecvError::Lagged(_)) => Told::Resync,
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            };
            match &told {
                Told::Resync => self.app.meters.live_resyncs.inc(),
                Told::Change(changes) if self.sent.is_some_and(|sent| changes.cut <= sent) => continue,
                Told::Change(changes) => self.sent = Some(changes.cut),
            }
            return Some(told);
        }
    }
}

fn event(told: &Told) -> Event {
    match told {
        Told::Resync => Event::default().event("resync").data("{}"),
        Told::Change(changes) => {
            let event = Event::default().event("change").id(changes.cut.to_string());
            // A value of plain strings and numbers always has a JSON text.
            event.json_data(changes.as_ref()).unwrap_or_default()
        }
    }
}

/// Counts a stream as long as it is open.
pub(super) struct Open {
    gauge: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    pub fn admit(app: &App) -> Result<Self, Problem> {
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
