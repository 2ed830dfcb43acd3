//! Parts that wear: an age on some clock, and the marks of a life drawn in advance - warnings, then the failure.

use std::collections::VecDeque;

use super::meters::yearly;
use crate::catalogue::{Component, DAY_AGE, Failure, Precursor};
use crate::chance::Chance;
use crate::plan::PlannedDevice;

/// Share of failures that announce themselves, where a precursor exists at all.
const ANNOUNCED_SHARE: f64 = 0.75;
/// Above 1, warnings grow denser towards the failure.
const DENSER_TOWARDS_END: f64 = 1.8;
/// A part found at the start has used up at most this share of its scale.
const OLDEST_SHARE: f64 = 0.85;
const DAYS_PER_YEAR: f64 = 365.25;

/// What a part's age is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Powered days.
    Days,
    /// Index into the kind's counters.
    Counter(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Warning,
    Failure,
}

#[derive(Debug, Clone)]
pub struct Part {
    pub clock: Clock,
    pub age: f64,
    marks: VecDeque<(f64, Mark)>,
}

impl Part {
    /// A part of a device in service: partly worn, and alive.
    pub fn aged(part: &Component, device: &PlannedDevice, chance: &mut Chance) -> Self {
        let counter = device.kind.counters.iter().position(|counter| counter.name == part.failure.on());
        let clock = counter.map_or(Clock::Days, Clock::Counter);
        assert!(counter.is_some() || part.failure.on() == DAY_AGE, "the catalogue was checked");
        let per_year = match clock {
            Clock::Days => DAYS_PER_YEAR,
            Clock::Counter(index) => yearly(&device.kind.counters[index], device),
        };
        let age = match part.failure {
            Failure::Weibull { scale, .. } => {
                (chance.between(0.0, OLDEST_SHARE) * scale).min(per_year * device.age_years)
            }
            Failure::Exponential { .. } => 0.0,
        };
        let mut aged = Self { clock, age, marks: VecDeque::new() };
        aged.draw_marks(part, chance);
        aged
    }

    /// A new part in its place.
    pub fn renew(&mut self, part: &Component, chance: &mut Chance) {
        self.age = 0.0;
        self.draw_marks(part, chance);
    }

    pub fn next_mark(&self) -> Option<f64> {
        self.marks.front().map(|(age, _)| *age)
    }

    pub fn take_mark(&mut self) -> Option<Mark> {
        self.marks.pop_front().map(|(_, mark)| mark)
    }

    fn draw_marks(&mut self, part: &Component, chance: &mut Chance) {
        let life = match part.failure {
            Failure::Weibull { shape, scale, .. } => chance.weibull_beyond(shape, scale, self.age),
            Failure::Exponential { mean, .. } => self.age + chance.exponential(mean),
        };
        let warnings = part.precursor.iter().flat_map(|precursor| warnings(precursor, life, chance));
        let mut ages: Vec<f64> = warnings.filter(|age| *age > self.age).collect();
        ages.sort_by(f64::total_cmp);
        self.marks = ages.into_iter().map(|age| (age, Mark::Warning)).collect();
        self.marks.push_back((life, Mark::Failure));
    }
}

fn warnings(precursor: &Precursor, life: f64, chance: &mut Chance) -> Vec<f64> {
    if !chance.happens(ANNOUNCED_SHARE) {
        return Vec::new();
    }
    let count = (precursor.warnings * chance.between(0.5, 1.5)).round() as usize;
    (0..count).map(|_| life - precursor.lead * chance.between(0.0, 1.0).powf(DENSER_TOWARDS_END)).collect()
}
