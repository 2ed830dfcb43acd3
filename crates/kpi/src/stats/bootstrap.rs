//! Limits by resampling, for sums of downtime: they are neither counts nor independent of the device they come from.

/// Resamples of every bootstrap.
pub const RESAMPLES: usize = 2_000;

/// A small generator (SplitMix64, after Steele, Lea and Flood): the same seed gives the same limits, everywhere.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `count`, which is small beside 2^64: the bias is not seen.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }
}

/// Ratios Σ over / Σ under of so many devices drawn from a pool, again and again, in ascending order. Where several
/// expectations are compared they share their draws: drawing is what costs.
#[derive(Debug)]
pub struct Resampled<const N: usize> {
    ratios: [Vec<f64>; N],
    logs: [Sums; N],
}

/// How many there were, their sum and that of their squares.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn variance(&self) -> Option<f64> {
        let variance = (self.squares - self.sum * self.sum / self.count) / (self.count - 1.0);
        variance.is_finite().then(|| variance.max(0.0))
    }
}

impl<const N: usize> Resampled<N> {
    /// None where there is nothing to draw from. So much is `added` to both parts before logarithms are taken: there may
    /// be nothing above.
    pub fn draw(pool: &[(f64, [f64; N])], devices: usize, added: f64, seed: u64) -> Option<Self> {
        if pool.len() < 2 || devices == 0 {
            return None;
        }
        let mut chance = Chance::seeded(seed);
        let mut ratios: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(RESAMPLES));
        let mut logs = [Sums::default(); N];
        for _ in 0..RESAMPLES {
            let (mut over, mut under) = (0.0, [0.0; N]);
            for _ in 0..devices {
                let drawn = &pool[chance.below(pool.len())];
                over += drawn.0;
                for (sum, one) in under.iter_mut().zip(&drawn.1) {
                    *sum += one;
                }
            }
            for ((ratios, logs), under) in ratios.iter_mut().zip(&mut logs).zip(under) {
                if under > 0.0 {
                    ratios.push(over / under);
                    logs.add(((over + added) / (under + added)).ln());
                }
            }
        }
        for ratios in &mut ratios {
            ratios.sort_by(f64::total_cmp);
        }
        Some(Self { ratios, logs })
    }

    /// Variance of the logarithm of the ratio. None where it has none.
    pub fn log_variance(&self, which: usize) -> Option<f64> {
        self.logs[which].variance()
    }

    /// Limits under one of the expectations. None where nothing was ever expected.
    pub fn limits(&self, which: usize, confidence: f64) -> Option<(f64, f64)> {
        let ratios = &self.ratios[which];
        let tail = 0.5 * (1.0 - confidence);
        let at = |share: f64| ratios.get((ratios.len().saturating_sub(1) as f64 * share).round() as usize).copied();
        at(tail).zip(at(1.0 - tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_the_same_for_the_same_seed_and_hold_the_ratio() {
        let devices: Vec<(f64, [f64; 1])> = (0..40).map(|nth| (f64::from(nth % 7), [100.0])).collect();
        let limits = |of: &[(f64, [f64; 1])]| Resampled::draw(of, of.len(), 0.0, 1)?.limits(0, 0.95);
        let found = limits(&devices);
        assert_eq!(limits(&devices), found);
        let limits_of_one = limits(&devices[..1]);
        let limits = found.expect("there are devices");
        let ratio = devices.iter().map(|one| one.0).sum::<f64>() / 4_000.0;
        assert!(limits.0 < ratio && ratio < limits.1, "{limits:?} {ratio}");
        // Mean of a sample of 40 with standard deviation 1.97: ±0.61 percent of 100.
        assert!((limits.1 - limits.0 - 2.0 * 1.96 * 0.0197 / 40.0_f64.sqrt()).abs() < 0.002, "{limits:?}");
        assert_eq!(limits_of_one, None, "one device says nothing about others");
    }

    #[test]
    fn expectations_that_share_their_draws_have_the_limits_they_have_alone() {
        let (mut alone, mut shared) = (Vec::new(), Vec::new());
        for nth in 0..40 {
            let (over, under) = (f64::from(nth % 7), 50.0 + f64::from(nth));
            alone.push((over, [under]));
            shared.push((over, [100.0, under]));
        }
        let alone = Resampled::draw(&alone, 40, 0.0, 3).and_then(|drawn| drawn.limits(0, 0.95));
        assert_eq!(Resampled::draw(&shared, 40, 0.0, 3).and_then(|drawn| drawn.limits(1, 0.95)), alone);
    }

    #[test]
    fn the_variance_of_a_logarithm_is_that_of_the_ratio_around_its_mean() {
        let devices: Vec<(f64, [f64; 1])> = (0..400).map(|nth| (f64::from(nth % 7), [3.0])).collect();
        let drawn = Resampled::draw(&devices, devices.len(), 0.0, 1).expect("there are devices");
        // Standard deviation 2 around a mean of 3, of 400.
        let wanted = (2.0_f64 / 3.0).powi(2) / 400.0;
        assert!(drawn.log_variance(0).is_some_and(|found| (found / wanted - 1.0).abs() < 0.1), "{wanted}");
        let idle: Vec<(f64, [f64; 1])> = (0..9).map(|_| (0.0, [3.0])).collect();
        let of = |added| Resampled::draw(&idle, 9, added, 1).and_then(|drawn| drawn.log_variance(0));
        assert_eq!(of(0.0), None, "nothing above has no logarithm");
        assert_eq!(of(0.5), Some(0.0));
    }
}
