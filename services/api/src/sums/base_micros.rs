//! `base_micros(site, kind, from_us, until_us)`: how much of a span lies within base hours, for SQL.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;

use super::hours::Hours;

/// The base hours of all sites at one cut.
#[derive(Debug, Clone)]
pub struct BaseHours(Arc<HashMap<String, Arc<Hours>>>);

impl BaseHours {
    pub fn of(sites: impl Iterator<Item = (String, Arc<Hours>)>) -> Self {
        Self(Arc::new(sites.collect()))
    }

    /// Makes the function part of a session.
    pub fn register(self, session: &SessionContext) {
        session.register_udf(create_udf(
            "base_micros",
            vec![DataType::Utf8, DataType::Utf8, DataType::Int64, DataType::Int64],
            DataType::Int64,
            Volatility::Immutable,
            Arc::new(move |args| self.measure(args).map(ColumnarValue::Array)),
        ));
    }

    fn measure(&self, args: &[ColumnarValue]) -> Result<ArrayRef> {
        let arrays = ColumnarValue::values_to_arrays(args)?;
        let (sites, kinds) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
        let (from, until) = (arrays[2].as_primitive::<Int64Type>(), arrays[3].as_primitive::<Int64Type>());
        let overlap = |row: usize| {
            if arrays.iter().any(|array| array.is_null(row)) {
                return None;
            }
            let steps = self.0.get(sites.value(row)).map(|hours| hours.of(kinds.value(row)));
            Some(steps.map_or(0, |steps| steps.overlap(from.value(row), until.value(row))))
        };
        Ok(Arc::new((0..sites.len()).map(overlap).collect::<Int64Array>()))
    }
}
