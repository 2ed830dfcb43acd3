//! The worker's loop: poll the log, admit records, flush rows with offsets. It owns no truth: after any doubt it restores.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use medfleet_lake::{Lake, Origin, Reader, ReaderLimits};
use medfleet_log::{Batch, EventLog, Partition, Position, Record, Tail, Topic, read_to_end};
use medfleet_runtime::{Shutdown, now_micros};

use crate::appetite::Appetite;
use crate::archive::Archive;
use crate::book::{Book, Counts};
use crate::chronicle::{self, is_chronicle};
use crate::clerk::{Clerk, Spans};
use crate::config::ProcessorConfig;
use crate::cut_maker::CutMaker;
use crate::error::ProcessorError;
use crate::flush::{Share, Shelves};
use crate::meters::Meters;
use crate::retention::Marks;
use crate::snapshot::Snapshots;
use crate::told::Told;

/// How long one poll waits for a record.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Pause before a restored worker reads again, so that two writers of one partition do not spin.
pub const RESTORE_PAUSE: Duration = Duration::from_secs(1);

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
    clerk: Clerk,
    snapshots: Snapshots,
    marks: Marks,
    fleet: Box<dyn Tail>,
    facts: Box<dyn Tail>,
    chronicle: Box<dyn Tail>,
    appetite: Appetite,
    oldest_pending: Option<Instant>,
    last_snapshot: Instant,
    /// Records that waited at the last look.
    lag: u64,
    counted: Counts,
    queried: u64,
}

impl Worker {
    pub fn new(log: Arc<dyn EventLog>, lake: Lake, config: ProcessorConfig, meters: Meters) -> Self {
        Self { log, lake, config, meters }
    }

    /// Works until asked to end, or idle if that is enough, then drains: flushes and writes a snapshot. The leader of several
    /// workers makes the cuts beside it, the last one once it has ended.
    pub fn run<'a>(&'a self, shutdown: &'a Shutdown) -> BoxFuture<'a, Result<(), ProcessorError>> {
        self.lead(shutdown).boxed()
    }

    async fn lead(&self, shutdown: &Shutdown) -> Result<(), ProcessorError> {
        if self.config.partitions.is_empty() || !self.config.leads() {
            return self.fold(shutdown).await;
        }
        let ended = Shutdown::new();
        let fold = async {
            let folded = self.fold(shutdown).await;
            ended.request();
            folded
        };
        let maker =
            CutMaker::new(Arc::clone(&self.log), self.lake.clone(), self.config.flush_after(), self.meters.clone());
        tokio::try_join!(fold, maker.run(&ended)).map(drop)
    }

    async fn fold(&self, shutdown: &Shutdown) -> Result<(), ProcessorError> {
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
        let worked = self.work(&mut life, shutdown).await;
        // Nothing of this life may land in the next.
        let landed = life.clerk.land().await;
        worked.and(landed)
    }

    async fn work(&self, life: &mut Life, shutdown: &Shutdown) -> Result<(), ProcessorError> {
        while !shutdown.is_requested() {
            let lag = self.turn(life).await?;
            if lag == 0 && self.config.stop_when_idle {
                break;
            }
        }
        self.snapshot(life).await
    }

    /// Opens the tables, finds the newest usable snapshot and stands where it ends.
    async fn restore(&self) -> Result<Life, ProcessorError> {
        let started = Instant::now();
        self.meters.uncommitted.set(0);
        let owned = self.owned()?;
        let share = if self.config.partitions.is_empty() { Share::Whole } else { Share::Part };
        let reader = || Reader::new(self.lake.clone(), ReaderLimits::default());
        let shelves = Shelves::open(&self.lake, reader()?, &origin(&*self.log), &owned, share).await?;
        for home in &owned {
            let (end, reached) = (self.log.bounds(*home).await?.end, shelves.furthest(*home));
            if end < reached {
                return Err(ProcessorError::LogTooShort { partition: home.to_string(), reached, end });
            }
        }
        let snapshots = Snapshots::open(&self.config.snapshot_folder, &self.log.log_id().to_string())?;
        let (book, marks) = snapshots.load(|home| shelves.resume_at(home))?.unwrap_or_default();
        let meters = self.meters.clone();
        let mut clerk =
            Clerk::new(book, shelves, Archive::new(reader()?), None).telling(move |flushed| meters.flushed(flushed));
        self.catch_up(&mut clerk, &owned).await?;
        let tail = |topics| standing(topics, &owned, &clerk.book);
        let fleet = self.log.tail(&tail(&[Topic::FLEET])).await?;
        let facts = self.log.tail(&tail(&[Topic::FACTS])).await?;
        let chronicle = self.log.tail(&tail(&chronicle::TOPICS)).await?;
        let subjects = clerk.book.memory.ledgers.len();
        tracing::info!(subjects, milliseconds = started.elapsed().as_millis(), "restored");
        Ok(Life {
            snapshots,
            marks,
            counted: clerk.book.counts,
            queried: clerk.queries(),
            clerk,
            fleet,
            facts,
            chronicle,
            appetite: Appetite::new(self.config.poll_bytes, self.config.flush_after()),
            oldest_pending: None,
            last_snapshot: Instant::now(),
            lag: 0,
        })
    }

