//! Limits by resampling, for sums of downtime: they are neither counts nor independent of the device they come from.

use std::collections::{BTreeMap, BTreeSet};

use super::edgeworth::{Expansion, Moments};
use super::gamma::ln_gamma;

/// Resamples of every bootstrap.
pub const RESAMPLES: usize = 2_000;
/// Of so many devices that had nothing, what was expected of those drawn is as good as normal.
const IDLE_MIN: usize = 100;
/// Fewer than one in so many had anything.
const SPARSE: usize = 2;

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

    /// From 0 (included) to 1 (excluded).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal, after Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = ((-2.0 * (1.0 - self.unit()).ln()).sqrt(), std::f64::consts::TAU * self.unit());
        radius * angle.cos()
    }
}

/// Devices to draw from: what each had, and what was expected of it under each of `N` adjustments.
#[derive(Debug)]
pub struct Pool<const N: usize> {
    all: Vec<(f64, [f64; N])>,
    /// Those that had anything.
    some: Vec<(f64, [f64; N])>,
    /// What was expected of those that had nothing.
    idle: [Mean; N],
    moments: [Moments; N],
}

/// Ratios Σ over / Σ under of so many devices drawn from a pool, again and again. Where several expectations are compared
/// they share their draws: drawing is what costs.
#[derive(Debug)]
pub struct Resampled<const N: usize>([Distribution; N]);

#[derive(Debug)]
enum Distribution {
    /// Drawn, in ascending order, with the variance of the logarithm.
    Drawn(Vec<f64>, Option<f64>),
    /// Of many devices: what drawing for ever would give.
    Expanded(Expansion),
}

/// How many there were, their sum and that of their squares.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn take_in(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    fn variance(&self) -> Option<f64> {
        let variance = (self.squares - self.sum * self.sum / self.count) / (self.count - 1.0);
        variance.is_finite().then(|| variance.max(0.0))
    }
}

impl<const N: usize> Pool<N> {
    pub fn of(all: Vec<(f64, [f64; N])>) -> Self {
        let some: Vec<_> = all.iter().copied().filter(|one| one.0 != 0.0).collect();
        let (mut idle, mut moments) = ([Mean::default(); N], [Moments::default(); N]);
        for (over, under) in &all {
            for ((moments, idle), under) in moments.iter_mut().zip(&mut idle).zip(under) {
                moments.add(*over, *under);
                if *over == 0.0 {
                    idle.add(*under);
                }
            }
        }
        Self { all, some, idle, moments }
    }

    /// How many devices there are.
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// All devices of some pools.
    pub fn union(pools: &[Self]) -> Self {
        let (mut idle, mut moments) = ([Mean::default(); N], [Moments::default(); N]);
        for pool in pools {
            idle.iter_mut().zip(&pool.idle).for_each(|(sum, one)| sum.take_in(one));
            moments.iter_mut().zip(&pool.moments).for_each(|(sum, one)| sum.take_in(one));
        }
        let all = pools.iter().flat_map(|pool| &pool.all).copied().collect();
        let some = pools.iter().flat_map(|pool| &pool.some).copied().collect();
        Self { all, some, idle, moments }
    }

    /// None where there is nothing to draw from. So much is `added` to both parts before logarithms are taken: there may
    /// be nothing above.
    pub fn draw(&self, devices: usize, added: f64, seed: u64) -> Option<Resampled<N>> {
        self.draw_each(&BTreeSet::from([devices]), added, seed).remove(&devices)
    }

