//! Planned maintenance: done on time ÷ due, by what happens to a patient when the equipment fails, and what is overdue.

mod tally;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use medfleet_domain::time::Timestamp;
use medfleet_kpi::ask::{self, PmState, PmWork};
use medfleet_kpi::registry::view;
use medfleet_kpi::table::{Cell, Table};
use serde::Deserialize;

use self::tally::{Class, Tallied, by_class, by_class_and_site, figures};
use super::download::{File, FileQuery, Sheet};
use super::format::{Clock, duration, encoded, kind_title, some_percent};
use super::frame::{Choice, Frame, Pick};
use super::parts::Listed;
use super::{PageProblem, rendered};
use crate::error::ApiError;
use crate::kpi::question;
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::query::{self, Scope, Site};
use crate::rest;
use crate::service::App;

/// Work that the page lists; the file has all.
const WORK_SHOWN_MAX: usize = 60;

#[derive(Default, Deserialize)]
pub struct MaintenanceQuery {
    site: Option<String>,
    kind: Option<String>,
    class: Option<String>,
}

#[derive(Template)]
#[template(path = "maintenance.html")]
struct MaintenancePage {
    frame: Frame,
    classes: Vec<Choice>,
    sites: Vec<Pick>,
    kinds: Vec<Pick>,
    verdict: Vec<String>,
    lines: Vec<ClassLine>,
    heads: Vec<&'static str>,
    places: Vec<PlaceLine>,
    work: Listed<WorkLine>,
}

struct ClassLine {
    title: &'static str,
    means: &'static str,
    share: Share,
    on_time: String,
    late: String,
    overdue: String,
    carried: String,
    due: String,
    to_come: String,
}

/// On time ÷ due as it is shown.
struct Share {
    text: String,
    width: String,
    /// Where all of it has to be done in time and was not.
    short: bool,
}

struct PlaceLine {
    name: String,
    href: String,
    cells: Vec<Option<(Share, String)>>,
}

struct WorkLine {
    device: String,
    href: String,
    about: String,
    class: &'static str,
    procedure: String,
    tone: &'static str,
    mark: &'static str,
    state: &'static str,
    due: String,
    done: String,
    note: String,
}

