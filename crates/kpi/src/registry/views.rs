//! What views there are, and what each of their columns means.

use std::sync::LazyLock;

use super::parts::{sql, whole};
use super::{Column, Unit, View};
use Unit::{Bytes, Count, Day, Flag, InstantMicros, Micros, Milli, Number, Text};

macro_rules! columns {
    ($($name:ident: $unit:expr, $meaning:literal;)*) => {
        &[$(Column { name: stringify!($name), unit: $unit, meaning: $meaning },)*]
    };
}

macro_rules! view {
    ($name:literal, $columns:expr) => {
        View { name: $name, sql: LazyLock::new(|| whole(sql!($name))), columns: $columns }
    };
}

const FAILURES: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site when it began";
    kind: Text, "kind of equipment";
    class: Text, "failure, repeat (within seven days after the one before) or interrupt (ended by itself)";
    evidence: Text, "order_and_down, order, told, not_recovered or self_recovered";
    onset_us: InstantMicros, "when it began";
    ended_us: InstantMicros, "when it ended; null: not yet";
    lasted_us: Micros, "from its beginning to its end, or so far: it was down so long at the most";
    base_us: Micros, "of that within base hours, up to the end of the period";
    down_us: Micros, "unscheduled down under it";
    conflict_us: Micros, "of that while use was seen: it was down so much less at the least";
    downs: Count, "downs merged into it";
    in_use: Flag, "the device was in use when it began";
    work_order: Text, "the corrective order; null: none";
    cause_code: Text, "what the order names as its cause";
};

const DOWNTIMES: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site when it began";
    kind: Text, "kind of equipment";
    onset_us: InstantMicros, "when it went off line";
    until_us: InstantMicros, "when it was last known to be down";
    unscheduled_us: Micros, "unscheduled down within it";
    scheduled_us: Micros, "scheduled down within it";
    ended: Flag, "the device was seen working afterwards";
};

const REPAIRS: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site";
    kind: Text, "kind of equipment";
    work_order: Text, "the corrective order";
    cause_code: Text, "what it names as its cause";
    opened_us: InstantMicros, "when it was requested";
    finished_us: InstantMicros, "when it was returned to service, else closed; null: open";
    base_us: Micros, "base hours from the request to then, or so far, up to the end of the period";
    response_us: Micros, "request to arrival, so far; null: nobody told of an arrival, and the order went on";
    responded: Flag, "somebody had arrived or connected";
    repair_us: Micros, "active repair, so far; null: not begun or not told";
    repaired: Flag, "the repair had ended";
    parts_us: Micros, "waiting for parts, so far";
    parts_waits: Count, "how often it waited for parts: 0 is an order that this clock does not speak of";
    parts_arrived: Flag, "no wait for parts was open";
    vendor_us: Micros, "waiting for the vendor";
    facility_us: Micros, "waiting for the facility";
    own_us: Micros, "waiting for us or the user";
    turnaround_us: Micros, "request to return, so far";
    finished: Flag, "it had been returned";
};

const UPTIME: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "where it was in service";
    kind: Text, "kind of equipment";
    in_service_us: Micros, "in service: the denominator of total uptime, coverage and bounds";
    base_us: Micros, "of these within base hours: operations time";
    productive_us: Micros, "in use";
    standby_us: Micros, "ready";
    engineering_us: Micros, "tests, training, calibration";
    scheduled_down_us: Micros, "planned maintenance";
    unscheduled_down_us: Micros, "failed, or maintenance beyond its window";
    assumed_us: Micros, "of the known, what an import assumed";
    conflict_us: Micros, "claimed down while use was seen";
    base_productive_us: Micros, "in use within base hours";
    base_up_us: Micros, "up within base hours";
    base_scheduled_down_us: Micros, "scheduled down within base hours";
    base_unscheduled_down_us: Micros, "unscheduled down within base hours";
    base_conflict_us: Micros, "in conflict within base hours";
    base_own_wait_us: Micros, "down in base hours while waiting for us or the user, and not for the facility";
    base_supplier_wait_us: Micros, "down in base hours while waiting for vendor or parts, and for nobody else";
    base_facility_wait_us: Micros, "down in base hours while waiting for the facility, whoever else is waited for";
};

