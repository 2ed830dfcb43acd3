//! One flush: every table gets its rows and offsets in one commit each, then the cut names them all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use medfleet_lake::rows::SiteRow;
use medfleet_lake::schema::{self, TableDef};
use medfleet_lake::{
    Cut, Lake, Origin, Outcome, ROLLUP_DAY_SQL, ROLLUP_QUARTER_SQL, Reader, RecordBatch, Restored, Row, TableVersion,
    TableWriter, Text, Txn, UtcMicros, restore,
};
use medfleet_log::Partition;
use medfleet_runtime::now_micros;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::book::Owed;
use crate::chronicle::is_chronicle;
use crate::error::ProcessorError;
use crate::rows::Pending;
use crate::shelf::{Caused, Columns, Load, Loads, Order, Reached, Shelf};
use crate::waiting::Waiting;

/// The tables of the ledger, `cuts` apart; `facts` first because it is the archive, and has most to write.
pub const TABLES: [&str; 20] = [
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
    "scores",
    "alert_steps",
    "models",
    "withdrawals",
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

/// All tables of a lake, open for writing by one worker.
pub struct Shelves {
    log: String,
    shelves: BTreeMap<&'static str, Shelf>,
    /// Absent where tables are built anew: nobody reads them yet.
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
    /// Facts whose rows these are.
    pub facts: usize,
    pub took: Duration,
    pub ended_at: UtcMicros,
    /// When the log took the newest record of all that the tables contain now.
    pub newest_appended: Option<UtcMicros>,
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
        let whole = share == Share::Whole;
        let is_mine = |name: &&str| whole || ROLLUPS.iter().all(|(rollup, _)| rollup != name);
        let mut opening = Vec::new();
        for name in TABLES.into_iter().filter(is_mine) {
            opening.push(Shelf::open(lake, origin, &apps, name));
        }
        let shelves = try_join_all(opening).await?.into_iter().collect();
        let cuts = if whole { Some(Cuts::open(lake, origin).await?) } else { None };
        Ok(Self { log: origin.log.clone(), shelves, cuts, facts_last: !whole, reader })
    }

    /// Tables still empty, to be built anew.
    pub fn fresh(writers: Vec<(&'static str, TableWriter)>, log: &str, reader: Reader) -> Self {
        let shelf = |(name, writer)| (name, Shelf { writer, reached: BTreeMap::new() });
        let shelves = writers.into_iter().map(shelf).collect();
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

    /// Commits everything owed. With `all` even tables without rows learn the offsets, as before a snapshot.
    ///
    /// Tables are written side by side, and all of them are waited for even when one fails: nothing of this flush may land
    /// after a restore has begun.
    pub async fn flush(&mut self, owed: Owed, all: bool, now: UtcMicros) -> Result<Flushed, ProcessorError> {
        let started = Instant::now();
        let Owed { pending, facts, next, appended_max, zones } = owed;
        let mut loads = self.loads(pending, &zones)?;
        let order = Arc::new(Order { log: self.log.clone(), next, attempt: Uuid::new_v4(), all });
        let is_last = |(name, _): &(&str, Shelf)| self.facts_last && *name == "facts";
        let (last, first): (Vec<_>, Vec<_>) = std::mem::take(&mut self.shelves).into_iter().partition(is_last);
        let mut flushed = Flushed { facts, ..Flushed::default() };
        for turn in [first, last] {
            self.put(turn, &mut loads, &order, &mut flushed).await?;
        }
        flushed.newest_appended = appended_max.values().max().map(|at| UtcMicros(*at));
        if !self.is_ahead_of(&order.next) {
            self.make_cut(&order.next, &appended_max, now).await?;
        }
        (flushed.took, flushed.ended_at) = (started.elapsed(), UtcMicros(now_micros()));
        Ok(flushed)
    }

    /// Commits these tables, each in a task of its own; those with most to write begin first.
    async fn put(
        &mut self,
        mut shelves: Vec<(&'static str, Shelf)>,
        loads: &mut Loads,
        order: &Arc<Order>,
        flushed: &mut Flushed,
    ) -> Result<(), ProcessorError> {
        let mut tasks = JoinSet::new();
        shelves.sort_by_key(|(name, _)| TABLES.iter().position(|table| table == name));
        for (name, mut shelf) in shelves {
            let (load, order) = (loads.remove(name), Arc::clone(order));
            tasks.spawn(async move {
                let put = shelf.put(name, load, &order).await;
                (name, shelf, put)
            });
        }
        let mut whole = Ok(());
        for (name, shelf, put) in tasks.join_all().await {
            self.shelves.insert(name, shelf);
            match put {
                Ok((rows, bytes)) => (flushed.rows, flushed.bytes) = (flushed.rows + rows, flushed.bytes + bytes),
                Err(error) => whole = Err(error),
            }
        }
        whole
    }

    /// What each table gets. Rows become columns only in the task that writes them, but for intervals, which three tables ask
    /// for: those that contain the same part of the log share them.
    fn loads(&self, pending: Pending, zones: &BTreeMap<String, String>) -> Result<Loads, ProcessorError> {
        let mut loads = Loads::new();
        self.load("facts", pending.facts, &mut loads);
        self.load("usage", pending.usage, &mut loads);
        self.load("errors", pending.errors, &mut loads);
        self.load("devices", pending.devices, &mut loads);
        self.load("sites", pending.sites, &mut loads);
        self.load("calendars", pending.calendars, &mut loads);
        self.load("orders", pending.orders, &mut loads);
        self.load("maintenance", pending.maintenance, &mut loads);
        self.load("components", pending.components, &mut loads);
        self.load("contracts", pending.contracts, &mut loads);
        self.load("statements", pending.statements, &mut loads);
        self.load("scores", pending.scores, &mut loads);
        self.load("alert_steps", pending.alert_steps, &mut loads);
        self.load("models", pending.models, &mut loads);
        self.load("withdrawals", pending.withdrawals, &mut loads);
        self.load("heads", pending.heads, &mut loads);
        self.load("verdicts", pending.verdicts, &mut loads);
        let mut shared: BTreeMap<&Reached, Arc<Columns>> = BTreeMap::new();
        let intervals = Arc::new(pending.intervals);
        let rollups = ROLLUPS.map(|(name, sql)| (name, Some(sql)));
        for (name, sql) in [("intervals", None)].into_iter().chain(rollups) {
            let Some(shelf) = self.shelves.get(name).filter(|_| !intervals.is_empty()) else { continue };
            let unmade = || Columns::of("intervals", Arc::clone(&intervals), shelf.reached.clone());
            let intervals = Arc::clone(shared.entry(&shelf.reached).or_insert_with(unmade));
            let load = match sql {
                None => Load::Rows(intervals),
                Some(sql) => {
                    Load::Rollup { session: self.reader.empty_session(), sql, intervals, sites: zoned(zones)? }
                }
            };
            loads.insert(name, load);
        }
        Ok(loads)
    }

    fn load<R: Row + Caused + Send + Sync + 'static>(&self, name: &'static str, rows: Waiting<R>, loads: &mut Loads) {
        if let Some(shelf) = self.shelves.get(name).filter(|_| !rows.is_empty()) {
            loads.insert(name, Load::Rows(Columns::of(name, Arc::new(rows), shelf.reached.clone())));
        }
    }

    /// Some table contains more than what was owed up to here: memory is being folded anew. Tables may then differ in what
    /// they contain, and no cut can name it.
    fn is_ahead_of(&self, next: &Reached) -> bool {
        let mut reached = self.shelves.values().flat_map(|shelf| &shelf.reached);
        reached.any(|(home, reached)| next.get(home).copied().unwrap_or(0) < *reached)
    }

    async fn make_cut(
        &mut self,
        next: &Reached,
        appended_max: &BTreeMap<Partition, i64>,
        now: UtcMicros,
    ) -> Result<(), ProcessorError> {
        let Some(cuts) = &mut self.cuts else { return Ok(()) };
        let named = |home: &Partition| home.to_string();
        let facts = next.iter().filter(|(home, _)| !is_chronicle(**home));
        cuts.write(Cut {
            made_at: now,
            offsets: facts.map(|(home, next)| (named(home), next.cast_signed())).collect(),
            tables: self.shelves.iter().map(|(name, shelf)| ((*name).to_owned(), shelf.writer.version())).collect(),
            appended_max: appended_max.iter().map(|(home, at)| (named(home), UtcMicros(*at))).collect(),
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

/// As much of every site as the rollups ask for.
pub fn zoned(zones: &BTreeMap<String, String>) -> Result<RecordBatch, ProcessorError> {
    let text = |text: &str| Text::from(text.to_owned());
    let row =
        |(site, zone): (&String, &String)| SiteRow { site: text(site), time_zone: text(zone), ..SiteRow::default() };
    Ok(SiteRow::to_batch(&zones.iter().map(row).collect::<Vec<_>>())?)
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
