//! One device: what it is now, what it was, what it reported, and what was done about it.

pub(crate) mod amended;
mod file;
mod work;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use medfleet_domain::time::Timestamp;
use medfleet_kpi::ask::Cycles;

use super::download::{File, FileQuery};
use super::format::{Clock, condition_title, duration, encoded, kind_title, thousandths};
use super::frame::{Choice, Frame};
use super::now::Now;
use super::parts::{Headline, Listed};
use super::strip::{self, DayStrip};
use super::{PageProblem, rendered};
use crate::live::SILENT_AFTER_MICROS;
use crate::measure::Measure;
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::query::{self, DeviceVersion, Piece, Reported, Scope, Site};
use crate::rest;
use crate::service::App;
use crate::timeline::{Origin, merged, without_holes};
use amended::AmendedLine;
use work::{EpisodeLine, OrderLine, PmLine, Work};

/// Of each list; the file has all.
const LINES_SHOWN_MAX: usize = 25;

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    frame: Frame,
    device: String,
    kind: String,
    model: String,
    place: String,
    clock: String,
    now: Option<Now>,
    headline: Headline,
    days: Vec<DayStrip>,
    days_cut: bool,
    columns: Vec<&'static str>,
    outages: Listed<Outage>,
    episodes: Listed<EpisodeLine>,
    orders: Listed<OrderLine>,
    maintenance: Listed<PmLine>,
    amended: Listed<AmendedLine>,
    /// Contracts that cover it, each with the statement of this period.
    statements: Vec<Choice>,
    errors: Listed<ErrorLine>,
    counters: Vec<CounterLine>,
    entry: Vec<(&'static str, String)>,
}

/// A time the device was not known to be up.
struct Outage {
    class: &'static str,
    what: &'static str,
    /// Where its facts are listed.
    evidence: String,
    from: String,
    until: String,
    lasted: String,
    why: String,
}

struct ErrorLine {
    at: String,
    code: String,
    severity: String,
    text: String,
}

struct CounterLine {
    name: String,
    gained: String,
    /// At the newest sample.
    reading: String,
    samples: i64,
    note: String,
}

pub async fn page(
    app: State<App>,
    Path(name): Path<String>,
    Query(asked): Query<PeriodQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let (open, period) = rest::scope(&app, &asked).await?;
    let drawn = asked.read_open(open.at())?;
    let versions = query::device(&open, &name).await?;
    let current = versions.iter().rev().find(|version| version.holds_at(open.at())).or(versions.last());
    let cure = "look it up on its site's page, or register it first";
    let current = current.ok_or_else(|| Problem::not_found("device", &name, cure))?;
    if let Some(wanted) = wanted {
        let sheets = file::sheets(&open, current, period, drawn).await?;
        return Ok(File::of(&app, &open, period, &name, sheets).await.answer(wanted)?);
    }
    let frame = Frame::new(&app, &open, &asked, period).await?;
    let site = query::sites(&open).await?.into_iter().find(|site| site.site == current.site);
    let site = site.unwrap_or_else(|| unnamed(&current.site));
    let live = open.live().await?;
    let present = live.iter().find(|device| device.device == name);
    let rows = query::uptime_by_device(&open, period, Scope { device: &name, ..Scope::default() }).await?;
    let measure: Measure = rows.into_iter().map(|row| row.measure).sum();
    let pieces = merged(without_holes(query::timeline(&open, &name, drawn).await?, drawn));
    let errors = query::errors(&open, &name, drawn).await?;
    let counters = query::counters(&open, &name, drawn).await?;
    let work = Work::of(&open, current, drawn).await?;
    let contracts = crate::kpi::contracts_of(&open, current).await?;
    let clock = Clock::of(&site.time_zone);
    let crumbs = vec![frame.crumb("Fleet", "/"), frame.crumb(&site.name, &format!("/sites/{}", site.site))];
    let mut frame = frame.titled(name.clone(), crumbs);
    frame.demo = site.demo;
    let days = strip::days(&pieces, drawn, &site.time_zone);
    let outages = outages(&frame, &name, &pieces, clock);
    let statement = |number: String| Choice {
        href: frame.link(&format!("/devices/{name}/statement")) + &format!("&contract={}", encoded(&number)),
        label: number,
        current: false,
    };
    rendered(&DevicePage {
        kind: kind_title(&current.kind).to_owned(),
        model: words(&[&current.make, &current.model]),
        place: std::iter::once(site.name.clone())
            .chain([&current.department, &current.room].into_iter().flatten().cloned())
            .collect::<Vec<_>>()
            .join(" · "),
        clock: site.time_zone.clone(),
        now: present.map(|present| Now::of(present, &site.name, open.made_at(), String::new())),
        headline: Headline::of(&measure),
        days_cut: drawn.micros() > strip::DAYS_DRAWN_MAX as i64 * medfleet_domain::time::MICROS_PER_DAY,
        days,
        columns: strip::CONDITIONS.iter().map(|condition| condition_title(condition)).collect(),
        outages,
        episodes: shown(work.episode_lines(&frame, &name, clock, open.at()).into_iter()),
        orders: shown(work.order_lines(clock).into_iter()),
        maintenance: shown(work.pm_lines(clock).into_iter()),
        amended: shown(work.amended_lines(clock).into_iter()),
        statements: contracts.into_iter().map(statement).collect(),
        errors: shown(errors.into_iter().map(|error| error_line(error, clock))),
        counters: counters.into_iter().map(counter_line).collect(),
        entry: entry(current),
        device: name,
        frame,
    })
}

