//! The control of ingest: librdkafka alone, the same records to the same partitions, until every delivery is confirmed by all replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use medfleet_log::Profile;
use medfleet_log::topics::street;
use medfleet_log::{NewRecord, Topic, partition_of};
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use crate::rounds::{Took, Watch};

const POLL: Duration = Duration::from_millis(100);
const FLUSH_LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Delivered(Arc<AtomicU64>);

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.0.fetch_add(u64::from(result.is_ok()), Relaxed);
    }
}

pub fn produce(kafka: &str, records: &[NewRecord]) -> anyhow::Result<Took> {
    let declared = street(Profile::Dev)?;
    let partitions = declared.iter().find(|each| each.topic == Topic::FACTS).map_or(1, |each| each.partitions);
    let delivered = Delivered::default();
    let producer: BaseProducer<Delivered> = ClientConfig::new()
        .set("bootstrap.servers", kafka)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.codec", "zstd")
        .create_with_context(delivered.clone())?;
    let topic = Topic::FACTS.name();
    // Connected before the clock starts, as ingest is.
    producer.client().fetch_metadata(Some(topic), FLUSH_LIMIT)?;
    let watch = Watch::start()?;
    for record in records {
        let partition = partition_of(&record.key, partitions).cast_signed();
        let mut message = BaseRecord::to(topic).partition(partition).key(&record.key[..]).payload(&record.value[..]);
        while let Err((error, same)) = producer.send(message) {
            anyhow::ensure!(error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), "{error}");
            producer.poll(POLL);
            message = same;
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(FLUSH_LIMIT)?;
    let took = watch.stop()?;
    let confirmed = delivered.0.load(Relaxed);
    anyhow::ensure!(confirmed == records.len() as u64, "{confirmed} of {} records were confirmed", records.len());
    Ok(took)
}
