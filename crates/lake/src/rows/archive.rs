//! The archive: one row per fact as it was appended to the log, original bytes included.

use bytes::Bytes;

use super::Layout;
use crate::cell::{Cause, Day, Text, UtcMicros};
use crate::schema::row;

pub(super) const FACTS: Layout = Layout {
    partition: &["day"],
    sort: &["subject", "at", "epoch", "seq"],
    stats: &["subject", "at", "appended_at", "cause_partition", "cause_offset"],
};

row! {
    /// One fact in the log. A duplicate points to its original by identity and carries no bytes;
    /// a conflict carries its own bytes and the epoch it was given.
    FactRow {
        subject_kind: Text,
        subject: Text,
        epoch: i64,
        seq: i64,
        /// Name of the fact's type.
        kind: Text,
        at: UtcMicros,
        known_at: UtcMicros,
        known_assumed: bool,
        /// UTC day of `at`.
        day: Day,
        site: Text,
        /// Kind of equipment the subject is.
        device_kind: Text,
        agent: Option<Text>,
        source_kind: Text,
        /// State of the writer's clock when the fact was made.
        clock: Text,
        /// new, duplicate or conflict.
        verdict: Text,
        /// The clock was wrong or the time implausible: kept, never folded.
        suspect: bool,
        bytes: Option<Bytes>,
        content_hash: i64,
        appended_at: UtcMicros,
        cause: Cause,
    }
}

row! {
    /// As much of an archived fact as tells it again: who said it, where it lies, what its bytes hash to.
    TraceRow {
        subject_kind: Text,
        subject: Text,
        epoch: i64,
        seq: i64,
        kind: Text,
        day: Day,
        content_hash: i64,
        cause: Cause,
    }
}
