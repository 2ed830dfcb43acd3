//! Every KPI of the fleet, of its sites or of its kinds of equipment, each figure with its bounds or limits and what it is made of.

mod cycles;
mod sections;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use medfleet_kpi::ask::{self, CyclesBetween};
use medfleet_kpi::registry::view;
use medfleet_kpi::scorecard::{self, Group, Key, Scorecard, Told};
use medfleet_kpi::table::{Table, by_word, listed};
use serde::Deserialize;

use self::sections::{Named, Section, sections};
use super::download::{File, FileQuery, Sheet};
use super::format::{encoded, kind_title};
use super::frame::{Choice, Frame, Pick};
use super::{PageProblem, rendered};
use crate::error::ApiError;
use crate::kpi::question;
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::query::{self, Scope, Site};
use crate::rest;
use crate::service::App;

/// Failures are rare: a week says little.
const DAYS_DEFAULT: i64 = 30;
/// Rows of each table; the file has all.
const ROWS_SHOWN_MAX: usize = 40;

#[derive(Default, Deserialize)]
pub struct ScorecardQuery {
    group: Option<String>,
    site: Option<String>,
    kind: Option<String>,
}

#[derive(Template)]
#[template(path = "scorecard.html")]
struct ScorecardPage {
    frame: Frame,
    groups: Vec<Choice>,
    sites: Vec<Pick>,
    kinds: Vec<Pick>,
    about: String,
    first: &'static str,
    sections: Vec<Section>,
    has_kind: bool,
}

/// How rows are told apart here, the usual way first.
const GROUPS: [(&str, Group, &str); 3] = [
    ("site", Group::Site, "Sites"),
    ("kind", Group::Kind, "Equipment"),
    ("site_kind", Group::SiteKind, "Sites and equipment"),
];

pub async fn page(
    app: State<App>,
    Query(asked): Query<PeriodQuery>,
    Query(narrow): Query<ScorecardQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let asked = asked.or_days(DAYS_DEFAULT);
    let wanted = file.wanted()?;
    let group = read_group(narrow.group.as_deref())?;
    let (site, kind) = (narrow.site.unwrap_or_default(), narrow.kind.unwrap_or_default());
    let (open, period) = rest::scope(&app, &asked).await?;
    let question = question(&open, period, Scope { site: &site, kind: &kind, device: "" });
    let session = open.kpi().await?;
    let mut told = Told::read(session, &question).await.map_err(ApiError::from)?;
    if group == Group::SiteKind {
        told = told.at_once(session, &question).await.map_err(ApiError::from)?;
    }
    let cards = told.by(group);
    if let Some(wanted) = wanted {
        let figures = medfleet_kpi::figures::figures();
        let by_cycles = view("cycles_between_failures").map_err(ApiError::from)?;
        let cycles = by_cycles.table(session, &question).await.map_err(ApiError::from)?;
        let sheets = vec![
            Sheet::new("scorecards", scorecard::ONE_ROW, Table::of(&figures, &cards)),
            Sheet::new("fleet", scorecard::ONE_ROW, Table::of(&figures, &told.by(Group::Fleet))),
            Sheet::new("cycles", "one counter of one device over the period, and how often the device failed", cycles),
        ];
        return Ok(File::of(&app, &open, period, "scorecard", sheets).await.answer(wanted)?);
    }
    // Counters of one name mean the same within one kind only.
    let counters = match kind.is_empty() {
        true => Vec::new(),
        false => ask::cycles_between_failures(session, &question).await.map_err(ApiError::from)?,
    };
    let sites = query::sites(&open).await?;
    let mut frame = Frame::new(&app, &open, &asked, period).await?.titled("KPIs", Vec::new()).room("KPIs");
    frame.demo = sites.iter().any(|site| site.demo);
    let narrowed = [("group", group_word(group)), ("site", &site), ("kind", &kind)];
    frame.filters = narrowed
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    let kinds = open.sums().kinds();
    rendered(&compose(frame, (&sites, &kinds), (&site, &kind, group), (&told, cards), &counters))
}

