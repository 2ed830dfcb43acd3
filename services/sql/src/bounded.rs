//! What the functions of a statement give back. The engine accounts for what operators keep, not for what a call makes, and a
//! nest of calls that each double a text would fill any machine. So each call that makes text or lists stands in a [`Bounded`]:
//! it is made for a few rows at a time, no value is longer than [`ROW_MAX_BYTES`], and what it gave back counts as memory of the
//! connection for as long as anybody holds it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayData, ArrayRef, AsArray as _, StringArray, make_array};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{DFSchema, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable as _, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::refusal::Refusal;
use crate::refusal::sqlstate::{FEATURE_NOT_SUPPORTED, UNDEFINED_FUNCTION};
use crate::widths::{ROW_MAX_BYTES, bytes, is_long, too_wide, widest};

/// What may come out of some rows at once, before anybody looks at it.
const PART_MAX_BYTES: usize = 16 << 20;
/// A smaller result is not accounted for.
const SMALL_BYTES: usize = 1 << 16;
/// Of one value, whatever it holds.
const PLACE_BYTES: usize = 16;
const GROWTH_MAX: usize = 8;
/// What may give back more than it was given, if not more than [`GROWTH_MAX`] times as much.
const ADDING: [&str; 16] = [
    "concat",
    "translate",
    "overlay",
    "upper",
    "lower",
    "initcap",
    "encode",
    "to_char",
    "string_to_array",
    "make_array",
    "array_append",
    "array_prepend",
    "array_concat",
    "array_union",
    "flatten",
    JOINED,
];
/// What writes one argument as often as another is long.
const MULTIPLYING: [&str; 7] = [
    "replace",
    "regexp_replace",
    "concat_ws",
    "array_to_string",
    "array_replace",
    "array_replace_n",
    "array_replace_all",
];
/// The name of `||`.
const JOINED: &str = "joined";
/// A type as deep as the nest of their calls, and twice as large with each: planning alone would not end.
const NESTING: [&str; 4] = ["struct", "named_struct", "map", "arrays_zip"];
/// A window would write all of it again for every row.
const GATHERING: [&str; 2] = ["array_agg", "string_agg"];

/// The plan of a statement with every call in it bounded; views and functions of ours that it names stay as they are.
pub fn bind(plan: LogicalPlan, pool: &Arc<dyn MemoryPool>) -> Result<LogicalPlan> {
    let bound = plan.transform_down_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        node.map_expressions(|expr| expr.transform_up(|part| bound(part, &schema, pool)))
    })?;
    Ok(bound.data)
}

fn bound(part: Expr, schema: &DFSchema, pool: &Arc<dyn MemoryPool>) -> Result<Transformed<Expr>> {
    let around = |inner: Arc<ScalarUDF>, args| {
        let function = ScalarUDF::from(Bounded { inner, pool: Arc::clone(pool) });
        Ok(Transformed::yes(function.call(args)))
    };
    match part {
        Expr::HigherOrderFunction(call) => refuse(call.func.name()),
        Expr::ScalarFunction(call) if NESTING.contains(&call.func.name()) => refuse(call.func.name()),
        Expr::WindowFunction(call) if GATHERING.contains(&call.fun.name()) => {
            let message = format!("{} over a window is not supported", call.fun.name());
            Err(Refusal::new(FEATURE_NOT_SUPPORTED, message, "use it with GROUP BY").into())
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
            let joined = Joined(Signature::user_defined(Volatility::Immutable));
            around(Arc::new(ScalarUDF::from(joined)), vec![*left, *right])
        }
        Expr::ScalarFunction(call) if grows(call.func.name()) => around(call.func, call.args),
        // What only hands on is looked at when it has: it gives back no more than it was given.
        Expr::ScalarFunction(_) | Expr::Case(_) | Expr::Cast(_) | Expr::TryCast(_)
            if part.get_type(schema).is_ok_and(|data_type| is_long(&data_type)) =>
        {
            around(Arc::new(ScalarUDF::from(Same(Signature::any(1, Volatility::Immutable)))), vec![part])
        }
        part => Ok(Transformed::no(part)),
    }
}

fn grows(name: &str) -> bool {
    ADDING.contains(&name) || MULTIPLYING.contains(&name)
}

fn refuse(name: &str) -> Result<Transformed<Expr>> {
    let cure = "ask for columns, or for arrays";
    Err(Refusal::new(UNDEFINED_FUNCTION, format!("function {name} does not exist"), cure).into())
}

/// One function whose results are bounded and accounted for.
#[derive(Debug)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    pool: Arc<dyn MemoryPool>,
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

