//! Scores: what models said of devices, as they said it. Rows only appear.

use super::Layout;
use crate::cell::{Cause, Day, Text, UtcMicros};
use crate::schema::row;

pub(super) const SCORES: Layout = Layout {
    partition: &["day"],
    sort: &["device", "at"],
    stats: &["device", "site", "kind", "at", "cause_partition", "cause_offset"],
};

row! {
    /// What one model said of one device for one horizon. Risk is told in millionths.
    ScoreRow {
        device: Text,
        site: Text,
        kind: Text,
        /// UTC day of `at`.
        day: Day,
        /// The instant for which it was said.
        at: UtcMicros,
        horizon_hours: i32,
        /// Chance that any part fails within the horizon.
        risk_ppm: i32,
        /// The part most at risk, and its own chance.
        component: Option<Text>,
        component_ppm: i32,
        /// rules, hazard or trees: who may speak for that part.
        voice: Text,
        /// JSON: `[{"name", "says", "value_milli", "adds_milli"}]`, strongest first.
        grounds: Text,
        model: Text,
        run: Text,
        epoch: i64,
        seq: i64,
        weight: i64,
        cause: Cause,
    }
}
