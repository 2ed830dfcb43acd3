//! Questions to the cluster that are no stream: the bounds of a partition, and a few records from the middle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::cluster::Cluster;
use super::config::REQUEST_LIMIT;
use super::{ClientLog, verdict};
use crate::error::LogError;
use crate::port::{Bounds, Partition, Position, Record};

/// One client, shared: requests for bounds run side by side, reads one after the other. Every method blocks.
pub(super) struct Lookup {
    client: BaseConsumer<ClientLog>,
    cluster: Arc<Cluster>,
    reading: Mutex<()>,
}

impl Lookup {
    pub(super) fn new(client: BaseConsumer<ClientLog>, cluster: Arc<Cluster>) -> Self {
        Self { client, cluster, reading: Mutex::new(()) }
    }

    pub(super) fn bounds(&self, home: Partition) -> Result<Bounds, LogError> {
        self.cluster.check(home)?;
        let name = self.cluster.name(home.topic)?;
        let (floor, end) = self
            .client
            .fetch_watermarks(name, home.partition.cast_signed(), REQUEST_LIMIT)
            .map_err(verdict::trouble("tell the bounds of a partition"))?;
        Ok(Bounds { floor: floor.max(0).cast_unsigned(), end: end.max(0).cast_unsigned() })
    }

    /// The bounds of the position's partition, or why nothing can be read there.
    pub(super) fn judge(&self, at: Position) -> Result<Bounds, LogError> {
        let bounds = self.bounds(at.home())?;
        bounds.judge(at)?;
        Ok(bounds)
    }

    pub(super) fn read(&self, from: Position, max_bytes: usize) -> Result<Vec<Record>, LogError> {
        let end = self.judge(from)?.end;
        if from.offset == end {
            return Ok(Vec::new());
        }
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = self.read_until(from, end, max_bytes);
        if let Err(error) = self.client.unassign() {
            tracing::debug!(%error, "a partition that was read from could not be let go");
        }
        answer
    }

    fn read_until(&self, from: Position, end: u64, max_bytes: usize) -> Result<Vec<Record>, LogError> {
        const READ: &str = "read records";
        let list = assignment(&self.cluster, [from]).map_err(verdict::trouble(READ))?;
        self.client.assign(&list).map_err(verdict::trouble(READ))?;
        let deadline = Instant::now() + REQUEST_LIMIT;
        let (mut records, mut bytes, mut next) = (Vec::new(), 0, from);
        while bytes < max_bytes && next.offset < end {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return if records.is_empty() { Err(verdict::timed_out(READ)) } else { Ok(records) };
            };
            let message = match self.client.poll(left) {
                Some(Ok(message)) => message,
                Some(Err(error)) if verdict::is_lost_place(&error) => {
                    self.judge(next)?;
                    return Err(verdict::trouble(READ)(error));
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, at = %next, "kafka interrupted a read");
                    continue;
                }
                None => continue,
            };
            let Some(record) = record(&message, next)? else { continue };
            bytes += record.size_bytes();
            next.offset += 1;
            records.push(record);
        }
        Ok(records)
    }
}

/// Assigned partitions with the offset each starts from.
pub(super) fn assignment(
    cluster: &Cluster,
    from: impl IntoIterator<Item = Position>,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for at in from {
        let name = cluster.name(at.topic).unwrap_or(at.topic.name());
        list.add_partition_offset(name, at.partition.cast_signed(), Offset::Offset(at.offset.cast_signed()))?;
    }
    Ok(list)
}

/// Takes a message as the record at `expected`. One from before is left over from an earlier place and is nothing; one
/// from beyond is an error: medfleet's topics have no holes, so a jump is never silent.
pub(super) fn record(message: &BorrowedMessage<'_>, expected: Position) -> Result<Option<Record>, LogError> {
    let offset = message.offset().max(0).cast_unsigned();
    if offset < expected.offset {
        return Ok(None);
    }
    if offset > expected.offset {
        return Err(LogError::Gap { at: expected, found: offset });
    }
    Ok(Some(Record {
        offset,
        appended_at_micros: message.timestamp().to_millis().unwrap_or(0) * 1_000,
        key: Bytes::copy_from_slice(message.key().unwrap_or_default()),
        value: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
    }))
}
