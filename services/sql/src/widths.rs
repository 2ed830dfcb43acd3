//! How wide rows may be. Memory that operators reserve is bounded by the pool; what one operator makes of a batch in one go is
//! not, and is as many rows as the batch has, each as wide as its widest texts and lists. So no row may be wider than
//! [`ROW_MAX_BYTES`], neither in what is answered nor where a join, a window or an `unnest` would write it many times over.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray as _, OffsetSizeTrait, RecordBatch};
use datafusion::arrow::datatypes::{BinaryType, ByteArrayType, DataType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::refusal::Refusal;
use crate::refusal::sqlstate::PROGRAM_LIMIT_EXCEEDED;

/// One row of an answer, one value of a function, and all long texts of a statement once they stand where they are used.
pub const ROW_MAX_BYTES: usize = 1 << 18;
/// Rows that an operator takes at once, so that the widest rows come to 256 MiB.
pub const ROWS_AT_ONCE: usize = 1_024;
/// What `unnest` makes of some rows at once.
const UNNESTED_MAX_BYTES: usize = 64 << 20;
/// A shorter text counts as none: nobody's list of names is refused.
const LONG_TEXT_BYTES: usize = 1 << 10;
/// Of a value that is neither text nor list, and of the place of one that is.
const PLACE_BYTES: usize = 16;

/// At most so many bytes are in one value of an array.
pub fn widest(array: &dyn Array) -> usize {
    match array.data_type() {
        DataType::Utf8 => longest::<Utf8Type>(array),
        DataType::LargeUtf8 => longest::<LargeUtf8Type>(array),
        DataType::Binary => longest::<BinaryType>(array),
        DataType::LargeBinary => longest::<LargeBinaryType>(array),
        DataType::Utf8View => longest_view(array.as_string_view().views()),
        DataType::BinaryView => longest_view(array.as_binary_view().views()),
        DataType::List(_) => longest_list::<i32>(array) * (PLACE_BYTES + widest(array.as_list::<i32>().values())),
        DataType::LargeList(_) => longest_list::<i64>(array) * (PLACE_BYTES + widest(array.as_list::<i64>().values())),
        DataType::Struct(_) => array.as_struct().columns().iter().map(|column| widest(column)).sum(),
        DataType::Dictionary(..) => widest(array.as_any_dictionary().values()),
        _ => PLACE_BYTES,
    }
}

/// Whether its values can be of any length.
pub fn is_long(data_type: &DataType) -> bool {
    !data_type.is_null() && !data_type.is_primitive() && data_type != &DataType::Boolean
}

fn longest<T: ByteArrayType>(array: &dyn Array) -> usize {
    let offsets = array.as_bytes::<T>().offsets();
    offsets.lengths().max().unwrap_or(0)
}

fn longest_view(views: &[u128]) -> usize {
    views.iter().map(|view| length(*view)).max().unwrap_or(0)
}

/// The lowest four bytes of a view.
const fn length(view: u128) -> usize {
    view as u32 as usize
}

fn longest_list<O: OffsetSizeTrait>(array: &dyn Array) -> usize {
    array.as_list::<O>().offsets().lengths().max().unwrap_or(0)
}

/// Rows that `unnest` makes of one value, lists in lists too.
fn elements(column: &dyn Array) -> usize {
    match column.data_type() {
        DataType::List(_) => longest_list::<i32>(column) * elements(column.as_list::<i32>().values()),
        DataType::LargeList(_) => longest_list::<i64>(column) * elements(column.as_list::<i64>().values()),
        _ => 1,
    }
}

/// What the values of an array take; a slice is not charged for all that it was cut from.
pub fn bytes(array: &dyn Array) -> usize {
    let of_views = |views: &[u128]| views.iter().map(|view| PLACE_BYTES + length(*view)).sum();
    match array.data_type() {
        DataType::Utf8View => of_views(array.as_string_view().views()),
        DataType::BinaryView => of_views(array.as_binary_view().views()),
        _ => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size()),
    }
}

fn width(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| widest(column)).sum()
}

