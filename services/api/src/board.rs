//! The report to the board: one printable page over one cut. Each site against its target and the year before, the
//! longest outages with what they cost, and what changed since the last report.

mod outage;
mod read;

use askama::Template;
use medfleet_domain::time::{Day, Timestamp};
use medfleet_kpi::scorecard::Scorecard;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::pages::amended::reason;
use crate::pages::format::{Clock, decimal, duration, fine_percent, grouped, hours, some_percent};
use crate::{OpenCut, Period};
use outage::Outage;
use read::{Read, SiteCard};

/// A difference to the year before below this is none worth a word.
const CHANGE_SHOWN: f64 = 0.0005;
/// The bars begin here: what is worse is drawn at the edge.
const BARS_FROM: f64 = 0.80;
/// Listed of each sort of change, so that six sites and all of it fit on one sheet; the rest are counted.
const AMENDED_SHOWN_MAX: usize = 5;

/// What the report is about.
#[derive(Debug, Clone)]
pub struct Board {
    pub period: Period,
    /// Uptime in base hours that each site shall reach.
    pub target: f64,
    /// The report before this one.
    pub last: Option<Issue>,
}

/// A report as it was issued: enough to say later what changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    pub from_us: i64,
    pub until_us: i64,
    pub cut: i64,
    /// Greatest append time that the cut contains.
    pub as_of_us: i64,
}

/// A report that was made.
pub struct Issued {
    pub html: String,
    pub issue: Issue,
}

#[derive(Template)]
#[template(path = "board.html")]
struct Page {
    title: String,
    made: String,
    cut: String,
    /// How much of the cut is shown, where that is not all of it.
    earlier: Vec<String>,
    demo: bool,
    target: String,
    target_x: String,
    bars_from: String,
    verdict: Vec<String>,
    sites: Vec<SiteLine>,
    fleet: Option<SiteLine>,
    year_before: String,
    outages: Vec<OutageLine>,
    method_days: i64,
    amended_of: String,
    amended: Vec<AmendedLine>,
    amended_more: usize,
    worked: Vec<String>,
    worked_more: usize,
    backdated: Vec<String>,
    backdated_more: usize,
}

struct SiteLine {
    name: String,
    devices: String,
    uptime: String,
    bounds: String,
    coverage: String,
    standing: Standing,
    year_before: String,
    change: String,
    failures: String,
    rate: String,
    maintenance: String,
    turnaround: String,
    bar: Bar,
}

/// Uptime between its bounds, in percent of the drawing.
struct Bar {
    from: String,
    width: String,
    at: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    class: &'static str,
    mark: &'static str,
    words: &'static str,
}

const MET: Standing = Standing { class: "met", mark: "●", words: "met" };
const MISSED: Standing = Standing { class: "missed", mark: "▼", words: "missed" };
const MET_SO_FAR: Standing = Standing { class: "open", mark: "◐", words: "met as far as known" };
const BELOW_SO_FAR: Standing = Standing { class: "open", mark: "◐", words: "below, as far as known" };
const NOTHING: Standing = Standing { class: "open", mark: "○", words: "nothing known" };

struct OutageLine {
    device: String,
    about: String,
    began: String,
    lasted: String,
    base: String,
    lost: String,
    how: String,
}

struct AmendedLine {
    device: String,
    site: String,
    arrived: String,
    why: &'static str,
    uptime: String,
    down: String,
    records: String,
}

/// What of a cut is left out.
fn earlier(open: &OpenCut) -> Vec<String> {
    let known = open.as_of_instant().map(|at| format!("as known before {at}: what was appended later is left out"));
    let happened = open.before().map(|at| format!("as it stood before {at}: what happened later is left out"));
    known.into_iter().chain(happened).collect()
}

impl Board {
    /// Reads one cut and writes the page. Whoever asked keeps the issue.
    pub async fn issue(&self, open: &OpenCut) -> Result<Issued, ApiError> {
        let read = Read::of(open, self).await?;
        let as_of = open.newest_appended().unwrap_or_else(|| open.made_at());
        let issue = Issue {
            from_us: self.period.from.0,
            until_us: self.period.until.0,
            cut: open.cut.number,
            as_of_us: as_of.0,
        };
        let html = self.page(open, &read).render().map_err(ApiError::Template)?;
        Ok(Issued { html, issue })
    }

