//! From an interval down to the facts that made it, and where each stands in the log.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use medfleet_domain::fact::Body;
use medfleet_domain::human::Claimed;
use medfleet_kpi::ask::{self, Evidence};
use medfleet_kpi::table::Table;

use super::download::{File, FileQuery, Sheet};
use super::format::{Clock, condition_title, duration, kind_title};
use super::frame::Frame;
use super::{PageProblem, rendered};
use crate::error::ApiError;
use crate::kpi::question;
use crate::period::{Period, PeriodQuery};
use crate::problem::Problem;
use crate::query::{self, Scope};
use crate::rest;
use crate::service::App;

/// Facts on one page; a file has all.
const FACTS_SHOWN_MAX: usize = 200;

#[derive(Template)]
#[template(path = "evidence.html")]
struct EvidencePage {
    frame: Frame,
    device: String,
    about: String,
    span: String,
    clock: String,
    facts: Vec<FactLine>,
    causes: usize,
    more: usize,
    /// Facts of the same records that say nothing about this time.
    beside: usize,
}

struct FactLine {
    cause: bool,
    suspect: bool,
    what: String,
    from: String,
    until: String,
    who: String,
    known: String,
    appended: String,
    place: String,
    identity: String,
}

pub async fn page(
    app: State<App>,
    Path(device): Path<String>,
    Query(asked): Query<PeriodQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let open = rest::open_cut(&app, &asked).await?;
    let period = asked.read_exact(open.at())?;
    let current = query::device(&open, &device).await?.pop();
    let cure = "look it up on its site's page, or register it first";
    let current = current.ok_or_else(|| Problem::not_found("device", &device, cure))?;
    let question = question(&open, period, Scope { device: &device, ..Scope::default() });
    let mut facts = ask::evidence(open.kpi().await?, &question).await.map_err(ApiError::from)?;
    if let Some(wanted) = wanted {
        let one_row = "one fact behind the intervals of a device, with its place in the log";
        let sheet = Sheet::new("evidence", one_row, Table::of(&rest::evidence::figures(), &facts));
        return Ok(File::of(&app, &open, period, &format!("evidence-{device}"), vec![sheet]).await.answer(wanted)?);
    }
    let site = query::sites(&open).await?.into_iter().find(|site| site.site == current.site);
    let (name, zone) =
        site.as_ref().map_or((current.site.as_str(), "UTC"), |site| (site.name.as_str(), site.time_zone.as_str()));
    let clock = Clock::of(zone);
    let mut frame = Frame::new(&app, &open, &PeriodQuery { from: None, until: None, ..asked.clone() }, period).await?;
    let crumbs = vec![
        frame.crumb("Fleet", "/"),
        frame.crumb(name, &format!("/sites/{}", current.site)),
        frame.crumb(&device, &format!("/devices/{device}")),
    ];
    frame.demo = site.as_ref().is_some_and(|site| site.demo);
    frame.filters = vec![("from", period.from.to_string()), ("until", period.until.to_string())];
    let all = facts.len();
    facts.retain(|one| tells(one, period));
    let (beside, more) = (all - facts.len(), facts.len().saturating_sub(FACTS_SHOWN_MAX));
    let causes = facts.iter().filter(|one| one.is_cause).count();
    // What made the rows so comes first where not all can be shown.
    if more > 0 {
        facts.sort_by_key(|one| !one.is_cause);
    }
    rendered(&EvidencePage {
        about: kind_title(&current.kind).to_owned(),
        span: format!(
            "{} to {} ({})",
            clock.second(period.from),
            clock.second(period.until),
            duration(period.micros())
        ),
        clock: zone.to_owned(),
        facts: facts.iter().take(FACTS_SHOWN_MAX).map(|one| fact_line(one, clock)).collect(),
        causes,
        more,
        beside,
        frame: frame.titled(format!("Facts behind {device}"), crumbs),
        device,
    })
}

/// Whether a fact says something about the condition in a span. A log record holds others beside it: readings, beginnings.
fn tells(one: &Evidence, period: Period) -> bool {
    let at = one.fact.at;
    match &one.fact.body {
        Body::Stretch(stretch) => at < period.until && stretch.until > period.from,
        Body::Error(_) => at >= period.from && at < period.until,
        Body::Opened { .. } | Body::Began { .. } | Body::Usage(_) | Body::Heartbeat(_) => false,
        _ => true,
    }
}

fn fact_line(one: &Evidence, clock: Clock) -> FactLine {
    let fact = &one.fact;
    let topic = if one.log_topic == 0 { "facts" } else { "fleet" };
    FactLine {
        cause: one.is_cause,
        suspect: one.suspect,
        what: words(&fact.body),
        from: clock.second(fact.at),
        until: until(&fact.body, clock),
        who: match &one.agent {
            Some(agent) => format!("{}, seen by {agent}", fact.source.name),
            None => format!("{} ({})", fact.source.name, fact.source.kind.as_str()),
        },
        known: format!("{}{}", clock.second(fact.known_at), if fact.known_assumed { ", assumed" } else { "" }),
        appended: clock.second(one.appended),
        place: format!("{topic} {}:{} #{}", one.log_partition, one.log_offset, one.log_index),
        identity: format!("{:08x}… {}", one.epoch >> 32, one.seq),
    }
}

fn until(body: &Body, clock: Clock) -> String {
    match body {
        Body::Stretch(stretch) => clock.second(stretch.until),
        Body::Asserted(asserted) => match (asserted.claim, asserted.until) {
            (Claimed::Usable, _) => String::new(),
            (_, Some(until)) => clock.second(until),
            (_, None) => "open".to_owned(),
        },
        _ => String::new(),
    }
}

/// What a fact says, in a few words.
fn words(body: &Body) -> String {
    match body {
        Body::Stretch(stretch) => condition_title(stretch.condition.as_str()).to_owned(),
        Body::Began { condition, .. } => format!("{} began", condition_title(condition.as_str())),
        Body::Error(error) => format!("Error {} ({})", error.code, error.severity.as_str()),
        Body::Order(order) => format!("Order {}: {}", order.order, order.phase.as_str().replace('_', " ")),
        Body::PmDone(done) => format!("Maintenance {}", done.outcome.as_str().replace('_', " ")),
        Body::Asserted(asserted) => {
            let claim = match asserted.claim {
                Claimed::Usable => "usable again".to_owned(),
                Claimed::Partial(class) => format!("degraded ({})", class.as_str()),
                Claimed::Down => "down".to_owned(),
                Claimed::Maintenance { .. } => "under maintenance".to_owned(),
            };
            let reason = if asserted.reason.is_empty() { String::new() } else { format!(": {}", asserted.reason) };
            format!("{} says {claim}{reason}", asserted.author)
        }
        Body::Amended(amendment) => match &amendment.replacement {
            Some(_) => "An earlier fact was corrected".to_owned(),
            None => "An earlier fact was voided".to_owned(),
        },
        other => other.name().replace('_', " "),
    }
}
