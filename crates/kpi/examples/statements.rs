//! Judges contracts, one JSON case a line, so that tests can hold the answers against another way of counting.
//!
//! A case: `zone`, `days` [first, last), `calendars`, `contract`, `in_service`, `pieces`, `orders`. The answer: base, weighted
//! downtime and unknown of each treatment of maintenance, and microseconds by class.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::contract::{Contract, ContractHours};
use medfleet_domain::fleet::{BaseHours, Calendar};
use medfleet_domain::human::{OrderClass, Party, Phase};
use medfleet_domain::id::Cause;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::local::{Calendars, Recorded};
use medfleet_domain::spans::Spans;
use medfleet_domain::statement::{Given, Maintenance, OrderFact, Piece, Statement, state};
use medfleet_domain::time::{Day, MICROS_PER_DAY, Span, Timestamp};
use serde::Deserialize;

type Failure = Box<dyn std::error::Error>;

#[derive(Deserialize)]
struct Case {
    zone: String,
    days: (Day, Day),
    /// Valid from, recorded at, hours.
    calendars: Vec<(Day, Timestamp, Vec<BaseHours>)>,
    contract: Contract,
    in_service: Vec<(Timestamp, Timestamp)>,
    /// From, until, condition, degradation, overrun, conflict.
    pieces: Vec<(Timestamp, Timestamp, Condition, Degradation, bool, bool)>,
    /// Order, class, phase, whom it waits for, cause, at.
    orders: Vec<(String, OrderClass, Phase, Option<Party>, String, Timestamp)>,
}

fn main() -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let statement = judge(&serde_json::from_str(&line?)?)?;
        writeln!(out, "{}", shown(&statement))?;
    }
    Ok(())
}

fn judge(case: &Case) -> Result<Statement, Failure> {
    let zone: chrono_tz::Tz = case.zone.parse()?;
    let margin = Span {
        from: case.days.0.start().plus_micros(-2 * MICROS_PER_DAY),
        until: case.days.1.start().plus_micros(2 * MICROS_PER_DAY),
    };
    let clock = medfleet_kpi::hours::clock_of(zone, margin);
    let period = clock.days(case.days.0, case.days.1);
    let recorded = case.calendars.iter().map(|(valid_from, recorded_at, hours)| Recorded {
        recorded_at: *recorded_at,
        calendar: Calendar { kind: None, valid_from: *valid_from, hours: hours.clone() },
    });
    let hours = match &case.contract.hours {
        ContractHours::OfSite => Calendars::new(recorded.collect()).base_hours(DeviceKind::Ct, &clock, period),
        ContractHours::AroundTheClock => Spans::from(period),
        ContractHours::Own(own) => clock.weekly(own, period),
    };
    let cause = Cause { partition: 0, offset: 0 };
    let pieces = case.pieces.iter().map(|&(from, until, condition, degradation, overrun, conflict)| Piece {
        span: Span { from, until },
        condition,
        degradation,
        overrun,
        conflict,
        cause,
    });
    let orders = case.orders.iter().map(|(order, class, phase, waiting_for, cause_code, at)| OrderFact {
        order: order.clone(),
        class: *class,
        phase: *phase,
        waiting_for: *waiting_for,
        cause_code: cause_code.clone(),
        at: *at,
        cause,
    });
    let (pieces, orders): (Vec<_>, Vec<_>) = (pieces.collect(), orders.collect());
    let in_service = Spans::of(case.in_service.iter().map(|&(from, until)| Span { from, until }));
    let contract = &case.contract;
    Ok(state(&Given { contract, period, hours: &hours, in_service: &in_service, pieces: &pieces, orders: &orders }))
}

fn shown(statement: &Statement) -> serde_json::Value {
    let figures: BTreeMap<&str, [i64; 4]> = Maintenance::ALL
        .into_iter()
        .map(|variant| {
            let one = statement.variant(variant);
            let sums = [one.base_micros, one.weighted_micros_bp, one.unknown_micros, one.conflict_micros_bp];
            (variant.as_str(), sums)
        })
        .collect();
    let mut classes: BTreeMap<&str, i64> = BTreeMap::new();
    for line in &statement.lines {
        *classes.entry(line.class.as_str()).or_default() += line.span.micros();
    }
    serde_json::json!({ "figures": figures, "classes": classes })
}
