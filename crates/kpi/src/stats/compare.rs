//! Sites compared fairly: observed against expected, with limits that allow for devices that fail again and again.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::bootstrap::{Pool, Resampled};
use super::cohort::{Case, Cohort};
use super::gamma::{normal_quantile, quantile};
use super::rate::{CONFIDENCE, overdispersed_limits};
use super::shrink::{self, Limits, Log, NO_LIMITS, Shrunk};

/// What the expectation takes into account. Figures without age, and without anything, stand beside the adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    Nothing,
    Kind,
    KindModel,
    KindModelAge,
}

pub const ADJUSTMENTS: usize = 4;

impl Adjustment {
    pub const ALL: [Adjustment; ADJUSTMENTS] = [Self::Nothing, Self::Kind, Self::KindModel, Self::KindModelAge];

    pub(super) const fn place(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Kind => 1,
            Self::KindModel => 2,
            Self::KindModelAge => 3,
        }
    }
}

/// A site against what the fleet would have had with its devices. A ratio compares with the fleet, not with another site.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SiteRatio {
    pub site: String,
    pub devices: u64,
    pub service_years: f64,
    pub observed: f64,
    pub expected: f64,
    pub ratio: f64,
    /// Interval of the ratio.
    pub low: f64,
    pub high: f64,
    /// Where the ratio of a site of this size would lie if it were like the fleet: 95 % and 99.8 %.
    pub funnel: [(f64, f64); 2],
    /// Drawn towards the fleet by as much as the site is small, with its interval.
    pub shrunk: f64,
    pub shrunk_low: f64,
    pub shrunk_high: f64,
}

/// All sites under one adjustment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub adjustment: Adjustment,
    /// Variance over mean, clustered by device; 1 where failures do not repeat.
    pub dispersion: f64,
    /// Shape of the distribution of true ratios over sites, of hours 1 ÷ variance of their logarithms; none where sites do
    /// not differ beyond chance.
    pub shape: Option<f64>,
    pub sites: Vec<SiteRatio>,
}

const FUNNEL_CONFIDENCES: [f64; 2] = [0.95, 0.998];

/// Observed and expected failures of every site, by indirect standardisation.
pub fn failures(fleet: &Cohort, adjustment: Adjustment) -> Comparison {
    let expected = fleet.expected(adjustment, |one| one.failures);
    let sites = by_site(fleet, &expected, |one| one.failures);
    let dispersion = dispersion(&sites);
    let counts: Vec<(f64, f64)> =
        sites.iter().map(|(_, site)| (site.over / dispersion, site.under / dispersion)).collect();
    let shape = shrink::shape(&counts);
    let limits = |over: f64, under: f64| {
        let (low, high) = overdispersed_limits(over, dispersion, CONFIDENCE);
        (low / under, high / under)
    };
    let whole = sites.iter().fold((0.0, 0.0), |sum, (_, site)| (sum.0 + site.over, sum.1 + site.under));
    let fleet = limits(whole.0, whole.1);
    let rows = sites.iter().map(|(name, site)| {
        let shrunk = shrink::count(site.over / dispersion, site.under / dispersion, shape, fleet);
        row(name, site, limits(site.over, site.under), shrunk, |confidence| funnel(site.under, dispersion, confidence))
    });
    Comparison { adjustment, dispersion, shape, sites: rows.collect() }
}

/// Observed and expected hours down of every site, under every adjustment. Hours are no counts: limits are resampled
/// over devices, seeded, and all adjustments share the draws.
pub fn downtime(fleet: &Cohort, seed: u64) -> [Comparison; ADJUSTMENTS] {
    let all = Adjustment::ALL.map(|adjustment| fleet.expected(adjustment, |one| one.down_hours));
    let added = half_a_device(fleet);
    let pools = pools(fleet, &all);
    let everybody = Pool::union(&pools);
    let like_the_fleet = everybody.draw_each(&pools.iter().map(Pool::len).collect(), added, !seed);
    let draws = |own: &Pool<ADJUSTMENTS>| Draws {
        own: own.draw(own.len(), added, seed),
        like_the_fleet: like_the_fleet.get(&own.len()),
    };
    let drawn: HashMap<&str, Draws<'_>> =
        fleet.sites().iter().zip(&pools).map(|(name, own)| (&**name, draws(own))).collect();
    std::array::from_fn(|which| {
        let (adjustment, expected) = (Adjustment::ALL[which], &all[which]);
        let sites = by_site(fleet, expected, |one| one.down_hours);
        let own = |name: &Arc<str>, site: &SiteSums| Log {
            value: ((site.over + added) / (site.under + added)).ln(),
            variance: drawn[&**name].log_variance(which),
        };
        let logs: Vec<Log> = sites.iter().map(|(name, site)| own(name, site)).collect();
        let (spread, limits) = (shrink::spread(&logs), fleet_limits(fleet, expected, adjustment));
        let rows = sites.iter().zip(logs).map(|((name, site), log)| {
            let of = &drawn[&***name];
            let resampled = |of: Option<&Drawn>, at| of.and_then(|of| of.limits(which, at)).unwrap_or(NO_LIMITS);
            let shrunk = shrink::hours(log, spread, limits);
            row(name, site, resampled(of.own.as_ref(), CONFIDENCE), shrunk, |confidence| {
                resampled(of.like_the_fleet, confidence)
            })
        });
        Comparison { adjustment, dispersion: 1.0, shape: spread.map(f64::recip), sites: rows.collect() }
    })
}

