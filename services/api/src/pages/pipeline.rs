//! The pipeline, for the operator: is everything that agents accepted in the tables, and what needs a hand?

mod file;

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};
use serde::Deserialize;

use super::download::{File, FileQuery};
use super::format::{Clock, bytes, duration, grouped};
use super::frame::Frame;
use super::{PageProblem, rendered};
use crate::cuts::OpenCut;
use crate::operator::{Counted, PartitionLag, QUARANTINE_SHOWN_MAX, Quarantine, Refusal, landed, partitions};
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::query::{self, AgentSeen, Gap, Receipts};
use crate::rest;
use crate::service::App;

/// An agent that sends heartbeats and was not heard for so long is worth a look.
const SILENT_AFTER_MICROS: i64 = 15 * 60 * MICROS_PER_SECOND;
/// Agents say what their journals hold every half minute: after so long they should have said it again.
const UNKNOWN_AFTER_MICROS: i64 = 2 * 60 * MICROS_PER_SECOND;
/// A fact that an agent has kept for so long without a receipt is late: agents send again after half a minute.
const WAITS_LONG_SECONDS: i64 = 5 * 60;
/// Tables that took longer to show a record lag behind.
const STALE_MICROS: i64 = 60 * MICROS_PER_SECOND;

pub fn routes() -> Router<App> {
    Router::new().route("/pipeline", get(page)).route("/pipeline/redrive", post(redrive))
}

#[derive(Template)]
#[template(path = "pipeline.html")]
struct PipelinePage {
    frame: Frame,
    facts: Vec<Fact>,
    partitions: Vec<Line>,
    agents: Vec<AgentLine>,
    silent: usize,
    /// Whether some agents do not say what their journals hold.
    unsaid: bool,
    /// None: nobody asked, and nothing is known to be missing.
    gaps: Option<Vec<GapLine>>,
    refused: Vec<RefusedLine>,
    refused_all: String,
    refused_none: bool,
    refused_more: bool,
    /// Of the newest: those whose facts were driven in again and are in the tables.
    landed: usize,
    said: Option<Said>,
}

/// A figure with its name and what it means.
struct Fact {
    name: &'static str,
    figure: String,
    means: String,
    tone: &'static str,
}

struct Line {
    partition: String,
    floor: String,
    end: String,
    reached: String,
    lag: String,
    behind: bool,
}

struct AgentLine {
    agent: String,
    site: String,
    /// When its figures were said, and how long ago that is.
    as_of: String,
    ago: String,
    /// What became of them since is not known.
    unknown: bool,
    silent: bool,
    accepted: String,
    receipted: String,
    waiting: String,
    /// Empty where nothing waited.
    oldest: String,
    late: bool,
    journal: String,
}

struct GapLine {
    about: String,
    kind: String,
    /// Empty where there is no page about it.
    href: String,
    site: String,
    agent: String,
    missing: String,
    newest: String,
    epoch: String,
}

struct RefusedLine {
    place: String,
    partition: u32,
    offset: u64,
    received: String,
    reason: String,
    about: String,
    size: String,
}

/// What became of a second try, as the page says it once.
struct Said {
    place: String,
    good: bool,
    text: String,
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(flatten)]
    period: PeriodQuery,
    /// `PARTITION:OFFSET appended quarantined held` of the try that led here.
    redriven: Option<String>,
    /// `show`: look for gaps through the whole archive, although nothing is counted as missing.
    gaps: Option<String>,
}

/// What the page and its files are made of.
struct Seen {
    lags: Vec<PartitionLag>,
    agents: Vec<AgentSeen>,
    gaps: Option<Vec<Gap>>,
    quarantine: Quarantine,
    landed: BTreeSet<(u32, u64)>,
}

async fn page(
    app: State<App>,
    Query(asked): Query<Asked>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let (open, period) = rest::scope(&app, &asked.period).await?;
    let counted = Counted::read(&app.metrics);
    let asks_gaps =
        wanted.is_some() || asked.gaps.is_some() || counted.facts_missing.is_some_and(|missing| missing > 0);
    let seen = see(&app, &open, asks_gaps).await?;
    if let Some(wanted) = wanted {
        return Ok(File::of(&app, &open, period, "pipeline", file::sheets(&seen)).await.answer(wanted)?);
    }
    let mut frame =
        Frame::new(&app, &open, &asked.period, period).await?.titled("Pipeline", Vec::new()).room("Pipeline");
    frame.demo = query::sites(&open).await?.iter().any(|site| site.demo);
    rendered(&compose(frame, &open, seen, &counted, asked.redriven.as_deref()))
}

async fn see(app: &App, open: &OpenCut, asks_gaps: bool) -> Result<Seen, PageProblem> {
    let quarantine = app.door.quarantine(QUARANTINE_SHOWN_MAX).await.map_err(Problem::from)?;
    Ok(Seen {
        lags: partitions(open, app.log.as_ref()).await?,
        agents: query::agents(open).await?,
        gaps: if asks_gaps { Some(query::gaps(open).await?) } else { None },
        landed: landed(open, app.log.as_ref(), &quarantine.newest).await?,
        quarantine,
    })
}

