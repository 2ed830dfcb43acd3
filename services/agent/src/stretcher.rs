//! Turns conditions that begin into stretches that were observed: closed at a change, on the UTC hour, and after a restart at the last
//! durable sign of life. Pure: times come in as arguments.
//!
//! A stretch says only what was seen, so silence needs no fact: a source that loses sight says so, and what follows is unknown.

use std::collections::BTreeMap;

use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, Source, Stretch};
use medfleet_domain::id::{SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};
use medfleet_wire::limits::SPOOLED_MAX_BYTES;
use serde::{Deserialize, Serialize};

use crate::observation::{Observation, Origin, Refusal, Saying, Seen, Stated};
use crate::spool::record_bound_bytes;

/// A source that keeps its own time and says nothing of a subject for longer has not watched it: what lies between is unknown.
pub const STATED_MAX_MICROS: i64 = 400 * MICROS_PER_DAY;

/// A condition that was seen to begin and not yet to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Where the next stretch begins: the beginning, or the last cut.
    pub from: Timestamp,
    pub condition: Condition,
    pub degradation: Degradation,
    pub kind: DeviceKind,
    pub source: Source,
    pub clock: Clock,
    /// The source keeps its own time, so the agent's clock neither cuts nor extends it.
    pub stated: bool,
    /// A change could not be recorded at this time: the stretch ends here, whatever is seen later.
    pub ended: Option<Timestamp>,
}

/// The open conditions of all subjects of one agent.
#[derive(Debug, Clone, Default)]
pub struct Stretcher {
    open: BTreeMap<Subject, Open>,
}

impl Stretcher {
    /// Takes over what the last life left open, and says the stretches up to its last sign of life.
    ///
    /// Of stretches whose source keeps its own time only the source knows whether they go on: the agent's signs of life say nothing
    /// about them.
    pub fn resume(left_open: BTreeMap<Subject, Open>, last_sign_of_life: Timestamp, now: Timestamp) -> Vec<Saying> {
        let mut sayings = Vec::new();
        for (subject, mut open) in left_open {
            if open.stated {
                continue;
            }
            let until = open.ended.unwrap_or(last_sign_of_life);
            close(&mut sayings, &subject, &mut open, until, now);
        }
        sayings
    }

    /// What an observation adds. `now` and `clock` are the agent's; a stated time replaces them.
    pub fn observe(&mut self, observation: Observation, now: Timestamp, clock: Clock) -> Result<Vec<Saying>, Refusal> {
        let Observation { subject, kind, source, stated, seen } = observation;
        self.check(&subject, stated, &seen)?;
        let clock = if stated.is_some() { Clock::Holdover } else { clock };
        let when = When::of(stated, now);
        // What keeps its own time was watched up to its last cut and by nobody else.
        let unwatched = |open: &Open| open.stated && (stated.is_none() || when.at.0 - open.from.0 > STATED_MAX_MICROS);
        if !matches!(seen, Seen::Event(_)) && self.open.get(&subject).is_some_and(unwatched) {
            self.open.remove(&subject);
        }
        let mut sayings = Vec::new();
        let stated = stated.is_some();
        match seen {
            Seen::Event(body) => sayings.push(when.saying(subject, kind, source, clock, body)),
            Seen::Ongoing { condition, degradation } => {
                let open = Open { from: when.at, condition, degradation, kind, source, clock, stated, ended: None };
                self.open.entry(subject).or_insert(open);
            }
            Seen::Lost => self.close_one(&mut sayings, &subject, when, now),
            Seen::Condition { condition, degradation } => {
                let same = |open: &Open| {
                    (open.condition, open.degradation, &open.source, open.ended, open.stated)
                        == (condition, degradation, &source, None, stated)
                };
                if self.open.get(&subject).is_some_and(same) {
                    return Ok(self.cut_one(&subject, when.at, now));
                }
                self.close_one(&mut sayings, &subject, when, now);
                let from = when.at;
                let open =
                    Open { from, condition, degradation, kind, source: source.clone(), clock, stated, ended: None };
                self.open.insert(subject.clone(), open);
                sayings.push(when.saying(subject, kind, source, clock, Body::Began { condition, degradation }));
            }
        }
        Ok(sayings)
    }

