//! The event log: one port, an embedded keeper for one machine and a keeper on Apache Kafka. It moves opaque bytes and
//! knows a subject only as a partition key.
//!
//! What survives what: a record is appended once [`EventLog::append`] has returned its position. The embedded keeper
//! has then called fdatasync, so it survives power loss. Kafka's `acks=all` does not fsync: it survives the death of
//! any process, and power loss only with replication factor 3 and two in-sync replicas.

mod admission;
mod blocking;
pub mod embedded;
mod error;
pub mod kafka;
mod partitioner;
mod port;
mod scan;
pub mod topics;

pub use error::{AppendError, LogError, Outcome};
pub use partitioner::partition_of;
pub use port::{
    Batch, Bounds, EventLog, LogId, LogStats, MAX_APPEND_BYTES, MAX_RECORD_BYTES, NewRecord, Partition, Position,
    RECORD_OVERHEAD_BYTES, Record, Tail,
};
pub use scan::read_to_end;
pub use topics::{Profile, Topic, TopicDeclaration};
