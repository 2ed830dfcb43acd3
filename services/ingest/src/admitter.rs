//! The one way into the log: both doors and every human fact pass here. Nothing is answered before it is durable.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use medfleet_domain::fact::{Body, Run};
use medfleet_domain::id::{SiteId, Subject, SubjectKind};
use medfleet_domain::time::Timestamp;
use medfleet_log::{EventLog, LogError, NewRecord, Outcome, Partition, Position, Topic, read_to_end};
use medfleet_runtime::{Backoff, Shutdown};
use medfleet_wire::{Quarantined, Receipt, Record};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::error::IngestError;
use crate::judge::{self, Admitted, Judgement};
use crate::meters::Meters;

/// Longest pause between looks at the fleet topic.
const FLEET_POLL_WAIT: Duration = Duration::from_millis(500);
const FLEET_POLL_BYTES: usize = 1024 * 1024;
const FLEET_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How long an unconfirmed append is tried again before its message is let go without an answer.
const APPEND_PATIENCE: Duration = Duration::from_secs(20);
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Judges, appends and answers. Clones share it.
#[derive(Clone)]
pub struct Admitter {
    log: Arc<dyn EventLog>,
    sites: Arc<RwLock<BTreeSet<SiteId>>>,
    meters: Meters,
}

impl Admitter {
    pub fn new(log: Arc<dyn EventLog>, meters: Meters) -> Self {
        Self { log, sites: Arc::default(), meters }
    }

    /// Takes one MQTT message in. When this returns Ok, what it names as stored is durable in the log and what it
    /// names as poison is durable in quarantine. On an error nothing may be answered: the agent sends again.
    pub async fn batch(&self, topic: &str, payload: &Bytes, now: Timestamp) -> Result<Option<Receipt>, IngestError> {
        let started = Instant::now();
        let Judgement { append, quarantine, receipt, tally } = self.judge(topic, payload, now);
        let mut records: Vec<NewRecord> = append.iter().map(admitted).collect();
        records.extend(quarantine.iter().map(quarantined));
        self.append(records).await?;
        self.meters.count(&tally);
        for one in &quarantine {
            self.meters.quarantined_reason(&one.reason);
        }
        self.meters.admit_seconds.observe(started.elapsed().as_secs_f64());
        Ok(receipt)
    }

    /// Tries a quarantined message again. What is still refused stays where it is and was counted when it came; nothing
    /// is quarantined twice.
    pub async fn rejudge(&self, topic: &str, payload: &Bytes, now: Timestamp) -> Result<judge::Tally, IngestError> {
        let Judgement { append, tally, .. } = self.judge(topic, payload, now);
        self.append(append.iter().map(admitted).collect()).await?;
        self.meters.count(&judge::Tally { received: tally.appended, quarantined: 0, held: 0, ..tally });
        Ok(tally)
    }

    fn judge(&self, topic: &str, payload: &Bytes, now: Timestamp) -> Judgement {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        judge::batch(topic, payload, &sites, now)
    }

    /// Takes a run of human or imported facts in. The writer waits, so a refusal is an answer, not a quarantine.
    pub async fn run(&self, run: Run, now: Timestamp) -> Result<Position, IngestError> {
        let positions = self.runs(vec![run], now).await?;
        positions.into_iter().next().ok_or(IngestError::Refused(medfleet_wire::Refusal::EmptyRun))
    }

    /// Takes many runs in with one append. Refuses all when one is refused.
    pub async fn runs(&self, runs: Vec<Run>, now: Timestamp) -> Result<Vec<Position>, IngestError> {
        let records = {
            let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
            let judged = runs.into_iter().map(|run| judge::run(run, &sites, now));
            judged.collect::<Result<Vec<Record>, _>>()?
        };
        let facts = records.iter().map(|record| record.run.facts.len() as u64).sum();
        let implausible = records.iter().map(|record| record.implausible.len() as u64).sum();
        let positions = self.append(records.iter().map(logged).collect()).await?;
        for record in &records {
            self.learn(record);
        }
        let tally = judge::Tally { received: facts, appended: facts, implausible, ..judge::Tally::default() };
        self.meters.count(&tally);
        Ok(positions)
    }

