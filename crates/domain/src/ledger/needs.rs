//! What a ledger must be told from the archive before it can go on: everything one record lacks, in one answer.

use std::collections::BTreeSet;

use super::Ledger;
use crate::dedup::{Ask, Forgotten};
use crate::fact::Body;
use crate::id::{Epoch, SeqRange};
use crate::time::{Day, Timestamp};

/// What stands in the archive and nowhere in memory. Answer all of it and admit the record again: an answer holds until
/// the next commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// All daily facts of each day: [`Ledger::supply_day`].
    pub days: BTreeSet<Day>,
    /// The days of the archived daily facts in each range: [`Ledger::supply_located`].
    pub located: BTreeSet<SeqRange>,
    /// Which seqs of each epoch are archived: [`Ledger::supply_epoch`].
    pub epochs: BTreeSet<Epoch>,
    /// The digest of every archived fact in these ranges: [`Ledger::supply_digest`].
    pub digests: Vec<SeqRange>,
    /// The days on which those that may be repeats say they happened. A true repeat says what its original said, so these
    /// are where to look first; the original of a conflict may lie anywhere.
    pub told_days: BTreeSet<Day>,
}

impl Needs {
    pub fn is_empty(&self) -> bool {
        self.days.is_empty() && self.located.is_empty() && self.epochs.is_empty() && self.digests.is_empty()
    }

    pub fn extend(&mut self, other: Self) {
        self.days.extend(other.days);
        self.located.extend(other.located);
        self.epochs.extend(other.epochs);
        self.digests.extend(other.digests);
        self.told_days.extend(other.told_days);
    }

    /// The value, unless something is lacking for it.
    pub(super) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Takes the needs of a failed part and lets the others go on saying theirs.
    pub(super) fn gather<T, E: Into<Self>>(&mut self, part: Result<T, E>) -> Option<T> {
        part.map_err(|lacking| self.extend(lacking.into())).ok()
    }

    /// What dedup asks about a fact that says it happened on `day`. Seqs that follow each other become one range.
    pub(super) fn ask(&mut self, ask: Ask, day: Day) {
        match ask {
            Ask::Epoch(epoch) => {
                self.epochs.insert(epoch);
            }
            Ask::Digest(epoch, seq) => {
                self.told_days.insert(day);
                match self.digests.last_mut() {
                    Some(range) if range.epoch == epoch && range.last.0 + 1 == seq.0 => range.last = seq,
                    _ => self.digests.push(SeqRange::one(epoch, seq)),
                }
            }
        }
    }
}

impl From<Day> for Needs {
    fn from(day: Day) -> Self {
        Self { days: BTreeSet::from([day]), ..Self::default() }
    }
}

impl From<SeqRange> for Needs {
    fn from(range: SeqRange) -> Self {
        Self { located: BTreeSet::from([range]), ..Self::default() }
    }
}

impl From<Forgotten> for Needs {
    fn from(Forgotten(epoch): Forgotten) -> Self {
        Self { epochs: BTreeSet::from([epoch]), ..Self::default() }
    }
}

impl Ledger {
    /// What a fact not seen before will need, as far as can be told before the records in front of its own are in. It
    /// decides nothing: what it does not see is asked for later, what it sees too much costs a look.
    pub(super) fn foresee_fact(&self, at: Timestamp, body: &Body, needs: &mut Needs) {
        let day = at.day();
        match body {
            Body::Usage(_) if !self.known_days.contains(day) => self.foresee_neighbours(day, needs),
            body if body.is_daily() => {
                needs.gather(self.require(day));
            }
            Body::Amended(amendment) => self.foresee_range(&amendment.target, needs),
            Body::ClockStep { suspect: Some(range), .. } => self.foresee_range(range, needs),
            _ => {}
        }
    }

    /// The first late sample of a day follows one of a day before it, and moves the increment of one after it.
    fn foresee_neighbours(&self, day: Day, needs: &mut Needs) {
        let Some(onward) = self.days_onward_from(day).next() else { return };
        needs.gather(self.require(onward));
        self.days_back_from(day).next().and_then(|back| needs.gather(self.require(back)));
    }

    fn foresee_range(&self, range: &SeqRange, needs: &mut Needs) {
        needs.gather(self.locate(range));
    }

    /// The archived days of a range's facts, if any was seen.
    pub(super) fn locate(&self, range: &SeqRange) -> Result<Option<&[Day]>, Needs> {
        if !self.lives.has_seen_any(range)? {
            return Ok(None);
        }
        let located = self.located.iter().find(|(located, _)| located == range);
        located.map(|(_, days)| Some(days.as_slice())).ok_or_else(|| Needs::from(*range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Seq;

    #[test]
    fn seqs_told_again_in_order_are_asked_for_as_one_range() {
        let mut needs = Needs::default();
        let told = [(1, 3, 9), (1, 4, 7), (1, 5, 8), (1, 7, 8), (2, 8, 8)];
        told.iter().for_each(|(epoch, seq, day)| needs.ask(Ask::Digest(Epoch(*epoch), Seq(*seq)), Day(*day)));
        let ranges: Vec<_> = needs.digests.iter().map(|range| (range.first.0, range.last.0)).collect();
        assert_eq!(ranges, [(3, 5), (7, 7), (8, 8)]);
        assert_eq!(needs.told_days, BTreeSet::from([Day(7), Day(8), Day(9)]));
        assert!(!needs.is_empty() && Needs::default().is_empty());
    }
}
