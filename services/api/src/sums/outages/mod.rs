//! What makes a comparison of sites: every device's downs, the times it worked around them, its orders and its versions, with the
//! record behind each, so that failures are counted as they were known at any time. Pure.
//!
//! Of the times a device worked only those are kept that lie on a day of a down or the day before: they say in which condition
//! it failed, and what came next. Between such days the sums by day say whether it worked.

mod around;
mod failures;
pub mod read;
mod roll;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use medfleet_domain::time::{Day, MICROS_PER_DAY};
use medfleet_kpi::comparison::Interned;

use super::causes::CauseKey;
use super::entry::Entry;
use super::grouped::Grouped;
use super::heard::Heard;
use super::names::Names;
use failures::Begun;

/// What all of this may take. Beyond it comparisons are asked of the tables.
const OUTAGES_MAX_BYTES: usize = 512 << 20;

/// Why a device was not up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Unscheduled; told by a person or a record, or by the device itself.
    Failed { told: bool },
    /// Unscheduled: maintenance that took longer than planned. No failure.
    Overrun,
    /// A person's claim beyond the device's edge: open ones last up to the time of the cut.
    Claimed,
    /// Nobody knows, and a row says so.
    Unknown,
}

/// An interval of down, or a claim of it, with its weight.
#[derive(Debug, Clone, Copy)]
pub struct Down {
    pub from: i64,
    pub until: i64,
    pub cause: CauseKey,
    pub seat: u32,
    pub weight: i32,
    pub why: Why,
}

/// A time the device worked.
#[derive(Debug, Clone, Copy)]
pub struct Worked {
    pub from: i64,
    pub until: i64,
    pub cause: CauseKey,
    pub weight: i32,
    pub productive: bool,
}

/// What a phase means to a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Other,
    Returned,
    Closed,
    Cancelled,
}

/// A phase of a work order, with its weight.
#[derive(Debug, Clone)]
pub struct Phase {
    pub order: Arc<str>,
    pub seat: u32,
    pub corrective: bool,
    pub step: Step,
    pub at: i64,
    /// Epoch and seq of its fact.
    pub fact: (i64, i64),
    pub weight: i32,
    pub cause: CauseKey,
}

/// A version of a device, with its weight.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    pub from: i64,
    pub until: i64,
    pub cause: CauseKey,
    pub seat: u32,
    pub weight: i32,
    pub in_service: bool,
    pub make: Option<u32>,
    pub model: Option<u32>,
    /// Make and model together.
    pub make_model: u32,
    pub since: Option<Day>,
}

/// One device, wherever it is.
#[derive(Debug, Clone, Copy)]
struct Device<'a> {
    seats: &'a [u32],
    downs: &'a [Down],
    worked: &'a [Worked],
    phases: &'a [Phase],
    versions: &'a [Version],
}

#[derive(Debug, Default)]
pub struct Outages {
    /// By device.
    seats: Grouped<u32>,
    downs: Grouped<Down>,
    worked: Grouped<Worked>,
    phases: Grouped<Phase>,
    versions: Grouped<Version>,
    numbers: HashMap<Arc<str>, u32>,
    /// By seat: number of the device.
    of_seat: Vec<u32>,
    /// Which days of which devices have their working times kept.
    marks: Heard,
    /// Makes and models, and both together.
    words: Interned,
    make_models: Interned,
    /// Of the cut that is reached.
    begun: OnceLock<Begun>,
    bytes: usize,
    given_up: bool,
}

impl Outages {
    pub fn add_down(&mut self, names: &Names, down: Down) {
        let number = self.device_of(names, down.seat);
        if down.why != Why::Unknown {
            days_around(down.from).into_iter().for_each(|day| self.marks.set(day, number, true));
        }
        self.grow(size_of::<Down>(), |all| all.downs.add(number, down));
    }

    pub fn add_phase(&mut self, names: &Names, phase: Phase) {
        let number = self.device_of(names, phase.seat);
        self.grow(size_of::<Phase>(), |all| all.phases.add(number, phase));
    }

    pub fn add_version(&mut self, names: &Names, version: Version) {
        let number = self.device_of(names, version.seat);
        self.grow(size_of::<Version>(), |all| all.versions.add(number, version));
    }

