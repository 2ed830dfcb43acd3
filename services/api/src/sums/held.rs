//! Entries of single days that stay in memory: whoever asks what was known earlier needs a few days, and any of them. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use medfleet_domain::time::Day;

use super::book::day_of;
use super::entry::Entry;

const HELD_MAX_BYTES: usize = 1 << 30;

/// Days that are held are held whole. Of all the oldest go first; then those do not fit that are read, and the one goes that
/// has been here longest.
#[derive(Debug)]
pub struct Held {
    days: BTreeMap<Day, Arc<Vec<Entry>>>,
    /// Once days are read: in which order they go.
    order: VecDeque<Day>,
    bytes: usize,
    max_bytes: usize,
    /// While all entries pass by: no day before this one fits.
    fits_from: Day,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            days: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            max_bytes: HELD_MAX_BYTES,
            fits_from: Day(i32::MIN),
        }
    }
}

impl Held {
    pub fn day(&self, day: Day) -> Option<Arc<Vec<Entry>>> {
        self.days.get(&day).cloned()
    }

    /// Keeps some of all the entries there are, which come in any order.
    pub fn collect(&mut self, entries: &[Entry]) {
        for entry in entries.iter().filter(|entry| day_of(entry) >= self.fits_from) {
            Arc::make_mut(self.days.entry(day_of(entry)).or_default()).push(*entry);
            self.bytes += size_of::<Entry>();
        }
        while self.is_over() {
            let Some(oldest) = self.days.keys().next().copied() else { return };
            self.let_go(oldest);
            self.fits_from = Day(oldest.0 + 1);
        }
    }

    /// All have passed by: lists that doubled give back what they do not fill.
    pub fn collected(mut self) -> Self {
        self.days.values_mut().for_each(|entries| Arc::make_mut(entries).shrink_to_fit());
        self
    }

    /// Keeps a day that was read; another may have to go.
    pub fn hold(&mut self, day: Day, entries: Arc<Vec<Entry>>) {
        if self.order.is_empty() {
            self.order.extend(self.days.keys());
        }
        self.bytes += size_of::<Entry>() * entries.len();
        match self.days.insert(day, entries) {
            Some(before) => self.bytes -= size_of::<Entry>() * before.len(),
            None => self.order.push_back(day),
        }
        while self.is_over() {
            let Some(gone) = self.order.pop_front() else { return };
            self.let_go(gone);
        }
    }

    /// Adds what is new about days that are held.
    pub fn add(&mut self, entries: &[Entry]) {
        for entry in entries {
            if let Some(held) = self.days.get_mut(&day_of(entry)) {
                Arc::make_mut(held).push(*entry);
                self.bytes += size_of::<Entry>();
            }
        }
    }

    /// One day may be larger than all that is allowed.
    fn is_over(&self) -> bool {
        self.bytes > self.max_bytes && self.days.len() > 1
    }

    fn let_go(&mut self, day: Day) {
        if let Some(gone) = self.days.remove(&day) {
            self.bytes -= size_of::<Entry>() * gone.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use medfleet_domain::time::MICROS_PER_DAY;

    use super::*;
    use crate::sums::causes::CauseKey;
    use crate::sums::entry::What;

    fn entries(days: &[i64]) -> Vec<Entry> {
        let what = What::of("standby", false, false);
        let entry = |day: &i64| Entry {
            from: day * MICROS_PER_DAY,
            until: day * MICROS_PER_DAY + 1,
            cause: CauseKey::new(0, 0, 0),
            seat: 0,
            track: 0,
            weight: 1,
            what,
        };
        days.iter().map(entry).collect()
    }

    fn lengths(held: &Held) -> Vec<(i32, usize)> {
        held.days.iter().map(|(day, entries)| (day.0, entries.len())).collect()
    }

    #[test]
    fn what_passes_by_is_held_by_whole_days_the_newest_of_them() {
        let mut held = Held { max_bytes: 5 * size_of::<Entry>(), ..Held::default() };
        held.collect(&entries(&[1, 2, 3, 1]));
        held.collect(&entries(&[3, 2]));
        assert_eq!(lengths(&held), [(2, 2), (3, 2)]);
        held.collect(&entries(&[1, 3]));
        assert_eq!(lengths(&held), [(2, 2), (3, 3)], "a day that once went is not held in part");
        held.add(&entries(&[3, 4]));
        assert_eq!(lengths(&held), [(2, 2), (3, 4)], "what is not held is not begun");
        held.hold(Day(1), Arc::new(entries(&[1])));
        assert_eq!((lengths(&held), held.bytes), (vec![(1, 1), (3, 4)], 5 * size_of::<Entry>()));
        held.hold(Day(5), Arc::new(entries(&[5])));
        assert_eq!(lengths(&held), [(1, 1), (5, 1)], "the one that has been here longest goes, whatever its date");
    }
}