fn compose(frame: Frame, open: &OpenCut, seen: Seen, counted: &Counted, redriven: Option<&str>) -> PipelinePage {
    let now = query::now();
    let Seen { lags, agents, gaps, quarantine, landed } = seen;
    let said = redriven.and_then(said);
    let is_done = |refusal: &Refusal| landed.contains(&(refusal.partition, refusal.offset));
    // What was just admitted is on its way to the tables.
    let is_under_way =
        |refusal: &Refusal| said.as_ref().is_some_and(|said| said.good && said.place == place_of(refusal));
    let shown = quarantine.newest.len() as u64;
    PipelinePage {
        frame,
        facts: facts(open, &lags, counted, now),
        partitions: lags.iter().map(line).collect(),
        silent: agents.iter().filter(|agent| is_silent(agent, now)).count(),
        unsaid: agents.iter().any(|agent| agent.receipts.is_none()),
        agents: agents.iter().map(|agent| agent_line(agent, now)).collect(),
        gaps: gaps.map(|gaps| gaps.into_iter().map(gap_line).collect()),
        refused_all: grouped(quarantine.entries.cast_signed()),
        refused_none: quarantine.entries == 0,
        refused_more: quarantine.entries > shown,
        landed: landed.len(),
        refused: quarantine
            .newest
            .iter()
            .filter(|refusal| !is_done(refusal) && !is_under_way(refusal))
            .map(refused_line)
            .collect(),
        said,
    }
}

fn facts(open: &OpenCut, lags: &[PartitionLag], counted: &Counted, now: Timestamp) -> Vec<Fact> {
    let lag: u64 = lags.iter().map(|lag| lag.lag_records).sum();
    let elsewhere = || "counted by another process".to_owned();
    let count = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| grouped(value.cast_signed()));
    let newest = open.newest_appended().map_or_else(|| "nothing yet".to_owned(), |at| duration(now.0 - at.0) + " ago");
    let (fresh, age) = (freshness(open, counted), duration(now.0 - open.at().0));
    let sums = match counted.unaccounted() {
        Some(0) => "received = appended + quarantined + held".to_owned(),
        Some(rest) => format!("{} unaccounted for: look again, and if it stays read the runbook", grouped(rest)),
        None => elsewhere(),
    };
    let folded = match (counted.facts_duplicate, counted.facts_conflict) {
        (Some(duplicate), Some(conflict)) => {
            format!("{} repeated, {} in conflict", grouped(duplicate.cast_signed()), grouped(conflict.cast_signed()))
        }
        _ => elsewhere(),
    };
    let disk = match (counted.disk_total_bytes, counted.log_bytes, counted.tables_bytes) {
        (Some(total), Some(log), Some(tables)) => {
            format!("of {}; log {}, tables {}", bytes(total), bytes(log), bytes(tables))
        }
        _ => elsewhere(),
    };
    let full = counted.disk_free_bytes.zip(counted.disk_total_bytes).is_some_and(|(free, total)| free < total / 10);
    vec![
        Fact {
            name: "Freshness",
            figure: fresh.map_or_else(|| "–".to_owned(), duration),
            means: format!("from the log to the tables, which are {age} old; newest record {newest}"),
            tone: if fresh.is_some_and(|micros| micros > STALE_MICROS) { "low" } else { "" },
        },
        Fact {
            name: "Waiting",
            figure: grouped(lag.cast_signed()),
            means: "records of the log that the tables do not have".to_owned(),
            tone: if lag > 0 { "low" } else { "" },
        },
        Fact {
            name: "Received",
            figure: count(counted.facts_received),
            means: sums,
            tone: if counted.unaccounted().unwrap_or(0) == 0 { "" } else { "very-low" },
        },
        Fact { name: "Folded", figure: count(counted.facts_new), means: folded, tone: "" },
        Fact {
            name: "Missing",
            figure: count(counted.facts_missing),
            means: "facts that later facts name and that have not arrived".to_owned(),
            tone: if counted.facts_missing.unwrap_or(0) == 0 { "" } else { "low" },
        },
        Fact {
            name: "Disk free",
            figure: counted.disk_free_bytes.map_or_else(|| "–".to_owned(), bytes),
            means: disk,
            tone: if full { "very-low" } else { "" },
        },
    ]
}

fn line(lag: &PartitionLag) -> Line {
    let shown = |offset: u64| grouped(offset.cast_signed());
    Line {
        partition: lag.partition.clone(),
        floor: shown(lag.log_floor),
        end: shown(lag.log_end),
        reached: shown(lag.in_tables),
        lag: shown(lag.lag_records),
        behind: lag.lag_records > 0,
    }
}

fn is_silent(agent: &AgentSeen, now: Timestamp) -> bool {
    now.0 - agent.seen.0 > SILENT_AFTER_MICROS
}