    /// The same for many numbers of devices. A larger number goes on where a smaller one ended: each by itself is drawn as if it
    /// were alone, and all cost little more than the largest.
    pub fn draw_each(&self, devices: &BTreeSet<usize>, added: f64, seed: u64) -> BTreeMap<usize, Resampled<N>> {
        if self.all.len() < 2 {
            return BTreeMap::new();
        }
        let is_sparse = self.all.len() - self.some.len() >= IDLE_MIN && self.some.len() * SPARSE < self.all.len();
        let idle = is_sparse.then(|| self.idle.each_ref().map(Normal::of));
        let share = self.some.len() as f64 / self.all.len() as f64;
        let mut chance = Chance::seeded(seed);
        let (mut drawn, mut before) = (vec![Sums::none(); RESAMPLES], 0);
        let mut each = BTreeMap::new();
        for devices in devices.iter().copied().filter(|devices| *devices > 0) {
            let expanded = self.moments.each_ref().map(|moments| Expansion::of(*moments, devices as f64, added));
            if expanded.iter().all(Option::is_some) {
                let known =
                    expanded.map(|one| one.map_or(Distribution::Drawn(Vec::new(), None), Distribution::Expanded));
                each.insert(devices, Resampled(known));
                continue;
            }
            let more = devices - before;
            match &idle {
                Some(idle) => {
                    let counts = Binomial::of(more, share);
                    drawn.iter_mut().for_each(|sums| self.sparse(&mut chance, more, &counts, idle, sums));
                }
                None => drawn.iter_mut().for_each(|sums| take(&self.all, more, &mut chance, sums)),
            }
            before = devices;
            each.insert(devices, Resampled(std::array::from_fn(|which| Distribution::of(&drawn, which, added))));
        }
        each
    }

    /// Draws only those that had anything. Of the many others, which all had nothing, it is enough to know how many there
    /// are: what was expected of them is as good as normal.
    fn sparse(&self, chance: &mut Chance, devices: usize, counts: &Binomial, idle: &[Normal; N], sums: &mut Sums<N>) {
        let some = counts.draw(chance);
        take(&self.some, some, chance, sums);
        let rest = (devices - some) as f64;
        let strayed = chance.normal() * rest.sqrt();
        for (sum, idle) in sums.idle.iter_mut().zip(idle) {
            *sum += idle.mean * rest + idle.deviation * strayed;
        }
    }
}

/// One resample as far as it is drawn.
#[derive(Debug, Clone, Copy)]
struct Sums<const N: usize> {
    over: f64,
    /// Expected of the devices that were drawn one by one.
    under: [f64; N],
    /// And of those that are only known by their number: a few may have strayed below 0, many have not.
    idle: [f64; N],
}

impl<const N: usize> Sums<N> {
    const fn none() -> Self {
        Self { over: 0.0, under: [0.0; N], idle: [0.0; N] }
    }

    const fn under(&self, which: usize) -> f64 {
        self.under[which] + self.idle[which].max(0.0)
    }
}

/// Mean and deviation of one of many.
#[derive(Debug, Clone, Copy)]
struct Normal {
    mean: f64,
    deviation: f64,
}

impl Normal {
    fn of(all: &Mean) -> Self {
        Self { mean: all.sum / all.count, deviation: all.variance().unwrap_or(0.0).sqrt() }
    }
}

impl Distribution {
    fn of<const N: usize>(drawn: &[Sums<N>], which: usize, added: f64) -> Self {
        let (mut ratios, mut logs) = (Vec::with_capacity(drawn.len()), Mean::default());
        for (over, under) in drawn.iter().map(|one| (one.over, one.under(which))).filter(|(_, under)| *under > 0.0) {
            ratios.push(over / under);
            logs.add(((over + added) / (under + added)).ln());
        }
        ratios.sort_unstable_by(f64::total_cmp);
        Self::Drawn(ratios, logs.variance())
    }
}

/// Adds so many of a pool, drawn with replacement.
fn take<const N: usize>(pool: &[(f64, [f64; N])], count: usize, chance: &mut Chance, sums: &mut Sums<N>) {
    for _ in 0..count {
        let drawn = &pool[chance.below(pool.len())];
        sums.over += drawn.0;
        sums.under.iter_mut().zip(&drawn.1).for_each(|(sum, one)| *sum += one);
    }
}

/// How many of so many are drawn that have a share, by their cumulated chances.
#[derive(Debug)]
struct Binomial(Vec<f64>);

