//! Merging small files into sorted ones, in a commit of its own that changes no row.

use std::collections::HashSet;

use chrono::Utc;
use datafusion::logical_expr::SortExpr;
use datafusion::prelude::col;
use deltalake_core::kernel::transaction::{CommitBuilder, TransactionError};
use deltalake_core::kernel::{Action, Add, LogicalFileView, Transaction};
use deltalake_core::protocol::DeltaOperation;
use deltalake_core::writer::{DeltaWriter as _, RecordBatchWriter};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};

use super::plan::{CompactionPolicy, FileSize, plan};
use crate::error::LakeError;
use crate::files::merge_properties;
use crate::schema::{Content, conform};
use crate::session::Reader;
use crate::table::{Table, quiet_commit};

/// The application that every upkeep commit moves: two compactions of one file would double its
/// rows, and this makes the second fail.
const UPKEEP_APP: &str = "upkeep";

/// What one compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    pub files_before: usize,
    pub files_after: usize,
    pub bytes_after: u64,
}

/// Merges files where the policy says so. Rows keep their values; sums of equal key are added up.
pub fn compact<'a>(
    reader: &'a Reader,
    table: &'a Table,
    policy: &'a CompactionPolicy,
) -> BoxFuture<'a, Result<Compacted, LakeError>> {
    merge_files(reader, table, policy).boxed()
}

async fn merge_files(reader: &Reader, table: &Table, policy: &CompactionPolicy) -> Result<Compacted, LakeError> {
    let loaded = table.load_newest().await?;
    let failed = || LakeError::delta("compact", table.name());
    let state = loaded.snapshot().map_err(failed())?;
    let files: Vec<LogicalFileView> = state.log_data().iter().collect();
    let sizes: Vec<FileSize> = files.iter().map(size_of).collect();
    let runs = plan(&sizes, policy, Utc::now().timestamp_millis());
    if runs.is_empty() {
        return Ok(Compacted::default());
    }
    let mut writer = RecordBatchWriter::for_table(&loaded)
        .map_err(failed())?
        .with_writer_properties(merge_properties())
        .with_target_file_size(policy.full_file_mebibytes << 20);
    let mut adds = Vec::new();
    for run in &runs {
        merge(reader, table, &loaded, run, &mut writer).await?;
        adds.extend(writer.flush().await.map_err(failed())?);
    }
    let merged: HashSet<&str> = runs.iter().flatten().map(String::as_str).collect();
    let removed = files.iter().filter(|file| merged.contains(&*file.path()));
    let report = Compacted {
        files_before: merged.len(),
        files_after: adds.len(),
        bytes_after: adds.iter().map(|add| add.size.max(0) as u64).sum(),
    };
    let actions = removed
        .map(|file| Action::Remove(file.remove_action(false)))
        .chain(adds.into_iter().map(|add| Action::Add(Add { data_change: false, ..add })))
        .collect();
    commit(table, &loaded, actions, policy).await?;
    Ok(report)
}

/// Merges as far as upkeep would once nobody writes any more.
pub async fn compact_at_rest(reader: &Reader, table: &Table) -> Result<(), LakeError> {
    let policy = CompactionPolicy { quiet_after_seconds: -1, ..CompactionPolicy::default() };
    loop {
        let done = compact(reader, table, &policy).await?;
        if done.files_after >= done.files_before {
            return Ok(());
        }
    }
}

fn size_of(file: &LogicalFileView) -> FileSize {
    let mut partition: Vec<_> = file.partition_values_map().into_iter().collect();
    partition.sort();
    FileSize {
        path: file.path().into_owned(),
        partition: format!("{partition:?}"),
        size_bytes: file.size().max(0) as u64,
        rows: file.num_records().unwrap_or(0) as u64,
        modified_millis: file.modification_time(),
    }
}

/// Writes the rows of one run of files, sorted.
async fn merge(
    reader: &Reader,
    table: &Table,
    loaded: &DeltaTable,
    run: &[String],
    writer: &mut RecordBatchWriter,
) -> Result<(), LakeError> {
    let failed = || LakeError::query("read files to merge");
    let def = table.def();
    let session = reader.empty_session();
    let provider = loaded.table_provider().with_file_paths(run.iter().cloned()).await;
    session.register_table(def.name, provider.map_err(failed())?).map_err(failed())?;
    let unwritten = || LakeError::delta("write merged files of", def.name);
    let rows = session.sql(&crate::hash::select_content(def)).await.map_err(failed())?;
    if let Content::Sums { .. } = def.content {
        // The engine hands sums over as slices of one array each, and its sorter counts that array for every slice: a run of a
        // million rows would need more memory than a server has. A run has no more rows than a full file, so it is sorted here.
        let sums = def.arrange(&rows.collect().await.map_err(failed())?)?;
        return writer.write(sums.batch().clone()).await.map_err(unwritten());
    }
    let order: Vec<SortExpr> = def.sort_columns.iter().map(|c| col(*c).sort(true, true)).collect();
    let rows = rows.sort(order).map_err(failed())?;
    let mut stream = rows.execute_stream().await.map_err(failed())?;
    while let Some(batch) = stream.next().await {
        let batch = conform(&batch.map_err(failed())?, &def.schema)?;
        writer.write(batch).await.map_err(unwritten())?;
    }
    Ok(())
}

async fn commit(
    table: &Table,
    loaded: &DeltaTable,
    actions: Vec<Action>,
    policy: &CompactionPolicy,
) -> Result<(), LakeError> {
    let failed = || LakeError::delta("commit a compaction of", table.name());
    let state = loaded.snapshot().map_err(failed())?;
    let version = i64::try_from(state.version()).unwrap_or(i64::MAX);
    let properties = quiet_commit().with_application_transaction(Transaction::new(UPKEEP_APP, version));
    let operation =
        DeltaOperation::Optimize { predicate: None, target_size: (policy.full_file_mebibytes << 20) as i64 };
    let committed = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(state), table.log_store().clone(), operation)
        .await;
    match committed {
        Ok(_) => Ok(()),
        Err(source @ DeltaTableError::Transaction { source: TransactionError::CommitConflict(_) }) => {
            Err(LakeError::UpkeepRace { table: table.name().into(), source: Box::new(source) })
        }
        Err(source) => Err(failed()(source)),
    }
}
