//! Service contracts: which there are, and how the devices of one stand in a period.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use futures::{StreamExt as _, TryStreamExt as _};
use medfleet_domain::contract::{Contract, ContractHours};
use medfleet_domain::time::{Day, Timestamp};
use medfleet_kpi::registry::view;
use medfleet_kpi::statement::{ContractVersion, Issued, Sheet, contracts, issued};
use serde::Deserialize;

use super::download::{File, FileQuery, Sheet as FileSheet};
use super::format::{basis_points, encoded, hours, plural};
use super::frame::{Choice, Frame};
use super::parts::Listed;
use super::statement::{Judged, figures, judged_of, period_title};
use super::{PageProblem, rendered};
use crate::error::ApiError;
use crate::kpi::{covered, question};
use crate::period::{Period, PeriodQuery, read_day};
use crate::problem::Problem;
use crate::query::{self, DeviceFilter, DeviceVersion, Scope, Site};
use crate::rest;
use crate::service::App;
use crate::statements::Statements;

/// Devices of one contract whose statements a page computes.
const DEVICES_SHOWN_MAX: usize = 60;
/// Statements of one file: each is computed for it.
const STATEMENTS_IN_FILE_MAX: usize = 500;
const STATEMENTS_AT_ONCE: usize = 4;

pub fn routes() -> Router<App> {
    Router::new().route("/contracts", get(page)).route("/contracts/{site}/{contract}", get(one))
}

#[derive(Template)]
#[template(path = "contracts.html")]
struct ContractsPage {
    frame: Frame,
    sites: Vec<SiteContracts>,
    issued: Listed<IssuedLine>,
}

struct SiteContracts {
    name: String,
    lines: Vec<ContractLine>,
}

struct ContractLine {
    number: String,
    href: String,
    covers: String,
    vendor: String,
    guarantee: String,
    hours: &'static str,
    clock: String,
    period: &'static str,
    devices: String,
    issued: String,
}

struct IssuedLine {
    name: String,
    href: String,
    device: String,
    uptime: String,
    at: String,
    author: String,
}

#[derive(Template)]
#[template(path = "contract.html")]
struct ContractPage {
    frame: Frame,
    number: String,
    about: String,
    period: String,
    earlier: String,
    later: Option<String>,
    is_open: bool,
    guarantee: String,
    lines: Vec<DeviceLine>,
    /// Where the devices that do not fit on this page are.
    follow: Option<Choice>,
    terms: Vec<(&'static str, String)>,
}

struct DeviceLine {
    device: String,
    href: String,
    uptime: String,
    bounds: String,
    judged: Judged,
    down: String,
    unknown: String,
    base: String,
    issued: &'static str,
}

/// Issued statements listed; a file has all.
const ISSUED_SHOWN_MAX: usize = 50;

async fn page(
    app: State<App>,
    Query(asked): Query<PeriodQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let (open, period) = rest::scope(&app, &asked).await?;
    let session = open.kpi().await?;
    let everything = question(&open, Period { from: Timestamp(0), until: period.until }, Scope::default());
    if let Some(wanted) = wanted {
        let mut sheets = Vec::new();
        for (name, of, one_row) in [
            ("contracts", "contract_versions", "one version of one contract at one site"),
            ("issued", "issued_statements", "one statement as it was issued, and the cut that computes it again"),
        ] {
            let table = view(of).map_err(ApiError::from)?.table(session, &everything).await.map_err(ApiError::from)?;
            sheets.push(FileSheet::new(name, one_row, table));
        }
        return Ok(File::of(&app, &open, period, "contracts", sheets).await.answer(wanted)?);
    }
    let mut frame = Frame::new(&app, &open, &asked, period).await?.titled("Contracts", Vec::new()).room("Contracts");
    let versions = contracts(session).await.map_err(ApiError::from)?;
    let mut told = issued(session, &everything).await.map_err(ApiError::from)?;
    told.sort_by_key(|one| one.issued_at);
    let sites = query::sites(&open).await?;
    let devices = query::devices(&open, &DeviceFilter::default()).await?;
    frame.demo = sites.iter().any(|site| site.demo);
    let today = open.at().day();
    let of_site = |site: &Site| SiteContracts {
        name: site.name.clone(),
        lines: in_force(&versions, &site.site, today)
            .into_iter()
            .map(|version| contract_line(&frame, version, &devices, &told))
            .collect(),
    };
    let mut by_site: Vec<SiteContracts> = sites.iter().map(of_site).collect();
    by_site.retain(|site| !site.lines.is_empty());
    rendered(&ContractsPage {
        sites: by_site,
        issued: Listed::of(told.iter().rev().map(|one| issued_line(&frame, one)), ISSUED_SHOWN_MAX),
        frame,
    })
}

/// Of each contract of a site the version that holds on a day; where none does yet, the first to come.
fn in_force<'a>(versions: &'a [ContractVersion], site: &str, today: Day) -> Vec<&'a ContractVersion> {
    let mut best: BTreeMap<&str, &ContractVersion> = BTreeMap::new();
    let rank = |one: &ContractVersion| {
        let begun = one.contract.valid_from <= today;
        let from = one.contract.valid_from.0;
        (begun, if begun { from } else { -from }, one.recorded_at)
    };
    for version in versions.iter().filter(|version| version.site == site) {
        let held = best.entry(&version.contract.number).or_insert(version);
        if rank(version) > rank(held) {
            *held = version;
        }
    }
    best.into_values().collect()
}

