//! One table as a flush sees it: its writer, how far it reaches, and what it is to contain next.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use medfleet_lake::{
    Arranged, Cause, Lake, LakeError, Origin, Outcome, RecordBatch, Restored, Row, SessionContext, TableWriter, Txn,
    restore, run_over_batch,
};
use medfleet_log::Partition;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::book::topic_code;
use crate::chronicle;
use crate::error::ProcessorError;
use crate::flush::{app_id, definition};
use crate::waiting::Waiting;

/// First offset of each partition that a table does not contain.
pub type Reached = BTreeMap<Partition, u64>;

/// One table's writer and what it already contains of every partition.
pub struct Shelf {
    pub writer: TableWriter,
    pub reached: Reached,
}

/// Rows that become columns when a table first asks for them, in its task.
pub struct Columns {
    make: Box<dyn Fn() -> Result<Arranged, ProcessorError> + Send + Sync>,
    made: OnceCell<Arranged>,
}

impl Columns {
    /// Those of the rows that a table does not contain yet.
    pub fn of<R: Row + Caused + Send + Sync + 'static>(
        table: &'static str,
        rows: Arc<Waiting<R>>,
        reached: Reached,
    ) -> Arc<Self> {
        let make = Box::new(move || unread(table, &rows, &reached));
        Arc::new(Self { make, made: OnceCell::new() })
    }

    async fn made(&self) -> Result<&Arranged, ProcessorError> {
        self.made.get_or_try_init(async || (self.make)()).await
    }
}

/// What one table is to contain after a flush.
pub enum Load {
    Rows(Arc<Columns>),
    /// Rows that the `.sql` of a rollup makes of intervals.
    Rollup {
        session: SessionContext,
        sql: &'static str,
        intervals: Arc<Columns>,
        sites: RecordBatch,
    },
}

pub type Loads = BTreeMap<&'static str, Load>;

impl Load {
    async fn rows(self, name: &'static str) -> Result<Arranged, ProcessorError> {
        match self {
            Self::Rows(columns) => columns.made().await.cloned(),
            Self::Rollup { session, sql, intervals, sites } => {
                let intervals = intervals.made().await?.batch().clone();
                let rolled = match intervals.num_rows() {
                    0 => Vec::new(),
                    _ => {
                        let inputs = [("intervals", intervals), ("sites", sites)];
                        run_over_batch(&session, sql, &inputs, definition(name)?).await?
                    }
                };
                Ok(definition(name)?.arrange(&rolled)?)
            }
        }
    }
}

/// What a flush says to every table alike.
pub struct Order {
    pub log: String,
    pub next: Reached,
    pub attempt: Uuid,
    pub all: bool,
}

impl Shelf {
    /// Opens a table, created where absent, and reads back up to where it contains the log.
    pub async fn open(
        lake: &Lake,
        origin: &Origin,
        apps: &[(Partition, String)],
        name: &'static str,
    ) -> Result<(&'static str, Self), ProcessorError> {
        let table = lake.current_or_create(definition(name)?, origin).await?;
        let ids: Vec<&str> = apps.iter().map(|(_, app)| app.as_str()).collect();
        let Restored { writer, txns } = match restore(&table, origin, &ids).await {
            // Its topics are never trimmed: an earlier shape is left behind, and all is folded into today's.
            Err(LakeError::ShapeChanged { detail, .. }) if chronicle::TABLES.contains(&name) => {
                tracing::info!(table = name, detail, "the table has an earlier shape and is folded anew");
                restore(&lake.succeed(&table, origin).await?, origin, &ids).await?
            }
            restored => restored?,
        };
        let next = |(home, app): &(Partition, String)| Some((*home, txns.get(app)?.cast_unsigned()));
        let reached = apps.iter().filter_map(next).collect();
        Ok((name, Self { writer, reached }))
    }

    /// Commits a table's rows with the offsets they reach; answers how many rows and bytes. While a worker reads again what
    /// some tables contain, its book lies below them: a table's offsets never go back.
    pub async fn put(
        &mut self,
        name: &'static str,
        load: Option<Load>,
        order: &Order,
    ) -> Result<(u64, u64), ProcessorError> {
        let rows = match load {
            Some(load) => load.rows(name).await?,
            None => definition(name)?.arrange(&[])?,
        };
        if !order.all && rows.num_rows() == 0 {
            return Ok((0, 0));
        }
        let reach = self.reach(&order.next);
        let txn = |(home, next): (&Partition, &u64)| Txn::new(app_id(&order.log, *home), next.cast_signed());
        let txns: Vec<Txn> = reach.iter().map(txn).collect();
        match self.writer.flush_arranged(&rows, &txns, order.attempt).await? {
            Outcome::Committed(done) => {
                self.reached.extend(reach);
                Ok((done.rows, done.bytes))
            }
            Outcome::Fenced(fence) => {
                tracing::warn!(table = name, ?fence, "another writer has this table");
                Err(ProcessorError::Fenced { table: name })
            }
        }
    }

    /// What the table contains once a book that has read so far is committed: never less than before. A memory that is folded
    /// anew runs behind the tables, and an offset that went back with it would let rows in twice.
    fn reach(&self, next: &Reached) -> Reached {
        let reached = |home: &Partition| self.reached.get(home).copied().unwrap_or(0);
        next.iter().map(|(home, next)| (*home, (*next).max(reached(home)))).collect()
    }
}

/// The rows a table does not contain yet, in its order: after a crash tables resume from different offsets.
fn unread<R: Row + Caused>(
    table: &'static str,
    rows: &Waiting<R>,
    reached: &Reached,
) -> Result<Arranged, ProcessorError> {
    let reached: HashMap<(i8, i32), u64> =
        reached.iter().map(|(home, reached)| ((topic_code(*home), home.partition.cast_signed()), *reached)).collect();
    let lacks = |row: &&R| {
        let Cause { topic, partition, offset, .. } = row.cause();
        offset.cast_unsigned() >= reached.get(&(topic, partition)).copied().unwrap_or(0)
    };
    Ok(definition(table)?.arrange_rows(rows.iter().filter(lacks).collect())?)
}

/// A row that names the record that made it appear.
pub trait Caused {
    fn cause(&self) -> Cause;
}

macro_rules! caused {
    ($($row:ident),*) => { $(impl Caused for medfleet_lake::rows::$row {
        fn cause(&self) -> Cause { self.cause }
    })* };
}
caused!(FactRow, IntervalRow, UsageRow, ErrorRow, DeviceRow, SiteRow, CalendarRow, HeadRow, VerdictRow);
caused!(
    OrderRow,
    MaintenanceRow,
    ComponentRow,
    ContractRow,
    StatementRow,
    ScoreRow,
    AlertStepRow,
    ModelRow,
    WithdrawalRow
);
