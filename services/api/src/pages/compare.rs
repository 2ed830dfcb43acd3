//! Sites compared fairly: each against what the fleet would have had with its devices, and no order that is not there.

mod axis;
mod funnel;
mod lines;
mod words;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use medfleet_kpi::comparison::{self, By, ComparedDevice, ComparedSite};
use medfleet_kpi::stats::compare::Adjustment;
use medfleet_kpi::table::Table;
use serde::Deserialize;

use super::download::{File, FileQuery, Sheet};
use super::format::decimal;
use super::frame::{Choice, Frame, Pick};
use super::{PageProblem, rendered};
use crate::kpi::question;
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::query::{self, Scope, Site};
use crate::rest;
use crate::service::App;
use axis::{Axis, Tick};
use funnel::Funnel;
use lines::{Beside, Closer, Group, Line, beside, groups};
use words::verdict;

/// Failures are rare: a week says nothing.
const DAYS_DEFAULT: i64 = 90;

#[derive(Debug, Default, Deserialize)]
pub struct CompareQuery {
    by: Option<String>,
    adjust: Option<String>,
    kind: Option<String>,
    /// The site whose devices are listed.
    site: Option<String>,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    frame: Frame,
    by: Vec<Choice>,
    adjustments: Vec<Choice>,
    kinds: Vec<Pick>,
    verdict: Vec<String>,
    /// What is counted: `failures` or `hours down`.
    what: &'static str,
    adjusted_for: &'static str,
    funnel: Option<Funnel>,
    ticks: Vec<Tick>,
    groups: Vec<Group>,
    beside: Vec<Beside>,
    spread: String,
    into: Option<Closer>,
}

pub async fn page(
    app: State<App>,
    Query(asked): Query<PeriodQuery>,
    Query(narrow): Query<CompareQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let asked = asked.or_days(DAYS_DEFAULT);
    let wanted = file.wanted()?;
    let (by, adjustment) = (read_by(narrow.by.as_deref())?, read_adjustment(narrow.adjust.as_deref())?);
    let kind = narrow.kind.unwrap_or_default();
    let (open, period) = rest::scope(&app, &asked).await?;
    let question = question(&open, period, Scope { kind: &kind, ..Scope::default() });
    let site = narrow.site.filter(|site| !site.is_empty());
    let (compared, into) = crate::kpi::compared(&open, &question, move |fleet| {
        let devices = |site: String| (site.clone(), fleet.devices(&site, adjustment, by));
        (fleet.compare(by), site.map(devices))
    })
    .await?;
    let sites = query::sites(&open).await?;
    if let Some(wanted) = wanted {
        let mut sheets = vec![Sheet::new(
            "comparison",
            "one site under one adjustment, against what the fleet would have had with its devices",
            Table::of(&comparison::figures(), &compared),
        )];
        if let Some((_, devices)) = &into {
            let one_row = "one device of the site against what the fleet would have had in its place";
            sheets.push(Sheet::new("devices", one_row, Table::of(&comparison::device_figures(), devices)));
        }
        return Ok(File::of(&app, &open, period, "compare", sheets).await.answer(wanted)?);
    }
    let mut frame = Frame::new(&app, &open, &asked, period).await?.titled("Sites compared", Vec::new()).room("Compare");
    frame.demo = sites.iter().any(|site| site.demo);
    frame.filters = vec![("by", by_word(by).to_owned()), ("adjust", adjustment.as_str().to_owned())];
    if !kind.is_empty() {
        frame.filters.push(("kind", kind.clone()));
    }
    let kinds = open.sums().kinds();
    rendered(&compose(frame, &sites, &compared, (by, adjustment), &kinds, &kind, into))
}

