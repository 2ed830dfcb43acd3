//! The stored form of a cut; [`crate::Cut`] is the form to work with.

use super::Layout;
use crate::cell::{Text, UtcMicros};
use crate::schema::row;

pub(super) const CUTS: Layout = Layout { partition: &[], sort: &["cut"], stats: &["cut", "made_at"] };

row! {
    /// One cut: up to where every table had read every partition of the log.
    CutRow {
        cut: i64,
        made_at: UtcMicros,
        /// JSON: partition of the log to next offset.
        offsets: Text,
        /// JSON: table to generation and version.
        tables: Text,
        /// JSON: partition of the log to the greatest append time seen, in microseconds.
        appended_max: Text,
    }
}