fn contract_line(frame: &Frame, version: &ContractVersion, devices: &[DeviceVersion], told: &[Issued]) -> ContractLine {
    let of = &version.contract;
    let here = devices.iter().filter(|one| one.in_service && one.site == version.site && covered(of, one)).count();
    let issued = told.iter().filter(|one| one.site == version.site && one.contract == of.number).count();
    ContractLine {
        number: of.number.clone(),
        href: frame.link(&format!("/contracts/{}/{}", version.site, encoded(&of.number))),
        covers: covers(of),
        vendor: if of.vendor.is_empty() { "–".to_owned() } else { of.vendor.clone() },
        guarantee: basis_points(of.guarantee),
        hours: hours_words(&of.hours),
        clock: clock_words(of),
        period: of.period.as_str(),
        devices: here.to_string(),
        issued: issued.to_string(),
    }
}

fn issued_line(frame: &Frame, one: &Issued) -> IssuedLine {
    let (uptime, _) = figures(&one.figure());
    let middle = Timestamp(one.period.from.0 + one.period.micros() / 2).day();
    let path = frame.link(&format!("/devices/{}/statement", one.device));
    IssuedLine {
        name: one.statement.clone(),
        href: format!("{path}&contract={}&day={middle}", encoded(&one.contract)),
        device: one.device.clone(),
        uptime,
        at: super::format::Clock::of("UTC").minute(one.issued_at),
        author: one.author.clone().unwrap_or_else(|| "–".to_owned()),
    }
}

pub fn covers(of: &Contract) -> String {
    let kind = of.kind.map_or("All equipment", |kind| kind.title());
    match of.devices.len() {
        0 => kind.to_owned(),
        count => format!("{kind}: {}", plural(count, "device")),
    }
}

pub const fn hours_words(of: &ContractHours) -> &'static str {
    match of {
        ContractHours::OfSite => "base hours of the site",
        ContractHours::AroundTheClock => "around the clock",
        ContractHours::Own(_) => "hours of its own",
    }
}

/// `from reported to returned to use`.
pub fn clock_words(of: &Contract) -> String {
    let word = |code: &str| code.replace('_', " ");
    format!("{} to {}", word(of.starts.as_str()), word(of.stops.as_str()))
}

#[derive(Debug, Default, Deserialize)]
pub struct ContractQuery {
    /// A local day of the period that is meant.
    day: Option<String>,
    /// Only devices whose names come after this one: what does not fit on one page or into one file goes on there.
    after: Option<String>,
}

async fn one(
    app: State<App>,
    Path((site, number)): Path<(String, String)>,
    Query(asked): Query<PeriodQuery>,
    Query(which): Query<ContractQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let (open, period) = rest::scope(&app, &asked).await?;
    let day = match which.day.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => read_day("day", text)?,
        None => open.at().day(),
    };
    let versions = contracts(open.kpi().await?).await.map_err(ApiError::from)?;
    let all = in_force(&versions, &site, day);
    let absent = || Problem::not_found("contract", &number, "the page of contracts lists every one");
    let version = all.into_iter().find(|version| version.contract.number == number).ok_or_else(absent)?;
    let filter = DeviceFilter { site: Some(site.clone()), ..DeviceFilter::default() };
    let mut devices = query::devices(&open, &filter).await?;
    let after = which.after.as_deref().unwrap_or_default();
    devices.retain(|device| covered(&version.contract, device) && device.device.as_str() > after);
    let statements = Statements::of_all(&open).await?;
    let shown = if wanted.is_some() { STATEMENTS_IN_FILE_MAX } else { DEVICES_SHOWN_MAX };
    if wanted.is_some() && which.after.is_none() && devices.len() > shown {
        return Err(too_many(&number, devices.len()).into());
    }
    let sheets = sheets(devices.iter().take(shown), &number, day, &statements).await?;
    if let Some(wanted) = wanted {
        let one_row = "the statement of one device under the contract in the period";
        let table = super::statement::summary_table(&sheets);
        let file = File::of(&app, &open, period, &number, vec![FileSheet::new("statements", one_row, table)]).await;
        return Ok(file.answer(wanted)?);
    }
    let frame = Frame::new(&app, &open, &asked, period).await?;
    let sites = query::sites(&open).await?;
    let of_site = sites.iter().find(|one| one.site == site);
    let follow = devices.get(DEVICES_SHOWN_MAX - 1).filter(|_| devices.len() > DEVICES_SHOWN_MAX);
    let follow = follow.map(|last| (last.device.clone(), devices.len() - DEVICES_SHOWN_MAX));
    let mut page = compose(frame, version, of_site, day, &sheets, follow, statements.issued());
    page.frame.filters.extend(which.after.map(|after| ("after", after)));
    rendered(&page)
}

