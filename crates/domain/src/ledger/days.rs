//! The facts a ledger holds, by day, and which of them count once amendments are heard.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Ledger, Needs};
use crate::claim::Claims;
use crate::held::Held;
use crate::time::{Day, Timestamp};

/// The most days that a walk into the unseen asks for beyond the first.
const WALK_DAYS_MAX: usize = 31;

impl Ledger {
    /// A day may take more facts in place when it is in memory, or holds none yet.
    pub(super) fn can_grow(&self, day: Day) -> bool {
        self.days.contains_key(&day) || !self.known_days.contains(day)
    }

    pub(super) fn require(&self, day: Day) -> Result<(), Needs> {
        if self.can_grow(day) { Ok(()) } else { Err(Needs::from(day)) }
    }

    pub(super) fn require_all<'a>(&self, days: impl IntoIterator<Item = &'a Day>) -> Result<(), Needs> {
        let mut needs = Needs::default();
        needs.days.extend(days.into_iter().filter(|day| !self.can_grow(**day)));
        needs.or(())
    }

    /// Walks over days until one has what is looked for. A walk that meets a day it cannot see asks for as many more as
    /// it has passed in vain: looking far back takes few questions, looking nearby takes one day.
    pub(super) fn walk<T>(
        &self,
        mut days: impl Iterator<Item = Day>,
        find: impl Fn(Day) -> Option<T>,
    ) -> Result<Option<T>, Needs> {
        let mut passed = 0;
        while let Some(day) = days.next() {
            if !self.can_grow(day) {
                let way: Vec<Day> = [day].into_iter().chain(days.take(passed.min(WALK_DAYS_MAX))).collect();
                self.require_all(&way)?;
                break;
            }
            if let Some(found) = find(day) {
                return Ok(Some(found));
            }
            passed += 1;
        }
        Ok(None)
    }

    /// Keeps a fact with its day. One that never folds stays in the archive: its day may be anywhere in time.
    pub(super) fn store_daily(&mut self, held: Held) {
        if !held.folds() {
            return;
        }
        let held = Arc::new(held);
        self.hear_sample(&held);
        self.hear_stretch(&held);
        self.known_days.insert(held.day());
        self.used_days.insert(held.day(), 0);
        Arc::make_mut(self.days.entry(held.day()).or_default()).push(held);
    }

    /// Daily facts that corrections put in the place of others, whatever their day.
    pub(super) fn corrected_daily(&self) -> Vec<Held> {
        self.amendments.corrected().filter(Held::folds).collect()
    }

    /// The daily facts of a loaded day that count: amended ones gone, corrections in their place.
    pub(super) fn counting<'a>(&'a self, day: Day, corrected: &'a [Held]) -> impl Iterator<Item = &'a Held> {
        let own = self.days.get(&day).into_iter().flat_map(|facts| facts.iter()).map(|held| &**held);
        let standing = own.filter(|held| self.amendments.leaves(held));
        standing.chain(corrected.iter().filter(move |held| held.day() == day))
    }

    /// Statements that count, whatever their day.
    pub(super) fn stated(&self) -> impl Iterator<Item = Cow<'_, Held>> {
        let own = self.statements.iter().filter(|held| held.counts() && self.amendments.leaves(held));
        let corrected = self.amendments.corrected().filter(Held::is_stated);
        own.map(|held| Cow::Borrowed(&**held)).chain(corrected.map(Cow::Owned))
    }

    /// Lets amendments know the targets that are here by now.
    pub(super) fn trace_amendments(&mut self) {
        let Self { amendments, lives, days, statements, notes, .. } = self;
        let at_hand = |identity| {
            let days = days.values().flat_map(|facts| facts.iter());
            let mut facts = days.chain(statements.iter()).chain(notes.iter());
            facts.find(|held| held.counts() && held.identity() == identity).map(|held| &**held)
        };
        amendments.trace(|epoch, seq| lives.has_seen(epoch, seq), at_hand);
    }

    pub(super) fn claims(&self) -> Claims {
        Claims::new(self.stated().filter_map(|held| held.claim()).collect())
    }

    /// Up to here the ledger has rows: the latest stretch end, or claim edge not after its saying.
    pub(super) fn edge(&self) -> Timestamp {
        let observed = self.latest.as_ref().map(|latest| latest.until);
        observed.max(self.claims().reach()).unwrap_or(Timestamp::MIN)
    }

    /// Days up to `day` that may hold facts that count, latest first.
    pub(super) fn days_back_from(&self, day: Day) -> impl Iterator<Item = Day> + '_ {
        let mut corrected: Vec<Day> = self.amendments.corrected_days().filter(|other| *other <= day).collect();
        corrected.sort_unstable();
        corrected.dedup();
        let mut known = self.known_days.back_from(day).peekable();
        std::iter::from_fn(move || {
            let latest = known.peek().copied().max(corrected.last().copied())?;
            known.next_if_eq(&latest);
            corrected.pop_if(|day| *day == latest);
            Some(latest)
        })
    }

    /// Days from `day` on that may hold facts that count, earliest first.
    pub(super) fn days_onward_from(&self, day: Day) -> impl Iterator<Item = Day> + '_ {
        let mut corrected: Vec<Day> = self.amendments.corrected_days().filter(|other| *other >= day).collect();
        corrected.sort_unstable_by(|a, b| b.cmp(a));
        corrected.dedup();
        let mut known = self.known_days.onward_from(day).peekable();
        std::iter::from_fn(move || {
            let earliest = known.peek().copied().into_iter().chain(corrected.last().copied()).min()?;
            known.next_if_eq(&earliest);
            corrected.pop_if(|day| *day == earliest);
            Some(earliest)
        })
    }
}

