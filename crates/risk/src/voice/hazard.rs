//! The second voice: how often parts of a sort fail, pooled, shrunk towards the pool, with wear where a counter shows it.
//!
//! For each sort of part a Weibull law on the part's own clock, fitted to lives that begin late (left truncation) and end
//! without failure (censoring); shape 1 unless the data insist. A make and model moves the sort's hazard by a factor with a gamma
//! prior of mean 1: (a + observed) ÷ (a + expected), and `a` is learned from how much makes and models differ (empirical Bayes).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::frame::{Group, PartSort};

/// With fewer failures a shape cannot be told from 1.
const SHAPE_MIN_FAILURES: usize = 10;
/// Twice the gain in log likelihood that one more parameter must bring (chi-square, 1 degree of freedom, 95 %).
const SHAPE_MIN_DEVIANCE: f64 = 3.841_458_820_694_124;
const SHAPE_RANGE: (f64, f64) = (0.2, 10.0);
const GOLDEN_STEPS: usize = 80;
/// Bounds of the prior's strength, in failures: never blindly the own figure, never only the pool.
const STRENGTH_RANGE: (f64, f64) = (1.0, 1_000.0);
/// A sort of which nothing has failed yet is believed to have failed half a time (Jeffreys).
const UNSEEN_FAILURES: f64 = 0.5;

/// One life of one part, or the piece of it that was watched, on the part's own clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartLife {
    /// Index into the frame's groups.
    pub group: u32,
    /// Age when the watch began.
    pub entered: f64,
    /// Age when it ended.
    pub left: f64,
    /// Whether it ended with a failure. Taken out on plan is not a failure.
    pub failed: bool,
}

/// A sort's law: cumulative hazard (age ÷ scale)^shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weibull {
    pub shape: f64,
    pub scale: f64,
    pub failures: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hazards {
    sorts: Vec<(PartSort, Weibull)>,
    factors: Vec<(Group, f64)>,
    /// Strength of the prior on factors, in failures.
    pub strength: f64,
}

impl Hazards {
    pub fn fit(groups: &[Group], lives: &[PartLife]) -> Self {
        let mut by_sort: BTreeMap<PartSort, BTreeMap<u32, Vec<PartLife>>> = BTreeMap::new();
        for life in lives.iter().filter(|life| life.left > life.entered) {
            let of_sort = by_sort.entry(groups[life.group as usize].sort()).or_default();
            of_sort.entry(life.group).or_default().push(*life);
        }
        let sorts: BTreeMap<PartSort, Weibull> =
            by_sort.iter().map(|(sort, lives)| (sort.clone(), Weibull::fit(lives))).collect();
        let mut seen: BTreeMap<Group, (f64, f64)> = BTreeMap::new();
        for life in by_sort.values().flat_map(BTreeMap::values).flatten() {
            let group = &groups[life.group as usize];
            let (observed, expected) = seen.entry(group.clone()).or_default();
            *observed += f64::from(u8::from(life.failed));
            *expected += sorts[&group.sort()].between(life.entered, life.left);
        }
        let strength = strength(seen.values());
        let factor = |(observed, expected): (f64, f64)| (strength + observed) / (strength + expected);
        Self {
            sorts: sorts.into_iter().collect(),
            factors: seen.into_iter().map(|(group, seen)| (group, factor(seen))).collect(),
            strength,
        }
    }

    pub fn law(&self, sort: &PartSort) -> Option<&Weibull> {
        let at = self.sorts.binary_search_by(|(known, _)| known.cmp(sort)).ok()?;
        Some(&self.sorts[at].1)
    }

    /// How a make and model differs from its sort; 1 where nothing is known.
    pub fn factor(&self, group: &Group) -> f64 {
        let at = self.factors.binary_search_by(|(known, _)| known.cmp(group));
        at.map_or(1.0, |at| self.factors[at].1)
    }

