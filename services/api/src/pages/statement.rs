//! The contract statement of one device and period: the figure against the guarantee, and every span it is made of.

mod files;
mod lines;
mod terms;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router};
use medfleet_domain::contract::{BasisPoints, Contract, PeriodLength};
use medfleet_domain::statement::{Figure as Counted, Maintenance};
use medfleet_domain::time::Day;
use medfleet_kpi::statement::{Issued, Sheet};
use serde::Deserialize;

use super::download::{File, FileQuery, Sheet as FileSheet};
use super::format::{Clock, NO_DATA, basis_points, encoded, fine_percent, hours, month_name, some_percent};
use super::frame::Frame;
use super::parts::Listed;
use super::{PageProblem, rendered};
use crate::period::{PeriodQuery, read_day};
use crate::problem::Problem;
use crate::query;
use crate::rest::contracts::{IssueIn, contract_of, issue_of, issued_already, told_in_part, uncovered};
use crate::rest::{self, sheet};
use crate::service::App;
use crate::statements::{Statements, Told};
pub use files::summary_table;
pub use terms::terms;

use files::{adjustment_table, class_table, treatment_table};
use lines::{AdjustmentBlock, ClassLine, LineOut, adjustments, classes, line_out};

/// Spans on one page; a file has all.
const LINES_SHOWN_MAX: usize = 250;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub fn routes() -> Router<App> {
    Router::new().route("/devices/{device}/statement", get(page).post(issue))
}

#[derive(Template)]
#[template(path = "statement.html")]
struct StatementPage {
    frame: Frame,
    device: String,
    contract: String,
    contract_href: String,
    about: String,
    period: String,
    clock: String,
    status: String,
    said: Option<String>,
    judged: Judged,
    figures: Figures,
    earlier: String,
    later: Option<String>,
    terms: Vec<(&'static str, String)>,
    treatments: Vec<Treatment>,
    classes: Vec<ClassLine>,
    lines: Listed<LineOut>,
    adjustments: Vec<AdjustmentBlock>,
    issue: Option<IssueForm>,
    issued: Option<IssuedWords>,
}

struct Figures {
    uptime: String,
    bounds: String,
    guarantee: String,
    base: String,
    down: String,
    unknown: String,
    coverage: String,
    conflict: String,
}

struct Treatment {
    words: &'static str,
    own: bool,
    uptime: String,
    bounds: String,
    base: String,
    down: String,
}

/// What the button sends: it issues what was looked at.
struct IssueForm {
    cut: i64,
    day: String,
}

struct IssuedWords {
    name: String,
    text: String,
    uptime: String,
    agrees: bool,
}

/// Whether the guarantee was kept, told by mark and word.
pub struct Judged {
    pub class: &'static str,
    pub mark: &'static str,
    pub words: &'static str,
}

#[derive(Debug, Default, Deserialize)]
pub struct StatementQuery {
    contract: Option<String>,
    /// A local day of the period; that of the cut when nothing is said.
    day: Option<String>,
    /// What the button led to: the place in the log.
    issued: Option<String>,
}

async fn page(
    app: State<App>,
    Path(device): Path<String>,
    Query(asked): Query<PeriodQuery>,
    Query(which): Query<StatementQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let (open, period) = rest::scope(&app, &asked).await?;
    let contract = contract_of(&open, &device, which.contract.as_deref()).await?;
    let day = match which.day.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => read_day("day", text)?,
        None => open.at().day(),
    };
    let statements = Statements::of_device(&open, &device).await?;
    let told = statements.told(&device, &contract, day).await?.ok_or_else(|| uncovered(&device, &contract, day))?;
    if let Some(wanted) = wanted {
        let sheets = vec![
            FileSheet::new(
                "lines",
                "one span of the statement, and why it counts or does not",
                sheet::lines(&told.sheet),
            ),
            FileSheet::new("summary", "the statement", summary_table(std::slice::from_ref(&told.sheet))),
            FileSheet::new("classes", "how long spans of one class lasted, unweighted", class_table(&told.sheet)),
            FileSheet::new(
                "maintenance",
                "the figure under one treatment of maintenance",
                treatment_table(&told.sheet),
            ),
            FileSheet::new(
                "adjustments",
                "one span of an earlier statement that later facts judge otherwise",
                adjustment_table(&told.adjustments),
            ),
        ];
        let span = told.sheet.statement.period;
        let period = crate::period::Period { from: span.from, until: span.until };
        let name = format!("statement-{}-{device}", told.sheet.version.contract.number);
        return Ok(File::of(&app, &open, period, &name, sheets).await.answer(wanted)?);
    }
    let frame = Frame::new(&app, &open, &asked, period).await?;
    let sites = query::sites(&open).await?;
    let site = sites.iter().find(|site| site.site == told.sheet.site);
    let (name, zone) =
        site.map_or((told.sheet.site.as_str(), "UTC"), |site| (site.name.as_str(), site.time_zone.as_str()));
    let mut page = compose(frame, &told, (name, zone), day, which.issued.as_deref());
    page.frame.demo = site.is_some_and(|site| site.demo);
    rendered(&page)
}

