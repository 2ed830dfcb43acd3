//! What people say of a device: claims and requests. Each becomes one fact in the log; nothing is decided here.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use medfleet_domain::condition::Degradation;
use medfleet_domain::fact::Body;
use medfleet_domain::human::{Asserted, Claimed};
use medfleet_domain::id::{Epoch, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::order::Request;
use medfleet_domain::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::CutInfo;
use crate::human::{Accepted, Statement, chain, check_key, identity};
use crate::period::read_instant;
use crate::problem::Problem;
use crate::query;
use crate::service::App;

mod ask;
use ask::AskIn;

pub(super) const AUTHOR_MAX_LETTERS: usize = 120;
pub(super) const REASON_MAX_LETTERS: usize = 2_000;

/// What is claimed of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimIn {
    /// Ends the open claim at `from` and asserts nothing.
    Usable,
    /// Works, degraded; needs `degradation`.
    Partial,
    Down,
    /// Maintenance is performed; beyond `planned_until` it is an overrun.
    Maintenance,
}

/// A person's claim about a device's condition.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssertionIn {
    pub claim: ClaimIn,
    /// minor, partial or severe.
    pub degradation: Option<String>,
    /// When it began, RFC 3339; now when nothing is said.
    pub from: Option<String>,
    /// When it ended; absent while it lasts.
    pub until: Option<String>,
    pub planned_from: Option<String>,
    pub planned_until: Option<String>,
    /// Who says so.
    pub author: String,
    #[serde(default)]
    pub reason: String,
    /// Work order it belongs to.
    pub order: Option<String>,
}

/// A statement is in the log. What it changes is in the tables a moment later.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedOut {
    /// The Idempotency-Key: a request's verdict is at /api/v1/requests/{id}.
    pub id: String,
    pub position: Accepted,
    /// Identity of the fact, by which an amendment names it.
    pub epoch: String,
    pub seq: u64,
}

