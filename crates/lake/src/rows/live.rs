//! What is going on: the open stretch or claim of every device, and the verdicts on requests.

use super::Layout;
use crate::cell::{Cause, Text, UtcMicros};
use crate::schema::row;

pub(super) const HEADS: Layout = Layout {
    partition: &[],
    sort: &["device"],
    stats: &["device", "site", "cause_partition", "cause_offset"],
};

pub(super) const VERDICTS: Layout = Layout {
    partition: &[],
    sort: &["at", "request"],
    stats: &["subject", "at", "cause_partition", "cause_offset"],
};

row! {
    /// What one device does now: the open stretch as last heard, and the open claim that every KPI
    /// adds up to the cut.
    HeadRow {
        device: Text,
        site: Text,
        kind: Text,
        agent: Option<Text>,
        condition: Text,
        degradation: Text,
        since_at: UtcMicros,
        last_heard_at: Option<UtcMicros>,
        /// The stretch is still open: it ends at the last sign of life for now.
        provisional: bool,
        /// Condition of the open claim, where there is one.
        claim_condition: Option<Text>,
        claim_degradation: Option<Text>,
        claim_from_at: Option<UtcMicros>,
        claim_author: Option<Text>,
        /// Greatest stretch end or claim edge: intervals reach up to here.
        edge_at: Option<UtcMicros>,
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// What the fold answered to one request.
    VerdictRow {
        request: Text,
        subject: Text,
        verdict: Text,
        reason: Option<Text>,
        at: UtcMicros,
        cause: Cause,
    }
}
