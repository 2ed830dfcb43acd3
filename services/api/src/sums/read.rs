//! Reading table rows into entries.

use arrow::array::{Array as _, AsArray as _, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use super::causes::CauseKey;
use super::entry::{Entry, What};
use crate::error::ApiError;

/// Intervals with their causes. A where clause may follow.
pub const INTERVALS: &str = "SELECT device, site, kind, condition, assumed, conflict, CAST(from_at AS BIGINT) AS from_us, \
    CAST(until_at AS BIGINT) AS until_us, weight, cause_topic, cause_partition, cause_offset FROM intervals";
/// Claims beyond the edge, in the same columns. An `AND` may follow.
pub const CLAIMS: &str = "SELECT subject AS device, site, kind, condition, FALSE AS assumed, FALSE AS conflict, \
    CAST(from_at AS BIGINT) AS from_us, CAST(until_at AS BIGINT) AS until_us, weight, cause_topic, cause_partition, \
    cause_offset FROM heads WHERE role = 'claim'";
/// Versions of devices, in the same columns: in service or retired. A where clause may follow.
pub const SERVICES: &str = "SELECT device, site, kind, CASE WHEN in_service THEN 'service' ELSE 'retired' END AS condition, FALSE AS assumed, FALSE AS conflict, \
    CAST(valid_from AS BIGINT) AS from_us, CAST(valid_until AS BIGINT) AS until_us, weight, cause_topic, cause_partition, \
    cause_offset FROM devices";
/// What was said about zones. A where clause may follow.
pub const ZONES: &str = "SELECT site, time_zone, CAST(valid_from AS BIGINT) AS valid_us, \
    CAST(recorded_at AS BIGINT) AS recorded_us, weight, cause_topic, cause_partition, cause_offset FROM sites";
/// What was said about base hours. A where clause may follow.
pub const CALENDARS: &str = "SELECT site, coalesce(kind, '') AS scope, weekday, from_minute, until_minute, \
    CAST(valid_from AS INT) AS valid_day, CAST(recorded_at AS BIGINT) AS recorded_us, weight, cause_topic, cause_partition, \
    cause_offset FROM calendars";

/// The columns of one batch, by name.
pub struct Columns<'a>(pub &'a RecordBatch);

impl Columns<'_> {
    fn cast(&self, name: &str, to: &DataType) -> Result<arrow::array::ArrayRef, ApiError> {
        let column = self.0.column_by_name(name).ok_or_else(|| ApiError::Column { column: name.to_owned() })?;
        Ok(cast(column, to)?)
    }

    pub fn text(&self, name: &str) -> Result<StringArray, ApiError> {
        Ok(self.cast(name, &DataType::Utf8)?.as_string().clone())
    }

    pub fn int(&self, name: &str) -> Result<Int64Array, ApiError> {
        Ok(self.cast(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    }

    pub fn flag(&self, name: &str) -> Result<BooleanArray, ApiError> {
        Ok(self.cast(name, &DataType::Boolean)?.as_boolean().clone())
    }

    pub fn causes(&self) -> Result<impl Fn(usize) -> CauseKey + use<>, ApiError> {
        let (topic, partition, offset) =
            (self.int("cause_topic")?, self.int("cause_partition")?, self.int("cause_offset")?);
        Ok(move |row| CauseKey::new(topic.value(row), partition.value(row), offset.value(row)))
    }
}

/// The entries of a batch in the columns of [`INTERVALS`]. `number` gives a site, kind and device their numbers.
pub fn entries(
    batch: &RecordBatch,
    mut number: impl FnMut(&str, &str, &str) -> Option<(u32, u32)>,
) -> Result<Vec<Entry>, ApiError> {
    let columns = Columns(batch);
    let (device, site, kind) = (columns.text("device")?, columns.text("site")?, columns.text("kind")?);
    let (condition, assumed, conflict) =
        (columns.text("condition")?, columns.flag("assumed")?, columns.flag("conflict")?);
    let (from, until, weight) = (columns.int("from_us")?, columns.int("until_us")?, columns.int("weight")?);
    let cause = columns.causes()?;
    let mut out: Vec<Entry> = Vec::with_capacity(batch.num_rows());
    // Rows of one device follow each other, so most need no look-up.
    let mut last: Option<(usize, (u32, u32))> = None;
    for row in 0..batch.num_rows() {
        let same = |before: usize| {
            device.value(before) == device.value(row)
                && site.value(before) == site.value(row)
                && kind.value(before) == kind.value(row)
        };
        let numbers = match last {
            Some((before, numbers)) if same(before) => numbers,
            _ => number(site.value(row), kind.value(row), device.value(row))
                .ok_or_else(|| ApiError::Column { column: "device".to_owned() })?,
        };
        last = Some((row, numbers));
        out.push(Entry {
            from: from.value(row),
            until: if until.is_null(row) { i64::MAX } else { until.value(row) },
            cause: cause(row),
            track: numbers.0,
            seat: numbers.1,
            weight: weight.value(row) as i32,
            what: What::of(condition.value(row), assumed.value(row), conflict.value(row)),
        });
    }
    Ok(out)
}