    /// Cuts on the UTC hour what the agent's clock has carried past it, and says what could not be recorded when it ended. No more than
    /// about `at_most` stretches: the rest is for the next moment.
    pub fn tick(&mut self, now: Timestamp, at_most: usize) -> Vec<Saying> {
        let mut sayings = Vec::new();
        self.open.retain(|subject, open| {
            // Of what keeps its own time its source says more, in this life or the next.
            if open.stated {
                return true;
            }
            let until = open.ended.unwrap_or(now);
            while open.from.next_hour() <= until && sayings.len() < at_most {
                let hour = open.from.next_hour();
                push(&mut sayings, subject, open, hour, now);
            }
            let is_over = open.ended.is_some() && open.from.next_hour() > until;
            if is_over && open.from < until {
                push(&mut sayings, subject, open, until, now);
            }
            !is_over
        });
        sayings
    }

    /// How much a clock that was set at `until` makes this say at most: every stretch up to there, and every condition anew.
    pub fn change_bound_bytes(&self, until: Timestamp, site: &SiteId) -> u64 {
        let bound = |(subject, open): (&Subject, &Open)| {
            let facts = full_hours(open.from, open.ended.unwrap_or(until)) + 2;
            facts * record_bound_bytes(subject, site, &open.source)
        };
        self.open.iter().map(bound).sum()
    }

    /// How much an observation makes this say at most: every stretch up to it, its own fact, and the first of its subject.
    pub fn observe_bound_bytes(&self, observation: &Observation, now: Timestamp, site: &SiteId) -> u64 {
        let Observation { subject, source, stated, seen, .. } = observation;
        let own = record_bound_bytes(subject, site, source);
        match (seen, self.open.get(subject)) {
            (Seen::Event(_), _) => SPOOLED_MAX_BYTES as u64 + own,
            (_, None) => 2 * own,
            (_, Some(open)) => {
                let until = open.ended.unwrap_or(When::of(*stated, now).at);
                let hours = full_hours(open.from, until).min((STATED_MAX_MICROS / MICROS_PER_HOUR).cast_unsigned() + 1);
                (hours + 1) * record_bound_bytes(subject, site, &open.source) + 2 * own
            }
        }
    }

    /// Closes everything at `until`, a moment of the clock that was believed so far.
    pub fn cut_all(&mut self, until: Timestamp, now: Timestamp) -> Vec<Saying> {
        let mut sayings = Vec::new();
        for (subject, open) in self.open.iter_mut().filter(|(_, open)| !open.stated) {
            let until = open.ended.unwrap_or(until);
            close(&mut sayings, subject, open, until, now);
            open.from = open.from.max(until);
        }
        sayings
    }

    /// After the clock was set or its state has changed: what goes on, goes on by the clock as it is now, and is said to begin anew.
    pub fn go_on_from(&mut self, from: Timestamp, clock: Clock) -> Vec<Saying> {
        self.open.retain(|_, open| open.ended.is_none() || open.stated);
        let mut sayings = Vec::new();
        for (subject, open) in self.open.iter_mut().filter(|(_, open)| !open.stated) {
            (open.from, open.clock) = (from, clock);
            let body = Body::Began { condition: open.condition, degradation: open.degradation };
            sayings.push(When::of(None, from).saying(subject.clone(), open.kind, open.source.clone(), clock, body));
        }
        sayings
    }

    /// Confirmation came without a step: what goes on is as sound as it can be.
    pub fn confirm(&mut self, clock: Clock) {
        for open in self.open.values_mut().filter(|open| !open.stated && open.clock == Clock::Holdover) {
            open.clock = clock;
        }
    }

    /// A change of this subject's condition could not be recorded: its stretch must not grow past this moment. What comes after it in
    /// its source's order changes that no more, whatever time it states.
    pub fn refuse(&mut self, observation: &Observation, now: Timestamp) {
        let at = When::of(observation.stated, now).at;
        if let (Seen::Condition { .. } | Seen::Lost, Some(open)) =
            (&observation.seen, self.open.get_mut(&observation.subject))
        {
            // An earlier time would not have been taken for a change.
            if at >= open.from {
                open.ended.get_or_insert(at);
            }
        }
    }

