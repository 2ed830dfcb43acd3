//! How to reach a Kafka cluster, and the limits of the clients that do.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use serde::Deserialize;

use crate::port::{MAX_RECORD_BYTES, RECORD_OVERHEAD_BYTES};

/// Bytes handed to librdkafka and not yet answered, over all appends. An append waits for its share before it starts.
pub const IN_FLIGHT_LIMIT_BYTES: usize = 64 * 1024 * 1024;
/// What one reader prefetches over all its partitions.
pub const PREFETCH_LIMIT_KIB: usize = 16 * 1024;
/// How long metadata, watermark and admin requests may take.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// A dropped connection is tried again after at most this.
const RECONNECT_LIMIT: Duration = Duration::from_secs(2);
const MESSAGE_LIMIT_BYTES: usize = MAX_RECORD_BYTES + RECORD_OVERHEAD_BYTES + 64 * 1024;
/// Every queued record weighs at least [`RECORD_OVERHEAD_BYTES`], so librdkafka's own count is never the first limit
/// reached.
const QUEUE_LIMIT_RECORDS: usize = 2 * IN_FLIGHT_LIMIT_BYTES / RECORD_OVERHEAD_BYTES;

/// How to reach the cluster that keeps the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `HOST:PORT`, several joined by commas.
    pub brokers: String,
    /// Goes before every topic name, so that several fleets can share a cluster; part of the log id. Usually empty.
    #[serde(default)]
    pub topic_prefix: String,
    /// How long one append may wait for its acknowledgement before its outcome counts as unknown.
    #[serde(default = "delivery_limit_ms")]
    pub delivery_limit_ms: u64,
    /// librdkafka settings of the site's own, such as `security.protocol`; they come last and win.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

fn delivery_limit_ms() -> u64 {
    30_000
}

impl KafkaConfig {
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic_prefix: String::new(),
            delivery_limit_ms: delivery_limit_ms(),
            settings: BTreeMap::new(),
        }
    }

    fn client(&self, particular: &[(&str, String)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Warning);
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", "medfleet");
        config.set("socket.keepalive.enable", "true");
        config.set("reconnect.backoff.max.ms", RECONNECT_LIMIT.as_millis().to_string());
        config.set("message.max.bytes", MESSAGE_LIMIT_BYTES.to_string());
        for (name, value) in particular {
            config.set(*name, value);
        }
        for (name, value) in &self.settings {
            config.set(name, value);
        }
        config
    }

    pub(super) fn producer(&self) -> ClientConfig {
        self.client(&[
            ("enable.idempotence", "true".to_owned()),
            ("acks", "all".to_owned()),
            ("compression.codec", "zstd".to_owned()),
            // Time here is time of every receipt, and nobody sees five milliseconds; under load, batches that arrive
            // together go together, and the broker is asked a fifth as often as with one.
            ("linger.ms", "5".to_owned()),
            ("message.timeout.ms", self.delivery_limit_ms.to_string()),
            ("queue.buffering.max.kbytes", (2 * IN_FLIGHT_LIMIT_BYTES / 1024).to_string()),
            ("queue.buffering.max.messages", QUEUE_LIMIT_RECORDS.to_string()),
        ])
    }

    /// Partitions are assigned by hand and offsets live in the tables: the group is a name that librdkafka asks for, no
    /// more.
    pub(super) fn consumer(&self) -> ClientConfig {
        self.client(&[
            ("group.id", "medfleet-without-group".to_owned()),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            ("enable.partition.eof", "false".to_owned()),
            // An offset that is gone is an error to be judged, never a jump.
            ("auto.offset.reset", "error".to_owned()),
            ("isolation.level", "read_committed".to_owned()),
            ("check.crcs", "true".to_owned()),
            ("max.partition.fetch.bytes", MESSAGE_LIMIT_BYTES.to_string()),
            ("queued.max.messages.kbytes", PREFETCH_LIMIT_KIB.to_string()),
            // librdkafka pauses for a second when its queue is full; a replay would spend its life there.
            ("fetch.queue.backoff.ms", "20".to_owned()),
            ("fetch.error.backoff.ms", "200".to_owned()),
        ])
    }

    pub(super) fn admin(&self) -> ClientConfig {
        self.client(&[])
    }
}
