//! SQL over the lake: a session sees every table at one pinned version and cannot write.

mod local_time;
mod providers;
mod sql;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::cut::Cut;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::rows::CutRow;
use crate::schema::{self, Row as _};
use crate::table::{Table, TableVersion};
use providers::Providers;

pub use sql::{ROLLUP_DAY_SQL, ROLLUP_QUARTER_SQL, query, run, run_over_batch, stream};

const MIB: usize = 1 << 20;
const SCAN_THREADS: usize = 2;
/// What each sort of a query sets aside at its first row, for the day it must merge what it spilled. A question has a dozen of them: at the
/// engine's own measure a few small questions at once filled the memory of all without any data.
const SORT_SPILL_RESERVATION_BYTES: usize = MIB;

/// How every query of the product is run: files are scanned by two threads and what they find is put together by one. The engine's
/// exchange of rows between threads can wait for ever where memory is short, and takes more memory than the rows it holds.
pub fn query_config() -> SessionConfig {
    SessionConfig::new()
        .with_target_partitions(SCAN_THREADS)
        .with_round_robin_repartition(false)
        .with_repartition_aggregations(false)
        .with_repartition_joins(false)
        .with_repartition_windows(false)
        .with_sort_spill_reservation_bytes(SORT_SPILL_RESERVATION_BYTES)
}

/// What queries may use.
#[derive(Clone, Copy, Debug)]
pub struct ReaderLimits {
    /// Memory of all running queries together; sorts and groupings spill past it.
    pub memory_mebibytes: usize,
    /// Disk for spilled data.
    pub spill_mebibytes: usize,
}

impl Default for ReaderLimits {
    fn default() -> Self {
        Self { memory_mebibytes: 1_024, spill_mebibytes: 8_192 }
    }
}

/// Opens tables for reading. One per process: opened versions are shared by all queries.
pub struct Reader {
    lake: Lake,
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
    providers: Providers,
    /// The newest cut that was found so far: whoever looks again need not open the files of those before it.
    found: AtomicI64,
}

impl Reader {
    pub fn new(lake: Lake, limits: ReaderLimits) -> Result<Self, LakeError> {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_limit(limits.memory_mebibytes * MIB, 1.0)
            .with_max_temp_directory_size((limits.spill_mebibytes * MIB) as u64)
            .build_arc()
            .map_err(LakeError::query("prepare the query engine"))?;
        runtime.register_object_store(lake.root(), Arc::clone(lake.store()));
        let config = query_config().with_information_schema(true);
        Ok(Self { lake, config, runtime, providers: Providers::default(), found: AtomicI64::default() })
    }

    /// A session without tables; functions of the lake are registered.
    pub fn empty_session(&self) -> SessionContext {
        let session = SessionContext::new_with_config_rt(self.config.clone(), Arc::clone(&self.runtime));
        local_time::register(&session);
        session
    }

    /// A session over the tables of a cut, each under its own name at its pinned version. Rows past the cut's
    /// offsets, which only a version shared by several workers holds, are left out.
    pub async fn open_cut(&self, cut: &Cut) -> Result<SessionContext, LakeError> {
        let session = self.open(&cut.tables).await?;
        let below = cut.contains_sql();
        for name in &cut.overfull {
            narrow(&session, name, &below).await?;
        }
        Ok(session)
    }

    /// A session over what a cut has and an earlier one had not: of every table no more than the files that were added in between.
    /// Rows that the earlier cut contains may be among them, as merged files hold both: whoever asks says which are meant.
    pub async fn open_since(&self, cut: &Cut, before: &Cut) -> Result<SessionContext, LakeError> {
        let session = self.empty_session();
        for (name, version) in &cut.tables {
            let table = self.table(name, version)?;
            // A file that both have holds only what the earlier one contains, unless others had written ahead of it.
            let earlier = before.tables.get(name).filter(|earlier| earlier.generation == version.generation);
            let provider = match earlier.filter(|_| !before.overfull.contains(name)) {
                Some(earlier) => self.providers.open_since(&table, version.version, earlier.version).await?,
                None => self.providers.open(&table, version.version).await?,
            };
            session.register_table(table.name(), provider).map_err(LakeError::query("register a table"))?;
        }
        let below = cut.contains_sql();
        for name in &cut.overfull {
            narrow(&session, name, &below).await?;
        }
        Ok(session)
    }

