//! Devices: the list, one of them, and what happened to it.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{CutInfo, Figures, PeriodInfo, open_cut, scope};
use crate::live::Present;
use crate::measure::Measure;
use crate::period::{PeriodQuery, SeenQuery};
use crate::problem::Problem;
use crate::query::{self, DeviceFilter, DeviceVersion, Scope};
use crate::service::App;
use crate::timeline::{merged, without_holes};

const PAGE_DEVICES_DEFAULT: usize = 100;
const PAGE_DEVICES_MAX: usize = 1_000;
const UNKNOWN_CURE: &str = "look it up under /api/v1/devices, or register it first";

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    pub site: Option<String>,
    pub kind: Option<String>,
    /// Found in name, make, model, serial, asset number or room.
    pub q: Option<String>,
    /// Go on after this device: `next` of the page before.
    pub after: Option<String>,
    /// 1 to 1000, 100 when nothing is said.
    pub limit: Option<String>,
}

/// A device as the inventory has it at the time of the cut, or had it as far as was known or had happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceOut {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub make: Option<String>,
    pub model: Option<String>,
    pub serial: Option<String>,
    pub department: Option<String>,
    pub room: Option<String>,
    pub asset_number: Option<String>,
    pub in_service: bool,
    pub in_service_day: Option<String>,
    pub end_of_support_day: Option<String>,
    pub on_loan_to: Option<String>,
    pub cost_centre: Option<String>,
    pub ownership: Option<String>,
    pub valid_from: String,
    pub valid_until: Option<String>,
}

impl From<DeviceVersion> for DeviceOut {
    fn from(of: DeviceVersion) -> Self {
        Self {
            device: of.device,
            site: of.site,
            kind: of.kind,
            make: of.make,
            model: of.model,
            serial: of.serial,
            department: of.department,
            room: of.room,
            asset_number: of.asset_number,
            in_service: of.in_service,
            in_service_day: of.in_service_day.map(|day| day.to_string()),
            end_of_support_day: of.end_of_support_day.map(|day| day.to_string()),
            on_loan_to: of.on_loan_to,
            cost_centre: of.cost_centre,
            ownership: of.ownership,
            valid_from: of.from.to_string(),
            valid_until: of.until.map(|at| at.to_string()),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DevicesOut {
    pub cut: CutInfo,
    pub devices: Vec<DeviceOut>,
    /// Devices that fit the filters, over all pages.
    pub total: usize,
    /// Ask again with `after` set to this; absent on the last page.
    pub next: Option<String>,
}

/// Devices in the order of their names, page by page.
#[utoipa::path(get, path = "/api/v1/devices", tag = "fleet", params(ListQuery, SeenQuery),
    responses((status = 200, body = DevicesOut), (status = 400, body = Problem)))]
pub async fn list(
    State(app): State<App>,
    Query(asked): Query<ListQuery>,
    Query(seen): Query<SeenQuery>,
) -> Result<Json<DevicesOut>, Problem> {
    let limit = read_limit(asked.limit.as_deref())?;
    let open = open_cut(&app, &seen.into()).await?;
    let filter = DeviceFilter { site: asked.site, kind: asked.kind, text: asked.q };
    let found = query::devices(&open, &filter).await?;
    let total = found.len();
    let after = asked.after.unwrap_or_default();
    let mut rest = found.into_iter().filter(|device| device.device > after);
    let devices: Vec<DeviceOut> = rest.by_ref().take(limit).map(DeviceOut::from).collect();
    let next = rest.next().and_then(|_| devices.last().map(|last| last.device.clone()));
    Ok(Json(DevicesOut { cut: CutInfo::of(&app, &open).await, devices, total, next }))
}

fn read_limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(PAGE_DEVICES_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_DEVICES_MAX).contains(limit));
    limit.ok_or_else(|| Problem::bad_value("limit", text, "use a whole number from 1 to 1000"))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OneDeviceOut {
    pub cut: CutInfo,
    /// As it stands at the cut, or stood last.
    pub device: DeviceOut,
    /// What it is now; absent for a device that is not in service.
    pub present: Option<Present>,
    /// Every version of its entry, oldest first.
    pub versions: Vec<DeviceOut>,
    pub period: PeriodInfo,
    pub figures: Figures,
}

/// One device: inventory, present state and uptime over a period.
#[utoipa::path(get, path = "/api/v1/devices/{device}", tag = "device", params(("device" = String, Path), PeriodQuery),
    responses((status = 200, body = OneDeviceOut), (status = 404, body = Problem)))]
pub async fn one(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(period): Query<PeriodQuery>,
) -> Result<Json<OneDeviceOut>, Problem> {
    let (open, period) = scope(&app, &period).await?;
    let versions = query::device(&open, &name).await?;
    let current = versions.iter().rev().find(|version| version.holds_at(open.at())).or(versions.last());
    let current = current.ok_or_else(|| Problem::not_found("device", &name, UNKNOWN_CURE))?.clone();
    let live = open.live().await?;
    let present = live.iter().find(|device| device.device == name).map(|device| device.present(open.made_at()));
    let rows = query::uptime_by_device(&open, period, Scope { device: &name, ..Scope::default() }).await?;
    let measure: Measure = rows.into_iter().map(|row| row.measure).sum();
    Ok(Json(OneDeviceOut {
        cut: CutInfo::of(&app, &open).await,
        device: current.into(),
        present,
        versions: versions.into_iter().map(DeviceOut::from).collect(),
        period: period.into(),
        figures: Figures::from(&measure),
    }))
}

