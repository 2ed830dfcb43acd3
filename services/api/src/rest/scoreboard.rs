//! The scoreboard: how what models said while they were in use came out, by model, kind and site.

use axum::Json;
use axum::extract::{Query, State};
use medfleet_alerts::voices::Week;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::raised::RaisedLive;
use serde::Serialize;
use utoipa::ToSchema;

use super::risk::{HorizonQuery, horizon};
use super::{CutInfo, open_cut};
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::scoreboard::{About, Line, scoreboard, weeks};
use crate::service::App;

#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreboardOut {
    pub cut: CutInfo,
    pub horizon_hours: i64,
    /// By model: all devices first, then each kind, then each site.
    pub lines: Vec<ScoreboardLineOut>,
    /// Whom models sent for nothing within the last 7 days, for all horizons.
    pub false_alerts: Vec<FalseAlertsOut>,
}

/// A model's false alerts of one technician within the last 7 days: more than are allowed demote it.
#[derive(Debug, Serialize, ToSchema)]
pub struct FalseAlertsOut {
    pub model: String,
    pub technician: String,
    pub false_alerts: u32,
    /// By the rule that raised them; absent where that has no budget.
    pub allowed: Option<u32>,
}

impl From<Week> for FalseAlertsOut {
    fn from(Week { model, technician, false_alerts, allowed }: Week) -> Self {
        Self { model, technician, false_alerts, allowed }
    }
}

/// Scores of the last 90 days whose horizon has passed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreboardLineOut {
    pub model: String,
    /// all, kind or site.
    pub about: String,
    /// The kind or the site; absent of all.
    pub name: Option<String>,
    /// Scores: one is of one device and day.
    pub scores: usize,
    /// Scores besides, of which nobody can know whether they were right: the part was replaced, or the device retired.
    pub censored: usize,
    /// Scores whose device failed within the horizon, or would have, beside the sum of all chances, which is what was promised.
    pub happened: usize,
    pub promised: f64,
    /// Their ratio: 1 is right. Absent where nothing was promised.
    pub happened_per_promised: Option<f64>,
    /// Slope of what happened on what was said, both as logits: 1 is right, below 1 is too sure. Absent without both outcomes.
    pub slope: Option<f64>,
    /// Mean distance of chances from what happened, over ten bins of scores of equal size.
    pub calibration_error: f64,
    pub brier: f64,
    /// Absent where nothing failed, or everything.
    pub pr_auc: Option<f64>,
    pub roc_auc: Option<f64>,
    /// Scores of at least `threshold` count as alerts: 1 % of all scores of the model.
    pub threshold: f64,
    pub alerts: usize,
    pub alerts_right: usize,
    /// Share of alerts that were right.
    pub precision: Option<f64>,
    /// Failures, each once, and how many an alert announced. Averted ones are among them: wear that was found and replaced.
    pub failures: usize,
    pub averted: usize,
    pub announced: usize,
    /// Share of failures that were announced.
    pub recall: Option<f64>,
    /// From the first alert that announced a failure to its onset: the middle one, the later of two.
    pub lead_days: Option<f64>,
    /// Alerts that were raised, whoever reached the threshold above.
    pub raised: RaisedOut,
}

/// Alerts raised in the last 90 days, by verdicts and by failures that followed.
#[derive(Debug, Serialize, ToSchema)]
pub struct RaisedOut {
    pub alerts: usize,
    /// The device failed while the alert stood, or a verdict confirms it.
    pub right: usize,
    /// Nothing was found, or the alert is over and nothing followed.
    pub wrong: usize,
    /// It still stands, its cause was withdrawn, nobody looked, the part was replaced or the device retired.
    pub undecided: usize,
    /// Right ÷ right and wrong.
    pub precision: Option<f64>,
    /// Of the failures that scores were there to foretell, those that an alert announced.
    pub announced: usize,
    pub recall: Option<f64>,
    /// From the first alert that announced a failure to its onset: the middle one, the later of two.
    pub lead_days: Option<f64>,
}

impl From<RaisedLive> for RaisedOut {
    fn from(live: RaisedLive) -> Self {
        let (precision, recall) = (live.precision(), live.recall());
        let RaisedLive { alerts, right, wrong, undecided, announced, lead_days_median, .. } = live;
        Self { alerts, right, wrong, undecided, precision, announced, recall, lead_days: lead_days_median }
    }
}

/// What models said against what came of it.
#[utoipa::path(get, path = "/api/v1/scoreboard", tag = "risk", params(PeriodQuery, HorizonQuery),
    responses((status = 200, body = ScoreboardOut), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub async fn board(
    State(app): State<App>,
    Query(period): Query<PeriodQuery>,
    Query(asked): Query<HorizonQuery>,
) -> Result<Json<ScoreboardOut>, Problem> {
    let hours = horizon(asked.horizon.as_deref())?.unwrap_or(Horizon::Week).hours();
    let open = open_cut(&app, &period).await?;
    let lines = scoreboard(&open, hours).await?.into_iter().map(ScoreboardLineOut::from).collect();
    let false_alerts = weeks(&app).into_iter().map(FalseAlertsOut::from).collect();
    Ok(Json(ScoreboardOut { cut: CutInfo::of(&app, &open).await, horizon_hours: hours, lines, false_alerts }))
}

impl From<Line> for ScoreboardLineOut {
    fn from(line: Line) -> Self {
        let Line { model, about, threshold, live, raised } = line;
        let (about, name) = match about {
            About::Model => ("all", None),
            About::Kind(kind) => ("kind", Some(kind)),
            About::Site(site) => ("site", Some(site)),
        };
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        Self {
            model,
            about: about.to_owned(),
            name,
            scores: live.figures.rows,
            censored: live.censored,
            happened: live.figures.failures,
            promised: live.promised,
            happened_per_promised: live.happened_per_promised(),
            slope: live.figures.slope,
            calibration_error: live.figures.reliability.error,
            brier: live.figures.brier,
            pr_auc: live.figures.pr_auc,
            roc_auc: live.figures.roc_auc,
            threshold,
            alerts: live.alerts,
            alerts_right: live.alerts_right,
            precision: share(live.alerts_right, live.alerts),
            failures: live.failures,
            averted: live.averted,
            announced: live.announced,
            recall: share(live.announced, live.failures),
            lead_days: live.lead_days_median,
            raised: raised.into(),
        }
    }
}
