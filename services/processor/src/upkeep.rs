//! The one upkeep owner: compacts, checkpoints and cleans tables, and never changes what they say.

use std::time::{Duration, Instant};

use medfleet_lake::{CompactionPolicy, Lake, Reader, ReaderLimits, Table, checkpoint_if_due, clean, compact};
use medfleet_runtime::Shutdown;

use crate::error::ProcessorError;
use crate::flush::{TABLES, definition};
use crate::meters::Meters;

/// Old log entries and removed files are cleaned this often.
const CLEAN_AFTER: Duration = Duration::from_secs(600);

/// Keeps all tables in shape until asked to end. A failure is counted and tried again at the next turn.
pub async fn keep_up(lake: Lake, every: Duration, meters: Meters, shutdown: Shutdown) -> Result<(), ProcessorError> {
    let reader = Reader::new(lake.clone(), ReaderLimits::default())?;
    let mut cleaned = Instant::now();
    loop {
        tokio::select! {
            () = shutdown.requested() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
        let clean_now = cleaned.elapsed() >= CLEAN_AFTER;
        for name in TABLES.into_iter().chain(["cuts"]) {
            if shutdown.is_requested() {
                return Ok(());
            }
            if let Err(error) = tend(&lake, &reader, name, clean_now).await {
                meters.upkeep_failures.inc();
                tracing::warn!(table = name, %error, "upkeep failed, trying again at the next turn");
            }
        }
        if clean_now {
            cleaned = Instant::now();
        }
    }
}

/// One turn over one table.
pub async fn tend(lake: &Lake, reader: &Reader, name: &str, clean_now: bool) -> Result<(), ProcessorError> {
    let Some(table): Option<Table> = lake.current(definition(name)?).await? else { return Ok(()) };
    let compacted = compact(reader, &table, &CompactionPolicy::default()).await?;
    if compacted.files_before > 0 {
        tracing::debug!(table = name, before = compacted.files_before, after = compacted.files_after, "compacted");
    }
    checkpoint_if_due(&table).await?;
    if clean_now {
        clean(&table).await?;
    }
    Ok(())
}
