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
    /// every KPI adds up to the cut. Role `agent`: `from_at` is the agent's last sign of life, by its own time, and the facts and
    /// bytes are what its journal held then; null where it did not say.
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
        /// Facts since the journal began, and those of them that had no receipt.
        accepted_facts: Option<i64>,
        waiting_facts: Option<i64>,
        journal_bytes: Option<i64>,
        journal_limit_bytes: Option<i64>,
        /// When the oldest of the waiting facts was known.
        oldest_waiting_at: Option<UtcMicros>,
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
