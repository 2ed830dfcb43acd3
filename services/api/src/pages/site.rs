//! One site: its kinds of equipment and its devices.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::download::{File, FileQuery, Sheet};
use super::figures;
use super::format::kind_title;
use super::frame::{Choice, Frame};
use super::now::{Now, Tally, tally};
use super::parts::{FigureRow, Headline, Listed};
use super::{PageProblem, rendered};
use crate::cuts::OpenCut;
use crate::live::{LiveDevice, Standing};
use crate::measure::Measure;
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::query::{self, DeviceFilter, DeviceVersion, Scope, Site, UptimeRow};
use crate::rest;
use crate::service::App;

/// Devices the page lists; more are narrowed by kind, or read page by page from the API.
const DEVICES_SHOWN_MAX: usize = 60;

#[derive(Default, Deserialize)]
pub struct SiteQuery {
    kind: Option<String>,
}

#[derive(Template)]
#[template(path = "site.html")]
struct SitePage {
    frame: Frame,
    name: String,
    place: String,
    headline: Headline,
    kinds: Vec<FigureRow>,
    filters: Vec<Choice>,
    tally: Vec<Tally>,
    devices: Listed<DeviceLine>,
}

struct DeviceLine {
    now: Now,
    model: String,
    room: String,
    figures: FigureRow,
}

pub async fn page(
    app: State<App>,
    Path(name): Path<String>,
    Query(asked): Query<PeriodQuery>,
    Query(narrow): Query<SiteQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let (open, period) = rest::scope(&app, &asked).await?;
    let frame = Frame::new(&app, &open, &asked, period).await?;
    let found = query::sites(&open).await?.into_iter().find(|site| site.site == name);
    let site = found.ok_or_else(|| Problem::not_found("site", &name, "the fleet page lists every site"))?;
    let kind = narrow.kind.unwrap_or_default();
    let rows = query::uptime_by_device(&open, period, Scope { site: &name, kind: "", device: "" }).await?;
    if let Some(wanted) = wanted {
        let mut rows = rows;
        rows.retain(|row| kind.is_empty() || row.kind == kind);
        let sheet = Sheet::new("devices", "one device of the site over the period", figures::table(&rows));
        return Ok(File::of(&app, &open, period, &name, vec![sheet]).await.answer(wanted)?);
    }
    let filter = DeviceFilter { site: Some(name), ..DeviceFilter::default() };
    let devices = query::devices(&open, &filter).await?;
    let live = open.live().await?;
    rendered(&compose(frame, &open, &site, &kind, &rows, &devices, &live))
}

fn compose(
    frame: Frame,
    open: &OpenCut,
    site: &Site,
    kind: &str,
    rows: &[UptimeRow],
    devices: &[DeviceVersion],
    live: &[LiveDevice],
) -> SitePage {
    let crumbs = vec![frame.crumb("Fleet", "/")];
    let mut frame = frame.titled(site.name.clone(), crumbs);
    frame.demo = site.demo;
    if !kind.is_empty() {
        frame.filters.push(("kind", kind.to_owned()));
    }
    let fits = |of: &str| kind.is_empty() || of == kind;
    let all: Measure = rows.iter().filter(|row| fits(&row.kind)).map(|row| row.measure).sum();
    let path = format!("/sites/{}", site.site);
    let mut kinds: BTreeMap<&str, Measure> = BTreeMap::new();
    for row in rows {
        *kinds.entry(row.kind.as_str()).or_default() += row.measure;
    }
    let here = live.iter().filter(|device| device.site == site.site && fits(&device.kind));
    let lines = device_lines(&frame, open, site, kind, rows, devices, live);
    let region = if site.region.is_empty() { String::new() } else { format!("{} · ", site.region) };
    let mut by_kind: Vec<FigureRow> = kinds
        .iter()
        .filter(|(of, _)| fits(of))
        .map(|(of, measure)| FigureRow::of(kind_title(of), measure, format!("{}&kind={of}", frame.link(&path))))
        .collect();
    by_kind.sort_by(|a, b| a.label.cmp(&b.label));
    SitePage {
        name: site.name.clone(),
        place: format!("{region}{} time", site.time_zone),
        headline: Headline::of(&all),
        filters: filters(&frame, &path, kind, &kinds),
        kinds: by_kind,
        tally: tally(here, open.made_at()),
        devices: lines,
        frame,
    }
}

fn filters(frame: &Frame, path: &str, kind: &str, kinds: &BTreeMap<&str, Measure>) -> Vec<Choice> {
    let all = Choice { label: "All".to_owned(), href: frame.link(path), current: kind.is_empty() };
    let one = |of: &&str| Choice {
        label: kind_title(of).to_owned(),
        href: format!("{}&kind={of}", frame.link(path)),
        current: *of == kind,
    };
    let mut named: Vec<Choice> = kinds.keys().map(one).collect();
    named.sort_by(|a, b| a.label.cmp(&b.label));
    std::iter::once(all).chain(named).collect()
}

/// What needs a look first: down, then planned, degraded and silent, then up; the least uptime first.
fn device_lines(
    frame: &Frame,
    open: &OpenCut,
    site: &Site,
    kind: &str,
    rows: &[UptimeRow],
    devices: &[DeviceVersion],
    live: &[LiveDevice],
) -> Listed<DeviceLine> {
    let measures: BTreeMap<&str, Measure> = rows.iter().map(|row| (row.device.as_str(), row.measure)).collect();
    let here = live.iter().filter(|device| device.site == site.site);
    let present: BTreeMap<&str, &LiveDevice> = here.map(|device| (device.device.as_str(), device)).collect();
    let wanted = devices.iter().filter(|device| device.in_service && (kind.is_empty() || device.kind == kind));
    let mut ranked: Vec<(Standing, i64, &DeviceVersion, &LiveDevice)> = wanted
        .filter_map(|device| {
            let live = *present.get(device.device.as_str())?;
            let uptime = measures.get(device.device.as_str()).and_then(Measure::uptime);
            let parts = uptime.map_or(i64::MAX, |uptime| (uptime * 1e6) as i64);
            Some((live.standing(open.made_at()), parts, device, live))
        })
        .collect();
    ranked.sort_by(|a, b| (a.0, a.1, &a.2.device).cmp(&(b.0, b.1, &b.2.device)));
    let line = |(_, _, device, live): &(Standing, i64, &DeviceVersion, &LiveDevice)| {
        let href = frame.link(&format!("/devices/{}", device.device));
        let measure = measures.get(device.device.as_str()).copied().unwrap_or_default();
        let words = [&device.make, &device.model].into_iter().flatten().map(String::as_str).collect::<Vec<_>>();
        DeviceLine {
            now: Now::of(live, &site.name, open.made_at(), href.clone()),
            model: words.join(" "),
            room: device.room.clone().or_else(|| device.department.clone()).unwrap_or_default(),
            figures: FigureRow::of(device.device.clone(), &measure, href),
        }
    };
    Listed::of(ranked.iter().map(line), DEVICES_SHOWN_MAX)
}