/// Hours that are added to both parts of a ratio before its logarithm is taken, so that a site without any downtime has
/// one: what half a device of the fleet had.
fn half_a_device(fleet: &Cohort) -> f64 {
    0.5 * fleet.cases().iter().map(|one| one.down_hours).sum::<f64>() / fleet.cases().len().max(1) as f64
}

/// Limits of the fleet's own ratio, which is 1: hours of devices around those of their stratum, to the first order.
fn fleet_limits(fleet: &Cohort, expected: &[f64], adjustment: Adjustment) -> Limits {
    let devices = fleet.cases().len() as f64;
    // A stratum of one device has nothing to differ from.
    let free = devices - f64::from(fleet.strata(adjustment));
    let under: f64 = expected.iter().sum();
    if free <= 0.0 || under <= 0.0 {
        return NO_LIMITS;
    }
    let squares =
        fleet.cases().iter().zip(expected).map(|(one, expected)| (one.down_hours - expected).powi(2)).sum::<f64>();
    let deviation = (squares * devices / free).sqrt() / under;
    let half = normal_quantile(0.5 + 0.5 * CONFIDENCE) * deviation;
    ((-half).exp(), half.exp())
}

type Drawn = Resampled<ADJUSTMENTS>;

/// Resamples of one site: of its own devices, and of as many out of the whole fleet.
struct Draws<'a> {
    own: Option<Drawn>,
    like_the_fleet: Option<&'a Drawn>,
}

impl Draws<'_> {
    /// With which variance the logarithm of the ratio is known. Two devices that are alike by chance say nothing about a
    /// third: where devices out of the whole fleet vary more, theirs counts.
    fn log_variance(&self, which: usize) -> f64 {
        let drawn = self.own.as_ref().into_iter().chain(self.like_the_fleet);
        drawn.filter_map(|drawn| drawn.log_variance(which)).reduce(f64::max).unwrap_or(f64::INFINITY)
    }
}

/// The devices of each site.
fn pools(fleet: &Cohort, expected: &[Vec<f64>; ADJUSTMENTS]) -> Vec<Pool<ADJUSTMENTS>> {
    let mut pools: Vec<Vec<(f64, [f64; ADJUSTMENTS])>> = vec![Vec::new(); fleet.sites().len()];
    for (nth, one) in fleet.cases().iter().enumerate() {
        let of_device = (one.down_hours, std::array::from_fn(|which| expected[which][nth]));
        pools[one.site as usize].push(of_device);
    }
    pools.into_iter().map(Pool::of).collect()
}

#[derive(Debug, Default)]
struct SiteSums {
    over: f64,
    under: f64,
    years: f64,
    /// Observed and expected of each device.
    devices: Vec<(f64, f64)>,
}

fn row(
    name: &str,
    site: &SiteSums,
    (low, high): (f64, f64),
    shrunk: Shrunk,
    funnel: impl Fn(f64) -> (f64, f64),
) -> SiteRatio {
    SiteRatio {
        site: name.to_owned(),
        devices: site.devices.len() as u64,
        service_years: site.years,
        observed: site.over,
        expected: site.under,
        ratio: site.over / site.under,
        low,
        high,
        funnel: FUNNEL_CONFIDENCES.map(funnel),
        shrunk: shrunk.value,
        shrunk_low: shrunk.low,
        shrunk_high: shrunk.high,
    }
}