/// Nobody takes a part for the whole: whoever wants a part says where it begins.
fn too_many(contract: &str, devices: usize) -> Problem {
    let cure = format!(
        "it covers {devices} devices, and a file has {STATEMENTS_IN_FILE_MAX} statements at most: ask with `after=` for the first \
         of them, then with `after=` and the last device of the file before"
    );
    Problem::bad_value("contract", contract, &cure)
}

/// The statements of devices of a contract, a few at a time; as they were issued where they were.
async fn sheets(
    devices: impl Iterator<Item = &DeviceVersion>,
    contract: &str,
    day: Day,
    statements: &Statements<'_>,
) -> Result<Vec<Sheet>, PageProblem> {
    let of = |device: String| async move { statements.sheet(&device, contract, day).await };
    let names: Vec<String> = devices.map(|one| one.device.clone()).collect();
    let found: Vec<Option<Sheet>> =
        futures::stream::iter(names.into_iter().map(of)).buffered(STATEMENTS_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

fn compose(
    mut frame: Frame,
    version: &ContractVersion,
    site: Option<&Site>,
    day: Day,
    sheets: &[Sheet],
    follow: Option<(String, usize)>,
    told: &[Issued],
) -> ContractPage {
    let of = &version.contract;
    let (first, last) = of.period_of(day);
    let path = frame.link(&format!("/contracts/{}/{}", version.site, encoded(&of.number)));
    let is_open = sheets.iter().any(|sheet| sheet.is_open);
    frame.demo = site.is_some_and(|site| site.demo);
    frame.filters = vec![("day", day.to_string())];
    let name = site.map_or(version.site.as_str(), |site| site.name.as_str());
    let crumbs = vec![frame.crumb("Contracts", "/contracts")];
    ContractPage {
        about: format!(
            "{} · {name} · {}",
            covers(of),
            if of.vendor.is_empty() { "no vendor named" } else { of.vendor.as_str() }
        ),
        period: period_title(of.period, first),
        earlier: format!("{path}&day={}", Day(first.0 - 1)),
        later: (!is_open && !sheets.is_empty()).then(|| format!("{path}&day={last}")),
        is_open,
        guarantee: basis_points(of.guarantee),
        lines: sheets.iter().map(|sheet| device_line(&frame, sheet, day, told)).collect(),
        follow: follow.map(|(last, count)| Choice {
            href: format!("{path}&day={day}&after={}", encoded(&last)),
            label: plural(count, "more device"),
            current: false,
        }),
        terms: super::statement::terms(version, None),
        number: of.number.clone(),
        frame: frame.titled(format!("Contract {}", of.number), crumbs).room("Contracts"),
    }
}

fn device_line(frame: &Frame, sheet: &Sheet, day: Day, told: &[Issued]) -> DeviceLine {
    let figure = sheet.statement.figure();
    let (uptime, bounds) = figures(&figure);
    let contract = &sheet.version.contract;
    let own = |one: &&Issued| {
        one.device == sheet.device && one.contract == contract.number && one.period.from == sheet.statement.period.from
    };
    let path = frame.link(&format!("/devices/{}/statement", sheet.device));
    DeviceLine {
        device: sheet.device.clone(),
        href: format!("{path}&contract={}&day={day}", encoded(&contract.number)),
        uptime,
        bounds,
        judged: judged_of(contract, figure),
        down: hours(figure.weighted_micros_bp / 10_000),
        unknown: hours(figure.unknown_micros),
        base: hours(figure.base_micros),
        issued: match told.iter().find(own) {
            Some(_) => "issued",
            None if sheet.is_open => "runs",
            None => "not issued",
        },
    }
}
