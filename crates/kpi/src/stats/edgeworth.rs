//! The distribution of a ratio of sums of many devices drawn from a pool, out of the pool's moments: after Edgeworth, as in Hall,
//! The Bootstrap and Edgeworth Expansion (1992), 2.3. A ratio lies below t where the sum of `over − t · under` lies below 0.

/// Sums of products of powers up to the fourth: `over^a · under^b`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moments {
    count: f64,
    sums: [[f64; 5]; 5],
}

/// Sums of fewer devices are drawn.
const DEVICES_MIN: f64 = 30.0;
/// So skew may a sum be, and so uncertain a ratio beside its size, that four moments are enough.
const SKEWNESS_MAX: f64 = 0.25;
const DEVIATION_MAX: f64 = 0.25;
/// A quantile is known to this part of a deviation, after so many steps at the latest.
const CLOSE: f64 = 1e-12;
const STEPS_MAX: u32 = 60;
/// No limit that is asked for lies further out.
const DEVIATIONS_MAX: f64 = 6.0;

impl Moments {
    pub fn add(&mut self, over: f64, under: f64) {
        self.count += 1.0;
        let mut power = 1.0;
        // Most devices had nothing, and of these only the powers of what was expected are not 0.
        let powers = if over == 0.0 { 1 } else { 5 };
        for (a, sums) in self.sums.iter_mut().take(powers).enumerate() {
            let mut product = power;
            for sum in &mut sums[..5 - a] {
                *sum += product;
                product *= under;
            }
            power *= over;
        }
    }

    pub fn take_in(&mut self, other: &Self) {
        self.count += other.count;
        for (sums, others) in self.sums.iter_mut().zip(&other.sums) {
            sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
        }
    }

    fn mean(&self, a: usize, b: usize) -> f64 {
        self.sums[a][b] / self.count
    }

    /// Mean, variance, third and fourth central moment of `over − t · under`.
    fn of_difference(&self, t: f64) -> [f64; 4] {
        let m = |a, b| self.mean(a, b);
        let one = m(1, 0) - t * m(0, 1);
        let two = m(2, 0) - t * (2.0 * m(1, 1) - t * m(0, 2));
        let three = m(3, 0) - t * (3.0 * m(2, 1) - t * (3.0 * m(1, 2) - t * m(0, 3)));
        let four = m(4, 0) - t * (4.0 * m(3, 1) - t * (6.0 * m(2, 2) - t * (4.0 * m(1, 3) - t * m(0, 4))));
        let variance = two - one * one;
        let third = three - one * (3.0 * two - 2.0 * one * one);
        let fourth = four - one * (4.0 * three - one * (6.0 * two - 3.0 * one * one));
        [one, variance, third, fourth]
    }
}

/// The ratio of so many devices.
#[derive(Debug, Clone, Copy)]
pub struct Expansion {
    moments: Moments,
    devices: f64,
    added: f64,
    ratio: f64,
    /// Of the ratio, to the first order.
    deviation: f64,
}

impl Expansion {
    /// None where drawing tells more.
    pub fn of(moments: Moments, devices: f64, added: f64) -> Option<Self> {
        let (over, under) = (moments.mean(1, 0), moments.mean(0, 1));
        if devices < DEVICES_MIN || over <= 0.0 || under <= 0.0 {
            return None;
        }
        let ratio = over / under;
        let [_, variance, third, _] = moments.of_difference(ratio);
        let deviation = (variance / devices).sqrt() / under;
        let skewness = third / variance.powf(1.5) / devices.sqrt();
        let is_enough = variance > 0.0 && skewness.abs() <= SKEWNESS_MAX && deviation <= DEVIATION_MAX * ratio;
        is_enough.then_some(Self { moments, devices, added, ratio, deviation })
    }

    /// Chance that the ratio lies below t.
    fn below(&self, t: f64) -> f64 {
        let [mean, variance, third, fourth] = self.moments.of_difference(t);
        let x = -mean * (self.devices / variance).sqrt();
        let skew = third / variance.powf(1.5) / self.devices.sqrt();
        let excess = (fourth / (variance * variance) - 3.0) / self.devices;
        let square = x * x;
        let first = skew * (square - 1.0) / 6.0;
        let second = excess * x * (square - 3.0) / 24.0 + skew * skew * x * (square * (square - 10.0) + 15.0) / 72.0;
        normal(x) - (-0.5 * square).exp() / std::f64::consts::TAU.sqrt() * (first + second)
    }

