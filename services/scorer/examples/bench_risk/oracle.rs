//! The oracle: what can be said by one who knows every law of the simulated world, and the age of every part, but not its end.
//!
//! A life ends at L with the density of its law, given that it has lasted so far. Three lives in four that have a precursor announce
//! their end: warnings then come as a Poisson stream that thickens towards L, over the noise of the same family. Bayes' rule gives
//! the chance that L lies within the horizon. (The simulator draws the number of warnings evenly between half and one and a half of
//! its mean; three means stand for that.)

use std::sync::Arc;

use medfleet_domain::fact::Body;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_simulator::catalogue::{Component, Failure};
use medfleet_simulator::plan::{Plan, PlannedDevice};
use medfleet_simulator::truth::Living;

const ANNOUNCED_SHARE: f64 = 0.75;
const DENSER_TOWARDS_END: f64 = 1.8;
const MEANS: [f64; 3] = [0.6, 1.0, 1.4];
const GRID: usize = 120;
/// Without any source of noise a warning would be certain, and no number can say that.
const NOISE_MIN_PER_LEAD: f64 = 1e-3;

/// What the oracle says of one device: by day from the plan's start, the chance of each component.
pub struct Said {
    pub by_day: Vec<Vec<f64>>,
}

/// One component as the oracle follows it.
struct Followed {
    age: f64,
    pace: f64,
    /// Ages at which its precursor's family was heard in this life.
    heard: Vec<f64>,
}

pub fn listen(plan: &Plan, device: &Arc<PlannedDevice>, days: i64, horizon_days: f64) -> Said {
    let mut living = Living::new(plan, device);
    let mut followed: Vec<Followed> =
        living.part_ages().map(|age| Followed { age, pace: 0.0, heard: Vec::new() }).collect();
    let uses_per_day =
        24.0 * device.kind.usage.weekly_share() * device.intensity * 60.0 / device.kind.usage.duration_min.mean();
    let mut by_day = Vec::new();
    for day in 1..=days {
        let until = plan.start.plus_micros(day * MICROS_PER_DAY);
        let life = living.live_to(until);
        let ages: Vec<f64> = living.part_ages().collect();
        let said = device.kind.components.iter().zip(&mut followed).zip(ages).map(|((component, part), age)| {
            part.pass(component, age, &life.reported, until);
            let noise_per_day: f64 = component
                .precursor
                .iter()
                .map(|precursor| {
                    let of = device.kind.interrupts.iter().filter(|interrupt| interrupt.family == precursor.family);
                    of.map(|one| {
                        one.every_days.map_or(0.0, |days| 1.0 / days)
                            + one.every_uses.map_or(0.0, |uses| uses_per_day / uses)
                    })
                    .sum::<f64>()
                })
                .sum();
            part.chance(component, noise_per_day, horizon_days)
        });
        by_day.push(said.collect());
    }
    Said { by_day }
}

impl Followed {
    fn pass(&mut self, component: &Component, age: f64, reported: &[(Timestamp, Body)], until: Timestamp) {
        let grown = age - self.age;
        if grown < 0.0 {
            self.heard.clear();
        } else {
            // A week's memory smooths weekends.
            self.pace = if self.pace == 0.0 { grown } else { self.pace + (grown - self.pace) / 7.0 };
            for (at, body) in reported {
                let meant = |precursor: &medfleet_simulator::catalogue::Precursor| matches!(body, Body::Error(error) if error.family == precursor.family);
                if component.precursor.as_ref().is_some_and(meant) {
                    let left = (until.micros() - at.micros()) as f64 / MICROS_PER_DAY as f64;
                    self.heard.push(age - grown * left.clamp(0.0, 1.0));
                }
            }
        }
        self.age = age;
    }

    fn chance(&self, component: &Component, noise_per_day: f64, days: f64) -> f64 {
        let ahead = self.pace * days;
        if ahead <= 0.0 {
            return 0.0;
        }
        let survival = |at: f64| match component.failure {
            Failure::Weibull { shape, scale, .. } => (-(at / scale).powf(shape)).exp(),
            Failure::Exponential { mean, .. } => (-at / mean).exp(),
        };
        let Some(precursor) = &component.precursor else {
            return 1.0 - survival(self.age + ahead) / survival(self.age).max(f64::MIN_POSITIVE);
        };
        let lead = precursor.lead;
        let noise = (noise_per_day / self.pace).max(NOISE_MIN_PER_LEAD / lead);
        let (mut within, mut all) = (0.0, 0.0);
        let reach = lead.max(ahead);
        let edges = |step: usize| self.age + reach * (step as f64 / GRID as f64).powi(2);
        for step in 0..GRID {
            let (from, until) = (edges(step), edges(step + 1));
            let prior = survival(from) - survival(until);
            let end = (from + until) / 2.0;
            let told: f64 =
                MEANS.iter().map(|of| self.told(end, of * precursor.warnings, lead, noise)).sum::<f64>() / 3.0;
            let mass = prior * (1.0 - ANNOUNCED_SHARE + ANNOUNCED_SHARE * told);
            all += mass;
            let inside = ((self.age + ahead - from) / (until - from)).clamp(0.0, 1.0);
            within += mass * inside;
        }
        all += survival(edges(GRID));
        if all > 0.0 { (within / all).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// How much likelier what was heard is if an announced life ends there than if all of it is noise.
    fn told(&self, end: f64, mean: f64, lead: f64, noise: f64) -> f64 {
        let passed = 1.0 - ((end - self.age) / lead).min(1.0).powf(1.0 / DENSER_TOWARDS_END);
        let density = |before: f64| {
            let share = before / lead;
            if share > 0.0 && share < 1.0 {
                share.powf(1.0 / DENSER_TOWARDS_END - 1.0) / (DENSER_TOWARDS_END * lead)
            } else {
                0.0
            }
        };
        let heard: f64 = self.heard.iter().map(|at| (mean * density(end - at) / noise).ln_1p()).sum();
        (heard - mean * passed).min(600.0).exp()
    }
}
