//! The rows of a function. They are planned where they are scanned, because only there may be read which hours are base
//! hours; what the rows look like is known before.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use medfleet_domain::time::Span;

use crate::kpi::{Asked, Kpi};
use crate::origin::Origin;
use crate::sight::Tables;

/// One call of a function over the tables of one user.
pub struct Answer {
    kpi: &'static Kpi,
    sql: &'static str,
    tables: Arc<Tables>,
    asked: Asked,
    origin: Origin,
    schema: SchemaRef,
}

impl Answer {
    /// Plans once for the schema: a question that cannot be is refused here. Over the very tables that are scanned, for the engine
    /// minds whether a column may be null: an end that had not come yet may.
    pub async fn new(kpi: &'static Kpi, sql: &'static str, tables: Arc<Tables>, asked: Asked) -> Result<Self> {
        let origin = Origin::of(kpi, &asked, &tables);
        let seen = seen(kpi, &tables, &asked, None).await?;
        let plan = origin.behind(seen.plan(sql, &asked.params()).await?)?;
        let schema = Arc::clone(DFSchema::inner(plan.schema()));
        Ok(Self { kpi, sql, tables, asked, origin, schema })
    }

    /// The tables as they were known, with the base hours that were in force then.
    async fn tables(&self) -> Result<Tables> {
        let hours = self.kpi.asks_hours().then_some(self.asked.hours_within);
        seen(self.kpi, &self.tables, &self.asked, hours).await
    }
}

async fn seen(kpi: &Kpi, tables: &Tables, asked: &Asked, hours_within: Option<Span>) -> Result<Tables> {
    let tables = tables.known(asked.as_of, asked.at, hours_within).await?;
    // The period of a view ends with a quarter-hour; a table of sums ends where it is asked to.
    if kpi.is_rolled_up() && asked.at.is_some() {
        tables.roll_up().await?;
    }
    Ok(tables)
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}() at cut {}", self.kpi.name, self.tables.cut.number)
    }
}

#[async_trait]
impl TableProvider for Answer {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.origin.behind(self.tables().await?.plan(self.sql, &self.asked.params()).await?)?;
        let mut plan = LogicalPlanBuilder::from(plan).alias(self.kpi.name)?;
        if let Some(filter) = conjunction(filters.iter().cloned()) {
            plan = plan.filter(filter)?;
        }
        if let Some(places) = projection {
            let name = |place: &usize| self.schema.field(*place).name().clone();
            plan = plan.project(places.iter().map(|place| Expr::Column(Column::from_name(name(place)))))?;
        }
        plan = plan.limit(0, limit)?;
        planned(state, &plan.build()?).await
    }
}

/// Plans without the rules that rewrite physical plans: the statement around it applies them to the whole, once. Some of
/// them refuse a plan that they have seen before (joins with dynamic filters cannot change sides).
async fn planned(state: &dyn Session, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(whole) = state.as_any().downcast_ref::<SessionState>() else {
        return state.create_physical_plan(plan).await;
    };
    let bare = SessionStateBuilder::new_from_existing(whole.clone()).with_physical_optimizer_rules(Vec::new()).build();
    bare.create_physical_plan(plan).await
}
