//! Two SQL functions for local days, since a site's day has 23, 24 or 25 hours.
//!
//! `local_day(instant, zone)` is the local day an instant lies in; `local_midnight(day, zone)` is the
//! first instant of a local day. Zones are IANA names.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Date32Array, PrimitiveArray, TimestampMicrosecondArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Date32Type, TimestampMicrosecondType};
use chrono::{DateTime, Days, MappedLocalTime, NaiveDate, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;

use crate::cell::utc_micros_type;

/// Zone changes are multiples of this; a missing midnight is searched in these steps.
const ZONE_STEP_MINUTES: i64 = 15;
/// No zone ever skipped more than one day.
const ZONE_STEPS_MAX: u32 = 100;

pub(super) fn register(session: &SessionContext) {
    session.register_udf(create_udf(
        "local_day",
        vec![utc_micros_type(), DataType::Utf8],
        DataType::Date32,
        Volatility::Immutable,
        Arc::new(|args| local_days(args).map(ColumnarValue::Array)),
    ));
    session.register_udf(create_udf(
        "local_midnight",
        vec![DataType::Date32, DataType::Utf8],
        utc_micros_type(),
        Volatility::Immutable,
        Arc::new(|args| local_midnights(args).map(ColumnarValue::Array)),
    ));
}

fn local_days(args: &[ColumnarValue]) -> Result<ArrayRef> {
    let days: Vec<Option<i32>> = map_zoned::<TimestampMicrosecondType, _>(args, |micros, zone| {
        let Some(instant) = DateTime::from_timestamp_micros(micros) else {
            return exec_err!("{micros} microseconds is no time: the row was read wrongly");
        };
        Ok(Date32Type::from_naive_date(instant.with_timezone(&zone).date_naive()))
    })?;
    Ok(Arc::new(Date32Array::from(days)))
}

fn local_midnights(args: &[ColumnarValue]) -> Result<ArrayRef> {
    let micros: Vec<Option<i64>> = map_zoned::<Date32Type, _>(args, |day, zone| {
        let date = NaiveDate::from_ymd_opt(1970, 1, 1).and_then(|epoch| match day {
            0.. => epoch.checked_add_days(Days::new(day.unsigned_abs().into())),
            _ => epoch.checked_sub_days(Days::new(day.unsigned_abs().into())),
        });
        match date.and_then(|date| first_instant(date, zone)) {
            Some(micros) => Ok(micros),
            None => exec_err!("day {day} has no beginning in {zone}: the row was read wrongly"),
        }
    })?;
    Ok(Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC")))
}

/// The first instant of a local day, in UTC microseconds. Where a zone change skips midnight, the
/// day begins at the change; where midnight happens twice, at the first.
fn first_instant(day: NaiveDate, zone: Tz) -> Option<i64> {
    let mut local = day.and_time(NaiveTime::MIN);
    for _ in 0..ZONE_STEPS_MAX {
        match zone.from_local_datetime(&local) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => {
                return Some(at.timestamp_micros());
            }
            MappedLocalTime::None => local += TimeDelta::minutes(ZONE_STEP_MINUTES),
        }
    }
    None
}

/// Applies `f` to every pair of a value and a zone, parsing each run of equal zones once.
fn map_zoned<T: ArrowPrimitiveType, V>(
    args: &[ColumnarValue],
    f: impl Fn(T::Native, Tz) -> Result<V>,
) -> Result<Vec<Option<V>>> {
    let arrays = ColumnarValue::values_to_arrays(args)?;
    let values: &PrimitiveArray<T> = arrays[0].as_primitive();
    let zones = arrays[1].as_string::<i32>();
    let mut last: Option<(&str, Tz)> = None;
    let mut out = Vec::with_capacity(values.len());
    for row in 0..values.len() {
        if values.is_null(row) || zones.is_null(row) {
            out.push(None);
            continue;
        }
        let name = zones.value(row);
        let zone = match last {
            Some((known, zone)) if known == name => zone,
            _ => match name.parse::<Tz>() {
                Ok(zone) => zone,
                Err(_) => return exec_err!("{name:?} is no time zone: use an IANA name"),
            },
        };
        last = Some((name, zone));
        out.push(Some(f(values.value(row), zone)?));
    }
    Ok(out)
}
