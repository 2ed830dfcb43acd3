//! Sites compared over a cut: observed against expected under every adjustment, and the places that can be told apart.

mod devices;
mod roll;

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_lake::SessionContext;

use crate::ask;
use crate::error::KpiError;
use crate::question::Question;
use crate::stats::cohort::{Case, Cohort};
use crate::stats::compare::{Adjustment, Comparison, SiteRatio, downtime, failures};
use crate::stats::ranking::{Place, Ranked, rank};
use crate::table::{Cell, Figure};

pub use devices::{ComparedDevice, device_figures};
use roll::Named;
pub use roll::{Interned, Member, Roll, Seen, age_band, make_model};

/// What sites are compared by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum By {
    #[default]
    Failures,
    /// Hours of unscheduled downtime.
    Downtime,
}

impl By {
    /// Each by its word, the usual one first.
    pub const WORDS: [(&str, Self); 2] = [("failures", Self::Failures), ("downtime", Self::Downtime)];
}

/// What one row of the table of compared sites is.
pub const ONE_ROW: &str = "one site under one adjustment, against what the fleet would have had with its devices.";

/// One site under one adjustment, with the places it may have; less is better.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedSite {
    pub adjustment: Adjustment,
    pub ratio: SiteRatio,
    pub place: Place,
    /// How many sites are compared.
    pub sites: usize,
    /// What nobody saw is not among the observed.
    pub seen: Seen,
    /// By how much the ratio may be too small because less was seen here than of the fleet: 1 − coverage ÷ the fleet's.
    pub unseen: f64,
    /// Of the whole comparison.
    pub dispersion: f64,
    pub shape: Option<f64>,
}

/// A fleet over a period, ready to be compared.
#[derive(Debug, Clone)]
pub struct Fleet {
    cohort: Cohort,
    /// By device of the cohort.
    named: Vec<Named>,
    kinds: Vec<Arc<str>>,
    make_models: Vec<Arc<str>>,
    /// By site.
    seen: Vec<Seen>,
    /// The same period gives the same limits: resampling is seeded by it.
    seed: u64,
}

/// Every site under every adjustment, and the devices behind them.
impl Fleet {
    /// Read from a cut, or from what was known of it.
    pub async fn read(session: &SessionContext, question: &Question) -> Result<Self, KpiError> {
        Ok(roll::of_rows(&ask::reliability(session, question).await?, question))
    }

    /// Out of what is in memory.
    pub fn of(roll: Roll, question: &Question) -> Self {
        let Roll { sites, kinds, make_models, members, seen } = roll;
        let what = |one: &Member| (one.site, [one.kind, one.make_model, one.age_band], one.happened());
        let cohort = Cohort::of(sites, members.iter().map(what));
        let named = members.into_iter().map(Named::of).collect();
        let seed = (question.from.0 ^ question.until.0.rotate_left(32)).cast_unsigned();
        Self { cohort, named, kinds, make_models, seen, seed }
    }

    /// By downtime this resamples devices thousands of times: no work for a thread that others wait for.
    pub fn compare(&self, by: By) -> Vec<ComparedSite> {
        let compared = match by {
            By::Failures => Adjustment::ALL.map(|adjustment| failures(&self.cohort, adjustment)),
            By::Downtime => downtime(&self.cohort, self.seed),
        };
        let by_site = self.cohort.sites().iter().map(|site| &**site).zip(self.seen.iter().copied()).collect();
        let of_fleet = self.seen.iter().fold(Seen::default(), |sum, one| Seen {
            known: sum.known + one.known,
            in_service: sum.in_service + one.in_service,
            monitored: sum.monitored + one.monitored,
        });
        compared.into_iter().flat_map(|one| placed(one, &by_site, of_fleet)).collect()
    }