fn compose(
    frame: Frame,
    sites: &[Site],
    compared: &[ComparedSite],
    (by, adjustment): (By, Adjustment),
    kinds: &[String],
    kind: &str,
    into: Option<(String, Vec<ComparedDevice>)>,
) -> ComparePage {
    let own: Vec<&ComparedSite> = compared.iter().filter(|one| one.adjustment == adjustment).collect();
    let name = |site: &str| sites.iter().find(|one| one.site == site).map_or(site, |one| one.name.as_str()).to_owned();
    let axis = Axis::of(&own);
    let unadjusted = |site: &str| {
        let plain = compared.iter().find(|one| one.adjustment == Adjustment::Nothing && one.ratio.site == site);
        plain.map_or_else(String::new, |one| decimal(one.ratio.ratio, 2))
    };
    let line = |(nth, one): (usize, &&ComparedSite)| Line::of(&frame, one, nth, &axis, &name, &unadjusted);
    let lines: Vec<(usize, Line)> = own.iter().enumerate().map(|one| (one.1.place.tie, line(one))).collect();
    ComparePage {
        by: choices(&frame, "by", &[("failures", "Failures"), ("downtime", "Hours down")]),
        adjustments: choices(&frame, "adjust", &Adjustment::ALL.map(|one| (one.as_str(), adjustment_title(one)))),
        kinds: Pick::kinds(kinds, kind),
        verdict: verdict(&own, by, &name),
        what: what(by),
        adjusted_for: adjustment_words(adjustment),
        funnel: Funnel::of(&own, by, &name),
        ticks: axis.ticks(),
        groups: groups(lines),
        beside: beside(compared, &own, &name),
        spread: spread(&own, by),
        into: into.map(|(site, devices)| Closer::of(&frame, name(&site), devices)),
        frame,
    }
}

/// Links that change one filter and keep the rest.
fn choices(frame: &Frame, filter: &str, all: &[(&str, &str)]) -> Vec<Choice> {
    let chosen = frame.filters.iter().find(|(name, _)| *name == filter).map(|(_, value)| value.as_str());
    let one = |(value, label): &(&str, &str)| Choice {
        label: (*label).to_owned(),
        href: format!("?{}{}", frame.query, frame.kept_but(filter, value)),
        current: chosen == Some(value),
    };
    all.iter().map(one).collect()
}

fn spread(own: &[&ComparedSite], by: By) -> String {
    let Some(first) = own.first().filter(|_| by == By::Failures) else {
        return "Limits of hours come from drawing devices again and again, 2,000 times, seeded by the period; of many \
                devices, from what drawing for ever would give."
            .to_owned();
    };
    let dispersion = decimal(first.dispersion, 2);
    let shape = first.shape.map_or_else(
        || "sites differ no more than chance lets them, so all are drawn to the fleet".to_owned(),
        |shape| format!("true ratios of sites spread by {} (one standard deviation)", decimal(shape.sqrt().recip(), 2)),
    );
    format!(
        "Failures vary {dispersion} times as much as independent ones would, devices that fail again allowed for; {shape}."
    )
}

fn read_by(text: Option<&str>) -> Result<By, Problem> {
    match text.unwrap_or_default() {
        "" | "failures" => Ok(By::Failures),
        "downtime" => Ok(By::Downtime),
        other => Err(Problem::bad_value("by", other, "use failures or downtime")),
    }
}

const fn by_word(by: By) -> &'static str {
    match by {
        By::Failures => "failures",
        By::Downtime => "downtime",
    }
}

const fn what(by: By) -> &'static str {
    match by {
        By::Failures => "failures",
        By::Downtime => "hours down",
    }
}

fn read_adjustment(text: Option<&str>) -> Result<Adjustment, Problem> {
    let text = text.unwrap_or_default();
    if text.is_empty() {
        return Ok(Adjustment::KindModel);
    }
    let cure = "use nothing, kind, kind_model or kind_model_age";
    let found = Adjustment::ALL.into_iter().find(|one| one.as_str() == text);
    found.ok_or_else(|| Problem::bad_value("adjust", text, cure))
}

const fn adjustment_title(one: Adjustment) -> &'static str {
    match one {
        Adjustment::Nothing => "Nothing",
        Adjustment::Kind => "Kind",
        Adjustment::KindModel => "Kind and model",
        Adjustment::KindModelAge => "Kind, model, age",
    }
}

const fn adjustment_words(one: Adjustment) -> &'static str {
    match one {
        Adjustment::Nothing => "not adjusted: as if every device were alike",
        Adjustment::Kind => "adjusted for the kind of equipment",
        Adjustment::KindModel => "adjusted for kind, make and model",
        Adjustment::KindModelAge => "adjusted for kind, make, model and age",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_asks_for_something_else_is_told_what_there_is() {
        assert_eq!(read_adjustment(None), Ok(Adjustment::KindModel));
        assert!(read_adjustment(Some("size")).unwrap_err().detail.contains("kind_model_age"));
        assert!(read_by(Some("cost")).is_err());
    }
}
