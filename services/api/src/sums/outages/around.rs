//! When a device worked, as it was known: from the times that are kept on days of downs, and from the sums of all other days.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use medfleet_domain::time::MICROS_PER_DAY;
use medfleet_kpi::episodes;

use super::super::book::Book;
use super::super::causes::Known;
use super::super::entry::Entry;
use super::super::grouped::stand;
use super::{Device, day_of};

/// An earlier state: what the sums by day contain that was not known, and the days that were not over yet.
#[derive(Debug, Default)]
pub struct Then {
    /// By seat and day: microseconds in which it worked that were told late and are not known.
    late: HashMap<u32, BTreeMap<i32, i64>>,
    /// Days whose entries are read.
    read: BTreeSet<i32>,
    /// By seat and day that is read: microseconds in which it worked, as far as is known.
    told: HashMap<u32, BTreeMap<i32, i64>>,
    /// The day after that of the instant: from then on nothing is known.
    end: i32,
}

impl Then {
    /// `read` are entries of days that are read whole; `asked` says of which seats anybody asks.
    pub fn of<'a>(
        known: &Known,
        late: impl Iterator<Item = &'a Entry>,
        read: impl Iterator<Item = (i32, &'a [Entry])>,
        asked: impl Fn(u32) -> bool,
        now: i64,
    ) -> Self {
        let mut then = Self { end: day_of(now) + 1, ..Self::default() };
        let add = |sums: &mut HashMap<u32, BTreeMap<i32, i64>>, entry: &Entry| {
            let sum = sums.entry(entry.seat).or_default().entry(day_of(entry.from)).or_default();
            *sum += entry.known_micros();
        };
        let of_interest = |entry: &&Entry| entry.what.is_up() && asked(entry.seat);
        late.filter(of_interest).filter(|entry| !known.holds(entry.cause)).for_each(|entry| add(&mut then.late, entry));
        for (day, entries) in read {
            then.read.insert(day);
            let told = entries.iter().filter(of_interest).filter(|entry| known.holds(entry.cause));
            told.for_each(|entry| add(&mut then.told, entry));
        }
        then
    }

    /// Whether a device worked in its seat on any day of `from..until`.
    fn worked(&self, book: &Book, seat: u32, from: i32, until: i32) -> bool {
        // The sums hold what came later, too.
        let until = until.min(self.end);
        if from >= until {
            return false;
        }
        let in_days = |sums: Option<&BTreeMap<i32, i64>>| -> Vec<(i32, i64)> {
            sums.map_or_else(Vec::new, |sums| sums.range(from..until).map(|(day, sum)| (*day, *sum)).collect())
        };
        if in_days(self.told.get(&seat)).iter().any(|(_, micros)| *micros > 0) {
            return true;
        }
        let Some(sums) = book.seats.get(seat as usize) else { return false };
        let late = self.late.get(&seat);
        let days = sums.worked_on(from, until).chain(in_days(late).into_iter().map(|(day, _)| day));
        let unknown = |day: i32| late.and_then(|late| late.get(&day)).copied().unwrap_or(0);
        days.filter(|day| !self.read.contains(day)).any(|day| sums.up(day) > unknown(day))
    }
}

/// One device as it was known.
pub struct Around<'a> {
    pub book: &'a Book,
    pub(super) device: Device<'a>,
    /// None: all that there is.
    pub known: Option<(&'a Known, &'a Then)>,
}

impl Around<'_> {
    fn is_known(&self, one: &super::Worked) -> bool {
        self.known.is_none_or(|(known, _)| known.holds(one.cause))
    }
}

impl episodes::Worked for Around<'_> {
    fn began_within(&self, from: i64, until: Option<i64>) -> bool {
        let until_at = until.unwrap_or(i64::MAX);
        let kept = self.device.worked.iter().filter(|one| (from..until_at).contains(&one.from) && self.is_known(one));
        if kept.map(|one| i64::from(one.weight) * (one.until - one.from)).sum::<i64>() > 0 {
            return true;
        }
        // What began on the first day or the last is kept.
        let (first, end) = (day_of(from) + 1, until.map_or(i32::MAX, day_of));
        self.device.seats.iter().any(|seat| match self.known {
            Some((_, then)) => then.worked(self.book, *seat, first, end),
            None => self.book.seats.get(*seat as usize).is_some_and(|sums| sums.worked_on(first, end).next().is_some()),
        })
    }

    fn in_use_before(&self, at: i64) -> bool {
        let within = |one: &&super::Worked| (at - MICROS_PER_DAY..at).contains(&one.from) && self.is_known(one);
        let row = |one: &super::Worked| ((one.from, one.productive, one.until), i64::from(one.weight));
        let mut before = self.device.worked.iter().filter(within).map(row).collect();
        stand(&mut before);
        before.last().is_some_and(|((_, productive, _), _)| *productive)
    }
}
