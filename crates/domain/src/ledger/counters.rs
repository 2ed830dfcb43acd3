//! Usage rows of a ledger: late samples change themselves and their successor, nothing else.

use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::{Ledger, Needs};
use crate::entry::UsageRow;
use crate::held::Held;
use crate::time::{Day, MICROS_PER_SECOND, Timestamp};
use crate::usage::{Reading, Series, in_order};

/// Where a series begins and its last reading: enough for every sample that comes in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// No reading lies in an earlier second; there may be none in this one any more.
    first_second: i64,
    last: Option<Arc<Held>>,
}

/// Seconds of each series whose rows, and whose successors' rows, may change.
pub(super) type Seconds = BTreeMap<Series, BTreeSet<i64>>;

impl Ledger {
    pub(super) fn is_past_last_sample(&self, held: &Held) -> bool {
        let Some(reading) = held.reading() else { return true };
        match self.series.get(&reading.series()) {
            Some(ends) => ends.last().is_some_and(|last| last.at.second() < reading.at.second()),
            None => true,
        }
    }

    /// Rows of samples that all lie past the last of their series.
    pub(super) fn increments(&self, fresh: &[Held]) -> Vec<UsageRow> {
        let mut by_series: BTreeMap<Series, Vec<Reading<'_>>> = BTreeMap::new();
        for reading in fresh.iter().filter_map(Held::reading) {
            by_series.entry(reading.series()).or_default().push(reading);
        }
        let mut rows = Vec::new();
        for (series, readings) in by_series {
            let mut before = self.series.get(&series).and_then(Ends::last);
            for reading in in_order(readings) {
                rows.extend(before.map(|before| reading.after(&before)));
                before = Some(reading);
            }
        }
        rows
    }

    pub(super) fn hear_sample(&mut self, held: &Arc<Held>) {
        let Some(reading) = held.reading() else { return };
        let second = reading.at.second();
        let series = reading.series();
        let stands = self.amendments.leaves(held);
        let ends = self.series.entry(series).or_insert(Ends { first_second: second, last: None });
        ends.first_second = ends.first_second.min(second);
        if stands && ends.last().is_none_or(|last| reading.speaks_after(&last)) {
            ends.last = Some(Arc::clone(held));
        }
    }

    /// Rows of the readings in these seconds and of their successors.
    pub(super) fn usage_near(&self, seconds: &Seconds) -> Result<Vec<UsageRow>, Needs> {
        let mut rows = BTreeSet::new();
        let mut needs = Needs::default();
        let corrected = self.corrected_daily();
        for (series, seconds) in seconds {
            let sheets = Sheets::of(self, series, &corrected);
            for &second in seconds {
                rows.extend(needs.gather(sheets.usage_at(second)).into_iter().flatten());
            }
        }
        needs.or(rows.into_iter().collect())
    }

    /// The last reading of a series may have been taken back or brought in by a correction.
    pub(super) fn find_last_readings_anew(&mut self, seconds: &Seconds) -> Result<(), Needs> {
        let corrected = self.corrected_daily();
        for (series, touched) in seconds {
            let Some(first) = touched.first() else { continue };
            let first_second = self.series.get(series).map_or(*first, |ends| ends.first_second.min(*first));
            self.series.insert(series.clone(), Ends { first_second, last: None });
            let last = Sheets::of(self, series, &corrected).last()?;
            self.series.insert(series.clone(), Ends { first_second, last });
        }
        Ok(())
    }
}

impl Ends {
    fn last(&self) -> Option<Reading<'_>> {
        self.last.as_deref().and_then(Held::reading)
    }
}

/// The readings of one series by day. A late record asks for the neighbours of many seconds of one day: each day is put in
/// order once.
struct Sheets<'a> {
    ledger: &'a Ledger,
    series: &'a Series,
    corrected: &'a [Held],
    days: RefCell<BTreeMap<Day, Rc<[Reading<'a>]>>>,
}

impl<'a> Sheets<'a> {
    fn of(ledger: &'a Ledger, series: &'a Series, corrected: &'a [Held]) -> Self {
        Self { ledger, series, corrected, days: RefCell::default() }
    }

    /// The readings of a loaded day, in order, one a second.
    fn day(&self, day: Day) -> Rc<[Reading<'a>]> {
        let mut days = self.days.borrow_mut();
        let read = || {
            let counting = self.ledger.counting(day, self.corrected);
            let of_series = counting.filter(|held| held.is_reading_of(self.series));
            in_order(of_series.filter_map(Held::reading).collect()).into()
        };
        Rc::clone(days.entry(day).or_insert_with(read))
    }

    /// Rows of the reading in this second and of its successor.
    fn usage_at(&self, second: i64) -> Result<Vec<UsageRow>, Needs> {
        let mut rows = Vec::new();
        let here = self.reading_in(second)?;
        let next = self.successor(second)?;
        for reading in here.into_iter().chain(next) {
            let before = self.predecessor(reading.at.second())?;
            rows.extend(before.map(|before| reading.after(&before)));
        }
        Ok(rows)
    }

    fn reading_in(&self, second: i64) -> Result<Option<Reading<'a>>, Needs> {
        let day = Timestamp::from_seconds(second).day();
        self.ledger.require(day)?;
        let readings = self.day(day);
        Ok(readings.binary_search_by_key(&second, |one| one.at.second()).ok().map(|at| readings[at]))
    }

    /// The fact of the last reading.
    fn last(&self) -> Result<Option<Arc<Held>>, Needs> {
        let Some(last) = self.predecessor(i64::MAX)? else { return Ok(None) };
        let mut counting = self.ledger.counting(last.at.day(), self.corrected);
        let found = counting.find(|held| held.reading() == Some(last));
        Ok(found.cloned().map(Arc::new))
    }

    fn predecessor(&self, second: i64) -> Result<Option<Reading<'a>>, Needs> {
        let Some(ends) = self.ledger.series.get(self.series) else { return Ok(None) };
        if let Some(last) = ends.last().filter(|last| last.at.second() < second) {
            return Ok(Some(last));
        }
        let latest = Timestamp::from_seconds(second.min(i64::MAX / MICROS_PER_SECOND)).day();
        let first_day = Timestamp::from_seconds(ends.first_second).day();
        let before = |day| {
            let readings = self.day(day);
            let earlier = readings.partition_point(|one| one.at.second() < second);
            readings[..earlier].last().copied()
        };
        self.ledger.walk(self.ledger.days_back_from(latest).take_while(|day| *day >= first_day), before)
    }

    fn successor(&self, second: i64) -> Result<Option<Reading<'a>>, Needs> {
        let Some(ends) = self.ledger.series.get(self.series) else { return Ok(None) };
        if ends.last().is_some_and(|last| last.at.second() <= second) {
            return Ok(None);
        }
        let after = |day| {
            let readings = self.day(day);
            let not_later = readings.partition_point(|one| one.at.second() <= second);
            readings.get(not_later).copied()
        };
        self.ledger.walk(self.ledger.days_onward_from(Timestamp::from_seconds(second).day()), after)
    }
}
