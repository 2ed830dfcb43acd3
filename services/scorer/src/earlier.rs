//! What was scored earlier, read from the table of scores.

use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use crate::Error;

/// How many scores each device has.
pub fn counts(batches: &[RecordBatch]) -> Result<BTreeMap<String, u64>, Error> {
    let mut counts = BTreeMap::new();
    for batch in batches {
        let column = |name: &'static str, kind: &DataType| {
            let array = batch.column_by_name(name).ok_or(Error::NoColumn { column: name })?;
            Ok::<_, Error>(cast(array, kind)?)
        };
        let (devices, scores) = (column("device", &DataType::Utf8)?, column("scores", &DataType::Int64)?);
        let (devices, scores) = (devices.as_string::<i32>(), scores.as_primitive::<Int64Type>());
        for row in 0..devices.len() {
            counts.insert(devices.value(row).to_owned(), scores.value(row).unsigned_abs());
        }
    }
    Ok(counts)
}
