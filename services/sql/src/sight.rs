//! What one scope sees at one cut: tables filtered to its sites at the bottom, netted views and functions over them.
//!
//! The filter stands beneath everything else, so neither a view nor a function can forget it: what has no filter is not
//! there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::view::ViewTable;
use datafusion::common::{DFSchema, JoinType, ParamValues, Result, ScalarValue};
use datafusion::logical_expr::{LogicalPlan, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use medfleet_lake::{Cut, Reader};

use crate::error::SqlError;
use crate::functions::{self, LagRecords};
use crate::text;
use crate::users::Scope;

/// Tables whose rows carry the site they belong to.
const SITE: &str = "site";
/// Where every fact lies in the log and when it was appended, of whatever site: it says how far the log had come.
pub const EVERY_FACT: &str = "every_fact";
/// Steps of alerts belong to the site that stands in the step which raised the alert.
const ALERT_STEPS: &str = "alert_steps";
/// Nobody's rows: they are made of the whole fleet and tell of no device.
const FLEET_WIDE: [&str; 2] = ["models", "withdrawals"];
/// Rows about a device that carry no site: they follow the device.
const BY_DEVICE: (&str, &str) =
    ("verdicts", "SELECT * FROM every_verdict WHERE subject IN (SELECT device FROM devices)");

/// Tables filtered to a scope, for views and functions to read; nobody names them in a statement.
pub struct Tables {
    pub cut: Cut,
    pub(crate) session: SessionContext,
    pub(crate) names: Vec<String>,
    pub(crate) lag: LagRecords,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tables(cut {})", self.cut.number)
    }
}

impl Tables {
    pub async fn open(reader: &Reader, cut: &Cut, scope: &Scope, lag: &LagRecords) -> Result<Self, SqlError> {
        let (every, session) = (reader.open_cut(cut).await?, reader.empty_session());
        functions::register_shared(&session, lag);
        for name in cut.tables.keys() {
            let failed = || SqlError::engine("the tables of a user");
            let frame = every.table(name.as_str()).await.map_err(failed())?;
            let has_site = frame.schema().has_column_with_unqualified_name(SITE);
            let (name, frame) = match scope {
                Scope::All => (name.as_str(), frame),
                Scope::Sites(_) if FLEET_WIDE.contains(&name.as_str()) => (name.as_str(), frame),
                Scope::Sites(sites) if has_site => {
                    let theirs = sites.iter().map(|site| lit(site.as_str())).collect();
                    let own = frame.clone().filter(col(SITE).in_list(theirs, false)).map_err(failed())?;
                    let own = if name == ALERT_STEPS { steps_of(frame, own).map_err(failed())? } else { own };
                    (name.as_str(), own)
                }
                Scope::Sites(_) if name == BY_DEVICE.0 => ("every_verdict", frame),
                // Nobody knows whose rows these are.
                Scope::Sites(_) => continue,
            };
            let view = ViewTable::new(frame.into_unoptimized_plan(), None);
            session.register_table(name, Arc::new(view)).map_err(failed())?;
        }
        let names: Vec<String> = cut.tables.keys().cloned().collect();
        if cut.tables.contains_key("facts") {
            let facts = every.table("facts").await.map_err(SqlError::engine("the log's times"))?;
            let places = facts.select_columns(&["cause_topic", "cause_partition", "cause_offset", "appended_at"]);
            let places = places.map_err(SqlError::engine("the log's times"))?.into_unoptimized_plan();
            let view = Arc::new(ViewTable::new(places, None));
            session.register_table(EVERY_FACT, view).map_err(SqlError::engine("the log's times"))?;
        }
        let mut tables = Self { cut: cut.clone(), session, names, lag: lag.clone() };
        if tables.session.table_exist("every_verdict").unwrap_or(false) {
            tables.narrow_by_device().await.map_err(SqlError::engine("the tables of a user"))?;
        }
        tables.names.retain(|name| tables.session.table_exist(name.as_str()).unwrap_or(false));
        medfleet_kpi::furnish(&tables.session)?;
        Ok(tables)
    }

    async fn narrow_by_device(&self) -> Result<()> {
        let (name, sql) = BY_DEVICE;
        let plan = self.plan(sql, &[]).await?;
        self.session.deregister_table("every_verdict")?;
        self.session.register_table(name, Arc::new(ViewTable::new(plan, None)))?;
        Ok(())
    }

    /// A file over these tables, with its `$name` parameters put in.
    pub async fn plan(&self, sql: &str, params: &[(&str, ScalarValue)]) -> Result<LogicalPlan> {
        let plan = self.session.state().create_logical_plan(sql).await?;
        let values: Vec<(String, ScalarValue)> =
            params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        plan.with_param_values(ParamValues::from(values))
    }

    /// The views by name. One over a table that this cut does not have shows no rows.
    pub async fn views(&self) -> Result<BTreeMap<&'static str, Arc<ViewTable>>> {
        let newest = self.cut.appended_max.values().map(|at| at.0).max();
        let params = [
            ("cut", ScalarValue::Int64(Some(self.cut.number))),
            ("now", ScalarValue::Int64(Some(self.cut.made_at.0))),
            ("newest", ScalarValue::Int64(newest)),
        ];
        let mut views = BTreeMap::new();
        for (name, sql) in text::VIEWS.iter() {
            let plan = self.plan(sql, &params).await.map_err(|error| error.context(format!("view {name}")))?;
            views.insert(*name, Arc::new(ViewTable::new(plan, None)));
        }
        Ok(views)
    }
}

/// All steps of the alerts that these steps raised.
fn steps_of(every: DataFrame, raised: DataFrame) -> Result<DataFrame> {
    let alerts = raised.select(vec![col("alert").alias("own")])?;
    every.join(alerts, JoinType::LeftSemi, &["alert"], &["own"], None)
}

/// Names and columns of what a user may name, the same for all of them.
pub fn described(views: &BTreeMap<&'static str, Arc<ViewTable>>) -> Vec<(String, SchemaRef)> {
    let schema = |view: &ViewTable| Arc::clone(DFSchema::inner(view.logical_plan().schema()));
    views.iter().map(|(name, view)| ((*name).to_owned(), schema(view))).collect()
}
