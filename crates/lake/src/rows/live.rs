//! What is going on: the open stretch or claim of every device, and the verdicts on requests.

use super::Layout;
use crate::cell::{Cause, Text, UtcMicros};
use crate::schema::row;

/// By role first: whoever adds up claims, which are few, skips what devices were last heard in.
pub(super) const HEADS: Layout = Layout {
    partition: &[],
    sort: &["role", "subject"],
    stats: &["subject", "role", "site", "cause_partition", "cause_offset"],
};

pub(super) const VERDICTS: Layout =
    Layout { partition: &[], sort: &["at", "request"], stats: &["subject", "at", "cause_partition", "cause_offset"] };

row! {
    /// What is believed beyond the edge of one subject's ledger, until something is heard.
    ///
    /// Role `live`: the condition a device was last heard in; open while `until_at` is null, and views clip it
    /// at its agent's last sign of life. Role `claim`: a person's claim that reaches beyond the edge, which
    /// every KPI adds up to the cut. Role `agent`: `from_at` is the agent's last sign of life.
    HeadRow {
        subject: Text,
        role: Text,
        site: Text,
        kind: Text,
        agent: Option<Text>,
        condition: Text,
        degradation: Text,
        from_at: UtcMicros,
        until_at: Option<UtcMicros>,
        /// Greatest stretch end or claim edge: intervals reach up to here. Null before the first.
        edge_at: Option<UtcMicros>,
        author: Option<Text>,
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
