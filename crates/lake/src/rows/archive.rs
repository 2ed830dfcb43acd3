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
        /// What the bytes of the original hash to, where a row carries none; of others it follows from `bytes`.
        content_hash: Option<i64>,
        appended_at: UtcMicros,
        cause: Cause,
    }
}

row! {
    /// As much of an archived fact as finds it again: who said it, and where it lies.
    TraceRow {
        subject_kind: Text,
        subject: Text,
        epoch: i64,
        seq: i64,
        kind: Text,
        day: Day,
        cause: Cause,
    }
}

row! {
    /// What an archived fact said, to tell a repeat from a conflict.
    OriginalRow {
        subject_kind: Text,
        subject: Text,
        epoch: i64,
        seq: i64,
        bytes: Option<Bytes>,
        cause: Cause,
    }
}
