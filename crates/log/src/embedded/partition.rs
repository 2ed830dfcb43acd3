//! One partition of the embedded log: a journal, its committing thread, and a signal for those who wait for growth.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use medfleet_journal::{
    Batch, Committer, Error as JournalError, FsStorage, Journal, JournalId, Limits, MAX_BATCH_BYTES, QUEUE_MAX_BYTES,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use twox_hash::XxHash3_128;

use super::frame;
use crate::error::{LogError, Outcome};
use crate::port::{Bounds, LogId, NewRecord, Partition, Position, RECORD_OVERHEAD_BYTES, Record};

/// One call's records for one partition, in order, with their places in the call.
pub(super) type Share<'a> = Vec<(usize, &'a NewRecord)>;

pub(super) struct Keeper {
    home: Partition,
    committer: Committer,
    /// What may wait for the committing thread, so that its queue is never found full.
    room: Arc<Semaphore>,
    end: watch::Receiver<u64>,
}

impl Keeper {
    /// Opens the partition's journal, or begins it. A journal that the log remembers must be there.
    pub(super) fn open(
        folder: &Path,
        home: Partition,
        log_id: LogId,
        limits: Limits,
        remembered: bool,
    ) -> Result<Self, LogError> {
        let unusable = |why: &str| LogError::Folder { path: folder.to_owned(), why: why.to_owned() };
        let failed = |source| LogError::Journal { home, source };
        let storage = FsStorage::open(folder).map_err(|source| LogError::Io {
            action: "make",
            path: folder.to_owned(),
            source,
        })?;
        if remembered && Journal::id_of(&storage).map_err(failed)?.is_none() {
            return Err(unusable(
                "this partition held records and its segments are gone: restore the folder from a copy",
            ));
        }
        let journal = Journal::open(Arc::new(storage), journal_id(log_id, home), limits).map_err(failed)?;
        let (grown, end) = watch::channel(journal.next_index());
        journal.reader().on_durable(move |next_index| {
            grown.send_replace(next_index);
        });
        let committer = Committer::start(journal).map_err(failed)?;
        Ok(Self { home, committer, room: Arc::new(Semaphore::new(QUEUE_MAX_BYTES as usize)), end })
    }

    /// Whether a write or sync has failed, after which only opening it anew tells what it holds.
    pub(super) fn is_broken(&self) -> bool {
        self.committer.is_poisoned()
    }

    pub(super) fn bounds(&self) -> Bounds {
        let reader = self.committer.reader();
        // The floor first: read the other way round, a trim and an append in between could put it above the end.
        let floor = reader.first_index();
        Bounds { floor, end: reader.next_index() }
    }

    /// Signals the end of the partition, which is where the next durable record will stand.
    pub(super) fn end(&self) -> watch::Receiver<u64> {
        self.end.clone()
    }

    /// Appends a share in batches, each durable before the next one starts: a failed batch is never overtaken.
    pub(super) async fn append(
        &self,
        share: Share<'_>,
        waited_for_room: impl Fn(),
    ) -> (Vec<(usize, Outcome)>, Option<LogError>) {
        let mut outcomes = Vec::with_capacity(share.len());
        let mut trouble = None;
        for batch in batches(&share) {
            let answer = match trouble {
                None => self.append_batch(batch, &waited_for_room).await,
                Some(_) => Err((Outcome::Refused, None)),
            };
            match answer {
                Ok(first) => outcomes.extend(
                    batch
                        .iter()
                        .zip(first..)
                        .map(|((place, _), offset)| (*place, Outcome::Appended(self.home.at(offset)))),
                ),
                Err((outcome, error)) => {
                    outcomes.extend(batch.iter().map(|(place, _)| (*place, outcome)));
                    trouble = trouble.or(error);
                }
            }
        }
        (outcomes, trouble)
    }

