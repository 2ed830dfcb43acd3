//! The binder under any order, crash and ghost: the devices' sums are what the statements say, and nothing else.

use std::collections::BTreeMap;

use proptest::prelude::*;

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::{Body, Replacement, Run};
use medfleet_domain::id::{Epoch, Seq, SeqRange};
use medfleet_domain::time::{Day, MICROS_PER_SECOND, Timestamp};

use crate::street::{Seconds, Street, amended, bound, device, place, record, run_of, stretch, unbound};

const DAY: Day = Day(20_000);
const NAMES: [&str; 3] = ["ct-7", "ct-8", "ct-9"];
/// Statements come on tens of minutes, so that they cut stretches of an hour.
const TICK_SECONDS: i64 = 600;
const TICKS: i64 = 24 * 6;

/// What becomes of a thing said: it stands, is voided, or is said to be elsewhere in time.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Stands,
    Voided,
    Moved(i64),
}

#[derive(Debug, Clone)]
struct Story {
    /// Hour, condition, fate; each hour at most once.
    seen: Vec<(i64, Condition, Fate)>,
    /// Device, tick, whether it begins, fate.
    said: Vec<(usize, i64, bool, Fate)>,
}

fn fates(moved: impl Strategy<Value = i64>) -> impl Strategy<Value = Fate> {
    prop_oneof![4 => Just(Fate::Stands), 1 => Just(Fate::Voided), 1 => moved.prop_map(Fate::Moved)]
}

fn stories() -> impl Strategy<Value = Story> {
    let condition =
        prop_oneof![Just(Condition::Productive), Just(Condition::Standby), Just(Condition::UnscheduledDown)];
    // A stretch that moves goes to a half hour of its own, so that no two overlap.
    let seen = prop::collection::vec((condition, fates(Just(0))), 24);
    let said = (0..NAMES.len(), 0..TICKS, any::<bool>(), fates(0..TICKS));
    (seen, prop::collection::vec(said, 1..7)).prop_map(|(seen, said)| Story {
        seen: (0..24).zip(seen).map(|(hour, (condition, fate))| (hour, condition, fate)).collect(),
        said,
    })
}

fn tick(ticks: i64) -> Timestamp {
    DAY.start().plus_seconds(ticks * TICK_SECONDS)
}

/// When the nth thing was known: all different, so that nothing is decided by names.
fn known(nth: usize) -> Timestamp {
    DAY.end().plus_seconds(nth as i64)
}

impl Story {
    fn records(&self) -> Vec<Run> {
        let mut records = Vec::new();
        for (nth, (hour, condition, fate)) in self.seen.iter().enumerate() {
            let (from, until) = (tick(hour * 6), tick(hour * 6 + 6));
            let (epoch, seq) = (1 + nth as u64 % 2, 1 + nth as u64 / 2);
            records.push(record(&place(), epoch, seq, from, until, stretch(*condition, until)));
            let half = Replacement { at: tick(hour * 6 + 3), body: stretch(*condition, until) };
            let target = SeqRange::one(Epoch(epoch), Seq(seq));
            records.extend(
                amendment(*fate, target, half)
                    .map(|body| record(&place(), 3, seq * 2 + epoch, known(nth), known(nth), body)),
            );
        }
        for (nth, (name, at, starts, fate)) in self.said.iter().enumerate() {
            let body = || if *starts { bound() } else { unbound() };
            let (subject, seq) = (device(NAMES[*name]), 1 + nth as u64);
            records.push(record(&subject, 4, seq, tick(*at), known(100 + nth), body()));
            let moved = if let Fate::Moved(to) = fate { *to } else { 0 };
            let target = SeqRange::one(Epoch(4), Seq(seq));
            records.extend(
                amendment(*fate, target, Replacement { at: tick(moved), body: body() })
                    .map(|body| record(&subject, 5, seq, known(200 + nth), known(200 + nth), body)),
            );
        }
        records
    }

