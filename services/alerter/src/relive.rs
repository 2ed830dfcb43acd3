//! One life after another: a log that is away is waited for, and read again.

use std::time::Duration;

use medfleet_runtime::{RoleHealth, Shutdown};
use prometheus::IntCounter;

use crate::error::AlerterError;

const PAUSE: Duration = Duration::from_secs(1);

/// Lives until a life ends of itself, fails for good, or the end is asked for.
pub async fn relive<L: Future<Output = Result<(), AlerterError>>>(
    shutdown: &Shutdown,
    restarts: &IntCounter,
    health: &RoleHealth,
    live: impl Fn() -> L,
) -> Result<(), AlerterError> {
    loop {
        match live().await {
            Err(error) if error.is_retryable() => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the log is away, reading again");
                health.waiting("the log is away");
            }
            Err(error) => {
                health.failed(error.to_string());
                return Err(error);
            }
            Ok(()) => return Ok(()),
        }
        restarts.inc();
        if shutdown.unless_requested(tokio::time::sleep(PAUSE)).await.is_none() {
            return Ok(());
        }
    }
}
