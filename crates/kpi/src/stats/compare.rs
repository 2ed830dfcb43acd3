//! Sites compared fairly: observed against expected, with limits that allow for devices that fail again and again.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bootstrap::Resampled;
use super::gamma::{ln_gamma, quantile};
use super::rate::{CONFIDENCE, overdispersed_limits};

/// One device over the period: what it is, how long it was in service, and what happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Experience {
    pub site: String,
    pub kind: String,
    /// Make and model, as the inventory names them; empty where it does not.
    pub make_model: String,
    /// Age band; empty where the in-service date is not known.
    pub age: String,
    pub service_years: f64,
    pub failures: f64,
    pub down_hours: f64,
}

/// What the expectation takes into account. Figures without age, and without anything, stand beside the adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    Nothing,
    Kind,
    KindModel,
    KindModelAge,
}

const ADJUSTMENTS: usize = 4;

impl Adjustment {
    pub const ALL: [Adjustment; ADJUSTMENTS] = [Self::Nothing, Self::Kind, Self::KindModel, Self::KindModelAge];

    fn stratum<'a>(self, one: &'a Experience) -> [&'a str; 3] {
        match self {
            Self::Nothing => ["", "", ""],
            Self::Kind => [&one.kind, "", ""],
            Self::KindModel => [&one.kind, &one.make_model, ""],
            Self::KindModelAge => [&one.kind, &one.make_model, &one.age],
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
    /// Shape of the distribution of true ratios over sites; none where sites do not differ beyond chance.
    pub shape: Option<f64>,
    pub sites: Vec<SiteRatio>,
}

const FUNNEL_CONFIDENCES: [f64; 2] = [0.95, 0.998];

/// Observed and expected failures of every site, by indirect standardisation.
pub fn failures(fleet: &[Experience], adjustment: Adjustment) -> Comparison {
    let expected = expected(fleet, adjustment, |one| one.failures);
    let sites = by_site(fleet, &expected, |one| one.failures);
    let dispersion = dispersion(&sites);
    let counts: Vec<(f64, f64)> =
        sites.values().map(|site| (site.over / dispersion, site.under / dispersion)).collect();
    let shape = shape(&counts);
    let rows = sites.iter().map(|(name, site)| {
        let (low, high) = overdispersed_limits(site.over, dispersion, CONFIDENCE);
        let (shrunk, shrunk_low, shrunk_high) = shrink(site.over / dispersion, site.under / dispersion, shape);
        row(name, site, (low / site.under, high / site.under), (shrunk, shrunk_low, shrunk_high), |confidence| {
            funnel(site.under, dispersion, confidence)
        })
    });
    Comparison { adjustment, dispersion, shape, sites: rows.collect() }
}

/// Observed and expected hours down of every site, under every adjustment. Hours are no counts: limits are resampled
/// over devices, seeded, and all adjustments share the draws.
pub fn downtime(fleet: &[Experience], seed: u64) -> [Comparison; ADJUSTMENTS] {
    let all = Adjustment::ALL.map(|adjustment| expected(fleet, adjustment, |one| one.down_hours));
    let sites = all.each_ref().map(|expected| by_site(fleet, expected, |one| one.down_hours));
    let drawn = draws(fleet, &all, seed);
    std::array::from_fn(|which| {
        let unknown = (0.0, f64::INFINITY);
        let rows = sites[which].iter().map(|(name, site)| {
            let ratio = site.over / site.under;
            let of = &drawn[name];
            let limits = |of: &Option<Drawn>, at| of.as_ref().and_then(|of| of.limits(which, at)).unwrap_or(unknown);
            let own = limits(&of.own, CONFIDENCE);
            row(name, site, own, (ratio, own.0, own.1), |confidence| limits(&of.like_the_fleet, confidence))
        });
        Comparison { adjustment: Adjustment::ALL[which], dispersion: 1.0, shape: None, sites: rows.collect() }
    })
}

type Drawn = Resampled<ADJUSTMENTS>;

/// Resamples of one site: of its own devices, and of as many out of the whole fleet.
struct Draws {
    own: Option<Drawn>,
    like_the_fleet: Option<Drawn>,
}

fn draws<'a>(fleet: &'a [Experience], expected: &[Vec<f64>; ADJUSTMENTS], seed: u64) -> BTreeMap<&'a str, Draws> {
    let mut pools: BTreeMap<&str, Vec<(f64, [f64; ADJUSTMENTS])>> = BTreeMap::new();
    for (nth, one) in fleet.iter().enumerate() {
        let of_device = (one.down_hours, std::array::from_fn(|which| expected[which][nth]));
        pools.entry(&one.site).or_default().push(of_device);
    }
    let everybody: Vec<_> = pools.values().flatten().copied().collect();
    let of_site = |(name, own): (&'a str, Vec<_>)| {
        let devices = own.len();
        let like_the_fleet = Resampled::draw(&everybody, devices, seed ^ devices as u64);
        (name, Draws { own: Resampled::draw(&own, devices, seed), like_the_fleet })
    };
    pools.into_iter().map(of_site).collect()
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
    (shrunk, shrunk_low, shrunk_high): (f64, f64, f64),
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
        shrunk,
        shrunk_low,
        shrunk_high,
    }
}

