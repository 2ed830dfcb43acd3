//! Everything that is counted of some devices over a period, each figure with the parts it was divided from.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::time::Span;
use medfleet_lake::SessionContext;

use crate::ask::{self, Concurrency, Downtime, Episode, EpisodeClass, PmState, PmWork, Repair, Uptime};
use crate::error::KpiError;
use crate::measure::Measure;
use crate::question::Question;
use crate::stats::rate::{MICROS_PER_YEAR, Rate};
use crate::stats::survival::{Duration, Durations, summary};
use crate::stats::trend::{Trend, laplace};

/// Which devices stand together in one row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Group {
    Fleet,
    Site,
    Kind,
    #[default]
    SiteKind,
    Device,
}

/// Site, kind and device of a row; empty where rows are not told apart by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub site: String,
    pub kind: String,
    pub device: String,
}

impl Group {
    /// Every group by its word, the usual one first.
    pub const WORDS: [(&str, Self); 5] = [
        ("site_kind", Self::SiteKind),
        ("fleet", Self::Fleet),
        ("site", Self::Site),
        ("kind", Self::Kind),
        ("device", Self::Device),
    ];

    fn key(self, site: &str, kind: &str, device: &str) -> Key {
        let keep = |text: &str, groups: &[Self]| if groups.contains(&self) { text.to_owned() } else { String::new() };
        Key {
            site: keep(site, &[Self::Site, Self::SiteKind, Self::Device]),
            kind: keep(kind, &[Self::Kind, Self::SiteKind, Self::Device]),
            device: keep(device, &[Self::Device]),
        }
    }
}

/// One row: the figures of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Scorecard {
    pub key: Key,
    pub measure: Measure,
    pub failures: Failures,
    pub off_line: OffLine,
    pub repairs: Repairs,
    pub maintenance: Maintenance,
    /// How many were in use at once; only of one kind at one site can it be said.
    pub at_once: Option<Concurrency>,
}

/// Failures with their exposures.
#[derive(Debug, Clone, PartialEq)]
pub struct Failures {
    pub count: u64,
    pub repeats: u64,
    pub interrupts: u64,
    /// Of the failures, those that began in use.
    pub in_use: u64,
    /// Of the failures, those known from their order alone.
    pub without_down: u64,
    /// None without time in service.
    pub rate: Option<Rate>,
    /// Mean time between failures by calendar, by uptime and by use, in microseconds. None: no failure.
    pub between_calendar_micros: Option<f64>,
    pub between_uptime_micros: Option<f64>,
    /// Between failures that began in use.
    pub between_use_micros: Option<f64>,
    /// Of the devices in service for the whole period: others would make a trend of their coming and going.
    pub trend: Option<Trend>,
    pub trend_devices: u64,
}

/// Times off line, scheduled ones included.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OffLine {
    pub count: u64,
    /// Still off line at the cut.
    pub open: u64,
    pub micros: i64,
}

impl OffLine {
    /// Mean time off line so far.
    pub fn mean_micros(&self) -> Option<f64> {
        (self.count > 0).then(|| self.micros as f64 / self.count as f64)
    }
}

/// The four clocks of corrective orders opened in the period, and their waits; what still runs is censored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repairs {
    pub response: Durations,
    /// Orders that went on although nobody told of an arrival: no clock of theirs can be read.
    pub response_not_told: u64,
    pub active: Durations,
    pub turnaround: Durations,
    /// Of the orders that waited for parts.
    pub parts: Durations,
    pub parts_micros: i64,
    pub vendor_micros: i64,
    pub facility_micros: i64,
    pub own_micros: i64,
}

/// Planned maintenance that was due in the period, or carried into it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// Due in the period, whatever became of it; without what is not due yet.
    pub due: u64,
    pub on_time: u64,
    pub late: u64,
    pub overdue: u64,
    pub not_due: u64,
    /// Due before the period and not done when it began; part of none of the above.
    pub carried: u64,
}

impl Maintenance {
    /// On time ÷ due.
    pub fn on_time_share(&self) -> Option<f64> {
        (self.due > 0).then(|| self.on_time as f64 / self.due as f64)
    }
}

/// What one row of the table of scorecards is.
pub const ONE_ROW: &str =
    "every figure of one group of devices over the period, each ratio beside its parts and bounds.";

/// One row for each group that has a device in service or anything to tell, in the order of the keys.
pub async fn scorecards(
    session: &SessionContext,
    question: &Question,
    group: Group,
) -> Result<Vec<Scorecard>, KpiError> {
    let told = Told::read(session, question).await?;
    let told = if group == Group::SiteKind { told.at_once(session, question).await? } else { told };
    Ok(told.by(group))
}

/// What scorecards are made of, asked once for every way to group it.
pub struct Told {
    period: Span,
    uptime: Vec<Uptime>,
    episodes: Vec<Episode>,
    downtimes: Vec<Downtime>,
    repairs: Vec<Repair>,
    work: Vec<PmWork>,
    at_once: Vec<Concurrency>,
}

impl Told {
    pub async fn read(session: &SessionContext, question: &Question) -> Result<Self, KpiError> {
        Ok(Self {
            period: Span { from: question.from, until: question.until },
            uptime: ask::uptime(session, question).await?,
            episodes: ask::failures(session, question).await?,
            downtimes: ask::downtimes(session, question).await?,
            repairs: ask::repairs(session, question).await?,
            work: ask::pm(session, question).await?,
            at_once: Vec::new(),
        })
    }

