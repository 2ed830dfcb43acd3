//! The one writer of a table within a process: it puts exactly the version after the last it has read.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant, SystemTime};

use arrow::array::RecordBatch;
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::scalars::ScalarExt;
use deltalake_core::kernel::transaction::CommitData;
use deltalake_core::kernel::{Action, Add, Transaction};
use deltalake_core::logstore::{CommitOrBytes, get_actions};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::writer::{DeltaWriter as _, RecordBatchWriter, WriteMode};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use object_store::ObjectStore as _;
use object_store::path::Path;
use uuid::Uuid;

use super::judge::{ATTEMPT_KEY, Entry, Txn, judge};
use crate::error::LakeError;
use crate::schema::Arranged;
use crate::table::{CUT_READABLE_HOURS, Table, TableVersion};

/// Puts and reads of one version before its fate is declared unknown.
const PUTS_MAX: u32 = 6;
const FIRST_PAUSE_MILLISECONDS: u64 = 20;
/// Entries of others stepped over in one flush; upkeep makes a few an hour.
const STEPS_MAX: u32 = 1_000;
/// A writer silent for longer checks after its put that the version is still the newest: the entry
/// it read last may have been cleaned up, and a put into the cleaned past would succeed unseen.
const SILENCE_MAX_SECONDS: u64 = 600;
/// Files older than this are not committed. Half of how long cleaning leaves files alone that are in no version.
const FILES_AGE_MAX_SECONDS: u64 = CUT_READABLE_HOURS as u64 * 1_800;

/// What became of a flush.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Committed(Committed),
    /// Nothing of this flush is in the table, except as [`Fence::LeftBehind`] says. Forget memory, restore, go on while still
    /// assigned.
    Fenced(Fence),
}

/// A flush that is in the table, durably.
#[derive(Debug, PartialEq, Eq)]
pub struct Committed {
    pub version: u64,
    pub rows: u64,
    pub bytes: u64,
    pub files: usize,
    /// Entries of others (upkeep, other partitions) between the last version and this.
    pub stepped_over: u32,
    /// The put failed or its answer was lost, and the entry was found in the log.
    pub found_landed: bool,
}

/// Why a writer must forget what it knows.
#[derive(Debug, PartialEq, Eq)]
pub enum Fence {
    /// Another writer committed for these applications.
    Taken { version: u64, txns: Vec<Txn> },
    /// The table's schema or protocol changed.
    Reshaped { version: u64 },
    /// The table went on without this writer, which was silent for too long. What it put may be in the table or in a part of
    /// its log that is read no more: a restore tells.
    LeftBehind { version: u64 },
    /// So long after its files were begun, cleaning may take them for files that nobody will commit.
    Slow { seconds: u64 },
}

/// Writes one table. It knows the last version it has read, and advances only by its own puts and
/// by entries it has read: a refreshed snapshot under old memory would commit old offsets unseen.
pub struct TableWriter {
    table: Table,
    files: RecordBatchWriter,
    version: u64,
    last_contact: Instant,
    silence_max: Duration,
    files_age_max: Duration,
    lost: bool,
}

/// When a flush began, by both clocks: a process that is stopped is not seen by every clock, and cleaning goes by the wall.
struct Begun(Instant, SystemTime);

impl Begun {
    fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    fn age(&self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

impl TableWriter {
    pub(super) fn new(table: Table, files: RecordBatchWriter, version: u64) -> Self {
        let silence_max = Duration::from_secs(SILENCE_MAX_SECONDS);
        let files_age_max = Duration::from_secs(FILES_AGE_MAX_SECONDS);
        Self { table, files, version, last_contact: Instant::now(), silence_max, files_age_max, lost: false }
    }

    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The last version this writer has put or read.
    pub fn version(&self) -> TableVersion {
        TableVersion { generation: self.table.generation().to_owned(), version: self.version }
    }

    /// Writes the batches and commits them with the transactions, once.
    ///
    /// `attempt` must be new for every flush. Batches may be in any row order; without rows the
    /// commit carries the transactions alone. After an error other than a failed data file the
    /// writer is lost: drop it and restore.
    pub async fn flush(&mut self, batches: &[RecordBatch], txns: &[Txn], attempt: Uuid) -> Result<Outcome, LakeError> {
        let rows = self.table.def().arrange(batches)?;
        self.flush_arranged(&rows, txns, attempt).await
    }

    /// [`TableWriter::flush`] of rows that are in the table's order.
    pub fn flush_arranged<'a>(
        &'a mut self,
        rows: &'a Arranged,
        txns: &'a [Txn],
        attempt: Uuid,
    ) -> BoxFuture<'a, Result<Outcome, LakeError>> {
        self.write_and_commit(rows, txns, attempt).boxed()
    }