/// What each device would have had at the fleet's rate of its stratum.
pub fn expected(fleet: &[Experience], by: Adjustment, what: impl Fn(&Experience) -> f64) -> Vec<f64> {
    let mut strata: BTreeMap<[&str; 3], (f64, f64)> = BTreeMap::new();
    for one in fleet {
        let sums = strata.entry(by.stratum(one)).or_default();
        sums.0 += what(one);
        sums.1 += one.service_years;
    }
    let rate = |one: &Experience| strata.get(&by.stratum(one)).map_or(0.0, |(over, years)| over / years);
    fleet.iter().map(|one| if one.service_years > 0.0 { rate(one) * one.service_years } else { 0.0 }).collect()
}

/// Sites of which something was expected: where nothing was, there is nothing to compare with.
fn by_site<'a>(
    fleet: &'a [Experience],
    expected: &[f64],
    what: impl Fn(&Experience) -> f64,
) -> BTreeMap<&'a str, SiteSums> {
    let mut sites: BTreeMap<&str, SiteSums> = BTreeMap::new();
    for (one, expected) in fleet.iter().zip(expected) {
        let sums = sites.entry(&one.site).or_default();
        sums.over += what(one);
        sums.under += expected;
        sums.years += one.service_years;
        sums.devices.push((what(one), *expected));
    }
    sites.retain(|_, site| site.under > 0.0);
    sites
}

/// How much more the counts vary than Poisson's, devices being the clusters: Σ(o − e·O/E)² over ΣO, never below 1.
fn dispersion(sites: &BTreeMap<&str, SiteSums>) -> f64 {
    let (mut squares, mut events) = (0.0, 0.0);
    for site in sites.values() {
        let ratio = site.over / site.under;
        squares += site.devices.iter().map(|(over, under)| (over - under * ratio).powi(2)).sum::<f64>();
        events += site.over;
    }
    if events > 0.0 { (squares / events).max(1.0) } else { 1.0 }
}

/// Limits of the ratio of a site like the fleet, of which `expected` are expected: a gamma distribution of mean 1.
pub fn funnel(expected: f64, dispersion: f64, confidence: f64) -> (f64, f64) {
    let shape = expected / dispersion;
    let tail = 0.5 * (1.0 - confidence);
    (quantile(shape, tail) / shape, quantile(shape, 1.0 - tail) / shape)
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

/// Posterior mean and interval of a site's ratio: (a + O) / (a + E) and its gamma quantiles.
pub fn shrink(observed: f64, expected: f64, shape: Option<f64>) -> (f64, f64, f64) {
    let Some(a) = shape else { return (1.0, 1.0, 1.0) };
    let tail = 0.5 * (1.0 - CONFIDENCE);
    let (over, under) = (a + observed, a + expected);
    (over / under, quantile(over, tail) / under, quantile(over, 1.0 - tail) / under)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let sites = failures(&fleet, adjustment).sites;
            sites.iter().find(|site| site.site == "north").map(|site| site.ratio).expect("north is there")
        };
        assert!(ratio(Adjustment::Nothing) > 1.5, "unadjusted it looks bad: {}", ratio(Adjustment::Nothing));
        assert!((ratio(Adjustment::Kind) - 1.0).abs() < 0.05, "adjusted it is like the fleet");
        let all = failures(&fleet, Adjustment::Kind);
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
        let (calm, wild) = (failures(&even, Adjustment::Kind), failures(&uneven, Adjustment::Kind));
        assert_eq!(calm.dispersion, 1.0);
        assert!(wild.dispersion > 30.0, "{}", wild.dispersion);
        let width = |one: &Comparison| one.sites[0].funnel[0].1 - one.sites[0].funnel[0].0;
        assert!(width(&wild) > 3.0 * width(&calm));
    }

    #[test]
    fn a_small_site_is_drawn_to_the_fleet_and_a_large_one_is_not() {
        let (small, low, high) = shrink(0.0, 0.5, Some(4.0));
        assert!((small - 4.0 / 4.5).abs() < 1e-12 && low < small && small < high);
        let (large, ..) = shrink(0.0, 400.0, Some(4.0));
        assert!(large < 0.01);
        assert_eq!(shrink(9.0, 1.0, None).0, 1.0, "where sites do not differ, all are like the fleet");
    }

    #[test]
    fn the_spread_of_sites_is_found_again() {
        // Sites whose true ratios have shape 4 (variance 1/4): counts at their expectation times the ratio.
        let ratios = [0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5, 1.8, 1.5];
        let counts: Vec<(f64, f64)> = ratios.iter().map(|ratio| (ratio * 1_000.0, 1_000.0)).collect();
        let found = shape(&counts).expect("they differ");
        assert!((3.0..8.0).contains(&found), "{found}");
        let alike: Vec<(f64, f64)> = (0..12).map(|_| (100.0, 100.0)).collect();
        assert_eq!(shape(&alike), None);
    }

    #[test]
    fn hours_down_have_limits_of_their_own() {
        let fleet: Vec<Experience> =
            (0..60).map(|nth| device(["a", "b", "c"][nth % 3], "ct", 1.0, (nth % 5) as f64)).collect();
        let all = downtime(&fleet, 7);
        for site in all.iter().flat_map(|one| &one.sites) {
            assert!(site.low < site.ratio && site.ratio < site.high, "{site:?}");
            assert!(site.funnel[1].0 <= site.funnel[0].0 && site.funnel[0].1 <= site.funnel[1].1);
        }
        assert_eq!(all, downtime(&fleet, 7), "seeded");
    }
}
