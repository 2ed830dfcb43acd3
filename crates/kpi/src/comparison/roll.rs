//! Who is compared: every device at every site where it was in service or heard, with numbers for what they are called. Pure.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use medfleet_domain::time::{Day, Timestamp};

use super::Fleet;
use crate::ask::Reliability;
use crate::question::Question;
use crate::stats::cohort::Happened;
use crate::stats::rate::MICROS_PER_YEAR;

/// Ages are compared in bands of so many years.
const AGE_BAND_YEARS: i32 = 5;
const DAYS_PER_YEAR: f64 = 365.25;
const MICROS_PER_HOUR: f64 = 3.6e9;

/// One device while it is of one kind at one site.
#[derive(Debug, Clone)]
pub struct Member {
    pub device: Arc<str>,
    /// Places among the names of the roll.
    pub site: u32,
    pub kind: u32,
    pub make_model: u32,
    pub age_band: u32,
    pub in_service_micros: i64,
    pub failures: u64,
    pub unscheduled_down_micros: i64,
}

impl Member {
    pub(super) fn happened(&self) -> Happened {
        Happened {
            service_years: self.in_service_micros as f64 / MICROS_PER_YEAR,
            failures: self.failures as f64,
            down_hours: self.unscheduled_down_micros as f64 / MICROS_PER_HOUR,
        }
    }
}

/// All of them by site, kind and device, and what the numbers stand for.
#[derive(Debug, Clone, Default)]
pub struct Roll {
    /// In ascending order.
    pub sites: Vec<Arc<str>>,
    pub kinds: Vec<Arc<str>>,
    pub make_models: Vec<Arc<str>>,
    pub members: Vec<Member>,
    /// By site.
    pub seen: Vec<Seen>,
}

/// How much of a site was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Microseconds in which a condition is known, and in service.
    pub known: i64,
    pub in_service: i64,
    /// Devices in service of which something is known.
    pub monitored: i64,
}

/// What a device of the cohort is called.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub device: Arc<str>,
    pub kind: u32,
    pub make_model: u32,
}

impl Named {
    pub fn of(one: Member) -> Self {
        Self { device: one.device, kind: one.kind, make_model: one.make_model }
    }
}

/// The band of an age on the last day of a period; 0 where the day of service is not known.
pub fn age_band(in_service: Option<Day>, question: &Question) -> u32 {
    let last = Timestamp(question.until.0 - 1).day();
    in_service.map_or(0, |since| {
        let years = f64::from(last.0 - since.0) / DAYS_PER_YEAR;
        1 + years.max(0.0) as u32 / AGE_BAND_YEARS.unsigned_abs()
    })
}

/// The rows of the view `reliability` as a fleet.
pub(super) fn of_rows(rows: &[Reliability], question: &Question) -> Fleet {
    let names: BTreeSet<&str> = rows.iter().map(|row| row.site.as_str()).collect();
    let sites: HashMap<&str, u32> = names.iter().copied().zip(0..).collect();
    let mut seen = vec![Seen::default(); names.len()];
    let (mut kinds, mut make_models) = (Interned::default(), Interned::default());
    let member = |row: &Reliability| {
        let site = sites[row.site.as_str()];
        let (known, here) = (row.up_micros + row.down_micros, &mut seen[site as usize]);
        here.known += known;
        here.in_service += row.in_service_micros;
        here.monitored += i64::from(known > 0 && row.in_service_micros > 0);
        Member {
            device: row.device.as_str().into(),
            site,
            kind: kinds.number(&row.kind),
            make_model: make_models.number(&make_model(row.make.as_deref(), row.model.as_deref())),
            age_band: age_band(row.in_service_day, question),
            in_service_micros: row.in_service_micros,
            failures: row.failures,
            unscheduled_down_micros: row.unscheduled_down_micros,
        }
    };
    let members = rows.iter().map(member).collect();
    let sites = names.into_iter().map(Arc::from).collect();
    let (kinds, make_models) = (kinds.names, make_models.names);
    Fleet::of(Roll { sites, kinds, make_models, members, seen }, question)
}

/// As the inventory names it; empty where it does not.
pub fn make_model(make: Option<&str>, model: Option<&str>) -> String {
    [make, model].map(Option::unwrap_or_default).join(" ").trim().to_owned()
}

/// Names with numbers.
#[derive(Debug, Clone, Default)]
pub struct Interned {
    pub names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Interned {
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (name, number) = (Arc::<str>::from(name), self.names.len() as u32);
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }
}