const UPTIME_BY_DAY: &[Column] = columns! {
    day: Day, "UTC day; the first and the last are as long as the period has of them";
    site: Text, "where devices were in service";
    kind: Text, "kind of equipment";
    devices: Count, "devices in service on that day";
    monitored: Count, "of these, those of which something is known";
    in_service_us: Micros, "in service: the denominator of coverage and bounds";
    known_us: Micros, "known: the numerator of coverage";
    productive_us: Micros, "in use";
    standby_us: Micros, "ready";
    engineering_us: Micros, "tests, training, calibration";
    scheduled_down_us: Micros, "planned maintenance";
    unscheduled_down_us: Micros, "failed, or maintenance beyond its window";
    conflict_us: Micros, "claimed down while use was seen";
    best_up_us: Micros, "up, were it all that is unknown or in conflict";
    base_us: Micros, "in service within base hours";
    base_productive_us: Micros, "in use within base hours";
    base_up_us: Micros, "up within base hours";
    base_down_us: Micros, "down within base hours, scheduled or not";
    base_best_up_us: Micros, "up within base hours, were it all that is unknown or in conflict";
};

const RELIABILITY: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "where it was in service";
    kind: Text, "kind of equipment";
    make: Text, "as the inventory names it";
    model: Text, "as the inventory names it";
    in_service_day: Day, "day it entered service; null: not told";
    in_service_us: Micros, "exposure by calendar, and the denominator of coverage";
    base_us: Micros, "of that within base hours";
    known_us: Micros, "of the time in service, what is known: the numerator of coverage; nought: not monitored";
    up_us: Micros, "exposure by uptime";
    best_up_us: Micros, "up, were it all that is unknown or in conflict";
    productive_us: Micros, "exposure by use";
    down_us: Micros, "down, scheduled or not";
    unscheduled_down_us: Micros, "unscheduled down";
    failures: Count, "failures that began in the period";
    repeats: Count, "repeats within seven days, counted apart";
    interrupts: Count, "interrupts that ended by themselves, counted apart";
    failures_in_use: Count, "of the failures, those that began while it was in use";
    failures_without_down: Count, "of the failures, orders without any downtime";
};

const CYCLES: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site";
    kind: Text, "kind of equipment";
    counter: Text, "name of the counter";
    component: Text, "the part it belongs to; null: the whole device";
    unit: Text, "unit of the counter";
    source: Text, "who reads it";
    gained_milli: Milli, "what it gained";
    samples: Count, "samples that say so";
    resets: Count, "of these, resets: the gain is then a lower bound";
    last_us: InstantMicros, "the newest sample";
    reading_milli: Milli, "what the counter read then";
};

const CYCLES_BETWEEN_FAILURES: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site";
    kind: Text, "kind of equipment";
    counter: Text, "name of the counter";
    component: Text, "the part it belongs to; null: the whole device";
    unit: Text, "unit of the counter";
    source: Text, "who reads it";
    gained_milli: Milli, "what it gained";
    resets: Count, "resets among its samples: the gain is then a lower bound";
    failures: Count, "failures of the device that began";
};

const PM: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site";
    kind: Text, "kind of equipment";
    risk_class: Text, "of the kind: life_support, high, medium, low or not_classed";
    procedure: Text, "name of the procedure; empty: not told";
    work_order: Text, "the order; null: none";
    due_us: InstantMicros, "end of the planned window, or of the due day";
    done_us: InstantMicros, "when it was done; null: not yet";
    late_us: Micros, "done, or not done yet, so long after it was due; nought: in time, or not due yet";
    reason: Text, "why it was not done when it was tried: could_not_locate, in_use or removed";
    carried: Flag, "due before the period and not done when it began";
    state: Text, "on_time, late, overdue or not_due";
};

const CONCURRENCY: &[Column] = columns! {
    site: Text, "the site";
    kind: Text, "kind of equipment";
    quarters: Count, "quarter-hours of which something is known: those that have a share";
    unknown_quarters: Count, "quarter-hours of which nothing is known: they have none";
    in_use_us: Micros, "in use over all of them";
    known_us: Micros, "known over all of them";
    in_service_us: Micros, "in service over all of them";
    median_in_use_us: Micros, "in use in the median quarter-hour; null: nothing is known of any";
    median_known_us: Micros, "known in that quarter-hour: the denominator of its share";
    median_worst_in_use_us: Micros, "in use in the median quarter-hour were all unknown time idle";
    median_worst_in_service_us: Micros, "in service in that quarter-hour";
    median_best_in_use_us: Micros, "in use in the median quarter-hour were all unknown time use";
    median_best_in_service_us: Micros, "in service in that quarter-hour";
    p95_in_use_us: Micros, "in use in the quarter-hour of the 95th percentile; null: nothing is known of any";
    p95_known_us: Micros, "known in that quarter-hour";
    p95_worst_in_use_us: Micros, "the same were all unknown time idle";
    p95_worst_in_service_us: Micros, "in service in that quarter-hour";
    p95_best_in_use_us: Micros, "the same were all unknown time use";
    p95_best_in_service_us: Micros, "in service in that quarter-hour";
    peak_in_use_us: Micros, "in use in the busiest quarter-hour; null: nothing is known of any";
    peak_known_us: Micros, "known in that quarter-hour";
    peak_worst_in_use_us: Micros, "the same were all unknown time idle";
    peak_worst_in_service_us: Micros, "in service in that quarter-hour";
    peak_best_in_use_us: Micros, "the same were all unknown time use";
    peak_best_in_service_us: Micros, "in service in that quarter-hour";
};

