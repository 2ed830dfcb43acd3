//! The durable append-only journal: the agent's spool, and one partition of the embedded event log.
//!
//! An append is acknowledged after its `fdatasync` returned, and then survives the death of the process and the loss of
//! power. The protocol that carries this promise is short:
//!
//! 1. A batch is written whole and synced before the next one is written, and it never spans two segments.
//!    So at most one batch, the last in the last segment, can ever be torn.
//! 2. A new segment's header and its folder entry are synced before the first record is written into it.
//! 3. After a failed write or sync the journal is poisoned: nothing more is acknowledged until it is opened again.
//! 4. Opening reads every record, cuts a torn tail, and writes the last batch once more before it trusts it.
//!    Damage anywhere else is an error that names the file and the byte, and changes nothing.
//!
//! Records are kept until [`Journal::truncate_front`] frees whole segments. A full journal refuses new records and drops none.

mod batch;
mod committer;
mod error;
mod format;
mod journal;
mod limits;
mod reader;
mod recovery;
mod scan;
pub mod sim;
mod storage;

pub use batch::Batch;
pub use committer::{Committer, Done};
pub use error::{Error, Result};
pub use format::{FORMAT_VERSION, JournalId, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES};
pub use journal::Journal;
pub use limits::{
    GROUP_MAX_BYTES, INDEX_EVERY_BYTES, Limits, MAX_BATCH_BYTES, MAX_RECORD_BYTES, MAX_SEGMENT_BYTES,
    MIN_SEGMENT_BYTES, QUEUE_MAX_BYTES, READ_WINDOW_BYTES,
};
pub use reader::{Reader, Stats};
pub use storage::{FolderLock, FsStorage, SegmentFile, Storage};
