//! What runs on a connection now, and what may stop it: its time, a cancel request, the end of the process.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use medfleet_runtime::Shutdown;
use pgwire::api::cancel::CancelHandler;
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::SecretKey;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::refusal::Refusal;
use crate::refusal::sqlstate::{QUERY_CANCELED, SHUTDOWN};

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Of the message in work; none between messages.
    until: Option<(Instant, Duration)>,
    canceled: bool,
}

/// One connection's work.
#[derive(Debug)]
pub struct Run {
    state: watch::Sender<State>,
    shutdown: Shutdown,
}

impl Run {
    pub fn new(shutdown: Shutdown) -> Self {
        Self { state: watch::Sender::default(), shutdown }
    }

    /// A message begins that may take so long.
    pub fn begin(&self, limit: Duration) {
        self.state.send_replace(State { until: Some((Instant::now() + limit, limit)), canceled: false });
    }

    pub fn end(&self) {
        self.state.send_replace(State::default());
    }

    /// Cancels the message in work. Between messages there is nothing to cancel.
    pub fn cancel(&self) {
        self.state.send_if_modified(|state| {
            state.canceled = state.until.is_some();
            state.canceled
        });
    }

    /// Waits for `work`, unless something stops it.
    pub async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        tokio::select! {
            biased;
            refusal = self.stopped() => Err(refusal),
            done = work => Ok(done),
        }
    }

    async fn stopped(&self) -> Refusal {
        let mut changes = self.state.subscribe();
        loop {
            let State { until, canceled } = *changes.borrow_and_update();
            if canceled {
                return Refusal::new(QUERY_CANCELED, "canceling statement due to user request", "");
            }
            let late = async {
                match until {
                    Some((until, limit)) => {
                        tokio::time::sleep_until(until).await;
                        limit
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                limit = late => return too_long(limit),
                _ = changes.changed() => {}
                () = self.shutdown.requested() => return ending(),
            }
        }
    }
}

fn too_long(limit: Duration) -> Refusal {
    Refusal::new(
        QUERY_CANCELED,
        format!("canceling statement due to statement timeout of {} ms", limit.as_millis()),
        "narrow the period or the devices, or ask the rollups instead of intervals",
    )
}

pub fn ending() -> Refusal {
    Refusal::fatal(SHUTDOWN, "the server is ending", "connect again in a moment")
}

/// Which connection a cancel request means.
#[derive(Debug, Default)]
pub struct Registry {
    runs: Mutex<HashMap<(i32, Bytes), Arc<Run>>>,
}

impl Registry {
    pub fn enter(self: &Arc<Self>, pid: i32, key: &SecretKey, run: Arc<Run>) -> Entry {
        let id = (pid, key.to_bytes());
        self.lock().insert(id.clone(), run);
        Entry { id, registry: Arc::clone(self) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(i32, Bytes), Arc<Run>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CancelHandler for Registry {
    async fn on_cancel_request(&self, request: CancelRequest) {
        if let Some(run) = self.lock().get(&(request.pid, request.secret_key.to_bytes())) {
            run.cancel();
        }
    }
}

/// A place in the registry, given back when the connection ends.
#[derive(Debug)]
pub struct Entry {
    id: (i32, Bytes),
    registry: Arc<Registry>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_by_itself_or_by_its_limit() {
        let run = Run::new(Shutdown::new());
        run.begin(Duration::from_millis(50));
        assert_eq!(run.guard(async { 7 }).await, Ok(7));
        let refusal = run.guard(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(refusal.sqlstate, QUERY_CANCELED);
        assert!(refusal.message.contains("50 ms"), "{}", refusal.message);
    }

    #[tokio::test]
    async fn a_cancel_meets_the_message_in_work_and_no_later_one() {
        let run = Run::new(Shutdown::new());
        run.cancel();
        run.begin(Duration::from_secs(5));
        assert_eq!(run.guard(async {}).await, Ok(()));
        run.cancel();
        assert_eq!(run.guard(std::future::pending::<()>()).await.unwrap_err().sqlstate, QUERY_CANCELED);
        run.begin(Duration::from_secs(5));
        assert_eq!(run.guard(async {}).await, Ok(()));
    }

    #[tokio::test]
    async fn only_the_right_key_cancels() {
        let registry = Arc::new(Registry::default());
        let run = Arc::new(Run::new(Shutdown::new()));
        let entry = registry.enter(7, &SecretKey::I32(42), Arc::clone(&run));
        run.begin(Duration::from_secs(60));
        registry.on_cancel_request(CancelRequest::new(7, SecretKey::I32(41))).await;
        assert_eq!(run.guard(async {}).await, Ok(()));
        registry.on_cancel_request(CancelRequest::new(7, SecretKey::I32(42))).await;
        assert!(run.guard(std::future::pending::<()>()).await.is_err());
        drop(entry);
        assert!(registry.lock().is_empty());
    }

    #[tokio::test]
    async fn the_end_of_the_process_ends_what_runs() {
        let shutdown = Shutdown::new();
        let run = Run::new(shutdown.clone());
        run.begin(Duration::from_secs(60));
        shutdown.request();
        assert_eq!(run.guard(std::future::pending::<()>()).await.unwrap_err().sqlstate, SHUTDOWN);
    }
}
