//! Sites, and uptime of the fleet.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{CutInfo, Figures, PeriodInfo, open_cut, scope};
use crate::measure::Measure;
use crate::period::{PeriodQuery, SeenQuery};
use crate::problem::Problem;
use crate::query::{self, Scope, UptimeRow};
use crate::service::App;

#[derive(Debug, Serialize, ToSchema)]
pub struct SiteOut {
    pub site: String,
    pub name: String,
    /// IANA name; it decides the site's local days.
    pub time_zone: String,
    pub region: String,
    /// Simulated data.
    pub demo: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SitesOut {
    pub cut: CutInfo,
    pub sites: Vec<SiteOut>,
}

/// Every site as last defined, or as it had been as far as was known before `as_of`. What a site is called is knowledge: `at` leaves it.
#[utoipa::path(get, path = "/api/v1/sites", tag = "fleet", params(SeenQuery),
    responses((status = 200, body = SitesOut), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub async fn sites(State(app): State<App>, Query(seen): Query<SeenQuery>) -> Result<Json<SitesOut>, Problem> {
    let open = open_cut(&app, &seen.into()).await?;
    let out = |site: query::Site| {
        let query::Site { site, name, time_zone, region, demo, .. } = site;
        SiteOut { site, name, time_zone, region, demo }
    };
    let sites = query::sites(&open).await?.into_iter().map(out).collect();
    Ok(Json(SitesOut { cut: CutInfo::of(&app, &open).await, sites }))
}

/// What one row of the answer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    Fleet,
    Site,
    Kind,
    #[default]
    SiteKind,
    Device,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UptimeQuery {
    /// fleet, site, kind, site_kind (when nothing is said) or device.
    pub group: Option<String>,
    pub site: Option<String>,
    pub kind: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct UptimeOut {
    /// Absent where rows are not told apart by it.
    pub site: Option<String>,
    pub kind: Option<String>,
    pub device: Option<String>,
    #[serde(flatten)]
    pub figures: Figures,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct UptimesOut {
    pub cut: CutInfo,
    pub period: PeriodInfo,
    pub rows: Vec<UptimeOut>,
}

/// Uptime and utilization over a period, with coverage, bounds and what they are made of.
#[utoipa::path(get, path = "/api/v1/uptime", tag = "fleet", params(PeriodQuery, UptimeQuery),
    responses((status = 200, body = UptimesOut), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub async fn uptime(
    State(app): State<App>,
    Query(period): Query<PeriodQuery>,
    Query(asked): Query<UptimeQuery>,
) -> Result<Json<UptimesOut>, Problem> {
    let group = read_group(asked.group.as_deref())?;
    let (open, period) = scope(&app, &period).await?;
    let (site, kind) = (asked.site.as_deref().unwrap_or_default(), asked.kind.as_deref().unwrap_or_default());
    let rows = match group {
        Group::Device => query::uptime_by_device(&open, period, Scope { site, kind, device: "" }).await?,
        _ => query::uptime(&open, period).await?,
    };
    let wanted = |row: &UptimeRow| (site.is_empty() || row.site == site) && (kind.is_empty() || row.kind == kind);
    let rows = grouped(rows.into_iter().filter(wanted), group);
    Ok(Json(UptimesOut { cut: CutInfo::of(&app, &open).await, period: period.into(), rows }))
}

fn read_group(text: Option<&str>) -> Result<Group, Problem> {
    match text.unwrap_or("site_kind") {
        "fleet" => Ok(Group::Fleet),
        "site" => Ok(Group::Site),
        "kind" => Ok(Group::Kind),
        "site_kind" | "site,kind" => Ok(Group::SiteKind),
        "device" => Ok(Group::Device),
        other => Err(Problem::bad_value("group", other, "use fleet, site, kind, site_kind or device")),
    }
}

fn grouped(rows: impl Iterator<Item = UptimeRow>, group: Group) -> Vec<UptimeOut> {
    let mut sums: std::collections::BTreeMap<[String; 3], Measure> = std::collections::BTreeMap::new();
    for row in rows {
        let keep = |text: String, groups: &[Group]| if groups.contains(&group) { text } else { String::new() };
        let key = [
            keep(row.site, &[Group::Site, Group::SiteKind, Group::Device]),
            keep(row.kind, &[Group::Kind, Group::SiteKind, Group::Device]),
            row.device,
        ];
        *sums.entry(key).or_default() += row.measure;
    }
    let some = |text: String| (!text.is_empty()).then_some(text);
    let out = |([site, kind, device], measure): ([String; 3], Measure)| UptimeOut {
        site: some(site),
        kind: some(kind),
        device: some(device),
        figures: Figures::from(&measure),
    };
    sums.into_iter().map(out).collect()
}
