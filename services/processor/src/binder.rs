//! The binder at work: follows the log, and appends what devices lack of the facts of their addresses.
//!
//! It keeps nothing of its own. At a start it reads from the archive what concerns places, follows the log from the same
//! cut to its end, and only then begins to give: whatever a life before it appended is known by then, and what it had
//! decided and not appended is decided again, under the same identities.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use medfleet_domain::binder::{Binder, Heard, Owed};
use medfleet_domain::fact::{Run, Sealed};
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_lake::rows::FactRow;
use medfleet_lake::{Lake, Reader, ReaderLimits, Row as _, run};
use medfleet_log::{Batch, EventLog, LogError, NewRecord, Partition, Position, Tail, Topic};
use medfleet_runtime::{Metrics, RuntimeError, Shutdown, Watchdog, now_micros};
use prometheus::{IntCounter, IntGauge};

use crate::error::ProcessorError;
use crate::worker::{RESTORE_PAUSE, partitions};

const POLL_BYTES: usize = 8 * 1024 * 1024;
const POLL_WAIT: Duration = Duration::from_millis(200);
/// A record of copies stays well below the largest record.
const RUN_MAX_BYTES: usize = 256 * 1024;
/// Records appended with one call.
const RECORDS_PER_APPEND: usize = 8;

/// What the binder counts and shows.
#[derive(Clone)]
pub struct BinderMeters {
    copies: IntCounter,
    voids: IntCounter,
    refused: IntCounter,
    restarts: IntCounter,
    place_facts: IntGauge,
    given_up: IntGauge,
    pub watchdog: Watchdog,
}

impl BinderMeters {
    pub fn new(metrics: &Metrics, stall_limit: Duration) -> Result<Self, RuntimeError> {
        let room = metrics.room("binder");
        Ok(Self {
            copies: room.counter("copies_total", "Facts of places appended to devices' streams.")?,
            voids: room.counter("voids_total", "Voids of copies that were given wrongly.")?,
            refused: room.counter("refused_copies_total", "Copies that no reader would take: too large.")?,
            restarts: room.counter("restarts_total", "Times memory was forgotten and read again.")?,
            place_facts: room.gauge("place_facts", "Facts of places in memory.")?,
            given_up: room.gauge("given_up_facts", "Copies taken back too often to be given again.")?,
            watchdog: Watchdog::new("binder", stall_limit, metrics)?,
        })
    }
}

/// The binder's driver. There is one per log; a second one costs duplicates and nothing else.
pub struct Binding {
    log: Arc<dyn EventLog>,
    lake: Lake,
    meters: BinderMeters,
}

/// One life between two restores.
struct Life {
    binder: Binder,
    tail: Box<dyn Tail>,
    /// Where the log ended when this life began: nothing is given before it has read so far.
    ends: BTreeMap<Partition, u64>,
    is_abreast: bool,
}

impl Binding {
    pub fn new(log: Arc<dyn EventLog>, lake: Lake, meters: BinderMeters) -> Self {
        Self { log, lake, meters }
    }

    /// Works until asked to end. There is nothing to drain.
    pub fn run<'a>(&'a self, shutdown: &'a Shutdown) -> BoxFuture<'a, Result<(), ProcessorError>> {
        self.work(shutdown).boxed()
    }

    async fn work(&self, shutdown: &Shutdown) -> Result<(), ProcessorError> {
        loop {
            match self.live(shutdown).await {
                Err(ProcessorError::Log(error @ LogError::BelowFloor { .. })) => {
                    tracing::warn!(%error, "the log was trimmed past the binder, reading the archive again");
                }
                Err(ProcessorError::Log(error)) if error.is_retryable() => {
                    tracing::warn!(%error, "the log is away, reading again");
                }
                Err(ProcessorError::Append(error)) if error.is_retryable() => {
                    tracing::warn!(%error, "the log did not confirm what it was given, reading again");
                }
                Err(ProcessorError::Trimmed { partition, floor, .. }) => {
                    tracing::warn!(
                        partition,
                        floor,
                        "the newest cut lies below the log's floor, waiting for a newer one"
                    );
                }
                other => return other,
            }
            self.meters.restarts.inc();
            if shutdown.unless_requested(tokio::time::sleep(RESTORE_PAUSE)).await.is_none() {
                return Ok(());
            }
        }
    }

