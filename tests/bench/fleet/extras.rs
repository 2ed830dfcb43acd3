//! What a device tells beside its conditions: errors before and with a failure, a counter once a week, and the order of a repair.

use medfleet_domain::fact::{Body, DeviceError, Sample, Severity};
use medfleet_domain::human::{OrderClass, OrderPhase, Party, Phase, Registration};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_HOUR, Timestamp};

use crate::grow::{FIRST, roll};

const SAMPLE_EVERY_DAYS: i32 = 7;
const HOURS_DOWN_MIN: i64 = 2;

/// One failure of a device that has been told.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// In how many days one fails: some sites, models and old devices more often than others.
pub fn days_between_failures(number: u64, sites: u64) -> u64 {
    let site = [700, 700, 560, 900][(number % sites) as usize % 4];
    let model = if number % 7 == 3 { 60 } else { 100 };
    let age = if in_service(number).0 < FIRST.0 - 3_650 { 70 } else { 100 };
    site * model * age / 10_000
}

/// Whether a device fails on a day, and for how long.
pub fn failure(number: u64, sites: u64, day: Day) -> Option<Failure> {
    let chance = |what: u64, sides: u64| roll(&[number, day.0 as u64, what], sides);
    if chance(10, days_between_failures(number, sites)) != 0 {
        return None;
    }
    let from = day.start().plus_micros((12 + chance(11, 8) as i64) * MICROS_PER_HOUR);
    let hours = HOURS_DOWN_MIN + chance(12, 60) as i64;
    Some(Failure { from, until: from.plus_micros(hours * MICROS_PER_HOUR) })
}

/// Put into service up to fifteen years before the first day.
fn in_service(number: u64) -> Day {
    Day(FIRST.0 - 30 - roll(&[number, 30], 5_500) as i32)
}

pub fn registration(kind: DeviceKind, number: usize) -> Registration {
    Registration {
        kind,
        make: "Helion".to_owned(),
        model: format!("Model {}", number % 7),
        serial: format!("SN{number:06}"),
        department: "Clinical engineering".to_owned(),
        room: format!("{}.{:02}", number % 9, number % 83),
        asset_number: Some(format!("A{number:06}")),
        in_service: Some(in_service(number as u64)),
        acquisition_cost_cents: None,
        end_of_support: None,
        cost_centre: None,
        ownership: None,
    }
}

/// Errors and counters of a day, by the device itself.
pub fn by_machine(number: u64, day: Day, failed: Option<Failure>) -> Vec<(Timestamp, Body)> {
    let mut told = Vec::new();
    if let Some(failure) = failed {
        let ahead = failure.from.plus_micros(-MICROS_PER_HOUR);
        told.extend([(ahead, error("W-07", Severity::Warning)), (failure.from, error("E-17", Severity::Major))]);
    } else if roll(&[number, day.0 as u64, 31], 100) == 0 {
        told.push((day.start().plus_micros(9 * MICROS_PER_HOUR), error("I-02", Severity::Info)));
    }
    if (day.0 - FIRST.0) % SAMPLE_EVERY_DAYS == (number % SAMPLE_EVERY_DAYS as u64) as i32 {
        let weeks = i64::from(day.0 - FIRST.0) / i64::from(SAMPLE_EVERY_DAYS);
        let (counter, component, unit) = ("cycles".into(), String::new(), "1".into());
        let value_milli = weeks * (20 + roll(&[number, 32], 80) as i64) * 1_000;
        let sample = Sample { counter, component, unit, value_milli, modulus_milli: None };
        told.push((day.start().plus_micros(20 * MICROS_PER_HOUR), Body::Usage(sample)));
    }
    told
}

fn error(code: &str, severity: Severity) -> Body {
    let (cause_domain, text) = Default::default();
    Body::Error(DeviceError {
        code: code.into(),
        family: "drive".into(),
        severity,
        component: "motor".into(),
        cause_domain,
        text,
    })
}

/// The order of a failure: opened within an hour, at times waiting for parts, closed when the device is back. Three of four
/// failures get one.
pub fn order(number: u64, failure: Failure) -> Vec<(Timestamp, Body)> {
    let day = failure.from.day();
    if roll(&[number, day.0 as u64, 33], 4) == 0 {
        return Vec::new();
    }
    let name = format!("wo-{number:06}-{}", day.0);
    let phase = |phase, waiting_for| {
        let (order, class) = (name.clone(), OrderClass::Corrective);
        let (cause, text, planned) = Default::default();
        Body::Order(OrderPhase { order, class, phase, waiting_for, planned, cause, text })
    };
    let hours = |hours: i64| failure.from.plus_micros(hours * MICROS_PER_HOUR);
    let mut told = vec![(hours(1), phase(Phase::Opened, None))];
    if roll(&[number, day.0 as u64, 34], 3) == 0 {
        told.push((hours(1), phase(Phase::WaitingStarted, Some(Party::Parts))));
    }
    told.push((failure.until, phase(Phase::ReturnedToService, None)));
    told
}
