//! The keeper on Apache Kafka: an idempotent producer, assigned consumers without groups, and no offsets stored in
//! Kafka.
//!
//! Clients outlive the broker: they reconnect by themselves, and what was in flight is answered or becomes unknown
//! after the delivery limit.

mod admin;
mod cluster;
mod config;
mod delivery;
mod lookup;
mod tail;
mod verdict;

use std::sync::Arc;

use async_trait::async_trait;
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;

pub use admin::{Applied, apply_topics};
pub use config::{IN_FLIGHT_LIMIT_BYTES, KafkaConfig, PREFETCH_LIMIT_KIB, REQUEST_LIMIT};

use crate::admission::admit;
use crate::blocking::blocking;
use crate::error::{AppendError, LogError};
use crate::port::{Bounds, EventLog, LogId, LogStats, NewRecord, Partition, Position, Record, Tail};
use crate::topics::{Topic, TopicDeclaration};
use cluster::Cluster;
use delivery::Sender;
use lookup::Lookup;
use tail::KafkaTail;

/// A log kept by a Kafka cluster.
pub struct KafkaLog {
    config: KafkaConfig,
    cluster: Arc<Cluster>,
    sender: Sender,
    lookup: Arc<Lookup>,
}

impl KafkaLog {
    /// Connects, and refuses a cluster whose topics are not as declared. An unreachable cluster is a retryable error.
    pub async fn open(config: KafkaConfig, declarations: &[TopicDeclaration]) -> Result<Self, LogError> {
        let client: BaseConsumer<ClientLog> =
            config.consumer().create_with_context(ClientLog).map_err(verdict::trouble("start a client"))?;
        let (surveyed, declarations) = (config.clone(), declarations.to_vec());
        let (client, cluster) = blocking(move || {
            let cluster = Cluster::survey(&client, &surveyed, &declarations)?;
            Ok((client, Arc::new(cluster)))
        })
        .await?;
        let sender = Sender::new(config.producer())?;
        let lookup = Arc::new(Lookup::new(client, Arc::clone(&cluster)));
        Ok(Self { config, cluster, sender, lookup })
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    fn log_id(&self) -> LogId {
        self.cluster.log_id
    }

    fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.cluster.partitions(topic)
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Position>, AppendError> {
        match admit(&records, |topic| self.cluster.partitions(topic)) {
            Ok(admitted) => self.sender.append(&self.cluster, &records, admitted).await,
            Err(error) => {
                let answer = Err(AppendError::refused(records.len(), error));
                self.sender.counters.count(&answer, 0);
                answer
            }
        }
    }

    async fn read(&self, from: Position, max_bytes: usize) -> Result<Vec<Record>, LogError> {
        let lookup = Arc::clone(&self.lookup);
        blocking(move || lookup.read(from, max_bytes)).await
    }

    async fn tail(&self, from: &[Position]) -> Result<Box<dyn Tail>, LogError> {
        let (lookup, cursors) = (Arc::clone(&self.lookup), from.to_vec());
        blocking(move || cursors.into_iter().try_for_each(|at| lookup.judge(at).map(drop))).await?;
        let consumer =
            self.config.consumer().create_with_context(ClientLog).map_err(verdict::trouble("start a reader"))?;
        Ok(Box::new(KafkaTail::new(consumer, Arc::clone(&self.cluster), Arc::clone(&self.lookup), from.to_vec())))
    }

    async fn bounds(&self, home: Partition) -> Result<Bounds, LogError> {
        let lookup = Arc::clone(&self.lookup);
        blocking(move || lookup.bounds(home)).await
    }

    async fn trim(&self, below: Position) -> Result<Bounds, LogError> {
        let bounds = self.bounds(below.home()).await?;
        if below.offset > bounds.end {
            return Err(LogError::PastEnd { at: below, end: bounds.end });
        }
        if below.offset <= bounds.floor {
            return Ok(bounds);
        }
        admin::delete_below(&self.config, self.cluster.name(below.topic)?, below.partition, below.offset).await?;
        self.bounds(below.home()).await
    }

    fn stats(&self) -> LogStats {
        self.sender.counters.snapshot()
    }
}

/// Gives librdkafka's errors our voice: it reports a lost broker many times over, and reconnects by itself.
struct ClientLog;

impl ClientContext for ClientLog {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka client in trouble");
    }
}

impl ConsumerContext for ClientLog {}
