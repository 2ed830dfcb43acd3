//! The Kafka keeper under the suite, against a real broker, and the laws that only it has: about the broker's death and
//! its topics.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use medfleet_log::kafka::{Applied, KafkaConfig, KafkaLog, apply_topics};
use medfleet_log::{
    EventLog, LogError, NewRecord, Outcome, Partition, Profile, Topic, TopicDeclaration, topics::street,
};
use tempfile::TempDir;

use crate::laws::{Keeper, topics};

const BROKER_VARIABLE: &str = "MEDFLEET_TEST_KAFKA";
const REQUIRE_VARIABLE: &str = "MEDFLEET_REQUIRE_BROKERS";
const MIB: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// The broker for this run, or none where the run goes without brokers.
fn broker() -> Option<String> {
    match std::env::var(BROKER_VARIABLE) {
        Ok(broker) => Some(broker),
        Err(_) if std::env::var(REQUIRE_VARIABLE).as_deref() == Ok("1") => {
            panic!(
                "{REQUIRE_VARIABLE} is set and {BROKER_VARIABLE} is not: \
                 start a broker with infra/dev/kafka.sh and name it HOST:PORT"
            )
        }
        Err(_) => {
            eprintln!("skipped: {BROKER_VARIABLE} names no broker");
            None
        }
    }
}

/// Topics of its own on a shared broker: a log is a cluster and a prefix.
fn fresh_config(broker: &str) -> KafkaConfig {
    KafkaConfig { topic_prefix: format!("test-{}.", uuid::Uuid::new_v4().simple()), ..KafkaConfig::new(broker) }
}

/// Topics declared as the street's own are.
fn declared_for_kafka(topics: &[TopicDeclaration]) -> Vec<TopicDeclaration> {
    let settings = street(Profile::Dev).unwrap().swap_remove(0).config;
    topics.iter().map(|each| TopicDeclaration { config: settings.clone(), ..each.clone() }).collect()
}

async fn begin_at(config: KafkaConfig, topics: &[TopicDeclaration]) -> Kafka {
    let topics = declared_for_kafka(topics);
    apply_topics(&config, &topics).await.unwrap();
    let log = Arc::new(KafkaLog::open(config.clone(), &topics).await.unwrap());
    Kafka { config, topics, log }
}

pub struct Kafka {
    config: KafkaConfig,
    topics: Vec<TopicDeclaration>,
    log: Arc<KafkaLog>,
}

impl Kafka {
    pub async fn begin(topics: Vec<TopicDeclaration>) -> Option<Self> {
        Some(begin_at(fresh_config(&broker()?), &topics).await)
    }
}

impl Keeper for Kafka {
    fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log) as Arc<dyn EventLog>
    }

    async fn reopen(&mut self) {
        let topics = self.topics.clone();
        self.reopen_with(&topics).await.unwrap();
    }

    async fn reopen_with(&mut self, topics: &[TopicDeclaration]) -> Result<(), LogError> {
        self.log = Arc::new(KafkaLog::open(self.config.clone(), topics).await?);
        Ok(())
    }

    async fn another(&self) -> Arc<dyn EventLog> {
        begin_at(fresh_config(&self.config.brokers), &self.topics).await.log
    }

    fn bytes_of_many_segments(&self) -> usize {
        MIB
    }
}

/// A broker that this test alone uses, and may kill.
struct OwnBroker {
    folder: TempDir,
    port: u16,
}

impl OwnBroker {
    fn start() -> Self {
        let own = Self { folder: TempDir::new().unwrap(), port: four_free_ports() };
        own.run("start");
        own
    }

    fn run(&self, action: &str) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../infra/dev/kafka.sh");
        let mut command = Command::new(script);
        command.arg(action).arg(self.folder.path());
        if action == "start" {
            command.arg(self.port.to_string());
        }
        let status = command.status().unwrap();
        assert!(status.success(), "kafka.sh {action} failed: {status}");
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../infra/dev/kafka.sh");
        let _ = Command::new(script).arg("kill").arg(self.folder.path()).status();
    }
}

