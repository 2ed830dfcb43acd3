//! Contract statements: as the newest cut has them, as they were issued, and issuing.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use medfleet_domain::contract::Pin;
use medfleet_domain::fact::Body;
use medfleet_domain::time::{Day, Timestamp};
use medfleet_kpi::statement::{Issued, Sheet};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::sheet::{IssuedOut, IssuedsOut, StatementOut, lines};
use super::statements::{AcceptedOut, read_json, short, subject, submit, unknown, whereabouts};
use super::table::{Format, Outgoing};
use super::{CutInfo, PeriodInfo, open_cut};
use crate::cuts::OpenCut;
use crate::human::Statement;
use crate::kpi::contracts_of;
use crate::period::{PeriodQuery, read_day};
use crate::problem::Problem;
use crate::query;
use crate::service::App;
use crate::statements::Statements;

const AUTHOR_MAX_LETTERS: usize = 120;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatementQuery {
    /// Number of the contract; may be left out where one contract covers the device.
    pub contract: Option<String>,
    /// A local day, 2026-03-31, of the period that is meant; that of the cut when nothing is said.
    pub day: Option<String>,
    /// json (when nothing is said), or csv for the lines alone.
    pub format: Option<String>,
}

/// What is known, and of when, where that is not all of the newest cut.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PinQuery {
    /// What was known before this UTC day or instant, instead of what is known now.
    pub as_of: Option<String>,
    /// What had happened before this UTC day or instant, by all that is known.
    pub at: Option<String>,
    /// Ask an earlier cut.
    pub cut: Option<String>,
}

impl PinQuery {
    async fn open(self, app: &App) -> Result<std::sync::Arc<OpenCut>, Problem> {
        let Self { cut, as_of, at } = self;
        open_cut(app, &PeriodQuery { cut, as_of, at, ..PeriodQuery::default() }).await
    }
}

/// The statement of a device under a contract over a period, with every span that counts, or does not, and why. One that was issued stays as
/// it was issued.
#[utoipa::path(get, path = "/api/v1/devices/{device}/statement", tag = "contracts",
    params(("device" = String, Path), StatementQuery, PinQuery),
    responses((status = 200, body = StatementOut), (status = 404, body = Problem), (status = 400, body = Problem)))]
pub async fn statement(
    State(app): State<App>,
    Path(device): Path<String>,
    Query(asked): Query<StatementQuery>,
    Query(pin): Query<PinQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = Format::of(asked.format.as_deref(), &headers)?;
    let open = pin.open(&app).await?;
    let contract = contract_of(&open, &device, asked.contract.as_deref()).await?;
    let day = asked.day.as_deref().map_or(Ok(open.at().day()), |text| read_day("day", text))?;
    let statements = Statements::of_device(&open, &device).await?;
    let told = statements.told(&device, &contract, day).await?.ok_or_else(|| uncovered(&device, &contract, day))?;
    let cut = CutInfo::of(&app, &open).await;
    match format {
        Format::Csv => csv(cut, &told.sheet),
        Format::Json => Ok(Json(StatementOut::of(cut, &told)).into_response()),
    }
}

/// The lines of a statement as a file.
fn csv(cut: CutInfo, sheet: &Sheet) -> Result<Response, Problem> {
    let period = sheet.statement.period;
    Outgoing {
        name: format!("statement-{}-{}", sheet.version.contract.number, sheet.device),
        one_row: "one span of a contract statement".to_owned(),
        cut,
        period: PeriodInfo { from: period.from.to_string(), until: period.until.to_string() },
        table: lines(sheet),
    }
    .answer(Format::Csv)
}