impl Binomial {
    fn of(count: usize, share: f64) -> Self {
        let count_f = count as f64;
        let ln = |k: f64| {
            ln_gamma(count_f + 1.0) - ln_gamma(k + 1.0) - ln_gamma(count_f - k + 1.0)
                + if k > 0.0 { k * share.ln() } else { 0.0 }
                + if k < count_f { (count_f - k) * (-share).ln_1p() } else { 0.0 }
        };
        let below = |sum: &mut f64, k: usize| {
            *sum += ln(k as f64).exp();
            Some(*sum)
        };
        Self((0..=count).scan(0.0, below).collect())
    }

    fn draw(&self, chance: &mut Chance) -> usize {
        let at = chance.unit();
        self.0.partition_point(|below| *below <= at).min(self.0.len() - 1)
    }
}

impl<const N: usize> Resampled<N> {
    /// Variance of the logarithm of the ratio. None where it has none.
    pub fn log_variance(&self, which: usize) -> Option<f64> {
        match &self.0[which] {
            Distribution::Drawn(_, variance) => *variance,
            Distribution::Expanded(of) => Some(of.log_variance()),
        }
    }

    /// Limits under one of the expectations. None where nothing was ever expected.
    pub fn limits(&self, which: usize, confidence: f64) -> Option<(f64, f64)> {
        let tail = 0.5 * (1.0 - confidence);
        match &self.0[which] {
            Distribution::Drawn(ratios, _) => {
                let place = |share: f64| (ratios.len().saturating_sub(1) as f64 * share).round() as usize;
                let at = |share: f64| ratios.get(place(share)).copied();
                at(tail).zip(at(1.0 - tail))
            }
            Distribution::Expanded(of) => Some((of.quantile(tail), of.quantile(1.0 - tail))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_the_same_for_the_same_seed_and_hold_the_ratio() {
        let devices: Vec<(f64, [f64; 1])> = (0..40).map(|nth| (f64::from(nth % 7), [100.0])).collect();
        let limits = |of: &[(f64, [f64; 1])]| Pool::of(of.to_vec()).draw(of.len(), 0.0, 1)?.limits(0, 0.95);
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
        let alone = Pool::of(alone).draw(40, 0.0, 3).and_then(|drawn| drawn.limits(0, 0.95));
        assert_eq!(Pool::of(shared).draw(40, 0.0, 3).and_then(|drawn| drawn.limits(1, 0.95)), alone);
    }

    #[test]
    fn the_variance_of_a_logarithm_is_that_of_the_ratio_around_its_mean() {
        let devices: Vec<(f64, [f64; 1])> = (0..400).map(|nth| (f64::from(nth % 7), [3.0])).collect();
        let drawn = Pool::of(devices).draw(400, 0.0, 1).expect("there are devices");
        // Standard deviation 2 around a mean of 3, of 400.
        let wanted = (2.0_f64 / 3.0).powi(2) / 400.0;
        assert!(drawn.log_variance(0).is_some_and(|found| (found / wanted - 1.0).abs() < 0.1), "{wanted}");
        let idle: Vec<(f64, [f64; 1])> = (0..9).map(|_| (0.0, [3.0])).collect();
        let of = |added| Pool::of(idle.clone()).draw(9, added, 1).and_then(|drawn| drawn.log_variance(0));
        assert_eq!(of(0.0), None, "nothing above has no logarithm");
        assert_eq!(of(0.5), Some(0.0));
    }

    /// Limits and variance of the logarithm out of 40,000 plain draws.
    fn drawn_plainly(devices: &[(f64, [f64; 1])]) -> (f64, [f64; 4]) {
        let (mut chance, mut ratios, mut logs) = (Chance::seeded(9), Vec::new(), Mean::default());
        for _ in 0..40_000 {
            let mut sums = Sums::none();
            take(devices, devices.len(), &mut chance, &mut sums);
            let (over, under) = (sums.over, sums.under(0));
            ratios.push(over / under);
            logs.add(((over + 5.0) / (under + 5.0)).ln());
        }
        ratios.sort_by(f64::total_cmp);
        let at = |share: f64| ratios[(39_999.0 * share) as usize];
        (logs.variance().unwrap(), [at(0.025), at(0.975), at(0.001), at(0.999)])
    }

    fn as_drawn_plainly(devices: &[(f64, [f64; 1])], expanded: bool) {
        let found = Pool::of(devices.to_vec()).draw(devices.len(), 5.0, 1).unwrap();
        assert_eq!(matches!(found.0[0], Distribution::Expanded(_)), expanded);
        let (variance, wanted) = drawn_plainly(devices);
        assert!((found.log_variance(0).unwrap() / variance - 1.0).abs() < 0.1, "{variance}");
        let ((low, high), (lowest, highest)) = (found.limits(0, 0.95).unwrap(), found.limits(0, 0.998).unwrap());
        let width = wanted[1] - wanted[0];
        // One in a thousand of 2,000 draws is two.
        let far = if expanded { 0.1 } else { 0.2 };
        for (found, wanted, most) in
            [(low, wanted[0], 0.04), (high, wanted[1], 0.04), (lowest, wanted[2], far), (highest, wanted[3], far)]
        {
            assert!((found - wanted).abs() < most * width, "{found} {wanted} of {width}");
        }
    }

    #[test]
    fn few_that_had_anything_are_drawn_among_many_that_had_nothing() {
        let device =
            |nth: u32| (if nth % 60 == 0 { f64::from(nth % 47) + 3.0 } else { 0.0 }, [0.4 + f64::from(nth % 9) / 10.0]);
        as_drawn_plainly(&(0..900).map(device).collect::<Vec<_>>(), false);
    }

    #[test]
    fn each_of_many_numbers_of_devices_is_drawn_as_if_it_were_alone() {
        let device = |nth: u32| (if nth % 60 == 0 { f64::from(nth % 47) + 3.0 } else { 0.0 }, [0.8]);
        let dense = |nth: u32| (f64::from(nth % 7).powi(6), [100.0]);
        // Of one more idle device what is expected strays below 0 more often than not; of many never.
        let uneven = |nth: u32| (device(nth).0, [if nth % 9 == 0 { 9.0 } else { 0.1 }]);
        let fleets =
            [(0..900).map(device).collect::<Vec<_>>(), (0..900).map(uneven).collect(), (0..60).map(dense).collect()];
        for fleet in fleets {
            let pool = Pool::of(fleet.clone());
            let each = pool.draw_each(&(150..=250).chain([0, 20, 900]).collect(), 5.0, 1);
            assert_eq!(each.len(), 103, "of none nothing is drawn");
            for (devices, drawn) in [20, 150, 250, 900].map(|devices| (devices, &each[&devices])) {
                let (alone, width) = (pool.draw(devices, 5.0, 2).unwrap(), |(low, high): (f64, f64)| high - low);
                let (together, alone) = (drawn.limits(0, 0.95).unwrap(), alone.limits(0, 0.95).unwrap());
                assert!((together.0 - alone.0).abs() < 0.12 * width(alone), "{devices}: {together:?} {alone:?}");
                assert!((together.1 - alone.1).abs() < 0.12 * width(alone), "{devices}: {together:?} {alone:?}");
            }
        }
        assert!(Pool::of(vec![(1.0, [1.0])]).draw_each(&BTreeSet::from([1]), 0.0, 1).is_empty());
    }

    #[test]
    fn of_many_devices_the_limits_are_those_of_drawing_for_ever() {
        let device = |nth: u32| {
            let hours = if nth % 3 == 0 { f64::from(nth % 61) + 1.0 } else { 0.0 };
            (hours, [5.0 + f64::from(nth % 13) + if hours > 0.0 { 4.0 } else { 0.0 }])
        };
        as_drawn_plainly(&(0..1_200).map(device).collect::<Vec<_>>(), true);
    }
}
