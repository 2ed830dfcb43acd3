//! What can go wrong with a log, and what the caller may conclude from it.

use std::path::PathBuf;

use medfleet_journal::Error as JournalError;

use crate::port::{LogId, MAX_APPEND_BYTES, MAX_RECORD_BYTES, Partition, Position};
use crate::topics::Topic;

/// An error of a keeper. [`LogError::is_retryable`] tells passing trouble from a mistake.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("topic {topic} is not in this log: declare it in infra/kafka/topics.toml and run `medfleet topics apply`")]
    UnknownTopic { topic: String },
    #[error("{home} does not exist: the topic has {partitions} partitions, counted from 0")]
    UnknownPartition { home: Partition, partitions: u32 },
    #[error(
        "record {index} for {topic} has {bytes} bytes, the limit is {MAX_RECORD_BYTES} (MAX_RECORD_BYTES): \
         send it in smaller parts"
    )]
    RecordTooLarge { topic: Topic, index: usize, bytes: usize },
    #[error(
        "an append of {bytes} bytes is above the limit of {MAX_APPEND_BYTES} (MAX_APPEND_BYTES): \
         send fewer records in one call"
    )]
    AppendTooLarge { bytes: usize },
    #[error("{at} lies below the floor {floor}: those records were trimmed, read them from the facts table")]
    BelowFloor { at: Position, floor: u64 },
    #[error("{at} lies past the end {end}: this log has lost its tail or is not the one these offsets came from")]
    PastEnd { at: Position, end: u64 },
    #[error(
        "{at} is missing, the next record is {found}: something other than medfleet wrote to or removed from this log"
    )]
    Gap { at: Position, found: u64 },
    #[error("{home} is not followed by this reader")]
    NotFollowed { home: Partition },
    #[error("log {found} is not log {expected}: point the configuration at the log these tables were made from")]
    ForeignLog { expected: LogId, found: LogId },
    #[error("{text:?} is no log id: expected 32 hexadecimal digits")]
    MalformedLogId { text: String },
    #[error(
        "topic {topic} has {found} partitions but {declared} are declared: \
         a partition count is fixed for life, restore the declaration"
    )]
    PartitionCount { topic: Topic, declared: u32, found: u32 },
    #[error("topic declarations are malformed: {why}")]
    Declarations { why: String },
    #[error("record at {at} cannot be decoded: {why}")]
    Corrupt { at: Position, why: &'static str },
    #[error("{} is unusable: {why}", path.display())]
    Folder { path: PathBuf, why: String },
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the journal of {home} failed")]
    Journal {
        home: Partition,
        #[source]
        source: JournalError,
    },
    #[error(
        "{home} takes no more records since a write or sync failed: see that its disk is sound and has room, and start again; \
         what was confirmed is kept"
    )]
    Broken { home: Partition },
    #[error("the log is closing and takes no more records")]
    Closed,
    #[error("Kafka cannot {action} now")]
    KafkaUnavailable {
        action: &'static str,
        #[source]
        source: rdkafka::error::KafkaError,
    },
    #[error("Kafka refuses to {action}, and will until its configuration or ours is changed")]
    KafkaRefused {
        action: &'static str,
        #[source]
        source: rdkafka::error::KafkaError,
    },
}

impl LogError {
    /// Whether the same call may succeed later with nothing changed by hand.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::KafkaUnavailable { .. } => true,
            // Room comes back when tables have synced and the floor moves.
            Self::Journal { source, .. } => {
                matches!(source, JournalError::Full { .. } | JournalError::QueueFull { .. })
            }
            _ => false,
        }
    }
}

/// What became of one record of a failed append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Durable at this position.
    Appended(Position),
    /// Not in the log, and it never will be by this call.
    Refused,
    /// It may be in the log, or may still get there: append it again and let dedup by identity remove the twin.
    Unknown,
}

/// A failed append: the first error, and the outcome of every record in the order of the call.
#[derive(Debug, thiserror::Error)]
#[error("{} of {} records were not confirmed by the log", self.unconfirmed(), self.outcomes.len())]
pub struct AppendError {
    pub outcomes: Vec<Outcome>,
    #[source]
    pub source: LogError,
}

impl AppendError {
    /// Nothing was appended, and nothing will be.
    pub fn refused(count: usize, source: LogError) -> Self {
        Self { outcomes: vec![Outcome::Refused; count], source }
    }

    pub fn unconfirmed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| !matches!(outcome, Outcome::Appended(_))).count()
    }

    /// Indices of the records whose fate is not known.
    pub fn unknown(&self) -> impl Iterator<Item = usize> + '_ {
        self.outcomes
            .iter()
            .enumerate()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Unknown))
            .map(|(index, _)| index)
    }

    pub fn is_retryable(&self) -> bool {
        self.source.is_retryable()
    }
}
