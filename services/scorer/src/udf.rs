//! Scoring in SQL: `risk(kind, make_model, component, every column…)` is the chance that the part fails within the model's
//! horizon, as the voice says that may speak for its sort.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_risk::column::Column;
use medfleet_risk::fate::Fate;
use medfleet_risk::frame::{Frame, Group, Row};
use medfleet_risk::model::Model;

/// Arguments before the columns.
const NAMES: usize = 3;
/// Nothing is known of what came of a row that is scored.
const UNKNOWN: Fate = Fate { failed_after: None, watched_for: 0 };

/// The function for one model.
pub fn risk(model: Arc<Model>) -> ScalarUDF {
    let mut arguments = vec![DataType::Utf8; NAMES];
    arguments.extend(Column::ALL.map(|_| DataType::Float64));
    let said = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let frame = frame(&arrays).map_err(|error| DataFusionError::External(Box::new(error)))?;
        let rows: Vec<usize> = (0..frame.len()).collect();
        let said: ArrayRef = Arc::new(Float64Array::from(model.heard(&frame, &rows)));
        Ok(ColumnarValue::Array(said))
    };
    create_udf("risk", arguments, DataType::Float64, Volatility::Immutable, Arc::new(said))
}

/// The call, over columns that have the names of the feature query.
pub fn call(kind: &str, make_model: &str, component: &str) -> String {
    let columns = Column::ALL.map(|column| format!("CAST({} AS DOUBLE)", column.as_str())).join(", ");
    format!("risk({kind}, {make_model}, {component}, {columns})")
}

fn frame(arrays: &[ArrayRef]) -> Result<Frame, crate::Error> {
    let names: Vec<StringArray> = arrays[..NAMES]
        .iter()
        .map(|array| Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone()))
        .collect::<Result<_, crate::Error>>()?;
    let columns: Vec<&Float64Array> = arrays[NAMES..].iter().map(|array| array.as_primitive::<Float64Type>()).collect();
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
        frame.push(Row { device: 0, group, at: Timestamp(0), fate: UNKNOWN, weight: 1.0 }, &values)?;
    }
    Ok(frame)
}