    /// With how many were in use at once, for who asks for that: it takes as long as half of the rest.
    pub async fn at_once(self, session: &SessionContext, question: &Question) -> Result<Self, KpiError> {
        Ok(Self { at_once: ask::concurrency(session, question).await?, ..self })
    }

    /// One row for each group, in the order of the keys.
    pub fn by(&self, group: Group) -> Vec<Scorecard> {
        let mut parts: BTreeMap<Key, Parts<'_>> = BTreeMap::new();
        macro_rules! gather {
            ($rows:expr, $into:ident) => {
                for row in $rows {
                    parts.entry(group.key(&row.site, &row.kind, &row.device)).or_default().$into.push(row);
                }
            };
        }
        for row in &self.uptime {
            let one = parts.entry(group.key(&row.site, &row.kind, &row.device)).or_default();
            one.measure += row.measure;
            if row.measure.in_service >= self.period.micros() {
                one.whole.insert(&row.device);
            }
        }
        gather!(&self.episodes, episodes);
        gather!(&self.downtimes, downtimes);
        gather!(&self.repairs, repairs);
        gather!(&self.work, work);
        if group == Group::SiteKind {
            for row in &self.at_once {
                parts.entry(group.key(&row.site, &row.kind, "")).or_default().at_once = Some(row);
            }
        }
        parts.into_iter().map(|(key, parts)| parts.scored(key, self.period)).collect()
    }
}

#[derive(Default)]
struct Parts<'a> {
    measure: Measure,
    /// Devices in service for the whole period.
    whole: BTreeSet<&'a str>,
    episodes: Vec<&'a Episode>,
    downtimes: Vec<&'a Downtime>,
    repairs: Vec<&'a Repair>,
    work: Vec<&'a PmWork>,
    at_once: Option<&'a Concurrency>,
}

impl Parts<'_> {
    fn scored(self, key: Key, period: Span) -> Scorecard {
        Scorecard {
            key,
            measure: self.measure,
            failures: self.failures(period),
            off_line: off_line(&self.downtimes),
            repairs: repairs(&self.repairs),
            maintenance: maintenance(&self.work, period),
            at_once: self.at_once.cloned(),
        }
    }

    fn failures(&self, period: Span) -> Failures {
        let of = |class| self.episodes.iter().filter(move |one| one.class == class);
        let count = of(EpisodeClass::Failure).count() as u64;
        let in_use = of(EpisodeClass::Failure).filter(|one| one.in_use).count() as u64;
        let between = |micros: i64, events: u64| (events > 0).then(|| micros as f64 / events as f64);
        let times: Vec<f64> = of(EpisodeClass::Failure)
            .filter(|one| self.whole.contains(one.device.as_str()))
            .map(|one| (one.onset.0 - period.from.0) as f64 / MICROS_PER_YEAR)
            .collect();
        Failures {
            count,
            repeats: of(EpisodeClass::Repeat).count() as u64,
            interrupts: of(EpisodeClass::Interrupt).count() as u64,
            in_use,
            without_down: of(EpisodeClass::Failure).filter(|one| one.down_micros == 0).count() as u64,
            rate: Rate::of_micros(count, self.measure.in_service),
            between_calendar_micros: between(self.measure.in_service, count),
            between_uptime_micros: between(self.measure.up(), count),
            between_use_micros: between(self.measure.productive, in_use),
            trend: laplace(&times, period.micros() as f64 / MICROS_PER_YEAR),
            trend_devices: self.whole.len() as u64,
        }
    }
}

fn off_line(downtimes: &[&Downtime]) -> OffLine {
    OffLine {
        count: downtimes.len() as u64,
        open: downtimes.iter().filter(|one| !one.ended).count() as u64,
        micros: downtimes.iter().map(|one| one.unscheduled_micros + one.scheduled_micros).sum(),
    }
}

fn repairs(orders: &[&Repair]) -> Repairs {
    let clock = |of: fn(&Repair) -> Option<Duration>| {
        let told: Vec<Duration> = orders.iter().filter_map(|order| of(order)).collect();
        summary(&told)
    };
    let sum = |of: fn(&Repair) -> i64| orders.iter().map(|order| of(order)).sum();
    Repairs {
        response: clock(|order| order.response),
        response_not_told: orders.iter().filter(|order| order.response.is_none()).count() as u64,
        active: clock(|order| order.active),
        turnaround: clock(|order| Some(order.turnaround)),
        parts: clock(|order| order.parts),
        parts_micros: sum(|order| order.parts_micros),
        vendor_micros: sum(|order| order.vendor_micros),
        facility_micros: sum(|order| order.facility_micros),
        own_micros: sum(|order| order.own_micros),
    }
}

/// Work that was carried into the period is shown apart: the share is of what was due in it.
fn maintenance(work: &[&PmWork], period: Span) -> Maintenance {
    let mut sums = Maintenance::default();
    for one in work {
        if one.due < period.from {
            sums.carried += 1;
            continue;
        }
        sums.due += u64::from(one.state != PmState::NotDue);
        match one.state {
            PmState::OnTime => sums.on_time += 1,
            PmState::Late => sums.late += 1,
            PmState::Overdue => sums.overdue += 1,
            PmState::NotDue => sums.not_due += 1,
        }
    }
    sums
}
