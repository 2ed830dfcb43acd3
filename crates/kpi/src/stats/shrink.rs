//! Small sites drawn towards the fleet by as much as they are small: counts under a gamma distribution of the sites' true
//! ratios, hours under a normal one of their logarithms. Both have the fleet, whose ratio is 1, in their middle.

use super::gamma::{ln_gamma, normal_quantile, quantile};
use super::rate::CONFIDENCE;

/// Lower and upper limit of a ratio.
pub type Limits = (f64, f64);

/// Nothing can be said.
pub const NO_LIMITS: Limits = (0.0, f64::INFINITY);

/// A ratio drawn towards the fleet, with its limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shrunk {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Shrunk {
    /// The fleet is not known better than its own limits say, so nothing that is compared with it is either.
    fn beside(self, fleet: Limits) -> Self {
        let Self { value, low, high } = self;
        Self { value, low: low.min(value * fleet.0), high: high.max(value * fleet.1) }
    }

    /// Where sites cannot be told apart all are like the fleet, as well as that is known.
    const fn like(fleet: Limits) -> Self {
        Self { value: 1.0, low: fleet.0, high: fleet.1 }
    }
}

/// A site's count: posterior mean (a + O) ÷ (a + E) and gamma quantiles. Without a shape it is like the fleet.
pub fn count(observed: f64, expected: f64, shape: Option<f64>, fleet: Limits) -> Shrunk {
    let Some(a) = shape else { return Shrunk::like(fleet) };
    let tail = 0.5 * (1.0 - CONFIDENCE);
    let (over, under) = (a + observed, a + expected);
    let limits = (quantile(over, tail) / under, quantile(over, 1.0 - tail) / under);
    Shrunk { value: over / under, low: limits.0, high: limits.1 }.beside(fleet)
}

/// Shape of the gamma distribution (of mean 1) from which the sites' true ratios come: greatest likelihood of
/// negative binomial counts, searched over its logarithm. None: sites differ no more than chance lets them.
pub fn shape(counts: &[(f64, f64)]) -> Option<f64> {
    const LOG_LOW: f64 = -4.0;
    const LOG_HIGH: f64 = 12.0;
    let likelihood = |log: f64| {
        let a: f64 = log.exp();
        let one = |&(o, e): &(f64, f64)| {
            ln_gamma(a + o) - ln_gamma(a) + a * (a / (a + e)).ln() + if o > 0.0 { o * (e / (a + e)).ln() } else { 0.0 }
        };
        counts.iter().map(one).sum::<f64>()
    };
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut low, mut high) = (LOG_LOW, LOG_HIGH);
    while high - low > 1e-9 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if likelihood(left) < likelihood(right) { low = left } else { high = right }
    }
    let log = 0.5 * (low + high);
    (counts.len() > 1 && log < LOG_HIGH - 1e-3).then(|| log.exp())
}

/// The logarithm of a site's ratio, and the variance with which it is known; infinite where that cannot be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Log {
    pub value: f64,
    pub variance: f64,
}

/// A site's hours: the posterior of a normal logarithm, exponentiated. Without a spread it is like the fleet.
pub fn hours(site: Log, spread: Option<f64>, fleet: Limits) -> Shrunk {
    let Some(spread) = spread else { return Shrunk::like(fleet) };
    let variance = spread / (1.0 + spread / site.variance);
    let mean = site.value * spread / (spread + site.variance);
    let half = normal_quantile(0.5 + 0.5 * CONFIDENCE) * variance.sqrt();
    Shrunk { value: mean.exp(), low: (mean - half).exp(), high: (mean + half).exp() }.beside(fleet)
}

