//! What every page has around it: where one is, which period, how fresh the numbers are.

use axum::extract::State;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};

use super::format::{Clock, duration, encoded, grouped, kind_title};
use crate::assets;
use crate::cuts::{OpenCut, lag_records};
use crate::period::{Period, PeriodQuery};
use crate::problem::Problem;
use crate::query::{Site, now};
use crate::service::App;

const PRESETS: [(i64, &str); 5] = [(1, "24 h"), (7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "1 year")];

/// The pages one can go to from anywhere.
const ROOMS: [(&str, &str); 8] = [
    ("Fleet", "/"),
    ("KPIs", "/scorecard"),
    ("Alerts", "/alerts"),
    ("Risk", "/risk"),
    ("PM", "/maintenance"),
    ("Compare", "/compare"),
    ("Contracts", "/contracts"),
    ("Pipeline", "/pipeline"),
];

/// A link that may be where one already is.
pub struct Choice {
    pub label: String,
    pub href: String,
    pub current: bool,
}

/// One choice of a list in a form.
pub struct Pick {
    pub value: String,
    pub label: String,
    pub current: bool,
}

impl Pick {
    pub fn sites(all: &[Site], chosen: &str) -> Vec<Self> {
        let pick = |one: &Site| Self { value: one.site.clone(), label: one.name.clone(), current: one.site == chosen };
        all.iter().map(pick).collect()
    }

    pub fn kinds(all: &[String], chosen: &str) -> Vec<Self> {
        let pick =
            |one: &String| Self { value: one.clone(), label: kind_title(one).to_owned(), current: one == chosen };
        all.iter().map(pick).collect()
    }
}

pub struct Frame {
    pub styles: String,
    pub script: String,
    pub title: String,
    pub crumbs: Vec<Choice>,
    pub presets: Vec<Choice>,
    /// The period in words, in UTC.
    pub period: String,
    pub from_day: String,
    pub until_day: String,
    /// What links of this page carry: `days=7`, and the cut if the page is pinned to one.
    pub query: String,
    /// What narrows this page beside its period, as the address says it.
    pub filters: Vec<(&'static str, String)>,
    /// Which of the rooms this page belongs to.
    room: &'static str,
    pub cut: i64,
    pub cut_text: String,
    pub cut_at: String,
    /// The same in words.
    pub cut_time: String,
    pub cut_age: String,
    /// Only what was known before this instant is shown, when it was asked for.
    pub as_of: Option<String>,
    /// Only what had happened before this instant, likewise.
    pub at: Option<String>,
    pub lag: String,
    pub pinned: bool,
    pub demo: bool,
}

impl Frame {
    pub async fn new(app: &State<App>, open: &OpenCut, asked: &PeriodQuery, period: Period) -> Result<Self, Problem> {
        let (utc, made_at) = (Clock::of("UTC"), Timestamp(open.cut.made_at.0));
        let (pinned, days) = (asked.is_pinned()?, whole_days(asked));
        let instants = [("as_of", open.as_of_instant()), ("at", open.before())];
        let named = instants.into_iter().filter_map(|(name, at)| Some(format!("&{name}={}", address(at?))));
        let cut = pinned.then(|| format!("&cut={}", open.cut.number));
        let pin: String = named.chain(cut).collect();
        let query = match days {
            Some(days) => format!("days={days}{pin}"),
            None => format!("from={}&until={}{pin}", address(period.from), address(period.until)),
        };
        let preset = |(count, label): (i64, &str)| Choice {
            label: label.to_owned(),
            href: format!("days={count}{pin}"),
            current: days == Some(count),
        };
        let lag = match lag_records(&open.cut, app.log.as_ref()).await {
            Ok(0) => "nothing waits in the log".to_owned(),
            Ok(records) => format!("{} records wait in the log", grouped(records)),
            Err(_) => "the log does not say what waits".to_owned(),
        };
        Ok(Self {
            styles: assets::href("medfleet.css"),
            script: assets::href("live.js"),
            title: String::new(),
            crumbs: Vec::new(),
            presets: PRESETS.into_iter().map(preset).collect(),
            period: format!("{} – {} UTC", utc.minute(period.from), utc.minute(period.until)),
            from_day: period.from.day().to_string(),
            until_day: period.until.day().to_string(),
            query,
            filters: Vec::new(),
            room: "Fleet",
            cut: open.cut.number,
            cut_text: grouped(open.cut.number),
            cut_at: made_at.to_string(),
            cut_time: format!("{} UTC", utc.second(made_at)),
            cut_age: duration(now().0 - made_at.0),
            as_of: open.as_of_instant().map(|at| format!("{} UTC", utc.second(at))),
            at: open.before().map(|at| format!("{} UTC", utc.second(at))),
            lag,
            pinned,
            demo: false,
        })
    }

