//! The event log as the rest of the house sees it: partitioned, append-only, opaque bytes, one identity for the life of
//! the log.
//!
//! Two keepers stand behind it: [`crate::embedded`] for one machine and [`crate::kafka`]. One conformance suite proves
//! both. The log knows a subject only as a partition key; nobody but the partitioner may look at a key.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{AppendError, LogError};
use crate::topics::Topic;

/// The largest record either keeper accepts, key and value together. Both refuse more with
/// [`LogError::RecordTooLarge`]. With its own header it then fits a journal entry of 4 MiB; Kafka topics are declared
/// with 64 KiB more.
pub const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024 - RECORD_OVERHEAD_BYTES;

/// The most that one [`EventLog::append`] may carry, each record counted with [`RECORD_OVERHEAD_BYTES`]. What is in
/// flight over all calls is limited by each keeper, and a call waits for its share.
pub const MAX_APPEND_BYTES: usize = 32 * 1024 * 1024;

/// What a record weighs against a limit beyond its key and value, so that many empty ones are limited too.
pub const RECORD_OVERHEAD_BYTES: usize = 64;

/// Names one log for life. Offsets mean nothing without it: two logs count from zero alike.
///
/// The embedded keeper draws it at random when it creates the log. The Kafka keeper derives it from the cluster id and
/// the topic prefix, so it changes with the cluster and stays over restarts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId([u8; 16]);

impl LogId {
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LogId {
    /// Thirty-two lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}

impl FromStr for LogId {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        let malformed = || LogError::MalformedLogId { text: text.to_owned() };
        if text.len() != 32 || !text.is_ascii() {
            return Err(malformed());
        }
        let mut bytes = [0; 16];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(|_| malformed())?;
        }
        Ok(Self(bytes))
    }
}

/// One partition of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    pub topic: Topic,
    pub partition: u32,
}

impl Partition {
    pub const fn new(topic: Topic, partition: u32) -> Self {
        Self { topic, partition }
    }

    pub const fn at(self, offset: u64) -> Position {
        Position { topic: self.topic, partition: self.partition, offset }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// Where one record stands, or stood, or will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub topic: Topic,
    pub partition: u32,
    pub offset: u64,
}

impl Position {
    pub const fn home(self) -> Partition {
        Partition { topic: self.topic, partition: self.partition }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

/// A record on its way in. The key alone decides its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    pub topic: Topic,
    pub key: Bytes,
    pub value: Bytes,
}

impl NewRecord {
    /// What [`MAX_RECORD_BYTES`] limits.
    pub fn size_bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

/// A record as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub offset: u64,
    /// Microseconds since 1970 UTC by the keeper's clock (Kafka counts whole milliseconds). It may step back with that
    /// clock: order comes from the offset, never from here.
    pub appended_at_micros: i64,
    pub key: Bytes,
    pub value: Bytes,
}

impl Record {
    pub fn size_bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

/// Some consecutive records of one partition, never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub home: Partition,
    pub records: Vec<Record>,
}

/// What a partition still holds: offsets `floor..end`, empty when they are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The lowest offset that can be read.
    pub floor: u64,
    /// The offset the next record will get.
    pub end: u64,
}

impl Bounds {
    /// Whether a reader may stand at this position of the partition: one that was trimmed or never written is an error.
    pub fn judge(&self, at: Position) -> Result<(), LogError> {
        match at.offset {
            offset if offset < self.floor => Err(LogError::BelowFloor { at, floor: self.floor }),
            offset if offset > self.end => Err(LogError::PastEnd { at, end: self.end }),
            _ => Ok(()),
        }
    }
}

/// What a keeper has done since it was opened, for the metrics of the role that holds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStats {
    pub appended_records: u64,
    pub appended_bytes: u64,
    /// Records whose append ended without a known outcome.
    pub unknown_records: u64,
    /// Records refused before or by the keeper.
    pub refused_records: u64,
    /// Appends that had to wait because the bytes in flight were at their limit.
    pub waits_for_room: u64,
}

#[async_trait]
pub trait EventLog: Send + Sync {
    fn log_id(&self) -> LogId;

    /// Refuses a log that is not the one a table's offsets came from. Ask before any of them is used.
    fn expect_id(&self, expected: LogId) -> Result<(), LogError> {
        let found = self.log_id();
        if found == expected { Ok(()) } else { Err(LogError::ForeignLog { expected, found }) }
    }

    /// The number of partitions, fixed when the topic was created. Refuses a topic this log was not created with.
    fn partitions(&self, topic: Topic) -> Result<u32, LogError>;

    /// Appends records and returns once all are durable (embedded: fdatasync; Kafka: `acks=all`), with a position for
    /// each.
    ///
    /// Records of one call that fall into one partition keep their order there. The call as a whole is not atomic: on
    /// an error each record has an outcome of its own, and an unknown one may be in the log or may still get there. A
    /// malformed call (unknown topic, oversize record) appends nothing.
    ///
    /// Dropping the future withdraws nothing: what was handed over may still become durable.
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Position>, AppendError>;

    /// Reads records from `from` on, at once: at the end of the log the answer is empty.
    ///
    /// Stops with the record that reaches `max_bytes`, so there is one where the log has one. For looking things up; to
    /// follow a partition, [`EventLog::tail`] is far cheaper.
    async fn read(&self, from: Position, max_bytes: usize) -> Result<Vec<Record>, LogError>;

    /// Opens a reader that follows several partitions, each from its own offset. A position below the floor or past the
    /// end is refused here, so a table can never resume on a log that is not its own or has lost its tail.
    async fn tail(&self, from: &[Position]) -> Result<Box<dyn Tail>, LogError>;

    async fn bounds(&self, home: Partition) -> Result<Bounds, LogError>;

    /// Gives up records below an offset, which becomes the floor or stays above it: keepers drop whole segments, so the
    /// floor may end lower than asked. A trim past the end is refused. The caller alone knows what every table has
    /// synced.
    async fn trim(&self, below: Position) -> Result<Bounds, LogError>;

    fn stats(&self) -> LogStats;

    /// Waits until this log takes nothing more before it is opened anew, and says why. Its process then ends, loudly, for
    /// whoever goes on looks well and stores nothing. A log that is kept elsewhere comes back by itself.
    async fn broken(&self) -> LogError {
        std::future::pending().await
    }
}

/// A reader that follows partitions. It belongs to one task; its cursors live in it and nowhere else: the log stores no
/// progress, because offsets move with the data they produced.
#[async_trait]
pub trait Tail: Send {
    /// Waits until at least one followed partition has a record, or `max_wait` has passed; then takes what is there and
    /// stops with the record that reaches `max_bytes`. No partition starves another. Empty after a quiet wait.
    ///
    /// Safe to cancel: cursors move only over records that were returned.
    async fn poll(&mut self, max_bytes: usize, max_wait: Duration) -> Result<Vec<Batch>, LogError>;

    /// The next offset of every followed partition.
    fn cursors(&self) -> Vec<Position>;

    /// Moves one followed partition elsewhere, as after a restore. The move is judged at the next poll.
    fn seek(&mut self, to: Position) -> Result<(), LogError>;
}
