//! Every limit of the journal, with its unit in its name.

use crate::error::{Error, Result};
use crate::format::SEGMENT_HEADER_BYTES;

/// The largest payload of one record.
pub const MAX_RECORD_BYTES: u32 = 4 * 1024 * 1024;
/// The largest batch as written, record headers included. It also bounds what can be torn.
pub const MAX_BATCH_BYTES: u64 = 8 * 1024 * 1024;
/// The smallest segment worth a file.
pub const MIN_SEGMENT_BYTES: u64 = 4 * 1024;
/// The largest segment: what one truncation may leave behind unfreed.
pub const MAX_SEGMENT_BYTES: u64 = 1024 * 1024 * 1024;
/// The in-memory index holds one entry for so many bytes of a segment.
pub const INDEX_EVERY_BYTES: u64 = 64 * 1024;
/// Segments are read in pieces of this size.
pub const READ_WINDOW_BYTES: usize = 64 * 1024;
/// The committer closes a group here; beyond it a disk gains little from a larger sync, and latency grows.
pub const GROUP_MAX_BYTES: u64 = 1024 * 1024;
/// What may wait for the committer. It exceeds [`MAX_BATCH_BYTES`], so an empty queue takes any batch.
pub const QUEUE_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// How large one journal and its files may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A batch that would grow the segment beyond this opens a new one.
    pub segment_max_bytes: u64,
    /// All segments together. At the limit new records are refused with [`Error::Full`], and none is dropped.
    pub capacity_bytes: u64,
}

impl Limits {
    /// Refuses limits under which a journal could stay full for ever. Truncation never frees the last segment, so there
    /// must be room for one more beside it.
    pub(crate) fn checked(self) -> Result<Self> {
        let Self { segment_max_bytes, capacity_bytes } = self;
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&segment_max_bytes) {
            return Err(Error::InvalidLimits {
                reason: format!(
                    "segment_max_bytes is {segment_max_bytes}; set it from {MIN_SEGMENT_BYTES} to {MAX_SEGMENT_BYTES}"
                ),
            });
        }
        let least_capacity_bytes = 2 * segment_max_bytes;
        if capacity_bytes < least_capacity_bytes {
            return Err(Error::InvalidLimits {
                reason: format!(
                    "capacity_bytes is {capacity_bytes}; set it to at least two segments, {least_capacity_bytes}"
                ),
            });
        }
        Ok(self)
    }

    /// The largest batch as written, headers of records included, that one segment holds.
    pub fn batch_max_bytes(self) -> u64 {
        MAX_BATCH_BYTES.min(self.segment_max_bytes - SEGMENT_HEADER_BYTES as u64)
    }
}