pub fn too_wide(what: impl fmt::Display) -> Refusal {
    let message = format!("{what} has more than {} KiB", ROW_MAX_BYTES >> 10);
    Refusal::new(PROGRAM_LIMIT_EXCEEDED, message, "put less text together, or fewer rows of it")
}

fn narrow(batch: &RecordBatch) -> Result<()> {
    if width(batch) > ROW_MAX_BYTES { Err(too_wide("a row").into()) } else { Ok(()) }
}

/// What is looked after between two operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Care {
    /// No row is too wide.
    Narrow,
    /// Nor may all of them together be more than the connection may hold: a window writes so many texts for each row, and keeps
    /// all that it was given, unless it goes along with it.
    Kept { texts: usize, all: bool },
    /// Only so many rows at once that what their lists are taken apart into is bounded.
    Few,
}

#[derive(Debug)]
struct Watched {
    input: Arc<dyn ExecutionPlan>,
    care: Care,
}

impl DisplayAs for Watched {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched: {:?}", self.care)
    }
}

impl ExecutionPlan for Watched {
    fn name(&self) -> &'static str {
        "Watched"
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
        Ok(Arc::new(Self { input: children.swap_remove(0), care: self.care }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let held = MemoryConsumer::new("window").register(context.memory_pool());
        let (schema, batches) = (self.input.schema(), self.input.execute(partition, context)?);
        let watched = match self.care {
            Care::Narrow => batches.and_then(|batch| async move { narrow(&batch).map(|()| batch) }).boxed(),
            Care::Kept { texts, all } => {
                let (mut widest, mut rows, mut came, mut whole) = (0, 0, 0, 0);
                let keep = move |batch: Result<RecordBatch>| {
                    let batch = batch?;
                    narrow(&batch)?;
                    widest = width(&batch).max(widest);
                    rows += batch.num_rows();
                    came += batch.columns().iter().map(|column| bytes(column)).sum::<usize>();
                    // Put together with the others it is there once more; one batch alone is whole already.
                    let again = if whole == 0 { 0 } else { came };
                    whole = came;
                    held.try_resize(if all { came + again } else { 0 } + texts * rows * widest)?;
                    Ok(batch)
                };
                batches.map(keep).boxed()
            }
            Care::Few => batches.map_ok(|batch| stream::iter(in_parts(&batch))).try_flatten().boxed(),
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, watched)))
    }
}

/// A batch in parts whose lists, taken apart with all that stands beside them, are not too much at once.
fn in_parts(batch: &RecordBatch) -> Vec<Result<RecordBatch>> {
    let (lists, beside): (Vec<&ArrayRef>, Vec<&ArrayRef>) =
        batch.columns().iter().partition(|column| column.data_type().is_list());
    let made = lists.iter().map(|list| elements(list)).max().unwrap_or(1).max(1);
    let of_one = made.saturating_mul(PLACE_BYTES + beside.iter().map(|column| widest(column)).sum::<usize>());
    if of_one > UNNESTED_MAX_BYTES {
        return vec![Err(too_wide("what is beside a long list").into())];
    }
    let rows = UNNESTED_MAX_BYTES / of_one;
    let firsts = (0..batch.num_rows()).step_by(rows);
    firsts.map(|first| Ok(batch.slice(first, rows.min(batch.num_rows() - first)))).collect()
}

/// Puts itself between the operators of a whole plan, and refuses one that holds too much text of its own.
#[derive(Debug)]
pub struct Widths;

impl PhysicalOptimizerRule for Widths {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let mut told = 0;
        let plan = plan.transform_up(|node| {
            let texts = long_texts(&node)?;
            told += texts;
            if told > ROW_MAX_BYTES {
                return Err(too_wide("the text that a statement puts into its rows").into());
            }
            let Some(care) = care_for(&node) else { return Ok(Transformed::no(node)) };
            if texts > 0 && matches!(care, Care::Kept { .. }) {
                return Err(too_wide("what a window writes into every row").into());
            }
            let watched = |input: &Arc<dyn ExecutionPlan>| watch(input, care);
            let inputs = node.children().into_iter().map(watched).collect();
            let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            node.replace_children(inputs, same).map(Transformed::yes)
        })?;
        Ok(watch(&plan.data, Care::Narrow))
    }

    fn name(&self) -> &'static str {
        "widths"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn watch(input: &Arc<dyn ExecutionPlan>, care: Care) -> Arc<dyn ExecutionPlan> {
    Arc::new(Watched { input: Arc::clone(input), care })
}

