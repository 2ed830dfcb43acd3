//! The REST API, version 1: JSON with its cut, problem details where something is wrong.

pub mod alerts;
pub mod contracts;
pub mod devices;
pub mod evidence;
pub mod facts;
pub mod fleet;
pub mod kpi;
pub mod live;
pub mod pipeline;
pub mod probes;
pub mod risk;
pub mod scoreboard;
pub mod sheet;
pub mod statements;
pub mod table;
pub mod terms;
pub mod workbook;

use std::sync::Arc;

use medfleet_domain::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::cuts::{OpenCut, lag_records};
use crate::measure::{Bounds, Measure};
use crate::period::{Period, PeriodQuery};
use crate::problem::Problem;
use crate::query;
use crate::service::App;

/// What an answer knows of the log: no answer is silently partial.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CutInfo {
    pub number: i64,
    pub made_at: String,
    pub age_seconds: i64,
    /// Only what was known before this instant was asked for.
    pub as_of: Option<String>,
    /// Only what had happened before this instant was asked for.
    pub at: Option<String>,
    /// Append time of the newest fact it contains.
    pub newest_appended_at: Option<String>,
    /// Records in the log that it does not contain; absent when the log does not say.
    pub lag_records: Option<i64>,
}

impl CutInfo {
    pub async fn of(app: &App, open: &OpenCut) -> Self {
        Self {
            number: open.cut.number,
            made_at: Timestamp(open.cut.made_at.0).to_string(),
            age_seconds: ((query::now().0 - open.cut.made_at.0) / 1_000_000).max(0),
            as_of: open.as_of_instant().map(|at| at.to_string()),
            at: open.before().map(|at| at.to_string()),
            newest_appended_at: open.newest_appended().map(|at| at.to_string()),
            lag_records: lag_records(&open.cut, app.log.as_ref()).await.ok(),
        }
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PeriodInfo {
    pub from: String,
    /// Excluded; the cut's quarter-hour when more was asked for.
    pub until: String,
}

impl From<Period> for PeriodInfo {
    fn from(period: Period) -> Self {
        Self { from: period.from.to_string(), until: period.until.to_string() }
    }
}

/// The cut a question is about, and its period up to it.
pub async fn scope(app: &App, asked: &PeriodQuery) -> Result<(Arc<OpenCut>, Period), Problem> {
    let open = open_cut(app, asked).await?;
    let period = asked.read(open.at())?;
    Ok((open, period))
}

/// The cut a question is about: as far as it was known, and as far as things had happened, when it says so.
pub async fn open_cut(app: &App, asked: &PeriodQuery) -> Result<Arc<OpenCut>, Problem> {
    let (as_of, at) = (asked.as_of()?, asked.at()?);
    let open = app.cuts.find(asked.cut()?).await?;
    Ok(app.cuts.seen(open, as_of, at).await?)
}

/// Ratios with the seconds they are made of. A ratio is absent where there is nothing to divide by.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Figures {
    pub registered_devices: i64,
    pub monitored_devices: i64,
    /// Up ÷ known.
    pub uptime: Option<f64>,
    /// Known ÷ registered.
    pub coverage: Option<f64>,
    /// Uptime of all registered time if the unknown was down.
    pub uptime_worst: Option<f64>,
    /// Uptime of all registered time if the unknown was up.
    pub uptime_best: Option<f64>,
    /// Productive ÷ known, around the clock.
    pub utilization: Option<f64>,
    /// Utilization of all registered time if nothing unknown was in use.
    pub utilization_worst: Option<f64>,
    /// Utilization of all registered time if all unknown was in use.
    pub utilization_best: Option<f64>,
    /// Up ÷ known, within base hours.
    pub base_hours_uptime: Option<f64>,
    pub base_hours_uptime_worst: Option<f64>,
    pub base_hours_uptime_best: Option<f64>,
    /// Known ÷ registered, within base hours.
    pub base_hours_coverage: Option<f64>,
    /// Productive ÷ known, within base hours.
    pub base_hours_utilization: Option<f64>,
    pub base_hours_utilization_worst: Option<f64>,
    pub base_hours_utilization_best: Option<f64>,
    pub seconds: Seconds,
}

/// Device-seconds.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Seconds {
    pub registered: f64,
    pub known: f64,
    pub unknown: f64,
    pub productive: f64,
    pub standby: f64,
    pub engineering: f64,
    pub scheduled_down: f64,
    pub unscheduled_down: f64,
    /// Of the known, what an import assumed.
    pub assumed: f64,
    /// Of the down, when use was seen.
    pub conflict: f64,
    pub base_hours_registered: f64,
    pub base_hours_known: f64,
    pub base_hours_up: f64,
    pub base_hours_productive: f64,
}

impl From<&Measure> for Figures {
    fn from(measure: &Measure) -> Self {
        let (bounds, used) = (measure.bounds(), measure.utilization_bounds());
        let (base_bounds, base_used) = (measure.base_bounds(), measure.base_utilization_bounds());
        Self {
            registered_devices: measure.devices,
            monitored_devices: measure.monitored,
            uptime: measure.uptime(),
            coverage: measure.coverage(),
            uptime_worst: Bounds::worst(bounds),
            uptime_best: Bounds::best(bounds),
            utilization: measure.utilization(),
            utilization_worst: Bounds::worst(used),
            utilization_best: Bounds::best(used),
            base_hours_uptime: measure.base_uptime(),
            base_hours_uptime_worst: Bounds::worst(base_bounds),
            base_hours_uptime_best: Bounds::best(base_bounds),
            base_hours_coverage: measure.base_coverage(),
            base_hours_utilization: measure.base_utilization(),
            base_hours_utilization_worst: Bounds::worst(base_used),
            base_hours_utilization_best: Bounds::best(base_used),
            seconds: Seconds::from(measure),
        }
    }
}

impl From<&Measure> for Seconds {
    fn from(measure: &Measure) -> Self {
        let seconds = |micros: i64| micros as f64 / 1e6;
        Self {
            registered: seconds(measure.registered),
            known: seconds(measure.known()),
            unknown: seconds(measure.unknown()),
            productive: seconds(measure.productive),
            standby: seconds(measure.standby),
            engineering: seconds(measure.engineering),
            scheduled_down: seconds(measure.scheduled_down),
            unscheduled_down: seconds(measure.unscheduled_down),
            assumed: seconds(measure.assumed),
            conflict: seconds(measure.conflict),
            base_hours_registered: seconds(measure.base_registered),
            base_hours_known: seconds(measure.base_known()),
            base_hours_up: seconds(measure.base_up),
            base_hours_productive: seconds(measure.base_productive),
        }
    }
}
