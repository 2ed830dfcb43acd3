//! The agenda of one device: steps in time order, equal times in the order they were put.

use std::collections::BTreeMap;

use medfleet_domain::fact::Body;
use medfleet_domain::time::Timestamp;

use super::upkeep::Visit;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    UseStarts,
    UseEnds,
    /// Index into the kind's QA.
    QaStarts(usize),
    QaEnds,
    /// An interrupt bound to a use; index into the kind's interrupts.
    Interrupt(usize),
    /// An interrupt that comes by the calendar, and puts its successor.
    DailyInterrupt(usize),
    StopEnds {
        was_in_use: bool,
        left_s: i64,
    },
    Sample,
    MaintenanceDue(Visit),
    MaintenancePlannedEnds,
    MaintenanceEnds {
        visit: Visit,
        began: Timestamp,
    },
    RepairStarts,
    Returned,
    Say {
        of: Timestamp,
        body: Box<Body>,
    },
}

#[derive(Debug, Clone, Default)]
pub struct Agenda {
    steps: BTreeMap<(Timestamp, u64), Step>,
    put: u64,
}

impl Agenda {
    pub fn put(&mut self, at: Timestamp, step: Step) {
        self.put += 1;
        self.steps.insert((at, self.put), step);
    }

    pub fn next_at(&self) -> Timestamp {
        self.steps.first_key_value().map_or(Timestamp::MAX, |((at, _), _)| *at)
    }

    /// The first step, never before `now`. Samples follow each other for ever, so there always is one.
    pub fn pop(&mut self, now: Timestamp) -> (Timestamp, Step) {
        let first = self.steps.pop_first();
        first.map_or((now.next_hour(), Step::Sample), |((at, _), step)| (at.max(now), step))
    }

    /// Removes the steps that match and returns the time of the first.
    pub fn cancel(&mut self, matches: impl Fn(&Step) -> bool) -> Option<Timestamp> {
        let first = self.steps.iter().find(|(_, step)| matches(step)).map(|((at, _), _)| *at);
        self.steps.retain(|_, step| !matches(step));
        first
    }
}