    pub fn open(&self) -> &BTreeMap<Subject, Open> {
        &self.open
    }

    fn check(&self, subject: &Subject, stated: Option<Stated>, seen: &Seen) -> Result<(), Refusal> {
        let open = self.open.get(subject);
        match (seen, open) {
            (
                Seen::Event(
                    body @ (Body::Opened { .. } | Body::Tombstone { .. } | Body::ClockStep { .. } | Body::Heartbeat(_)),
                ),
                _,
            ) => Err(Refusal::NotForSources { subject: subject.clone(), body: body.name() }),
            (Seen::Condition { .. } | Seen::Lost, Some(open)) if stated.is_some_and(|stated| stated.at < open.from) => {
                let at = stated.map_or(open.from, |stated| stated.at);
                Err(Refusal::OutOfOrder { subject: subject.clone(), at, open_from: open.from })
            }
            _ => Ok(()),
        }
    }

    fn close_one(&mut self, sayings: &mut Vec<Saying>, subject: &Subject, when: When, now: Timestamp) {
        if let Some(mut open) = self.open.remove(subject) {
            let until = open.ended.unwrap_or(when.at);
            close(sayings, subject, &mut open, until, when.known_at(now));
        }
    }

    fn cut_one(&mut self, subject: &Subject, until: Timestamp, now: Timestamp) -> Vec<Saying> {
        let mut sayings = Vec::new();
        if let Some(open) = self.open.get_mut(subject) {
            cut(&mut sayings, subject, open, until, now);
        }
        sayings
    }
}

/// When something happened and when that was known.
#[derive(Debug, Clone, Copy)]
struct When {
    at: Timestamp,
    known_at: Timestamp,
    assumed: bool,
    stated: bool,
    origin: Option<Origin>,
}

impl When {
    fn of(stated: Option<Stated>, now: Timestamp) -> Self {
        match stated {
            Some(Stated { at, known_at, origin }) => {
                Self { at, known_at: known_at.unwrap_or(at), assumed: known_at.is_none(), stated: true, origin }
            }
            None => Self { at: now, known_at: now, assumed: false, stated: false, origin: None },
        }
    }

    fn known_at(self, now: Timestamp) -> Timestamp {
        if self.stated { self.known_at } else { now }
    }

    fn saying(self, subject: Subject, kind: DeviceKind, source: Source, clock: Clock, body: Body) -> Saying {
        let Self { at, known_at, assumed, stated, origin } = self;
        Saying { subject, kind, stated, origin, at, known_at, known_assumed: assumed, clock, source, body }
    }
}

/// Hours of the clock that begin between the two.
fn full_hours(from: Timestamp, until: Timestamp) -> u64 {
    u64::try_from((until.0 - from.next_hour().0).div_euclid(MICROS_PER_HOUR) + 1).unwrap_or(0)
}

/// Says the stretches of all full hours up to `until` and leaves the rest open.
fn cut(sayings: &mut Vec<Saying>, subject: &Subject, open: &mut Open, until: Timestamp, known_at: Timestamp) {
    while open.from.next_hour() <= until {
        let hour = open.from.next_hour();
        push(sayings, subject, open, hour, known_at);
    }
}

/// Says everything up to `until`, hour by hour. A span that is empty or runs backwards says nothing.
fn close(sayings: &mut Vec<Saying>, subject: &Subject, open: &mut Open, until: Timestamp, known_at: Timestamp) {
    cut(sayings, subject, open, until, known_at);
    if open.from < until {
        push(sayings, subject, open, until, known_at);
    }
}

fn push(sayings: &mut Vec<Saying>, subject: &Subject, open: &mut Open, until: Timestamp, known_at: Timestamp) {
    let Open { condition, degradation, .. } = *open;
    sayings.push(Saying {
        subject: subject.clone(),
        kind: open.kind,
        stated: open.stated,
        origin: None,
        at: open.from,
        known_at: known_at.max(until),
        known_assumed: open.stated,
        clock: open.clock,
        source: open.source.clone(),
        body: Body::Stretch(Stretch { until, condition, degradation }),
    });
    open.from = until;
}

/// How the agent signs what it says itself.
pub fn agent_source() -> Source {
    Source { kind: SourceKind::Device, name: "agent".into() }
}