fn agent_line(agent: &AgentSeen, now: Timestamp) -> AgentLine {
    let said = agent.receipts.as_ref();
    let shown = |of: fn(&Receipts) -> String| said.map_or_else(|| "–".to_owned(), of);
    let oldest = said.and_then(|said| said.oldest_waiting_seconds);
    let silent_for = now.0 - agent.seen.0;
    let unknown = silent_for > UNKNOWN_AFTER_MICROS;
    AgentLine {
        accepted: shown(|said| grouped(said.accepted)),
        receipted: shown(|said| grouped(said.receipted)),
        waiting: match unknown {
            true => shown(|said| format!("{} then", grouped(said.waiting))),
            false => shown(|said| grouped(said.waiting)),
        },
        oldest: oldest.map(|seconds| duration(seconds * MICROS_PER_SECOND)).unwrap_or_default(),
        late: oldest.is_some_and(|seconds| seconds > WAITS_LONG_SECONDS),
        journal: shown(|said| {
            let [used, limit] = [said.journal_bytes, said.journal_limit_bytes].map(i64::cast_unsigned);
            format!("{} of {}", bytes(used), bytes(limit))
        }),
        agent: agent.agent.clone(),
        site: agent.site.clone(),
        as_of: Clock::of("UTC").second(agent.seen),
        ago: duration(silent_for),
        unknown,
        silent: is_silent(agent, now),
    }
}

fn gap_line(gap: Gap) -> GapLine {
    GapLine {
        href: if gap.subject_kind == "device" { format!("/devices/{}", gap.subject) } else { String::new() },
        about: gap.subject,
        kind: gap.subject_kind,
        site: gap.site,
        agent: gap.agent.unwrap_or_else(|| "–".to_owned()),
        missing: grouped(gap.missing.cast_signed()),
        newest: Clock::of("UTC").second(gap.newest),
        epoch: format!("{:016x}", gap.epoch.cast_unsigned()),
    }
}

fn place_of(refusal: &Refusal) -> String {
    format!("{}:{}", refusal.partition, refusal.offset)
}

fn refused_line(refusal: &Refusal) -> RefusedLine {
    RefusedLine {
        place: place_of(refusal),
        partition: refusal.partition,
        offset: refusal.offset,
        received: Clock::of("UTC").second(refusal.received_at),
        reason: refusal.reason.clone(),
        about: refusal.subject.as_ref().unwrap_or(&refusal.origin).clone(),
        size: bytes(refusal.payload_bytes as u64),
    }
}

/// How old the newest record was when the tables had it: as the processor counted it or, where that runs elsewhere, as the
/// cut says.
fn freshness(open: &OpenCut, counted: &Counted) -> Option<i64> {
    let told = counted.freshness_seconds.map(|seconds| seconds.cast_signed().saturating_mul(MICROS_PER_SECOND));
    told.or_else(|| open.newest_appended().map(|newest| open.at().0 - newest.0))
}

#[derive(Debug, Deserialize)]
struct Place {
    partition: String,
    offset: String,
}

/// The button beside an entry. Answers with the page again, which says what came of it.
async fn redrive(State(app): State<App>, Form(asked): Form<Place>) -> Result<Response, PageProblem> {
    let (partition, offset) = rest::pipeline::place(&asked.partition, &asked.offset)?;
    let done = app.door.redrive(partition, offset).await.map_err(Problem::from)?;
    let told = format!("{partition}:{offset}+{}+{}+{}", done.appended, done.quarantined, done.held);
    Ok(Redirect::to(&format!("/pipeline?redriven={told}#quarantine")).into_response())
}

/// Reads back what `redrive` put into the address; anything else says nothing.
fn said(told: &str) -> Option<Said> {
    let mut parts = told.split([' ', '+']);
    let place = parts.next().filter(|place| place.split(':').all(|part| part.parse::<u64>().is_ok()))?;
    let mut count = || parts.next().and_then(|part| part.parse::<u64>().ok());
    let (appended, quarantined, held) = (count()?, count()?, count()?);
    let mut text = format!("{place}: {} admitted", facts_of(appended));
    if quarantined > 0 {
        text += &format!(", {} refused again", facts_of(quarantined));
    }
    if held > 0 {
        text += &format!(", {} would be held: define their site first", facts_of(held));
    }
    Some(Said { place: place.to_owned(), good: quarantined + held == 0, text })
}

fn facts_of(count: u64) -> String {
    if count == 1 { "1 fact".to_owned() } else { format!("{} facts", grouped(count.cast_signed())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_try_is_told_in_words_and_nothing_else_is() {
        assert_eq!(said("0:7+3+0+0").unwrap().text, "0:7: 3 facts admitted");
        assert!(!said("0:7 1 1 2").unwrap().good);
        assert!(said("<script>+1+1+1").is_none() && said("0:7").is_none() && said("").is_none());
    }
}
