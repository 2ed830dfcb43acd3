//! The period a question is about: `?from=&until=` or `?days=`, in whole quarter-hours and never past the cut.

use chrono::{DateTime, Datelike as _, NaiveDate};
use medfleet_domain::time::{Day, MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::Problem;

pub const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;
pub const PERIOD_DAYS_DEFAULT: i64 = 7;
/// Thirteen months and a few days.
pub const PERIOD_DAYS_MAX: i64 = 400;
/// An hour's stretches arrive a moment after it: a default period ends with an hour this long over.
const SETTLE_MICROS: i64 = 5 * 60 * 1_000_000;

/// From `from` (included) to `until` (excluded), both on a quarter-hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// Which cut is asked, and how much of it, about what has no period.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SeenQuery {
    /// What was known before this UTC day or instant, instead of what is known now.
    pub as_of: Option<String>,
    /// What was true just before this UTC day or instant, by all that is known.
    pub at: Option<String>,
    /// Ask an earlier cut; the answer of every other question about that cut agrees with it.
    pub cut: Option<String>,
}

impl From<SeenQuery> for PeriodQuery {
    fn from(SeenQuery { as_of, at, cut }: SeenQuery) -> Self {
        Self { as_of, at, cut, ..Self::default() }
    }
}

/// The period as it stands in an address.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PeriodQuery {
    /// A UTC day (2026-03-01) or an instant (2026-03-01T06:15:00Z) on a quarter-hour.
    pub from: Option<String>,
    /// The end, excluded; never past the cut.
    pub until: Option<String>,
    /// Instead of `from`: so many days up to the end. 1 to 400, 7 when nothing is said.
    pub days: Option<String>,
    /// What was known before this UTC day or instant, instead of what is known now. The period ends there at the latest.
    pub as_of: Option<String>,
    /// What had happened before this UTC day or instant, by all that is known: what was open then is open. The period ends
    /// there at the latest.
    pub at: Option<String>,
    /// Ask an earlier cut; the answer of every other question about that cut agrees with it.
    pub cut: Option<String>,
}

impl PeriodQuery {
    /// The same, with so many days where nothing is said.
    pub fn or_days(mut self, days: i64) -> Self {
        if [&self.from, &self.until, &self.days].into_iter().all(|text| said(text).is_none()) {
            self.days = Some(days.to_string());
        }
        self
    }

    /// The period asked for, as far as the cut goes.
    pub fn read(&self, cut_at: Timestamp) -> Result<Period, Problem> {
        let settled = match self.at()? {
            Some(_) => floor(cut_at, QUARTER_MICROS),
            None => floor(cut_at.plus_micros(-SETTLE_MICROS), MICROS_PER_HOUR),
        };
        let until = match said(&self.until) {
            None => settled,
            Some(text) => instant("until", text)?.min(floor(cut_at, QUARTER_MICROS)),
        };
        let from = match (said(&self.from), said(&self.days)) {
            (Some(text), _) => instant("from", text)?,
            (None, Some(text)) => until.plus_micros(-days(text)? * MICROS_PER_DAY),
            (None, None) => until.plus_micros(-PERIOD_DAYS_DEFAULT * MICROS_PER_DAY),
        };
        self.checked(Period { from, until })
    }

    /// A period whose ends may be any instant, up to the cut when no end is said: for what is looked up and not divided.
    pub fn read_exact(&self, cut_at: Timestamp) -> Result<Period, Problem> {
        let until = said(&self.until).map_or(Ok(cut_at), |text| exact("until", text))?.min(cut_at);
        let default = until.plus_micros(-PERIOD_DAYS_DEFAULT * MICROS_PER_DAY);
        let from = said(&self.from).map_or(Ok(default), |text| exact("from", text))?;
        self.checked(Period { from, until })
    }

    fn checked(&self, period: Period) -> Result<Period, Problem> {
        let asked = self.from.as_deref().unwrap_or_default();
        if period.from >= period.until {
            return Err(Problem::bad_value("from", asked, &format!("it must lie before the end, {}", period.until)));
        }
        if period.micros() > PERIOD_DAYS_MAX * MICROS_PER_DAY {
            return Err(Problem::bad_value("from", asked, "ask for at most 400 days at once"));
        }
        Ok(period)
    }

    /// As [`Self::read`], but up to the very cut when no end was asked for: for what is drawn and not divided.
    pub fn read_open(&self, cut_at: Timestamp) -> Result<Period, Problem> {
        let settled = self.read(cut_at)?;
        Ok(if said(&self.until).is_none() { Period { until: cut_at, ..settled } } else { settled })
    }