    fn page(&self, open: &OpenCut, read: &Read) -> Page {
        let utc = Clock::of("UTC");
        let lines: Vec<SiteLine> = read.sites.iter().map(|site| self.site_line(site)).collect();
        let (worked, worked_more) = listed(read.worked_words());
        let (backdated, backdated_more) = listed(read.backdated_words());
        let amended = read.amended.iter().take(AMENDED_SHOWN_MAX).map(|one| AmendedLine::of(one, read)).collect();
        Page {
            title: format!("{} to {}", self.period.from.day(), last_day(self.period)),
            made: format!("{} UTC", utc.minute(open.made_at())),
            cut: grouped(open.cut.number),
            earlier: earlier(open),
            demo: read.demo,
            target: fine_percent(self.target),
            target_x: share(self.target),
            bars_from: fine_percent(BARS_FROM),
            verdict: self.verdict(&lines),
            fleet: read.fleet.as_ref().map(|fleet| self.site_line(fleet)),
            sites: lines,
            year_before: read.year_before_words(),
            outages: read.outages.iter().map(|one| OutageLine::of(one, read)).collect(),
            method_days: outage::REFERENCE_DAYS,
            amended_of: self.amended_of(),
            amended,
            amended_more: read.amended.len().saturating_sub(AMENDED_SHOWN_MAX),
            worked,
            worked_more,
            backdated,
            backdated_more,
        }
    }

    fn amended_of(&self) -> String {
        match &self.last {
            None => "This is the first report: listed is what changed in this period after it had ended.".to_owned(),
            Some(last) => format!(
                "Since the last report, of {} to {}, issued from cut {}.",
                Timestamp(last.from_us).day(),
                Day(Timestamp(last.until_us).day().0 - 1),
                grouped(last.cut)
            ),
        }
    }

    fn site_line(&self, of: &SiteCard) -> SiteLine {
        let card = &of.card;
        let uptime = card.measure.operational_uptime().or_else(|| card.measure.total_uptime());
        let before = of.before.as_ref().and_then(|card| card.measure.operational_uptime());
        let change = uptime.zip(before).map(|(now, then)| now.value - then.value);
        SiteLine {
            name: of.name.clone(),
            devices: format!("{} of {}", grouped(card.measure.monitored), grouped(card.measure.devices)),
            uptime: uptime.map_or_else(|| "No data".to_owned(), |uptime| fine_percent(uptime.value)),
            bounds: uptime.map_or_else(String::new, |uptime| {
                format!("{} to {}", fine_percent(uptime.worst), fine_percent(uptime.best))
            }),
            coverage: some_percent(uptime.map(|uptime| uptime.coverage)),
            standing: self.standing(card),
            year_before: before.map_or_else(|| "none".to_owned(), |before| fine_percent(before.value)),
            change: change.map_or_else(String::new, change_words),
            failures: grouped(card.failures.count.cast_signed()),
            rate: rate_words(card),
            maintenance: match card.maintenance.on_time_share() {
                Some(share) => {
                    format!("{} of {}", some_percent(Some(share)), grouped(card.maintenance.due.cast_signed()))
                }
                None => "none due".to_owned(),
            },
            turnaround: card.repairs.turnaround.median_micros.map_or_else(|| "–".to_owned(), duration),
            bar: Bar {
                from: share(uptime.map_or(1.0, |uptime| uptime.worst)),
                width: width(uptime.map_or((1.0, 1.0), |uptime| (uptime.worst, uptime.best))),
                at: share(uptime.map_or(1.0, |uptime| uptime.value)),
            },
        }
    }

    /// Against the target, as far as the unknown allows to say so.
    fn standing(&self, card: &Scorecard) -> Standing {
        match card.measure.operational_uptime().or_else(|| card.measure.total_uptime()) {
            None => NOTHING,
            Some(uptime) if uptime.worst >= self.target => MET,
            Some(uptime) if uptime.best < self.target => MISSED,
            Some(uptime) if uptime.value >= self.target => MET_SO_FAR,
            Some(_) => BELOW_SO_FAR,
        }
    }