/// Nothing is simplified: the engine would put constant texts together itself, however long they become.
impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let of_one = self.most_of_one_row(&args.args)?;
        if of_one > PART_MAX_BYTES {
            return Err(self.too_much().into());
        }
        let held = MemoryConsumer::new(self.name()).register(&self.pool);
        let (rows, at_once) = (args.number_rows, PART_MAX_BYTES / of_one);
        if rows <= at_once {
            return match self.inner.invoke_with_args(args)? {
                ColumnarValue::Array(array) => kept(self.looked_at(array, &held)?, held).map(ColumnarValue::Array),
                ColumnarValue::Scalar(value) => {
                    self.looked_at(value.to_array()?, &held).map(|_| ColumnarValue::Scalar(value))
                }
            };
        }
        let part = |first: usize| {
            let number_rows = at_once.min(rows - first);
            let of = |arg: &ColumnarValue| match arg {
                ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(first, number_rows)),
                ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.clone()),
            };
            let args = ScalarFunctionArgs { args: args.args.iter().map(of).collect(), number_rows, ..args.clone() };
            self.looked_at(self.inner.invoke_with_args(args)?.into_array(number_rows)?, &held)
        };
        let parts = (0..rows).step_by(at_once).map(part).collect::<Result<Vec<ArrayRef>>>()?;
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        kept(concat(&parts)?, held).map(ColumnarValue::Array)
    }
}

impl Bounded {
    /// What a call could give back for one row at most, by the longest of its arguments.
    fn most_of_one_row(&self, args: &[ColumnarValue]) -> Result<usize> {
        if self.name() == SAME {
            return Ok(PLACE_BYTES);
        }
        let width = |arg: &ColumnarValue| match arg {
            ColumnarValue::Array(array) => Ok(widest(array)),
            ColumnarValue::Scalar(value) => value.to_array().map(|array| widest(&array)),
        };
        let widths = args.iter().map(width).collect::<Result<Vec<_>>>()?;
        let sum: usize = widths.iter().sum();
        let product = match (widths.first(), self.name()) {
            // The separator stands between all the others.
            (Some(first), "concat_ws") => first * args.len(),
            (Some(first), name) if MULTIPLYING.contains(&name) => first.saturating_mul(sum - first),
            _ => 0,
        };
        Ok((PLACE_BYTES + GROWTH_MAX * sum).saturating_add(product))
    }

    fn looked_at(&self, array: ArrayRef, held: &MemoryReservation) -> Result<ArrayRef> {
        if widest(&array) > ROW_MAX_BYTES {
            return Err(self.too_much().into());
        }
        held.try_grow(bytes(&array))?;
        Ok(array)
    }

    fn too_much(&self) -> Refusal {
        match self.name() {
            SAME => too_wide("a value"),
            JOINED => too_wide("what || gives back"),
            name => too_wide(format!("what {name}() gives back")),
        }
    }
}

/// The array, with its memory accounted for until nobody holds it.
fn kept(array: ArrayRef, held: MemoryReservation) -> Result<ArrayRef> {
    let size = bytes(&array);
    if size <= SMALL_BYTES {
        return Ok(array);
    }
    held.try_resize(size)?;
    with_keeper(array.to_data(), &Arc::new(held)).map(make_array)
}

fn with_keeper(data: ArrayData, held: &Arc<MemoryReservation>) -> Result<ArrayData> {
    let keep = |bytes: &Buffer| Buffer::from(Bytes::from_owner(Kept { bytes: bytes.clone(), _held: Arc::clone(held) }));
    let buffers = data.buffers().iter().map(keep).collect();
    let children = data.child_data().iter().map(|child| with_keeper(child.clone(), held)).collect::<Result<_>>()?;
    Ok(data.into_builder().buffers(buffers).child_data(children).build()?)
}

struct Kept {
    bytes: Buffer,
    _held: Arc<MemoryReservation>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// `||`: nothing where either side is nothing.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined(Signature);

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &'static str {
        JOINED
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("{} || {}", args[0].schema_name(), args[1].schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, _: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Utf8; 2])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let sides = ColumnarValue::values_to_arrays(&args.args)?;
        let rows = sides[0].as_string::<i32>().iter().zip(sides[1].as_string::<i32>());
        let joined: StringArray = rows.map(|(left, right)| Some([left?, right?].concat())).collect();
        Ok(ColumnarValue::Array(Arc::new(joined)))
    }
}

const SAME: &str = "same";

/// Its argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Same(Signature);

impl ScalarUDFImpl for Same {
    fn name(&self) -> &'static str {
        SAME
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args[0].schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::clone(&args.arg_fields[0]))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(args.args[0].clone())
    }
}
