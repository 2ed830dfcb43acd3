//! One flush: every table gets its rows and offsets in one commit each, then the cut names them all.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use medfleet_lake::rows::{FactRow, SiteRow};
use medfleet_lake::schema::{self, TableDef};
use medfleet_lake::{
    Cut, Lake, Origin, Outcome, ROLLUP_DAY_SQL, ROLLUP_QUARTER_SQL, Reader, RecordBatch, Restored, Row, SessionContext,
    TableVersion, TableWriter, Text, Txn, UtcMicros, restore, run_over_batch,
};
use medfleet_log::Partition;
use uuid::Uuid;

use crate::book::{Book, topic_code};
use crate::error::ProcessorError;
use crate::rows::Pending;

/// The tables of the ledger, `cuts` apart; `facts` first because it is the archive.
pub const TABLES: [&str; 16] = [
    "facts",
    "intervals",
    "usage",
    "errors",
    "devices",
    "sites",
    "calendars",
    "orders",
    "maintenance",
    "components",
    "contracts",
    "statements",
    "heads",
    "verdicts",
    "rollup_quarter",
    "rollup_day",
];

/// Sums without causes. With several workers the cut maker alone advances them.
pub const ROLLUPS: [(&str, &str); 2] = [("rollup_quarter", ROLLUP_QUARTER_SQL), ("rollup_day", ROLLUP_DAY_SQL)];

/// Whether a worker has the whole log to itself, or writes beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    Whole,
    /// Rollups and cuts are the cut maker's. `facts` is committed after all other tables, so that whoever reads how
    /// far it reaches knows that every table reaches as far.
    Part,
}

/// One table's writer and what it already contains of every partition.
struct Shelf {
    writer: TableWriter,
    /// First offset of each partition that the table does not contain.
    reached: BTreeMap<Partition, u64>,
}

/// All tables of a lake, open for writing by one worker.
pub struct Shelves {
    log: String,
    shelves: BTreeMap<&'static str, Shelf>,
    /// Absent where a single table is built anew: nobody reads it yet.
    cuts: Option<Cuts>,
    facts_last: bool,
    reader: Reader,
}

/// The table of cuts, open for its one writer.
pub struct Cuts {
    writer: TableWriter,
    app: String,
    last: i64,
}

/// What one flush did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flushed {
    pub rows: u64,
    pub bytes: u64,
}

impl Shelves {
    /// Opens every table, created where absent, and reads back up to where each contains the log.
    pub async fn open(
        lake: &Lake,
        reader: Reader,
        origin: &Origin,
        owned: &[Partition],
        share: Share,
    ) -> Result<Self, ProcessorError> {
        let apps: Vec<(Partition, String)> = owned.iter().map(|home| (*home, app_id(&origin.log, *home))).collect();
        let ids: Vec<String> = apps.iter().map(|(_, app)| app.clone()).collect();
        let mut shelves = BTreeMap::new();
        let whole = share == Share::Whole;
        let is_mine = |name: &&str| whole || ROLLUPS.iter().all(|(rollup, _)| rollup != name);
        for name in TABLES.into_iter().filter(is_mine) {
            let table = lake.current_or_create(definition(name)?, origin).await?;
            let Restored { writer, txns } = restore(&table, origin, ids.clone()).await?;
            let reached =
                apps.iter().filter_map(|(home, app)| txns.get(app).map(|next| (*home, next.cast_unsigned()))).collect();
            shelves.insert(name, Shelf { writer, reached });
        }
        let cuts = if whole { Some(Cuts::open(lake, origin).await?) } else { None };
        Ok(Self { log: origin.log.clone(), shelves, cuts, facts_last: !whole, reader })
    }

    /// One table alone, still empty, to be built anew.
    pub fn single(name: &'static str, writer: TableWriter, log: &str, reader: Reader) -> Self {
        let shelves = BTreeMap::from([(name, Shelf { writer, reached: BTreeMap::new() })]);
        Self { log: log.to_owned(), shelves, cuts: None, facts_last: false, reader }
    }

    /// The lowest offset of a partition that some table still lacks.
    pub fn resume_at(&self, home: Partition) -> u64 {
        let reached = self.shelves.values().map(|shelf| shelf.reached.get(&home).copied().unwrap_or(0));
        reached.min().unwrap_or(0)
    }

    /// The first offset of a partition that the archive lacks.
    pub fn archived(&self, home: Partition) -> u64 {
        self.shelves.get("facts").and_then(|shelf| shelf.reached.get(&home).copied()).unwrap_or(0)
    }

    /// The greatest offset of a partition that some table contains.
    pub fn furthest(&self, home: Partition) -> u64 {
        let reached = self.shelves.values().filter_map(|shelf| shelf.reached.get(&home).copied());
        reached.max().unwrap_or(0)
    }

