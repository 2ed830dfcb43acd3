//! KPI views as they are, scorecards of groups, and sites compared.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use medfleet_kpi::comparison::{self, By};
use medfleet_kpi::figures::figures;
use medfleet_kpi::registry::{self, View};
use medfleet_kpi::scorecard::{self, Group, scorecards};
use medfleet_kpi::table::{Table, by_word, listed};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::table::{ColumnOut, Format, NarrowQuery, Outgoing, TableOut};
use super::{CutInfo, scope};
use crate::kpi::{compared, question};
use crate::period::{PeriodQuery, read_instant};
use crate::problem::Problem;
use crate::query::Scope;
use crate::service::App;

/// A KPI view: a name, what one row of it is, what its columns mean.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViewOut {
    pub name: String,
    pub one_row: String,
    pub columns: Vec<ColumnOut>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ViewsOut {
    pub views: Vec<ViewOut>,
}

// The functions have the columns of the views, `uptime` alone has not: here a row of it is a device with raw sums, in SQL a site and
// kind with its ratios; a device with its ratios is `uptime_by_device` there.
/// Every KPI view; the same names are functions in SQL.
#[utoipa::path(get, path = "/api/v1/kpi", tag = "kpi", responses((status = 200, body = ViewsOut)))]
pub async fn views() -> Json<ViewsOut> {
    let out = |view: &View| ViewOut {
        name: view.name.to_owned(),
        one_row: view.one_row(),
        columns: view.headings().into_iter().map(ColumnOut::from).collect(),
    };
    Json(ViewsOut { views: registry::views().iter().map(out).collect() })
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ClosedQuery {
    /// For amendments: what the log took before this UTC day or instant was in time. The end of the period when nothing
    /// is said.
    pub closed: Option<String>,
}

impl NarrowQuery {
    pub fn scope(&self) -> Scope<'_> {
        Scope {
            site: self.site.as_deref().unwrap_or_default(),
            kind: self.kind.as_deref().unwrap_or_default(),
            device: self.device.as_deref().unwrap_or_default(),
        }
    }
}

/// The rows of one KPI view over a period.
#[utoipa::path(get, path = "/api/v1/kpi/{view}", tag = "kpi",
    params(("view" = String, Path), PeriodQuery, NarrowQuery, ClosedQuery),
    responses((status = 200, body = TableOut), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn rows(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(period): Query<PeriodQuery>,
    Query(narrow): Query<NarrowQuery>,
    Query(closed): Query<ClosedQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let unknown = |_| Problem::not_found("KPI view", &name, "look it up under /api/v1/kpi");
    let view = registry::view(&name).map_err(unknown)?;
    let format = Format::of(narrow.format.as_deref(), &headers)?;
    let (open, period) = scope(&app, &period).await?;
    let mut question = question(&open, period, narrow.scope());
    if let Some(text) = closed.closed.as_deref().filter(|text| !text.is_empty()) {
        let cure = "write a day as 2026-03-01 or an instant as 2026-03-01T06:15:00Z";
        question = question.closed_at(read_instant(text).ok_or_else(|| Problem::bad_value("closed", text, cure))?);
    }
    let table = view.table(open.kpi().await?, &question).await.map_err(crate::ApiError::from)?;
    let cut = CutInfo::of(&app, &open).await;
    Outgoing { name, one_row: view.one_row(), cut, period: period.into(), table }.answer(format)
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GroupQuery {
    /// fleet, site, kind, site_kind (when nothing is said) or device.
    pub group: Option<String>,
}

impl GroupQuery {
    fn read(&self) -> Result<Group, Problem> {
        let word = self.group.as_deref().unwrap_or_default();
        let cure = || format!("use one of {}", listed(&Group::WORDS));
        by_word(&Group::WORDS, word).ok_or_else(|| Problem::bad_value("group", word, &cure()))
    }
}

/// Every figure of each group: uptimes, utilization, failures, repairs, maintenance, each with its parts and bounds.
#[utoipa::path(get, path = "/api/v1/scorecards", tag = "kpi", params(PeriodQuery, NarrowQuery, GroupQuery),
    responses((status = 200, body = TableOut), (status = 400, body = Problem)))]
pub async fn scorecard(
    State(app): State<App>,
    Query(period): Query<PeriodQuery>,
    Query(narrow): Query<NarrowQuery>,
    Query(group): Query<GroupQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (group, format) = (group.read()?, Format::of(narrow.format.as_deref(), &headers)?);
    let (open, period) = scope(&app, &period).await?;
    let question = question(&open, period, narrow.scope());
    let cards = scorecards(open.kpi().await?, &question, group).await.map_err(crate::ApiError::from)?;
    Outgoing {
        name: "scorecards".to_owned(),
        one_row: scorecard::ONE_ROW.to_owned(),
        cut: CutInfo::of(&app, &open).await,
        period: period.into(),
        table: Table::of(&figures(), &cards),
    }
    .answer(format)
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ByQuery {
    /// failures (when nothing is said) or downtime, in hours of unscheduled downtime.
    pub by: Option<String>,
}

/// Sites compared with the fleet: observed and expected, funnel, shrinkage and the places that can be told apart.
#[utoipa::path(get, path = "/api/v1/comparison", tag = "kpi", params(PeriodQuery, NarrowQuery, ByQuery),
    responses((status = 200, body = TableOut), (status = 400, body = Problem)))]
pub async fn compare(
    State(app): State<App>,
    Query(period): Query<PeriodQuery>,
    Query(narrow): Query<NarrowQuery>,
    Query(by): Query<ByQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let word = by.by.as_deref().unwrap_or_default();
    let cure = || format!("use one of {}", listed(&By::WORDS));
    let by = by_word(&By::WORDS, word).ok_or_else(|| Problem::bad_value("by", word, &cure()))?;
    if let Some(site) = narrow.site.as_deref().filter(|site| !site.is_empty()) {
        return Err(Problem::bad_value(
            "site",
            site,
            "a site is compared with the fleet: leave it out, or name a kind",
        ));
    }
    let format = Format::of(narrow.format.as_deref(), &headers)?;
    let (open, period) = scope(&app, &period).await?;
    let question = question(&open, period, narrow.scope());
    let sites = compared(&open, &question, move |fleet| fleet.compare(by)).await?;
    Outgoing {
        name: "comparison".to_owned(),
        one_row: comparison::ONE_ROW.to_owned(),
        cut: CutInfo::of(&app, &open).await,
        period: period.into(),
        table: Table::of(&comparison::figures(), &sites),
    }
    .answer(format)
}