const AMENDMENTS: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site";
    kind: Text, "kind of equipment";
    arrived_day: Day, "UTC day on which the log took the records";
    reason: Text, "voided, corrected, clock_step, retired, moved, registered, claim or backlog";
    in_service_before_us: Micros, "in service before";
    up_before_us: Micros, "up before";
    down_before_us: Micros, "down before";
    in_service_after_us: Micros, "in service after";
    up_after_us: Micros, "up after";
    down_after_us: Micros, "down after";
    log_partition: Number, "partition of the records";
    first_offset: Number, "the first of them";
    last_offset: Number, "the last of them";
};

const AMENDED_WORK: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site";
    kind: Text, "kind of equipment";
    what: Text, "repair or maintenance";
    work_order: Text, "the order; null: none";
    procedure: Text, "of a maintenance, the name of its procedure; empty: not told";
    at_us: InstantMicros, "when the repair was requested, or the maintenance due";
    arrived_day: Day, "UTC day on which the log took the last of the records";
    reason: Text, "voided, corrected, order (phases came late), maintenance, retired, moved or registered";
    state_before: Text, "open or finished; on_time, late, overdue or not_due; null: it did not count";
    state_after: Text, "the same by all that is known";
    response_before_us: Micros, "response before";
    response_after_us: Micros, "response after";
    repair_before_us: Micros, "active repair before";
    repair_after_us: Micros, "active repair after";
    parts_before_us: Micros, "waiting for parts before";
    parts_after_us: Micros, "waiting for parts after";
    others_before_us: Micros, "waiting for anybody else before";
    others_after_us: Micros, "waiting for anybody else after";
    turnaround_before_us: Micros, "turnaround before";
    turnaround_after_us: Micros, "turnaround after";
    log_partition: Number, "partition of the records";
    first_offset: Number, "the first of them";
    last_offset: Number, "the last of them";
};

const AMENDED_COUNTERS: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site";
    kind: Text, "kind of equipment";
    counter: Text, "the counter";
    component: Text, "the part it counts; null: the whole device";
    unit: Text, "its unit";
    source: Text, "whose readings they are";
    arrived_day: Day, "UTC day on which the log took the records";
    reason: Text, "voided, corrected, clock_step, retired, moved, registered, claim or backlog";
    gained_before_milli: Milli, "gained before";
    gained_after_milli: Milli, "gained after";
    samples_before: Count, "samples that told of it before: of none, the first telling amends nothing";
    log_partition: Number, "partition of the records";
    first_offset: Number, "the first of them";
    last_offset: Number, "the last of them";
};

const BACKDATED: &[Column] = columns! {
    what: Text, "calendar, contract or time_zone";
    site: Text, "the site";
    kind: Text, "kind of equipment; null: every kind";
    contract: Text, "number of the contract";
    valid_from_day: Day, "first local day on which it holds; a time zone holds at all times, and this is when it was given";
    recorded_us: InstantMicros, "when it was recorded";
    log_partition: Number, "partition of the record";
    log_offset: Number, "its offset";
};

const EVIDENCE: &[Column] = columns! {
    kind: Text, "type of the fact";
    at_us: InstantMicros, "when it happened";
    known_us: InstantMicros, "when it could be known";
    appended_us: InstantMicros, "when the log took it";
    source_kind: Text, "who witnessed it";
    agent: Text, "the agent that observed; null: none";
    suspect: Flag, "kept, never folded";
    epoch: Number, "identity: life of the writer";
    seq: Number, "identity: position in it";
    log_topic: Number, "0 facts, 1 fleet";
    log_partition: Number, "partition of the record";
    log_offset: Number, "offset of the record";
    log_index: Number, "place in the record";
    is_cause: Flag, "its record made rows of the period what they are";
    bytes: Bytes, "the fact as it was written";
};

const PIECES: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site then";
    kind: Text, "kind of equipment";
    origin: Text, "ledger or claim";
    from_us: InstantMicros, "from here";
    until_us: InstantMicros, "to here";
    condition: Text, "productive, standby, engineering, scheduled_down, unscheduled_down or unknown";
    degradation: Text, "none, minor, partial or severe";
    reason: Text, "claimed, contradiction, partial_in_silence or maintenance_overrun; null: as reported";
    source_kind: Text, "who says so";
    assumed: Flag, "an import assumed it";
    conflict: Flag, "use was seen while it was claimed down";
    claim: Flag, "a person's claim shaped it";
    author: Text, "that person";
    log_partition: Number, "partition of the record that made it so";
    log_offset: Number, "its offset";
};