    async fn live(&self, shutdown: &Shutdown) -> Result<(), ProcessorError> {
        let mut life = self.restore().await?;
        while !shutdown.is_requested() {
            self.turn(&mut life).await?;
        }
        Ok(())
    }

    /// Gives everything that the log as it stands asks for, and ends: for jobs, not for services.
    pub fn until_idle(&self) -> BoxFuture<'_, Result<(), ProcessorError>> {
        self.give_all().boxed()
    }

    async fn give_all(&self) -> Result<(), ProcessorError> {
        let mut life = self.restore().await?;
        while self.turn(&mut life).await? > 0 || !life.is_abreast {}
        Ok(())
    }

    /// One poll, and what is owed after it. Answers how many records of the log are still to be read.
    async fn turn(&self, life: &mut Life) -> Result<u64, ProcessorError> {
        let batches = life.tail.poll(POLL_BYTES, POLL_WAIT).await?;
        let records = batches.iter().map(|batch| batch.records.len() as u64).sum();
        for batch in batches {
            hear_batch(&mut life.binder, batch)?;
        }
        let reached = |at: &Position| at.offset >= life.ends.get(&at.home()).copied().unwrap_or(0);
        life.is_abreast = life.is_abreast || life.tail.cursors().iter().all(reached);
        if life.is_abreast {
            self.give(&mut life.binder).await?;
        }
        let lag = self.lag(life.tail.cursors()).await?;
        self.meters.watchdog.report(records, lag);
        self.meters.place_facts.set(life.binder.place_facts() as i64);
        self.meters.given_up.set(life.binder.given_up().cast_signed());
        Ok(lag)
    }

    async fn restore(&self) -> Result<Life, ProcessorError> {
        let reader = Reader::new(self.lake.clone(), ReaderLimits::default())?;
        let cut = reader.newest_cut().await?.unwrap_or_default();
        let (mut from, mut ends) = (Vec::new(), BTreeMap::new());
        for home in partitions(&*self.log, Topic::FACTS)? {
            let bounds = self.log.bounds(home).await?;
            let next = cut.offsets.get(&home.to_string()).map_or(0, |next| next.cast_unsigned());
            if next < bounds.floor {
                let (partition, floor) = (home.to_string(), bounds.floor);
                return Err(ProcessorError::Trimmed { partition, floor, archived: next });
            }
            from.push(home.at(next));
            ends.insert(home, bounds.end);
        }
        let mut binder = Binder::default();
        if cut.tables.contains_key("facts") {
            let session = reader.open_cut(&cut).await?;
            for batch in run(&session, &remembered(), &[]).await? {
                FactRow::from_batch(&batch)?.iter().try_for_each(|row| hear_row(&mut binder, row))?;
            }
        }
        let tail = self.log.tail(&from).await?;
        Ok(Life { binder, tail, ends, is_abreast: false })
    }

    async fn lag(&self, cursors: Vec<Position>) -> Result<u64, ProcessorError> {
        let mut lag = 0;
        for at in cursors {
            lag += self.log.bounds(at.home()).await?.end.saturating_sub(at.offset);
        }
        Ok(lag)
    }

    /// Appends what is owed. The binder hears of it only once it is durable; on an error it reads everything again.
    async fn give(&self, binder: &mut Binder) -> Result<(), ProcessorError> {
        let runs: Vec<Run> = binder.owed().into_iter().flat_map(|owed| self.runs(owed)).collect();
        for runs in runs.chunks(RECORDS_PER_APPEND) {
            let records = runs.iter().map(|run| record(run.clone())).collect();
            self.log.append(records).await.map_err(ProcessorError::Append)?;
            for run in runs {
                let given = if run.epoch.holds_copies() { &self.meters.copies } else { &self.meters.voids };
                given.inc_by(run.facts.len() as u64);
                hear_run(binder, run, &[]);
            }
        }
        Ok(())
    }

    /// Seals what is owed, in runs that fit a record. A copy that no reader would take is left out and counted.
    fn runs(&self, owed: Owed) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut bytes = RUN_MAX_BYTES;
        for (seq, fact) in (owed.first_seq.0..).map(Seq).zip(owed.facts) {
            let Ok(sealed) = medfleet_wire::accept(fact) else {
                self.meters.refused.inc();
                bytes = RUN_MAX_BYTES;
                continue;
            };
            bytes += sealed.bytes.len();
            match runs.last_mut() {
                Some(run) if bytes < RUN_MAX_BYTES && run.facts.len() < medfleet_wire::limits::RUN_MAX_FACTS => {
                    run.facts.push(sealed);
                }
                _ => {
                    bytes = sealed.bytes.len();
                    runs.push(Run {
                        subject: owed.device.clone(),
                        epoch: owed.epoch,
                        first_seq: seq,
                        site: owed.site.clone(),
                        kind: owed.kind,
                        agent: owed.agent.clone(),
                        facts: vec![sealed],
                    });
                }
            }
        }
        runs
    }
}

