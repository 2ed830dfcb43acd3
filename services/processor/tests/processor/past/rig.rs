//! A log that can be trimmed anywhere, a lake, a worker that ends when idle, and a made-up fleet.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Fact, JournalState, Run, Sample, Severity, Source, Stretch};
use medfleet_domain::fleet::Site;
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, Timestamp};
use medfleet_lake::{ContentHash, Lake};
use medfleet_log::embedded::{EmbeddedConfig, EmbeddedLog};
use medfleet_log::topics::street;
use medfleet_log::{
    AppendError, Batch, Bounds, EventLog, LogError, LogId, LogStats, NewRecord, Partition, Position, Profile, Record,
    Tail, Topic,
};
use medfleet_processor::{Meters, ProcessorConfig, Worker, rebuild};
use medfleet_runtime::{Metrics, Shutdown};
use tempfile::TempDir;

/// 2026-03-01.
pub const FIRST_DAY: Day = Day::from_civil(2026, 3, 1);
const HOURS: i64 = 24;

pub struct Rig {
    folder: PathBuf,
    /// Removes the folder in the end.
    _temporary: Option<TempDir>,
    log: Arc<Trimmable>,
    pub lake: Lake,
    metrics: Mutex<Metrics>,
}

impl Rig {
    pub async fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut rig = Self::at(temporary.path().into()).await;
        rig._temporary = Some(temporary);
        rig.define_site().await;
        rig
    }

    /// Over a folder that may have been used before.
    pub async fn at(folder: PathBuf) -> Self {
        let config = EmbeddedConfig::new(folder.join("log"));
        let log = EmbeddedLog::open(config, &street(Profile::Dev).unwrap()).await.unwrap();
        let log = Arc::new(Trimmable { log, floors: Mutex::default() });
        let lake = Lake::open_local(&folder).await.unwrap();
        Self { folder, _temporary: None, log, lake, metrics: Mutex::default() }
    }

    pub async fn define_site(&self) {
        self.tell(&[site_run()]).await;
    }

    pub fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log) as Arc<dyn EventLog>
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.join(below)
    }

    pub fn config(&self) -> ProcessorConfig {
        ProcessorConfig { snapshot_folder: self.path("snapshots"), ..ProcessorConfig::until_idle() }
    }

    /// Appends runs as ingest would, in order.
    pub async fn tell(&self, runs: &[Run]) {
        for some in runs.chunks(1_000) {
            let records = some.iter().map(|run| NewRecord {
                topic: if run.subject.kind == SubjectKind::Site { Topic::FLEET } else { Topic::FACTS },
                key: Bytes::from(run.subject.key()),
                value: Bytes::from(medfleet_wire::encode_record(&medfleet_wire::Record {
                    run: run.clone(),
                    received_at: FIRST_DAY.start(),
                    implausible: Vec::new(),
                })),
            });
            self.log.append(records.collect()).await.unwrap();
        }
    }

    pub async fn fold(&self) {
        self.fold_with(self.config()).await;
    }

    /// A worker of its own life, to the end of the log.
    pub async fn fold_with(&self, config: ProcessorConfig) {
        self.worker(config).run(&Shutdown::default()).await.unwrap();
    }

    pub fn worker(&self, config: ProcessorConfig) -> Worker {
        let metrics = Metrics::default();
        let meters = Meters::new(&metrics, &config).unwrap();
        *self.metrics.lock().unwrap() = metrics;
        Worker::new(self.log(), self.lake.clone(), config, meters)
    }

    /// What the last worker counted.
    pub fn counted(&self, name: &str) -> u64 {
        let text = self.metrics.lock().unwrap().encode().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("medfleet_processor_{name} ")));
        // A label appears with its first count.
        let absent = || if name.contains('{') { "0" } else { panic!("{name} is not counted") };
        line.unwrap_or_else(absent).parse().unwrap()
    }

    /// Removes folders while no process is up.
    pub async fn lose(&mut self, folders: &[&str]) {
        folders.iter().for_each(|folder| std::fs::remove_dir_all(self.path(folder)).unwrap());
        self.lake = Lake::open_local(&self.folder).await.unwrap();
    }

    pub async fn hashes(&self) -> BTreeMap<&'static str, ContentHash> {
        rebuild::hashes(&self.lake).await.unwrap()
    }

    /// Hashes that do not depend on offsets.
    pub async fn sums(&self) -> Vec<ContentHash> {
        let hashes = self.hashes().await;
        ["rollup_quarter", "rollup_day"].map(|table| hashes[table]).to_vec()
    }

    fn homes(&self) -> Vec<Partition> {
        let count = self.log.partitions(Topic::FACTS).unwrap();
        (0..count).map(|partition| Partition::new(Topic::FACTS, partition)).collect()
    }

    pub async fn bounds(&self) -> Vec<Bounds> {
        let mut bounds = Vec::new();
        for home in self.homes() {
            bounds.push(self.log.bounds(home).await.unwrap());
        }
        bounds
    }

    /// Gives up the first `part / of` of every fact partition.
    pub async fn trim_to(&self, part: u64, of: u64) {
        for home in self.homes() {
            let end = self.log.bounds(home).await.unwrap().end;
            assert!(end >= of, "{home} has too few records to trim");
            self.log.trim(home.at(end * part / of)).await.unwrap();
        }
    }
}

