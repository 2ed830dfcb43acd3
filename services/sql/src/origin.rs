//! What every row of a function says of where it comes from: its period, what was left out, its cut and how far behind the
//! log that is, under the names that files of REST have for them.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use crate::kpi::{Asked, Kpi};
use crate::sight::Tables;

/// The last columns of a row, by name; the same in every row of an answer.
#[derive(Debug, Clone)]
pub struct Origin(Vec<(&'static str, ScalarValue)>);

impl Origin {
    pub fn of(kpi: &Kpi, asked: &Asked, tables: &Tables) -> Self {
        let instant = |at: Option<i64>| ScalarValue::TimestampMicrosecond(at, Some("UTC".into()));
        let mut columns = Vec::new();
        if kpi.has_period() {
            columns.push(("period_from", instant(Some(asked.question.from.0))));
            columns.push(("period_until", instant(Some(asked.question.until.0))));
        }
        columns.push(("as_of", instant(asked.as_of)));
        columns.push(("at", instant(asked.instant.or(asked.at))));
        columns.push(("cut", ScalarValue::Int64(Some(tables.cut.number))));
        columns.push(("cut_made_at", instant(Some(tables.cut.made_at.0))));
        columns.push(("lag_records", ScalarValue::Int64(tables.lag.told())));
        Self(columns)
    }

    /// Rows of a plan with these columns behind their own, in the order they have. Where a row has an `at` of its own, which is when
    /// something happened, the one that was asked about is `asked_at`.
    pub fn behind(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let own: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        let is_own = |name: &str| plan.schema().has_column_with_unqualified_name(name);
        let shown = |name: &str| if is_own(name) { format!("asked_{name}") } else { name.to_owned() };
        let told: Vec<Expr> = self.0.iter().map(|(name, value)| lit(value.clone()).alias(shown(name))).collect();
        LogicalPlanBuilder::from(plan).project(own.into_iter().chain(told))?.build()
    }

    /// Columns that are known beforehand, with these behind them.
    pub fn schema(&self, own: &Schema) -> SchemaRef {
        let told = self.0.iter().map(|(name, value)| Arc::new(Field::new(*name, value.data_type(), true)));
        Arc::new(Schema::new(own.fields().iter().cloned().chain(told).collect::<Vec<_>>()))
    }

    /// The cells of so many rows.
    pub fn arrays(&self, rows: usize) -> Result<Vec<ArrayRef>> {
        self.0.iter().map(|(_, value)| value.to_array_of_size(rows)).collect()
    }
}