    /// A session over these tables at these versions.
    pub async fn open(&self, tables: &BTreeMap<String, TableVersion>) -> Result<SessionContext, LakeError> {
        let session = self.empty_session();
        for (name, version) in tables {
            let table = self.table(name, version)?;
            let provider = self.providers.open(&table, version.version).await?;
            session.register_table(table.name(), provider).map_err(LakeError::query("register a table"))?;
        }
        Ok(session)
    }

    fn table(&self, name: &str, version: &TableVersion) -> Result<Table, LakeError> {
        let def = schema::table(name).ok_or_else(|| self.no_table(name))?;
        self.lake.generation(def, &version.generation)
    }

    /// The newest version of one table.
    pub async fn newest_version(&self, table: &Table) -> Result<TableVersion, LakeError> {
        self.providers.newest_version(table).await
    }

    /// The newest version of every table that exists. Not a cut: for tools, not for pages.
    pub async fn newest(&self) -> Result<BTreeMap<String, TableVersion>, LakeError> {
        let mut found = BTreeMap::new();
        for def in schema::tables() {
            if let Some(table) = self.lake.current(def).await? {
                found.insert(def.name.to_owned(), table.newest_version().await?);
            }
        }
        Ok(found)
    }

    /// The newest cut in the `cuts` table, if any flush has ended.
    pub async fn newest_cut(&self) -> Result<Option<Cut>, LakeError> {
        let found = self.found.load(Ordering::Relaxed);
        let newest = |from: i64| format!("SELECT * FROM cuts WHERE cut >= {from} ORDER BY cut DESC LIMIT 1");
        let mut cut = self.find_cut(&newest(found)).await?;
        // The table may have been removed and begun anew.
        if cut.is_none() && found > 0 {
            cut = self.find_cut(&newest(0)).await?;
        }
        if let Some(cut) = &cut {
            self.found.store(cut.number, Ordering::Relaxed);
        }
        Ok(cut)
    }

    /// The cut with this number.
    pub async fn cut(&self, number: i64) -> Result<Option<Cut>, LakeError> {
        self.find_cut(&format!("SELECT * FROM cuts WHERE cut = {number} LIMIT 1")).await
    }

    async fn find_cut(&self, sql: &str) -> Result<Option<Cut>, LakeError> {
        let def = schema::table("cuts").ok_or_else(|| self.no_table("cuts"))?;
        let Some(table) = self.lake.current(def).await? else { return Ok(None) };
        let session = self.empty_session();
        let provider = self.providers.newest(&table).await?;
        session.register_table(def.name, provider).map_err(LakeError::query("register a table"))?;
        for batch in run(&session, sql, &[]).await? {
            if let Some(row) = CutRow::from_batch(&batch)?.first() {
                return Cut::from_row(row).map(Some);
            }
        }
        Ok(None)
    }

    fn no_table(&self, name: &str) -> LakeError {
        LakeError::NoTable { table: name.into(), root: self.lake.root().to_string() }
    }
}

/// Leaves only the rows of a table for which a condition holds, under the table's own name.
pub async fn narrow(session: &SessionContext, table: &str, condition: &str) -> Result<(), LakeError> {
    let failed = || LakeError::query("narrow a table");
    let whole = session.table(table).await.map_err(failed())?;
    let condition = whole.parse_sql_expr(condition).map_err(failed())?;
    let within = whole.filter(condition).map_err(failed())?.into_view();
    session.deregister_table(table).map_err(failed())?;
    session.register_table(table, within).map_err(failed())?;
    Ok(())
}

/// A session that sees some tables of another, each only as far as a condition on its columns holds.
pub async fn narrowed(session: &SessionContext, tables: &[&str], condition: &str) -> Result<SessionContext, LakeError> {
    let failed = || LakeError::query("narrow a table");
    let narrower = SessionContext::new_with_config_rt(session.copied_config(), session.runtime_env());
    local_time::register(&narrower);
    for table in tables {
        if session.table_exist(*table).map_err(failed())? {
            let whole = session.table_provider(*table).await.map_err(failed())?;
            narrower.register_table(*table, whole).map_err(failed())?;
            narrow(&narrower, table, condition).await?;
        }
    }
    Ok(narrower)
}
