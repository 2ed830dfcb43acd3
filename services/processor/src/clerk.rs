//! Takes records into the book, asks the archive for what their ledgers need, and puts the rows on the shelves: the one way
//! into the tables, for a worker as for a rebuild.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use futures::StreamExt as _;
use medfleet_lake::rows::FactRow;
use medfleet_lake::{Row as _, TableVersion, UtcMicros, stream};
use medfleet_log::Partition;
use medfleet_runtime::now_micros;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

use crate::archive::Archive;
use crate::book::{Book, topic_code};
use crate::error::ProcessorError;
use crate::flush::{Flushed, Shelves};
use crate::lookahead::{Asked, LOOKAHEAD_MAX_FACTS};
use crate::told::Told;

/// Offsets of each partition.
pub type Spans = BTreeMap<Partition, Range<u64>>;

pub struct Clerk {
    pub book: Book,
    shelves: Arc<Mutex<Shelves>>,
    /// The flush that writes what was owed, while the book goes on. The archive is asked only once it has landed, so a ledger
    /// may forget what it carries.
    under_way: Option<JoinHandle<Result<(), ProcessorError>>>,
    /// Hears of every flush that has landed.
    landed: Arc<dyn Fn(&Flushed) + Send + Sync>,
    archive: Archive,
    /// The archive of another writer, where these shelves have none of their own.
    facts: Option<TableVersion>,
}

impl Clerk {
    pub fn new(book: Book, shelves: Shelves, archive: Archive, facts: Option<TableVersion>) -> Self {
        let shelves = Arc::new(Mutex::new(shelves));
        Self { book, shelves, under_way: None, landed: Arc::new(|_| ()), archive, facts }
    }

    /// Tells of every flush that has landed.
    pub fn telling(self, landed: impl Fn(&Flushed) + Send + Sync + 'static) -> Self {
        Self { landed: Arc::new(landed), ..self }
    }

    /// The shelves, when no flush has them.
    pub async fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().await
    }

    /// Archive queries so far.
    pub fn queries(&self) -> u64 {
        self.archive.queries
    }

    /// The archive with everything that was owed to it.
    async fn facts(&mut self) -> Result<TableVersion, ProcessorError> {
        self.land().await?;
        let own = self.shelves().await.version("facts");
        self.facts.clone().or(own).ok_or(ProcessorError::NoArchive)
    }

    /// Admits records in their order until all are in, or so many rows wait that a flush is due.
    pub async fn admit(
        &mut self,
        told: &mut VecDeque<Told>,
        full_rows: usize,
        mut admitted: impl FnMut(&Told),
    ) -> Result<(), ProcessorError> {
        while !self.book.is_full(full_rows) {
            let Some(next) = told.front() else { break };
            match self.book.admit(next) {
                Ok(()) => {
                    admitted(next);
                    told.pop_front();
                }
                Err(needs) => {
                    let asked = Asked::of(&self.book.memory, needs, told.iter());
                    let facts = self.facts().await?;
                    self.archive.answer(&asked, &facts, &mut self.book.memory).await?;
                }
            }
        }
        Ok(())
    }

    /// Admits records until all are in, and flushes on the way.
    pub async fn admit_all(
        &mut self,
        told: &mut VecDeque<Told>,
        full_rows: usize,
        mut admitted: impl FnMut(&Told),
    ) -> Result<(), ProcessorError> {
        loop {
            self.admit(told, full_rows, &mut admitted).await?;
            if told.is_empty() {
                return Ok(());
            }
            self.flush(false).await?;
        }
    }

    /// Begins to commit what waits, once the flush before has landed. With `all` even tables without rows learn the offsets.
    ///
    /// An error of a flush comes out of whatever waits for it next; the memory of this clerk is worth nothing then.
    pub async fn flush(&mut self, all: bool) -> Result<(), ProcessorError> {
        self.flush_at(all, UtcMicros(now_micros())).await
    }

    /// [`Clerk::flush`] with a cut made at this time.
    pub async fn flush_at(&mut self, all: bool, now: UtcMicros) -> Result<(), ProcessorError> {
        self.land().await?;
        let (shelves, landed, owed) = (Arc::clone(&self.shelves), Arc::clone(&self.landed), self.book.owed());
        self.under_way = Some(tokio::spawn(async move {
            let flushed = shelves.lock().await.flush(owed, all, now).await?;
            landed(&flushed);
            Ok(())
        }));
        self.book.committed();
        Ok(())
    }

    /// Waits until no flush is under way.
    pub async fn land(&mut self) -> Result<(), ProcessorError> {
        match self.under_way.take() {
            None => Ok(()),
            Some(flush) => flush.await.map_err(ProcessorError::FlushLost)?,
        }
    }

    /// Hears without waiting whether a flush has failed.
    pub async fn look(&mut self) -> Result<(), ProcessorError> {
        match &self.under_way {
            Some(flush) if flush.is_finished() => self.land().await,
            _ => Ok(()),
        }
    }

    /// Admits what the archive has of these offsets, as if the log had told it: partition by partition in the order of
    /// `spans`, each record whole. An archive with a hole is refused, for nobody could tell what stood there.
    pub async fn replay(
        &mut self,
        spans: &Spans,
        full_rows: usize,
        mut admitted: impl FnMut(&Told),
    ) -> Result<(), ProcessorError> {
        let facts = self.facts().await?;
        let session = self.archive.open(&facts).await?;
        for (home, span) in spans.iter().filter(|(_, span)| !span.is_empty()) {
            let sql = format!(
                "SELECT * FROM facts WHERE cause_topic = {} AND cause_partition = {} AND cause_offset >= {} AND \
                 cause_offset < {} ORDER BY cause_offset, cause_index",
                topic_code(*home),
                home.partition,
                span.start,
                span.end
            );
            let mut batches = stream(&session, &sql).await?;
            let mut records = Records::of(*home, span.clone());
            // As many at once as one question to the archive looks ahead over.
            let (mut told, mut facts) = (VecDeque::new(), 0);
            while let Some(batch) = batches.next().await {
                let batch = batch?;
                facts += batch.num_rows();
                told.append(&mut records.take(FactRow::from_batch(&batch)?)?);
                if facts >= LOOKAHEAD_MAX_FACTS {
                    self.admit_all(&mut told, full_rows, &mut admitted).await?;
                    facts = 0;
                }
            }
            told.append(&mut records.end()?);
            self.admit_all(&mut told, full_rows, &mut admitted).await?;
        }
        Ok(())
    }
}

