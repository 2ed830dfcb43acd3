//! A log with a made-up hospital in it, lakes to fold it into, and an oracle that folds it in memory.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::entry::Row;
use medfleet_domain::fact::{Amendment, Body, Fact, Run, Source, Stretch};
use medfleet_domain::fleet::Site;
use medfleet_domain::human::Binding;
use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::ledger::Ledger;
use medfleet_domain::time::{Day, Timestamp};
use medfleet_lake::{ContentHash, Cut, Lake, Reader, ReaderLimits, run};
use medfleet_log::embedded::{EmbeddedConfig, EmbeddedLog};
use medfleet_log::topics::{Profile, street};
use medfleet_log::{EventLog, NewRecord, Partition, Topic};
use medfleet_processor::{Meters, ProcessorConfig, ProcessorError, Worker, rebuild};
use medfleet_runtime::{Metrics, Shutdown};
use medfleet_wire::{Record, decode_record, encode_record, seal};

pub const DAY: Day = Day::from_civil(2026, 3, 20);

pub async fn open_log(folder: &Path) -> Arc<dyn EventLog> {
    let log = EmbeddedLog::open(EmbeddedConfig::new(folder.join("log")), &street(Profile::Dev).unwrap()).await.unwrap();
    Arc::new(log)
}

/// One worker's life over a lake under `data`.
pub struct Post {
    pub lake: Lake,
    pub meters: Meters,
    worker: Worker,
}

impl Post {
    pub async fn new(log: &Arc<dyn EventLog>, data: &Path, config: ProcessorConfig) -> Self {
        let lake = Lake::open_local(data).await.unwrap();
        let meters = Meters::new(&Metrics::new().unwrap(), &config).unwrap();
        let worker = Worker::new(Arc::clone(log), lake.clone(), config, meters.clone());
        Self { lake, meters, worker }
    }

    pub async fn run(&self, shutdown: &Shutdown) -> Result<(), ProcessorError> {
        self.worker.run(shutdown).await
    }
}

pub fn config(data: &Path, name: &str) -> ProcessorConfig {
    ProcessorConfig {
        snapshot_folder: data.join(name),
        flush_rows: 200,
        flush_after_milliseconds: 20,
        ..ProcessorConfig::default()
    }
}

/// Folds all there is into a lake with one worker.
pub async fn fold_alone(log: &Arc<dyn EventLog>, data: &Path) -> BTreeMap<&'static str, ContentHash> {
    let config = ProcessorConfig { stop_when_idle: true, ..config(data, "alone") };
    let post = Post::new(log, data, config).await;
    post.run(&Shutdown::new()).await.unwrap();
    rebuild::hashes(&post.lake).await.unwrap()
}

pub async fn append(log: &Arc<dyn EventLog>, runs: Vec<Run>) {
    let records = runs.into_iter().map(|run| {
        let topic = if run.subject.kind == SubjectKind::Site { Topic::FLEET } else { Topic::FACTS };
        let key = run.subject.key().into();
        let record = Record { run, received_at: DAY.end(), implausible: Vec::new() };
        NewRecord { topic, key, value: encode_record(&record).into() }
    });
    log.append(records.collect()).await.unwrap();
}

pub fn site() -> SiteId {
    SiteId::new("mercy").unwrap()
}

pub fn device(name: &str) -> Subject {
    Subject::new(SubjectKind::Device, name).unwrap()
}

pub fn at(hour: i64, minute: i64) -> Timestamp {
    DAY.start().plus_seconds(hour * 3_600 + minute * 60)
}

pub fn fact(at: Timestamp, known_at: Timestamp, body: Body) -> Fact {
    let machine = matches!(body, Body::Stretch(_) | Body::Usage(_) | Body::Error(_) | Body::Began { .. });
    let kind = if machine { SourceKind::Device } else { SourceKind::Person };
    let source = Source { kind, name: "test".into() };
    Fact { at, known_at, known_assumed: false, clock: Clock::Synchronised, source, body }
}

pub fn stretch(from: Timestamp, until: Timestamp, condition: Condition) -> Fact {
    fact(from, until, Body::Stretch(Stretch { until, condition, degradation: Degradation::None }))
}