fn compose(frame: Frame, told: &Told, (name, zone): (&str, &str), day: Day, said: Option<&str>) -> StatementPage {
    let (sheet, clock) = (&told.sheet, Clock::of(zone));
    let (contract, statement) = (&sheet.version.contract, &sheet.statement);
    let (first, last) = sheet.days;
    let number = encoded(&contract.number);
    let own = frame.link(&format!("/devices/{}/statement", sheet.device)) + &format!("&contract={number}");
    let contract_path = format!("/contracts/{}/{number}", sheet.site);
    let mut frame = frame;
    frame.filters = vec![("contract", contract.number.clone()), ("day", day.to_string())];
    let crumbs = vec![
        frame.crumb("Contracts", "/contracts"),
        frame.crumb(&contract.number, &contract_path),
        frame.crumb(&sheet.device, &format!("/devices/{}", sheet.device)),
    ];
    StatementPage {
        contract_href: frame.link(&contract_path) + &format!("&day={day}"),
        about: format!("{} · {name}", sheet.kind.title()),
        period: period_title(contract.period, first),
        status: status(told),
        said: said.and_then(said_words),
        judged: judged_of(contract, statement.figure()),
        figures: Figures::of(contract, statement.figure()),
        earlier: format!("{own}&day={}", Day(first.0 - 1)),
        later: (!sheet.is_open).then(|| format!("{own}&day={last}")),
        terms: terms(&sheet.version, Some(sheet)),
        treatments: Maintenance::ALL.into_iter().map(|one| Treatment::of(sheet, one)).collect(),
        classes: classes(statement),
        lines: Listed::of(
            statement.lines.iter().map(|line| line_out(&frame, &sheet.device, line, clock)),
            LINES_SHOWN_MAX,
        ),
        adjustments: adjustments(&frame, &told.adjustments, clock),
        issue: (!sheet.is_open && told.issued.is_none() && told.in_the_way.is_none() && !frame.is_earlier())
            .then(|| IssueForm { cut: frame.cut, day: first.to_string() }),
        issued: told.issued.as_ref().map(|one| IssuedWords::of(one, sheet)),
        clock: zone.to_owned(),
        contract: contract.number.clone(),
        device: sheet.device.clone(),
        frame: frame.titled(format!("Statement of {}", sheet.device), crumbs).room("Contracts"),
    }
}

/// `November 2026`, `October to December 2026`.
pub fn period_title(length: PeriodLength, first: Day) -> String {
    let (year, month, _) = first.civil();
    match length {
        PeriodLength::Month => format!("{} {year}", month_name(month)),
        PeriodLength::Quarter => format!("{} to {} {year}", month_name(month), month_name(month + 2)),
    }
}

fn status(told: &Told) -> String {
    if let Some(other) = &told.in_the_way {
        return format!("{} was issued for a part of it: no statement can be", other.statement);
    }
    match (&told.issued, told.sheet.is_open) {
        (Some(one), _) => format!("Issued as {}", one.statement),
        (None, true) => format!("Runs until {}: up to the cut, and not final", told.sheet.days.1),
        (None, false) => "Over and not issued".to_owned(),
    }
}

fn said_words(place: &str) -> Option<String> {
    let is_place = place.split(':').count() == 2 && place.split(':').all(|part| part.parse::<u64>().is_ok());
    is_place.then(|| format!("Issued: the fact stands in the log at {place} and shows here in a moment"))
}

/// Uptime and its bounds.
pub fn figures(figure: &Counted) -> (String, String) {
    let Some(rated) = figure.rated() else { return (NO_DATA.to_owned(), String::new()) };
    let strip = |ratio: f64| fine_percent(ratio.max(0.0)).trim_end_matches('%').to_owned();
    let (worst, best) = (strip(rated.worst), strip(rated.best));
    let bounds = if worst == best { format!("{worst}%") } else { format!("{worst}–{best}%") };
    (fine_percent(rated.uptime.max(0.0)), bounds)
}

