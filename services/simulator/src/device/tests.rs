//! Lives of simulated devices: repeatable, continuing, and of the right size.

use std::collections::BTreeMap;

use medfleet_domain::time::{Day, MICROS_PER_DAY};

use super::*;
use crate::truth::{TruthSummary, simulate};

fn start() -> Timestamp {
    Day::from_civil(2026, 3, 1).start()
}

fn plan() -> Plan {
    Plan::demo(1, start()).expect("embedded data is sound")
}

fn days(count: i64) -> Timestamp {
    start().plus_micros(count * MICROS_PER_DAY)
}

#[test]
fn a_life_does_not_depend_on_how_it_is_cut() {
    let plan = plan();
    for device in plan.devices.iter().step_by(17) {
        let mut whole = DeviceSim::new(&plan, device);
        let mut cut = DeviceSim::new(&plan, device);
        let events = |sim: &mut DeviceSim, until| std::iter::from_fn(|| sim.next_before(until)).collect::<Vec<_>>();
        let mut pieces = Vec::new();
        for hour in 0..(24 * 21) {
            pieces.extend(events(&mut cut, start().plus_micros(hour * MICROS_PER_HOUR)));
            cut.next_at();
        }
        pieces.extend(events(&mut cut, days(21)));
        assert_eq!(events(&mut whole, days(21)), pieces, "{}", device.id);
    }
}

#[test]
fn every_second_has_one_condition_and_events_keep_their_order() {
    let plan = plan();
    for device in &plan.devices {
        let life = simulate(&plan, device, days(21));
        let mut at = start();
        for span in &life.spans {
            assert_eq!(span.span.from, at, "{}", device.id);
            assert!(span.span.from < span.span.until);
            at = span.span.until;
        }
        assert_eq!(at, days(21));
        assert!(life.said.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert!(life.said.iter().all(|saying| saying.of <= saying.at), "{}", device.id);
    }
}

#[test]
fn one_devices_luck_never_moves_anothers() {
    let plan = plan();
    let mut fewer = plan.clone();
    fewer.devices.truncate(3);
    let last = &plan.devices[2];
    let life = |plan: &Plan| simulate(plan, last, days(21));
    assert_eq!(life(&plan), life(&fewer));
}

#[test]
fn stretches_and_claims_pass_the_domains_own_checks() {
    let plan = plan();
    for device in &plan.devices {
        let life = simulate(&plan, device, days(21));
        for saying in &life.said {
            if let Body::Asserted(asserted) = &saying.body {
                asserted.check(saying.of).unwrap_or_else(|flaw| panic!("{}: {flaw}", device.id));
            }
        }
    }
}

/// Days between failures per device, over a fleet-year: the orders of magnitude of the domain notes.
#[test]
fn failures_are_as_frequent_as_the_notes_say() {
    let truth = TruthSummary::of(&plan(), days(365));
    let mut by_kind: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for device in &truth.devices {
        let entry = by_kind.entry(device.kind).or_default();
        entry.0 += 365.0;
        entry.1 += device.failures.len() as f64;
    }
    let wanted: [(&str, f64, f64); 15] = [
        ("surgical_robot", 15.0, 80.0),
        ("vr_ai", 30.0, 180.0),
        ("anesthesia", 40.0, 130.0),
        ("defibrillator", 250.0, 1_200.0),
        ("ct", 20.0, 70.0),
        ("mri", 30.0, 100.0),
        ("xray", 50.0, 180.0),
        ("injector", 120.0, 365.0),
        ("ultrasound", 60.0, 270.0),
        ("patient_monitor", 60.0, 250.0),
        ("infusion_pump", 250.0, 900.0),
        ("fetal_monitor", 100.0, 500.0),
        ("ventilator", 70.0, 420.0),
        ("sterilizer", 8.0, 30.0),
        ("laser", 90.0, 365.0),
    ];
    for (kind, low, high) in wanted {
        let (lived, failures) = by_kind[kind];
        let between = lived / failures.max(1.0);
        println!("{kind}: {between:.0} days between failures");
        assert!((low..=high).contains(&between), "{kind}: {between:.1} days, wanted {low} to {high}");
    }
}

#[test]
fn use_follows_the_profile() {
    let truth = TruthSummary::of(&plan(), days(84));
    let plan = plan();
    let mut by_kind: BTreeMap<&str, (f64, f64, f64)> = BTreeMap::new();
    for (device, planned) in truth.devices.iter().zip(&plan.devices) {
        let entry = by_kind.entry(device.kind).or_default();
        entry.0 += device.lived_s.productive as f64 / device.lived_s.total() as f64;
        entry.1 += planned.kind.usage.weekly_share() * planned.intensity;
        entry.2 += 1.0;
    }
    for (kind, (lived, expected, devices)) in by_kind {
        println!("{kind}: {:.1} % in use, profile {:.1} %", 100.0 * lived / devices, 100.0 * expected / devices);
        assert!((0.6..1.35).contains(&(lived / expected)), "{kind}: lived {lived}, profile {expected}");
    }
}
