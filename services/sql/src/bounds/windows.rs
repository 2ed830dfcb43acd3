//! What windows of a statement hold: the engine keeps the rows of a window and counts them nowhere. Windows in our own views stay as
//! they are.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{WindowFrameBound, WindowFrameUnits};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::window::WindowExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt as _;

use super::growth::{PLACE_BYTES, bytes, is_long, sizes};
use crate::refusal::Refusal;
use crate::refusal::sqlstate::OUT_OF_MEMORY;

/// A frame of fewer rows is not counted.
const FRAME_ROWS: u64 = 100_000;

/// Puts a [`Counted`] beneath every window of these names.
#[derive(Debug)]
pub struct Windows {
    pub names: HashSet<String>,
}

impl PhysicalOptimizerRule for Windows {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let counted = plan.transform_up(|node| {
            let Some((exprs, all)) = window(&node) else { return Ok(Transformed::no(node)) };
            if !exprs.iter().any(|expr| self.names.contains(expr.name())) {
                return Ok(Transformed::no(node));
            }
            let is_text = |expr: &&Arc<dyn WindowExpr>| expr.field().is_ok_and(|field| is_long(field.data_type()));
            let texts = exprs.iter().filter(is_text).count();
            let made = Counted { input: Arc::clone(node.children()[0]), all, columns: exprs.len(), texts };
            let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            node.replace_children(vec![Arc::new(made)], same).map(Transformed::yes)
        })?;
        Ok(counted.data)
    }

    fn name(&self) -> &'static str {
        "windows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The expressions of a window, and whether it keeps all rows.
fn window(node: &Arc<dyn ExecutionPlan>) -> Option<(Vec<Arc<dyn WindowExpr>>, bool)> {
    if let Some(window) = node.downcast_ref::<WindowAggExec>() {
        return Some((window.window_expr().to_vec(), true));
    }
    let window = node.downcast_ref::<BoundedWindowAggExec>()?;
    let exprs = window.window_expr().to_vec();
    let all = exprs.iter().any(keeps_many);
    Some((exprs, all))
}

fn keeps_many(expr: &Arc<dyn WindowExpr>) -> bool {
    let frame = expr.get_window_frame();
    let many = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::CurrentRow => false,
        WindowFrameBound::Preceding(value) | WindowFrameBound::Following(value) => match value {
            // Up to the first row: a sum goes along and keeps none.
            value if value.is_null() => false,
            ScalarValue::UInt64(Some(rows)) if frame.units == WindowFrameUnits::Rows => *rows > FRAME_ROWS,
            _ => true,
        },
    };
    many(&frame.start_bound) || many(&frame.end_bound)
}

/// Counts the rows that go into a window as memory of the statement.
#[derive(Debug)]
struct Counted {
    input: Arc<dyn ExecutionPlan>,
    /// All rows are kept until the last has come.
    all: bool,
    /// Columns that the window writes, and how many of them are texts.
    columns: usize,
    texts: usize,
}

impl Counted {
    /// Bytes of all rows so far, and once more where several batches are put together; and of what is written beside them.
    fn held(&self, batch: &RecordBatch, so_far: &mut SoFar) -> usize {
        let columns = batch.columns();
        so_far.rows += batch.num_rows();
        so_far.bytes += columns.iter().map(|column| bytes(column)).sum::<usize>();
        let texts = columns.iter().filter(|column| is_long(column.data_type()));
        so_far.widest = texts.flat_map(|column| sizes(column)).fold(so_far.widest, usize::max);
        let written = self.columns * PLACE_BYTES + self.texts * so_far.widest;
        so_far.batches += 1;
        let copies = if so_far.batches > 1 { 2 } else { 1 };
        match self.all {
            true => copies * so_far.bytes + written * so_far.rows,
            false => written * batch.num_rows(),
        }
    }
}

#[derive(Default)]
struct SoFar {
    rows: usize,
    bytes: usize,
    batches: usize,
    widest: usize,
}

impl DisplayAs for Counted {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counted: all={}", self.all)
    }
}

impl ExecutionPlan for Counted {
    fn name(&self) -> &'static str {
        "Counted"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Self { all, columns, texts, .. } = *self;
        Ok(Arc::new(Self { input: children.swap_remove(0), all, columns, texts }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let held = MemoryConsumer::new("window").register(context.memory_pool());
        let batches = self.input.execute(partition, context)?;
        let counting = Self { input: Arc::clone(&self.input), ..*self };
        let mut so_far = SoFar::default();
        let counted = move |batch: Result<RecordBatch>| {
            let batch = batch?;
            let asked = counting.held(&batch, &mut so_far);
            let refuse = |_| {
                let message =
                    format!("a window asks for {asked} bytes for {} rows: more than a connection may use", so_far.rows);
                Refusal::new(OUT_OF_MEMORY, message, "filter or group before the window, or let it keep fewer columns")
            };
            held.try_resize(asked).map_err(refuse)?;
            Ok(batch)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), batches.map(counted))))
    }
}
