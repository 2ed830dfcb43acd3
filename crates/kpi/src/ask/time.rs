//! Typed rows of the views about time: uptime, shares in use, terms recorded late.

use medfleet_domain::time::{Day, Timestamp};
use medfleet_lake::SessionContext;

use super::ask;
use crate::answer::Line;
use crate::error::KpiError;
use crate::measure::{Measure, Ratio, ratio};
use crate::question::Question;

/// One device at one site over the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uptime {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub measure: Measure,
}

pub async fn uptime(session: &SessionContext, question: &Question) -> Result<Vec<Uptime>, KpiError> {
    ask(session, "uptime", question, |line| {
        let in_service = line.int("in_service_us")?;
        let measure = Measure {
            devices: i64::from(in_service > 0),
            monitored: 0,
            in_service,
            base: line.int("base_us")?,
            productive: line.int("productive_us")?,
            standby: line.int("standby_us")?,
            engineering: line.int("engineering_us")?,
            scheduled_down: line.int("scheduled_down_us")?,
            unscheduled_down: line.int("unscheduled_down_us")?,
            assumed: line.int("assumed_us")?,
            conflict: line.int("conflict_us")?,
            base_productive: line.int("base_productive_us")?,
            base_up: line.int("base_up_us")?,
            base_scheduled_down: line.int("base_scheduled_down_us")?,
            base_unscheduled_down: line.int("base_unscheduled_down_us")?,
            base_conflict: line.int("base_conflict_us")?,
            base_own_wait: line.int("base_own_wait_us")?,
            base_supplier_wait: line.int("base_supplier_wait_us")?,
            base_facility_wait: line.int("base_facility_wait_us")?,
        };
        let monitored = i64::from(in_service > 0 && measure.known() > 0);
        Ok(Uptime {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            measure: Measure { monitored, ..measure },
        })
    })
    .await
}

/// How many devices of a site and kind are in use at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    pub site: String,
    pub kind: String,
    /// Quarter-hours of which something is known, and those of which nothing is.
    pub quarters: i64,
    pub unknown_quarters: i64,
    /// Over all quarter-hours.
    pub in_use: i64,
    pub known: i64,
    pub in_service: i64,
    pub median: AtOnce,
    pub p95: AtOnce,
    pub peak: AtOnce,
}

/// In use in the quarter-hour of one rank, beside what it is a share of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtOnce {
    /// Of what is known. None: nothing is known of any quarter-hour.
    pub known: Option<(i64, i64)>,
    /// Of what is in service, were all unknown time idle, and were all of it use: of every quarter-hour, ranked anew.
    pub worst: (i64, i64),
    pub best: (i64, i64),
}

impl Concurrency {
    /// One of the ranks as a share with its bounds; its coverage is that of the whole period.
    pub fn share(&self, of: &AtOnce) -> Option<Ratio> {
        let (over, under) = of.known?;
        let value = ratio(over, under)?;
        let (worst, best) = ratio(of.worst.0, of.worst.1).zip(ratio(of.best.0, of.best.1))?;
        Some(Ratio { over, under, value, worst, best, coverage: ratio(self.known, self.in_service)? })
    }
}

pub async fn concurrency(session: &SessionContext, question: &Question) -> Result<Vec<Concurrency>, KpiError> {
    ask(session, "concurrency", question, |line| {
        Ok(Concurrency {
            site: line.text("site")?,
            kind: line.text("kind")?,
            quarters: line.int("quarters")?,
            unknown_quarters: line.int("unknown_quarters")?,
            in_use: line.int("in_use_us")?,
            known: line.int("known_us")?,
            in_service: line.int("in_service_us")?,
            median: at_once(line, "median")?,
            p95: at_once(line, "p95")?,
            peak: at_once(line, "peak")?,
        })
    })
    .await
}

fn at_once(line: &Line<'_>, rank: &str) -> Result<AtOnce, KpiError> {
    let part = |name: &str| line.some_int(&format!("{rank}_{name}_us"));
    let whole = |name: &str| line.int(&format!("{rank}_{name}_us"));
    Ok(AtOnce {
        known: part("in_use")?.zip(part("known")?),
        worst: (whole("worst_in_use")?, whole("worst_in_service")?),
        best: (whole("best_in_use")?, whole("best_in_service")?),
    })
}

/// A calendar or contract that was recorded after the period it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backdated {
    pub what: String,
    pub site: String,
    pub kind: Option<String>,
    pub contract: Option<String>,
    pub valid_from: Day,
    pub recorded: Timestamp,
    pub log_partition: i64,
    pub log_offset: i64,
}

pub async fn backdated(session: &SessionContext, question: &Question) -> Result<Vec<Backdated>, KpiError> {
    ask(session, "backdated", question, |line| {
        Ok(Backdated {
            what: line.text("what")?,
            site: line.text("site")?,
            kind: line.some_text("kind")?,
            contract: line.some_text("contract")?,
            valid_from: Day(i32::try_from(line.int("valid_from_day")?).unwrap_or_default()),
            recorded: line.time("recorded_us")?,
            log_partition: line.int("log_partition")?,
            log_offset: line.int("log_offset")?,
        })
    })
    .await
}