    pub fn version(&self, table: &str) -> Option<TableVersion> {
        self.shelves.get(table).map(|shelf| shelf.writer.version())
    }

    /// Commits everything pending. With `all` even tables without rows learn the offsets, as before a snapshot.
    pub async fn flush(&mut self, book: &Book, all: bool, now: UtcMicros) -> Result<Flushed, ProcessorError> {
        let mut batches = self.batches(&book.pending)?;
        for (name, sql) in ROLLUPS {
            let lacking = self.unread(name, &book.pending.intervals)?;
            let Some(batch) = lacking.into_iter().find(|batch| batch.num_rows() > 0) else { continue };
            let session = self.reader.empty_session();
            batches.insert(name, rollup(&session, name, sql, batch, &book.memory.zones).await?);
        }
        let (log, attempt, next) = (self.log.as_str(), Uuid::new_v4(), &book.next);
        let facts_last = self.facts_last;
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (name, shelf) in &mut self.shelves {
            let batch = batches.remove(name).unwrap_or_default();
            if all || batch.iter().any(|batch| batch.num_rows() > 0) {
                let turn = if facts_last && *name == "facts" { &mut last } else { &mut first };
                turn.push(commit(name, shelf, batch, log, attempt, next));
            }
        }
        let mut flushed = try_join_all(first).await?;
        flushed.extend(try_join_all(last).await?);
        if !self.is_ahead_of(book) {
            self.make_cut(book, now).await?;
        }
        let add = |sum: Flushed, one: Flushed| Flushed { rows: sum.rows + one.rows, bytes: sum.bytes + one.bytes };
        Ok(flushed.into_iter().fold(Flushed::default(), add))
    }

    fn batches(&self, pending: &Pending) -> Result<BTreeMap<&'static str, Vec<RecordBatch>>, ProcessorError> {
        let mut batches = BTreeMap::new();
        batches.insert("facts", self.unread("facts", &pending.facts)?);
        batches.insert("intervals", self.unread("intervals", &pending.intervals)?);
        batches.insert("usage", self.unread("usage", &pending.usage)?);
        batches.insert("errors", self.unread("errors", &pending.errors)?);
        batches.insert("devices", self.unread("devices", &pending.devices)?);
        batches.insert("sites", self.unread("sites", &pending.sites)?);
        batches.insert("calendars", self.unread("calendars", &pending.calendars)?);
        batches.insert("orders", self.unread("orders", &pending.orders)?);
        batches.insert("maintenance", self.unread("maintenance", &pending.maintenance)?);
        batches.insert("components", self.unread("components", &pending.components)?);
        batches.insert("contracts", self.unread("contracts", &pending.contracts)?);
        batches.insert("statements", self.unread("statements", &pending.statements)?);
        batches.insert("heads", self.unread("heads", &pending.heads)?);
        batches.insert("verdicts", self.unread("verdicts", &pending.verdicts)?);
        Ok(batches)
    }

    /// The rows a table does not contain yet: after a crash tables resume from different offsets.
    fn unread<R: Row + Caused + Clone>(&self, name: &str, rows: &[R]) -> Result<Vec<RecordBatch>, ProcessorError> {
        let Some(shelf) = self.shelves.get(name) else { return Ok(Vec::new()) };
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let lacks = |row: &&R| shelf.lacks(row.cause());
        if rows.iter().all(|row| lacks(&row)) {
            return Ok(vec![R::to_batch(rows)?]);
        }
        let kept: Vec<R> = rows.iter().filter(lacks).cloned().collect();
        Ok(vec![R::to_batch(&kept)?])
    }

    /// Some table contains more than the book has read: memory is being folded anew. Tables may then differ in what they
    /// contain, and no cut can name it.
    fn is_ahead_of(&self, book: &Book) -> bool {
        let mut reached = self.shelves.values().flat_map(|shelf| &shelf.reached);
        reached.any(|(home, reached)| book.next.get(home).copied().unwrap_or(0) < *reached)
    }

    async fn make_cut(&mut self, book: &Book, now: UtcMicros) -> Result<(), ProcessorError> {
        let Some(cuts) = &mut self.cuts else { return Ok(()) };
        let named = |home: &Partition| home.to_string();
        cuts.write(Cut {
            made_at: now,
            offsets: book.next.iter().map(|(home, next)| (named(home), next.cast_signed())).collect(),
            tables: self.shelves.iter().map(|(name, shelf)| ((*name).to_owned(), shelf.writer.version())).collect(),
            appended_max: book.appended_max.iter().map(|(home, at)| (named(home), UtcMicros(*at))).collect(),
            ..Cut::default()
        })
        .await
    }
}