    /// What is known of one group; None of a sort never seen.
    pub fn known(&self, group: &Group) -> Option<Known> {
        Some(Known { law: *self.law(&group.sort())?, factor: self.factor(group) })
    }
}

/// The law of one group: its sort's, moved by the factor of its make and model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    pub law: Weibull,
    pub factor: f64,
}

impl Known {
    /// Chance of failing within `days`, for a part of this age that ages so fast.
    pub fn probability(&self, age: f64, pace_per_day: f64, days: f64) -> f64 {
        let ahead = pace_per_day * days;
        // Without an age there is no wear to reckon with: the mean hazard over a typical life.
        let hazard = if age.is_nan() { ahead / self.law.scale } else { self.law.between(age, age + ahead) };
        -(-self.factor * hazard).exp_m1()
    }
}

impl Weibull {
    /// The shape is that of makes and models taken apart: a good and a bad one together look as if parts grew younger.
    fn fit(by_model: &BTreeMap<u32, Vec<PartLife>>) -> Self {
        let all: Vec<PartLife> = by_model.values().flatten().copied().collect();
        let failures = all.iter().filter(|life| life.failed).count();
        let apart: Vec<Likelihood<'_>> = by_model.values().filter_map(|lives| Likelihood::of_failed(lives)).collect();
        let likelihood = |shape: f64| apart.iter().map(|one| one.at(shape)).sum::<f64>();
        let mut shape = 1.0;
        if failures >= SHAPE_MIN_FAILURES {
            let best = highest(&likelihood);
            if 2.0 * (likelihood(best) - likelihood(1.0)) > SHAPE_MIN_DEVIANCE {
                shape = best;
            }
        }
        Self { shape, scale: Likelihood::new(&all).scale(shape), failures }
    }

    /// Cumulative hazard between two ages.
    pub fn between(&self, from: f64, until: f64) -> f64 {
        (until / self.scale).powf(self.shape) - (from / self.scale).powf(self.shape)
    }
}

/// The likelihood of lives as a function of the shape alone: the best scale of a shape is known in closed form.
struct Likelihood<'a> {
    lives: &'a [PartLife],
    /// Ages are divided by this, so that high powers stay finite.
    unit: f64,
    failures: f64,
    log_ages: f64,
}

impl<'a> Likelihood<'a> {
    fn new(lives: &'a [PartLife]) -> Self {
        let unit = lives.iter().map(|life| life.left).fold(f64::MIN_POSITIVE, f64::max);
        let ended = || lives.iter().filter(|life| life.failed);
        let log_ages = ended().map(|life| (life.left / unit).ln()).sum();
        Self { lives, unit, failures: (ended().count() as f64).max(UNSEEN_FAILURES), log_ages }
    }

    fn exposure(&self, shape: f64) -> f64 {
        let power = |age: f64| (age / self.unit).powf(shape);
        self.lives.iter().map(|life| power(life.left) - power(life.entered)).sum()
    }

    fn scale(&self, shape: f64) -> f64 {
        self.unit * (self.exposure(shape) / self.failures).powf(1.0 / shape)
    }

    fn at(&self, shape: f64) -> f64 {
        let rate = self.failures / self.exposure(shape);
        self.failures * (shape.ln() + rate.ln()) + (shape - 1.0) * self.log_ages - self.failures
    }

    /// None where nothing failed: such lives say nothing of the shape.
    fn of_failed(lives: &'a [PartLife]) -> Option<Self> {
        lives.iter().any(|life| life.failed).then(|| Self::new(lives))
    }
}

/// The shape at which this is highest: golden section on its logarithm, for the profile has one summit.
fn highest(likelihood: &dyn Fn(f64) -> f64) -> f64 {
    let share = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (SHAPE_RANGE.0.ln(), SHAPE_RANGE.1.ln());
    for _ in 0..GOLDEN_STEPS {
        let (left, right) = (high - share * (high - low), low + share * (high - low));
        if likelihood(left.exp()) < likelihood(right.exp()) {
            low = left;
        } else {
            high = right;
        }
    }
    ((low + high) / 2.0).exp()
}

