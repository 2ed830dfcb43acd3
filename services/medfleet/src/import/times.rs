//! What a cell says about time: wall clocks of a zone, and months in two spellings. Pure.

use std::fmt;

use chrono::format::{Parsed, StrftimeItems, parse};
use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeZone as _};
use chrono_tz::Tz;
use medfleet_domain::time::{Day, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The `[time]` part of a mapping.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRules {
    #[serde(deserialize_with = "zone")]
    zone: Tz,
    ambiguous: Ambiguous,
    /// Formats of instants, as strftime writes them.
    instant: Vec<String>,
    #[serde(default)]
    month: Vec<String>,
    /// A two-digit year from here on is 19yy.
    #[serde(default = "pivot")]
    century_pivot: i32,
    /// Nothing is assumed from here on.
    #[serde(deserialize_with = "utc")]
    pub record_end: Timestamp,
}

/// Which of two equal wall times is meant when the clocks were set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ambiguous {
    Earlier,
    Later,
}

/// A wall time as an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    pub at: Timestamp,
    /// The clock showed it twice; the mapping chose.
    pub twice: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    number: u32,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    #[error("`{text}` fits none of {formats:?}: add its format to the mapping")]
    Unreadable { text: String, formats: Vec<String> },
    #[error("`{text}` never was in {zone}: the clocks skipped that hour; correct the row")]
    Skipped { text: String, zone: Tz },
}

impl TimeRules {
    pub fn instant(&self, text: &str) -> Result<Instant, BadTime> {
        let read = |format: &String| NaiveDateTime::parse_from_str(text, format).ok();
        let wall = self.instant.iter().find_map(read).ok_or_else(|| unreadable(text, &self.instant))?;
        let instant = |at: DateTime<Tz>, twice| Instant { at: Timestamp(at.timestamp_micros()), twice };
        match (self.zone.from_local_datetime(&wall), self.ambiguous) {
            (MappedLocalTime::Single(at), _) => Ok(instant(at, false)),
            (MappedLocalTime::Ambiguous(at, _), Ambiguous::Earlier) => Ok(instant(at, true)),
            (MappedLocalTime::Ambiguous(_, at), Ambiguous::Later) => Ok(instant(at, true)),
            (MappedLocalTime::None, _) => Err(BadTime::Skipped { text: text.into(), zone: self.zone }),
        }
    }

    pub fn month(&self, text: &str) -> Result<Month, BadTime> {
        let read = |format: &String| self.read_month(text, format);
        self.month.iter().find_map(read).ok_or_else(|| unreadable(text, &self.month))
    }

    fn read_month(&self, text: &str, format: &str) -> Option<Month> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, StrftimeItems::new(format)).ok()?;
        let year = match (parsed.year(), parsed.year_mod_100()) {
            (Some(year), _) => year,
            (None, Some(short)) if short >= self.century_pivot => 1900 + short,
            (None, short) => 2000 + short?,
        };
        Some(Month { year, number: parsed.month()? })
    }
}

impl Month {
    pub const fn first_day(self) -> Day {
        Day::from_civil(self.year, self.number, 1)
    }

    pub const fn day_after_last(self) -> Day {
        match self.number {
            12 => Day::from_civil(self.year + 1, 1, 1),
            number => Day::from_civil(self.year, number + 1, 1),
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.number)
    }
}

fn unreadable(text: &str, formats: &[String]) -> BadTime {
    BadTime::Unreadable { text: text.into(), formats: formats.to_vec() }
}

const fn pivot() -> i32 {
    70
}

fn zone<'de, D: Deserializer<'de>>(from: D) -> Result<Tz, D::Error> {
    let name = String::deserialize(from)?;
    name.parse().map_err(|_| D::Error::custom(format!("`{name}` is no time zone: use an IANA name as America/Denver")))
}

fn utc<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    let at = DateTime::parse_from_rfc3339(&text);
    let at = at.map_err(|_| D::Error::custom(format!("`{text}` is no instant: write it as 2005-09-10T00:00:00Z")))?;
    Ok(Timestamp(at.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(ambiguous: &str) -> TimeRules {
        toml::from_str(&format!(
            "zone = 'America/Denver'\nambiguous = '{ambiguous}'\ninstant = ['%m/%d/%Y %H:%M']\n\
             month = ['%y-%b', '%b-%y']\nrecord_end = '2005-09-10T00:00:00Z'\n"
        ))
        .unwrap()
    }

    fn utc(ambiguous: &str, wall: &str) -> String {
        rules(ambiguous).instant(wall).map_or_else(|error| error.to_string(), |read| read.at.to_string())
    }

    #[test]
    fn a_wall_time_is_read_in_its_zone_with_or_without_padding() {
        assert_eq!(utc("later", "6/21/2005 10:54"), "2005-06-21T16:54:00Z");
        assert_eq!(utc("later", "01/09/2005 9:05"), "2005-01-09T16:05:00Z");
    }

    #[test]
    fn of_two_equal_wall_times_the_mapping_chooses() {
        assert_eq!(utc("earlier", "10/26/2003 1:30"), "2003-10-26T07:30:00Z");
        assert_eq!(utc("later", "10/26/2003 1:30"), "2003-10-26T08:30:00Z");
        assert!(rules("later").instant("10/26/2003 1:30").unwrap().twice);
        assert!(!rules("later").instant("10/26/2003 2:30").unwrap().twice);
    }

    #[test]
    fn a_wall_time_that_the_clocks_skipped_is_refused_with_the_reason() {
        assert!(utc("later", "4/6/2003 2:30").contains("skipped"));
        assert_eq!(utc("later", "4/6/2003 3:00"), "2003-04-06T09:00:00Z");
    }

    #[test]
    fn what_fits_no_format_is_refused_with_its_text() {
        for text in ["", "13/40/2003 1:00", "6/21/2005", "6/21/2005 10:54 x", "6/21/2005 25:00", "六月"] {
            assert!(matches!(rules("later").instant(text), Err(BadTime::Unreadable { .. })), "{text}");
        }
    }

    #[test]
    fn a_month_is_read_in_either_spelling() {
        let month = |text: &str| rules("later").month(text).map(|month| month.to_string()).ok();
        let cases = [
            ("5-Apr", Some("2005-04")),
            ("Apr-05", Some("2005-04")),
            ("Nov-96", Some("1996-11")),
            ("96-Nov", Some("1996-11")),
            ("Jun-69", Some("2069-06")),
            ("0-Jan", Some("2000-01")),
            ("current", None),
            ("5-Apr-1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(month(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_day_after_december_is_in_the_next_year() {
        let month = Month { year: 2003, number: 12 };
        assert_eq!(month.first_day().to_string(), "2003-12-01");
        assert_eq!(month.day_after_last().to_string(), "2004-01-01");
    }
}
