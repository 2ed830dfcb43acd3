//! `local_minute(instant, zone)`: what a wall clock shows, as minutes since midnight; base hours follow it over changes of
//! daylight saving, where a count of elapsed minutes would not.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int32Array};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Timelike as _};
use chrono_tz::Tz;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;

pub fn register(session: &SessionContext) {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    session.register_udf(create_udf(
        "local_minute",
        vec![instant, DataType::Utf8],
        DataType::Int32,
        Volatility::Immutable,
        Arc::new(|args| minutes(args).map(ColumnarValue::Array)),
    ));
}

fn minutes(args: &[ColumnarValue]) -> Result<ArrayRef> {
    let arrays = ColumnarValue::values_to_arrays(args)?;
    let instants = arrays[0].as_primitive::<TimestampMicrosecondType>();
    let zones = arrays[1].as_string::<i32>();
    let mut known: Option<(&str, Tz)> = None;
    let mut minutes = Vec::with_capacity(instants.len());
    for row in 0..instants.len() {
        if instants.is_null(row) || zones.is_null(row) {
            minutes.push(None);
            continue;
        }
        let name = zones.value(row);
        let zone = match known {
            Some((last, zone)) if last == name => zone,
            _ => match name.parse::<Tz>() {
                Ok(zone) => zone,
                Err(_) => return exec_err!("{name:?} is no time zone: use an IANA name"),
            },
        };
        known = Some((name, zone));
        minutes.push(wall_minute(instants.value(row), zone));
    }
    Ok(Arc::new(Int32Array::from(minutes)))
}

fn wall_minute(micros: i64, zone: Tz) -> Option<i32> {
    let local = DateTime::from_timestamp_micros(micros)?.with_timezone(&zone);
    i32::try_from(local.hour() * 60 + local.minute()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_jumps_where_the_zone_does() {
        let zone: Tz = "America/New_York".parse().unwrap();
        let minute = |text: &str| {
            let at = DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
            wall_minute(at, zone).unwrap()
        };
        assert_eq!(minute("2026-03-08T06:45:00Z"), 60 + 45);
        assert_eq!(minute("2026-03-08T07:00:00Z"), 3 * 60);
        assert_eq!(minute("2026-03-09T12:00:00Z"), 8 * 60);
    }
}
