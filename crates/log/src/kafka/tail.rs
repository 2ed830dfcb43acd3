//! Following several partitions of Kafka: one consumer with assigned partitions, its cursors kept here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use tokio::time::{Instant, timeout_at};

use super::cluster::Cluster;
use super::lookup::{self, Lookup, assignment};
use super::{ClientLog, verdict};
use crate::blocking::blocking;
use crate::error::LogError;
use crate::port::{Batch, Partition, Position, Tail};

pub(super) struct KafkaTail {
    consumer: StreamConsumer<ClientLog>,
    cluster: Arc<Cluster>,
    lookup: Arc<Lookup>,
    cursors: Vec<Position>,
    /// The consumer does not stand at the cursors: it has just started, was moved, or lost its place.
    astray: bool,
    /// Met after records that had to be returned first.
    trouble: Option<LogError>,
}

impl KafkaTail {
    pub(super) fn new(
        consumer: StreamConsumer<ClientLog>,
        cluster: Arc<Cluster>,
        lookup: Arc<Lookup>,
        cursors: Vec<Position>,
    ) -> Self {
        Self { consumer, cluster, lookup, cursors, astray: true, trouble: None }
    }

    /// Judges every cursor against the log and sends the consumer there.
    async fn take_place(&mut self) -> Result<(), LogError> {
        let (lookup, cursors) = (Arc::clone(&self.lookup), self.cursors.clone());
        blocking(move || cursors.into_iter().try_for_each(|at| lookup.judge(at).map(drop))).await?;
        let list = assignment(&self.cluster, self.cursors.iter().copied());
        list.and_then(|list| self.consumer.assign(&list)).map_err(verdict::trouble("follow partitions"))?;
        self.astray = false;
        Ok(())
    }

    async fn gather(&mut self, max_bytes: usize, deadline: Instant) -> Result<Vec<Batch>, LogError> {
        let mut stream = self.consumer.stream();
        let mut harvest = Harvest { cluster: &self.cluster, cursors: &mut self.cursors, batches: Vec::new(), bytes: 0 };
        while harvest.batches.is_empty() {
            let Ok(Some(arrival)) = timeout_at(deadline, stream.next()).await else { break };
            harvest.take(arrival, &mut self.astray)?;
            if self.astray {
                return Ok(Vec::new());
            }
        }
        while harvest.bytes < max_bytes && !harvest.batches.is_empty() && !self.astray {
            let Some(Some(arrival)) = stream.next().now_or_never() else { break };
            if let Err(error) = harvest.take(arrival, &mut self.astray) {
                self.trouble = Some(error);
                break;
            }
        }
        Ok(harvest.batches)
    }
}

#[async_trait]
impl Tail for KafkaTail {
    async fn poll(&mut self, max_bytes: usize, max_wait: Duration) -> Result<Vec<Batch>, LogError> {
        if let Some(error) = self.trouble.take() {
            return Err(error);
        }
        let deadline = Instant::now() + max_wait;
        if self.astray {
            self.take_place().await?;
        }
        self.gather(max_bytes, deadline).await
    }

    fn cursors(&self) -> Vec<Position> {
        self.cursors.clone()
    }

    fn seek(&mut self, to: Position) -> Result<(), LogError> {
        let cursor = self.cursors.iter_mut().find(|cursor| cursor.home() == to.home());
        *cursor.ok_or(LogError::NotFollowed { home: to.home() })? = to;
        self.astray = true;
        self.trouble = None;
        Ok(())
    }
}

/// What one poll brings in. Cursors move with each record taken.
struct Harvest<'a> {
    cluster: &'a Cluster,
    cursors: &'a mut Vec<Position>,
    batches: Vec<Batch>,
    bytes: usize,
}

impl Harvest<'_> {
    fn take(&mut self, arrival: Result<BorrowedMessage<'_>, KafkaError>, astray: &mut bool) -> Result<(), LogError> {
        let message = match arrival {
            Ok(message) => message,
            Err(error) if verdict::is_lost_place(&error) => {
                *astray = true;
                return Ok(());
            }
            // librdkafka reconnects by itself; silence is for the watchdog to judge.
            Err(error) => {
                tracing::debug!(%error, "kafka interrupted a reader");
                return Ok(());
            }
        };
        let Some(cursor) = self.cursors.iter_mut().find(|cursor| is_from(&message, self.cluster, cursor.home())) else {
            return Ok(());
        };
        let Some(record) = lookup::record(&message, *cursor)? else { return Ok(()) };
        cursor.offset += 1;
        self.bytes += record.size_bytes();
        let home = cursor.home();
        match self.batches.iter_mut().find(|batch| batch.home == home) {
            Some(batch) => batch.records.push(record),
            None => self.batches.push(Batch { home, records: vec![record] }),
        }
        Ok(())
    }
}

fn is_from(message: &BorrowedMessage<'_>, cluster: &Cluster, home: Partition) -> bool {
    message.partition() == home.partition.cast_signed()
        && cluster.name(home.topic).is_ok_and(|name| name == message.topic())
}