impl Cuts {
    pub async fn open(lake: &Lake, origin: &Origin) -> Result<Self, ProcessorError> {
        let app = format!("{}/cuts", origin.log);
        let table = lake.current_or_create(definition("cuts")?, origin).await?;
        let Restored { writer, txns } = restore(&table, origin, [app.clone()]).await?;
        Ok(Self { writer, last: txns.get(&app).copied().unwrap_or(0), app })
    }

    /// Writes a cut under the next number. Another maker of cuts fences this one.
    pub async fn write(&mut self, cut: Cut) -> Result<(), ProcessorError> {
        let cut = Cut { number: self.last + 1, ..cut };
        let txn = Txn::new(self.app.clone(), cut.number);
        match self.writer.flush(&[cut.to_batch()?], &[txn], Uuid::new_v4()).await? {
            Outcome::Committed(_) => self.last = cut.number,
            Outcome::Fenced(_) => return Err(ProcessorError::Fenced { table: "cuts" }),
        }
        Ok(())
    }
}

impl Shelf {
    /// What the table contains once a book that has read so far is committed: never less than before. A memory that is folded
    /// anew runs behind the tables, and an offset that went back with it would let rows in twice.
    fn reach(&self, next: &BTreeMap<Partition, u64>) -> BTreeMap<Partition, u64> {
        let reached = |home: &Partition| self.reached.get(home).copied().unwrap_or(0);
        next.iter().map(|(home, next)| (*home, (*next).max(reached(home)))).collect()
    }

    fn lacks(&self, cause: medfleet_lake::Cause) -> bool {
        let same =
            |home: &Partition| topic_code(*home) == cause.topic && home.partition.cast_signed() == cause.partition;
        let reached = self.reached.iter().find(|(home, _)| same(home)).map_or(0, |(_, next)| *next);
        cause.offset.cast_unsigned() >= reached
    }
}

/// Runs a rollup's `.sql` over intervals that its table lacks.
async fn rollup(
    session: &SessionContext,
    name: &'static str,
    sql: &str,
    intervals: RecordBatch,
    zones: &BTreeMap<String, String>,
) -> Result<Vec<RecordBatch>, ProcessorError> {
    let inputs = [("intervals", intervals), ("sites", zoned(zones)?)];
    Ok(run_over_batch(session, sql, &inputs, definition(name)?).await?)
}

/// Commits a table's rows with the offsets they reach. While a worker reads again what some tables contain, its book lies
/// below them: a table's offsets never go back.
async fn commit(
    name: &'static str,
    shelf: &mut Shelf,
    batches: Vec<RecordBatch>,
    log: &str,
    attempt: Uuid,
    next: &BTreeMap<Partition, u64>,
) -> Result<Flushed, ProcessorError> {
    let reach = shelf.reach(next);
    let txns: Vec<Txn> = reach.iter().map(|(home, next)| Txn::new(app_id(log, *home), next.cast_signed())).collect();
    match shelf.writer.flush(&batches, &txns, attempt).await? {
        Outcome::Committed(done) => {
            shelf.reached.extend(reach);
            Ok(Flushed { rows: done.rows, bytes: done.bytes })
        }
        Outcome::Fenced(fence) => {
            tracing::warn!(table = name, ?fence, "another writer has this table");
            Err(ProcessorError::Fenced { table: name })
        }
    }
}

/// As much of every site as the rollups ask for.
pub fn zoned(zones: &BTreeMap<String, String>) -> Result<RecordBatch, ProcessorError> {
    let text = |text: &str| Text::from(text.to_owned());
    let row =
        |(site, zone): (&String, &String)| SiteRow { site: text(site), time_zone: text(zone), ..SiteRow::default() };
    Ok(SiteRow::to_batch(&zones.iter().map(row).collect::<Vec<_>>())?)
}

/// A row that names the record that made it appear.
pub trait Caused {
    fn cause(&self) -> medfleet_lake::Cause;
}

macro_rules! caused {
    ($($row:ident),*) => { $(impl Caused for medfleet_lake::rows::$row {
        fn cause(&self) -> medfleet_lake::Cause { self.cause }
    })* };
}
caused!(IntervalRow, UsageRow, ErrorRow, DeviceRow, SiteRow, CalendarRow, HeadRow, VerdictRow);
caused!(OrderRow, MaintenanceRow, ComponentRow, ContractRow, StatementRow);

impl Caused for FactRow {
    fn cause(&self) -> medfleet_lake::Cause {
        self.cause
    }
}

pub fn definition(name: &str) -> Result<&'static TableDef, ProcessorError> {
    schema::table(name).ok_or_else(|| ProcessorError::UnknownTable {
        table: name.to_owned(),
        known: schema::tables().iter().map(|def| def.name).collect::<Vec<_>>().join(", "),
    })
}

/// The application of a partition in a table's log: it names the log, so a foreign one is never taken for ours.
pub fn app_id(log: &str, home: Partition) -> String {
    format!("{log}/{home}")
}