    pub fn as_of(&self) -> Result<Option<Timestamp>, Problem> {
        said(&self.as_of).map(|text| exact("as_of", text)).transpose()
    }

    pub fn at(&self) -> Result<Option<Timestamp>, Problem> {
        said(&self.at).map(|text| exact("at", text)).transpose()
    }

    /// Whether anything but the newest cut and all of it is asked about.
    pub fn is_pinned(&self) -> Result<bool, Problem> {
        Ok(self.cut()?.is_some() || self.as_of()?.is_some() || self.at()?.is_some())
    }

    pub fn cut(&self) -> Result<Option<i64>, Problem> {
        said(&self.cut)
            .map(|text| text.parse().map_err(|_| Problem::bad_value("cut", text, "it is a whole number")))
            .transpose()
    }
}

impl Period {
    pub const fn micros(&self) -> i64 {
        self.until.0 - self.from.0
    }

    pub fn first_day(&self) -> Day {
        self.from.day()
    }

    pub fn last_day(&self) -> Day {
        Timestamp(self.until.0 - 1).day()
    }
}

fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

const fn floor(at: Timestamp, step_micros: i64) -> Timestamp {
    Timestamp(at.0.div_euclid(step_micros) * step_micros)
}

fn days(text: &str) -> Result<i64, Problem> {
    let cure = "use a whole number of days from 1 to 400";
    let wrong = || Problem::bad_value("days", text, cure);
    let days: i64 = text.parse().map_err(|_| wrong())?;
    if (1..=PERIOD_DAYS_MAX).contains(&days) { Ok(days) } else { Err(wrong()) }
}

fn exact(name: &str, text: &str) -> Result<Timestamp, Problem> {
    let cure = "write a day as 2026-03-01 or an instant as 2026-03-01T06:15:00Z";
    read_instant(text).ok_or_else(|| Problem::bad_value(name, text, cure))
}

fn instant(name: &str, text: &str) -> Result<Timestamp, Problem> {
    let at = exact(name, text)?;
    if at.0 % QUARTER_MICROS != 0 {
        return Err(Problem::bad_value(name, text, "use a multiple of 15 minutes"));
    }
    Ok(at)
}

/// A day without a zone.
pub fn read_day(name: &str, text: &str) -> Result<Day, Problem> {
    let read = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    let read = read.map_err(|_| Problem::bad_value(name, text, "write a day as 2026-03-01"))?;
    Ok(Day::from_civil(read.year(), read.month(), read.day()))
}

/// A UTC day or an RFC 3339 instant.
pub fn read_instant(text: &str) -> Option<Timestamp> {
    let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0).map(|at| at.and_utc().timestamp_micros());
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(midnight);
    day.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_micros())).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(from: &str, until: &str, days: &str) -> PeriodQuery {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        PeriodQuery { from: some(from), until: some(until), days: some(days), ..PeriodQuery::default() }
    }

    fn read(from: &str, until: &str, days: &str) -> Result<String, String> {
        let cut_at = read_instant("2026-03-10T12:34:56Z").unwrap();
        let period = query(from, until, days).read(cut_at).map_err(|problem| problem.detail)?;
        Ok(format!("{} {}", period.from, period.until))
    }

    #[test]
    fn a_period_ends_with_a_settled_hour_or_as_asked() {
        assert_eq!(read("", "", "").unwrap(), "2026-03-03T12:00:00Z 2026-03-10T12:00:00Z");
        assert_eq!(read("", "", "1").unwrap(), "2026-03-09T12:00:00Z 2026-03-10T12:00:00Z");
        assert_eq!(read("2026-03-01", "2026-03-08", "").unwrap(), "2026-03-01T00:00:00Z 2026-03-08T00:00:00Z");
    }

    #[test]
    fn a_period_never_reaches_past_the_cut() {
        assert_eq!(read("2026-03-10", "2026-03-11", "").unwrap(), "2026-03-10T00:00:00Z 2026-03-10T12:30:00Z");
    }

    #[test]
    fn a_period_that_cannot_be_is_refused_with_its_value() {
        for (from, until, days, word) in [
            ("2026-03-12", "", "", "2026-03-12"),
            ("tomorrow", "", "", "tomorrow"),
            ("2026-03-01T00:07:00Z", "", "", "15 minutes"),
            ("2020-01-01", "", "", "400 days"),
            ("", "", "0", "`0`"),
        ] {
            let detail = read(from, until, days).unwrap_err();
            assert!(detail.contains(word), "{detail}");
        }
    }
}
