//! The worker's loop: poll the log, admit records, flush rows with offsets. It owns no truth: after any doubt it restores.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use medfleet_lake::{Lake, Origin, Reader, ReaderLimits, UtcMicros};
use medfleet_log::{Batch, EventLog, Partition, Position, Tail, Topic};
use medfleet_runtime::Shutdown;

use crate::archive::{Archive, Past};
use crate::book::{Book, Counts, Place};
use crate::config::ProcessorConfig;
use crate::error::ProcessorError;
use crate::flush::Shelves;
use crate::meters::Meters;
use crate::snapshot::Snapshots;

/// How long one poll waits for a record.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Pause before a restored worker reads again, so that two writers of one partition do not spin.
const RESTORE_PAUSE: Duration = Duration::from_secs(1);

/// Names what decides the rows: another combination writes tables of its own.
pub fn origin(log: &dyn EventLog) -> Origin {
    let rules = format!("fold {}, schema {}", medfleet_domain::FOLD_VERSION, medfleet_wire::SCHEMA_VERSION);
    Origin { rules, log: log.log_id().to_string() }
}

/// One worker: it owns partitions of the log and writes their rows.
pub struct Worker {
    log: Arc<dyn EventLog>,
    lake: Lake,
    config: ProcessorConfig,
    meters: Meters,
}

/// One life between two restores.
struct Life {
    shelves: Shelves,
    archive: Archive,
    snapshots: Snapshots,
    book: Book,
    fleet: Box<dyn Tail>,
    facts: Box<dyn Tail>,
    oldest_pending: Option<Instant>,
    last_snapshot: Instant,
    /// Records that waited at the last look.
    lag: u64,
    counted: Counts,
}

impl Worker {
    pub fn new(log: Arc<dyn EventLog>, lake: Lake, config: ProcessorConfig, meters: Meters) -> Self {
        Self { log, lake, config, meters }
    }

    /// Works until asked to end, or idle if that is enough, then drains: flushes and writes a snapshot.
    pub async fn run(&self, shutdown: &Shutdown) -> Result<(), ProcessorError> {
        loop {
            match self.live(shutdown).await {
                Err(ProcessorError::Fenced { table }) => {
                    self.meters.fences.inc();
                    tracing::warn!(table, "fenced, restoring from the tables");
                }
                Err(ProcessorError::Log(error)) if error.is_retryable() => {
                    tracing::warn!(%error, "the log is away, restoring from the tables");
                }
                other => return other,
            }
            self.meters.restarts.inc();
            tokio::select! {
                () = shutdown.requested() => return Ok(()),
                () = tokio::time::sleep(RESTORE_PAUSE) => {}
            }
        }
    }

    async fn live(&self, shutdown: &Shutdown) -> Result<(), ProcessorError> {
        let mut life = self.restore().await?;
        while !shutdown.is_requested() {
            let lag = self.turn(&mut life).await?;
            if lag == 0 && self.config.stop_when_idle {
                break;
            }
        }
        self.flush(&mut life, true).await?;
        self.snapshot(&mut life)
    }

    /// Opens the tables, finds the newest usable snapshot and stands where it ends.
    async fn restore(&self) -> Result<Life, ProcessorError> {
        let started = Instant::now();
        let owned = self.owned()?;
        let reader = || Reader::new(self.lake.clone(), ReaderLimits::default());
        let shelves = Shelves::open(&self.lake, reader()?, &origin(&*self.log), &owned).await?;
        for home in &owned {
            let (end, reached) = (self.log.bounds(*home).await?.end, shelves.furthest(*home));
            if end < reached {
                return Err(ProcessorError::LogTooShort { partition: home.to_string(), reached, end });
            }
        }
        let snapshots = Snapshots::open(&self.config.snapshot_folder, &self.log.log_id().to_string())?;
        let book = snapshots.load(|home| shelves.resume_at(home))?.unwrap_or_default();
        let (fleet_from, facts_from) = standing(&owned, &book);
        let fleet = self.log.tail(&fleet_from).await?;
        let facts = self.log.tail(&facts_from).await?;
        tracing::info!(subjects = book.memory.ledgers.len(), milliseconds = started.elapsed().as_millis(), "restored");
        Ok(Life {
            shelves,
            archive: Archive::new(reader()?),
            snapshots,
            counted: book.counts,
            book,
            fleet,
            facts,
            oldest_pending: None,
            last_snapshot: Instant::now(),
            lag: 0,
        })
    }

    fn owned(&self) -> Result<Vec<Partition>, ProcessorError> {
        let count = self.log.partitions(Topic::FACTS)?;
        let mine = |partition: &u32| self.config.partitions.is_empty() || self.config.partitions.contains(partition);
        let facts = (0..count).filter(mine).map(|partition| Partition::new(Topic::FACTS, partition));
        let fleet = 0..self.log.partitions(Topic::FLEET)?;
        Ok(facts.chain(fleet.map(|partition| Partition::new(Topic::FLEET, partition))).collect())
    }