/// A log whose floor stands exactly where it was trimmed to: the embedded keeper drops whole segments.
struct Trimmable {
    log: EmbeddedLog,
    floors: Mutex<BTreeMap<Partition, u64>>,
}

#[async_trait::async_trait]
impl EventLog for Trimmable {
    fn log_id(&self) -> LogId {
        self.log.log_id()
    }

    fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.log.partitions(topic)
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Position>, AppendError> {
        self.log.append(records).await
    }

    async fn read(&self, from: Position, max_bytes: usize) -> Result<Vec<Record>, LogError> {
        self.bounds(from.home()).await?.judge(from)?;
        self.log.read(from, max_bytes).await
    }

    async fn tail(&self, from: &[Position]) -> Result<Box<dyn Tail>, LogError> {
        for at in from {
            self.bounds(at.home()).await?.judge(*at)?;
        }
        let is_fleet = from.iter().all(|at| at.topic == Topic::FLEET);
        Ok(Box::new(Hesitant { tail: self.log.tail(from).await?, empty_polls: if is_fleet { 3 } else { 0 } }))
    }

    async fn bounds(&self, home: Partition) -> Result<Bounds, LogError> {
        let Bounds { end, .. } = self.log.bounds(home).await?;
        Ok(Bounds { floor: self.floors.lock().unwrap().get(&home).copied().unwrap_or(0), end })
    }

    async fn trim(&self, below: Position) -> Result<Bounds, LogError> {
        let home = below.home();
        {
            let mut floors = self.floors.lock().unwrap();
            let floor = floors.entry(home).or_default();
            *floor = (*floor).max(below.offset);
        }
        self.bounds(home).await
    }

    fn stats(&self) -> LogStats {
        self.log.stats()
    }
}

/// A tail that needs a while before it brings anything, as a consumer of a broker does.
struct Hesitant {
    tail: Box<dyn Tail>,
    empty_polls: u32,
}

#[async_trait::async_trait]
impl Tail for Hesitant {
    async fn poll(&mut self, max_bytes: usize, max_wait: Duration) -> Result<Vec<Batch>, LogError> {
        if self.empty_polls > 0 {
            self.empty_polls -= 1;
            return Ok(Vec::new());
        }
        self.tail.poll(max_bytes, max_wait).await
    }

    fn cursors(&self) -> Vec<Position> {
        self.tail.cursors()
    }

    fn seek(&mut self, to: Position) -> Result<(), LogError> {
        self.tail.seek(to)
    }
}

/// Every device of a fleet day by day: hourly stretches, an error and two counters; one record a day and device.
pub fn fleet_history(devices: usize, days: Range<i32>) -> Vec<Run> {
    days.flat_map(|day| (0..devices).map(move |device| daily(device, day))).collect()
}

pub fn facts_of(runs: &[Run]) -> u64 {
    runs.iter().map(|run| run.facts.len() as u64).sum()
}

