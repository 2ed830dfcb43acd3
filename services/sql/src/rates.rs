//! `rate_low(events, exposure)` and `rate_high(…)`: exact limits of a rate of counted events, in the unit of the exposure,
//! for whoever adds up rows before it divides.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray as _, Float64Array};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use medfleet_kpi::stats::rate::Rate;

pub fn register(session: &SessionContext) {
    let limits: [(&str, fn(&Rate) -> f64); 2] = [("rate_low", |rate| rate.low), ("rate_high", |rate| rate.high)];
    for (name, of) in limits {
        let types = vec![DataType::Float64, DataType::Float64];
        let limit = move |args: &[ColumnarValue]| limits_of(args, of).map(ColumnarValue::Array);
        session.register_udf(create_udf(name, types, DataType::Float64, Volatility::Immutable, Arc::new(limit)));
    }
}

fn limits_of(args: &[ColumnarValue], of: fn(&Rate) -> f64) -> Result<ArrayRef> {
    let arrays = ColumnarValue::values_to_arrays(args)?;
    let (events, exposures) = (arrays[0].as_primitive::<Float64Type>(), arrays[1].as_primitive::<Float64Type>());
    let pairs = events.iter().zip(exposures.iter()).map(|(events, exposure)| events.zip(exposure));
    Ok(Arc::new(pairs.map(|pair| pair.and_then(rate).as_ref().map(of)).collect::<Float64Array>()))
}

/// None of what cannot be counted, and without exposure.
fn rate((events, exposure): (f64, f64)) -> Option<Rate> {
    let counted = events >= 0.0 && events.fract() == 0.0 && events < 9e15;
    counted.then(|| Rate::of(events as u64, exposure))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_statistics_the_limits_are_those_of_the_rate() {
        let of = |events, exposure| rate((events, exposure)).map(|rate| (rate.low, rate.high));
        let (low, high) = of(3.0, 2.5).unwrap();
        assert!((low - 0.2475).abs() < 5e-5 && (high - 3.5069).abs() < 5e-5, "{low} {high}");
        assert_eq!(of(0.0, 4.0).unwrap().0, 0.0);
        assert_eq!([of(1.5, 1.0), of(-1.0, 1.0), of(1.0, 0.0), of(f64::NAN, 1.0)], [None; 4]);
    }
}