    async fn write_and_commit(&mut self, rows: &Arranged, txns: &[Txn], attempt: Uuid) -> Result<Outcome, LakeError> {
        if self.lost {
            return Err(LakeError::WriterLost { table: self.table.name().into() });
        }
        let begun = Begun::now();
        let adds = self.write_files(rows).await?;
        self.lost = true;
        let age = begun.age();
        let outcome = match age > self.files_age_max {
            true => Outcome::Fenced(Fence::Slow { seconds: age.as_secs() }),
            false => self.commit(&adds, txns, attempt).await?,
        };
        match &outcome {
            Outcome::Committed(_) => self.lost = false,
            // Its commit may stand, though it came late: then its files are the table's.
            Outcome::Fenced(Fence::LeftBehind { .. }) => {}
            Outcome::Fenced(_) => self.drop_files(&adds).await,
        }
        Ok(outcome)
    }

    /// Data files, each synced with its folder before this returns. One partition is open at a time: an open file costs a
    /// compressor and a buffer per column, and a flush over a long past touches hundreds of days.
    async fn write_files(&mut self, rows: &Arranged) -> Result<Vec<Add>, LakeError> {
        let mut adds = Vec::new();
        for part in self.table.def().partitions(rows)? {
            match self.write_file(part).await {
                Ok(added) => adds.extend(added),
                Err(error) => {
                    self.drop_files(&adds).await;
                    return Err(error);
                }
            }
        }
        Ok(adds)
    }

    /// The partition is named, as whoever has to find it in the rows copies every column on the way.
    async fn write_file(&mut self, rows: RecordBatch) -> Result<Vec<Add>, LakeError> {
        let failed = || LakeError::delta("write data files of", self.table.name());
        let value = |name: &&str| Some(((*name).to_owned(), ScalarExt::from_array(rows.column_by_name(name)?, 0)?));
        let partition = self.table.def().partition_columns.iter().map(value).collect::<Option<_>>();
        let unnamed = || DeltaTableError::generic("a partition has no value");
        let partition = partition.ok_or_else(unnamed).map_err(failed())?;
        self.files.write_partition(rows, &partition, WriteMode::Default).await.map_err(failed())?;
        self.files.flush().await.map_err(failed())
    }

    async fn commit(&mut self, adds: &[Add], txns: &[Txn], attempt: Uuid) -> Result<Outcome, LakeError> {
        let bytes = self.entry(adds, txns, attempt)?;
        let mine: BTreeSet<&str> = txns.iter().map(|txn| txn.app_id.as_str()).collect();
        let mut found_landed = false;
        for stepped_over in 0..STEPS_MAX {
            let version = self.version + 1;
            let entry = self.put_or_read(version, &bytes, attempt, &mine).await?;
            let was_silent = self.last_contact.elapsed() > self.silence_max;
            let fence = match entry {
                None | Some(Entry::Mine) if was_silent && self.is_past(version).await? => Fence::LeftBehind { version },
                None | Some(Entry::Mine) => {
                    found_landed |= entry.is_some();
                    self.version = version;
                    self.last_contact = Instant::now();
                    return Ok(Outcome::Committed(committed(version, adds, stepped_over, found_landed)));
                }
                Some(Entry::Foreign | Entry::Absent) => {
                    self.version = version;
                    continue;
                }
                Some(Entry::Taken(txns)) => Fence::Taken { version, txns },
                Some(Entry::Reshaped) => Fence::Reshaped { version },
            };
            return Ok(Outcome::Fenced(fence));
        }
        Ok(Outcome::Fenced(Fence::LeftBehind { version: self.version }))
    }

