//! What changed of a period after it was known: by later records, and by terms that were recorded late.

use medfleet_kpi::ask::Amended;
use medfleet_kpi::backdated::Sized;

use crate::pages::format::{Clock, decimal, duration, some_percent};

/// One change with its cause and size.
pub struct AmendedLine {
    pub arrived: String,
    pub reason: String,
    pub uptime: String,
    pub size: String,
    pub records: String,
}

impl AmendedLine {
    pub fn of(one: &Amended) -> Self {
        let (before, after) = one.uptime();
        let up = one.after.0 - one.before.0;
        let down = one.after.1 - one.before.1;
        let change = |micros: i64| {
            if micros < 0 { format!("−{}", duration(-micros)) } else { format!("+{}", duration(micros)) }
        };
        Self {
            arrived: one.arrived.to_string(),
            reason: reason(&one.reason).to_owned(),
            uptime: format!("{} → {}", some_percent(before), some_percent(after)),
            size: format!("{} up, {} down", change(up), change(down)),
            records: match one.first_offset == one.last_offset {
                true => format!("{}:{}", one.log_partition, one.first_offset),
                false => format!("{}:{} to {}", one.log_partition, one.first_offset, one.last_offset),
            },
        }
    }

    pub fn of_terms(one: &Sized, clock: Clock) -> Self {
        let version = &one.version;
        Self {
            arrived: clock.minute(version.recorded),
            reason: format!("{}, valid from {}", terms(one), version.valid_from),
            uptime: moved(one),
            size: points(one),
            records: format!("{}:{}", version.log_partition, version.log_offset),
        }
    }
}

/// Which terms: `a calendar of lasers`, `contract SC-1`.
pub fn terms(one: &Sized) -> String {
    let version = &one.version;
    match (&version.contract, &version.kind) {
        (Some(contract), _) => format!("contract {contract}"),
        (None, Some(kind)) => format!("a calendar of {kind}"),
        (None, None) => "a calendar of all equipment".to_owned(),
    }
}

/// The figure that it moved, before and after.
pub fn moved(one: &Sized) -> String {
    let of = if one.version.contract.is_some() { "under the contract" } else { "in base hours" };
    let value = |part: Option<medfleet_kpi::backdated::Part>| some_percent(part.map(|part| part.value()));
    format!("{} → {} {of}", value(one.before), value(one.after))
}

/// By how much.
pub fn points(one: &Sized) -> String {
    match one.points() {
        Some(points) => format!("{}{} points", if points < 0.0 { "−" } else { "+" }, decimal(points.abs(), 2)),
        None => "no figure before or after".to_owned(),
    }
}

/// Why a closed period changed.
pub fn reason(word: &str) -> &'static str {
    match word {
        "backlog" => "an agent's backlog arrived",
        "claim" => "a person's claim",
        "corrected" => "a fact was corrected",
        "voided" => "a fact was voided",
        "clock_step" => "a clock was wrong",
        _ => "later records",
    }
}

#[cfg(test)]
mod tests {
    use medfleet_domain::time::{Day, Timestamp};
    use medfleet_kpi::ask::Backdated;
    use medfleet_kpi::backdated::Part;

    use super::*;

    #[test]
    fn an_amendment_says_what_it_was_and_what_it_is() {
        let one = Amended {
            device: "mr-3".into(),
            site: "north".into(),
            kind: "mri".into(),
            arrived: Day::from_civil(2026, 4, 4),
            reason: "backlog".into(),
            before: (981 * 3_600_000_000, 19 * 3_600_000_000),
            after: (976 * 3_600_000_000, 24 * 3_600_000_000),
            log_partition: 2,
            first_offset: 10,
            last_offset: 12,
        };
        let line = AmendedLine::of(&one);
        assert_eq!((line.uptime.as_str(), line.records.as_str()), ("98.1% → 97.6%", "2:10 to 12"));
        assert_eq!(line.size, "−5 h up, +5 h down");
    }

    #[test]
    fn terms_recorded_late_say_which_and_how_far_they_moved_the_figure() {
        let version = Backdated {
            what: "calendar".into(),
            site: "north".into(),
            kind: None,
            contract: None,
            valid_from: Day::from_civil(2026, 3, 1),
            recorded: Timestamp(0),
            log_partition: 0,
            log_offset: 7,
        };
        let part = |over| Some(Part { over, under: 1_000 });
        let line = AmendedLine::of_terms(&Sized { version, before: part(981), after: part(976) }, Clock::of("UTC"));
        assert_eq!(line.reason, "a calendar of all equipment, valid from 2026-03-01");
        assert_eq!((line.uptime.as_str(), line.size.as_str()), ("98.1% → 97.6% in base hours", "−0.50 points"));
        assert_eq!(line.records, "0:7");
    }
}
