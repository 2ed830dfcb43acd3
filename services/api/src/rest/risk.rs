//! Risk: what the models in use say of devices, what was said of one, the models and what the gate decided of each.

use axum::Json;
use axum::extract::{Path, Query, State};
use medfleet_domain::risk::Ground;
use medfleet_risk::gate::{Contest, Decision};
use medfleet_risk::horizon::Horizon;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{CutInfo, PeriodInfo, open_cut, scope};
use crate::models;
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::query::{self, Score};
use crate::service::App;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ScoresQuery {
    /// 7d (when nothing is said) or 24h.
    pub horizon: Option<String>,
    pub site: Option<String>,
    pub kind: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HorizonQuery {
    /// 7d or 24h. When nothing is said: both of one device, 7d of the scoreboard.
    pub horizon: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreOut {
    pub device: String,
    pub site: String,
    pub kind: String,
    /// The instant for which it was said.
    pub at: String,
    pub horizon_hours: i64,
    /// Chance that any part fails within the horizon.
    pub risk: f64,
    /// The part most at risk, and its own chance.
    pub component: Option<String>,
    pub component_risk: f64,
    /// rules, hazard or trees.
    pub voice: String,
    /// Strongest first.
    pub grounds: Vec<GroundOut>,
    pub model: String,
    pub run: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct GroundOut {
    /// Name of the feature or the rule.
    pub name: String,
    pub says: String,
    /// What was seen, in the feature's unit.
    pub value: Option<f64>,
    /// What it adds to the log odds.
    pub adds: Option<f64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ScoresOut {
    pub cut: CutInfo,
    /// Worst first, 1,000 at most. Devices in repair, or repaired within 20 days, have no score.
    pub scores: Vec<ScoreOut>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceScoresOut {
    pub cut: CutInfo,
    pub period: PeriodInfo,
    /// Newest first, 1,000 at most.
    pub scores: Vec<ScoreOut>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelOut {
    /// Hash of the model's bytes.
    pub model: String,
    pub horizon_hours: u32,
    pub trained_at: String,
    /// The newest of its horizon: the one that is asked.
    pub speaks: bool,
    /// As text: JSON numbers do not hold it.
    pub seed: String,
    /// The cut it was made from.
    pub cut: i64,
    pub period_from: String,
    pub period_until: String,
    /// Absent unless somebody took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<WithdrawnOut>,
    /// Sorts of parts that the gate decided on; absent where this version does not read the report.
    pub decisions: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct WithdrawnOut {
    pub at: String,
    pub by: String,
    pub because: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelsOut {
    /// Newest first.
    pub models: Vec<ModelOut>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionOut {
    pub kind: String,
    pub component: String,
    /// rules, hazard or trees.
    pub speaks: String,
    pub failures: usize,
    /// Devices on which they happened.
    pub devices: usize,
    pub rows: usize,
    pub because: String,
    pub contests: Vec<ContestOut>,
}

/// One voice against one that is simpler, each with its figure.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContestOut {
    pub voice: String,
    pub against: String,
    pub pr_auc: Option<f64>,
    pub pr_auc_against: Option<f64>,
    pub brier: f64,
    pub brier_against: f64,
    /// Share of draws in which the voice was not better.
    pub pr_auc_doubt: f64,
    pub brier_doubt: f64,
    pub won: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionsOut {
    pub model: String,
    pub horizon_hours: u32,
    pub decisions: Vec<DecisionOut>,
}

/// What the newest run says of each device.
#[utoipa::path(get, path = "/api/v1/scores", tag = "risk", params(PeriodQuery, ScoresQuery),
    responses((status = 200, body = ScoresOut), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub async fn scores(
    State(app): State<App>,
    Query(period): Query<PeriodQuery>,
    Query(asked): Query<ScoresQuery>,
) -> Result<Json<ScoresOut>, Problem> {
    let hours = horizon(asked.horizon.as_deref())?.unwrap_or(Horizon::Week).hours();
    let open = open_cut(&app, &period).await?;
    let (site, kind) = (asked.site.as_deref().unwrap_or_default(), asked.kind.as_deref().unwrap_or_default());
    let scores = query::scores(&open, hours, site, kind).await?.into_iter().map(ScoreOut::from).collect();
    Ok(Json(ScoresOut { cut: CutInfo::of(&app, &open).await, scores }))
}

/// What was said of one device over a period, however it came out.
#[utoipa::path(get, path = "/api/v1/devices/{device}/scores", tag = "risk",
    params(("device" = String, Path), PeriodQuery, HorizonQuery),
    responses((status = 200, body = DeviceScoresOut), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn of_device(
    State(app): State<App>,
    Path(device): Path<String>,
    Query(period): Query<PeriodQuery>,
    Query(asked): Query<HorizonQuery>,
) -> Result<Json<DeviceScoresOut>, Problem> {
    let hours = horizon(asked.horizon.as_deref())?.map_or(0, Horizon::hours);
    let (open, period) = scope(&app, &period).await?;
    if query::device(&open, &device).await?.is_empty() {
        return Err(Problem::not_found("device", &device, "look it up under /api/v1/devices"));
    }
    let scores = query::scores_of(&open, &device, hours, period).await?.into_iter().map(ScoreOut::from).collect();
    Ok(Json(DeviceScoresOut { cut: CutInfo::of(&app, &open).await, period: period.into(), scores }))
}

/// Every model that the log tells of.
#[utoipa::path(get, path = "/api/v1/models", tag = "risk",
    responses((status = 200, body = ModelsOut), (status = 503, body = Problem)))]
pub async fn models(State(app): State<App>) -> Result<Json<ModelsOut>, Problem> {
    let told = models::models(app.log.as_ref()).await?;
    let out = |one: &models::Told| {
        let trained = &one.trained;
        ModelOut {
            model: trained.model.clone(),
            horizon_hours: trained.horizon_hours,
            trained_at: one.at.to_string(),
            speaks: one.speaks,
            withdrawn: one.withdrawn.as_ref().map(|(at, taken)| WithdrawnOut {
                at: at.to_string(),
                by: taken.by.clone(),
                because: taken.reason.clone(),
            }),
            seed: trained.seed.to_string(),
            cut: trained.cut,
            period_from: trained.period.from.to_string(),
            period_until: trained.period.until.to_string(),
            decisions: one.report.as_ref().map(|report| report.decisions.len()),
        }
    };
    Ok(Json(ModelsOut { models: told.iter().map(out).collect() }))
}

/// Who may speak for which sort of part by one model, and the contests that decided it.
#[utoipa::path(get, path = "/api/v1/models/{model}/decisions", tag = "risk", params(("model" = String, Path)),
    responses((status = 200, body = DecisionsOut), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub async fn decisions(State(app): State<App>, Path(model): Path<String>) -> Result<Json<DecisionsOut>, Problem> {
    let told = models::models(app.log.as_ref()).await?;
    let found = told.into_iter().find(|one| one.trained.model == model);
    let unknown = || Problem::not_found("model", &model, "look it up under /api/v1/models");
    let one = found.ok_or_else(unknown)?;
    let decisions = one.report.iter().flat_map(|report| &report.decisions).map(DecisionOut::from).collect();
    Ok(Json(DecisionsOut { horizon_hours: one.trained.horizon_hours, model, decisions }))
}

pub fn horizon(text: Option<&str>) -> Result<Option<Horizon>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let found = Horizon::ALL.into_iter().find(|one| one.as_str() == text);
    found.map(Some).ok_or_else(|| Problem::bad_value("horizon", text, "use 7d or 24h"))
}

fn ratio(ppm: i64) -> f64 {
    ppm as f64 / 1e6
}

impl From<Score> for ScoreOut {
    fn from(score: Score) -> Self {
        let said: Vec<Ground> = serde_json::from_str(&score.grounds).unwrap_or_default();
        Self {
            at: score.at.to_string(),
            risk: ratio(score.risk_ppm),
            component_risk: ratio(score.component_ppm),
            grounds: said.into_iter().map(GroundOut::from).collect(),
            device: score.device,
            site: score.site,
            kind: score.kind,
            horizon_hours: score.horizon_hours,
            component: score.component,
            voice: score.voice,
            model: score.model,
            run: score.run,
        }
    }
}

impl From<Ground> for GroundOut {
    fn from(ground: Ground) -> Self {
        let whole = |milli: Option<i64>| milli.map(|milli| milli as f64 / 1e3);
        Self { value: whole(ground.value_milli), adds: whole(ground.adds_milli), name: ground.name, says: ground.says }
    }
}

impl From<&Decision> for DecisionOut {
    fn from(decision: &Decision) -> Self {
        Self {
            kind: decision.sort.kind.as_str().to_owned(),
            component: decision.sort.component.to_string(),
            speaks: decision.speaks.as_str().to_owned(),
            failures: decision.failures,
            devices: decision.devices,
            rows: decision.rows,
            because: decision.because.clone(),
            contests: decision.contests.iter().map(ContestOut::from).collect(),
        }
    }
}

impl From<&Contest> for ContestOut {
    fn from(contest: &Contest) -> Self {
        Self {
            voice: contest.voice.as_str().to_owned(),
            against: contest.against.as_str().to_owned(),
            pr_auc: contest.pr_auc[0],
            pr_auc_against: contest.pr_auc[1],
            brier: contest.brier[0],
            brier_against: contest.brier[1],
            pr_auc_doubt: contest.doubt[0],
            brier_doubt: contest.doubt[1],
            won: contest.won,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_is_named_or_refused_with_what_there_is() {
        assert_eq!((horizon(Some("24h")), horizon(None)), (Ok(Some(Horizon::Day)), Ok(None)));
        assert!(horizon(Some("a year")).unwrap_err().detail.contains("7d or 24h"));
    }
}
