//! The ledger: intervals, usage and errors as a Z-set. A correction is weight -1 of the old row and +1 of the new.

use super::Layout;
use crate::cell::{Cause, Day, Text, UtcMicros};
use crate::schema::row;

pub(super) const INTERVALS: Layout = Layout {
    partition: &["day"],
    sort: &["device", "from_at"],
    stats: &["device", "site", "kind", "from_at", "until_at", "cause_partition", "cause_offset"],
};

pub(super) const USAGE: Layout = Layout {
    partition: &["day"],
    sort: &["device", "counter", "at"],
    stats: &["device", "site", "kind", "at", "cause_partition", "cause_offset"],
};

pub(super) const ERRORS: Layout = Layout {
    partition: &["day"],
    sort: &["device", "at"],
    stats: &["device", "site", "kind", "at", "cause_partition", "cause_offset"],
};

row! {
    /// One device in one condition from `from_at` (included) to `until_at` (excluded), within one UTC day.
    IntervalRow {
        device: Text,
        /// Site at event time.
        site: Text,
        kind: Text,
        /// UTC day of `from_at`.
        day: Day,
        from_at: UtcMicros,
        until_at: UtcMicros,
        condition: Text,
        degradation: Text,
        /// Why an interval is unknown, e.g. contradiction.
        reason: Option<Text>,
        source_kind: Text,
        /// Nobody measured it: an import assumed it.
        assumed: bool,
        /// Use was seen while the device was down.
        conflict: bool,
        /// A person asserted it.
        claim: bool,
        author: Option<Text>,
        /// +1 appears, -1 is withdrawn.
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// One counter of one device moved by `increment_milli` thousandths of `unit`; it belongs to the
    /// later sample's time. Thousandths, because sums of integers are exact in any order.
    UsageRow {
        device: Text,
        site: Text,
        kind: Text,
        /// UTC day of `at`.
        day: Day,
        counter: Text,
        component: Option<Text>,
        unit: Text,
        /// Name of the source whose series this is.
        source: Text,
        at: UtcMicros,
        /// What the counter read, in thousandths.
        value_milli: i64,
        increment_milli: i64,
        /// counted, wrapped, reset or unit_changed.
        step: Text,
        epoch: i64,
        seq: i64,
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// One error code reported by one device.
    ErrorRow {
        device: Text,
        site: Text,
        kind: Text,
        /// UTC day of `at`.
        day: Day,
        at: UtcMicros,
        code: Text,
        family: Option<Text>,
        severity: Text,
        component: Option<Text>,
        cause_domain: Option<Text>,
        text: Option<Text>,
        epoch: i64,
        seq: i64,
        weight: i64,
        cause: Cause,
    }
}
