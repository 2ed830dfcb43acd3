//! One call of a statement in its bounds: what it could make is asked of the connection's memory before it is made, and what it made
//! counts there for as long as anybody holds it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayData, ArrayRef, AsArray as _, StringArray, make_array};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::growth::{self, PLACE_BYTES, Sizes, bytes};
use crate::refusal::Refusal;
use crate::refusal::sqlstate::OUT_OF_MEMORY;

/// What is made of constants alone becomes a constant of the plan, which counts nowhere.
const CONSTANT_MAX_BYTES: usize = 16 << 10;
/// What lists of some rows are taken apart into at once.
const UNNESTED_MAX_BYTES: usize = 64 << 20;
/// A smaller result is not accounted for.
const SMALL_BYTES: usize = 1 << 16;
/// A shorter constant may stand in every row.
pub const SHORT_TEXT_BYTES: usize = 64;

/// What is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Care {
    /// A function, by what it may make of its arguments.
    Made,
    /// A value that is there already, or that is handed on: for its own size.
    Same,
    /// A value that a join would write many times over: none may be longer.
    Narrow { most_bytes: usize },
    /// A list that is taken apart beside the other arguments.
    Unnested,
}

/// A call that is looked after.
#[derive(Debug)]
pub struct Bounded {
    inner: Arc<ScalarUDF>,
    care: Care,
    pool: Arc<dyn MemoryPool>,
}

impl Bounded {
    /// A function of the engine.
    pub fn of(inner: Arc<ScalarUDF>, pool: &Arc<dyn MemoryPool>) -> ScalarUDF {
        Self::around(inner, Care::Made, pool)
    }

    /// Text beside text, as `||` puts it.
    pub fn joined(left: Expr, right: Expr, to: DataType, pool: &Arc<dyn MemoryPool>) -> Expr {
        let joined = Joined { signature: Signature::any(2, Volatility::Immutable), to };
        Self::around(Arc::new(ScalarUDF::from(joined)), Care::Made, pool).call(vec![left, right])
    }

    /// The first of some values.
    pub fn first(values: Vec<Expr>, care: Care, pool: &Arc<dyn MemoryPool>) -> Expr {
        let first = First(Signature::any(values.len(), Volatility::Immutable));
        Self::around(Arc::new(ScalarUDF::from(first)), care, pool).call(values)
    }

    /// A constant that is written into rows here; the engine would otherwise put it back where it was.
    pub fn constant(constant: Expr, pool: &Arc<dyn MemoryPool>) -> Expr {
        let first = First(Signature::any(1, Volatility::Volatile));
        Self::around(Arc::new(ScalarUDF::from(first)), Care::Same, pool).call(vec![constant])
    }

    fn around(inner: Arc<ScalarUDF>, care: Care, pool: &Arc<dyn MemoryPool>) -> ScalarUDF {
        ScalarUDF::from(Self { inner, care, pool: Arc::clone(pool) })
    }

    pub fn is(function: &ScalarUDF) -> bool {
        function.inner().downcast_ref::<Self>().is_some()
    }

    /// Asks for what could be made before anything is.
    fn ask(&self, args: &ScalarFunctionArgs) -> Result<MemoryReservation> {
        let held = MemoryConsumer::new(self.inner.name()).register(&self.pool);
        if self.care != Care::Made {
            return Ok(held);
        }
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let asked = growth::most(self.inner.name(), &args.args, rows)?.unwrap_or(usize::MAX);
        if constant && asked > CONSTANT_MAX_BYTES {
            let told = format!("could make {asked} bytes of constants, more than {CONSTANT_MAX_BYTES}");
            return Err(self.refusal(&told).into());
        }
        self.grow(&held, asked, rows)?;
        Ok(held)
    }

    fn grow(&self, held: &MemoryReservation, to_bytes: usize, rows: usize) -> Result<()> {
        let limit = match self.pool.memory_limit() {
            MemoryLimit::Finite(bytes) => bytes,
            _ => usize::MAX,
        };
        let used = self.pool.reserved();
        let refuse = |_| {
            let told = format!(
                "asks for {to_bytes} bytes for {rows} rows: a connection may use {} MiB, of which {} are in use",
                limit >> 20,
                used >> 20
            );
            self.refusal(&told).into()
        };
        held.try_resize(to_bytes).map_err(refuse)
    }