/// Variance of the sites' true logarithms, after Paule and Mandel: as much as makes Σ y² ÷ (v + spread) what chance
/// lets one expect, the number of sites less one, since the fleet is made of them. None: chance alone explains them.
pub fn spread(sites: &[Log]) -> Option<f64> {
    let known: Vec<Log> = sites.iter().filter(|one| one.variance.is_finite() && one.value != 0.0).copied().collect();
    let expected = sites.iter().filter(|one| one.variance.is_finite()).count().checked_sub(1)? as f64;
    let excess = |spread: f64| {
        let squares = known.iter().map(|one| one.value.powi(2) / (one.variance + spread));
        squares.sum::<f64>() - expected
    };
    if expected < 1.0 || excess(0.0) <= 0.0 {
        return None;
    }
    let (mut low, mut high) = (0.0, known.iter().map(|one| one.value.powi(2)).sum::<f64>() / expected);
    while high - low > 1e-13 * high {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if excess(middle) > 0.0 { low = middle } else { high = middle }
    }
    Some(0.5 * (low + high))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: Limits = (0.9, 1.1);

    fn near(found: f64, wanted: f64) -> bool {
        (found - wanted).abs() < 5e-7 * wanted.abs().max(1.0)
    }

    #[test]
    fn a_small_site_is_drawn_to_the_fleet_and_a_large_one_is_not() {
        let small = count(0.0, 0.5, Some(4.0), FLEET);
        assert!(near(small.value, 4.0 / 4.5) && small.low < small.value && small.value < small.high);
        assert!(count(0.0, 400.0, Some(4.0), FLEET).value < 0.01);
    }

    #[test]
    fn where_sites_do_not_differ_all_are_like_the_fleet_as_well_as_it_is_known() {
        let fleet = Shrunk { value: 1.0, low: 0.9, high: 1.1 };
        assert_eq!(count(9.0, 1.0, None, FLEET), fleet);
        assert_eq!(hours(Log { value: 2.0, variance: 0.1 }, None, FLEET), fleet);
        // Hardly any spread says the same as none: there is no jump between the two.
        let hardly = count(9.0, 1.0, Some(1e9), FLEET);
        assert!((hardly.value - 1.0).abs() < 1e-6 && (hardly.high - 1.1).abs() < 1e-6, "{hardly:?}");
    }

    #[test]
    fn hours_of_a_site_are_drawn_by_its_variance_against_the_spread() {
        // Half of the way: 2 becomes its root. 1.959964 standard deviations of √(0.5 · 0.25).
        let half = hours(Log { value: 2.0_f64.ln(), variance: 0.25 }, Some(0.25), (1.0, 1.0));
        let width = (1.959_963_985 * 0.125_f64.sqrt()).exp();
        assert!(near(half.value, 2.0_f64.sqrt()), "{half:?}");
        assert!(near(half.low, half.value / width) && near(half.high, half.value * width), "{half:?}");
        let unknown = hours(Log { value: 2.0, variance: f64::INFINITY }, Some(0.25), FLEET);
        assert!(near(unknown.value, 1.0), "a site of which nothing can be told is drawn all the way: {unknown:?}");
        assert!(near(unknown.high, (1.959_963_985_f64 * 0.5).exp()), "and may lie anywhere: {unknown:?}");
    }

    #[test]
    fn the_spread_is_what_chance_does_not_explain() {
        let of = |values: [f64; 3], variance| values.map(|value| Log { value, variance });
        // (0.25 + 0 + 0.25) ÷ (0.05 + t) = 2 gives t = 0.2.
        assert!(spread(&of([0.5, 0.0, -0.5], 0.05)).is_some_and(|found| near(found, 0.2)));
        assert_eq!(spread(&of([0.5, 0.0, -0.5], 0.3)), None);
        assert_eq!(spread(&of([0.5, 0.0, -0.5], 0.05)[..1]), None, "one site has none");
        let mut with_unknown = of([0.5, 0.0, -0.5], 0.05).to_vec();
        with_unknown.push(Log { value: 9.0, variance: f64::INFINITY });
        assert!(spread(&with_unknown).is_some_and(|found| near(found, 0.2)), "of some nothing can be told");
    }

    #[test]
    fn the_spread_of_counts_is_found_again() {
        // Sites whose true ratios have shape 4 (variance 1/4): counts at their expectation times the ratio.
        let ratios = [0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5, 1.8, 1.5];
        let counts: Vec<(f64, f64)> = ratios.iter().map(|ratio| (ratio * 1_000.0, 1_000.0)).collect();
        let found = shape(&counts).expect("they differ");
        assert!((3.0..8.0).contains(&found), "{found}");
        let alike: Vec<(f64, f64)> = (0..12).map(|_| (100.0, 100.0)).collect();
        assert_eq!(shape(&alike), None);
    }
}