/// The first of four ports in a row that nobody listens on, below the range the system gives out by itself.
fn four_free_ports() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let begin = 20_000 + (std::process::id() % 1_000) as u16 * 8;
    (begin..31_000).step_by(4).find(|&first| (first..first + 4).all(free)).unwrap()
}

fn numbered(topic: Topic, range: std::ops::Range<u64>) -> Vec<NewRecord> {
    range.map(|number| NewRecord { topic, key: "subject".into(), value: number.to_string().into() }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_outlives_a_killed_broker() {
    if broker().is_none() {
        return;
    }
    let own = OwnBroker::start();
    let kafka = begin_at(KafkaConfig { delivery_limit_ms: 5_000, ..fresh_config(&own.address()) }, &topics()).await;
    let (log, topic) = (kafka.log(), topics()[1].topic);
    let home = Partition::new(topic, 0);
    let mut tail = log.tail(&[home.at(0)]).await.unwrap();
    log.append(numbered(topic, 0..1_000)).await.unwrap();
    own.run("kill");

    let error = log.append(numbered(topic, 1_000..1_001)).await.unwrap_err();
    assert_eq!(error.outcomes, [Outcome::Unknown], "an answer that never came is unknown, never refused");
    assert!(error.is_retryable(), "{error}");
    assert!(log.bounds(home).await.unwrap_err().is_retryable());

    own.run("start");
    let log_id = log.log_id();
    let again = log.append(numbered(topic, 2_000..2_001)).await.unwrap()[0];
    assert!((1_000..=1_001).contains(&again.offset), "{again}");
    let mut numbers: Vec<u64> = Vec::new();
    while numbers.last() != Some(&2_000) {
        let batches = tail.poll(MIB, PATIENCE).await.unwrap();
        assert!(!batches.is_empty(), "the reader did not come back after {} records", numbers.len());
        let values = batches
            .iter()
            .flat_map(|batch| &batch.records)
            .map(|record| std::str::from_utf8(&record.value).unwrap().parse::<u64>().unwrap());
        numbers.extend(values);
    }
    assert_eq!(numbers[..1_000], (0..1_000).collect::<Vec<_>>(), "acknowledged records survive SIGKILL");
    assert_eq!(log.stats().unknown_records, 1);
    let reopened = KafkaLog::open(kafka.config.clone(), &kafka.topics).await.unwrap();
    assert_eq!(reopened.log_id(), log_id);
}

#[tokio::test]
async fn topics_are_applied_once_and_never_changed() {
    let Some(broker) = broker() else { return };
    let config = fresh_config(&broker);
    let declared = street(Profile::Dev).unwrap();
    let missing = KafkaLog::open(config.clone(), &declared).await.err().unwrap();
    assert!(missing.to_string().contains("medfleet topics apply"), "{missing}");
    let applied = async |declared: &[TopicDeclaration]| {
        apply_topics(&config, declared).await.map(|topics| topics.into_iter().map(|(_, what)| what).collect::<Vec<_>>())
    };
    assert_eq!(applied(&declared).await.unwrap(), vec![Applied::Created; declared.len()]);
    assert_eq!(applied(&declared).await.unwrap(), vec![Applied::Present; declared.len()]);
    let mut other = declared.clone();
    other[0].partitions += 1;
    let error = applied(&other).await.unwrap_err();
    assert!(error.to_string().contains("has 8 partitions but 9 are declared"), "{error}");
    KafkaLog::open(config.clone(), &declared).await.unwrap();
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_worth_another_try() {
    let config = KafkaConfig {
        settings: [("socket.connection.setup.timeout.ms".into(), "1000".into())].into(),
        ..KafkaConfig::new("127.0.0.1:1")
    };
    let error = KafkaLog::open(config, &topics()).await.err().unwrap();
    assert!(error.is_retryable(), "{error}");
}