    /// Where the log begins after the place where memory ends, the archive tells what lay between. Sites first: rollups
    /// ask for their time zones.
    async fn catch_up(&self, clerk: &mut Clerk, owned: &[Partition]) -> Result<(), ProcessorError> {
        let mut spans = Spans::new();
        for home in owned {
            let (stands, floor) =
                (clerk.book.next.get(home).copied().unwrap_or(0), self.log.bounds(*home).await?.floor);
            let archived = clerk.shelves().await.archived(*home);
            if stands < floor && archived < floor {
                return Err(ProcessorError::Trimmed { partition: home.to_string(), floor, archived });
            }
            spans.insert(*home, stands..floor.max(stands));
        }
        if spans.values().all(std::ops::Range::is_empty) {
            return Ok(());
        }
        tracing::info!("no snapshot reaches the log's floor, folding what lies below it from the facts table");
        let lag: u64 = spans.values().map(|span| span.end - span.start).sum();
        let report = |told: &Told| self.report(told, lag);
        let (fleet, facts): (Spans, Spans) = spans.into_iter().partition(|(home, _)| home.topic == Topic::FLEET);
        clerk.replay(&fleet, self.config.flush_rows, report).await?;
        for home in fleet.keys() {
            let from = home.at(clerk.book.next.get(home).copied().unwrap_or(0));
            let mut told = VecDeque::new();
            read_to_end(&*self.log, from, |record| {
                told.push_back(Told::by_log(*home, &record)?);
                Ok::<_, ProcessorError>(true)
            })
            .await?;
            clerk.admit_all(&mut told, self.config.flush_rows, report).await?;
        }
        clerk.replay(&facts, self.config.flush_rows, report).await?;
        clerk.flush(false).await?;
        clerk.land().await
    }

    fn owned(&self) -> Result<Vec<Partition>, ProcessorError> {
        let listed = &self.config.partitions;
        let mine = |home: &Partition| listed.is_empty() || listed.contains(&home.partition);
        let facts = partitions(&*self.log, Topic::FACTS)?.filter(mine);
        let mut owned: Vec<Partition> = facts.collect();
        for topic in [Topic::FLEET].into_iter().chain(chronicle::TOPICS).filter(|_| self.config.leads()) {
            owned.extend(partitions(&*self.log, topic)?);
        }
        Ok(owned)
    }

    /// One poll, and a flush when it is due. Fleet facts appended before a device's facts are folded before them.
    /// Answers how many records of the log are still to be read.
    async fn turn(&self, life: &mut Life) -> Result<u64, ProcessorError> {
        life.clerk.look().await?;
        let facts = life.facts.poll(life.appetite.bytes(), POLL_WAIT).await?;
        let mut batches = self.fleet_by_now(life, !facts.is_empty()).await?;
        let taken_bytes = facts.iter().flat_map(|batch| &batch.records).map(Record::size_bytes).sum();
        batches.extend(facts);
        batches.extend(life.chronicle.poll(self.config.poll_bytes, Duration::ZERO).await?);
        let began = Instant::now();
        self.admit(life, batches).await?;
        life.appetite.took(taken_bytes, began.elapsed());
        let overdue = life.oldest_pending.is_some_and(|since| since.elapsed() >= self.config.flush_after());
        if overdue {
            self.flush(life, false).await?;
        }
        if life.last_snapshot.elapsed() >= self.config.snapshot_after() && life.clerk.book.pending.is_empty() {
            self.snapshot(life).await?;
        }
        let cursors = [&life.facts, &life.fleet, &life.chronicle].into_iter().flat_map(|tail| tail.cursors());
        life.lag = self.lag(cursors.collect()).await?;
        self.meters.count(life.counted, life.clerk.book.counts);
        life.counted = life.clerk.book.counts;
        self.meters.needs.inc_by(life.clerk.queries() - life.queried);
        life.queried = life.clerk.queries();
        self.meters.watchdog.report(0, life.lag);
        Ok(life.lag)
    }

    /// What the fleet topic has by now. Beside facts it is read to its end, however long that takes: a site is defined there
    /// before its first fact is in the log, and rollups ask for its time zone.
    async fn fleet_by_now(&self, life: &mut Life, beside_facts: bool) -> Result<Vec<Batch>, ProcessorError> {
        let mut batches = Vec::new();
        loop {
            let unread = beside_facts && self.lag(life.fleet.cursors()).await? > 0;
            let wait = if unread { POLL_WAIT } else { Duration::ZERO };
            let polled = life.fleet.poll(self.config.poll_bytes, wait).await?;
            if polled.is_empty() && !unread {
                return Ok(batches);
            }
            batches.extend(polled);
        }
    }