/// States a device's condition: down, partial, under maintenance, or usable again.
#[utoipa::path(post, path = "/api/v1/devices/{device}/assertions", tag = "statements",
    params(("device" = String, Path), ("Idempotency-Key" = String, Header)), request_body = AssertionIn,
    responses((status = 202, body = AcceptedOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn assert(
    State(app): State<App>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<AcceptedOut>), Problem> {
    let said: AssertionIn = read_json(&body)?;
    let now = query::now();
    let at = said.from.as_deref().map(|text| instant("from", text)).transpose()?.unwrap_or(now);
    let asserted = said.read()?;
    let (site, kind) = whereabouts(&app, &device).await?.ok_or_else(|| unknown(&device))?;
    submit(&app, &headers, &body, subject(&device)?, |_, subject| {
        Ok(Statement { subject, site, kind, at, said_at: now, by: None, body: Body::Asserted(asserted) })
    })
    .await
}

impl AssertionIn {
    pub(super) fn read(&self) -> Result<Asserted, Problem> {
        short("author", &self.author, 1, AUTHOR_MAX_LETTERS)?;
        short("reason", &self.reason, 0, REASON_MAX_LETTERS)?;
        let time = |name, text: &Option<String>| text.as_deref().map(|text| instant(name, text)).transpose();
        let planned = match (time("planned_from", &self.planned_from)?, time("planned_until", &self.planned_until)?) {
            (Some(from), Some(until)) => {
                Some(Span::new(from, until).map_err(|invalid| Problem::refused(chain(&invalid)))?)
            }
            _ => None,
        };
        let claim = match self.claim {
            ClaimIn::Usable => Claimed::Usable,
            ClaimIn::Down => Claimed::Down,
            ClaimIn::Maintenance => Claimed::Maintenance { planned },
            ClaimIn::Partial => {
                let text = self.degradation.as_deref().unwrap_or_default();
                let class = Degradation::parse(text).filter(|class| *class != Degradation::None);
                let cure = "use minor, partial or severe";
                Claimed::Partial(class.ok_or_else(|| Problem::bad_value("degradation", text, cure))?)
            }
        };
        Ok(Asserted {
            claim,
            until: time("until", &self.until)?,
            author: self.author.clone(),
            reason: self.reason.clone(),
            order: self.order.clone(),
        })
    }
}

/// A request is decided in log order; this only says what is asked.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestIn {
    pub author: String,
    /// Needed to register a device that is not known yet; otherwise its present site.
    pub site: Option<String>,
    pub ask: AskIn,
}

/// Asks for something that may be refused: register, retire, open or advance a work order.
#[utoipa::path(post, path = "/api/v1/devices/{device}/requests", tag = "statements",
    params(("device" = String, Path), ("Idempotency-Key" = String, Header)), request_body = RequestIn,
    responses((status = 202, body = AcceptedOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn request(
    State(app): State<App>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<AcceptedOut>), Problem> {
    let asked: RequestIn = read_json(&body)?;
    short("author", &asked.author, 1, AUTHOR_MAX_LETTERS)?;
    let ask = asked.ask.read()?;
    let known = whereabouts(&app, &device).await?;
    let stated = asked.site.as_deref().map(SiteId::new).transpose();
    let stated = stated.map_err(|invalid| Problem::refused(chain(&invalid)))?;
    let (site, kind) = match (stated, known, asked.ask.kind()) {
        (Some(site), known, kind) => (site, kind.or(known.map(|(_, kind)| kind)).unwrap_or(DeviceKind::Other)),
        (None, Some((site, known)), kind) => (site, kind.unwrap_or(known)),
        (None, None, _) => return Err(unknown(&device)),
    };
    let (now, author) = (query::now(), asked.author);
    submit(&app, &headers, &body, subject(&device)?, |key, subject| {
        let body = Body::Requested(Box::new(Request { id: key.to_owned(), author, ask }));
        Ok(Statement { subject, site, kind, at: now, said_at: now, by: None, body })
    })
    .await
}

#[derive(Debug, Serialize, ToSchema)]
pub struct VerdictOut {
    pub cut: CutInfo,
    pub id: String,
    pub subject: Option<String>,
    /// granted, refused, or pending while no cut contains an answer.
    pub verdict: String,
    pub reason: Option<String>,
    pub at: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VerdictQuery {
    /// Two devices may use the same key: name the one that is meant.
    pub device: Option<String>,
}

/// What became of a request.
#[utoipa::path(get, path = "/api/v1/requests/{id}", tag = "statements", params(("id" = String, Path), VerdictQuery),
    responses((status = 200, body = VerdictOut), (status = 503, body = Problem)))]
pub async fn verdict(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(asked): Query<VerdictQuery>,
) -> Result<Json<VerdictOut>, Problem> {
    let open = app.cuts.find(None).await?;
    let of = asked.device.map(|device| subject(&device)).transpose()?.map(|of| of.to_string()).unwrap_or_default();
    let found = query::verdict(&open, &id, &of).await?;
    let cut = CutInfo::of(&app, &open).await;
    Ok(Json(match found {
        None => VerdictOut { cut, id, subject: None, verdict: "pending".to_owned(), reason: None, at: None },
        Some(found) => VerdictOut {
            cut,
            id,
            subject: Some(found.subject),
            verdict: found.verdict,
            reason: found.reason,
            at: Some(found.at.to_string()),
        },
    }))
}

/// One way for every statement: the same key and words are answered again, not said again.
pub(super) async fn submit(
    app: &App,
    headers: &HeaderMap,
    body: &[u8],
    subject: Subject,
    state: impl FnOnce(&str, Subject) -> Result<Statement, Problem>,
) -> Result<(StatusCode, Json<AcceptedOut>), Problem> {
    let key = check_key(headers.get("idempotency-key").and_then(|value| value.to_str().ok()))?;
    let digest = Epoch::derived(&[body]).0;
    let position = match app.answers.find(&subject, key, digest)? {
        Some(answered) => answered,
        None => {
            let statement = state(key, subject.clone())?;
            let accepted = app.door.submit(statement.into_run(key)?).await?;
            app.answers.remember(&subject, key, digest, &accepted);
            accepted
        }
    };
    let SeqRange { epoch, first, .. } = identity(&subject, key);
    let said = AcceptedOut { id: key.to_owned(), position, epoch: epoch.to_string(), seq: first.0 };
    Ok((StatusCode::ACCEPTED, Json(said)))
}

/// Where a device is and what it is, as the newest cut has it.
pub(super) async fn whereabouts(app: &App, device: &str) -> Result<Option<(SiteId, DeviceKind)>, Problem> {
    let Some(open) = app.cuts.newest() else { return Ok(None) };
    let Some(last) = query::device(&open, device).await?.pop() else { return Ok(None) };
    let site = SiteId::new(&last.site).map_err(|invalid| Problem::refused(chain(&invalid)))?;
    Ok(Some((site, DeviceKind::parse(&last.kind).unwrap_or(DeviceKind::Other))))
}

pub(super) fn unknown(device: &str) -> Problem {
    Problem::not_found("device", device, "register it first: POST …/requests with its `site`")
}

pub(super) fn subject(device: &str) -> Result<Subject, Problem> {
    Subject::new(SubjectKind::Device, device).map_err(|invalid| Problem::refused(chain(&invalid)))
}

pub(super) fn instant(name: &str, text: &str) -> Result<Timestamp, Problem> {
    read_instant(text).ok_or_else(|| Problem::bad_value(name, text, "write an instant as 2026-03-01T06:15:00Z"))
}

pub(super) fn read_json<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::refused(format!("the JSON body cannot be read: {error}")))
}

pub(super) fn short(name: &str, text: &str, least: usize, most: usize) -> Result<(), Problem> {
    let letters = text.chars().count();
    let fits = (least..=most).contains(&letters) && !text.chars().any(|c| c.is_control() && c != '\n');
    if fits { Ok(()) } else { Err(Problem::bad_value(name, text, &format!("use {least} to {most} letters"))) }
}