    pub fn titled(mut self, title: impl Into<String>, crumbs: Vec<Choice>) -> Self {
        self.title = title.into();
        self.crumbs = crumbs;
        self
    }

    pub fn room(mut self, room: &'static str) -> Self {
        self.room = room;
        self
    }

    /// The page is about what was known earlier, or had happened earlier.
    pub const fn is_earlier(&self) -> bool {
        self.as_of.is_some() || self.at.is_some()
    }

    pub fn rooms(&self) -> Vec<Choice> {
        let room = |(label, path): (&str, &str)| Choice {
            label: label.to_owned(),
            href: self.link(path),
            current: label == self.room,
        };
        ROOMS.into_iter().map(room).collect()
    }

    /// This page's filters as they go on in an address: `&kind=ct`.
    pub fn kept(&self) -> String {
        self.filters.iter().map(|(name, value)| format!("&{name}={}", encoded(value))).collect()
    }

    /// What a form must carry so that the rest of the address stays, its own field `kind` apart.
    pub fn carried(&self) -> Vec<(String, String)> {
        let period = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let kept = self.filters.iter().filter(|(name, _)| *name != "kind");
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        period.map(owned).chain(kept.map(|(name, value)| owned((*name, value.as_str())))).collect()
    }

    /// The same with one of them changed.
    pub fn kept_but(&self, filter: &str, value: &str) -> String {
        let kept = |(name, own): &(&str, String)| {
            format!("&{name}={}", encoded(if *name == filter { value } else { own.as_str() }))
        };
        self.filters.iter().map(kept).collect()
    }

    /// The link to a page, in the period and cut of this one.
    pub fn link(&self, path: &str) -> String {
        format!("{path}?{}", self.query)
    }

    /// The link to the facts behind a span of a device. The period of this page goes along as far as it can.
    pub fn evidence(&self, device: &str, from: Timestamp, until: Timestamp) -> String {
        let own = |pair: &&str| !pair.starts_with("from=") && !pair.starts_with("until=");
        let kept: Vec<&str> = self.query.split('&').filter(own).collect();
        format!("/devices/{device}/evidence?from={from}&until={until}&{}", kept.join("&"))
            .trim_end_matches('&')
            .to_owned()
    }

    /// The way up from this page.
    pub fn crumb(&self, label: &str, path: &str) -> Choice {
        Choice { label: label.to_owned(), href: self.link(path), current: false }
    }
}

/// The days asked for as such; they move with the cut.
fn whole_days(asked: &PeriodQuery) -> Option<i64> {
    let said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
    match (said(&asked.from), said(&asked.until), asked.days.as_deref().filter(|text| !text.trim().is_empty())) {
        (false, false, None) => Some(crate::period::PERIOD_DAYS_DEFAULT),
        (false, false, Some(days)) => days.trim().parse().ok(),
        _ => None,
    }
}

/// An instant as short as an address allows.
fn address(at: Timestamp) -> String {
    if at.0 % MICROS_PER_DAY == 0 { at.day().to_string() } else { at.to_string() }
}
