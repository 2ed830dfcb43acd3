//! The oracle: what can be said by one who knows every law of the simulated world, and the age of every part, but not its end.
//!
//! A life ends at L with the density of its law, given that it has lasted so far. Three lives in four that have a precursor announce
//! their end: warnings then come as a Poisson stream that thickens towards L, over the noise of the same family. Bayes' rule gives
//! the chance that L lies within the horizon. (The simulator draws the number of warnings evenly between half and one and a half of
//! its mean; three means stand for that.) Parts that warn in the same family are weighed against each other: of them at most one is
//! taken to be announcing its end at a time, and what was heard before one of them failed was its own. What a device reports as a part fails is no warning of another.

use std::sync::Arc;

use medfleet_domain::fact::Body;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_simulator::catalogue::{Component, Failure, Interrupt, Precursor};
use medfleet_simulator::plan::{Plan, PlannedDevice};
use medfleet_simulator::truth::{Life, Living};

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

/// How likely the ends of one part are that agree with what was heard, beside all of it being noise.
#[derive(Default)]
struct Weighed {
    /// Ends that announce themselves, and those of them within the horizon.
    announced: f64,
    announced_within: f64,
    /// Ends without a word, or too far away for one, and those of them within the horizon.
    quiet: f64,
    quiet_within: f64,
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
        let components = &device.kind.components;
        let weighed = components.iter().zip(&mut followed).zip(ages).map(|((component, part), age)| {
            part.pass(component, components, age, &life, until);
            part.weigh(component, noise_per_day(device, component, uses_per_day), horizon_days)
        });
        let weighed: Vec<Weighed> = weighed.collect();
        let odds = |of: &Weighed| if of.quiet > 0.0 { of.announced / of.quiet } else { 0.0 };
        let said = components.iter().zip(&weighed).enumerate().map(|(index, (component, own))| {
            let same = |other: usize| {
                other != index && family(component).is_some() && family(component) == family(&components[other])
            };
            let others: f64 =
                weighed.iter().enumerate().filter(|(other, _)| same(*other)).map(|(_, of)| odds(of)).sum();
            own.within(others)
        });
        by_day.push(said.collect());
    }
    Said { by_day }
}

/// What the family of a part's warnings reports whatever becomes of the part.
fn noise_per_day(device: &PlannedDevice, component: &Component, uses_per_day: f64) -> f64 {
    let per_day = |interrupt: &Interrupt| {
        interrupt.every_days.map_or(0.0, |days| 1.0 / days)
            + interrupt.every_uses.map_or(0.0, |uses| uses_per_day / uses)
    };
    let of = |precursor: &Precursor| {
        device.kind.interrupts.iter().filter(|one| one.family == precursor.family).map(per_day).sum()
    };
    component.precursor.as_ref().map_or(0.0, of)
}

/// The family in which a part warns.
fn family(component: &Component) -> Option<&str> {
    component.precursor.as_ref().map(|precursor| precursor.family.as_str())
}

impl Weighed {
    /// The chance of an end within the horizon, where other parts that warn alike announce theirs with these odds.
    fn within(&self, others: f64) -> f64 {
        let all = self.announced + self.quiet * (1.0 + others);
        if all > 0.0 {
            ((self.announced_within + self.quiet_within * (1.0 + others)) / all).clamp(0.0, 1.0)
        } else {
            1.0
        }
    }
}

impl Followed {
    fn pass(&mut self, component: &Component, components: &[Component], age: f64, life: &Life, until: Timestamp) {
        let grown = age - self.age;
        if grown < 0.0 {
            self.heard.clear();
        } else {
            // A week's memory smooths weekends.
            self.pace = if self.pace == 0.0 { grown } else { self.pace + (grown - self.pace) / 7.0 };
            let fails = |at: &Timestamp| life.failures.iter().any(|failure| failure.at == *at);
            for (at, body) in &life.reported {
                let meant =
                    |precursor: &Precursor| matches!(body, Body::Error(error) if error.family == precursor.family);
                if component.precursor.as_ref().is_some_and(meant) && !fails(at) {
                    let left = (until.micros() - at.micros()) as f64 / MICROS_PER_DAY as f64;
                    self.heard.push(age - grown * left.clamp(0.0, 1.0));
                }
            }
            let warns_alike =
                |name: &str| components.iter().any(|one| one.name == name && family(one) == family(component));
            if family(component).is_some() && life.failures.iter().any(|failure| warns_alike(&failure.component)) {
                self.heard.clear();
            }
        }
        self.age = age;
    }

    fn weigh(&self, component: &Component, noise_per_day: f64, days: f64) -> Weighed {
        let ahead = self.pace * days;
        if ahead <= 0.0 {
            return Weighed { quiet: 1.0, ..Weighed::default() };
        }
        let survival = |at: f64| match component.failure {
            Failure::Weibull { shape, scale, .. } => (-(at / scale).powf(shape)).exp(),
            Failure::Exponential { mean, .. } => (-at / mean).exp(),
        };
        let Some(precursor) = &component.precursor else {
            let end = survival(self.age + ahead);
            let quiet = survival(self.age).max(f64::MIN_POSITIVE);
            return Weighed { quiet, quiet_within: quiet - end, ..Weighed::default() };
        };
        let lead = precursor.lead;
        let noise = (noise_per_day / self.pace).max(NOISE_MIN_PER_LEAD / lead);
        let reach = lead.max(ahead);
        let edges = |step: usize| self.age + reach * (step as f64 / GRID as f64).powi(2);
        let mut weighed = Weighed { quiet: survival(edges(GRID)), ..Weighed::default() };
        for step in 0..GRID {
            let (from, until) = (edges(step), edges(step + 1));
            let prior = survival(from) - survival(until);
            let end = (from + until) / 2.0;
            let told: f64 =
                MEANS.iter().map(|of| self.told(end, of * precursor.warnings, lead, noise)).sum::<f64>() / 3.0;
            let (announced, quiet) = (prior * ANNOUNCED_SHARE * told, prior * (1.0 - ANNOUNCED_SHARE));
            let inside = ((self.age + ahead - from) / (until - from)).clamp(0.0, 1.0);
            weighed.announced += announced;
            weighed.announced_within += announced * inside;
            weighed.quiet += quiet;
            weighed.quiet_within += quiet * inside;
        }
        weighed
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
