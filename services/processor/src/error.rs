//! What can stop a worker, and what to do about it.

use medfleet_domain::id::Epoch;
use medfleet_lake::LakeError;
use medfleet_log::{AppendError, LogError};

#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    #[error("the event log failed")]
    Log(#[from] LogError),
    #[error("the event log did not take what the binder gives")]
    Append(#[source] AppendError),
    #[error("the tables failed")]
    Lake(#[from] LakeError),
    #[error("runtime failed")]
    Runtime(#[from] medfleet_runtime::RuntimeError),
    #[error("an archived name is no longer acceptable")]
    Invalid(#[from] medfleet_domain::Invalid),
    #[error(
        "the tables have read `{partition}` up to {reached}, but the log ends at {end}: the log lost its tail, restore it"
    )]
    LogTooShort { partition: String, reached: u64, end: u64 },
    #[error("record {place} cannot be read: quarantine it or run the version that wrote it")]
    Record {
        place: String,
        #[source]
        source: medfleet_wire::Refusal,
    },
    #[error("archived fact {epoch}/{seq} of `{subject}` cannot be read: restore the facts table from its backup")]
    Archived {
        subject: String,
        epoch: Epoch,
        seq: i64,
        #[source]
        source: medfleet_wire::Refusal,
    },
    #[error("fact {epoch}/{seq} was seen but is not archived: rebuild the tables")]
    NotArchived { epoch: i64, seq: i64 },
    #[error("snapshot `{path}` cannot be used")]
    Snapshot {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("snapshot cannot be written")]
    SnapshotCoding(#[source] postcard::Error),
    #[error("a flush was broken off: see the log for its panic, and start again")]
    FlushLost(#[source] tokio::task::JoinError),
    #[error("archived duplicate {epoch}/{seq} of `{subject}` says no hash: restore the facts table from its backup")]
    Pointer { subject: String, epoch: Epoch, seq: i64 },
    #[error("table `{table}` belongs to another writer now")]
    Fenced { table: &'static str },
    #[error("table `{table}` is not known: use one of {known}")]
    UnknownTable { table: String, known: String },
    #[error(
        "partition `{partition}` of the log begins at {floor}, and the facts table has what came before only up to {archived}: restore the facts table from its backup"
    )]
    Trimmed { partition: String, floor: u64, archived: u64 },
    #[error("the facts table has another shape than this program reads ({detail}): start the version that wrote it")]
    UnreadableArchive { detail: String },
    #[error(
        "record {place} is not whole in the facts table: restore that table from its backup, or rebuild it from a log that has the record"
    )]
    ArchiveHole { place: String },
    #[error("an archived fact of `{subject}` is called `{verdict}`: restore the facts table from its backup")]
    Verdict { subject: String, verdict: String },
    #[error("there is no facts table to read the past from: start a processor on this data folder first")]
    NoArchive,
    #[error("rebuilt `{table}` differs: {rebuilt} instead of {current}; the current table stays in place")]
    HashDiffers { table: String, current: String, rebuilt: String },
}
