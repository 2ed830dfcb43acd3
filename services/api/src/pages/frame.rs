//! What every page has around it: where one is, which period, how fresh the numbers are.

use axum::extract::State;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};

use super::format::{Clock, duration, grouped};
use crate::assets;
use crate::cuts::{OpenCut, lag_records};
use crate::period::{Period, PeriodQuery};
use crate::problem::Problem;
use crate::query::now;
use crate::service::App;

const PRESETS: [(i64, &str); 4] = [(1, "24 h"), (7, "7 days"), (30, "30 days"), (90, "90 days")];

/// A link that may be where one already is.
pub struct Choice {
    pub label: String,
    pub href: String,
    pub current: bool,
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
    pub kind: String,
    pub cut: i64,
    pub cut_text: String,
    pub cut_at: String,
    /// The same in words.
    pub cut_time: String,
    pub cut_age: String,
    /// Only what was known before this instant is shown, when it was asked for.
    pub as_of: Option<String>,
    pub lag: String,
    pub pinned: bool,
    pub demo: bool,
}

impl Frame {
    pub async fn new(app: &State<App>, open: &OpenCut, asked: &PeriodQuery, period: Period) -> Result<Self, Problem> {
        let (utc, made_at) = (Clock::of("UTC"), Timestamp(open.cut.made_at.0));
        let pinned = asked.cut()?.is_some() || asked.as_of()?.is_some();
        let days = whole_days(asked);
        let pin = match (open.as_of_instant(), pinned) {
            (Some(at), _) => format!("&as_of={}&cut={}", address(at), open.cut.number),
            (None, true) => format!("&cut={}", open.cut.number),
            (None, false) => String::new(),
        };
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
            kind: String::new(),
            cut: open.cut.number,
            cut_text: grouped(open.cut.number),
            cut_at: made_at.to_string(),
            cut_time: format!("{} UTC", utc.second(made_at)),
            cut_age: duration(now().0 - made_at.0),
            as_of: open.as_of_instant().map(|at| format!("{} UTC", utc.second(at))),
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

    /// The link to a page, in the period and cut of this one.
    pub fn link(&self, path: &str) -> String {
        format!("{path}?{}", self.query)
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
