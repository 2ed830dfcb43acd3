//! Opening a table for writing: what it holds of every log partition, and a writer that goes on from there.

use std::collections::BTreeMap;

use deltalake_core::DeltaTable;
use deltalake_core::writer::RecordBatchWriter;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::writer::TableWriter;
use crate::error::LakeError;
use crate::files::flush_properties;
use crate::table::{Origin, Table};

/// A table opened for writing.
pub struct Restored {
    pub writer: TableWriter,
    /// Up to where each application is contained; absent where it never committed.
    pub txns: BTreeMap<String, i64>,
}

/// Opens the newest version of a table for writing, and reads back the `txn` of every application.
pub async fn restore(
    table: &Table,
    origin: &Origin,
    app_ids: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<Restored, LakeError> {
    let loaded = table.load_newest().await?;
    let failed = || LakeError::delta("restore", table.name());
    table.check(loaded.snapshot().map_err(failed())?, origin)?;
    let txns = txns_of(table, &loaded, app_ids).await?;
    let version = loaded.version().unwrap_or_default();
    let files = RecordBatchWriter::for_table(&loaded).map_err(failed())?.with_writer_properties(flush_properties());
    Ok(Restored { writer: TableWriter::new(table.clone(), files, version), txns })
}

/// Up to where a table contains each application now, for somebody who does not write it.
pub async fn reached(
    table: &Table,
    app_ids: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<BTreeMap<String, i64>, LakeError> {
    txns_of(table, &table.load_newest().await?, app_ids).await
}

async fn txns_of(
    table: &Table,
    loaded: &DeltaTable,
    app_ids: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<BTreeMap<String, i64>, LakeError> {
    let mut txns = BTreeMap::new();
    for app_id in app_ids {
        let app_id = app_id.as_ref();
        if let Some(version) = txn_of(table, loaded, app_id).await? {
            txns.insert(app_id.to_owned(), version);
        }
    }
    Ok(txns)
}

fn txn_of<'a>(
    table: &'a Table,
    loaded: &'a DeltaTable,
    app_id: &'a str,
) -> BoxFuture<'a, Result<Option<i64>, LakeError>> {
    let failed = || LakeError::delta("read the transactions of", table.name());
    let found = async move {
        let state = loaded.snapshot().map_err(failed())?;
        state.transaction_version(table.log_store().as_ref(), app_id).await.map_err(failed())
    };
    found.boxed()
}
