//! The fleet: kinds of equipment by site, side by side.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;

use super::download::{File, FileQuery, Sheet};
use super::figures;
use super::format::kind_title;
use super::frame::Frame;
use super::now::{Now, Tally, tally};
use super::parts::{Cell, FigureRow, Headline, Listed};
use super::{PageProblem, rendered};
use crate::cuts::OpenCut;
use crate::live::{LiveDevice, Standing};
use crate::measure::Measure;
use crate::period::PeriodQuery;
use crate::query::{self, Site, UptimeRow};
use crate::rest;
use crate::service::App;

/// Devices down that the page lists; the rest are one click away.
const DOWN_SHOWN_MAX: usize = 12;

#[derive(Template)]
#[template(path = "fleet.html")]
struct FleetPage {
    frame: Frame,
    headline: Headline,
    sites: Vec<SiteColumn>,
    rows: Vec<KindLine>,
    totals: Vec<FigureRow>,
    tally: Vec<Tally>,
    down: Listed<Now>,
}

struct SiteColumn {
    name: String,
    href: String,
    place: String,
}

/// One kind over all sites; the first line is all kinds.
struct KindLine {
    title: String,
    cells: Vec<Cell>,
}

pub async fn page(
    app: State<App>,
    Query(asked): Query<PeriodQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let (open, period) = rest::scope(&app, &asked).await?;
    let rows = query::uptime(&open, period).await?;
    if let Some(wanted) = wanted {
        let sheet = Sheet::new("uptime", "the devices of one kind at one site over the period", figures::table(&rows));
        return Ok(File::of(&app, &open, period, "fleet", vec![sheet]).await.answer(wanted)?);
    }
    let frame = Frame::new(&app, &open, &asked, period).await?;
    let sites = query::sites(&open).await?;
    let live = open.live().await?;
    rendered(&compose(frame, &open, &sites, &rows, &live))
}

fn compose(frame: Frame, open: &OpenCut, sites: &[Site], rows: &[UptimeRow], live: &[LiveDevice]) -> FleetPage {
    let mut frame = frame.titled("Fleet", Vec::new());
    frame.demo = sites.iter().any(|site| site.demo);
    let all: Measure = rows.iter().map(|row| row.measure).sum();
    let down = down_now(&frame, open, sites, live);
    FleetPage {
        headline: Headline::of(&all),
        rows: lines(&frame, sites, rows),
        totals: sites.iter().map(|site| total(&frame, site, rows)).collect(),
        sites: sites.iter().map(|site| column(&frame, site)).collect(),
        tally: tally(live.iter(), open.made_at()),
        down,
        frame,
    }
}

fn column(frame: &Frame, site: &Site) -> SiteColumn {
    let place = if site.region.is_empty() { site.time_zone.clone() } else { site.region.clone() };
    SiteColumn { name: site.name.clone(), href: frame.link(&format!("/sites/{}", site.site)), place }
}

fn total(frame: &Frame, site: &Site, rows: &[UptimeRow]) -> FigureRow {
    let measure: Measure = rows.iter().filter(|row| row.site == site.site).map(|row| row.measure).sum();
    FigureRow::of(site.name.clone(), &measure, frame.link(&format!("/sites/{}", site.site)))
}

/// All kinds first, then each kind; in each line all sites first, then each site.
fn lines(frame: &Frame, sites: &[Site], rows: &[UptimeRow]) -> Vec<KindLine> {
    let mut sums: BTreeMap<(&str, &str), Measure> = BTreeMap::new();
    for row in rows {
        for kind in ["", row.kind.as_str()] {
            for site in ["", row.site.as_str()] {
                *sums.entry((kind, site)).or_default() += row.measure;
            }
        }
    }
    let mut kinds: Vec<(&str, &str)> = rows.iter().map(|row| (kind_title(&row.kind), row.kind.as_str())).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let line = |(title, kind): (&str, &str)| {
        let cell = |site: &str| {
            let filter = if kind.is_empty() { String::new() } else { format!("&kind={kind}") };
            let href = if site.is_empty() { String::new() } else { frame.link(&format!("/sites/{site}")) + &filter };
            Cell::of(sums.get(&(kind, site)), href)
        };
        let named = std::iter::once("").chain(sites.iter().map(|site| site.site.as_str()));
        KindLine { title: title.to_owned(), cells: named.map(cell).collect() }
    };
    std::iter::once(("All equipment", "")).chain(kinds).map(line).collect()
}

/// Devices down now, longest first.
fn down_now(frame: &Frame, open: &OpenCut, sites: &[Site], live: &[LiveDevice]) -> Listed<Now> {
    let mut down: Vec<&LiveDevice> =
        live.iter().filter(|device| device.standing(open.made_at()) == Standing::Down).collect();
    down.sort_by_key(|device| device.claim_from.or(device.from));
    let name = |site: &str| sites.iter().find(|one| one.site == site).map_or(site, |one| one.name.as_str()).to_owned();
    let now = |device: &&LiveDevice| {
        let href = frame.link(&format!("/devices/{}", device.device));
        Now::of(device, &name(&device.site), open.made_at(), href)
    };
    Listed::of(down.iter().map(now), DOWN_SHOWN_MAX)
}