    /// One poll, and a flush when it is due. Fleet facts appended before a device's facts are folded before them.
    /// Answers how many records of the log are still to be read.
    async fn turn(&self, life: &mut Life) -> Result<u64, ProcessorError> {
        let facts = life.facts.poll(self.config.poll_bytes, POLL_WAIT).await?;
        let mut batches = Vec::new();
        loop {
            let fleet = life.fleet.poll(self.config.poll_bytes, Duration::ZERO).await?;
            if fleet.is_empty() {
                break;
            }
            batches.extend(fleet);
        }
        batches.extend(facts);
        for batch in batches {
            self.admit(life, batch).await?;
        }
        let overdue = life.oldest_pending.is_some_and(|since| since.elapsed() >= self.config.flush_after());
        if overdue {
            self.flush(life, false).await?;
        }
        if life.last_snapshot.elapsed() >= self.config.snapshot_after() && life.book.pending.is_empty() {
            self.flush(life, true).await?;
            self.snapshot(life)?;
        }
        let cursors = life.facts.cursors().into_iter().chain(life.fleet.cursors()).collect();
        life.lag = self.lag(cursors).await?;
        self.meters.count(life.counted, life.book.counts);
        life.counted = life.book.counts;
        self.meters.watchdog.report(0, life.lag);
        Ok(life.lag)
    }

    async fn lag(&self, cursors: Vec<Position>) -> Result<u64, ProcessorError> {
        let mut lag = 0;
        for at in cursors {
            lag += self.log.bounds(at.home()).await?.end.saturating_sub(at.offset);
        }
        Ok(lag)
    }

    async fn admit(&self, life: &mut Life, batch: Batch) -> Result<(), ProcessorError> {
        for record in batch.records {
            let home = batch.home;
            let place = Place { home, offset: record.offset, appended_at_micros: record.appended_at_micros };
            let read = medfleet_wire::decode_record(&record.value)
                .map_err(|source| ProcessorError::Record { place: home.at(record.offset).to_string(), source })?;
            while let Err(need) = life.book.admit(&read.run, &read.implausible, place) {
                self.meters.needs.inc();
                self.answer(life, &read.run.subject, need, place).await?;
            }
            self.meters.watchdog.report(read.run.facts.len() as u64, life.lag);
            life.oldest_pending.get_or_insert_with(Instant::now);
            if life.book.pending.len() >= self.config.flush_rows {
                self.flush(life, false).await?;
            }
        }
        Ok(())
    }

    async fn answer(
        &self,
        life: &mut Life,
        subject: &medfleet_domain::id::Subject,
        need: medfleet_domain::ledger::Need,
        place: Place,
    ) -> Result<(), ProcessorError> {
        let Some(facts) = life.shelves.version("facts") else { return Ok(()) };
        let Book { memory, pending, .. } = &mut life.book;
        let ledger = memory.ledgers.entry(subject.clone()).or_default();
        let past = Past { facts: &facts, pending: &pending.facts, below: place.offset };
        life.archive.answer(subject, need, past, ledger).await
    }

    async fn flush(&self, life: &mut Life, all: bool) -> Result<(), ProcessorError> {
        if life.book.pending.is_empty() && !all {
            life.oldest_pending = None;
            return Ok(());
        }
        let started = Instant::now();
        let flushed = life.shelves.flush(&life.book, all, UtcMicros(now_micros())).await?;
        life.book.committed();
        life.oldest_pending = None;
        self.meters.flush_seconds.observe(started.elapsed().as_secs_f64());
        self.meters.rows.inc_by(flushed.rows);
        self.meters.subjects.set(life.book.memory.ledgers.len() as i64);
        if let Some(newest) = life.book.appended_max.values().max() {
            self.meters.freshness.set((now_micros() - newest) / 1_000_000);
        }
        Ok(())
    }

    fn snapshot(&self, life: &mut Life) -> Result<(), ProcessorError> {
        let bytes = life.snapshots.save(&life.book)?;
        life.last_snapshot = Instant::now();
        self.meters.snapshots.inc();
        self.meters.snapshot_bytes.set(bytes.cast_signed());
        let missing: u64 = life.book.memory.ledgers.values().map(medfleet_domain::ledger::Ledger::missing_facts).sum();
        self.meters.missing.set(missing.cast_signed());
        Ok(())
    }
}

/// Where the book ends in the partitions of each topic: fleet, then facts.
fn standing(owned: &[Partition], book: &Book) -> (Vec<Position>, Vec<Position>) {
    let stand = |home: &Partition| home.at(book.next.get(home).copied().unwrap_or(0));
    owned.iter().map(stand).partition(|at| at.topic == Topic::FLEET)
}

pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as i64)
}
