//! What changed of a period after it was known: by later records, and by terms that were recorded late.

use medfleet_kpi::ask::{Amended, AmendedCounter, AmendedWork, Stood};
use medfleet_kpi::backdated::Sized;

use crate::pages::format::{Clock, decimal, duration, some_percent, thousandths};

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
        let (before, after) = (&one.before, &one.after);
        let change = |micros: i64| {
            if micros < 0 { format!("−{}", duration(-micros)) } else { format!("+{}", duration(micros)) }
        };
        let mut size = format!("{} up, {} down", change(after.up - before.up), change(after.down - before.down));
        if after.in_service != before.in_service {
            size.push_str(&format!(", {} in service", change(after.in_service - before.in_service)));
        }
        Self {
            arrived: one.arrived.to_string(),
            reason: reason(&one.reason).to_owned(),
            uptime: format!("{} → {}", some_percent(before.uptime()), some_percent(after.uptime())),
            size,
            records: one.records.to_string(),
        }
    }

    pub fn of_work(one: &AmendedWork) -> Self {
        Self {
            arrived: one.arrived.to_string(),
            reason: format!("{}, {}", work(one), reason(&one.reason)),
            uptime: "–".to_owned(),
            size: worked(one),
            records: one.records.to_string(),
        }
    }

    pub fn of_counter(one: &AmendedCounter) -> Self {
        let (before, after) = (thousandths(one.before_milli), thousandths(one.after_milli));
        Self {
            arrived: one.arrived.to_string(),
            reason: format!("counter {}, {}", one.counter.replace('_', " "), reason(&one.reason)),
            uptime: "–".to_owned(),
            size: format!("{before} → {after} {}", one.unit),
            records: one.records.to_string(),
        }
    }

    pub fn of_terms(one: &Sized, clock: Clock) -> Self {
        let version = &one.version;
        Self {
            arrived: clock.minute(version.recorded),
            reason: format!("{}, {}", terms(one), holds(one)),
            uptime: moved(one),
            size: points(one),
            records: format!("{}:{}", version.log_partition, version.log_offset),
        }
    }
}

/// Which work: `repair wo-1`, `maintenance annual`.
pub fn work(one: &AmendedWork) -> String {
    let procedure = one.procedure.as_deref().filter(|name| !name.is_empty());
    match procedure.or(one.work_order.as_deref()) {
        Some(name) => format!("{} {name}", one.what),
        None => one.what.clone(),
    }
}

/// How it stood before and after, and every clock that moved.
pub fn worked(one: &AmendedWork) -> String {
    let state = |stood: &Option<Stood>| {
        stood.as_ref().map_or_else(|| "not counted".to_owned(), |stood| stood.state.replace('_', " "))
    };
    let mut said = Vec::new();
    if state(&one.before) != state(&one.after) {
        said.push(format!("{} → {}", state(&one.before), state(&one.after)));
    }
    let clocks: [(&str, fn(&Stood) -> Option<i64>); 5] = [
        ("response", |stood| stood.response),
        ("active repair", |stood| stood.repair),
        ("waiting for parts", |stood| stood.parts),
        ("other waits", |stood| stood.others),
        ("turnaround", |stood| stood.turnaround),
    ];
    for (name, of) in clocks {
        let [before, after] = [&one.before, &one.after].map(|stood| stood.as_ref().and_then(of));
        if before != after {
            let shown = |micros: Option<i64>| micros.map_or_else(|| "–".to_owned(), duration);
            said.push(format!("{name} {} → {}", shown(before), shown(after)));
        }
    }
    said.join(", ")
}

/// Which terms: `a calendar of lasers`, `contract SC-1`, another time zone.
pub fn terms(one: &Sized) -> String {
    let version = &one.version;
    match (&version.contract, &version.kind) {
        _ if version.what == "time_zone" => "another time zone of the site".to_owned(),
        (Some(contract), _) => format!("contract {contract}"),
        (None, Some(kind)) => format!("a calendar of {kind}"),
        (None, None) => "a calendar of all equipment".to_owned(),
    }
}

/// Since when it holds. A time zone holds at all times.
pub fn holds(one: &Sized) -> String {
    match &*one.version.what {
        "time_zone" => "at all times".to_owned(),
        _ => format!("valid from {}", one.version.valid_from),
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
        "registered" => "it was registered late",
        "moved" => "a move was told late",
        "retired" => "a retirement was told late",
        "order" => "phases of the order came late",
        "maintenance" => "it was recorded late",
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
    use medfleet_kpi::ask::{Backdated, Records, Spent};
    use medfleet_kpi::backdated::Part;

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn an_amendment_says_what_it_was_and_what_it_is() {
        let one = Amended {
            device: "mr-3".into(),
            site: "north".into(),
            kind: "mri".into(),
            arrived: Day::from_civil(2026, 4, 4),
            reason: "backlog".into(),
            before: Spent { in_service: 1_000 * HOUR, up: 981 * HOUR, down: 19 * HOUR },
            after: Spent { in_service: 1_000 * HOUR, up: 976 * HOUR, down: 24 * HOUR },
            records: Records { partition: 2, first: 10, last: 12 },
        };
        let line = AmendedLine::of(&one);
        assert_eq!((line.uptime.as_str(), line.records.as_str()), ("98.1% → 97.6%", "2:10 to 12"));
        assert_eq!(line.size, "−5 h up, +5 h down");
    }

    #[test]
    fn work_told_late_says_how_it_stood_and_which_clocks_moved() {
        let stood = |state: &str, response, turnaround| Stood {
            state: state.into(),
            response: Some(response * HOUR),
            repair: None,
            parts: Some(0),
            others: Some(0),
            turnaround: Some(turnaround * HOUR),
        };
        let one = AmendedWork {
            device: "mr-3".into(),
            site: "north".into(),
            kind: "mri".into(),
            what: "repair".into(),
            work_order: Some("wo-1".into()),
            procedure: None,
            at: Timestamp(0),
            arrived: Day::from_civil(2026, 4, 4),
            reason: "order".into(),
            before: Some(stood("open", 2, 9)),
            after: Some(stood("finished", 2, 4)),
            records: Records { partition: 2, first: 10, last: 10 },
        };
        let line = AmendedLine::of_work(&one);
        assert_eq!(line.reason, "repair wo-1, phases of the order came late");
        assert_eq!((line.size.as_str(), line.records.as_str()), ("open → finished, turnaround 9 h → 4 h", "2:10"));
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