pub async fn page(
    app: State<App>,
    Query(asked): Query<PeriodQuery>,
    Query(narrow): Query<MaintenanceQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let class = narrow.class.as_deref().filter(|class| !class.is_empty()).map(Class::read).transpose()?;
    let (site, kind) = (narrow.site.unwrap_or_default(), narrow.kind.unwrap_or_default());
    let (open, period) = rest::scope(&app, &asked).await?;
    let question = question(&open, period, Scope { site: &site, kind: &kind, device: "" });
    let session = open.kpi().await?;
    let mut work = ask::pm(session, &question).await.map_err(ApiError::from)?;
    work.retain(|one| class.is_none_or(|class| Class::of(one) == class));
    if let Some(wanted) = wanted {
        let mut all = view("pm").map_err(ApiError::from)?.table(session, &question).await.map_err(ApiError::from)?;
        keep_class(&mut all, class);
        let tallied: Vec<Tallied> = by_class_and_site(&work);
        let sheets = vec![
            Sheet::new("classes", "one risk class at one site over the period", Table::of(&figures(), &tallied)),
            Sheet::new("work", "one planned maintenance of one device", all),
        ];
        return Ok(File::of(&app, &open, period, "maintenance", sheets).await.answer(wanted)?);
    }
    let sites = query::sites(&open).await?;
    let mut kinds: Vec<String> = open.live().await?.iter().map(|device| device.kind.clone()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut frame = Frame::new(&app, &open, &asked, period).await?;
    frame = frame.titled("Planned maintenance", Vec::new()).room("PM");
    frame.demo = sites.iter().any(|site| site.demo);
    let narrowed = [("site", site.as_str()), ("kind", kind.as_str()), ("class", class.map_or("", Class::word))];
    frame.filters = narrowed
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    rendered(&compose(frame, &sites, &kinds, (&site, &kind, class), &work, open.at()))
}

/// Leaves the rows of one class in the table of the view.
fn keep_class(table: &mut Table, class: Option<Class>) {
    let place = table.headings.iter().position(|heading| heading.name == "risk_class");
    let (Some(class), Some(place)) = (class, place) else { return };
    table.rows.retain(|row| row[place] == Cell::text(class.word()));
}

fn compose(
    frame: Frame,
    sites: &[Site],
    kinds: &[String],
    (site, kind, class): (&str, &str, Option<Class>),
    work: &[PmWork],
    at: Timestamp,
) -> MaintenancePage {
    let classes = by_class(work);
    let shown: Vec<Class> = classes.iter().map(|one| one.class).collect();
    let unsettled = unsettled(work);
    MaintenancePage {
        classes: class_choices(&frame, class),
        sites: Pick::sites(sites, site),
        kinds: Pick::kinds(kinds, kind),
        verdict: verdict(&classes),
        lines: classes.iter().map(class_line).collect(),
        heads: shown.iter().map(|class| class.title()).collect(),
        places: places(&frame, sites, &shown, work),
        work: Listed::of(unsettled.into_iter().map(|one| work_line(&frame, sites, one, at)), WORK_SHOWN_MAX),
        frame,
    }
}

fn class_choices(frame: &Frame, class: Option<Class>) -> Vec<Choice> {
    let others: String = frame
        .filters
        .iter()
        .filter(|(name, _)| *name != "class")
        .map(|(name, value)| format!("&{name}={}", encoded(value)))
        .collect();
    let all = Choice { label: "All".to_owned(), href: format!("?{}{others}", frame.query), current: class.is_none() };
    let one = |of: Class| Choice {
        label: of.title().to_owned(),
        href: format!("?{}{others}&class={}", frame.query, of.word()),
        current: class == Some(of),
    };
    std::iter::once(all).chain(Class::ALL.map(one)).collect()
}

/// What has to be whole and is not, said in one sentence for each class.
fn verdict(classes: &[Tallied]) -> Vec<String> {
    if classes.iter().all(|one| one.due() == 0 && one.carried_open == 0) {
        return vec!["No maintenance was due in this period.".to_owned()];
    }
    let of = |one: &Tallied| {
        let missing = one.late + one.overdue;
        let told = match (one.due(), missing) {
            (0, _) => format!("{}: nothing was due.", one.class.title()),
            (due, 0) => format!("{}: all {due} done in time.", one.class.title()),
            (due, _) => format!(
                "{}: {missing} of {due} not done in time, {} of them still open. All of it has to be.",
                one.class.title(),
                one.overdue
            ),
        };
        match one.carried_open {
            0 => told,
            open => format!("{told} From before the period {open} still open."),
        }
    };
    let speaks = |one: &&Tallied| one.class.must_be_whole() && (one.due() > 0 || one.carried_open > 0);
    classes.iter().filter(speaks).map(of).collect()
}

fn class_line(one: &Tallied) -> ClassLine {
    ClassLine {
        title: one.class.title(),
        means: one.class.means(),
        share: share(one),
        on_time: one.on_time.to_string(),
        late: one.late.to_string(),
        overdue: one.overdue.to_string(),
        carried: one.carried.to_string(),
        due: one.due().to_string(),
        to_come: one.not_due.to_string(),
    }
}

fn share(one: &Tallied) -> Share {
    let ratio = one.on_time_share();
    Share {
        text: some_percent(ratio),
        width: format!("{:.1}%", ratio.unwrap_or_default() * 100.0),
        short: one.class.must_be_whole() && ratio.is_some_and(|ratio| ratio < 1.0),
    }
}

/// Sites down, classes across; a site without work of a class has no cell.
fn places(frame: &Frame, sites: &[Site], shown: &[Class], work: &[PmWork]) -> Vec<PlaceLine> {
    let tallied = by_class_and_site(work);
    let line = |site: &Site| {
        let own: Vec<&Tallied> = tallied.iter().filter(|one| one.site == site.site).collect();
        let cell = |class: &Class| {
            let one = own.iter().find(|one| one.class == *class && one.due() > 0)?;
            Some((share(one), format!("{} of {}", one.on_time, one.due())))
        };
        let href = format!("{}&site={}", frame.link("/maintenance"), encoded(&site.site));
        (!own.is_empty()).then(|| PlaceLine { name: site.name.clone(), href, cells: shown.iter().map(cell).collect() })
    };
    sites.iter().filter_map(line).collect()
}

/// What was not done in time: the gravest class first, what is still open before what was late, then the longest due.
fn unsettled(work: &[PmWork]) -> Vec<&PmWork> {
    let mut found: Vec<&PmWork> =
        work.iter().filter(|one| matches!(one.state, PmState::Late | PmState::Overdue)).collect();
    found.sort_by_key(|one| (one.state != PmState::Overdue, Class::of(one), one.due));
    found
}

fn work_line(frame: &Frame, sites: &[Site], one: &PmWork, at: Timestamp) -> WorkLine {
    let site = sites.iter().find(|site| site.site == one.site);
    let clock = Clock::of(site.map_or("UTC", |site| site.time_zone.as_str()));
    let (tone, mark, state) = match one.state {
        PmState::Overdue => ("over", "▼", "overdue"),
        _ => ("late", "◐", "late"),
    };
    let behind = one.done.unwrap_or(at).0 - one.due.0;
    let mut note = vec![format!("{} behind", duration(behind))];
    note.extend(one.reason.as_ref().map(|reason| format!("tried: {}", reason.replace('_', " "))));
    note.extend(one.work_order.as_ref().map(|order| format!("order {order}")));
    WorkLine {
        href: frame.link(&format!("/devices/{}", one.device)),
        device: one.device.clone(),
        about: format!("{} · {}", kind_title(&one.kind), site.map_or(one.site.as_str(), |site| site.name.as_str())),
        class: Class::of(one).title(),
        procedure: if one.procedure.is_empty() { "planned maintenance".to_owned() } else { one.procedure.clone() },
        tone,
        mark,
        state,
        due: clock.minute(one.due),
        done: one.done.map_or_else(|| "–".to_owned(), |at| clock.minute(at)),
        note: note.join(", "),
    }
}

impl Class {
    fn read(text: &str) -> Result<Self, Problem> {
        let found = Self::ALL.into_iter().find(|one| one.word() == text);
        found.ok_or_else(|| Problem::bad_value("class", text, "use life_support, high, medium, low or not_classed"))
    }
}