/// A condition over a span of time. Spans follow each other without holes; silence is `unknown` with origin `gap`.
#[derive(Debug, Serialize, ToSchema)]
pub struct PieceOut {
    /// ledger, claim (a person's, beyond the ledger's edge), live (provisional) or gap.
    pub origin: String,
    pub from: String,
    pub until: String,
    pub condition: String,
    pub degradation: String,
    pub reason: Option<String>,
    pub source_kind: String,
    pub assumed: bool,
    pub conflict: bool,
    pub claim: bool,
    pub author: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineOut {
    pub cut: CutInfo,
    pub period: PeriodInfo,
    pub timeline: Vec<PieceOut>,
}

/// What a device was, second by second, over a period.
#[utoipa::path(get, path = "/api/v1/devices/{device}/timeline", tag = "device",
    params(("device" = String, Path), PeriodQuery),
    responses((status = 200, body = TimelineOut), (status = 404, body = Problem)))]
pub async fn timeline(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(asked): Query<PeriodQuery>,
) -> Result<Json<TimelineOut>, Problem> {
    let open = open_cut(&app, &asked).await?;
    let period = asked.read_open(open.at())?;
    known(&open, &name).await?;
    let pieces = merged(without_holes(query::timeline(&open, &name, period).await?, period));
    let out = |piece: query::Piece| PieceOut {
        origin: piece.origin.as_str().to_owned(),
        from: piece.from.to_string(),
        until: piece.until.to_string(),
        condition: piece.condition,
        degradation: piece.degradation,
        reason: piece.reason,
        source_kind: piece.source_kind,
        assumed: piece.assumed,
        conflict: piece.conflict,
        claim: piece.claim,
        author: piece.author,
    };
    let timeline = pieces.into_iter().map(out).collect();
    Ok(Json(TimelineOut { cut: CutInfo::of(&app, &open).await, period: period.into(), timeline }))
}

pub(super) async fn known(open: &crate::cuts::OpenCut, name: &str) -> Result<(), Problem> {
    match query::device(open, name).await?.is_empty() {
        true => Err(Problem::not_found("device", name, UNKNOWN_CURE)),
        false => Ok(()),
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorOut {
    pub at: String,
    pub code: String,
    pub family: Option<String>,
    pub severity: String,
    pub component: Option<String>,
    pub text: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorsOut {
    pub cut: CutInfo,
    pub period: PeriodInfo,
    pub errors: Vec<ErrorOut>,
}

/// Error codes a device reported over a period, newest first.
#[utoipa::path(get, path = "/api/v1/devices/{device}/errors", tag = "device",
    params(("device" = String, Path), PeriodQuery), responses((status = 200, body = ErrorsOut)))]
pub async fn errors(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(asked): Query<PeriodQuery>,
) -> Result<Json<ErrorsOut>, Problem> {
    let open = open_cut(&app, &asked).await?;
    let period = asked.read_open(open.at())?;
    known(&open, &name).await?;
    let out = |one: query::Reported| {
        let query::Reported { at, code, family, severity, component, text } = one;
        ErrorOut { at: at.to_string(), code, family, severity, component, text }
    };
    let errors = query::errors(&open, &name, period).await?.into_iter().map(out).collect();
    Ok(Json(ErrorsOut { cut: CutInfo::of(&app, &open).await, period: period.into(), errors }))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CounterOut {
    pub counter: String,
    pub component: Option<String>,
    pub unit: String,
    pub source: String,
    /// In `unit`; a lower bound where there were resets.
    pub gained: f64,
    pub samples: i64,
    pub resets: i64,
    pub last_sample_at: Option<String>,
    /// What the counter read then, in `unit`.
    pub reading: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct UsageOut {
    pub cut: CutInfo,
    pub period: PeriodInfo,
    pub counters: Vec<CounterOut>,
}

/// What each counter of a device gained over a period.
#[utoipa::path(get, path = "/api/v1/devices/{device}/usage", tag = "device",
    params(("device" = String, Path), PeriodQuery), responses((status = 200, body = UsageOut)))]
pub async fn usage(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(asked): Query<PeriodQuery>,
) -> Result<Json<UsageOut>, Problem> {
    let open = open_cut(&app, &asked).await?;
    let period = asked.read_open(open.at())?;
    known(&open, &name).await?;
    let out = |one: medfleet_kpi::ask::Cycles| CounterOut {
        counter: one.counter,
        component: one.component,
        unit: one.unit,
        source: one.source,
        gained: one.gained_milli as f64 / 1e3,
        samples: one.samples,
        resets: one.resets,
        reading: one.reading_milli as f64 / 1e3,
        last_sample_at: one.last.map(|at| at.to_string()),
    };
    let counters = query::counters(&open, &name, period).await?.into_iter().map(out).collect();
    Ok(Json(UsageOut { cut: CutInfo::of(&app, &open).await, period: period.into(), counters }))
}
