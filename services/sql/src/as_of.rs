//! The tables as they were known at an instant. A file of SQL knows nothing of it: it reads the same names.

use std::sync::Arc;

use datafusion::catalog::view::ViewTable;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::prelude::SessionContext;
use medfleet_domain::time::{Span, Timestamp};
use medfleet_kpi::hours::Hours;
use medfleet_lake::{ROLLUP_DAY_SQL, ROLLUP_QUARTER_SQL};

use crate::sight::{EVERY_FACT, Tables};
use crate::text;

/// Sums have no cause of their own: what they were is added up from the intervals there were.
const ROLLUPS: [&str; 2] = ["rollup_quarter", "rollup_day"];

impl Tables {
    /// The tables as they were known at an instant and up to what had happened before one, else as they are; with the base
    /// hours in force then, where they are asked for over a span.
    pub async fn known(&self, as_of: Option<i64>, before: Option<i64>, hours_within: Option<Span>) -> Result<Self> {
        let mut tables = match as_of {
            Some(at) => self.as_of(at).await?,
            None => self.apart(),
        };
        if let Some(before) = before {
            let happened = medfleet_kpi::happened(&tables.session, Timestamp(before)).await;
            tables.session = happened.map_err(|error| DataFusionError::External(Box::new(error)))?;
        }
        if let Some(within) = hours_within {
            let hours = Hours::read(&tables.session, within).await;
            hours.map_err(|error| DataFusionError::External(Box::new(error)))?.register(&tables.session);
        }
        Ok(tables)
    }

    /// Every table without what was appended at this instant or later, in microseconds. Plans only; nothing is read.
    async fn as_of(&self, at: i64) -> Result<Self> {
        let earlier = self.with(bare(&self.session), self.names.clone());
        for name in self.names.iter().filter(|name| !ROLLUPS.contains(&name.as_str()) && *name != EVERY_FACT) {
            let sql = text::BEFORE.replace("{table}", name);
            let plan = self.plan(&sql, &[("as_of", ScalarValue::Int64(Some(at)))]).await?;
            earlier.session.register_table(name.as_str(), Arc::new(ViewTable::new(plan, None)))?;
        }
        medfleet_kpi::furnish(&earlier.session).map_err(|error| DataFusionError::External(Box::new(error)))?;
        earlier.roll_up().await?;
        Ok(earlier)
    }

    /// Puts sums of the intervals there are into the place of those that were kept. Plans only; nothing is read.
    pub async fn roll_up(&self) -> Result<()> {
        let quarters = self.plan(ROLLUP_QUARTER_SQL, &[]).await?;
        // Its days are those of the sites as they stand, one row each.
        let apart = self.with(bare(&self.session), Vec::new());
        for (name, sql) in [("intervals", "SELECT * FROM intervals"), ("sites", text::SITES.as_str())] {
            let plan = self.plan(sql, &[]).await?;
            apart.session.register_table(name, Arc::new(ViewTable::new(plan, None)))?;
        }
        let days = apart.plan(ROLLUP_DAY_SQL, &[]).await?;
        for (name, plan) in ROLLUPS.into_iter().zip([quarters, days]) {
            self.session.deregister_table(name)?;
            self.session.register_table(name, Arc::new(ViewTable::new(plan, None)))?;
        }
        Ok(())
    }

    /// The same tables, in a session that may have functions of its own.
    fn apart(&self) -> Self {
        let session = SessionContext::new_with_state(self.session.state());
        self.with(session, self.names.clone())
    }

    fn with(&self, session: SessionContext, names: Vec<String>) -> Self {
        Self { cut: self.cut.clone(), session, names, lag: self.lag.clone() }
    }
}

/// A session with the same functions and no table.
fn bare(session: &SessionContext) -> SessionContext {
    let bare = SessionContext::new_with_config_rt(session.copied_config(), session.runtime_env());
    for function in session.state().scalar_functions().values() {
        bare.register_udf(function.as_ref().clone());
    }
    bare
}