    /// The bytes of the commit; they do not name the version, so they serve every put.
    fn entry(&self, adds: &[Add], txns: &[Txn], attempt: Uuid) -> Result<bytes::Bytes, LakeError> {
        let partition_by = self.table.def().partition_columns.iter().map(|c| (*c).to_owned());
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(partition_by.collect()),
            predicate: None,
        };
        let attempt = HashMap::from([(ATTEMPT_KEY.to_owned(), attempt.to_string().into())]);
        let actions = adds.iter().cloned().map(Action::Add).collect();
        let txns = txns.iter().map(|txn| Transaction::new(&txn.app_id, txn.version)).collect();
        CommitData::new(actions, operation, attempt, txns)
            .get_bytes()
            .map_err(|e| LakeError::delta("encode a commit of", self.table.name())(e.into()))
    }

    /// Puts the entry until it is in or something else is. `None` means the put was acknowledged.
    async fn put_or_read(
        &mut self,
        version: u64,
        bytes: &bytes::Bytes,
        attempt: Uuid,
        mine: &BTreeSet<&str>,
    ) -> Result<Option<Entry>, LakeError> {
        let log = self.table.log_store();
        let mut pause = Duration::from_millis(FIRST_PAUSE_MILLISECONDS);
        let mut last_error = None;
        for put in 0..PUTS_MAX {
            if put > 0 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            let entry = CommitOrBytes::LogBytes(bytes.clone());
            let Err(put_error) = log.write_commit_entry(version, entry, attempt).await else {
                return Ok(None);
            };
            match log.read_commit_entry(version).await {
                Ok(None) => last_error = Some(DeltaTableError::from(put_error)),
                Ok(Some(bytes)) => {
                    let actions = get_actions(version, &bytes).and_then(refuse_nothing);
                    let actions = actions.map_err(|e| self.torn(version, e))?;
                    // Visible is not yet durable: its putter may have failed to sync the folder.
                    self.table.settle().await?;
                    return Ok(Some(judge(Some(&actions), attempt, mine)));
                }
                Err(read_error) => last_error = Some(read_error),
            }
            tracing::warn!(table = self.table.name(), version, put, "commit not acknowledged");
        }
        Err(LakeError::Unresolved {
            table: self.table.name().into(),
            version,
            puts: PUTS_MAX,
            source: Box::new(last_error.unwrap_or_else(|| DeltaTableError::generic("no put"))),
        })
    }

    /// True when the log holds anything newer than `version`.
    async fn is_past(&mut self, version: u64) -> Result<bool, LakeError> {
        let store = self.table.log_store().object_store(None);
        let folder = Path::from("_delta_log");
        let mut names = store.list(Some(&folder));
        while let Some(meta) = names.next().await {
            let meta = meta.map_err(LakeError::storage("list", &folder))?;
            let name = meta.location.filename().unwrap_or_default();
            let number = name.get(..20).and_then(|digits| digits.parse::<u64>().ok());
            if number.is_some_and(|number| number > version) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes files of a flush that is certainly in no commit. Whatever stays is vacuum's.
    async fn drop_files(&mut self, adds: &[Add]) {
        let store = self.table.log_store().object_store(None);
        let paths: Vec<_> = adds.iter().map(|add| Ok(Path::from(add.path.as_str()))).collect();
        let mut deleted = store.delete_stream(futures::stream::iter(paths).boxed());
        while let Some(result) = deleted.next().await {
            if let Err(error) = result {
                tracing::warn!(table = self.table.name(), %error, "fenced file left for vacuum");
            }
        }
    }

    fn torn(&self, version: u64, source: DeltaTableError) -> LakeError {
        LakeError::TornCommit { table: self.table.name().into(), version, source: Box::new(source) }
    }

    /// Sets how old files may be when they are committed.
    pub fn expect_files_of_at_most(&mut self, files_age_max: Duration) {
        self.files_age_max = files_age_max;
    }

    /// Sets after how much silence a put is checked against the newest version.
    pub fn expect_silence_of_at_most(&mut self, silence_max: Duration) {
        self.silence_max = silence_max;
    }
}

/// An entry without a single action was torn: every writer puts at least its commit info.
fn refuse_nothing(actions: Vec<Action>) -> Result<Vec<Action>, DeltaTableError> {
    match actions.is_empty() {
        true => Err(DeltaTableError::generic("the commit entry is empty")),
        false => Ok(actions),
    }
}

fn committed(version: u64, adds: &[Add], stepped_over: u32, found_landed: bool) -> Committed {
    Committed {
        version,
        rows: adds.iter().map(rows_of).sum(),
        bytes: adds.iter().map(|add| add.size.max(0) as u64).sum(),
        files: adds.len(),
        stepped_over,
        found_landed,
    }
}

fn rows_of(add: &Add) -> u64 {
    let stats = add.get_stats().ok().flatten();
    stats.map_or(0, |stats| stats.num_records.max(0) as u64)
}
