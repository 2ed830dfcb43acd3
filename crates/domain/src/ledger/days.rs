//! The facts a ledger holds, by day, and which of them count once amendments are heard.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Ledger, Need};
use crate::amend::Said;
use crate::claim::Claims;
use crate::held::Held;
use crate::time::{Day, Timestamp};

impl Ledger {
    /// A day may take more facts in place when it is in memory, or holds none yet.
    pub(super) fn can_grow(&self, day: Day) -> bool {
        self.days.contains_key(&day) || !self.known_days.contains(day)
    }

    pub(super) fn require(&self, day: Day) -> Result<(), Need> {
        if self.can_grow(day) { Ok(()) } else { Err(Need::Day(day)) }
    }

    pub(super) fn store_daily(&mut self, held: Held) {
        self.hear_sample(&held);
        self.hear_stretch(&held);
        self.known_days.insert(held.day());
        self.days.entry(held.day()).or_default().push(held);
    }

    /// The daily facts of a loaded day that count: amended ones gone, corrections in their place.
    pub(super) fn counting(&self, day: Day) -> Vec<Held> {
        let own = self.days.get(&day).into_iter().flatten();
        let mut counting: Vec<Held> = own.filter(|held| self.stands(held)).cloned().collect();
        counting.extend(self.corrections().filter(|held| held.body.is_daily() && held.day() == day));
        counting
    }

    fn stands(&self, held: &Held) -> bool {
        self.amendments.is_empty() || self.amendments.standing(held.epoch, held.seq).is_none()
    }

    /// Statements that count, whatever their day.
    pub(super) fn stated(&self) -> impl Iterator<Item = Held> + '_ {
        let own = self.statements.iter().filter(|held| self.stands(held)).cloned();
        own.chain(self.corrections().filter(|held| held.is_stated()))
    }

    /// What standing corrections of facts already seen put in their place.
    fn corrections(&self) -> impl Iterator<Item = Held> + '_ {
        self.amendments.corrections().filter(|said| said.seen).filter_map(Said::instead)
    }

    pub(super) fn claims(&self) -> Claims {
        Claims::new(self.stated().filter_map(|held| held.claim()).collect())
    }

    /// Up to here the ledger has rows: the latest stretch end, or claim edge not after its saying.
    pub(super) fn edge(&self) -> Timestamp {
        let observed = self.latest.as_ref().map(|latest| latest.until);
        observed.max(self.claims().reach()).unwrap_or(Timestamp::MIN)
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

    pub fn last(&self) -> Option<Day> {
        self.ranges.values().next_back().copied()
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
