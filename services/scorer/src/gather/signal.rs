//! Signals: what features count, each with when it happened and when it could be known.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_domain::time::{Day, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// Amount: severity, from 0 for info to 4 for critical.
    Error,
    /// Amount: hours in use.
    InUse,
    /// Amount: hours down, unplanned.
    Down,
    Stopped,
    /// Amount: what the counter showed.
    Reading,
    Maintained,
    Failed,
    Returned,
    Replaced,
}

impl Sort {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::InUse => "in_use",
            Self::Down => "down",
            Self::Stopped => "stopped",
            Self::Reading => "reading",
            Self::Maintained => "maintained",
            Self::Failed => "failed",
            Self::Returned => "returned",
            Self::Replaced => "replaced",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    pub sort: Sort,
    /// Component meant; empty for the device as a whole.
    pub part: Arc<str>,
    /// Family of an error, name of a counter.
    pub name: Arc<str>,
    pub at: Timestamp,
    pub known_at: Timestamp,
    pub amount: f64,
}

impl Signal {
    pub fn new(sort: Sort, part: &Arc<str>, name: &str, at: Timestamp, known_at: Timestamp, amount: f64) -> Self {
        // Nothing can be known before it happens: a clock that says so is not believed.
        Self { sort, part: part.clone(), name: name.into(), at, known_at: known_at.max(at), amount }
    }
}

/// The day in which something lies that ends or happens at this instant; midnight belongs to the day before.
fn day_until(at: Timestamp) -> Day {
    at.plus_micros(-1).day()
}

/// What comes many times a day, one figure for each day of happening and day of knowing: at a midnight the sum says exactly what was
/// known, and in between at most what was.
#[derive(Debug, Default)]
pub struct Sums {
    hours: BTreeMap<(Sort, Day, Day), Signal>,
    readings: BTreeMap<(Arc<str>, Day, Day), Signal>,
}

impl Sums {
    pub fn add(&mut self, sort: Sort, at: Timestamp, known_at: Timestamp, hours: f64) {
        let known_at = known_at.max(at);
        let new = || Signal::new(sort, &"".into(), "", at, known_at, 0.0);
        let sum = self.hours.entry((sort, day_until(at), day_until(known_at))).or_insert_with(new);
        sum.amount += hours;
        (sum.at, sum.known_at) = (sum.at.max(at), sum.known_at.max(known_at));
    }

    /// Keeps the last reading of each day.
    pub fn reading(&mut self, part: &Arc<str>, counter: &Arc<str>, at: Timestamp, known_at: Timestamp, value: f64) {
        let signal = Signal::new(Sort::Reading, part, counter, at, known_at, value);
        let key = (counter.clone(), day_until(at), day_until(signal.known_at));
        let last = self.readings.entry(key).or_insert_with(|| signal.clone());
        if last.at <= at {
            *last = signal;
        }
    }

    pub fn signals(&self) -> impl Iterator<Item = &Signal> {
        self.hours.values().chain(self.readings.values())
    }

    /// The readings of one counter, in order of time.
    pub fn readings<'a>(&'a self, counter: &'a str) -> impl Iterator<Item = (Timestamp, f64)> + 'a {
        let of = self.readings.values().filter(move |signal| &*signal.name == counter);
        let mut readings: Vec<(Timestamp, f64)> = of.map(|signal| (signal.at, signal.amount)).collect();
        readings.sort_by_key(|(at, _)| *at);
        readings.into_iter()
    }
}