/// Sites of which something was expected: where nothing was, there is nothing to compare with.
fn by_site<'a>(fleet: &'a Cohort, expected: &[f64], what: impl Fn(&Case) -> f64) -> Vec<(&'a Arc<str>, SiteSums)> {
    let mut sums: Vec<SiteSums> = fleet.sites().iter().map(|_| SiteSums::default()).collect();
    for (one, expected) in fleet.cases().iter().zip(expected) {
        let sums = &mut sums[one.site as usize];
        sums.over += what(one);
        sums.under += expected;
        sums.years += one.service_years;
        sums.devices.push((what(one), *expected));
    }
    fleet.sites().iter().zip(sums).filter(|(_, site)| site.under > 0.0).collect()
}

/// How much more the counts vary than Poisson's, devices being the clusters: Σ(o − e·O/E)² over ΣO, never below 1.
fn dispersion(sites: &[(&Arc<str>, SiteSums)]) -> f64 {
    let (mut squares, mut events) = (0.0, 0.0);
    for (_, site) in sites {
        let ratio = site.over / site.under;
        squares += site.devices.iter().map(|(over, under)| (over - under * ratio).powi(2)).sum::<f64>();
        events += site.over;
    }
    if events > 0.0 { (squares / events).max(1.0) } else { 1.0 }
}

/// Limits of the ratio of a site like the fleet, of which `expected` are expected: a gamma distribution of mean 1. Where a site
/// like the fleet has none at all often enough, none is within the limits.
pub fn funnel(expected: f64, dispersion: f64, confidence: f64) -> (f64, f64) {
    let shape = expected / dispersion;
    let tail = 0.5 * (1.0 - confidence);
    let low = if (-shape).exp() >= tail { 0.0 } else { quantile(shape, tail) / shape };
    (low, quantile(shape, 1.0 - tail) / shape)
}

#[cfg(test)]
mod tests {
    use super::super::cohort::Experience;
    use super::*;

    #[test]
    fn no_failure_where_few_are_expected_is_no_news() {
        let low = |expected, dispersion| funnel(expected, dispersion, 0.998).0;
        assert_eq!(low(1.3, 1.0), 0.0, "one such site in four has none");
        assert!(low(8.0, 1.0) > 0.0, "one in three thousand has none");
        assert_eq!(low(8.0, 2.0), 0.0, "where failures come in clusters, more have none");
    }

    fn device(site: &str, kind: &str, years: f64, failures: f64) -> Experience {
        Experience {
            site: site.into(),
            kind: kind.into(),
            make_model: String::new(),
            age: String::new(),
            service_years: years,
            failures,
            down_hours: failures * 10.0,
        }
    }

    #[test]
    fn a_site_is_compared_with_the_fleet_on_its_own_mix() {
        // North has the kind that fails often, and fails no more than others do with it.
        let mut fleet = Vec::new();
        for nth in 0..20 {
            fleet.push(device("north", "mri", 1.0, f64::from(4 + nth % 2)));
            fleet.push(device("south", "pump", 1.0, f64::from(nth % 2)));
            fleet.push(device("south", "mri", 0.25, f64::from(1 + nth % 8 / 7)));
        }
        let ratio = |adjustment| {
            let sites = failures(&fleet[..].into(), adjustment).sites;
            sites.iter().find(|site| site.site == "north").map(|site| site.ratio).expect("north is there")
        };
        assert!(ratio(Adjustment::Nothing) > 1.5, "unadjusted it looks bad: {}", ratio(Adjustment::Nothing));
        assert!((ratio(Adjustment::Kind) - 1.0).abs() < 0.05, "adjusted it is like the fleet");
        let all = failures(&fleet[..].into(), Adjustment::Kind);
        let sums = all.sites.iter().fold((0.0, 0.0), |sum, site| (sum.0 + site.observed, sum.1 + site.expected));
        assert!((sums.0 - sums.1).abs() < 1e-9, "expectations add up to what was observed");
    }

    #[test]
    fn a_device_that_fails_again_and_again_widens_every_limit() {
        let even: Vec<Experience> = (0..40).map(|nth| device(["a", "b"][nth % 2], "ct", 1.0, 2.0)).collect();
        let mut uneven = even.clone();
        for (nth, one) in uneven.iter_mut().enumerate() {
            one.failures = if nth < 2 { 40.0 } else { 0.0 };
        }
        let (calm, wild) =
            (failures(&even[..].into(), Adjustment::Kind), failures(&uneven[..].into(), Adjustment::Kind));
        assert_eq!(calm.dispersion, 1.0);
        assert!(wild.dispersion > 30.0, "{}", wild.dispersion);
        let width = |one: &Comparison| one.sites[0].funnel[0].1 - one.sites[0].funnel[0].0;
        assert!(width(&wild) > 3.0 * width(&calm));
    }