/// Every statement of a device that was issued, oldest first.
#[utoipa::path(get, path = "/api/v1/devices/{device}/statements", tag = "contracts",
    params(("device" = String, Path), PinQuery),
    responses((status = 200, body = IssuedsOut), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub async fn issued(
    State(app): State<App>,
    Path(device): Path<String>,
    Query(pin): Query<PinQuery>,
) -> Result<Json<IssuedsOut>, Problem> {
    let open = pin.open(&app).await?;
    let statements = Statements::of_device(&open, &device).await?.issued().iter().map(IssuedOut::from).collect();
    Ok(Json(IssuedsOut { cut: CutInfo::of(&app, &open).await, statements }))
}

/// A statement as it was issued, computed again from the cut that it pins. `agrees` says that the figure is the one issued.
#[utoipa::path(get, path = "/api/v1/devices/{device}/statements/{statement}", tag = "contracts",
    params(("device" = String, Path), ("statement" = String, Path), PinQuery),
    responses((status = 200, body = StatementOut), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn one_issued(
    State(app): State<App>,
    Path((device, name)): Path<(String, String)>,
    Query(pin): Query<PinQuery>,
) -> Result<Json<StatementOut>, Problem> {
    let open = pin.open(&app).await?;
    let gone = || Problem::not_found("issued statement", &name, "look it up under /api/v1/devices/{device}/statements");
    let statements = Statements::of_device(&open, &device).await?;
    let issued = statements.issued().iter().find(|one| one.statement == name).ok_or_else(gone)?;
    let told = statements.as_issued(issued).await?.ok_or_else(gone)?;
    Ok(Json(StatementOut::of(CutInfo::of(&app, &open).await, &told)))
}

/// Which statement is issued, and by whom.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueIn {
    /// May be left out where one contract covers the device.
    pub contract: Option<String>,
    /// A local day of the period, which must be over.
    pub day: String,
    pub author: String,
}

/// Issues the statement of a period that is over: a fact that pins the newest cut, the contract's and the calendar's
/// version. What arrives later becomes an adjustment of the next one.
#[utoipa::path(post, path = "/api/v1/devices/{device}/statements", tag = "contracts",
    params(("device" = String, Path), ("Idempotency-Key" = String, Header)), request_body = IssueIn,
    responses((status = 202, body = AcceptedOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn issue(
    State(app): State<App>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<AcceptedOut>), Problem> {
    issue_of(&app, &device, read_json(&body)?, None, &headers, &body).await
}

/// The same for whoever asks, a program or a form: from the cut that was looked at, or the newest.
pub async fn issue_of(
    app: &App,
    device: &str,
    asked: IssueIn,
    cut: Option<i64>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(StatusCode, Json<AcceptedOut>), Problem> {
    short("author", &asked.author, 1, AUTHOR_MAX_LETTERS)?;
    let open = app.cuts.find(cut).await?;
    let (site, kind) = whereabouts(app, device).await?.ok_or_else(|| unknown(device))?;
    let contract = contract_of(&open, device, asked.contract.as_deref()).await?;
    let day = read_day("day", &asked.day)?;
    let statements = Statements::of_device(&open, device).await?;
    let (sheet, issued) = statements.standing(device, &contract, day).await?;
    if sheet.is_none() && issued.is_none() {
        return Err(uncovered(device, &contract, day));
    }
    let now = query::now();
    submit(app, headers, body, subject(device)?, |_, subject| {
        if let Some(issued) = issued {
            return Err(issued_already(issued));
        }
        let sheet = sheet.ok_or_else(|| uncovered(device, &contract, day))?;
        if sheet.is_open {
            return Err(runs_still(&sheet));
        }
        if let Some(other) = statements.in_the_way(&sheet) {
            return Err(told_in_part(other, sheet.days));
        }
        let fact = sheet.issue(&name_of(&sheet), &asked.author, open.cut.number, newest(&open), pins(&open));
        let body = Body::StatementIssued(Box::new(fact));
        Ok(Statement { subject, site, kind, at: now, said_at: now, by: None, body })
    })
    .await
}

/// `SC-1-2026-03-01`: unique for a device, and fit for an address.
pub fn name_of(sheet: &Sheet) -> String {
    format!("{}-{}", sheet.version.contract.number, sheet.days.0)
}

fn runs_still(sheet: &Sheet) -> Problem {
    Problem::refused(format!("the period ends before {}: a statement is issued when it is over", sheet.days.1))
}

pub fn told_in_part(other: &Issued, (from, until): (Day, Day)) -> Problem {
    Problem::refused(format!(
        "`{}` was issued for {} to {} and tells of days between {from} and {until}: a statement would count them twice. Record a version \
         of the contract whose periods meet that one",
        other.statement, other.period.from, other.period.until
    ))
}

pub fn issued_already(one: &Issued) -> Problem {
    Problem::refused(format!(
        "`{}` was issued at {}: what changed since appears in the next statement",
        one.statement, one.issued_at
    ))
}

fn newest(open: &OpenCut) -> Timestamp {
    open.newest_appended().unwrap_or(open.made_at())
}

fn pins(open: &OpenCut) -> Vec<Pin> {
    let pin = |(home, next): (&String, &i64)| {
        let (topic, partition) = home.rsplit_once('/')?;
        Some(Pin { topic: topic.to_owned(), partition: partition.parse().ok()?, next_offset: next.cast_unsigned() })
    };
    open.cut.offsets.iter().filter_map(pin).collect()
}

pub fn uncovered(device: &str, contract: &str, day: Day) -> Problem {
    let cure = format!("it covers nothing of {device} in the period of {day}: look at /api/v1/kpi/contract_versions");
    Problem::not_found("statement under contract", contract, &cure)
}

/// The contract that is meant: the one named, else the only one that covers the device.
pub async fn contract_of(open: &OpenCut, device: &str, named: Option<&str>) -> Result<String, Problem> {
    let device_now = query::device(open, device).await?.pop().ok_or_else(|| unknown(device))?;
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return Ok(named.to_owned());
    }
    let numbers = contracts_of(open, &device_now).await?;
    match numbers.as_slice() {
        [] => {
            Err(Problem::not_found("contract of device", device, "record one with POST /api/v1/sites/{site}/contracts"))
        }
        [only] => Ok(only.clone()),
        several => Err(Problem::bad_value(
            "contract",
            "",
            &format!("several cover {device}: name one of {}", several.join(", ")),
        )),
    }
}