    /// The devices of one site, each against what the fleet would have had in its place.
    pub fn devices(&self, site: &str, adjustment: Adjustment, by: By) -> Vec<ComparedDevice> {
        let what: fn(&Case) -> f64 = match by {
            By::Failures => |one: &Case| one.failures,
            By::Downtime => |one: &Case| one.down_hours,
        };
        let Some(place) = self.cohort.sites().iter().position(|one| &**one == site) else { return Vec::new() };
        let expected = self.cohort.expected(adjustment, what);
        let all = self.named.iter().zip(self.cohort.cases()).zip(expected);
        let here = all.filter(|((_, case), _)| case.site as usize == place);
        here.map(|((named, case), expected)| ComparedDevice {
            device: named.device.to_string(),
            site: site.to_owned(),
            kind: self.kinds[named.kind as usize].to_string(),
            make_model: self.make_models[named.make_model as usize].to_string(),
            service_years: case.service_years,
            observed: what(case),
            expected,
        })
        .collect()
    }
}

impl Seen {
    /// Known ÷ in service.
    pub fn coverage(&self) -> Option<f64> {
        (self.in_service > 0).then(|| self.known as f64 / self.in_service as f64)
    }

    /// Where nothing at all was seen, what there is was told by people, who need no agent for it.
    fn unseen(&self, of_fleet: &Self) -> f64 {
        let both = self.coverage().zip(of_fleet.coverage()).filter(|(_, of_fleet)| *of_fleet > 0.0);
        both.map_or(0.0, |(here, of_fleet)| (1.0 - here / of_fleet).max(0.0))
    }
}

fn placed(comparison: Comparison, by_site: &BTreeMap<&str, Seen>, of_fleet: Seen) -> Vec<ComparedSite> {
    let ranked = |site: &SiteRatio| Ranked { value: site.ratio, low: site.low, high: site.high };
    let places = rank(&comparison.sites.iter().map(ranked).collect::<Vec<_>>());
    let Comparison { adjustment, dispersion, shape, sites } = comparison;
    let count = sites.len();
    let site = |(ratio, place): (SiteRatio, Place)| {
        let seen = by_site.get(ratio.site.as_str()).copied().unwrap_or_default();
        let unseen = seen.unseen(&of_fleet);
        ComparedSite { seen, unseen, adjustment, ratio, place, sites: count, dispersion, shape }
    };
    sites.into_iter().zip(places).map(site).collect()
}

impl Adjustment {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Kind => "kind",
            Self::KindModel => "kind_model",
            Self::KindModelAge => "kind_model_age",
        }
    }
}

macro_rules! figures {
    ($($name:literal, $unit:literal, $meaning:literal, $of:expr;)*) => {
        [$(Figure { name: $name, unit: $unit, meaning: $meaning, of: $of },)*]
    };
}