/// What one device told, apart: the rest of the fleet, then its backlog.
pub fn late(history: Vec<Run>, device: &str) -> (Vec<Run>, Vec<Run>) {
    let newest = history.last().and_then(|run| run.facts.first()).map(|sealed| sealed.fact.at.day());
    let (backlog, told): (Vec<Run>, Vec<Run>) = history.into_iter().partition(|run| {
        let day = run.facts.first().map(|sealed| sealed.fact.at.day());
        // It was heard on its first three days, and is again on the last.
        let heard = day < Some(Day(FIRST_DAY.0 + 3)) || day == newest;
        run.subject.name() == device && !heard
    });
    (told, backlog)
}

/// An agent's heartbeats of every half minute; the last two of one moment.
pub fn heartbeats(count: i64) -> Vec<Run> {
    let at = |nth: i64| FIRST_DAY.start().plus_seconds(30 * nth);
    let beat = |nth: i64, waiting_facts: u64| {
        let journal = JournalState {
            accepted_facts: 100 + nth.unsigned_abs(),
            waiting_facts,
            used_bytes: 4_096,
            capacity_bytes: 65_536,
            oldest_known_at: Some(at(nth - 1)),
        };
        (at(nth), Body::Heartbeat(Some(Box::new(journal))))
    };
    let told = (0..count).map(|nth| beat(nth.min(count - 2), (count - nth).unsigned_abs()));
    let agent = AgentId::new("edge-1").unwrap();
    let run = |(nth, told)| run_of(Subject::agent(&agent), Epoch(7), Seq(nth), vec![told]);
    (1..).zip(told).map(run).collect()
}

fn daily(device: usize, day: i32) -> Run {
    let start = Day(FIRST_DAY.0 + day).start();
    let mut facts = Vec::new();
    for hour in 0..HOURS {
        let from = start.plus_seconds(hour * 3_600);
        let condition = if (hour + device as i64) % 3 == 0 { Condition::Productive } else { Condition::Standby };
        let until = from.plus_seconds(3_600);
        facts.push((from, Body::Stretch(Stretch { until, condition, degradation: Degradation::None })));
        if hour % 6 == 0 {
            facts.push((until, sample("exposures", (i64::from(day) * HOURS + hour) * 1_000)));
            facts.push((until, sample("power_on", (i64::from(day) * HOURS + hour) * 60_000)));
        }
    }
    facts.push((start.plus_seconds(43_200), error()));
    let count = facts.len() as u64;
    run_of(
        Subject::new(SubjectKind::Device, &format!("device-{device}")).unwrap(),
        Epoch(device as u64 + 7),
        Seq(day as u64 * count + 1),
        facts,
    )
}

fn site_run() -> Run {
    let site = Site { title: "North".into(), time_zone: "America/Denver".into(), region: String::new(), demo: false };
    let subject = Subject::site(&SiteId::new("north").unwrap());
    run_of(subject, Epoch(1), Seq(1), vec![(FIRST_DAY.start(), Body::SiteDefined(site))])
}

fn run_of(subject: Subject, epoch: Epoch, first_seq: Seq, facts: Vec<(Timestamp, Body)>) -> Run {
    let sealed = facts.into_iter().map(|(at, body)| {
        medfleet_wire::seal(Fact {
            at,
            known_at: at,
            known_assumed: false,
            clock: Clock::Synchronised,
            source: Source { kind: SourceKind::Device, name: "modbus".into() },
            body,
        })
    });
    Run {
        subject,
        epoch,
        first_seq,
        site: SiteId::new("north").unwrap(),
        kind: DeviceKind::Ct,
        agent: None,
        facts: sealed.collect(),
    }
}

fn sample(counter: &str, value_milli: i64) -> Body {
    Body::Usage(Sample {
        counter: counter.into(),
        component: String::new(),
        unit: "count".into(),
        value_milli,
        modulus_milli: None,
    })
}

fn error() -> Body {
    Body::Error(DeviceError {
        code: "E-417".into(),
        family: "tube".into(),
        severity: Severity::Minor,
        component: "tube".into(),
        cause_domain: "hardware".into(),
        text: "arc detected".into(),
    })
}
