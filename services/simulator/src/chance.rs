//! Chance: seeded draws, one independent stream per subject, so that one device's luck never moves another's.

use medfleet_domain::id::Epoch;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;

/// z of the 90th percentile of the standard normal distribution.
const Z90: f64 = 1.281_551_565_544_6;

/// A log-normal quantity, told by the two figures people know: the median and the 90th percentile.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    pub median: f64,
    pub p90: f64,
}

impl Spread {
    fn sigma(self) -> f64 {
        (self.p90 / self.median).ln() / Z90
    }

    pub fn mean(self) -> f64 {
        self.median * (self.sigma().powi(2) / 2.0).exp()
    }

    pub fn is_sound(self) -> bool {
        self.median > 0.0 && self.p90 >= self.median && self.p90.is_finite()
    }
}

/// A stream of draws.
#[derive(Debug, Clone)]
pub struct Chance(StdRng);

impl Chance {
    /// The stream of `name` for `purpose`. Equal seeds and names give equal streams.
    pub fn of(seed: u64, purpose: &str, name: &str) -> Self {
        let mixed = Epoch::derived(&[&seed.to_le_bytes(), purpose.as_bytes(), name.as_bytes()]);
        Self(StdRng::seed_from_u64(mixed.0))
    }

    /// Uniform in `0 < u <= 1`, so that its logarithm is finite.
    fn unit(&mut self) -> f64 {
        1.0 - self.0.random::<f64>()
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn happens(&mut self, share: f64) -> bool {
        self.0.random::<f64>() < share
    }

    pub fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count.max(1))
    }

    /// Index drawn by weight; 0 when the weights are empty.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.0.random::<f64>() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len().saturating_sub(1)
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    /// A life of a Weibull law, given that it has lasted `age` already.
    pub fn weibull_beyond(&mut self, shape: f64, scale: f64, age: f64) -> f64 {
        let hazard = (age / scale).powf(shape) - self.unit().ln();
        scale * hazard.powf(1.0 / shape)
    }

    pub fn spread(&mut self, spread: Spread) -> f64 {
        let (u, v) = (self.unit(), self.unit());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        spread.median * (spread.sigma() * normal).exp()
    }

    pub fn number(&mut self) -> u64 {
        self.0.random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_their_laws() {
        let mut chance = Chance::of(7, "test", "laws");
        let count = 20_000;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let gaps: Vec<f64> = (0..count).map(|_| chance.exponential(40.0)).collect();
        assert!((mean(&gaps) - 40.0).abs() < 1.5, "mean of exponential is {}", mean(&gaps));
        // Gamma(1 + 1/2) = 0.886227 for shape 2.
        let lives: Vec<f64> = (0..count).map(|_| chance.weibull_beyond(2.0, 100.0, 0.0)).collect();
        assert!((mean(&lives) - 88.62).abs() < 1.5, "mean of weibull is {}", mean(&lives));
        let spread = Spread { median: 28.0, p90: 164.0 };
        let mut times: Vec<f64> = (0..count).map(|_| chance.spread(spread)).collect();
        times.sort_by(f64::total_cmp);
        assert!((times[count / 2] / 28.0 - 1.0).abs() < 0.06, "median {}", times[count / 2]);
        assert!((times[count * 9 / 10] / 164.0 - 1.0).abs() < 0.08, "p90 {}", times[count * 9 / 10]);
    }

    #[test]
    fn a_worn_part_never_dies_in_the_past() {
        let mut chance = Chance::of(7, "test", "worn");
        assert!((0..5_000).all(|_| chance.weibull_beyond(3.0, 100.0, 250.0) >= 250.0));
    }

    #[test]
    fn streams_are_repeatable_and_apart() {
        let first = |name| Chance::of(1, "use", name).number();
        assert_eq!(first("a"), first("a"));
        assert_ne!(first("a"), first("b"));
    }
}