    /// Keeps those that say that a device worked around a down.
    pub fn add_worked(&mut self, names: &Names, entries: &[Entry]) {
        for entry in entries {
            let number = self.device_of(names, entry.seat);
            if entry.what.is_up() && self.marks.holds(day_of(entry.from), number) {
                self.keep(number, entry);
            }
        }
    }

    /// Keeps what was told before of days that were not marked then.
    pub fn add_worked_earlier(&mut self, names: &Names, entries: &[Entry], fresh: &Fresh) {
        for entry in entries.iter().filter(|entry| entry.what.is_up()) {
            let device = &names.seats[entry.seat as usize].device;
            if fresh.0.contains(&(device.to_string(), day_of(entry.from))) {
                let number = self.device_of(names, entry.seat);
                self.keep(number, entry);
            }
        }
    }

    /// Puts what was added into its places. Sums may have changed as well: failures are worked out anew.
    pub fn arrange(&mut self) {
        self.begun = OnceLock::new();
        self.seats.arrange();
        self.downs.arrange();
        self.worked.arrange();
        self.phases.arrange();
        self.versions.arrange();
    }

    fn devices(&self) -> impl Iterator<Item = Device<'_>> {
        (0..self.numbers.len() as u32).map(|number| self.device(number))
    }

    fn device(&self, number: u32) -> Device<'_> {
        Device {
            seats: self.seats.of(number),
            downs: self.downs.of(number),
            worked: self.worked.of(number),
            phases: self.phases.of(number),
            versions: self.versions.of(number),
        }
    }

    fn keep(&mut self, number: u32, entry: &Entry) {
        let worked = Worked {
            from: entry.from,
            until: entry.until,
            cause: entry.cause,
            weight: entry.weight,
            productive: entry.what.is_productive(),
        };
        self.grow(size_of::<Worked>(), |all| all.worked.add(number, worked));
    }

    /// Of downs that begin at these instants: the days whose working times are not kept yet.
    pub fn fresh<'a>(&self, downs: impl Iterator<Item = (&'a str, i64)>) -> Fresh {
        let mut fresh = HashSet::new();
        for (device, from) in downs.filter(|_| !self.given_up) {
            let number = self.numbers.get(device);
            let is_new = |day: &i32| number.is_none_or(|number| !self.marks.holds(*day, *number));
            fresh.extend(days_around(from).into_iter().filter(is_new).map(|day| (device.to_owned(), day)));
        }
        Fresh(fresh)
    }

    pub fn word(&mut self, word: &str) -> u32 {
        self.words.number(word)
    }

    pub fn make_model(&mut self, make_model: &str) -> u32 {
        self.make_models.number(make_model)
    }

    /// The device that sits there. Devices are numbered as they are met.
    fn device_of(&mut self, names: &Names, seat: u32) -> u32 {
        while self.of_seat.len() <= seat as usize {
            let new = self.of_seat.len() as u32;
            let device = &names.seats[new as usize].device;
            let next = self.numbers.len() as u32;
            let number = *self.numbers.entry(Arc::clone(device)).or_insert(next);
            self.seats.add(number, new);
            self.of_seat.push(number);
        }
        self.of_seat[seat as usize]
    }

    fn grow(&mut self, bytes: usize, add: impl FnOnce(&mut Self)) {
        if self.given_up {
            return;
        }
        add(self);
        self.bytes += bytes;
        if self.bytes > OUTAGES_MAX_BYTES {
            tracing::warn!(
                max_bytes = OUTAGES_MAX_BYTES,
                "too many outages for memory, sites are compared by the tables"
            );
            *self = Self { given_up: true, ..Self::default() };
        }
    }
}

/// Days of devices, by name, whose working times are to be kept from now on.
#[derive(Debug, Default)]
pub struct Fresh(HashSet<(String, i32)>);

impl Fresh {
    pub fn days(&self) -> HashSet<i32> {
        self.0.iter().map(|(_, day)| *day).collect()
    }

    pub fn devices(&self) -> HashSet<&str> {
        self.0.iter().map(|(device, _)| device.as_str()).collect()
    }
}

/// The day of an instant and the one before: use is looked for within the day before a down.
const fn days_around(at: i64) -> [i32; 2] {
    [day_of(at) - 1, day_of(at)]
}

const fn day_of(at: i64) -> i32 {
    at.div_euclid(MICROS_PER_DAY) as i32
}
