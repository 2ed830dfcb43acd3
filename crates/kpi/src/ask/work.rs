//! Typed rows of the views about work: reliability, cycles, planned maintenance.

use medfleet_domain::time::{Day, Timestamp};
use medfleet_lake::SessionContext;
use serde::Serialize;

use super::ask;
use crate::error::KpiError;
use crate::question::Question;

/// One device at one site: its exposures, and what failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reliability {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub make: Option<String>,
    pub model: Option<String>,
    pub in_service_day: Option<Day>,
    pub in_service_micros: i64,
    pub up_micros: i64,
    pub productive_micros: i64,
    pub down_micros: i64,
    pub unscheduled_down_micros: i64,
    pub failures: u64,
    pub repeats: u64,
    pub interrupts: u64,
    pub failures_in_use: u64,
    pub failures_without_down: u64,
}

pub async fn reliability(session: &SessionContext, question: &Question) -> Result<Vec<Reliability>, KpiError> {
    ask(session, "reliability", question, |line| {
        let count = |name| Ok::<_, KpiError>(line.int(name)?.max(0).unsigned_abs());
        let day = line.some_int("in_service_day")?.and_then(|day| i32::try_from(day).ok());
        Ok(Reliability {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            make: line.some_text("make")?,
            model: line.some_text("model")?,
            in_service_day: day.map(Day),
            in_service_micros: line.int("in_service_us")?,
            up_micros: line.int("up_us")?,
            productive_micros: line.int("productive_us")?,
            down_micros: line.int("down_us")?,
            unscheduled_down_micros: line.int("unscheduled_down_us")?,
            failures: count("failures")?,
            repeats: count("repeats")?,
            interrupts: count("interrupts")?,
            failures_in_use: count("failures_in_use")?,
            failures_without_down: count("failures_without_down")?,
        })
    })
    .await
}

/// What one counter of one device gained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycles {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub counter: String,
    pub component: Option<String>,
    pub unit: String,
    pub source: String,
    pub gained_milli: i64,
    pub samples: i64,
    pub resets: i64,
    pub last: Option<Timestamp>,
    /// What it read then.
    pub reading_milli: i64,
}

pub async fn cycles(session: &SessionContext, question: &Question) -> Result<Vec<Cycles>, KpiError> {
    ask(session, "cycles", question, |line| {
        Ok(Cycles {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            counter: line.text("counter")?,
            component: line.some_text("component")?,
            unit: line.text("unit")?,
            source: line.text("source")?,
            gained_milli: line.int("gained_milli")?,
            samples: line.int("samples")?,
            resets: line.int("resets")?,
            last: line.some_time("last_us")?,
            reading_milli: line.int("reading_milli")?,
        })
    })
    .await
}

/// What one counter of one device gained, and how often the device failed meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CyclesBetween {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub counter: String,
    pub component: Option<String>,
    pub unit: String,
    pub source: String,
    pub gained_milli: i64,
    /// Each makes the gain a lower bound.
    pub resets: i64,
    pub failures: u64,
}

pub async fn cycles_between_failures(
    session: &SessionContext,
    question: &Question,
) -> Result<Vec<CyclesBetween>, KpiError> {
    ask(session, "cycles_between_failures", question, |line| {
        Ok(CyclesBetween {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            counter: line.text("counter")?,
            component: line.some_text("component")?,
            unit: line.text("unit")?,
            source: line.text("source")?,
            gained_milli: line.int("gained_milli")?,
            resets: line.int("resets")?,
            failures: line.int("failures")?.max(0).unsigned_abs(),
        })
    })
    .await
}

/// How planned maintenance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PmState {
    OnTime,
    Late,
    Overdue,
    NotDue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PmWork {
    pub device: String,
    pub site: String,
    pub kind: String,
    /// Of the kind: life_support, high, medium, low or not_classed.
    pub risk_class: String,
    pub procedure: String,
    pub work_order: Option<String>,
    pub due: Timestamp,
    pub done: Option<Timestamp>,
    /// Why it was not done when it was tried.
    pub reason: Option<String>,
    /// Due before the period and not done when it began.
    pub carried: bool,
    pub state: PmState,
}

pub async fn pm(session: &SessionContext, question: &Question) -> Result<Vec<PmWork>, KpiError> {
    ask(session, "pm", question, |line| {
        let state = match &*line.text("state")? {
            "on_time" => PmState::OnTime,
            "late" => PmState::Late,
            "overdue" => PmState::Overdue,
            "not_due" => PmState::NotDue,
            other => return Err(KpiError::Word { column: "state", what: "state", value: other.to_owned() }),
        };
        Ok(PmWork {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            risk_class: line.text("risk_class")?,
            procedure: line.text("procedure")?,
            work_order: line.some_text("work_order")?,
            due: line.time("due_us")?,
            done: line.some_time("done_us")?,
            reason: line.some_text("reason")?,
            carried: line.flag("carried")?,
            state,
        })
    })
    .await
}
