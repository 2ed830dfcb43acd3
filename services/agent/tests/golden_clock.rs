//! GOLDEN 10 at the agent: what a wrong clock does to facts, and what it must not do.

use medfleet_agent::clock::{Reading, Steady};
use medfleet_agent::observation::{Observation, Seen};
use medfleet_agent::recorder::Recorder;
use medfleet_agent::spool::Recovered;
use medfleet_agent::writer::Written;
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, Source};
use medfleet_domain::id::{AgentId, DeviceId, Epoch, Seq, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_SECOND, Timestamp};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// One device in standby, watched by one agent whose clocks the test sets.
struct Watched {
    recorder: Recorder,
    written: Vec<Written>,
    /// True seconds of the day, and how far the wall clock is off.
    now: i64,
    off: i64,
    synchronised: bool,
}

impl Watched {
    fn standby_from(now: i64) -> Self {
        let agent = AgentId::new("edge-1").unwrap();
        let mut watched = Self {
            recorder: Recorder::begin(&agent, Epoch(7), Recovered::default(), reading(now, 0, true)).0,
            written: Vec::new(),
            now,
            off: 0,
            synchronised: true,
        };
        let source = Source { kind: SourceKind::Device, name: "test".into() };
        let seen = Seen::Condition { condition: Condition::Standby, degradation: Degradation::None };
        watched.turn();
        let observation = Observation { subject: device(), kind: DeviceKind::Ct, source, stated: None, seen };
        watched.written.extend(watched.recorder.observe(observation).unwrap());
        watched
    }

    /// Lives on until then, one turn a second.
    fn until(mut self, then: i64) -> Self {
        while self.now < then {
            self.now += 1;
            self.turn();
        }
        self
    }

    /// The wall clock is set, between one second and the next.
    fn set(mut self, off: i64, synchronised: bool) -> Self {
        (self.off, self.synchronised) = (off, synchronised);
        self
    }

    fn unconfirmed(mut self) -> Self {
        self.synchronised = false;
        self
    }

    fn turn(&mut self) {
        self.written.extend(self.recorder.turn(reading(self.now, self.off, self.synchronised)));
    }

    /// Seconds of the day covered by stretches that the fold would believe.
    fn believed(&self) -> Vec<(i64, i64)> {
        let suspect = self.suspect();
        let believed = |each: &&Written| {
            each.fact.clock != Clock::Suspect && !suspect.iter().any(|range| range.contains(&each.seq))
        };
        self.stretches().filter(believed).map(span).collect()
    }

    fn stretches(&self) -> impl Iterator<Item = &Written> {
        self.written.iter().filter(|each| each.subject == device() && matches!(each.fact.body, Body::Stretch(_)))
    }

    /// Seqs that clock steps have named.
    fn suspect(&self) -> Vec<std::ops::RangeInclusive<Seq>> {
        let named = |each: &Written| match &each.fact.body {
            Body::ClockStep { suspect: Some(range), .. } => Some(range.first..=range.last),
            _ => None,
        };
        self.written.iter().filter(|each| each.subject == device()).filter_map(named).collect()
    }
}

fn device() -> Subject {
    Subject::device(&DeviceId::new("ct-1").unwrap())
}

fn midnight() -> Timestamp {
    Day::from_civil(2026, 3, 9).start()
}

fn reading(now: i64, off: i64, synchronised: bool) -> Reading {
    Reading {
        wall: midnight().plus_seconds(now + off),
        steady: Steady(now * MICROS_PER_SECOND),
        synchronised: Some(synchronised),
    }
}

/// In seconds of the day, and they must be whole ones.
fn span(each: &Written) -> (i64, i64) {
    let Body::Stretch(stretch) = &each.fact.body else { panic!("no stretch: {each:?}") };
    let seconds = |time: Timestamp| (time.0 - midnight().0) / MICROS_PER_SECOND;
    each.fact.check().unwrap();
    (seconds(each.fact.at), seconds(stretch.until))
}

#[test]
fn golden_10_a_clock_that_steps_back_overwrites_nothing() {
    let watched = Watched::standby_from(9 * HOUR).until(10 * HOUR - 1).set(-HOUR, false).until(10 * HOUR + 30 * MINUTE);
    assert_eq!(watched.recorder.open()[&device()].clock, Clock::Suspect);
    let watched = watched.set(0, true).until(11 * HOUR);
    // The step shows at the first second after it; 10:00:00 by the old clock is the end of what is known.
    assert_eq!(watched.believed(), [(9 * HOUR, 10 * HOUR), (10 * HOUR + 30 * MINUTE + 1, 11 * HOUR)]);
    let kept: Vec<_> = watched.stretches().filter(|each| each.fact.clock == Clock::Suspect).map(span).collect();
    assert_eq!(kept, [(9 * HOUR, 9 * HOUR + 30 * MINUTE + 1)], "the facts of the wrong half hour are kept and flagged");
}

#[test]
fn golden_10_a_fast_clock_is_voided_back_to_its_last_agreement() {
    let watched = Watched::standby_from(7 * HOUR).until(8 * HOUR).unconfirmed();
    // It gains an hour in jumps that are each too small to be a step.
    let mut watched = watched.until(8 * HOUR + 1);
    while watched.off < HOUR {
        watched.off += 1;
        watched.now += 1;
        watched.turn();
    }
    let watched = watched.until(10 * HOUR - 1).set(0, true).until(11 * HOUR);
    assert_eq!(watched.believed(), [(7 * HOUR, 8 * HOUR), (10 * HOUR, 11 * HOUR)]);
    let step = watched
        .written
        .iter()
        .find(|each| matches!(each.fact.body, Body::ClockStep { .. }) && each.subject == device());
    let Some(Body::ClockStep { step_micros, last_agreement, .. }) = step.map(|each| &each.fact.body) else {
        panic!("no clock step")
    };
    assert_eq!((*step_micros, *last_agreement), (-HOUR * MICROS_PER_SECOND, Some(midnight().plus_seconds(8 * HOUR))));
}

#[test]
fn golden_10_a_step_across_midnight_splits_no_day_wrongly() {
    let watched = Watched::standby_from(23 * HOUR)
        .until(23 * HOUR + 30 * MINUTE - 1)
        .set(HOUR, false)
        .until(23 * HOUR + 45 * MINUTE);
    let watched = watched.set(0, true).until(24 * HOUR + 10 * MINUTE);
    // `span` checks every stretch, suspect ones included: none crosses a midnight.
    let suspect: Vec<_> = watched.stretches().filter(|each| each.fact.clock == Clock::Suspect).map(span).collect();
    assert_eq!(suspect, [(24 * HOUR + 30 * MINUTE, 24 * HOUR + 45 * MINUTE + 1)]);
    assert_eq!(watched.believed(), [(23 * HOUR, 23 * HOUR + 30 * MINUTE), (23 * HOUR + 45 * MINUTE + 1, 24 * HOUR)]);
}