    /// The offset of the batch's first record once all of it is durable.
    async fn append_batch(
        &self,
        records: &[(usize, &NewRecord)],
        waited_for_room: impl Fn(),
    ) -> Result<u64, (Outcome, Option<LogError>)> {
        let failed =
            |source: JournalError| (outcome_after(&source), Some(LogError::Journal { home: self.home, source }));
        let permit = self.room_for(records, waited_for_room).await.map_err(|error| (Outcome::Refused, Some(error)))?;
        let now = now_micros();
        let mut batch = Batch::with_capacity(permit.num_permits());
        for (_, record) in records {
            batch.push_with(|entry| frame::encode(entry, now, &record.key, &record.value));
        }
        let (answer, wait) = oneshot::channel();
        let done = move |result| {
            drop(permit);
            // Nobody waits when the append was cancelled.
            let _ = answer.send(result);
        };
        self.committer.submit(batch, Box::new(done)).map_err(failed)?;
        match wait.await {
            Ok(Ok(range)) => Ok(range.start),
            Ok(Err(error)) => Err(failed(error)),
            // The committing thread died over this batch.
            Err(_) => Err((Outcome::Unknown, Some(LogError::Closed))),
        }
    }

    async fn room_for(
        &self,
        batch: &[(usize, &NewRecord)],
        waited_for_room: impl Fn(),
    ) -> Result<OwnedSemaphorePermit, LogError> {
        let bytes: usize = batch.iter().map(|(_, record)| weight_bytes(record)).sum();
        if self.room.available_permits() < bytes {
            waited_for_room();
        }
        let share = u32::try_from(bytes).map_err(|_| LogError::AppendTooLarge { bytes })?;
        Arc::clone(&self.room).acquire_many_owned(share).await.map_err(|_| LogError::Closed)
    }

    /// Blocks on the disk.
    pub(super) fn read(&self, from: Position, max_bytes: usize) -> Result<Vec<Record>, LogError> {
        self.bounds().judge(from)?;
        let entries = match self.committer.reader().read(from.offset, max_bytes) {
            Ok(entries) => entries,
            // Trimmed since it was judged.
            Err(JournalError::BelowFloor { first_index, .. }) => {
                return Err(LogError::BelowFloor { at: from, floor: first_index });
            }
            Err(source) => return Err(LogError::Journal { home: self.home, source }),
        };
        let decode = |(offset, entry): (u64, Vec<u8>)| {
            frame::decode(offset, Bytes::from(entry)).map_err(|why| LogError::Corrupt { at: self.home.at(offset), why })
        };
        entries.into_iter().map(decode).collect()
    }

    /// Blocks on the disk, and on the commit under way.
    pub(super) fn trim(&self, below: Position) -> Result<Bounds, LogError> {
        let end = self.bounds().end;
        if below.offset > end {
            return Err(LogError::PastEnd { at: below, end });
        }
        self.committer.truncate_front(below.offset).map_err(|source| LogError::Journal { home: self.home, source })?;
        Ok(self.bounds())
    }
}

/// Cuts a share where the journal's largest batch would be exceeded.
fn batches<'a, 'r>(share: &'a [(usize, &'r NewRecord)]) -> impl Iterator<Item = &'a [(usize, &'r NewRecord)]> {
    let mut rest = share;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|(_, record)| {
            bytes += weight_bytes(record);
            bytes as u64 <= MAX_BATCH_BYTES
        });
        let (batch, later) = rest.split_at(fitting.count().max(1).min(rest.len()));
        rest = later;
        (!batch.is_empty()).then_some(batch)
    })
}

/// At least what the record takes in a batch: both headers together are smaller than the overhead.
fn weight_bytes(record: &NewRecord) -> usize {
    record.size_bytes() + RECORD_OVERHEAD_BYTES
}

/// A failed write or sync leaves open what reached the disk; every other error comes before the first byte.
fn outcome_after(error: &JournalError) -> Outcome {
    match error {
        JournalError::Io { .. } => Outcome::Unknown,
        _ => Outcome::Refused,
    }
}

/// Each partition's journal has an id of its own, so that folders cannot be swapped or mixed with another log's.
fn journal_id(log_id: LogId, home: Partition) -> JournalId {
    let mut name = log_id.as_bytes().to_vec();
    name.extend_from_slice(home.topic.name().as_bytes());
    name.push(0);
    name.extend_from_slice(&home.partition.to_be_bytes());
    JournalId(XxHash3_128::oneshot(&name))
}

fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
