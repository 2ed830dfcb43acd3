//! A real Mosquitto over TLS for one test, and ingest at it. Where brokers are required their absence is a failure and not a pass.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use medfleet_domain::fact::{Body, Run};
use medfleet_domain::fleet::Site;
use medfleet_domain::id::Subject;
use medfleet_ingest::{Admitter, ExternalDoor, Meters};
use medfleet_log::EventLog;
use medfleet_runtime::{Metrics, Shutdown};

use super::{PATIENCE, fact, now, run, site};

pub const AGENT: &str = "edge-1";
pub const OTHERS: [&str; 3] = ["edge-2", "edge-3", "st-mary.edge-1"];
const SHARDS: RangeInclusive<u8> = 0..=63;

/// A Mosquitto of this test alone. Dropping it ends it.
pub struct Broker {
    folder: PathBuf,
    pub port: u16,
}

impl Broker {
    /// None where brokers are not wanted.
    pub fn start(folder: &Path) -> Option<Self> {
        if std::env::var_os("MEDFLEET_TEST_MQTT_TLS").is_none() {
            let required = std::env::var("MEDFLEET_REQUIRE_BROKERS").is_ok_and(|value| value == "1");
            assert!(!required, "MEDFLEET_TEST_MQTT_TLS is not set though brokers are required");
            eprintln!("skipped: MEDFLEET_TEST_MQTT_TLS is not set");
            return None;
        }
        let broker = Self { folder: folder.join("mosquitto"), port: free_port() };
        broker.script(&["start"], &[&broker.port.to_string()]);
        broker.script(&["users"], &[AGENT, OTHERS[0], OTHERS[1], OTHERS[2]]);
        std::fs::write(folder.join("password"), broker.password(AGENT)).unwrap();
        Some(broker)
    }

    pub fn script(&self, before: &[&str], after: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/dev/mosquitto.sh");
        let done = Command::new(script).args(before).arg(&self.folder).args(after).output().unwrap();
        assert!(done.status.success(), "{before:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub fn kill_and_start(&self) {
        self.script(&["kill"], &[]);
        self.script(&["start"], &[&self.port.to_string()]);
    }

    pub fn password(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.folder.join("credentials")).unwrap();
        let pairs: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(':')).collect();
        pairs[name].to_owned()
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.join("tls/ca.crt")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.script(&["stop"], &[]);
    }
}

/// Two neighbouring ports that were free a moment ago: the broker takes both.
fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

/// Ingest at this broker.
pub struct Ingest {
    ending: Shutdown,
    pub metrics: Metrics,
    task: tokio::task::JoinHandle<Result<(), medfleet_ingest::IngestError>>,
}

impl Ingest {
    pub async fn start(broker: &Broker, log: &Arc<dyn EventLog>) -> Self {
        Self::start_with(broker, log, SHARDS).await
    }

    pub async fn start_with(broker: &Broker, log: &Arc<dyn EventLog>, shards: RangeInclusive<u8>) -> Self {
        let metrics = Metrics::new().unwrap();
        let meters = Meters::new(&metrics).unwrap();
        let admitter = Admitter::new(Arc::clone(log), meters.clone());
        let body = Body::SiteDefined(Site {
            title: "St Mary".into(),
            time_zone: "Europe/Berlin".into(),
            region: "north".into(),
            demo: true,
        });
        let defined = Run { subject: Subject::site(&site()), agent: None, ..run("-", 1, vec![fact(now(), body)]) };
        admitter.run(defined, now()).await.unwrap();
        let door = ExternalDoor {
            host: "localhost".into(),
            port: broker.port,
            ca_pem: Some(std::fs::read(broker.ca()).unwrap()),
            user: Some(("ingest".into(), broker.password("ingest"))),
            first_shard: *shards.start(),
            last_shard: *shards.end(),
        };
        let ending = Shutdown::new();
        let task = tokio::spawn(door.run(admitter, meters, ending.clone()));
        Self { ending, metrics, task }
    }

    /// Facts that this process appended.
    pub fn appended(&self) -> u64 {
        let text = self.metrics.encode().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("medfleet_ingest_facts_total{fate=\"appended\"} "));
        line.map_or(0, |count| count.parse().unwrap())
    }

    pub async fn end(self) {
        self.ending.request();
        tokio::time::timeout(PATIENCE, self.task).await.expect("ingest ends").unwrap().unwrap();
    }
}