    #[test]
    fn hours_down_have_limits_of_their_own() {
        let fleet: Vec<Experience> =
            (0..60).map(|nth| device(["a", "b", "c"][nth % 3], "ct", 1.0, (nth % 5) as f64)).collect();
        let fleet = Cohort::from(&fleet[..]);
        let all = downtime(&fleet, 7);
        for site in all.iter().flat_map(|one| &one.sites) {
            assert!(site.low < site.ratio && site.ratio < site.high, "{site:?}");
            assert!(site.funnel[1].0 <= site.funnel[0].0 && site.funnel[0].1 <= site.funnel[1].1);
        }
        assert_eq!(all, downtime(&fleet, 7), "seeded");
        for site in &all[0].sites {
            assert_eq!(site.shrunk, 1.0, "sites that differ no more than by chance are like the fleet");
            // Hours of a device are 0 to 40 around 20, so those of 60 are known to ±1.96 · 0.707 ÷ √60 = 0.179.
            assert!((site.shrunk_high.ln() - 0.180).abs() < 0.002 && site.shrunk_low < 0.84, "{site:?}");
        }
    }

    #[test]
    fn hours_down_of_a_small_site_are_drawn_to_the_fleet_and_those_of_a_large_one_are_not() {
        // Five large sites whose devices are down from half as long as the fleet's to twice as long, and two small ones.
        let mut fleet = Vec::new();
        for (site, level) in [("a", 1.0), ("b", 1.6), ("c", 2.4), ("d", 3.2), ("e", 4.0)] {
            fleet.extend((0..80).map(|nth| device(site, "ct", 1.0, level * f64::from(nth % 3))));
        }
        fleet.extend((0..2).map(|_| device("never", "ct", 1.0, 0.0)));
        fleet.push(device("alone", "ct", 1.0, 6.0));
        let all = downtime(&fleet[..].into(), 7);
        let compared = &all[0];
        let of = |name: &str| compared.sites.iter().find(|one| one.site == name).expect("the site is there");
        let width = |one: &SiteRatio| (one.shrunk_high / one.shrunk_low).ln();
        assert!(compared.shape.is_some(), "they differ beyond chance");
        for large in ["a", "c", "e"].map(of) {
            assert!((large.shrunk.ln() - large.ratio.ln()).abs() < 0.1 * large.ratio.ln().abs() + 0.01, "{large:?}");
            assert!(large.shrunk_low < large.shrunk && large.shrunk < large.shrunk_high, "{large:?}");
        }
        let (never, alone) = (of("never"), of("alone"));
        // Half a device is added to two: a fifth of what was expected.
        assert!(never.ratio == 0.0 && (0.75 * 0.2_f64.ln()..0.0).contains(&never.shrunk.ln()), "{never:?}");
        assert!(width(never) > 3.0 * width(of("a")), "two devices without downtime are no proof: {never:?}");
        assert!(alone.ratio > 2.0 && (1.0..1.8).contains(&alone.shrunk), "nor is one device: {alone:?}");
        assert_eq!((alone.low, alone.high), NO_LIMITS);
    }

    #[test]
    fn the_fleet_is_known_no_better_than_its_strata_let_it() {
        let limits = |kind: &str| {
            let fleet = Cohort::from(&[device("north", "ct", 1.0, 1.0), device("south", kind, 1.0, 3.0)][..]);
            let expected = fleet.expected(Adjustment::Kind, |one| one.down_hours);
            fleet_limits(&fleet, &expected, Adjustment::Kind)
        };
        // Ten hours and thirty around twenty: √(200 · 2 ÷ 1) ÷ 40 = 0.5.
        assert!((limits("ct").1.ln() - 0.5 * 1.959_964).abs() < 1e-6);
        assert_eq!(limits("laser"), NO_LIMITS, "each the only one of its kind: nothing can be said");
    }

    #[test]
    fn failures_that_differ_only_by_chance_leave_the_interval_of_the_fleet() {
        let fleet: Vec<Experience> = (0..40).map(|nth| device(["a", "b"][nth % 2], "ct", 1.0, 1.0)).collect();
        let all = failures(&fleet[..].into(), Adjustment::Kind);
        assert_eq!((all.shape, all.dispersion), (None, 1.0));
        let (low, high) = super::super::rate::exact_limits(40, CONFIDENCE);
        for site in &all.sites {
            assert_eq!((site.shrunk, site.shrunk_low, site.shrunk_high), (1.0, low / 40.0, high / 40.0));
        }
    }
}
