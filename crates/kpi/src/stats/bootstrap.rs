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

/// Limits of Σ over / Σ under, resampling whole devices. None where nothing lies under.
pub fn ratio_limits(devices: &[(f64, f64)], confidence: f64, seed: u64) -> Option<(f64, f64)> {
    let under: f64 = devices.iter().map(|(_, under)| under).sum();
    if devices.len() < 2 || under <= 0.0 {
        return None;
    }
    let mut chance = Chance::seeded(seed);
    let mut ratios: Vec<f64> = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let (mut over, mut under) = (0.0, 0.0);
        for _ in 0..devices.len() {
            let drawn = devices[chance.below(devices.len())];
            over += drawn.0;
            under += drawn.1;
        }
        if under > 0.0 {
            ratios.push(over / under);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let tail = 0.5 * (1.0 - confidence);
    let at = |share: f64| ratios.get(((ratios.len() - 1) as f64 * share).round() as usize).copied();
    at(tail).zip(at(1.0 - tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_the_same_for_the_same_seed_and_hold_the_ratio() {
        let devices: Vec<(f64, f64)> = (0..40).map(|nth| (f64::from(nth % 7), 100.0)).collect();
        let limits = ratio_limits(&devices, 0.95, 1).expect("there are devices");
        assert_eq!(ratio_limits(&devices, 0.95, 1), Some(limits));
        let ratio = devices.iter().map(|one| one.0).sum::<f64>() / 4_000.0;
        assert!(limits.0 < ratio && ratio < limits.1, "{limits:?} {ratio}");
        // Mean of a sample of 40 with standard deviation 1.97: ±0.61 percent of 100.
        assert!((limits.1 - limits.0 - 2.0 * 1.96 * 0.0197 / 40.0_f64.sqrt()).abs() < 0.002, "{limits:?}");
        assert_eq!(ratio_limits(&devices[..1], 0.95, 1), None, "one device says nothing about others");
    }
}
