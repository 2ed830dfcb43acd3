//! Checkpoints, and deletion of what nobody may open any more: old log entries, removed files, orphans.

use std::collections::HashMap;
use std::collections::HashSet;

use chrono::Utc;
use deltalake_core::{DeltaTable, checkpoints};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use serde::Deserialize;

use crate::error::LakeError;
use crate::table::{CUT_READABLE_HOURS, Table};

/// Commits between two checkpoints.
pub const CHECKPOINT_EVERY_VERSIONS: u64 = 100;
const RETENTION_MILLISECONDS: i64 = CUT_READABLE_HOURS as i64 * 3_600_000;

/// What one cleaning deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    pub log_entries: usize,
    pub data_files: usize,
}

/// Writes a checkpoint when enough commits have gathered since the last; returns its version.
pub fn checkpoint_if_due(table: &Table) -> BoxFuture<'_, Result<Option<u64>, LakeError>> {
    checkpoint(table).boxed()
}

async fn checkpoint(table: &Table) -> Result<Option<u64>, LakeError> {
    let loaded = table.load_newest().await?;
    let version = loaded.version().unwrap_or_default();
    let last = last_checkpoint(table).await?;
    if version.saturating_sub(last.unwrap_or(0)) < CHECKPOINT_EVERY_VERSIONS {
        return Ok(None);
    }
    checkpoints::create_checkpoint(&loaded, None).await.map_err(LakeError::delta("checkpoint", table.name()))?;
    Ok(Some(version))
}

#[derive(Deserialize)]
struct LastCheckpoint {
    version: u64,
}

async fn last_checkpoint(table: &Table) -> Result<Option<u64>, LakeError> {
    let path = Path::from("_delta_log/_last_checkpoint");
    let store = table.log_store().object_store(None);
    let bytes = match store.get(&path).await {
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(source) => return Err(LakeError::storage("read", &path)(source)),
        Ok(found) => found.bytes().await.map_err(LakeError::storage("read", &path))?,
    };
    // A torn hint only costs a checkpoint more.
    Ok(serde_json::from_slice::<LastCheckpoint>(&bytes).ok().map(|last| last.version))
}

/// Deletes log entries before the last safe checkpoint and data files no open cut can need, both
/// older than the time a cut stays readable. Makes no commit.
pub fn clean(table: &Table) -> BoxFuture<'_, Result<Cleaned, LakeError>> {
    let cleaned = async move {
        let loaded = table.load_newest().await?;
        let log_entries = checkpoints::cleanup_metadata(&loaded, None)
            .await
            .map_err(LakeError::delta("clean the log of", table.name()))?;
        let data_files = vacuum(table, &loaded, Utc::now().timestamp_millis()).await?;
        Ok(Cleaned { log_entries, data_files })
    };
    cleaned.boxed()
}

/// A data file goes when no version within the retention refers to it: not active now, not removed
/// within the retention, and itself older than that (else it may belong to a flush under way).
async fn vacuum(table: &Table, loaded: &DeltaTable, now_millis: i64) -> Result<usize, LakeError> {
    let failed = || LakeError::delta("vacuum", table.name());
    let oldest = now_millis - RETENTION_MILLISECONDS;
    let state = loaded.snapshot().map_err(failed())?;
    let active: HashSet<String> = state.log_data().iter().map(|file| file.path().into_owned()).collect();
    let removed_at: HashMap<String, i64> = state
        .all_tombstones(table.log_store().as_ref())
        .map_ok(|file| (file.path().into_owned(), file.deletion_timestamp().unwrap_or(i64::MAX)))
        .try_collect()
        .await
        .map_err(failed())?;
    let store = table.log_store().object_store(None);
    let root = Path::default();
    let expired = store.list(None).try_filter_map(move |meta| {
        let path = meta.location.as_ref();
        let data = path.ends_with(".parquet") && !path.starts_with("_delta_log/");
        let recent =
            meta.last_modified.timestamp_millis() > oldest || removed_at.get(path).is_some_and(|at| *at > oldest);
        let expired = data && !recent && !active.contains(path);
        std::future::ready(Ok(expired.then_some(meta.location)))
    });
    let deleted: Vec<Path> = store
        .delete_stream(expired.boxed())
        .try_collect()
        .await
        .map_err(LakeError::storage("delete expired files in", &root))?;
    Ok(deleted.len())
}