fn care_for(node: &Arc<dyn ExecutionPlan>) -> Option<Care> {
    match node.name() {
        "UnnestExec" => Some(Care::Few),
        "WindowAggExec" | "BoundedWindowAggExec" => {
            let given = node.children().iter().map(|input| input.schema().fields().len()).sum();
            let texts = node.schema().fields().iter().skip(given).filter(|field| is_long(field.data_type())).count();
            Some(Care::Kept { texts, all: node.name() == "WindowAggExec" })
        }
        name if name.ends_with("JoinExec") => Some(Care::Narrow),
        _ => None,
    }
}

/// Bytes of the long texts that an operator writes into its rows.
fn long_texts(node: &Arc<dyn ExecutionPlan>) -> Result<usize> {
    let mut bytes = 0;
    node.apply_expressions(&mut |expr| {
        expr.apply(|part| {
            if let Some(literal) = part.downcast_ref::<Literal>()
                && is_long(&literal.value().data_type())
            {
                let of_one = widest(&literal.value().to_array()?);
                bytes += if of_one > LONG_TEXT_BYTES { of_one } else { 0 };
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int64Array, ListArray, StringArray, StringViewArray};
    use datafusion::arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn the_widest_value_of_a_slice_is_found_in_every_form() {
        let texts = ["ab", "abcdefghijklmnopqrstuvwxyz", "abc"];
        assert_eq!(widest(&StringArray::from_iter_values(texts)), 26);
        assert_eq!(widest(&StringArray::from_iter_values(texts).slice(2, 1)), 3);
        assert_eq!(widest(&StringViewArray::from_iter_values(texts)), 26);
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1); 5]), None]);
        assert_eq!(widest(&lists), 5 * 2 * PLACE_BYTES);
        assert!(widest(&Int64Array::from(vec![1, 2])) == PLACE_BYTES && !is_long(&DataType::Int64));
    }

    #[test]
    fn slices_of_an_array_are_charged_for_what_they_are_once() {
        let long = "x".repeat(100);
        let (texts, views) = (StringArray::from(vec![&*long; 1_000]), StringViewArray::from(vec![&*long; 1_000]));
        let forms: [&dyn Array; 3] = [&Int64Array::from(vec![1; 1_000]), &texts, &views];
        for whole in forms {
            let parts: usize = (0..100).map(|part| bytes(&*whole.slice(part * 10, 10))).sum();
            let all = bytes(whole);
            assert!(all <= parts && parts <= all + 100 * PLACE_BYTES, "{}: {parts} of {all}", whole.data_type());
        }
    }

    #[test]
    fn a_text_beside_a_long_list_is_taken_apart_a_few_rows_at_a_time() {
        let rows = |elements: usize, bytes: usize| {
            let list = ListArray::from_iter_primitive::<Int32Type, _, _>((0..8).map(|_| Some(vec![Some(1); elements])));
            let text = StringArray::from_iter_values((0..8).map(|_| "x".repeat(bytes)));
            RecordBatch::try_from_iter([("list", Arc::new(list) as ArrayRef), ("text", Arc::new(text))]).unwrap()
        };
        assert_eq!(in_parts(&rows(10, 10)).len(), 1);
        let parts = in_parts(&rows(1 << 10, (20 << 10) - PLACE_BYTES));
        assert_eq!(parts.iter().flatten().map(RecordBatch::num_rows).collect::<Vec<_>>(), [3, 3, 2]);
        assert!(in_parts(&rows(1 << 10, 100 << 10))[0].is_err());
    }
}