/// The archived facts that the binder lives on: of places, about their names, and its own copies.
fn remembered() -> String {
    let (first, last) = (Epoch::COPIES.0.0.cast_signed(), Epoch::COPIES.1.0.cast_signed());
    format!(
        "SELECT * FROM facts WHERE verdict <> 'duplicate' AND (subject_kind = 'place' OR (subject_kind = 'device' \
         AND (kind IN ('bound', 'unbound', 'corrected', 'voided') OR epoch BETWEEN {first} AND {last})))"
    )
}

fn record(run: Run) -> NewRecord {
    let key = run.subject.key().into();
    let record = medfleet_wire::Record { run, received_at: Timestamp(now_micros()), implausible: Vec::new() };
    NewRecord { topic: Topic::FACTS, key, value: medfleet_wire::encode_record(&record).into() }
}

fn hear_batch(binder: &mut Binder, batch: Batch) -> Result<(), ProcessorError> {
    for record in batch.records {
        let read = medfleet_wire::decode_record(&record.value)
            .map_err(|source| ProcessorError::Record { place: batch.home.at(record.offset).to_string(), source })?;
        hear_run(binder, &read.run, &read.implausible);
    }
    Ok(())
}

fn hear_run(binder: &mut Binder, run: &Run, implausible: &[Seq]) {
    for (seq, sealed) in (run.first_seq.0..).map(Seq).zip(&run.facts) {
        binder.hear(Heard {
            subject: &run.subject,
            epoch: run.epoch,
            seq,
            site: &run.site,
            kind: run.kind,
            agent: run.agent.as_ref(),
            suspect: implausible.contains(&seq),
            sealed,
        });
    }
}

fn hear_row(binder: &mut Binder, row: &FactRow) -> Result<(), ProcessorError> {
    let (epoch, seq) = (Epoch(row.epoch.cast_unsigned()), Seq(row.seq.cast_unsigned()));
    let bytes = row.bytes.as_deref().unwrap_or_default();
    let sealed: Sealed = medfleet_wire::decode_fact(bytes).map_err(|source| ProcessorError::Archived {
        subject: row.subject.to_string(),
        epoch,
        seq: row.seq,
        source,
    })?;
    let subject = Subject::new(SubjectKind::parse(&row.subject_kind)?, &row.subject)?;
    let agent = row.agent.as_deref().map(AgentId::new).transpose()?;
    binder.hear(Heard {
        subject: &subject,
        epoch,
        seq,
        site: &SiteId::new(&row.site)?,
        kind: DeviceKind::parse(&row.device_kind)?,
        agent: agent.as_ref(),
        suspect: row.suspect,
        sealed: &sealed,
    });
    Ok(())
}