    fn verdict(&self, lines: &[SiteLine]) -> Vec<String> {
        let named = |standing: Standing| -> Vec<String> {
            let of = lines.iter().filter(|line| line.standing == standing);
            of.map(|line| format!("{} ({})", line.name, line.uptime)).collect()
        };
        let target = fine_percent(self.target);
        let mut said = Vec::new();
        for (standing, words) in [
            (MISSED, format!("Missed the target of {target} whatever the unknown time was")),
            (BELOW_SO_FAR, format!("Below the target of {target} as far as is known")),
            (MET_SO_FAR, format!("Met the target of {target} as far as is known")),
            (MET, format!("Met the target of {target} whatever the unknown time was")),
            (NOTHING, "Nothing is known of".to_owned()),
        ] {
            let sites = named(standing);
            if !sites.is_empty() {
                said.push(format!("{words}: {}.", sites.join(", ")));
            }
        }
        said
    }
}

fn rate_words(card: &Scorecard) -> String {
    match card.failures.rate {
        Some(rate) if rate.is_enough() => {
            format!(
                "{} a device-year ({} to {})",
                decimal(rate.per_year, 2),
                decimal(rate.low, 2),
                decimal(rate.high, 2)
            )
        }
        _ => "too few for a rate".to_owned(),
    }
}

fn change_words(change: f64) -> String {
    let points = decimal(change.abs() * 100.0, 2);
    match change {
        change if change >= CHANGE_SHOWN => format!("▲ {points} points better"),
        change if change <= -CHANGE_SHOWN => format!("▼ {points} points worse"),
        _ => "the same".to_owned(),
    }
}

fn last_day(period: Period) -> Day {
    Timestamp(period.until.0 - 1).day()
}

/// Where uptime lies in the drawing.
fn share(uptime: f64) -> String {
    format!("{:.2}%", ((uptime - BARS_FROM) / (1.0 - BARS_FROM)).clamp(0.0, 1.0) * 100.0)
}

fn width((worst, best): (f64, f64)) -> String {
    let drawn = best.max(BARS_FROM) - worst.max(BARS_FROM);
    format!("{:.2}%", (drawn / (1.0 - BARS_FROM)).clamp(0.004, 1.0) * 100.0)
}

impl OutageLine {
    fn of(one: &Outage, read: &Read) -> Self {
        let clock = Clock::of(read.zone(&one.down.site));
        let ended = if one.down.ended { "" } else { ", not ended" };
        Self {
            device: one.down.device.clone(),
            about: format!("{} · {}", crate::pages::format::kind_title(&one.down.kind), read.name(&one.down.site)),
            began: clock.minute(one.down.onset),
            lasted: format!("{}{ended}", duration(one.down.unscheduled_micros)),
            base: hours(one.base_micros),
            lost: one
                .lost
                .as_ref()
                .map_or_else(|| "not known".to_owned(), |lost| format!("about {}", decimal(lost.count, 0))),
            how: one.how(),
        }
    }
}

impl AmendedLine {
    fn of(one: &medfleet_kpi::ask::Amended, read: &Read) -> Self {
        let down = one.after.down - one.before.down;
        let sign = if down < 0 { "−" } else { "+" };
        Self {
            device: one.device.clone(),
            site: read.name(&one.site).to_owned(),
            arrived: one.arrived.to_string(),
            why: reason(&one.reason),
            uptime: format!("{} → {}", some_percent(one.before.uptime()), some_percent(one.after.uptime())),
            down: format!("{sign}{}", duration(down.abs())),
            records: one.records.to_string(),
        }
    }
}

/// What is shown of some lines, and how many more there are.
fn listed(mut lines: Vec<String>) -> (Vec<String>, usize) {
    let more = lines.len().saturating_sub(AMENDED_SHOWN_MAX);
    lines.truncate(AMENDED_SHOWN_MAX);
    (lines, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawing_begins_at_eighty_percent_and_keeps_what_is_worse_at_its_edge() {
        assert_eq!([0.5, 0.8, 0.9, 1.0].map(share), ["0.00%", "0.00%", "50.00%", "100.00%"]);
        assert_eq!(width((0.7, 0.9)), "50.00%");
    }

    #[test]
    fn a_change_is_said_in_points_and_a_tiny_one_is_none() {
        assert_eq!(change_words(0.0123), "▲ 1.23 points better");
        assert_eq!(change_words(-0.02), "▼ 2.00 points worse");
        assert_eq!(change_words(0.0001), "the same");
    }
}
