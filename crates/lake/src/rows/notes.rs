//! Notes: facts that are rows as they stand. Orders, maintenance, replaced parts, contracts, issued statements.

use super::Layout;
use crate::cell::{Cause, Day, Text, UtcMicros};
use crate::schema::row;

pub(super) const OF_DEVICE: Layout = Layout {
    partition: &[],
    sort: &["device", "at"],
    stats: &["device", "site", "kind", "at", "cause_partition", "cause_offset"],
};

pub(super) const CONTRACTS: Layout =
    Layout { partition: &[], sort: &["site", "contract"], stats: &["site", "cause_partition", "cause_offset"] };

row! {
    /// One phase of one work order, as the system that keeps it (or a granted request) states it.
    OrderRow {
        device: Text,
        site: Text,
        kind: Text,
        /// Name of the order.
        work_order: Text,
        /// corrective, preventive, upgrade or inspection.
        class: Text,
        phase: Text,
        waiting_for: Option<Text>,
        planned_from: Option<UtcMicros>,
        planned_until: Option<UtcMicros>,
        cause_code: Option<Text>,
        text: Option<Text>,
        /// When the phase was reached.
        at: UtcMicros,
        recorded_at: UtcMicros,
        epoch: i64,
        seq: i64,
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// One piece of planned maintenance that was done, or was not and why.
    MaintenanceRow {
        device: Text,
        site: Text,
        kind: Text,
        procedure: Text,
        due_day: Option<Day>,
        /// completed, could_not_locate, in_use or removed.
        outcome: Text,
        work_order: Option<Text>,
        at: UtcMicros,
        recorded_at: UtcMicros,
        epoch: i64,
        seq: i64,
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// One part of a device replaced by another.
    ComponentRow {
        device: Text,
        site: Text,
        kind: Text,
        component: Text,
        old_serial: Option<Text>,
        new_serial: Option<Text>,
        /// On plan or on evidence of wear, not after a failure: censoring for any model of life.
        preventive: bool,
        work_order: Option<Text>,
        at: UtcMicros,
        recorded_at: UtcMicros,
        epoch: i64,
        seq: i64,
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// One version of one contract at one site. Basis points are hundredths of a percent.
    ContractRow {
        site: Text,
        contract: Text,
        vendor: Text,
        /// Null: every kind.
        kind: Option<Text>,
        /// Names of devices with commas between; null: all of the kind.
        devices: Option<Text>,
        /// Local days; it holds from the first to before the last.
        valid_from: Day,
        valid_until: Option<Day>,
        guarantee_bp: i32,
        /// month or quarter.
        period: Text,
        /// of_site, around_the_clock, or hours as `weekday:from_minute-until_minute` with commas between.
        hours: Text,
        minor_bp: i32,
        partial_bp: i32,
        severe_bp: i32,
        /// Codes with commas between; null: none.
        exclusions: Option<Text>,
        clock_starts: Text,
        clock_stops: Text,
        recorded_at: UtcMicros,
        epoch: i64,
        seq: i64,
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// One statement as it was issued: its figure, and what computes it again.
    StatementRow {
        device: Text,
        site: Text,
        kind: Text,
        statement: Text,
        contract: Text,
        period_from: UtcMicros,
        period_until: UtcMicros,
        cut: i64,
        /// Greatest append time of anything the cut contains.
        as_of: UtcMicros,
        /// JSON: partition of the log to next offset, as in `cuts`.
        offsets: Text,
        contract_valid_from: Day,
        contract_recorded_at: UtcMicros,
        calendar_recorded_at: Option<UtcMicros>,
        base_us: i64,
        /// Downtime that counts, in microseconds times basis points.
        weighted_us_bp: i64,
        unknown_us: i64,
        conflict_us_bp: i64,
        author: Option<Text>,
        /// When it was issued.
        at: UtcMicros,
        recorded_at: UtcMicros,
        epoch: i64,
        seq: i64,
        weight: i64,
        cause: Cause,
    }
}
