//! Rollups: sums kept up to date by adding. Rows of equal key may be merged; their hash is that of their sums.

use super::Layout;
use crate::cell::{Day, Text, UtcMicros};
use crate::schema::row;

pub(super) const QUARTER: Layout =
    Layout { partition: &["month"], sort: &["site", "kind", "quarter_at"], stats: &["site", "kind", "quarter_at"] };
pub(super) const QUARTER_KEYS: &[&str] = &["month", "site", "kind", "quarter_at", "condition", "degradation"];

pub(super) const DAY: Layout = Layout {
    partition: &["month"],
    sort: &["site", "device", "local_day"],
    stats: &["device", "site", "kind", "local_day"],
};
pub(super) const DAY_KEYS: &[&str] = &["month", "device", "site", "kind", "local_day", "condition", "degradation"];

pub(super) const SUMS: &[&str] = &["micros", "assumed_micros", "conflict_micros"];

row! {
    /// One site and kind in one condition in one UTC quarter-hour: device-microseconds.
    QuarterRollupRow {
        /// First UTC day of the month of `quarter_at`; the partition.
        month: Day,
        site: Text,
        kind: Text,
        quarter_at: UtcMicros,
        condition: Text,
        degradation: Text,
        micros: i64,
        /// Of these, how many an import assumed.
        assumed_micros: i64,
        /// Of these, how many are in conflict with seen use.
        conflict_micros: i64,
    }
}

row! {
    /// One device in one condition on one local day of its site.
    DayRollupRow {
        /// First day of the month of `local_day`; the partition.
        month: Day,
        device: Text,
        site: Text,
        kind: Text,
        local_day: Day,
        condition: Text,
        degradation: Text,
        micros: i64,
        assumed_micros: i64,
        conflict_micros: i64,
    }
}