const ORDER_PHASES: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site";
    kind: Text, "kind of equipment";
    work_order: Text, "the order";
    class: Text, "corrective, preventive, upgrade or inspection";
    phase: Text, "what was reached";
    waiting_for: Text, "whom it waits for";
    planned_from_us: InstantMicros, "planned window";
    planned_until_us: InstantMicros, "its end";
    cause_code: Text, "what it names as its cause";
    text: Text, "in words";
    at_us: InstantMicros, "when it was reached";
    recorded_us: InstantMicros, "when that could be known";
    log_partition: Number, "partition of the record that told it";
    log_offset: Number, "its offset";
};

const CONTRACT_VERSIONS: &[Column] = columns! {
    site: Text, "the site whose devices it covers";
    contract: Text, "its number";
    vendor: Text, "who answers for it";
    kind: Text, "kind of equipment; null: every kind";
    devices: Text, "devices with commas between; null: all of the kind";
    valid_from_day: Number, "first local day, days since 1970";
    valid_until_day: Number, "first local day on which it no longer holds";
    guarantee_bp: Count, "guaranteed uptime, basis points";
    period: Text, "month or quarter";
    hours: Text, "of_site, around_the_clock or its own";
    minor_bp: Count, "weight of a minor degradation, basis points";
    partial_bp: Count, "weight of a partial one";
    severe_bp: Count, "weight of a severe one";
    exclusions: Text, "codes with commas between";
    clock_starts: Text, "onset, reported or vendor_called";
    clock_stops: Text, "arrived, remote_connected, repaired or returned_to_use";
    recorded_us: InstantMicros, "when this version was recorded";
};

const ISSUED_STATEMENTS: &[Column] = columns! {
    device: Text, "the device";
    site: Text, "its site";
    kind: Text, "kind of equipment";
    statement: Text, "name of the statement";
    contract: Text, "its contract";
    period_from_us: InstantMicros, "the period";
    period_until_us: InstantMicros, "its end";
    pinned_cut: Number, "the cut it was computed at";
    as_of_us: InstantMicros, "greatest append time that the cut contains";
    offsets: Text, "JSON: partition of the log to next offset";
    contract_valid_from_day: Number, "version of the contract";
    contract_recorded_us: InstantMicros, "and when that was recorded";
    calendar_recorded_us: InstantMicros, "when the calendar in force was recorded; null: none was needed";
    base_us: Micros, "hours of the contract in the period";
    weighted_us_bp: Number, "downtime that counted, microseconds times basis points";
    unknown_us: Micros, "unknown within the hours";
    conflict_us_bp: Number, "counted in conflict with use, microseconds times basis points";
    author: Text, "who issued it";
    issued_us: InstantMicros, "when";
};

/// Every view.
pub fn views() -> &'static [View] {
    static VIEWS: LazyLock<Vec<View>> = LazyLock::new(|| {
        vec![
            view!("failures", FAILURES),
            view!("downtimes", DOWNTIMES),
            view!("repairs", REPAIRS),
            view!("uptime", UPTIME),
            view!("uptime_by_day", UPTIME_BY_DAY),
            view!("reliability", RELIABILITY),
            view!("cycles", CYCLES),
            view!("cycles_between_failures", CYCLES_BETWEEN_FAILURES),
            view!("pm", PM),
            view!("concurrency", CONCURRENCY),
            view!("amendments", AMENDMENTS),
            // What is open at the end of the period is told as it stood when that was closed.
            View {
                name: "amended_work",
                sql: LazyLock::new(|| whole(sql!("amended_work")).replace("$now", "$closed")),
                columns: AMENDED_WORK,
            },
            view!("amended_counters", AMENDED_COUNTERS),
            view!("backdated", BACKDATED),
            view!("evidence", EVIDENCE),
            view!("pieces", PIECES),
            view!("order_phases", ORDER_PHASES),
            view!("contract_versions", CONTRACT_VERSIONS),
            view!("issued_statements", ISSUED_STATEMENTS),
        ]
    });
    &VIEWS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_is_whole_and_says_what_a_row_is() {
        for view in views() {
            assert!(!view.sql().contains('{'), "{}: a part is missing", view.name);
            assert!(view.sql().starts_with("-- One row: "), "{}", view.name);
            assert!(view.one_row().len() > 20, "{}", view.name);
        }
    }
}