fn compose(
    frame: Frame,
    (sites, kinds): (&[Site], &[String]),
    (site, kind, group): (&str, &str, Group),
    (told, cards): (&Told, Vec<Scorecard>),
    counters: &[CyclesBetween],
) -> ScorecardPage {
    let names: BTreeMap<&str, &str> = sites.iter().map(|one| (one.site.as_str(), one.name.as_str())).collect();
    let mut rows: Vec<Named> =
        told.by(Group::Fleet).into_iter().map(|card| Named::all(card, scope_words(site, kind, &names))).collect();
    let more = cards.len().saturating_sub(ROWS_SHOWN_MAX);
    rows.extend(cards.into_iter().take(ROWS_SHOWN_MAX).map(|card| Named {
        label: title(&card.key, !site.is_empty(), &names),
        href: into(&frame, &card.key, (site, kind)),
        is_all: false,
        card,
    }));
    let mut sections = sections(&rows, group == Group::SiteKind);
    sections.iter_mut().for_each(|section| section.more = more);
    sections.extend(cycles::section(counters, group, &|site| names.get(site).copied().unwrap_or(site).to_owned()));
    ScorecardPage {
        groups: group_choices(&frame, group),
        sites: Pick::sites(sites, site),
        kinds: Pick::kinds(kinds, kind),
        about: scope_words(site, kind, &names),
        first: match group {
            Group::Kind => "Equipment",
            Group::SiteKind if !site.is_empty() => "Equipment",
            _ => "Site",
        },
        sections,
        has_kind: !kind.is_empty(),
        frame,
    }
}

/// `All devices`, `CT at Harbour General`.
fn scope_words(site: &str, kind: &str, names: &BTreeMap<&str, &str>) -> String {
    let named = names.get(site).copied().unwrap_or(site);
    match (site.is_empty(), kind.is_empty()) {
        (true, true) => "All devices".to_owned(),
        (true, false) => format!("{}, all sites", kind_title(kind)),
        (false, true) => format!("{named}, all equipment"),
        (false, false) => format!("{} at {named}", kind_title(kind)),
    }
}

/// A row's name; the site that all rows are of is said above them.
fn title(key: &Key, is_of_one_site: bool, names: &BTreeMap<&str, &str>) -> String {
    let named = names.get(key.site.as_str()).copied().unwrap_or(key.site.as_str());
    match (key.site.is_empty() || (is_of_one_site && !key.kind.is_empty()), key.kind.is_empty()) {
        (true, _) => kind_title(&key.kind).to_owned(),
        (false, true) => named.to_owned(),
        (false, false) => format!("{named} · {}", kind_title(&key.kind)),
    }
}

/// A row goes on to what it is made of: a site to its kinds, a kind to its sites, a kind at a site to its devices.
fn into(frame: &Frame, key: &Key, (site, kind): (&str, &str)) -> String {
    let or = |own: &str, asked: &str| encoded(if own.is_empty() { asked } else { own });
    let (site, kind) = (or(&key.site, site), or(&key.kind, kind));
    match (site.is_empty(), kind.is_empty()) {
        (false, false) => format!("{}&kind={kind}", frame.link(&format!("/sites/{site}"))),
        (false, true) => format!("{}&group=kind&site={site}", frame.link("/scorecard")),
        (true, _) => format!("{}&group=site&kind={kind}", frame.link("/scorecard")),
    }
}

fn group_choices(frame: &Frame, chosen: Group) -> Vec<Choice> {
    let one = |(word, group, label): &(&str, Group, &str)| Choice {
        label: (*label).to_owned(),
        href: format!("?{}{}", frame.query, frame.kept_but("group", word)),
        current: *group == chosen,
    };
    GROUPS.iter().map(one).collect()
}

fn read_group(text: Option<&str>) -> Result<Group, Problem> {
    let words = GROUPS.map(|(word, group, _)| (word, group));
    let text = text.unwrap_or_default();
    by_word(&words, text).ok_or_else(|| Problem::bad_value("group", text, &format!("use one of {}", listed(&words))))
}

fn group_word(group: Group) -> &'static str {
    GROUPS.iter().find(|one| one.1 == group).map_or("site", |one| one.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_groups_by_something_else_is_told_what_there_is() {
        assert_eq!(read_group(None), Ok(Group::Site));
        assert_eq!(read_group(Some("site_kind")), Ok(Group::SiteKind));
        assert!(read_group(Some("ward")).unwrap_err().detail.contains("site_kind"));
    }

    #[test]
    fn rows_and_what_they_are_of_are_named_as_people_name_them() {
        let names = BTreeMap::from([("north", "North Hospital")]);
        let key = |site: &str, kind: &str| Key { site: site.into(), kind: kind.into(), device: String::new() };
        assert_eq!(title(&key("north", ""), true, &names), "North Hospital");
        assert_eq!(title(&key("north", "ct"), false, &names), format!("North Hospital · {}", kind_title("ct")));
        assert_eq!(title(&key("north", "ct"), true, &names), kind_title("ct"));
        assert_eq!(scope_words("", "", &names), "All devices");
        assert_eq!(scope_words("north", "", &names), "North Hospital, all equipment");
    }
}
