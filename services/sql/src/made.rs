//! Rows that the KPI room makes of several views: scorecards, and sites compared. They are made while the statement runs,
//! within its time and memory, and not while it is planned.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::SessionContext;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use medfleet_kpi::backdated;
use medfleet_kpi::comparison::{self, ComparedSite, Fleet};
use medfleet_kpi::figures;
use medfleet_kpi::scorecard::{self, Group, Told};
use medfleet_kpi::table::{Cell, Figure, Heading, Table};

use crate::kpi::Asked;
use crate::origin::Origin;
use crate::sight::Tables;

/// Rows are turned into columns so many at a time.
const ROWS_AT_ONCE: usize = 1_024;

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    Scorecards,
    Comparison,
    Backdated,
}

impl Made {
    pub const fn one_row(self) -> &'static str {
        match self {
            Self::Scorecards => scorecard::ONE_ROW,
            Self::Comparison => comparison::ONE_ROW,
            Self::Backdated => backdated::ONE_ROW,
        }
    }

    fn schema(self) -> Schema {
        let headings = match self {
            Self::Scorecards => Table::of(&figures::figures(), &[]).headings,
            Self::Comparison => Table::of(&comparison::figures(), &[]).headings,
            Self::Backdated => Table::of(&backdated::figures(), &[]).headings,
        };
        let field = |heading: &Heading| Field::new(&heading.name, data_type(heading.unit), true);
        Schema::new(headings.iter().map(field).collect::<Vec<_>>())
    }
}

/// The type of a figure's column, by its unit.
fn data_type(unit: &str) -> DataType {
    match unit {
        "text" => DataType::Utf8,
        "yes or no" => DataType::Boolean,
        "count" | "place" | "position" => DataType::Int64,
        "day" => DataType::Date32,
        "instant, UTC" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => DataType::Float64,
    }
}

/// One call over the tables of one user.
#[derive(Debug)]
pub struct MadeRows(Arc<Work>);

impl MadeRows {
    pub fn new(made: Made, origin: Origin, tables: Arc<Tables>, asked: Asked) -> Self {
        let schema = origin.schema(&made.schema());
        Self(Arc::new(Work { made, tables, asked: Arc::new(asked), origin, schema, at_once: true }))
    }
}

#[async_trait]
impl TableProvider for MadeRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let is_asked = |at: usize| schema.field(at).name().starts_with(figures::AT_ONCE);
        let at_once = projection.is_none_or(|columns| columns.iter().any(|at| is_asked(*at)));
        let work: Arc<dyn PartitionStream> = Arc::new(Work { at_once, ..Work::clone(&self.0) });
        Ok(Arc::new(StreamingTableExec::try_new(self.schema(), vec![work], projection, None, false, limit)?))
    }
}

#[derive(Clone)]
struct Work {
    made: Made,
    tables: Arc<Tables>,
    asked: Arc<Asked>,
    origin: Origin,
    schema: SchemaRef,
    /// Whether it is asked how many were in use at once.
    at_once: bool,
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at cut {}", self.made, self.tables.cut.number)
    }
}

impl PartitionStream for Work {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let work = self.clone();
        let made = async move { work.make(&context).await.map(stream::iter) };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream::once(made).try_flatten().boxed()))
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl Work {
    async fn make(&self, context: &TaskContext) -> Result<Batches> {
        let failed = |error| DataFusionError::External(Box::new(error));
        let hours = (self.made != Made::Comparison).then_some(self.asked.hours_within);
        let tables = self.tables.known(self.asked.as_of, self.asked.at, hours).await?;
        let session = within(&tables.session, context);
        let Asked { question, group, by, .. } = &*self.asked;
        match self.made {
            Made::Scorecards => {
                let mut told = Told::read(&session, question).await.map_err(failed)?;
                if self.at_once && *group == Group::SiteKind {
                    told = told.at_once(&session, question).await.map_err(failed)?;
                }
                self.batches(context, told.by(*group), figures::figures())
            }
            Made::Comparison => {
                let fleet = Fleet::read(&session, question).await.map_err(failed)?;
                let by = *by;
                // Resampling takes its time: no work for a thread that others wait for.
                let sites = tokio::task::spawn_blocking(move || fleet.compare(by)).await;
                let sites: Vec<ComparedSite> = sites.map_err(|error| DataFusionError::External(Box::new(error)))?;
                self.batches(context, sites, comparison::figures().into())
            }
            Made::Backdated => {
                let versions = backdated::backdated(&session, question).await.map_err(failed)?;
                self.batches(context, versions, backdated::figures().into())
            }
        }
    }

    /// The rows as batches, made one by one; while any is to come, the rows count as memory of the statement.
    fn batches<T: Send + 'static>(
        &self,
        context: &TaskContext,
        rows: Vec<T>,
        figures: Vec<Figure<T>>,
    ) -> Result<Batches> {
        let held = MemoryConsumer::new(format!("{self:?}")).register(context.memory_pool());
        held.try_grow(std::mem::size_of_val(rows.as_slice()))?;
        let (schema, origin) = (Arc::clone(&self.schema), self.origin.clone());
        let firsts = (0..rows.len()).step_by(ROWS_AT_ONCE);
        Ok(Box::new(firsts.map(move |first| {
            let _held = &held;
            let last = rows.len().min(first + ROWS_AT_ONCE);
            batch(&Table::of(&figures, &rows[first..last]), &origin, &schema)
        })))
    }
}