    async fn lag(&self, cursors: Vec<Position>) -> Result<u64, ProcessorError> {
        let mut lag = 0;
        for at in cursors {
            lag += self.log.bounds(at.home()).await?.end.saturating_sub(at.offset);
        }
        Ok(lag)
    }

    async fn admit(&self, life: &mut Life, batches: Vec<Batch>) -> Result<(), ProcessorError> {
        let mut told = VecDeque::new();
        for Batch { home, records } in &batches {
            for record in records {
                life.marks.read(*home, record.size_bytes() as u64);
                match is_chronicle(*home) {
                    true => life.clerk.book.hear(*home, record)?,
                    false => told.push_back(Told::by_log(*home, record)?),
                }
            }
        }
        if !life.clerk.book.pending.is_empty() {
            life.oldest_pending.get_or_insert_with(Instant::now);
        }
        while !told.is_empty() {
            life.oldest_pending.get_or_insert_with(Instant::now);
            let lag = life.lag;
            life.clerk.admit(&mut told, self.config.flush_rows, |told| self.report(told, lag)).await?;
            if life.clerk.book.is_full(self.config.flush_rows) {
                self.flush(life, false).await?;
            }
        }
        Ok(())
    }

    fn report(&self, told: &Told, lag: u64) {
        self.meters.watchdog.report(told.fact_count() as u64, lag);
        self.meters.uncommitted.add(told.fact_count() as i64);
    }

    async fn flush(&self, life: &mut Life, all: bool) -> Result<(), ProcessorError> {
        if life.clerk.book.pending.is_empty() && !all {
            life.oldest_pending = None;
            return Ok(());
        }
        life.clerk.flush(all).await?;
        life.oldest_pending = None;
        self.meters.subjects.set(life.clerk.book.memory.ledgers.len() as i64);
        Ok(())
    }

    /// Flushes everything, writes down what memory holds, and gives up what of the log nobody needs any more.
    async fn snapshot(&self, life: &mut Life) -> Result<(), ProcessorError> {
        self.flush(life, true).await?;
        let book = &life.clerk.book;
        for (home, next) in &book.next {
            life.marks.set(*home, *next, book.appended_max.get(home).copied().unwrap_or(i64::MAX));
        }
        // The flush writes meanwhile, but nothing is a snapshot before its rows are on disk.
        let staged = life.snapshots.stage(book, &life.marks)?;
        life.clerk.land().await?;
        let bytes = life.snapshots.keep(staged, &life.clerk.book.next)?;
        let book = &life.clerk.book;
        life.last_snapshot = Instant::now();
        self.meters.snapshots.inc();
        self.meters.snapshot_bytes.set(bytes.cast_signed());
        let missing: u64 = book.memory.ledgers.values().map(medfleet_domain::ledger::Ledger::missing_facts).sum();
        self.meters.missing.set(missing.cast_signed());
        self.trim(life).await
    }

    /// INV-13: the floor stays at or below every kept snapshot, and those at or below every table. The other topics are
    /// never trimmed: they are small, and read from their beginning by everyone.
    async fn trim(&self, life: &mut Life) -> Result<(), ProcessorError> {
        for home in self.owned()?.into_iter().filter(|home| home.topic == Topic::FACTS) {
            let Some(snapshots) = life.snapshots.needed_from(home) else { return Ok(()) };
            let limit = snapshots.min(life.clerk.shelves().await.resume_at(home));
            let Some(below) = life.marks.floor(home, self.config.keep(), limit, now_micros()) else { continue };
            let before = self.log.bounds(home).await?;
            let after = self.log.trim(home.at(below)).await?;
            life.marks.trimmed(home, after.floor);
            self.meters.trimmed.inc_by(after.floor - before.floor);
            self.meters
                .kept
                .with_label_values(&[&home.partition.to_string()])
                .set((after.end - after.floor).cast_signed());
        }
        Ok(())
    }
}

/// All partitions of a topic.
pub fn partitions(log: &dyn EventLog, topic: Topic) -> Result<impl Iterator<Item = Partition>, ProcessorError> {
    Ok((0..log.partitions(topic)?).map(move |partition| Partition::new(topic, partition)))
}

/// Where the book ends in the partitions of these topics.
fn standing(topics: &[Topic], owned: &[Partition], book: &Book) -> Vec<Position> {
    let stand = |home: &Partition| home.at(book.next.get(home).copied().unwrap_or(0));
    owned.iter().filter(|home| topics.contains(&home.topic)).map(stand).collect()
}