pub fn run_of(subject: &Subject, epoch: u64, first_seq: u64, facts: Vec<Fact>) -> Run {
    Run {
        subject: subject.clone(),
        epoch: Epoch(epoch),
        first_seq: Seq(first_seq),
        site: site(),
        kind: DeviceKind::Ct,
        agent: None,
        facts: facts.into_iter().map(seal).collect(),
    }
}

pub fn bound(place: &str) -> Body {
    Body::Bound(Binding { place: place.into() })
}

pub fn unbound(place: &str) -> Body {
    Body::Unbound(Binding { place: place.into() })
}

pub fn voided(epoch: u64, seq: u64) -> Body {
    let target = SeqRange::one(Epoch(epoch), Seq(seq));
    Body::Amended(Box::new(Amendment { target, replacement: None, author: "kim".into(), reason: "wrong".into() }))
}

pub fn site_defined() -> Run {
    let body = Body::SiteDefined(Site {
        title: "Mercy".into(),
        time_zone: "America/New_York".into(),
        region: "east".into(),
        demo: false,
    });
    let subject = Subject::site(&site());
    run_of(&subject, 1, 1, vec![fact(DAY.start(), DAY.start(), body)])
}

/// Device-microseconds by condition: what rows, quarter-hours and days must all say.
pub type Sums = BTreeMap<String, i64>;

/// The fold of the log below a cut, in memory and with nothing of the tables'.
pub async fn oracle(log: &Arc<dyn EventLog>, cut: &Cut) -> Sums {
    let mut ledgers: HashMap<Subject, Ledger> = HashMap::new();
    let mut sums = Sums::new();
    for partition in 0..log.partitions(Topic::FACTS).unwrap() {
        let home = Partition::new(Topic::FACTS, partition);
        let end = cut.offsets.get(&home.to_string()).map_or(0, |next| next.cast_unsigned());
        let mut next = 0;
        while next < end {
            let records = log.read(home.at(next), 1 << 20).await.unwrap();
            for record in records.iter().take_while(|record| record.offset < end) {
                let read = decode_record(&record.value).unwrap();
                let ledger = ledgers.entry(read.run.subject.clone()).or_default();
                let admitted = loop {
                    match ledger.admit(&read.run, &read.implausible) {
                        Ok(admitted) => break admitted,
                        Err(needs) => {
                            assert!(needs.days.is_empty() && needs.epochs.is_empty() && needs.digests.is_empty());
                            needs.located.into_iter().for_each(|range| ledger.supply_located(range, Vec::new()));
                        }
                    }
                };
                for entry in admitted.entries {
                    let Row::Interval(row) = entry.row else { continue };
                    *sums.entry(row.condition.as_str().to_owned()).or_default() += entry.weight * row.span.micros();
                }
            }
            next = records.last().unwrap().offset + 1;
        }
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// What the tables of a cut say, by each of the three ways to ask.
pub async fn told(reader: &Reader, cut: &Cut) -> [Sums; 3] {
    let session = reader.open_cut(cut).await.unwrap();
    let mut told = [Sums::new(), Sums::new(), Sums::new()];
    let from_rows = "SELECT condition, SUM(weight * (CAST(until_at AS BIGINT) - CAST(from_at AS BIGINT))) AS n \
                     FROM intervals GROUP BY condition";
    let of = |table: &str| format!("SELECT condition, SUM(micros) AS n FROM {table} GROUP BY condition");
    let asked = [from_rows.to_owned(), of("rollup_quarter"), of("rollup_day")];
    for (sums, sql) in told.iter_mut().zip(asked) {
        for batch in run(&session, &sql, &[]).await.unwrap() {
            let names = cast(batch.column(0), &DataType::Utf8).unwrap();
            let numbers = cast(batch.column(1), &DataType::Int64).unwrap();
            let numbers = numbers.as_primitive::<Int64Type>().values().iter().copied();
            sums.extend(names.as_string::<i32>().iter().map(|name| name.unwrap().to_owned()).zip(numbers));
        }
        sums.retain(|_, sum| *sum != 0);
    }
    told
}

pub fn reader(lake: &Lake) -> Reader {
    Reader::new(lake.clone(), ReaderLimits::default()).unwrap()
}

/// The first column of a batch, as text.
pub fn texts(batch: &medfleet_lake::RecordBatch) -> Vec<String> {
    let column = cast(batch.column(0), &DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}
