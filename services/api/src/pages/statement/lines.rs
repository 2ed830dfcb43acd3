//! The spans of a statement in words, each with the log records behind it, and what later facts made of earlier statements.

use medfleet_domain::condition::Condition;
use medfleet_domain::contract::{BasisPoints, Exclusion};
use medfleet_domain::statement::{Changed, Class, Line, Statement};
use medfleet_kpi::statement::Adjustment;

use super::figures;
use crate::pages::format::{Clock, basis_points, condition_title, duration, hours};
use crate::pages::frame::Frame;
use crate::rest::sheet::records;

/// Records named in one cell; the rest are counted.
const RECORDS_SHOWN_MAX: usize = 4;

pub struct LineOut {
    pub class: &'static str,
    pub words: &'static str,
    pub from: String,
    pub until: String,
    pub lasted: String,
    pub condition: String,
    pub weight: String,
    pub orders: String,
    pub records: String,
    pub evidence: String,
}

/// How long one class lasted, unweighted.
pub struct ClassLine {
    pub class: &'static str,
    pub words: &'static str,
    pub hours: String,
    pub means: &'static str,
}

pub struct AdjustmentBlock {
    pub name: String,
    pub was: String,
    pub is: String,
    pub rows: Vec<ChangedLine>,
}

pub struct ChangedLine {
    pub from: String,
    pub until: String,
    pub lasted: String,
    pub was: String,
    pub is: String,
    pub records: String,
    pub evidence: String,
}

/// A class, the style of its mark, and its name.
fn named(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Counted => ("u", "Counted"),
        Class::Unknown => ("n", "Unknown"),
        Class::Uncovered => ("o", "Outside the hours"),
        Class::Excluded(Exclusion::MaintenanceFromDowntime | Exclusion::MaintenanceFromBoth) => {
            ("d", "Maintenance, excluded")
        }
        Class::Excluded(Exclusion::Facility) => ("o", "Facility, excluded"),
        Class::Excluded(Exclusion::User) => ("o", "User, excluded"),
        Class::Excluded(Exclusion::Upgrade) => ("o", "Upgrade, excluded"),
        Class::BeforeClock => ("o", "Before the clock started"),
        Class::AfterClock => ("o", "After the clock stopped"),
    }
}

pub const CLASSES: [(Class, &str); 10] = [
    (Class::Counted, "within the hours, while the contract's clock ran"),
    (Class::Unknown, "within the hours, and nobody knows: widens the bounds"),
    (Class::BeforeClock, "down, and the fact that starts the clock had not happened"),
    (Class::AfterClock, "down, and the fact that stops the clock had happened"),
    (Class::Excluded(Exclusion::MaintenanceFromDowntime), "scheduled, taken out of the downtime"),
    (Class::Excluded(Exclusion::MaintenanceFromBoth), "scheduled, taken out of downtime and hours"),
    (Class::Excluded(Exclusion::Facility), "power, climate, water or network"),
    (Class::Excluded(Exclusion::User), "no access, or a cause that lies with the user"),
    (Class::Excluded(Exclusion::Upgrade), "down for an upgrade"),
    (Class::Uncovered, "down outside the contract's hours"),
];

pub fn classes(statement: &Statement) -> Vec<ClassLine> {
    let lasted = CLASSES.iter().map(|(class, means)| (*class, statement.micros(*class), *means));
    let shown = lasted.filter(|(class, micros, _)| *micros > 0 || matches!(class, Class::Counted | Class::Unknown));
    let line = |(class, micros, means)| {
        let (style, words) = named(class);
        ClassLine { class: style, words, hours: hours(micros), means }
    };
    shown.map(line).collect()
}

pub fn line_out(frame: &Frame, device: &str, line: &Line, clock: Clock) -> LineOut {
    let (class, words) = named(line.class);
    let condition = condition_title(line.condition.as_str());
    LineOut {
        class,
        words,
        from: clock.minute(line.span.from),
        until: clock.minute(line.span.until),
        lasted: duration(line.span.micros()),
        condition: match (line.condition, line.conflict) {
            (Condition::Unknown, _) => "nothing known".to_owned(),
            (_, true) => format!("{condition}, use was seen"),
            (Condition::Standby | Condition::Productive | Condition::Engineering, _) => {
                format!("{condition}, degraded")
            }
            _ => condition.to_owned(),
        },
        weight: if line.weight == BasisPoints::WHOLE { "whole".to_owned() } else { basis_points(line.weight) },
        orders: line.orders.iter().cloned().collect::<Vec<_>>().join(", "),
        records: shortened(line.causes.iter(), line.causes.len()),
        evidence: frame.evidence(device, line.span.from, line.span.until),
    }
}

fn shortened<'a>(causes: impl Iterator<Item = &'a medfleet_domain::id::Cause>, count: usize) -> String {
    let shown = records(causes.take(RECORDS_SHOWN_MAX));
    match count {
        0 => "none".to_owned(),
        count if count > RECORDS_SHOWN_MAX => format!("{shown} and {} more", count - RECORDS_SHOWN_MAX),
        _ => shown,
    }
}

pub fn adjustments(frame: &Frame, all: &[Adjustment], clock: Clock) -> Vec<AdjustmentBlock> {
    let block = |one: &Adjustment| {
        let worded = |(uptime, bounds): (String, String)| format!("{uptime}, bounds {bounds}");
        let now = one.now.as_ref().map(|now| worded(figures(&now.statement.figure())));
        AdjustmentBlock {
            name: one.issued.statement.clone(),
            was: worded(figures(&one.told)),
            is: now.unwrap_or_else(|| "no longer covered".to_owned()),
            rows: one.changed.iter().map(|changed| changed_line(frame, &one.issued.device, changed, clock)).collect(),
        }
    };
    all.iter().map(block).collect()
}

fn changed_line(frame: &Frame, device: &str, one: &Changed, clock: Clock) -> ChangedLine {
    let words = |counts: Option<(Class, BasisPoints)>| match counts {
        None => "Worked".to_owned(),
        Some((class, BasisPoints::WHOLE)) => named(class).1.to_owned(),
        Some((class, weight)) => format!("{}, {}", named(class).1, basis_points(weight)),
    };
    ChangedLine {
        from: clock.minute(one.span.from),
        until: clock.minute(one.span.until),
        lasted: duration(one.span.micros()),
        was: words(one.was),
        is: words(one.is),
        records: shortened(one.causes.iter(), one.causes.len()),
        evidence: frame.evidence(device, one.span.from, one.span.until),
    }
}
