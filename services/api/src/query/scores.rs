//! What models said of devices when they were last asked.

use medfleet_domain::fact::Body;
use medfleet_domain::risk::Scored;
use medfleet_domain::time::{Day, Timestamp};
use medfleet_kpi::KpiError;
use medfleet_kpi::answer::Line;
use medfleet_lake::ScalarValue;

use super::{SCORES, SCORES_OF_DEVICE, SCORES_SETTLED, SCORES_TOLD, ask, day, int, text};
use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::period::Period;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub at: Timestamp,
    pub horizon_hours: i64,
    pub risk_ppm: i64,
    pub component: Option<String>,
    pub component_ppm: i64,
    pub voice: String,
    /// JSON: a list of grounds, strongest first.
    pub grounds: String,
    pub model: String,
    pub run: String,
}

/// The devices most at risk, worst first, 1,000 at most; of one site and kind or, where they are empty, of all.
pub async fn scores(open: &OpenCut, horizon_hours: i64, site: &str, kind: &str) -> Result<Vec<Score>, ApiError> {
    if !open.session().await?.table_exist("scores").map_err(ApiError::Query)? {
        return Ok(Vec::new());
    }
    let params = [("horizon_hours", int(horizon_hours)), ("site", text(site)), ("kind", text(kind))];
    ask(open, &SCORES, &params, score).await
}

/// What was said of one device within a period, newest first, 1,000 at most; for one horizon or, when it is 0, for all.
pub async fn scores_of(
    open: &OpenCut,
    device: &str,
    horizon_hours: i64,
    period: Period,
) -> Result<Vec<Score>, ApiError> {
    if !open.session().await?.table_exist("scores").map_err(ApiError::Query)? {
        return Ok(Vec::new());
    }
    let [from, until, from_day, until_day] = within(period);
    let params = [("device", text(device)), ("horizon_hours", int(horizon_hours)), from, until, from_day, until_day];
    ask(open, &SCORES_OF_DEVICE, &params, score).await
}

fn score(line: &Line<'_>) -> Result<Score, KpiError> {
    Ok(Score {
        device: line.text("device")?,
        site: line.text("site")?,
        kind: line.text("kind")?,
        at: line.time("at_us")?,
        horizon_hours: line.int("horizon_hours")?,
        risk_ppm: line.int("risk_ppm")?,
        component: line.some_text("component")?,
        component_ppm: line.int("component_ppm")?,
        voice: line.text("voice")?,
        grounds: line.text("grounds")?,
        model: line.text("model")?,
        run: line.text("run")?,
    })
}

fn within(period: Period) -> [(&'static str, ScalarValue); 4] {
    [
        ("from", int(period.from.0)),
        ("until", int(period.until.0)),
        ("from_day", day(period.first_day())),
        ("until_day", day(period.last_day())),
    ]
}

/// One score as it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub model: String,
    /// The part most at risk; none where no part was.
    pub component: Option<String>,
    pub at: Timestamp,
    pub risk_ppm: i64,
}

/// Everything said for one horizon within a period.
pub async fn said(open: &OpenCut, horizon_hours: i64, period: Period) -> Result<Vec<Said>, ApiError> {
    if !open.session().await?.table_exist("scores").map_err(ApiError::Query)? {
        return Ok(Vec::new());
    }
    let [from, until, from_day, until_day] = within(period);
    let params = [("horizon_hours", int(horizon_hours)), from, until, from_day, until_day];
    ask(open, &SCORES_SETTLED, &params, |line| {
        Ok(Said {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            model: line.text("model")?,
            component: line.some_text("component")?,
            at: line.time("at_us")?,
            risk_ppm: line.int("risk_ppm")?,
        })
    })
    .await
}

/// Scores of one device from a day on, whole, oldest first.
pub async fn scores_told(open: &OpenCut, device: &str, from: Day) -> Result<Vec<(Timestamp, Scored)>, ApiError> {
    let told = ask(open, &SCORES_TOLD, &[("device", text(device)), ("from_day", day(from))], |line| {
        let fact = medfleet_wire::decode_fact(line.bytes("bytes")?).map_err(KpiError::Fact)?.fact;
        Ok((line.time("at_us")?, fact.body))
    })
    .await?;
    let scored = |(at, body): (Timestamp, Body)| match body {
        Body::Scored(scored) => Some((at, *scored)),
        _ => None,
    };
    Ok(told.into_iter().filter_map(scored).collect())
}
