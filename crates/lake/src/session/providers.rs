//! Opened table versions, shared by all queries that pin them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, ident, lit};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Mutex;

use crate::error::LakeError;
use crate::schema::TableDef;
use crate::table::{Table, TableVersion};

/// Versions kept open over all tables; the oldest opened goes first.
const OPEN_VERSIONS_MAX: usize = 128;
/// A state that is carried forward slows with every commit, so it is loaded afresh after this many.
const CARRIED_VERSIONS_MAX: u64 = 100;

type Key = (&'static str, TableVersion);
type Opened = Result<Arc<dyn TableProvider>, LakeError>;

/// A version that is open: its rows and the list of its files.
struct Open {
    provider: Arc<dyn TableProvider>,
    table: DeltaTable,
}

/// The cache of opened versions. One lock: opening is quick, and two queries of one cut want the same.
#[derive(Default)]
pub(super) struct Providers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<Key, Open>,
    opened: VecDeque<Key>,
    /// The newest loaded state per table, to carry forward to the next version.
    carried: HashMap<&'static str, Carried>,
}

struct Carried {
    generation: String,
    loaded_at: u64,
    table: DeltaTable,
}

impl Providers {
    /// The table at this version.
    pub(super) fn open<'a>(&'a self, table: &'a Table, version: u64) -> BoxFuture<'a, Opened> {
        let opened = async move {
            let mut state = self.state.lock().await;
            let key = key(table, version);
            if let Some(open) = state.open.get(&key) {
                return Ok(Arc::clone(&open.provider));
            }
            let loaded = state.load(table, version).await?;
            state.keep(key, loaded, table).await
        };
        opened.boxed()
    }

    /// The files of this version that an earlier one had not. All of them, should the earlier one not be open any more.
    pub(super) fn open_since<'a>(&'a self, table: &'a Table, version: u64, before: u64) -> BoxFuture<'a, Opened> {
        let opened = async move {
            let whole = self.open(table, version).await?;
            if version == before {
                return Ok(Arc::new(EmptyTable::new(whole.schema())) as Arc<dyn TableProvider>);
            }
            let files = {
                let state = self.state.lock().await;
                let open = |version| state.open.get(&key(table, version));
                let Some((open, earlier)) = open(version).zip(open(before)) else { return Ok(whole) };
                let added = added(&open.table, &earlier.table).map_err(LakeError::delta("compare", table.name()))?;
                open.table.table_provider().with_file_paths(added)
            };
            let added = files.await.and_then(|provider| widened(provider, table.def()));
            added.map_err(LakeError::query("open the new files of a table"))
        };
        opened.boxed()
    }

    /// The newest version there is, by way of the state carried forward.
    pub(super) async fn newest_version(&self, table: &Table) -> Result<TableVersion, LakeError> {
        let loaded = self.state.lock().await.load_newest(table).await?;
        let version = loaded.version().unwrap_or_default();
        Ok(TableVersion { generation: table.generation().to_owned(), version })
    }

    /// The table at the newest version there is.
    pub(super) async fn newest(&self, table: &Table) -> Result<Arc<dyn TableProvider>, LakeError> {
        let mut state = self.state.lock().await;
        let loaded = state.load_newest(table).await?;
        let key = key(table, loaded.version().unwrap_or_default());
        if let Some(open) = state.open.get(&key) {
            return Ok(Arc::clone(&open.provider));
        }
        state.keep(key, loaded, table).await
    }
}

/// Files of one version that an earlier one had not.
fn added(table: &DeltaTable, earlier: &DeltaTable) -> Result<Vec<String>, DeltaTableError> {
    let paths = |table: &DeltaTable| -> Result<HashSet<String>, DeltaTableError> {
        Ok(table.snapshot()?.log_data().iter().map(|file| file.path().into_owned()).collect())
    };
    let earlier = paths(earlier)?;
    Ok(paths(table)?.into_iter().filter(|path| !earlier.contains(path)).collect())
}