/// Days as sorted, disjoint, non-adjacent closed ranges: a device that reports daily costs one range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySet {
    /// First day of a range to its last.
    ranges: BTreeMap<Day, Day>,
}

impl DaySet {
    pub fn contains(&self, day: Day) -> bool {
        self.ranges.range(..=day).next_back().is_some_and(|(_, last)| day <= *last)
    }

    pub fn insert(&mut self, day: Day) {
        if self.contains(day) {
            return;
        }
        let last = self.ranges.remove(&day.next()).unwrap_or(day);
        match self.ranges.range_mut(..day).next_back() {
            Some((_, before)) if before.next() == day => *before = last,
            _ => {
                self.ranges.insert(day, last);
            }
        }
    }

    /// First and last day of each run of days, earliest first.
    pub fn ranges(&self) -> impl Iterator<Item = (Day, Day)> + '_ {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    /// The days up to and including `day`, latest first.
    pub fn back_from(&self, day: Day) -> impl Iterator<Item = Day> + '_ {
        let ranges = self.ranges.range(..=day).rev();
        ranges.flat_map(move |(first, last)| (first.0..=last.0.min(day.0)).rev().map(Day))
    }

    /// The days from `day` on, earliest first.
    pub fn onward_from(&self, day: Day) -> impl Iterator<Item = Day> + '_ {
        let own = self.ranges.range(..=day).next_back().map_or(day, |(first, _)| *first);
        let ranges = self.ranges.range(own..).filter(move |(_, last)| **last >= day);
        ranges.flat_map(move |(first, last)| (first.0.max(day.0)..=last.0).map(Day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_in_any_order_become_ranges_that_can_be_walked_both_ways() {
        let mut days = DaySet::default();
        for day in [5, 3, 4, 9, 1, 3] {
            days.insert(Day(day));
        }
        assert_eq!(days.ranges, BTreeMap::from([(Day(1), Day(1)), (Day(3), Day(5)), (Day(9), Day(9))]));
        assert_eq!(days.back_from(Day(4)).map(|d| d.0).collect::<Vec<_>>(), [4, 3, 1]);
        assert_eq!(days.onward_from(Day(4)).map(|d| d.0).collect::<Vec<_>>(), [4, 5, 9]);
        assert_eq!(days.onward_from(Day(6)).map(|d| d.0).collect::<Vec<_>>(), [9]);
        assert!(!days.contains(Day(2)) && days.contains(Day(9)));
    }
}