    fn refusal(&self, told: &str) -> Refusal {
        let message = match self.inner.name() {
            "||" => format!("|| {told}"),
            FIRST => format!("a value {told}"),
            name => format!("{name}() {told}"),
        };
        Refusal::new(OUT_OF_MEMORY, message, "make less text of fewer rows, or filter and group before it is made")
    }

    fn judged(&self, args: &ScalarFunctionArgs) -> Result<()> {
        match self.care {
            Care::Narrow { most_bytes } => {
                let widest = Sizes::of(&args.args[0])?.widest();
                if widest > most_bytes {
                    let told = format!("of {widest} bytes stands in rows that are joined, which may hold {most_bytes}");
                    return Err(self.refusal(&told).into());
                }
            }
            Care::Unnested => {
                let elements = Sizes::elements(&args.args[0])?;
                let beside = args.args.iter().skip(1).map(Sizes::of).collect::<Result<Vec<_>>>()?;
                let of_row = |row: usize| {
                    let beside = beside.iter().fold(0, |sum, size| size.at(row).saturating_add(PLACE_BYTES + sum));
                    elements.at(row).saturating_mul(beside.saturating_add(PLACE_BYTES))
                };
                let made = (0..args.number_rows).fold(0usize, |sum, row| sum.saturating_add(of_row(row)));
                if made > UNNESTED_MAX_BYTES {
                    let told = format!(
                        "is taken apart into {made} bytes for {} rows at once, more than {UNNESTED_MAX_BYTES}",
                        args.number_rows
                    );
                    return Err(self.refusal(&told).into());
                }
            }
            Care::Made | Care::Same => {}
        }
        Ok(())
    }
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner && self.care == other.care
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
        self.care.hash(state);
    }
}

/// Nothing is simplified: the engine would put another function in its place, which nobody looks after.
impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
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
        self.judged(&args)?;
        if let Care::Narrow { .. } | Care::Unnested = self.care {
            return Ok(args.args[0].clone());
        }
        let (held, rows) = (self.ask(&args)?, args.number_rows);
        let made = match self.inner.invoke_with_args(args)? {
            ColumnarValue::Array(array) => array,
            // It would be written into every row where nobody counts it.
            ColumnarValue::Scalar(value) => {
                let of_one = bytes(&value.to_array()?);
                if of_one <= SHORT_TEXT_BYTES {
                    return Ok(ColumnarValue::Scalar(value));
                }
                self.grow(&held, of_one.saturating_mul(rows), rows)?;
                value.to_array_of_size(rows)?
            }
        };
        self.grow(&held, bytes(&made), rows)?;
        kept(made, held).map(ColumnarValue::Array)
    }
}

/// The array, with its memory accounted for until nobody holds it.
fn kept(array: ArrayRef, held: MemoryReservation) -> Result<ArrayRef> {
    if held.size() <= SMALL_BYTES {
        return Ok(array);
    }
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
struct Joined {
    signature: Signature,
    to: DataType,
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &'static str {
        "||"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("{} || {}", args[0].schema_name(), args[1].schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let text = |arg: &ColumnarValue| Ok(cast(&arg.to_array(rows)?, &DataType::Utf8)?);
        let sides = args.args.iter().map(text).collect::<Result<Vec<ArrayRef>>>()?;
        let sides = sides[0].as_string::<i32>().iter().zip(sides[1].as_string::<i32>());
        let joined: StringArray = sides.map(|(left, right)| Some([left?, right?].concat())).collect();
        let joined = cast(&joined, &self.to)?;
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&joined, 0)?),
            false => ColumnarValue::Array(joined),
        })
    }
}

const FIRST: &str = "value";

/// The first of its arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct First(Signature);

impl ScalarUDFImpl for First {
    fn name(&self) -> &'static str {
        FIRST
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

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn what_was_made_counts_until_nobody_holds_it() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 20));
        let held = MemoryConsumer::new("made").register(&pool);
        held.try_grow(200_000).unwrap();
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1_000); 200]));
        let array = kept(Arc::clone(&texts), held).unwrap();
        let slice = array.slice(3, 1);
        assert_eq!((&array, pool.reserved()), (&texts, 200_000));
        drop(array);
        assert_eq!(pool.reserved(), 200_000);
        drop(slice);
        assert_eq!(pool.reserved(), 0);
    }
}
