//! What happened to one device: its timeline, its errors, its counters; and what became of a request.

use medfleet_domain::time::Timestamp;
use medfleet_kpi::ask::Cycles;
use medfleet_lake::ScalarValue;

use super::{ERRORS, Scope, TIMELINE, VERDICT, ask, day, int, text};
use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::kpi::question;
use crate::period::Period;
use crate::timeline::Origin;

/// A condition over a span, as a row tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub origin: Origin,
    pub from: Timestamp,
    pub until: Timestamp,
    pub condition: String,
    pub degradation: String,
    pub reason: Option<String>,
    pub source_kind: String,
    pub assumed: bool,
    pub conflict: bool,
    pub claim: bool,
    pub author: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    pub at: Timestamp,
    pub code: String,
    pub family: Option<String>,
    pub severity: String,
    pub component: Option<String>,
    pub text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub request: String,
    pub subject: String,
    pub verdict: String,
    pub reason: Option<String>,
    pub at: Timestamp,
}

pub async fn timeline(open: &OpenCut, device: &str, period: Period) -> Result<Vec<Piece>, ApiError> {
    ask(open, &TIMELINE, &of(device, period), |line| {
        Ok(Piece {
            origin: Origin::parse(&line.text("origin")?),
            from: line.time("from_us")?,
            until: line.time("until_us")?,
            condition: line.text("condition")?,
            degradation: line.text("degradation")?,
            reason: line.some_text("reason")?,
            source_kind: line.text("source_kind")?,
            assumed: line.flag("assumed")?,
            conflict: line.flag("conflict")?,
            claim: line.flag("claim")?,
            author: line.some_text("author")?,
        })
    })
    .await
}

/// Newest first.
pub async fn errors(open: &OpenCut, device: &str, period: Period) -> Result<Vec<Reported>, ApiError> {
    ask(open, &ERRORS, &of(device, period), |line| {
        Ok(Reported {
            at: line.time("at_us")?,
            code: line.text("code")?,
            family: line.some_text("family")?,
            severity: line.text("severity")?,
            component: line.some_text("component")?,
            text: line.some_text("text")?,
        })
    })
    .await
}

/// What each counter of a device gained.
pub async fn counters(open: &OpenCut, device: &str, period: Period) -> Result<Vec<Cycles>, ApiError> {
    let question = question(open, period, Scope { device, ..Scope::default() });
    Ok(medfleet_kpi::ask::cycles(open.kpi().await?, &question).await?)
}

pub async fn verdict(open: &OpenCut, request: &str, subject: &str) -> Result<Option<Verdict>, ApiError> {
    let params = [("request", text(request)), ("subject", text(subject))];
    let found = ask(open, &VERDICT, &params, |line| {
        Ok(Verdict {
            request: line.text("request")?,
            subject: line.text("subject")?,
            verdict: line.text("verdict")?,
            reason: line.some_text("reason")?,
            at: line.time("at_us")?,
        })
    });
    Ok(found.await?.into_iter().next())
}

fn of(device: &str, period: Period) -> Vec<(&'static str, ScalarValue)> {
    vec![
        ("device", text(device)),
        ("from", int(period.from.0)),
        ("until", int(period.until.0)),
        ("from_day", day(period.first_day())),
        ("until_day", day(period.last_day())),
    ]
}
