//! A street in one process for the tests of ingest: embedded log, embedded door with TLS, real agents, and a client that misbehaves.

#![allow(dead_code, reason = "every test file uses its own part")]

pub mod broker;
pub mod client;
pub mod relay;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use medfleet_agent::{Agent, AgentConfig, AgentMetrics, Clocks, Observation, Seen, Surroundings};
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, Fact, Run, Source};
use medfleet_domain::fleet::Site;
use medfleet_domain::id::{AgentId, DeviceId, Epoch, Seq, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_ingest::{Admitter, EmbeddedDoor, IngestError, Meters, Passwords};
use medfleet_log::embedded::{EmbeddedConfig, EmbeddedLog};
use medfleet_log::topics::{Profile, street};
use medfleet_log::{EventLog, Partition, Topic};
use medfleet_runtime::{Health, Metrics, Shutdown};
use medfleet_wire::{Record, decode_record};
use tokio::task::JoinHandle;

pub const SITE: &str = "st-mary";
pub const PASSWORD: &str = "open-sesame";
/// Long enough for a busy machine; no test waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Street {
    pub folder: tempfile::TempDir,
    pub log: Arc<dyn EventLog>,
    pub admitter: Admitter,
    pub metrics: Metrics,
    pub shutdown: Shutdown,
    pub port: u16,
    door: JoinHandle<Result<(), IngestError>>,
}

pub fn site() -> SiteId {
    SiteId::new(SITE).unwrap()
}

pub fn device(name: &str) -> Subject {
    Subject::device(&DeviceId::new(name).unwrap())
}

pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(since.as_micros() as i64)
}

/// A certificate for localhost that is its own authority.
pub fn write_certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    std::fs::write(folder.join("server.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("server.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("password"), PASSWORD).unwrap();
}

pub async fn embedded_log(folder: &Path) -> Arc<dyn EventLog> {
    let log = EmbeddedLog::open(EmbeddedConfig::new(folder.join("log")), &street(Profile::Dev).unwrap()).await.unwrap();
    Arc::new(log)
}

impl Street {
    /// Everything up, the site defined.
    pub async fn open() -> Self {
        let street = Self::open_without_site().await;
        street.define_site(SITE).await;
        street
    }

    pub async fn open_without_site() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = embedded_log(folder.path()).await;
        Self::open_over(folder, log).await
    }

    /// The same over another log.
    pub async fn open_over(folder: tempfile::TempDir, log: Arc<dyn EventLog>) -> Self {
        write_certificate(folder.path());
        let metrics = Metrics::new().unwrap();
        let meters = Meters::new(&metrics).unwrap();
        let admitter = Admitter::new(Arc::clone(&log), meters.clone());
        admitter.learn_sites().await.unwrap();
        let names = ["edge-1", "edge-2", "edge-9"].map(|name| (AgentId::new(name).unwrap(), PASSWORD.to_owned()));
        let door = EmbeddedDoor {
            listen: "127.0.0.1:0".parse().unwrap(),
            certificate_file: folder.path().join("server.crt"),
            key_file: folder.path().join("server.key"),
            passwords: Passwords::new(names),
        };
        let open = door.open(admitter.clone(), meters).await.unwrap();
        let (shutdown, port) = (Shutdown::new(), open.address().port());
        let door = tokio::spawn(open.run(shutdown.clone()));
        Self { folder, log, admitter, metrics, shutdown, port, door }
    }

    pub async fn define_site(&self, name: &str) {
        let body = Body::SiteDefined(Site {
            title: name.into(),
            time_zone: "Europe/Berlin".into(),
            region: "north".into(),
            demo: true,
        });
        let site = SiteId::new(name).unwrap();
        let run = Run { subject: Subject::site(&site), site, agent: None, ..run("-", 1, vec![fact(now(), body)]) };
        self.admitter.run(run, now()).await.unwrap();
    }

    pub fn agent_config(&self, name: &str) -> AgentConfig {
        let path = |name: &str| self.folder.path().join(name);
        agent_config(self.folder.path(), name, self.port, &path("server.crt"), &path("password"))
    }

    pub async fn agent(&self, name: &str) -> (Agent, Shutdown) {
        start_agent(self.agent_config(name)).await
    }

    pub async fn records(&self, topic: Topic) -> Vec<Record> {
        self.values(topic).await.iter().map(|value| decode_record(value).unwrap()).collect()
    }

    pub async fn values(&self, topic: Topic) -> Vec<bytes::Bytes> {
        values(&*self.log, topic).await
    }

    pub async fn identities(&self) -> BTreeMap<(Subject, u64, u64), usize> {
        identities(&*self.log).await
    }

    /// Facts that ingest has counted by fate; checked to balance, which they do between two messages.
    pub fn sums(&self) -> Sums {
        let sums = self.fates();
        assert_eq!(sums.received, sums.appended + sums.quarantined + sums.held, "INV-4");
        sums
    }

    /// The same while messages come: its counters go up one after the other.
    pub fn fates(&self) -> Sums {
        let text = self.metrics.encode().unwrap();
        let of = |fate: &str| {
            let line = format!("medfleet_ingest_facts_total{{fate=\"{fate}\"}} ");
            text.lines().find_map(|each| each.strip_prefix(&line)).map_or(0, |number| number.parse().unwrap())
        };
        Sums { received: of("received"), appended: of("appended"), quarantined: of("quarantined"), held: of("held") }
    }

    pub async fn close(self) {
        self.shutdown.request();
        self.door.await.unwrap().unwrap();
    }
}

