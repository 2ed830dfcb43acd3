//! Ending in order: a request to end that every loop can hear, and a limit on how long they may take to drain.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::RuntimeError;

/// From the request to end until a role that still drains is given up. Supervisors should wait a little longer before
/// they kill.
pub const DRAIN_MAX_SECONDS: u64 = 60;
/// What a shell reports for a process ended by an interrupt.
const EXIT_INTERRUPTED: i32 = 130;

/// The request to end. Clones share it; once made it is never taken back.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: Arc<watch::Sender<bool>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { requested: Arc::new(watch::Sender::new(false)) }
    }
}

impl Shutdown {
    pub fn new() -> Self {
        Self::default()
    }

    /// Made by SIGTERM or SIGINT. A second signal ends the process at once: nothing is lost by that, only the drain.
    pub fn on_signals() -> Result<Self, RuntimeError> {
        let listen = |kind| signal(kind).map_err(|source| RuntimeError::Signals { source });
        let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let shutdown = Self::new();
        let listener = shutdown.clone();
        tokio::spawn(async move {
            let name = next(&mut terminate, &mut interrupt).await;
            tracing::info!(signal = name, "asked to end, draining");
            listener.request();
            let name = next(&mut terminate, &mut interrupt).await;
            tracing::warn!(signal = name, "asked to end again, ending without drain");
            std::process::exit(EXIT_INTERRUPTED);
        });
        Ok(shutdown)
    }

    pub fn request(&self) {
        self.requested.send_replace(true);
    }

    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Returns once the request was made, at once if it was made before.
    pub async fn requested(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.requested.subscribe().wait_for(|requested| *requested).await;
    }

    /// Runs a future until it ends or the request comes; `None` for the latter. The future must be safe to drop.
    pub async fn unless_requested<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.requested() => None,
            output = work => Some(output),
        }
    }
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

/// Waits for the end of a drain, but no longer than so long: [`DRAIN_MAX_SECONDS`] for a process.
pub async fn drain<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, RuntimeError> {
    tokio::time::timeout(limit, work).await.map_err(|_| RuntimeError::DrainExpired { limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_hears_the_request() {
        let shutdown = Shutdown::new();
        let waits =
            [shutdown.clone(), shutdown.clone()].map(|each| tokio::spawn(async move { each.requested().await }));
        assert!(!shutdown.is_requested());
        shutdown.clone().request();
        for wait in waits {
            wait.await.unwrap();
        }
        shutdown.requested().await;
    }

    #[tokio::test]
    async fn work_goes_on_until_the_request() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.unless_requested(async { 7 }).await, Some(7));
        shutdown.request();
        assert_eq!(shutdown.unless_requested(std::future::pending::<()>()).await, None);
    }

    #[tokio::test]
    async fn a_termination_signal_makes_the_request() {
        let shutdown = Shutdown::on_signals().unwrap();
        let me = std::process::id().to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &me]).status().unwrap();
        assert!(sent.success());
        shutdown.requested().await;
    }
}
