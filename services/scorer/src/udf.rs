//! Scoring in SQL: `risk(kind, make_model, component, every column…, families)` is the chance that the part fails within the model's
//! horizon, as the voice says that may speak for its sort.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_risk::column::Column;
use medfleet_risk::fate::Fate;
use medfleet_risk::frame::{Frame, Group, Row};
use medfleet_risk::model::Model;

use crate::families::{FAMILIES, Families};

/// Arguments before the columns.
const NAMES: usize = 3;
/// Nothing is known of what came of a row that is scored.
const UNKNOWN: Fate = Fate { failed_after: None, watched_for: 0 };

/// The function for one model.
pub fn risk(model: Arc<Model>) -> ScalarUDF {
    // Of a list only those who read it can say what it must be.
    let signature = Signature::any(NAMES + Column::COUNT + 1, Volatility::Immutable);
    ScalarUDF::new_from_impl(Risk { model, signature })
}

struct Risk {
    model: Arc<Model>,
    signature: Signature,
}

impl fmt::Debug for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "risk within {}", self.model.horizon.as_str())
    }
}

/// Two are the same function where they ask the same model.
impl PartialEq for Risk {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.model, &other.model)
    }
}

impl Eq for Risk {}

impl Hash for Risk {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.model).hash(state);
    }
}

impl ScalarUDFImpl for Risk {
    fn name(&self) -> &str {
        "risk"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, asked: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let arrays = ColumnarValue::values_to_arrays(&asked.args)?;
        let frame = frame(&arrays).map_err(|error| DataFusionError::External(Box::new(error)))?;
        let rows: Vec<usize> = (0..frame.len()).collect();
        let said: ArrayRef = Arc::new(Float64Array::from(self.model.heard(&frame, &rows)));
        Ok(ColumnarValue::Array(said))
    }
}

/// The call, over columns that have the names of the feature query.
pub fn call(kind: &str, make_model: &str, component: &str) -> String {
    let columns = Column::ALL.map(|column| format!("CAST({} AS DOUBLE)", column.as_str())).join(", ");
    format!("risk({kind}, {make_model}, {component}, {columns}, {FAMILIES})")
}

fn frame(arrays: &[ArrayRef]) -> Result<Frame, crate::Error> {
    let names: Vec<StringArray> = arrays[..NAMES]
        .iter()
        .map(|array| Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone()))
        .collect::<Result<_, crate::Error>>()?;
    let families = Families::read(&arrays[NAMES + Column::COUNT])?;
    let columns = arrays[NAMES..NAMES + Column::COUNT].iter().map(|array| array.as_primitive_opt::<Float64Type>());
    let columns: Vec<&Float64Array> = columns
        .zip(Column::ALL)
        .map(|(array, column)| array.ok_or(crate::Error::NoColumn { column: column.as_str() }))
        .collect::<Result<_, _>>()?;
    let (mut groups, mut known, mut numbers) = (Vec::new(), BTreeMap::new(), Vec::new());
    for row in 0..names[0].len() {
        let group = Group {
            kind: DeviceKind::parse(names[0].value(row))?,
            make_model: names[1].value(row).into(),
            component: names[2].value(row).into(),
        };
        numbers.push(*known.entry(group.clone()).or_insert_with(|| {
            groups.push(group);
            groups.len() as u32 - 1
        }));
    }
    let mut frame = Frame::new(groups);
    let mut values = vec![f64::NAN; Column::COUNT];
    for (row, group) in numbers.into_iter().enumerate() {
        for (value, column) in values.iter_mut().zip(&columns) {
            *value = if column.is_null(row) { f64::NAN } else { column.value(row) };
        }
        let unknown = Row { device: 0, group, at: Timestamp(0), fate: UNKNOWN, weight: 1.0 };
        frame.push_telling(unknown, &values, families.at(row))?;
    }
    Ok(frame)
}