/// Every value of a topic, partition by partition.
pub async fn values(log: &dyn EventLog, topic: Topic) -> Vec<bytes::Bytes> {
    let mut values = Vec::new();
    for partition in 0..log.partitions(topic).unwrap() {
        let home = Partition::new(topic, partition);
        let bounds = log.bounds(home).await.unwrap();
        let mut next = bounds.floor;
        while next < bounds.end {
            let read = log.read(home.at(next), 1 << 20).await.unwrap();
            next = read.last().unwrap().offset + 1;
            values.extend(read.into_iter().map(|record| record.value));
        }
    }
    values
}

/// Every fact of the log by identity, with how often it stands there.
pub async fn identities(log: &dyn EventLog) -> BTreeMap<(Subject, u64, u64), usize> {
    let mut identities = BTreeMap::new();
    for value in values(log, Topic::FACTS).await {
        let Run { subject, epoch, first_seq, facts, .. } = decode_record(&value).unwrap().run;
        for seq in (first_seq.0..).take(facts.len()) {
            *identities.entry((subject.clone(), epoch.0, seq)).or_insert(0) += 1;
        }
    }
    identities
}

/// The seqs of a subject that the log holds, over all epochs.
pub fn seqs_of(identities: &BTreeMap<(Subject, u64, u64), usize>, subject: &Subject) -> Vec<u64> {
    identities.keys().filter(|(of, ..)| of == subject).map(|(.., seq)| *seq).collect()
}

pub fn agent_config(folder: &Path, name: &str, port: u16, ca: &Path, password: &Path) -> AgentConfig {
    let text = format!(
        "id = '{name}'\nsite = '{SITE}'\n[journal]\nfolder = '{}'\ncapacity_bytes = 16777216\nsegment_max_bytes = 1048576\n\
         [mqtt]\nhost = 'localhost'\nport = {port}\nca_file = '{}'\npassword_file = '{}'\n[batch]\nmax_age_millis = 20\n",
        folder.join(name).display(),
        ca.display(),
        password.display()
    );
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, text).unwrap();
    medfleet_runtime::Layers::new().file(Some(&file)).unwrap().build().unwrap()
}

pub async fn start_agent(config: AgentConfig) -> (Agent, Shutdown) {
    start_agent_by(config, None).await
}

/// The same by clocks of the test.
pub async fn start_agent_by(config: AgentConfig, clocks: Option<Arc<dyn Clocks>>) -> (Agent, Shutdown) {
    let shutdown = Shutdown::new();
    let metrics = AgentMetrics::register(&Metrics::new().unwrap()).unwrap();
    let surroundings = Surroundings { metrics, health: Health::new().role("agent"), clocks };
    let agent = Agent::start(config, Vec::new(), surroundings, shutdown.clone()).await.unwrap();
    (agent, shutdown)
}

/// Asks an agent to end and waits until it has.
pub async fn end(agent: Agent, ending: Shutdown) {
    ending.request();
    tokio::time::timeout(PATIENCE, agent.join()).await.expect("the agent ends").unwrap();
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    pub received: u64,
    pub appended: u64,
    pub quarantined: u64,
    pub held: u64,
}

pub fn fact(at: Timestamp, body: Body) -> Fact {
    let source = Source { kind: SourceKind::Device, name: "test".into() };
    Fact { at, known_at: at, known_assumed: false, clock: Clock::Holdover, source, body }
}

pub fn run(name: &str, first_seq: u64, facts: Vec<Fact>) -> Run {
    Run {
        subject: device(name),
        epoch: Epoch(7),
        first_seq: Seq(first_seq),
        site: site(),
        kind: DeviceKind::Ct,
        agent: Some(AgentId::new("edge-9").unwrap()),
        facts: facts.into_iter().map(medfleet_wire::seal).collect(),
    }
}

pub fn seen(name: &str, condition: Condition) -> Observation {
    let source = Source { kind: SourceKind::Device, name: "test".into() };
    let seen = Seen::Condition { condition, degradation: Degradation::None };
    Observation { subject: device(name), kind: DeviceKind::Ct, source, stated: None, seen }
}
