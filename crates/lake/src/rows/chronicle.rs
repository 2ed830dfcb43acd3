//! The chronicle: what the topics of alerts and of risk tell, as they told it. Rows only appear.

use super::Layout;
use crate::cell::{Cause, Text, UtcMicros};
use crate::schema::row;

pub(super) const ALERT_STEPS: Layout = Layout {
    partition: &[],
    sort: &["alert", "at"],
    stats: &["alert", "site", "at", "cause_partition", "cause_offset"],
};

pub(super) const MODELS: Layout =
    Layout { partition: &[], sort: &["model"], stats: &["model", "cause_partition", "cause_offset"] };

row! {
    /// One step in one alert's life. What an alert is about stands in the step that raised it.
    AlertStepRow {
        /// Hexadecimal id.
        alert: Text,
        /// When the record that brought it about reached the log.
        at: UtcMicros,
        /// raised, goes_on, acknowledged, assigned, snoozed, escalated, resolved, reopened, cause_withdrawn or judged.
        step: Text,
        rule: Option<Text>,
        subject_kind: Option<Text>,
        subject: Option<Text>,
        part: Option<Text>,
        site: Option<Text>,
        kind: Option<Text>,
        urgency: Option<Text>,
        summary: Option<Text>,
        /// Of a step that raised or reopened: when the problem began, whether it was known too late, the fact behind it.
        began_at: Option<UtcMicros>,
        late: Option<bool>,
        fact_epoch: Option<i64>,
        fact_seq: Option<i64>,
        /// The score that brought it about: whose word, how far ahead, and the chance of the part, in millionths.
        model: Option<Text>,
        voice: Option<Text>,
        horizon_hours: Option<i32>,
        chance_ppm: Option<i32>,
        /// Who did it, or who is to see to it.
        person: Option<Text>,
        assignee: Option<Text>,
        snoozed_until: Option<UtcMicros>,
        level: Option<i32>,
        /// over, part_of, retired or by.
        ending: Option<Text>,
        /// When the problem was over.
        over_at: Option<UtcMicros>,
        /// The larger incident.
        part_of: Option<Text>,
        reason: Option<Text>,
        /// confirmed, other_part, wear_replaced, nothing_found or not_done.
        finding: Option<Text>,
        part_found: Option<Text>,
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// One model that was made: enough to make it again.
    ModelRow {
        model: Text,
        horizon_hours: i32,
        at: UtcMicros,
        seed: i64,
        /// The cut it was made from, and its offsets as JSON: `topic/partition` to next offset.
        cut: i64,
        offsets: Text,
        period_from: UtcMicros,
        period_until: UtcMicros,
        /// JSON: settings, figures, and what the gate decided and why.
        report: Text,
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// A model that is asked no more.
    WithdrawalRow {
        model: Text,
        at: UtcMicros,
        person: Text,
        reason: Text,
        weight: i64,
        cause: Cause,
    }
}
