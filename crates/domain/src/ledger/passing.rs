//! Facts that a ledger passes over, because nobody asks for their rows: where a table is built anew beside an archive that has
//! everything. They are told from repeated ones like all others, and then not kept. Only an amendment could make another kind of row of one:
//! from the first on, a ledger keeps all that is told and reads from the archive what it passed over.

use super::{DaySet, Ledger};
use crate::fact::{Body, Run};
use crate::held::Held;
use crate::time::Day;

/// Kinds of facts that are passed over, each of them a row of a table of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passing {
    usage: bool,
    errors: bool,
    /// The days of those passed over.
    days: DaySet,
}

impl Passing {
    pub fn over(usage: bool, errors: bool) -> Self {
        Self { usage, errors, days: DaySet::default() }
    }

    fn passes(&self, body: &Body) -> bool {
        match body {
            Body::Usage(_) => self.usage,
            Body::Error(_) => self.errors,
            _ => false,
        }
    }
}

impl Ledger {
    /// An empty ledger that passes facts over. It may ask the archive for what was told and never committed.
    pub fn passing(passing: Passing) -> Self {
        Self { passing, ..Self::default() }
    }

    /// Whether this fact of a record is not to be kept.
    pub(super) fn passes(&self, body: &Body, with_amendment: bool) -> bool {
        !with_amendment && self.passing.passes(body)
    }

    pub(super) fn is_passing(&self) -> bool {
        self.passing.usage || self.passing.errors
    }

    /// Whether a record amends something, asked only where that matters.
    pub(super) fn heeds_amendment_of(&self, run: &Run) -> bool {
        self.is_passing() && run.facts.iter().any(|sealed| sealed.fact.body.amended().is_some())
    }

    pub(super) fn pass(&mut self, days: Vec<Day>) {
        days.into_iter().for_each(|day| self.passing.days.insert(day));
    }

    /// Keeps everything from here on. What it has of days that lack something is forgotten, so that the archive is asked for all of them.
    pub(super) fn heed_all(&mut self, fresh: &[Held]) {
        if !self.is_passing() || !fresh.iter().any(|held| held.amended().is_some()) {
            return;
        }
        let passed = std::mem::take(&mut self.passing);
        for (first, last) in passed.days.ranges() {
            (first.0..=last.0).map(Day).for_each(|day| self.known_days.insert(day));
        }
        self.days.clear();
    }
}