/// Moments of the gamma-Poisson mixture: the variance of a count exceeds its expectation E by E² ÷ strength.
fn strength<'a>(seen: impl Iterator<Item = &'a (f64, f64)> + Clone) -> f64 {
    let excess: f64 = seen.clone().map(|(observed, expected)| (observed - expected).powi(2) - expected).sum();
    let square: f64 = seen.map(|(_, expected)| expected.powi(2)).sum();
    if excess <= 0.0 {
        return STRENGTH_RANGE.1;
    }
    (square / excess).clamp(STRENGTH_RANGE.0, STRENGTH_RANGE.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::kind::DeviceKind;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn group(make_model: &str) -> Group {
        Group { kind: DeviceKind::Ct, make_model: make_model.into(), component: "tube".into() }
    }

    /// Lives of a Weibull law that enter at some age and are taken out at another.
    fn lives(count: usize, group: u32, shape: f64, scale: f64, chance: &mut StdRng) -> Vec<PartLife> {
        let mut told = Vec::new();
        while told.len() < count {
            let entered = chance.random_range(0.0..0.8 * scale);
            let died = scale * (-(1.0 - chance.random::<f64>()).ln()).powf(1.0 / shape);
            let taken = entered + chance.random_range(0.1..1.2) * scale;
            if died > entered {
                told.push(PartLife { group, entered, left: died.min(taken), failed: died <= taken });
            }
        }
        told
    }

    #[test]
    fn wear_is_found_in_truncated_and_censored_lives() {
        let told = lives(4_000, 0, 3.2, 1_150_000.0, &mut StdRng::seed_from_u64(1));
        let law = *Hazards::fit(&[group("a")], &told).law(&group("a").sort()).expect("fitted");
        assert!((law.shape / 3.2 - 1.0).abs() < 0.06 && (law.scale / 1_150_000.0 - 1.0).abs() < 0.03, "{law:?}");
    }

    #[test]
    fn a_memoryless_part_keeps_shape_one() {
        let told = lives(2_000, 0, 1.0, 300.0, &mut StdRng::seed_from_u64(2));
        let law = *Hazards::fit(&[group("a")], &told).law(&group("a").sort()).expect("fitted");
        assert_eq!(law.shape, 1.0);
        assert!((law.scale / 300.0 - 1.0).abs() < 0.08, "{law:?}");
    }

    #[test]
    fn a_bad_model_stands_out_and_a_rare_one_stays_with_the_pool() {
        let mut chance = StdRng::seed_from_u64(3);
        let groups = [group("good"), group("bad"), group("rare")];
        let mut told = lives(600, 0, 1.0, 400.0, &mut chance);
        told.extend(lives(600, 1, 1.0, 130.0, &mut chance));
        told.push(PartLife { group: 2, entered: 0.0, left: 5.0, failed: true });
        let hazards = Hazards::fit(&groups, &told);
        let factor = |name: &str| hazards.factor(&group(name));
        assert!(factor("good") < 0.8 && factor("bad") > 1.4, "{hazards:?}");
        assert!(factor("rare") < 2.0, "one failure in five days proves little: {}", factor("rare"));
        assert_eq!(factor("never seen"), 1.0);
    }

    #[test]
    fn a_sort_without_failures_has_a_small_hazard_and_no_infinite_life() {
        let told = [PartLife { group: 0, entered: 0.0, left: 1_000.0, failed: false }];
        let hazards = Hazards::fit(&[group("a")], &told);
        let week = hazards.known(&group("a")).expect("seen").probability(10.0, 1.0, 7.0);
        assert!((week - 0.5 * 7.0 / 1_000.0).abs() < 1e-4, "{week}");
    }
}