fn shown<T>(lines: impl ExactSizeIterator<Item = T>) -> Listed<T> {
    Listed::of(lines, LINES_SHOWN_MAX)
}

fn unnamed(site: &str) -> Site {
    let site = site.to_owned();
    let (valid_from, recorded_at) = (Timestamp::MIN, Timestamp::MIN);
    let (name, time_zone, region) = (site.clone(), "UTC".to_owned(), String::new());
    Site { site, name, time_zone, region, demo: false, valid_from, recorded_at }
}

fn words(parts: &[&Option<String>]) -> String {
    parts.iter().filter_map(|part| part.as_deref()).collect::<Vec<_>>().join(" ")
}

/// Downtime and silence, newest first.
fn outages(frame: &Frame, device: &str, pieces: &[Piece], clock: Clock) -> Listed<Outage> {
    let end = pieces.last().map(|piece| piece.until);
    // Between the agent's last sign of life and the cut there is always a moment.
    let waits = |piece: &Piece| {
        piece.origin == Origin::Gap && Some(piece.until) == end && piece.until.0 - piece.from.0 < SILENT_AFTER_MICROS
    };
    let up = |piece: &Piece| matches!(piece.condition.as_str(), "productive" | "standby" | "engineering");
    let notable = |piece: &&Piece| !up(piece) && !waits(piece);
    let found: Vec<&Piece> = pieces.iter().rev().filter(notable).collect();
    let outage = |piece: &&Piece| Outage {
        class: match piece.condition.as_str() {
            "unscheduled_down" => "u",
            "scheduled_down" => "d",
            _ => "n",
        },
        what: if piece.origin == Origin::Gap { "No data" } else { condition_title(&piece.condition) },
        evidence: frame.evidence(device, piece.from, piece.until),
        from: clock.minute(piece.from),
        until: clock.minute(piece.until),
        lasted: duration(piece.until.0 - piece.from.0),
        why: why(piece),
    };
    shown(found.iter().map(outage))
}

fn why(piece: &Piece) -> String {
    let mut said = Vec::new();
    match piece.origin {
        Origin::Gap => said.push("nothing was heard".to_owned()),
        Origin::Live => said.push("provisional".to_owned()),
        Origin::Claim => said.push("claim still open".to_owned()),
        Origin::Ledger => {}
    }
    if let Some(reason) = piece.reason.as_deref() {
        said.push(reason.replace('_', " "));
    }
    if let Some(author) = piece.author.as_deref().filter(|author| !author.is_empty()) {
        said.push(format!("says {author}"));
    }
    if piece.conflict {
        said.push("use was seen".to_owned());
    }
    if piece.assumed {
        said.push("assumed".to_owned());
    }
    if said.is_empty() { "reported by the device".to_owned() } else { said.join(", ") }
}

fn error_line(error: Reported, clock: Clock) -> ErrorLine {
    let about = [error.text, error.family.map(|family| family.replace('_', " ")), error.component];
    ErrorLine {
        at: clock.minute(error.at),
        code: error.code,
        severity: error.severity,
        text: about.into_iter().flatten().collect::<Vec<_>>().join(" · "),
    }
}

fn counter_line(counter: Cycles) -> CounterLine {
    let name = counter.counter.replace('_', " ");
    let note = match counter.resets {
        0 => String::new(),
        1 => "1 reset: at least".to_owned(),
        resets => format!("{resets} resets: at least"),
    };
    CounterLine {
        name: counter.component.map_or(name.clone(), |component| format!("{name} ({component})")),
        gained: format!("{} {}", thousandths(counter.gained_milli), counter.unit),
        reading: thousandths(counter.reading_milli),
        samples: counter.samples,
        note,
    }
}

/// What the inventory says of it, as far as it says anything.
fn entry(device: &DeviceVersion) -> Vec<(&'static str, String)> {
    let day = |day: Option<medfleet_domain::time::Day>| day.map(|day| day.to_string());
    let said = [
        ("Serial", device.serial.clone()),
        ("Asset number", device.asset_number.clone()),
        ("Department", device.department.clone()),
        ("Room", device.room.clone()),
        ("In service since", day(device.in_service_day)),
        ("End of support", day(device.end_of_support_day)),
        ("Ownership", device.ownership.clone()),
        ("Cost centre", device.cost_centre.clone()),
        ("On loan to", device.on_loan_to.clone()),
        ("In service", Some(if device.in_service { "yes" } else { "no, retired" }.to_owned())),
    ];
    said.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
