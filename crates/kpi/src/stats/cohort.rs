//! The devices that are compared, in numbers: what each is, how long it was in service, and what happened to it. Pure.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use super::compare::{ADJUSTMENTS, Adjustment};

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

/// One device in numbers: whole fleets are compared again and again, and names take long to compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Case {
    /// Place of its site among the names of the cohort.
    pub site: u32,
    /// Number of its stratum under each adjustment.
    strata: [u32; ADJUSTMENTS],
    pub service_years: f64,
    pub failures: f64,
    pub down_hours: f64,
}

/// The devices that are compared, in one order: sums of fractions depend on it.
#[derive(Debug, Clone, Default)]
pub struct Cohort {
    /// Names of sites in ascending order.
    sites: Vec<Arc<str>>,
    cases: Vec<Case>,
    /// How many strata there are under each adjustment.
    strata: [u32; ADJUSTMENTS],
}

/// What happened to a device: time in service, failures, hours down.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Happened {
    pub service_years: f64,
    pub failures: f64,
    pub down_hours: f64,
}

impl Cohort {
    /// `sites` are names in ascending order; a device is its site's place among them, what it is (kind, make and model, age
    /// band), and what happened to it.
    pub fn of<K: Copy + Eq + Hash>(
        sites: Vec<Arc<str>>,
        devices: impl Iterator<Item = (u32, [K; 3], Happened)>,
    ) -> Self {
        let mut strata: (HashMap<K, u32>, HashMap<[K; 2], u32>, HashMap<[K; 3], u32>) = Default::default();
        let cases = devices.map(|(site, [kind, model, age], happened)| Case {
            site,
            strata: [
                0,
                numbered(&mut strata.0, kind),
                numbered(&mut strata.1, [kind, model]),
                numbered(&mut strata.2, [kind, model, age]),
            ],
            service_years: happened.service_years,
            failures: happened.failures,
            down_hours: happened.down_hours,
        });
        let cases: Vec<Case> = cases.collect();
        let strata =
            [u32::from(!cases.is_empty()), strata.0.len() as u32, strata.1.len() as u32, strata.2.len() as u32];
        Self { sites, cases, strata }
    }

    /// How many strata there are under an adjustment.
    pub const fn strata(&self, by: Adjustment) -> u32 {
        self.strata[by.place()]
    }

    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    pub fn sites(&self) -> &[Arc<str>] {
        &self.sites
    }

    /// What each device would have had at the fleet's rate of its stratum.
    pub fn expected(&self, by: Adjustment, what: impl Fn(&Case) -> f64) -> Vec<f64> {
        let mut strata = vec![(0.0, 0.0); self.strata[by.place()] as usize];
        for one in &self.cases {
            let sums: &mut (f64, f64) = &mut strata[one.strata[by.place()] as usize];
            sums.0 += what(one);
            sums.1 += one.service_years;
        }
        let rate = |one: &Case| {
            let (over, years) = strata[one.strata[by.place()] as usize];
            over / years
        };
        let of = |one: &Case| if one.service_years > 0.0 { rate(one) * one.service_years } else { 0.0 };
        self.cases.iter().map(of).collect()
    }
}

fn numbered<K: Eq + Hash>(numbers: &mut HashMap<K, u32>, key: K) -> u32 {
    let next = numbers.len() as u32;
    *numbers.entry(key).or_insert(next)
}

impl From<&[Experience]> for Cohort {
    fn from(fleet: &[Experience]) -> Self {
        let names: BTreeSet<&str> = fleet.iter().map(|one| one.site.as_str()).collect();
        let places: HashMap<&str, u32> = names.iter().copied().zip(0..).collect();
        let device = |one: &Experience| Happened {
            service_years: one.service_years,
            failures: one.failures,
            down_hours: one.down_hours,
        };
        let devices = fleet
            .iter()
            .map(|one| (places[one.site.as_str()], [one.kind.as_str(), &one.make_model, &one.age], device(one)));
        Self::of(names.iter().map(|name| Arc::from(*name)).collect(), devices)
    }
}
