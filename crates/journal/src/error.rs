//! What can go wrong, and what to do about it.

use std::io;
use std::sync::Arc;

use crate::format::{FORMAT_VERSION, JournalId};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Cloneable, because one failed sync is the answer to every append that waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("could not {action} {file}; see to the disk, then open the journal again")]
    Io {
        action: &'static str,
        file: String,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("journal {folder} is already open; stop the process that holds it, or give this one a folder of its own")]
    Locked { folder: String },
    #[error(
        "{file} belongs to journal {found}, but {expected} was expected; point to the folder of journal {expected}"
    )]
    ForeignJournal { file: String, found: JournalId, expected: JournalId },
    #[error(
        "{file} has format version {found}, and this build reads version {FORMAT_VERSION}; use the build that wrote it"
    )]
    UnsupportedVersion { file: String, found: u32 },
    #[error(
        "{file} is damaged at byte {position_bytes}: {reason}; nothing was changed: \
         restore the file from a copy, or move the whole folder away and begin an empty journal"
    )]
    Corrupt { file: String, position_bytes: u64, reason: String },
    #[error(
        "journal is full: {used_bytes} of {capacity_bytes} bytes are in use; \
         nothing was dropped: let its records be freed, or raise capacity_bytes"
    )]
    Full { used_bytes: u64, capacity_bytes: u64 },
    #[error("a record of {bytes} bytes exceeds the limit of {max_bytes}; split it")]
    RecordTooLarge { bytes: u64, max_bytes: u64 },
    #[error("a batch of {bytes} bytes exceeds the limit of {max_bytes}; append it in parts")]
    BatchTooLarge { bytes: u64, max_bytes: u64 },
    #[error("limits that cannot work: {reason}")]
    InvalidLimits { reason: String },
    #[error(
        "record {asked_index} is no longer held, the first is {first_index}; read it from the archive, or begin there"
    )]
    BelowFloor { asked_index: u64, first_index: u64 },
    #[error("the journal takes no records since a write or sync failed; see to the disk, then open the journal again")]
    Poisoned {
        #[source]
        cause: Arc<Error>,
    },
    #[error("{queued_bytes} bytes already wait for the disk, and {max_bytes} may; try again when some are durable")]
    QueueFull { queued_bytes: u64, max_bytes: u64 },
    #[error("the journal is closed and takes no records; open it again")]
    Closed,
}

impl Error {
    pub(crate) fn io(action: &'static str, file: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        move |source| Self::Io { action, file, source: Arc::new(source) }
    }
}
