//! The newest cut as each scope sees it. Nothing follows the cuts while nobody asks: a statement looks for itself, at
//! most so often.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionContext;
use medfleet_lake::{Cut, Lake, Reader, ReaderLimits};
use prometheus::IntCounter;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::bounds::Shut;
use crate::catalog::{Catalog, DATABASE, SCHEMA};
use crate::config::Limits;
use crate::error::SqlError;
use crate::functions::{self, LagRecords};
use crate::kpi::{Function, KPIS};
use crate::refusal::Refusal;
use crate::refusal::sqlstate::CANNOT_CONNECT_NOW;
use crate::sight::{Tables, described};
use crate::users::Scope;

/// A newer cut is looked for when the last look is so old.
const LOOK_AFTER: Duration = Duration::from_millis(500);

/// How far the log is ahead of a cut: the endpoint itself knows no log.
#[async_trait]
pub trait Lag: Send + Sync {
    /// None where the log cannot be asked now.
    async fn records(&self, cut: &Cut) -> Option<i64>;
}

/// A cut as one scope sees it: views and functions over its own rows.
pub struct Sight {
    pub cut: Cut,
    state: SessionState,
}

impl Sight {
    /// A session for one statement's planning and running, with memory of its own.
    pub fn session(&self, runtime: Arc<RuntimeEnv>) -> SessionContext {
        let state = SessionStateBuilder::new_from_existing(self.state.clone()).with_runtime_env(runtime).build();
        SessionContext::new_with_state(state)
    }
}

#[derive(Default)]
struct Newest {
    looked: Option<Instant>,
    cut: Option<Cut>,
    sights: HashMap<Scope, Arc<Sight>>,
    catalog: Option<Arc<Catalog>>,
}

/// Opens cuts, once for each scope that asks.
pub struct Desk {
    reader: Reader,
    lag: Arc<dyn Lag>,
    lag_records: LagRecords,
    failures: IntCounter,
    newest: Mutex<Newest>,
}

impl Desk {
    pub fn new(lake: Lake, limits: &Limits, lag: Arc<dyn Lag>, failures: IntCounter) -> Result<Self, SqlError> {
        let limits =
            ReaderLimits { memory_mebibytes: limits.memory_mebibytes, spill_mebibytes: limits.spill_mebibytes };
        Ok(Self {
            reader: Reader::new(lake, limits)?,
            lag,
            lag_records: LagRecords::default(),
            failures,
            newest: Mutex::default(),
        })
    }

    /// What all sessions share: stores, caches, disk for spilling and the pool of all memory.
    pub fn runtime(&self) -> Arc<RuntimeEnv> {
        self.reader.empty_session().runtime_env()
    }

    /// The newest cut, as this scope sees it.
    pub async fn newest(&self, scope: &Scope) -> Result<Arc<Sight>, Refusal> {
        let mut newest = self.newest.lock().await;
        if newest.looked.is_none_or(|looked| looked.elapsed() >= LOOK_AFTER) {
            self.look(&mut newest).await;
        }
        let none = || {
            let cure = "connect again once the processor has made its first flush";
            Refusal::new(CANNOT_CONNECT_NOW, "there is no cut of the tables yet", cure)
        };
        let cut = newest.cut.clone().ok_or_else(none)?;
        if let Some(sight) = newest.sights.get(scope).filter(|sight| sight.cut.number == cut.number) {
            return Ok(Arc::clone(sight));
        }
        match self.open(&cut, scope, &mut newest.catalog).await {
            Ok(sight) => {
                let sight = Arc::new(sight);
                newest.sights.retain(|_, older| older.cut.number == cut.number);
                newest.sights.insert(scope.clone(), Arc::clone(&sight));
                Ok(sight)
            }
            Err(error) => {
                self.failures.inc();
                tracing::warn!(error = &error as &dyn std::error::Error, cut = cut.number, "cannot open a cut");
                Err(Refusal::new(CANNOT_CONNECT_NOW, "the tables cannot be read now", "the server's log says why"))
            }
        }
    }

    /// A look that fails is counted: statements go on with the last cut.
    async fn look(&self, newest: &mut Newest) {
        match self.reader.newest_cut().await {
            Ok(Some(cut)) => {
                self.lag_records.tell(self.lag.records(&cut).await);
                newest.cut = Some(cut);
            }
            Ok(None) => {}
            Err(error) => {
                self.failures.inc();
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot look for a newer cut, keeping the last"
                );
            }
        }
        newest.looked = Some(Instant::now());
    }

    async fn open(&self, cut: &Cut, scope: &Scope, catalog: &mut Option<Arc<Catalog>>) -> Result<Sight, SqlError> {
        let failed = || SqlError::engine("the views of a user");
        let tables = Arc::new(Tables::open(&self.reader, cut, scope, &self.lag_records).await?);
        let views = tables.views().await.map_err(failed())?;
        let catalog = match catalog {
            Some(catalog) => Arc::clone(catalog),
            None => Arc::clone(catalog.insert(Arc::new(Catalog::new(described(&views)).map_err(failed())?))),
        };
        let session = public_session(&self.reader, &self.lag_records);
        let views =
            views.iter().map(|(name, view)| (*name, Arc::new(Shut(Arc::clone(view))) as Arc<dyn TableProvider>));
        catalog.furnish(&session, views).map_err(failed())?;
        for kpi in KPIS.iter() {
            session.register_udtf(kpi.name, Arc::new(Function { kpi, tables: Arc::clone(&tables) }));
        }
        Ok(Sight { cut: cut.clone(), state: session.state() })
    }
}

/// A session without any table, for what users say.
fn public_session(reader: &Reader, lag: &LagRecords) -> SessionContext {
    let mut config = medfleet_lake::query_config()
        .with_default_catalog_and_schema(DATABASE, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    let session = SessionContext::new_with_config_rt(config, reader.empty_session().runtime_env());
    functions::register_shared(&session, lag);
    functions::register_public(&session);
    session
}