/// The session of the tables with the memory of the statement that asks.
fn within(tables: &SessionContext, context: &TaskContext) -> SessionContext {
    let state = SessionStateBuilder::new_from_existing(tables.state()).with_runtime_env(context.runtime_env()).build();
    SessionContext::new_with_state(state)
}

fn batch(table: &Table, origin: &Origin, schema: &SchemaRef) -> Result<RecordBatch> {
    let column =
        |(place, field): (usize, &Arc<Field>)| column(table.rows.iter().map(|row| &row[place]), field.data_type());
    let own = schema.fields().iter().take(table.headings.len());
    let mut columns = own.enumerate().map(column).collect::<Result<Vec<_>>>()?;
    columns.extend(origin.arrays(table.rows.len())?);
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

fn column<'a>(cells: impl Iterator<Item = &'a Cell>, data_type: &DataType) -> Result<ArrayRef> {
    Ok(match data_type {
        DataType::Utf8 => Arc::new(cells.map(text).collect::<Result<StringArray>>()?),
        DataType::Boolean => Arc::new(cells.map(flag).collect::<Result<BooleanArray>>()?),
        DataType::Int64 => Arc::new(cells.map(whole).collect::<Result<Int64Array>>()?),
        // A cell writes days and instants as text.
        DataType::Date32 | DataType::Timestamp(..) => {
            cast(&cells.map(text).collect::<Result<StringArray>>()?, data_type)?
        }
        _ => Arc::new(cells.map(number).collect::<Result<Float64Array>>()?),
    })
}

fn text(cell: &Cell) -> Result<Option<&str>> {
    match cell {
        Cell::Nothing => Ok(None),
        Cell::Text(text) => Ok(Some(text)),
        other => exec_err!("a figure in text is {other:?}"),
    }
}

fn flag(cell: &Cell) -> Result<Option<bool>> {
    match cell {
        Cell::Nothing => Ok(None),
        Cell::Flag(flag) => Ok(Some(*flag)),
        other => exec_err!("a figure that is yes or no is {other:?}"),
    }
}

fn whole(cell: &Cell) -> Result<Option<i64>> {
    match cell {
        Cell::Nothing => Ok(None),
        Cell::Whole(number) => Ok(Some(*number)),
        other => exec_err!("a figure that counts is {other:?}"),
    }
}

fn number(cell: &Cell) -> Result<Option<f64>> {
    match cell {
        Cell::Nothing => Ok(None),
        Cell::Number(number) => Ok(Some(*number)),
        other => exec_err!("a figure that measures is {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_the_type_of_its_unit_and_takes_nothing_else() {
        let cells = [Cell::Whole(2), Cell::Nothing];
        let counts = column(cells.iter(), &data_type("count")).unwrap();
        assert_eq!((counts.data_type(), counts.len(), counts.null_count()), (&DataType::Int64, 2, 1));
        assert!(column(cells.iter(), &data_type("seconds")).is_err());
        for made in [Made::Scorecards, Made::Comparison, Made::Backdated] {
            let schema = made.schema();
            assert!(schema.fields().iter().any(|field| field.data_type() == &DataType::Float64), "{made:?}");
            assert_eq!(schema.field_with_name("site").unwrap().data_type(), &DataType::Utf8, "{made:?}");
        }
    }
}