    /// Returns once all records are durable. What the log did not confirm is tried again for a while: a record that was durable after
    /// all is then in the log twice, and dedup by identity removes the twin.
    async fn append(&self, mut records: Vec<NewRecord>) -> Result<Vec<Position>, IngestError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let started = Instant::now();
        let mut places: Vec<usize> = (0..records.len()).collect();
        let mut positions = vec![None; records.len()];
        let mut pauses = Backoff::new(RETRY_FIRST, RETRY_MAX, SmallRng::from_os_rng());
        loop {
            let error = match self.log.append(records.clone()).await {
                Ok(appended) => {
                    places.iter().zip(appended).for_each(|(place, position)| positions[*place] = Some(position));
                    return Ok(positions.into_iter().flatten().collect());
                }
                Err(error) => error,
            };
            if !error.is_retryable() || started.elapsed() > APPEND_PATIENCE {
                self.meters.append_failures.inc();
                return Err(IngestError::Append(error));
            }
            self.meters.append_retries.inc();
            let confirmed =
                |outcome: &Outcome| if let Outcome::Appended(position) = outcome { Some(*position) } else { None };
            places.iter().zip(&error.outcomes).for_each(|(place, outcome)| positions[*place] = confirmed(outcome));
            let mut open =
                error.outcomes.iter().map(|outcome| confirmed(outcome).is_none()).collect::<Vec<_>>().into_iter();
            records.retain(|_| open.next().unwrap_or(true));
            places.retain(|place| positions[*place].is_none());
            tokio::time::sleep(pauses.next().unwrap_or(RETRY_MAX)).await;
        }
    }

    /// Reads the fleet topic to its present end, so that known sites are known before the first batch. Answers where
    /// following goes on.
    pub async fn learn_sites(&self) -> Result<Vec<Position>, IngestError> {
        let mut learned = Vec::new();
        for partition in 0..self.log.partitions(Topic::FLEET)? {
            let home = Partition::new(Topic::FLEET, partition);
            let floor = self.log.bounds(home).await?.floor;
            let learn = |record: medfleet_log::Record| {
                self.learn_bytes(&record.value);
                Ok::<_, LogError>(true)
            };
            learned.push(read_to_end(&*self.log, home.at(floor), learn).await?);
        }
        Ok(learned)
    }

    /// Follows the fleet topic from where it was learned: a site defined anywhere is known to every ingest process. A log
    /// that is away is waited for; what is known stays known meanwhile.
    pub async fn follow_sites(self, mut from: Vec<Position>, shutdown: Shutdown) -> Result<(), IngestError> {
        while !shutdown.is_requested() {
            match self.follow_once(&mut from, &shutdown).await {
                Err(IngestError::Log(error)) if error.is_retryable() => {
                    tracing::warn!(%error, "fleet topic is away, trying again");
                    let _ = shutdown.unless_requested(tokio::time::sleep(FLEET_RETRY_PAUSE)).await;
                }
                other => return other,
            }
        }
        Ok(())
    }

    async fn follow_once(&self, from: &mut Vec<Position>, shutdown: &Shutdown) -> Result<(), IngestError> {
        let mut tail = self.log.tail(from).await?;
        while !shutdown.is_requested() {
            for batch in tail.poll(FLEET_POLL_BYTES, FLEET_POLL_WAIT).await? {
                batch.records.iter().for_each(|record| self.learn_bytes(&record.value));
            }
            *from = tail.cursors();
        }
        Ok(())
    }

    fn learn_bytes(&self, value: &[u8]) {
        match medfleet_wire::decode_record(value) {
            Ok(record) => self.learn(&record),
            Err(error) => tracing::error!(%error, "fleet record cannot be read"),
        }
    }

    fn learn(&self, record: &Record) {
        let defines = |body: &Body| matches!(body, Body::SiteDefined(_));
        if record.run.facts.iter().any(|sealed| defines(&sealed.fact.body)) {
            let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
            sites.insert(record.run.site.clone());
            self.meters.known_sites.set(sites.len() as i64);
        }
    }
}

fn logged(record: &Record) -> NewRecord {
    said_of(&record.run.subject, medfleet_wire::encode_record(record))
}

fn admitted(one: &Admitted) -> NewRecord {
    said_of(&one.run.subject, one.record())
}

/// Facts about sites go to the fleet topic, all others to their subject's stream.
fn said_of(subject: &Subject, record: Vec<u8>) -> NewRecord {
    let topic = if subject.kind == SubjectKind::Site { Topic::FLEET } else { Topic::FACTS };
    NewRecord { topic, key: subject.key().into(), value: record.into() }
}

fn quarantined(refused: &Quarantined) -> NewRecord {
    let key = refused.subject.as_ref().map_or_else(|| refused.origin.clone(), |subject| subject.key());
    NewRecord {
        topic: Topic::QUARANTINE,
        key: Bytes::from(key),
        value: Bytes::from(medfleet_wire::encode_quarantined(refused)),
    }
}