    pub fn quantile(&self, share: f64) -> f64 {
        let reach = DEVIATIONS_MAX * self.deviation;
        let (low, high) = ((self.ratio - reach).max(0.0), self.ratio + reach);
        let side = if self.below(self.ratio) < share { (self.ratio, high) } else { (low, self.ratio) };
        self.between(side, share).unwrap_or_else(|| self.bisected((low, high), share))
    }

    /// By false position, where an end that stays is given half its weight (the Illinois rule). None where the ends do not lie
    /// on either side: far out the expansion may turn back.
    fn between(&self, (mut low, mut high): (f64, f64), share: f64) -> Option<f64> {
        let over = |t: f64| self.below(t) - share;
        let (mut at_low, mut at_high) = (over(low), over(high));
        if !(at_low < 0.0 && at_high >= 0.0) {
            return None;
        }
        let mut stayed = 0;
        for _ in 0..STEPS_MAX {
            let between = (low * at_high - high * at_low) / (at_high - at_low);
            let here = over(between);
            let moved = if here < 0.0 { between - low } else { high - between };
            if here == 0.0 || moved <= CLOSE * self.deviation {
                return Some(between);
            }
            if here < 0.0 {
                (low, at_low) = (between, here);
                at_high *= if stayed > 0 { 0.5 } else { 1.0 };
                stayed = 1;
            } else {
                (high, at_high) = (between, here);
                at_low *= if stayed < 0 { 0.5 } else { 1.0 };
                stayed = -1;
            }
        }
        Some(0.5 * (low + high))
    }

    fn bisected(&self, (mut low, mut high): (f64, f64), share: f64) -> f64 {
        for _ in 0..STEPS_MAX {
            let middle = 0.5 * (low + high);
            if self.below(middle) < share { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }

    /// Of the logarithm, to the first order, with what is added to both parts.
    pub fn log_variance(&self) -> f64 {
        let over = self.devices * self.moments.mean(1, 0) + self.added;
        let under = self.devices * self.moments.mean(0, 1) + self.added;
        let [_, variance, ..] = self.moments.of_difference(over / under);
        self.devices * variance / (over * over)
    }
}

/// Lower tail of the standard normal distribution.
fn normal(x: f64) -> f64 {
    let (lower, upper) = super::gamma::tails(0.5, 0.5 * x * x);
    if x < 0.0 { 0.5 * upper } else { 0.5 + 0.5 * lower }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expansion(of: impl Fn(u32) -> (f64, f64), devices: f64) -> Expansion {
        let mut moments = Moments::default();
        (0..600).map(of).for_each(|(over, under)| moments.add(over, under));
        Expansion::of(moments, devices, 0.0).expect("four moments are enough")
    }

    #[test]
    fn a_quantile_is_where_its_share_lies_below() {
        let of = |nth: u32| (f64::from(nth % 61), 20.0 + f64::from(nth % 13));
        for devices in [60.0, 900.0, 40_000.0] {
            let one = expansion(of, devices);
            for share in [0.001, 0.025, 0.3, 0.5, 0.975, 0.999] {
                let found = one.quantile(share);
                assert!((one.below(found) - share).abs() < 1e-9, "{devices} {share}: {found}");
                let reach = DEVIATIONS_MAX * one.deviation;
                let by_halves = one.bisected((one.ratio - reach, one.ratio + reach), share);
                assert!((found - by_halves).abs() < 1e-9 * one.ratio, "{devices} {share}: {found} {by_halves}");
            }
        }
    }

    #[test]
    fn an_end_that_lies_on_the_wrong_side_is_no_limit() {
        let one = expansion(|nth| (f64::from(nth % 61), 20.0 + f64::from(nth % 13)), 60.0);
        assert_eq!(one.between((one.ratio, 2.0 * one.ratio), 0.025), None);
        assert_eq!(one.between((f64::NAN, one.ratio), 0.025), None);
    }
}
