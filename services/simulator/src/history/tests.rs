//! Histories: sound facts, gapless seqs, and a ledger that says exactly what the truth says.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::condition::Condition;
use medfleet_domain::entry::{HeadRole, Reason, Row};
use medfleet_domain::id::{Epoch, Subject, SubjectKind};
use medfleet_domain::ledger::Ledger;
use medfleet_domain::time::{Day, MICROS_PER_DAY, MICROS_PER_SECOND};

use super::*;
use crate::truth::{ConditionSeconds, TruthSummary};

/// Bytes that differ where facts differ; what they look like is the wire's affair.
fn seal(fact: Fact) -> Sealed {
    Sealed { bytes: format!("{fact:?}").into(), fact }
}

fn plan() -> Plan {
    Plan::demo(1, Day::from_civil(2026, 3, 1).start()).expect("embedded data is sound")
}

fn runs(plan: &Plan, until: Timestamp) -> Vec<Run> {
    let mut history = History::new(plan.clone(), until, seal);
    std::iter::from_fn(|| history.next_day()).flat_map(|day| day.fleet.into_iter().chain(day.facts)).collect()
}

fn days(plan: &Plan, count: i64) -> Timestamp {
    plan.start.plus_micros(count * MICROS_PER_DAY)
}

#[test]
fn every_fact_is_sound_and_every_seq_comes_once() {
    let plan = plan();
    // A history may end at any moment of a day.
    let until = days(&plan, 21).plus_seconds(12_345);
    let mut seqs: BTreeMap<(Subject, Epoch), BTreeSet<u64>> = BTreeMap::new();
    let mut by_type: BTreeMap<&str, usize> = BTreeMap::new();
    for run in runs(&plan, until) {
        assert!(run.facts.len() <= MAX_RUN_FACTS);
        let known = seqs.entry((run.subject.clone(), run.epoch)).or_default();
        for (seq, sealed) in (run.first_seq.0..).zip(&run.facts) {
            assert!(known.insert(seq), "{} {} {seq} comes twice", run.subject, run.epoch);
            sealed.fact.check().unwrap_or_else(|flaw| panic!("{}: {flaw}", run.subject));
            assert!(sealed.fact.at <= until && sealed.fact.at <= sealed.fact.known_at, "{:?}", sealed.fact);
            *by_type.entry(sealed.fact.body.name()).or_default() += 1;
        }
    }
    for ((subject, epoch), known) in &seqs {
        assert_eq!(known.last(), Some(&(known.len() as u64)), "{subject} {epoch} has a gap");
    }
    println!("{by_type:?}, {} facts", by_type.values().sum::<usize>());
    for kind in [
        "opened",
        "began",
        "stretch",
        "error",
        "usage",
        "heartbeat",
        "registered",
        "order",
        "asserted",
        "pm_done",
        "component_replaced",
        "site_defined",
        "calendar_defined",
    ] {
        assert!(by_type.contains_key(kind), "no {kind} fact in three weeks");
    }
}

#[test]
fn a_longer_history_begins_with_the_shorter_one() {
    let plan = plan();
    let day = |until| History::new(plan.clone(), until, seal).next_day().map(|day| day.facts);
    assert_eq!(day(days(&plan, 1).plus_seconds(1)), day(days(&plan, 9)));
}

#[test]
fn what_a_cut_link_held_back_comes_late() {
    let plan = plan();
    let all = runs(&plan, days(&plan, 21));
    let mut last_known: BTreeMap<&Subject, Timestamp> = BTreeMap::new();
    let mut late = 0;
    for run in all.iter().filter(|run| run.agent.is_some()) {
        let known = run.facts.iter().map(|sealed| sealed.fact.known_at).max().expect("no run is empty");
        let last = last_known.entry(&run.subject).or_insert(known);
        late += usize::from(known < *last);
        *last = known.max(*last);
    }
    assert!(late > 20, "{late} runs came late");
}

type Sums = BTreeMap<String, BTreeMap<Condition, i64>>;

/// Seconds by device and condition that a ledger makes of these runs, with what its heads add up to the cut.
fn ledger_seconds(runs: &[Run], cut: Timestamp) -> Sums {
    let mut ledgers: BTreeMap<&str, Ledger> = BTreeMap::new();
    let mut sums = Sums::new();
    for run in runs.iter().filter(|run| run.subject.kind == SubjectKind::Device) {
        let name = run.subject.name();
        let admitted = ledgers.entry(name).or_default().admit(run, &[]).expect("nothing was dropped from memory");
        let seconds = sums.entry(name.to_owned()).or_default();
        for entry in admitted.entries {
            let (condition, span) = match entry.row {
                Row::Interval(row) => {
                    assert_ne!(row.reason, Reason::Contradiction, "{name}: {row:?}");
                    (row.condition, Some(row.span))
                }
                Row::Head(row) if row.role == HeadRole::Claim => {
                    let until = row.until.map_or(cut, |until| until.min(cut));
                    (row.condition, Span::new(row.from.max(row.edge), until).ok())
                }
                _ => continue,
            };
            let micros = span.map_or(0, Span::micros);
            *seconds.entry(condition).or_default() += entry.weight * micros / MICROS_PER_SECOND;
        }
    }
    sums
}

/// The whole point: an agent's outage is unknown and not down, a person's word outlives silence, overruns are downtime.
#[test]
fn the_ledger_says_what_could_be_observed_of_the_truth() {
    let plan = plan();
    let until = days(&plan, 21);
    let sums = ledger_seconds(&runs(&plan, until), until);
    let truth = TruthSummary::of(&plan, until);
    for device in &truth.devices {
        let of = |condition| sums[&device.device].get(&condition).copied().unwrap_or(0);
        let said = ConditionSeconds {
            productive: of(Condition::Productive),
            standby: of(Condition::Standby),
            engineering: of(Condition::Engineering),
            scheduled_down: of(Condition::ScheduledDown),
            unscheduled_down: of(Condition::UnscheduledDown),
        };
        assert_eq!(said, device.observed_s, "{}", device.device);
    }
    let lived: i64 =
        truth.devices.iter().filter(|device| device.agent.is_some()).map(|device| device.lived_s.total()).sum();
    let observed: i64 = truth.devices.iter().map(|device| device.observed_s.total()).sum();
    let coverage = observed as f64 / lived as f64;
    assert!((0.90..0.995).contains(&coverage), "coverage of heard devices is {coverage}");
}
