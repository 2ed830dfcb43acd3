//! Runs what blocks on a disk or on librdkafka beside the async threads.

use crate::error::LogError;

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    // The only way not to get an answer is a panic of the work, or the end of the runtime.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(LogError::Closed))
}