pub fn judged_of(contract: &Contract, figure: Counted) -> Judged {
    match sheet::judged(contract, figure).as_deref() {
        Some("met") => Judged { class: "met", mark: "●", words: "met" },
        Some("missed") => Judged { class: "missed", mark: "▼", words: "missed" },
        Some(_) => Judged { class: "open", mark: "◐", words: "undecided: too much is unknown" },
        None => Judged { class: "open", mark: "–", words: "no hours in this period" },
    }
}

impl Figures {
    fn of(contract: &Contract, figure: Counted) -> Self {
        let (uptime, bounds) = figures(&figure);
        Self {
            uptime,
            bounds,
            guarantee: basis_points(contract.guarantee),
            base: hours(figure.base_micros),
            down: hours(figure.weighted_micros_bp / i64::from(BasisPoints::WHOLE.0)),
            unknown: hours(figure.unknown_micros),
            coverage: some_percent(figure.rated().map(|rated| rated.coverage)),
            conflict: hours(figure.conflict_micros_bp / i64::from(BasisPoints::WHOLE.0)),
        }
    }
}

impl Treatment {
    fn of(sheet: &Sheet, one: Maintenance) -> Self {
        let figure = sheet.statement.variant(one);
        let (uptime, bounds) = figures(&figure);
        Self {
            words: one.as_str(),
            own: one == sheet.statement.maintenance,
            uptime,
            bounds,
            base: hours(figure.base_micros),
            down: hours(figure.weighted_micros_bp / i64::from(BasisPoints::WHOLE.0)),
        }
    }
}

impl IssuedWords {
    fn of(one: &Issued, sheet: &Sheet) -> Self {
        let (uptime, bounds) = figures(&one.figure());
        let who = one.author.as_deref().unwrap_or("somebody");
        let at = Clock::of("UTC").minute(one.issued_at);
        Self {
            name: one.statement.clone(),
            text: format!("by {who}, {at} UTC, from cut {} (facts up to {})", one.cut, one.as_of),
            uptime: format!("{uptime}, bounds {bounds}"),
            agrees: sheet::agrees(one, sheet.statement.figure()),
        }
    }
}

#[derive(Debug, Deserialize)]
struct IssueAsked {
    contract: String,
    day: String,
    author: String,
    cut: i64,
}

/// The button. What is issued is what the page showed: the same cut, and one statement however often it is pressed.
async fn issue(
    State(app): State<App>,
    Path(device): Path<String>,
    Form(asked): Form<IssueAsked>,
) -> Result<Response, PageProblem> {
    let IssueAsked { contract, day, author, cut } = asked;
    let newest = app.cuts.find(None).await?;
    let statements = Statements::of_device(&newest, &device).await?;
    let (sheet, issued) = statements.standing(&device, &contract, read_day("day", &day)?).await?;
    if let Some(one) = issued {
        return Err(issued_already(one).into());
    }
    if let Some(sheet) = &sheet
        && let Some(other) = statements.in_the_way(sheet)
    {
        return Err(told_in_part(other, sheet.days).into());
    }
    let key = format!("page-{contract}-{day}");
    let key =
        HeaderValue::from_str(&key).map_err(|_| Problem::bad_value("contract", &contract, "use visible characters"))?;
    let headers = HeaderMap::from_iter([(IDEMPOTENCY_KEY, key)]);
    let body = Bytes::from(format!("{contract}\n{day}"));
    let stated = IssueIn { contract: Some(contract.clone()), day: day.clone(), author };
    let (_, accepted) = issue_of(&app, &device, stated, Some(cut), &headers, &body).await?;
    let place = format!("{}:{}", accepted.position.partition, accepted.position.offset);
    let to =
        format!("/devices/{device}/statement?contract={}&day={}&issued={place}", encoded(&contract), encoded(&day));
    Ok(Redirect::to(&to).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_within_the_bounds_of_silence_is_not_judged() {
        let hour = 3_600_000_000;
        let figure = |down: i64, unknown: i64| Counted {
            base_micros: 100 * hour,
            weighted_micros_bp: down * hour * 10_000,
            unknown_micros: unknown * hour,
            conflict_micros_bp: 0,
        };
        assert_eq!(figures(&figure(1, 2)), ("99.00%".to_owned(), "97.00–99.00%".to_owned()));
        assert_eq!(figures(&Counted::default()).0, NO_DATA);
    }

    #[test]
    fn periods_are_named_as_people_name_them() {
        let day = Day::from_civil(2026, 10, 1);
        assert_eq!(period_title(PeriodLength::Month, day), "October 2026");
        assert_eq!(period_title(PeriodLength::Quarter, day), "October to December 2026");
        assert!(said_words("1:20").is_some() && said_words("<b>").is_none() && said_words("1").is_none());
    }
}
