//! Alerts: the list, one with its life, and what people ask of it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use medfleet_alerts::book::Case;
use medfleet_domain::alert::{AlertId, Asked};
use medfleet_domain::fact::Body;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::statements::{read_json, submit};
use crate::human::{Statement, chain};
use crate::problem::Problem;
use crate::query;
use crate::service::App;

pub mod answer;
mod ask;
mod shown;
pub mod stream;

pub use answer::AnsweredOut;
use answer::await_answer;
use ask::AlertRequestIn;
pub use shown::{AlertOut, MessageOut, RequestOut, StepOut};

const PAGE_ALERTS_DEFAULT: usize = 100;
const PAGE_ALERTS_MAX: usize = 1_000;
const UNKNOWN_CURE: &str = "look it up under /api/v1/alerts";

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AlertsQuery {
    pub site: Option<String>,
    pub kind: Option<String>,
    /// A device, agent or site by its name.
    pub subject: Option<String>,
    pub rule: Option<String>,
    /// page, soon or inbox.
    pub urgency: Option<String>,
    /// true: open alerts only; false: those that have ended.
    pub open: Option<String>,
    /// A person's name, or `none` for alerts that nobody was given.
    pub assigned: Option<String>,
    /// Go on after this alert: `next` of the page before.
    pub after: Option<String>,
    /// 1 to 1000, 100 when nothing is said.
    pub limit: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AlertsOut {
    /// Raised or reopened last, first.
    pub alerts: Vec<AlertOut>,
    /// Alerts that fit the filters, over all pages.
    pub total: usize,
    /// Of those, how many are open.
    pub open: usize,
    /// Ask again with `after` set to this; absent on the last page.
    pub next: Option<String>,
}

/// Alerts, the newest first, page by page.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", params(AlertsQuery),
    responses((status = 200, body = AlertsOut), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub async fn list(State(app): State<App>, Query(asked): Query<AlertsQuery>) -> Result<Json<AlertsOut>, Problem> {
    abreast(&app)?;
    let filter = Filter::read(&asked)?;
    let after = asked.after.as_deref().map(read_id).transpose()?;
    Ok(Json(app.alerts.look(|book| {
        let mut fitting: Vec<&Case> = book.cases().filter(|case| filter.fits(case)).collect();
        fitting.sort_by_key(|case| (std::cmp::Reverse(case.alert.raised_at), case.alert.id));
        let open = fitting.iter().filter(|case| case.alert.is_open()).count();
        let first = after.map_or(0, |id| {
            fitting.iter().position(|case| case.alert.id == id).map_or(fitting.len(), |position| position + 1)
        });
        let page: Vec<AlertOut> =
            fitting.iter().skip(first).take(filter.limit).map(|case| AlertOut::from(&case.alert)).collect();
        let next = (fitting.len() > first + page.len()).then(|| page.last().map(|last| last.alert.clone())).flatten();
        AlertsOut { total: fitting.len(), open, alerts: page, next }
    })))
}

/// What is asked of the list, checked.
struct Filter<'a> {
    asked: &'a AlertsQuery,
    open: Option<bool>,
    limit: usize,
}

impl<'a> Filter<'a> {
    fn read(asked: &'a AlertsQuery) -> Result<Self, Problem> {
        let open = match asked.open.as_deref() {
            None | Some("") => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(other) => return Err(Problem::bad_value("open", other, "use true or false")),
        };
        let limit = match asked.limit.as_deref() {
            None => PAGE_ALERTS_DEFAULT,
            Some(text) => {
                let limit = text.parse().ok().filter(|limit| (1..=PAGE_ALERTS_MAX).contains(limit));
                limit.ok_or_else(|| Problem::bad_value("limit", text, "use a whole number from 1 to 1000"))?
            }
        };
        Ok(Self { asked, open, limit })
    }

    fn fits(&self, case: &Case) -> bool {
        let (alert, about) = (&case.alert, &case.alert.about);
        let named = |wanted: &Option<String>, name: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted.is_empty() || wanted == name)
        };
        let assigned = match self.asked.assigned.as_deref() {
            None | Some("") => true,
            Some("none") => alert.assigned_to.is_none(),
            Some(person) => alert.assigned_to.as_deref() == Some(person),
        };
        named(&self.asked.site, about.site.as_str())
            && named(&self.asked.kind, about.kind.as_str())
            && named(&self.asked.subject, about.subject.name())
            && named(&self.asked.rule, &about.rule)
            && named(&self.asked.urgency, about.urgency.as_str())
            && self.open.is_none_or(|open| open == alert.is_open())
            && assigned
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OneAlertOut {
    pub alert: AlertOut,
    /// Every step of its life, oldest first.
    pub life: Vec<StepOut>,
    /// What was sent about it, and what became of that.
    pub messages: Vec<MessageOut>,
    /// What was asked of it, oldest first, with the verdicts.
    pub requests: Vec<RequestOut>,
}

/// One alert with its life, its messages and the facts that opened it.
#[utoipa::path(get, path = "/api/v1/alerts/{alert}", tag = "alerts", params(("alert" = String, Path)),
    responses((status = 200, body = OneAlertOut), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub async fn one(State(app): State<App>, Path(text): Path<String>) -> Result<Json<OneAlertOut>, Problem> {
    abreast(&app)?;
    let id = read_id(&text)?;
    let found = app.alerts.look(|book| {
        book.case(id).map(|case| OneAlertOut {
            alert: AlertOut::from(&case.alert),
            life: case.steps.iter().map(StepOut::from).collect(),
            messages: book.outbox().of(id).map(MessageOut::from).collect(),
            requests: case.answers.iter().map(RequestOut::from).collect(),
        })
    });
    found.map(Json).ok_or_else(|| unknown(&text))
}

/// Asks something of an alert: acknowledge, assign, snooze, close, reopen, or a verdict. It is decided in log order; the
/// answer comes at once if it is decided within two seconds (200), and is asked for later if not (202). The key makes it
/// safe to send again, also much later: the same key is the same request.
#[utoipa::path(post, path = "/api/v1/alerts/{alert}/requests", tag = "alerts",
    params(("alert" = String, Path), ("Idempotency-Key" = String, Header)), request_body = AlertRequestIn,
    responses((status = 200, body = AnsweredOut), (status = 202, body = AnsweredOut), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn request(
    State(app): State<App>,
    Path(text): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<AnsweredOut>), Problem> {
    abreast(&app)?;
    let id = read_id(&text)?;
    let asked: AlertRequestIn = read_json(&body)?;
    let (author, wish) = asked.read()?;
    let about = app.alerts.look(|book| book.case(id).map(|case| case.alert.about.clone()));
    let about = about.ok_or_else(|| unknown(&text))?;
    let (_, happenings) = app.alerts.feed.resume(None);
    let now = query::now();
    let (_, Json(accepted)) = submit(&app, &headers, &body, about.subject.clone(), |key, subject| {
        let body = Body::AlertAsked(Asked { id: key.to_owned(), author, alert: id, wish });
        Ok(Statement { subject, site: about.site, kind: about.kind, at: now, said_at: now, by: None, body })
    })
    .await?;
    let answered = await_answer(&app, id, &accepted.id, happenings).await?;
    let status = if answered.verdict == "pending" { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(answered)))
}

/// After a start the topic is read first: no answer is silently partial.
pub fn abreast(app: &App) -> Result<(), Problem> {
    if app.alerts.is_abreast() { Ok(()) } else { Err(Problem::busy("alerts are still being read from the log")) }
}

pub fn read_id(text: &str) -> Result<AlertId, Problem> {
    text.parse().map_err(|invalid: medfleet_domain::Invalid| Problem::bad_value("alert", text, &chain(&invalid)))
}

pub fn unknown(text: &str) -> Problem {
    Problem::not_found("alert", text, UNKNOWN_CURE)
}
