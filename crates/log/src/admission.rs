//! What a keeper checks before it takes an append, and the counters it keeps: the same for both.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::{AppendError, LogError, Outcome};
use crate::partitioner::partition_of;
use crate::port::{
    LogStats, MAX_APPEND_BYTES, MAX_RECORD_BYTES, NewRecord, Partition, Position, RECORD_OVERHEAD_BYTES,
};
use crate::topics::Topic;

/// An append that may go ahead: where each record goes and what it weighs altogether.
pub(crate) struct Admitted {
    pub(crate) homes: Vec<Partition>,
    pub(crate) weight_bytes: usize,
}

/// Judges a whole call, so that a malformed one appends nothing.
pub(crate) fn admit(
    records: &[NewRecord],
    partitions: impl Fn(Topic) -> Result<u32, LogError>,
) -> Result<Admitted, LogError> {
    let mut weight_bytes = 0;
    let mut homes = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        let bytes = record.size_bytes();
        if bytes > MAX_RECORD_BYTES {
            return Err(LogError::RecordTooLarge { topic: record.topic, index, bytes });
        }
        weight_bytes += bytes + RECORD_OVERHEAD_BYTES;
        homes.push(Partition::new(record.topic, partition_of(&record.key, partitions(record.topic)?)));
    }
    if weight_bytes > MAX_APPEND_BYTES {
        return Err(LogError::AppendTooLarge { bytes: weight_bytes });
    }
    Ok(Admitted { homes, weight_bytes })
}

/// Turns outcomes and the first error, if any, into the answer of an append.
pub(crate) fn conclude(outcomes: Vec<Outcome>, trouble: Option<LogError>) -> Result<Vec<Position>, AppendError> {
    let positions: Vec<Position> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Appended(position) => Some(*position),
            Outcome::Refused | Outcome::Unknown => None,
        })
        .collect();
    if positions.len() == outcomes.len() {
        return Ok(positions);
    }
    Err(AppendError { outcomes, source: trouble.unwrap_or(LogError::Closed) })
}

#[derive(Default)]
pub(crate) struct Counters {
    appended_records: AtomicU64,
    appended_bytes: AtomicU64,
    unknown_records: AtomicU64,
    refused_records: AtomicU64,
    waits_for_room: AtomicU64,
}

impl Counters {
    pub(crate) fn waited_for_room(&self) {
        self.waits_for_room.fetch_add(1, Relaxed);
    }

    /// Counts a finished append of `weight_bytes`.
    pub(crate) fn count(&self, answer: &Result<Vec<Position>, AppendError>, weight_bytes: usize) {
        match answer {
            Ok(positions) => {
                self.appended_records.fetch_add(positions.len() as u64, Relaxed);
                let bytes = weight_bytes - positions.len() * RECORD_OVERHEAD_BYTES;
                self.appended_bytes.fetch_add(bytes as u64, Relaxed);
            }
            Err(error) => {
                let unknown = error.unknown().count() as u64;
                let unconfirmed = error.unconfirmed() as u64;
                self.appended_records.fetch_add(error.outcomes.len() as u64 - unconfirmed, Relaxed);
                self.unknown_records.fetch_add(unknown, Relaxed);
                self.refused_records.fetch_add(unconfirmed - unknown, Relaxed);
            }
        }
    }

    pub(crate) fn snapshot(&self) -> LogStats {
        LogStats {
            appended_records: self.appended_records.load(Relaxed),
            appended_bytes: self.appended_bytes.load(Relaxed),
            unknown_records: self.unknown_records.load(Relaxed),
            refused_records: self.refused_records.load(Relaxed),
            waits_for_room: self.waits_for_room.load(Relaxed),
        }
    }
}