/// A version from before columns were added, with nothing in them.
fn widened(found: Arc<dyn TableProvider>, def: &TableDef) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let schema = found.schema();
    let is_there = |field: &Field| schema.field_with_name(field.name()).is_ok();
    if def.schema.fields().iter().all(|field| is_there(field) || !field.is_nullable()) {
        return Ok(found);
    }
    let column = |field: &Arc<Field>| match is_there(field) {
        true => Ok(ident(field.name())),
        false => Ok(lit(ScalarValue::try_from(field.data_type())?).alias(field.name())),
    };
    let columns = def.schema.fields().iter().map(column).collect::<Result<Vec<Expr>, DataFusionError>>()?;
    let whole = LogicalPlanBuilder::scan(def.name, provider_as_source(found), None)?.project(columns)?;
    Ok(Arc::new(ViewTable::new(whole.build()?, None)))
}

fn key(table: &Table, version: u64) -> Key {
    (table.name(), TableVersion { generation: table.generation().to_owned(), version })
}

impl State {
    async fn load(&mut self, table: &Table, version: u64) -> Result<DeltaTable, LakeError> {
        let carried = self.carried.get_mut(table.name()).filter(|carried| {
            carried.generation == table.generation()
                && carried.table.version().is_some_and(|at| at <= version)
                && version - carried.loaded_at < CARRIED_VERSIONS_MAX
        });
        if let Some(carried) = carried {
            let updated = carried.table.update_incremental(Some(version)).await;
            updated.map_err(LakeError::delta("advance", table.name()))?;
            return Ok(carried.table.clone());
        }
        let loaded = table.load_version(version).await?;
        self.carry(table, &loaded);
        Ok(loaded)
    }

    fn load_newest<'a>(&'a mut self, table: &'a Table) -> BoxFuture<'a, Result<DeltaTable, LakeError>> {
        self.advance(table).boxed()
    }

    async fn advance(&mut self, table: &Table) -> Result<DeltaTable, LakeError> {
        let carried = self.carried.get_mut(table.name()).filter(|carried| {
            let behind = carried.table.version().map(|at| at.saturating_sub(carried.loaded_at));
            carried.generation == table.generation() && behind.is_some_and(|versions| versions < CARRIED_VERSIONS_MAX)
        });
        if let Some(carried) = carried {
            let updated = carried.table.update_incremental(None).await;
            updated.map_err(LakeError::delta("advance", table.name()))?;
            return Ok(carried.table.clone());
        }
        let loaded = table.load_newest().await?;
        self.carry(table, &loaded);
        Ok(loaded)
    }

    /// Keeps the newer of the carried state and this one.
    fn carry(&mut self, table: &Table, loaded: &DeltaTable) {
        let loaded_at = loaded.version().unwrap_or_default();
        let older = self.carried.get(table.name()).is_none_or(|carried| {
            carried.generation != table.generation() || carried.table.version().is_none_or(|at| at <= loaded_at)
        });
        if older {
            let generation = table.generation().to_owned();
            let carried = Carried { generation, loaded_at, table: loaded.clone() };
            self.carried.insert(table.name(), carried);
        }
    }

    fn keep<'a>(&'a mut self, key: Key, loaded: DeltaTable, table: &'a Table) -> BoxFuture<'a, Opened> {
        self.keep_open(key, loaded, table).boxed()
    }

    async fn keep_open(&mut self, key: Key, loaded: DeltaTable, table: &Table) -> Opened {
        let provider = loaded.table_provider().await;
        let provider = provider.map_err(LakeError::query("open a table"))?;
        let provider = widened(provider, table.def()).map_err(LakeError::query("widen a table"))?;
        while self.opened.len() >= OPEN_VERSIONS_MAX {
            if let Some(oldest) = self.opened.pop_front() {
                self.open.remove(&oldest);
                tracing::debug!(table = table.name(), "closed the version opened longest ago");
            }
        }
        self.opened.push_back(key.clone());
        self.open.insert(key, Open { provider: Arc::clone(&provider), table: loaded });
        Ok(provider)
    }
}
