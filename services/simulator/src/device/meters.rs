//! The counters of one device: how they grow, and what a reading shows.

use medfleet_domain::fact::{Body, Sample};

use super::parts::{Clock, Part};
use crate::catalogue::{Counter, Growth, HOURS_PER_DAY};
use crate::chance::Chance;
use crate::plan::PlannedDevice;

const HOURS_PER_YEAR: f64 = 8_766.0;
const MILLI: f64 = 1_000.0;
/// Errors of one family a year, for the age of counters that count them.
const ERRORS_PER_YEAR: f64 = 20.0;
/// Two devices of equal age differ in their counters by this much each way.
const AGE_SPREAD: f64 = 0.15;

#[derive(Debug, Clone)]
pub struct Meters {
    counters: Vec<Counter>,
    values: Vec<f64>,
    read_milli: Vec<Option<i64>>,
}

/// Growth of every counter and of the calendar.
#[derive(Debug, Clone)]
pub struct Grown {
    by_counter: Vec<f64>,
    days: f64,
}

impl Grown {
    pub fn of(&self, clock: Clock) -> f64 {
        match clock {
            Clock::Days => self.days,
            Clock::Counter(index) => self.by_counter[index],
        }
    }
}

/// What a counter gains in a year on this device.
pub fn yearly(counter: &Counter, device: &PlannedDevice) -> f64 {
    let in_use_h = HOURS_PER_YEAR * (device.kind.usage.weekly_share() * device.intensity).min(1.0);
    let times = match counter.per {
        Growth::ProductiveHour => in_use_h,
        Growth::CalendarHour => HOURS_PER_YEAR,
        Growth::Use => in_use_h / (device.kind.usage.duration_min.mean() / 60.0),
        Growth::Error => ERRORS_PER_YEAR,
    };
    counter.rate * times
}

impl Meters {
    /// Counters of the whole device as its years make likely; those of a part start with the part.
    pub fn aged(device: &PlannedDevice, chance: &mut Chance) -> Self {
        let counters = device.kind.counters.clone();
        let mut start = |counter: &Counter| {
            let years = if counter.component.is_some() { device.age_years.min(1.0) } else { device.age_years };
            yearly(counter, device) * years * chance.between(1.0 - AGE_SPREAD, 1.0 + AGE_SPREAD)
        };
        let values = counters.iter().map(&mut start).collect();
        Self { read_milli: vec![None; counters.len()], values, counters }
    }

    /// The counter that came with a worn part shows its age.
    pub fn show_age(&mut self, part: &Part, component: &str) {
        if let Clock::Counter(index) = part.clock
            && part.age > 0.0
            && self.counters[index].component.as_deref() == Some(component)
        {
            self.values[index] = part.age;
        }
    }

    /// Growth per hour at the present activity.
    pub fn pace(&self, productive: bool) -> Grown {
        let per_hour = |counter: &Counter| match counter.per {
            Growth::ProductiveHour if productive => counter.rate,
            Growth::CalendarHour => counter.rate,
            _ => 0.0,
        };
        Grown { by_counter: self.counters.iter().map(per_hour).collect(), days: 1.0 / HOURS_PER_DAY as f64 }
    }

    pub fn pass(&mut self, hours: f64, productive: bool) -> Grown {
        let mut grown = self.pace(productive);
        grown.days *= hours;
        for (value, growth) in self.values.iter_mut().zip(&mut grown.by_counter) {
            *growth *= hours;
            *value += *growth;
        }
        grown
    }

    pub fn count_use(&mut self) -> Grown {
        self.count(|counter| counter.per == Growth::Use)
    }

    pub fn count_error(&mut self, family: &str) -> Grown {
        self.count(|counter| counter.per == Growth::Error && counter.family.as_deref() == Some(family))
    }

    fn count(&mut self, counts: impl Fn(&Counter) -> bool) -> Grown {
        let step = |counter: &Counter| if counts(counter) { counter.rate } else { 0.0 };
        let by_counter: Vec<f64> = self.counters.iter().map(step).collect();
        for (value, growth) in self.values.iter_mut().zip(&by_counter) {
            *value += growth;
        }
        Grown { by_counter, days: 0.0 }
    }

    /// The counters of a replaced part start again.
    pub fn reset(&mut self, component: &str) {
        for (value, counter) in self.values.iter_mut().zip(&self.counters) {
            if counter.component.as_deref() == Some(component) {
                *value = 0.0;
            }
        }
    }

    /// Readings of the counters that have moved since the last reading.
    pub fn read(&mut self) -> Vec<Body> {
        let mut moved = Vec::new();
        for (index, counter) in self.counters.iter().enumerate() {
            let value_milli = shown_milli(self.values[index], counter.modulus);
            if self.read_milli[index].replace(value_milli) == Some(value_milli) {
                continue;
            }
            moved.push(Body::Usage(Sample {
                counter: counter.name.clone(),
                component: counter.component.clone().unwrap_or_default(),
                unit: counter.unit.clone(),
                value_milli,
                modulus_milli: counter.modulus.map(|modulus| modulus as i64 * MILLI as i64),
            }));
        }
        moved
    }
}

/// Counters show whole steps and wrap at their modulus.
fn shown_milli(value: f64, modulus: Option<u64>) -> i64 {
    let milli = (value * MILLI).floor() as i64;
    modulus.map_or(milli, |modulus| milli.rem_euclid(modulus as i64 * MILLI as i64))
}