/// Rows of one partition in the order of the log, put together to records.
struct Records {
    home: Partition,
    left: Range<u64>,
    /// Rows of the record under way.
    open: Vec<FactRow>,
}

impl Records {
    const fn of(home: Partition, left: Range<u64>) -> Self {
        Self { home, left, open: Vec::new() }
    }

    /// The records that are whole once these rows have come.
    fn take(&mut self, rows: Vec<FactRow>) -> Result<VecDeque<Told>, ProcessorError> {
        let mut told = VecDeque::new();
        for row in rows {
            if self.open.last().is_some_and(|last| last.cause.offset != row.cause.offset) {
                told.extend(self.close()?);
            }
            if usize::try_from(row.cause.index) != Ok(self.open.len()) {
                return Err(self.hole());
            }
            self.open.push(row);
        }
        Ok(told)
    }

    fn end(mut self) -> Result<VecDeque<Told>, ProcessorError> {
        let told = self.close()?.into_iter().collect();
        if self.left.is_empty() { Ok(told) } else { Err(self.hole()) }
    }

    fn close(&mut self) -> Result<Option<Told>, ProcessorError> {
        let told = Told::by_archive(self.home, std::mem::take(&mut self.open))?;
        if let Some(told) = &told {
            if told.place.offset != self.left.start {
                return Err(self.hole());
            }
            self.left.start += 1;
        }
        Ok(told)
    }

    fn hole(&self) -> ProcessorError {
        ProcessorError::ArchiveHole { place: self.home.at(self.left.start).to_string() }
    }
}

#[cfg(test)]
mod tests {
    use medfleet_lake::Cause;
    use medfleet_log::Topic;

    use super::*;

    fn row(offset: i64, index: i32) -> FactRow {
        let cause = Cause { topic: 0, partition: 3, offset, index };
        FactRow {
            subject_kind: "device".into(),
            subject: "ct-1".into(),
            site: "north".into(),
            device_kind: "ct".into(),
            verdict: "duplicate".into(),
            content_hash: Some(0),
            cause,
            ..FactRow::default()
        }
    }

    fn told(span: Range<u64>, batches: &[&[(i64, i32)]]) -> Result<Vec<(u64, usize)>, ProcessorError> {
        let mut records = Records::of(Partition::new(Topic::FACTS, 3), span);
        let mut told = Vec::new();
        for batch in batches {
            told.extend(records.take(batch.iter().map(|(offset, index)| row(*offset, *index)).collect())?);
        }
        told.extend(records.end()?);
        Ok(told.iter().map(|told| (told.place.offset, told.fact_count())).collect())
    }

    #[test]
    fn rows_become_records_wherever_batches_are_cut() {
        let whole = [(5, 0), (5, 1), (6, 0), (7, 0), (7, 1), (7, 2)];
        for cut in 0..=whole.len() {
            let (head, tail) = whole.split_at(cut);
            assert_eq!(told(5..8, &[head, tail]).unwrap(), [(5, 2), (6, 1), (7, 3)]);
        }
        assert_eq!(told(5..5, &[]).unwrap(), []);
    }

    #[test]
    fn an_archive_with_a_hole_is_refused_and_the_place_is_named() {
        let holes: [(&[(i64, i32)], u64); 5] =
            [(&[(6, 0), (7, 0)], 5), (&[(5, 0), (7, 0)], 6), (&[(5, 0), (6, 0)], 7), (&[(5, 1)], 5), (&[], 5)];
        for (rows, at) in holes {
            let refused = told(5..8, &[rows]).unwrap_err().to_string();
            assert!(refused.contains(&format!("medfleet.facts.v1/3@{at}")), "{refused}");
        }
    }
}
