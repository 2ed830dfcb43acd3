//! The views as typed rows, for whoever goes on to compute with them.

mod amended;
mod evidence;
mod time;
mod work;

use medfleet_domain::time::Timestamp;
use medfleet_lake::SessionContext;
use serde::Serialize;

use crate::answer::{Answer, Line};
use crate::error::KpiError;
use crate::question::Question;
use crate::registry::view;
use crate::stats::survival::Duration;

pub use amended::{
    Amended, AmendedCounter, AmendedWork, Records, Spent, Stood, amended_counters, amended_work, amendments,
};
pub use evidence::{Evidence, evidence};
pub use time::{AtOnce, Backdated, Concurrency, Uptime, backdated, concurrency, uptime};
pub use work::{Cycles, CyclesBetween, PmState, PmWork, Reliability, cycles, cycles_between_failures, pm, reliability};

/// What sort of trouble an episode was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EpisodeClass {
    Failure,
    /// Within seven days after the end of the one before.
    Repeat,
    /// Ended by itself, and nobody opened an order.
    Interrupt,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub class: EpisodeClass,
    pub evidence: String,
    pub onset: Timestamp,
    pub ended: Option<Timestamp>,
    pub down_micros: i64,
    pub downs: i64,
    pub in_use: bool,
    pub work_order: Option<String>,
    pub cause_code: Option<String>,
}

/// One time off line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downtime {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub onset: Timestamp,
    pub until: Timestamp,
    pub unscheduled_micros: i64,
    pub scheduled_micros: i64,
    pub ended: bool,
}

/// One corrective order and its clocks, as far as they have run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub work_order: String,
    pub cause_code: Option<String>,
    pub opened: Timestamp,
    pub finished: Option<Timestamp>,
    /// None: nobody told of an arrival or a remote connection, and the order went on.
    pub response: Option<Duration>,
    /// None: it has not begun, or nobody told when.
    pub active: Option<Duration>,
    pub turnaround: Duration,
    /// None: it never waited for parts.
    pub parts: Option<Duration>,
    pub parts_micros: i64,
    pub vendor_micros: i64,
    pub facility_micros: i64,
    /// Waiting for us or the user.
    pub own_micros: i64,
}

pub async fn failures(session: &SessionContext, question: &Question) -> Result<Vec<Episode>, KpiError> {
    ask(session, "failures", question, |line| {
        let class = match &*line.text("class")? {
            "failure" => EpisodeClass::Failure,
            "repeat" => EpisodeClass::Repeat,
            "interrupt" => EpisodeClass::Interrupt,
            other => return Err(KpiError::Word { column: "class", what: "class", value: other.to_owned() }),
        };
        Ok(Episode {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            class,
            evidence: line.text("evidence")?,
            onset: line.time("onset_us")?,
            ended: line.some_time("ended_us")?,
            down_micros: line.int("down_us")?,
            downs: line.int("downs")?,
            in_use: line.flag("in_use")?,
            work_order: line.some_text("work_order")?,
            cause_code: line.some_text("cause_code")?,
        })
    })
    .await
}

pub async fn downtimes(session: &SessionContext, question: &Question) -> Result<Vec<Downtime>, KpiError> {
    ask(session, "downtimes", question, |line| {
        Ok(Downtime {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            onset: line.time("onset_us")?,
            until: line.time("until_us")?,
            unscheduled_micros: line.int("unscheduled_us")?,
            scheduled_micros: line.int("scheduled_us")?,
            ended: line.flag("ended")?,
        })
    })
    .await
}

pub async fn repairs(session: &SessionContext, question: &Question) -> Result<Vec<Repair>, KpiError> {
    ask(session, "repairs", question, |line| {
        let clock = |micros: i64, ended: &str| Ok::<_, KpiError>(Duration { micros, ended: line.flag(ended)? });
        Ok(Repair {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            work_order: line.text("work_order")?,
            cause_code: line.some_text("cause_code")?,
            opened: line.time("opened_us")?,
            finished: line.some_time("finished_us")?,
            response: line.some_int("response_us")?.map(|micros| clock(micros, "responded")).transpose()?,
            active: line.some_int("repair_us")?.map(|micros| clock(micros, "repaired")).transpose()?,
            turnaround: clock(line.int("turnaround_us")?, "finished")?,
            parts: match line.int("parts_waits")? {
                0 => None,
                _ => Some(clock(line.int("parts_us")?, "parts_arrived")?),
            },
            parts_micros: line.int("parts_us")?,
            vendor_micros: line.int("vendor_us")?,
            facility_micros: line.int("facility_us")?,
            own_micros: line.int("own_us")?,
        })
    })
    .await
}

/// Runs one view and reads its rows.
pub(crate) async fn ask<T>(
    session: &SessionContext,
    name: &str,
    question: &Question,
    read: impl Fn(&Line<'_>) -> Result<T, KpiError>,
) -> Result<Vec<T>, KpiError> {
    Answer::new(view(name)?.run(session, question).await?)?.read(read)
}