/// What is shown of a compared site. Devices are exposed by the calendar, whatever the hours of a site: there is no part for base hours.
pub fn figures() -> [Figure<ComparedSite>; 27] {
    fn number(value: f64) -> Cell {
        Cell::number(Some(value))
    }
    fn place(place: usize) -> Cell {
        Cell::count(place as u64)
    }
    figures! {
        "adjustment", "text", "what the expectation takes into account: nothing, kind, kind_model or kind_model_age",
            |one| Cell::text(one.adjustment.as_str());
        "site", "text", "the site", |one| Cell::text(&one.ratio.site);
        "devices", "count", "devices at the site", |one| Cell::count(one.ratio.devices);
        "monitored", "count", "of these, devices in service of which something is known",
            |one| Cell::Whole(one.seen.monitored);
        "device_years", "years", "their time in service", |one| number(one.ratio.service_years);
        "coverage", "ratio", "known ÷ in service: what nobody saw is not among the observed",
            |one| Cell::number(one.seen.coverage());
        "known_seconds", "seconds", "its numerator", |one| Cell::seconds(one.seen.known);
        "in_service_seconds", "seconds", "its denominator", |one| Cell::seconds(one.seen.in_service);
        "unseen", "ratio", "1 − coverage ÷ the fleet's, 0 at least: by so much the ratio may be too small",
            |one| number(one.unseen);
        "observed", "failures or hours", "what there was", |one| number(one.ratio.observed);
        "expected", "failures or hours", "what the fleet would have had with these devices", |one| number(one.ratio.expected);
        "ratio", "ratio", "observed ÷ expected", |one| number(one.ratio.ratio);
        "ratio_low", "ratio", "lower limit, 95 %, devices that fail repeatedly allowed for", |one| number(one.ratio.low);
        "ratio_high", "ratio", "upper limit; absent: none can be given", |one| number(one.ratio.high);
        "funnel_95_low", "ratio", "a site of this size like the fleet lies above this in 95 of 100",
            |one| number(one.ratio.funnel[0].0);
        "funnel_95_high", "ratio", "… and below this", |one| number(one.ratio.funnel[0].1);
        "funnel_998_low", "ratio", "the same in 998 of 1000", |one| number(one.ratio.funnel[1].0);
        "funnel_998_high", "ratio", "… and below this", |one| number(one.ratio.funnel[1].1);
        "shrunk", "ratio",
            "the ratio drawn towards the fleet by as much as the site is small; 1 where sites differ no more than by chance",
            |one| number(one.ratio.shrunk);
        "shrunk_low", "ratio", "its lower limit, 95 %, never closer than the fleet's own", |one| number(one.ratio.shrunk_low);
        "shrunk_high", "ratio", "its upper limit, likewise; absent: none can be given", |one| number(one.ratio.shrunk_high);
        "place_best", "place", "the best place it may have; 1 is best", |one| place(one.place.best);
        "place_worst", "place", "the worst place it may have", |one| place(one.place.worst);
        "tie", "place", "sites of one tie are not ordered among each other", |one| place(one.place.tie);
        "sites_compared", "count", "sites that can have a place", |one| place(one.sites);
        "dispersion", "ratio", "variance ÷ mean of failures, clustered by device", |one| number(one.dispersion);
        "spread_shape", "number",
            "shape of the distribution of true ratios, of downtime 1 ÷ variance of their logarithms; absent: sites differ no more than by chance",
            |one| Cell::number(one.shape);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str, low: f64, high: f64) -> SiteRatio {
        SiteRatio {
            site: name.into(),
            devices: 1,
            service_years: 1.0,
            observed: 1.0,
            expected: 1.0,
            ratio: 0.5 * (low + high),
            low,
            high,
            funnel: [(0.5, 2.0); 2],
            shrunk: 1.0,
            shrunk_low: 1.0,
            shrunk_high: 1.0,
        }
    }

    #[test]
    fn a_site_may_lack_what_it_saw_less_than_the_fleet() {
        let seen = |known, in_service| Seen { known, in_service, monitored: 1 };
        assert_eq!([4, 8, 10].map(|known| seen(known, 10).unseen(&seen(80, 100))), [0.5, 0.0, 0.0]);
        let nobody = (seen(0, 0).unseen(&seen(80, 100)), seen(0, 10).unseen(&seen(0, 100)));
        assert_eq!(nobody, (0.0, 0.0), "nobody was seen: people told all there is");
    }

    #[test]
    fn places_stand_beside_the_sites_they_belong_to() {
        let sites = vec![site("large", 1.8, 2.2), site("small", 0.1, 9.0), site("fine", 0.5, 0.7)];
        let comparison = Comparison { adjustment: Adjustment::Kind, dispersion: 1.0, shape: None, sites };
        let places: Vec<(usize, usize, usize)> = placed(comparison, &BTreeMap::new(), Seen::default())
            .iter()
            .map(|one| (one.place.best, one.place.worst, one.place.tie))
            .collect();
        assert_eq!(places, [(2, 3, 1), (1, 3, 1), (1, 2, 1)], "the small site ties with everyone");
    }
}