    /// Minute by minute, from what was said and nothing of the binder's.
    fn expected(&self) -> Seconds {
        let mut said: Vec<(i64, bool, usize, usize)> = Vec::new();
        for (nth, (name, at, starts, fate)) in self.said.iter().enumerate() {
            match fate {
                Fate::Stands => said.push((*at, *starts, 100 + nth, *name)),
                Fate::Voided => {}
                Fate::Moved(to) => said.push((*to, *starts, 200 + nth, *name)),
            }
        }
        said.sort_unstable();
        let mut seconds = BTreeMap::new();
        for minute in 0..24 * 60 {
            let (hour, condition, fate) = self.seen[minute / 60];
            let begins = hour * 60 + if matches!(fate, Fate::Moved(_)) { 30 } else { 0 };
            if fate == Fate::Voided || (minute as i64) < begins {
                continue;
            }
            let mut holder = None;
            for (_, starts, _, name) in said.iter().filter(|(at, ..)| at * 10 <= minute as i64) {
                match (starts, holder) {
                    (true, _) => holder = Some(*name),
                    (false, Some(held)) if held == *name => holder = None,
                    _ => {}
                }
            }
            if let Some(holder) = holder {
                *seconds.entry((NAMES[holder].to_owned(), condition)).or_default() += 60;
            }
        }
        seconds
    }
}

fn amendment(fate: Fate, target: SeqRange, instead: Replacement) -> Option<Body> {
    match fate {
        Fate::Stands => None,
        Fate::Voided => Some(amended(target, None)),
        Fate::Moved(_) => Some(amended(target, Some(instead))),
    }
}

fn told(street: &Street) -> Seconds {
    let mut seconds = street.seconds(DAY.span());
    seconds.retain(|_, sum| *sum > 0);
    seconds
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn in_any_order_with_crashes_and_ghosts_devices_get_what_their_address_saw(
        (story, records) in stories().prop_flat_map(|story| {
            let records = story.records();
            (Just(story), Just(records).prop_shuffle())
        }),
        whims in prop::collection::vec(0..8u8, 1..40),
    ) {
        let mut street = Street::default();
        let mut ghosts = Vec::new();
        for (run, whim) in records.into_iter().zip(whims.iter().cycle()) {
            street.append(run);
            match whim {
                0..=2 => {
                    street.settle();
                }
                // Dies after appending half of what it owed; the log keeps that half.
                3 => {
                    let owed = street.binder.owed();
                    let half = owed.len().div_ceil(2);
                    for one in owed.into_iter().take(half) {
                        street.give(one);
                    }
                    street.crash();
                }
                // Another binder took over, and this one does not know.
                4 => ghosts.push(street.crash()),
                // A ghost appends what it still believes.
                5 => {
                    for owed in ghosts.pop().map(|mut ghost| ghost.owed()).unwrap_or_default() {
                        street.append(run_of(owed));
                    }
                }
                _ => {}
            }
        }
        while street.settle() > 0 {}
        prop_assert_eq!(told(&street), story.expected());
        street.crash();
        prop_assert_eq!(street.settle(), 0, "a binder that reads the log again owes nothing");
        for run in street.log.clone() {
            street.append(run);
        }
        prop_assert_eq!(told(&street), story.expected(), "everything told twice");
        prop_assert_eq!(street.settle(), 0);
    }
}

#[test]
fn stories_are_wild_enough_to_cut_to_take_back_and_to_give_again() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut voids, mut again, mut cut) = (0, 0, 0);
    for _ in 0..100 {
        let story = stories().new_tree(&mut runner).expect("a story").current();
        let mut street = Street::default();
        for run in story.records() {
            street.append(run);
            street.settle();
        }
        let copies = || street.log.iter().filter(|run| run.epoch.holds_copies());
        voids += street.log.iter().flat_map(|run| &run.facts).filter(|fact| is_void(&fact.fact.body)).count();
        again += copies().filter(|run| run.epoch != run.epoch.first_generation()).count();
        let is_part = |fact: &medfleet_domain::fact::Sealed| {
            fact.fact.span().is_some_and(|span| span.micros() < 1_800 * MICROS_PER_SECOND)
        };
        cut += copies().flat_map(|run| &run.facts).filter(|fact| is_part(fact)).count();
    }
    assert!(voids > 200 && again > 20 && cut > 50, "{voids} voids, {again} given again, {cut} cut");
}

fn is_void(body: &Body) -> bool {
    matches!(body, Body::Amended(one) if one.author == "binder")
}
