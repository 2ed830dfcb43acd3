//! What a cell says about time: instants by wall clocks of a zone or with an offset, days, and months in two spellings. Pure.

use std::fmt;

use chrono::format::{Parsed, StrftimeItems, parse};
use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, TimeZone as _};
use chrono_tz::Tz;
use medfleet_domain::time::{Day, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::remarks::Reason;

/// Written as the zone of a table whose times are those of each device's site.
const ZONE_OF_SITE: &str = "site";

/// The `[time]` part of a mapping, or what a table says otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeText {
    zone: Option<String>,
    ambiguous: Option<Ambiguous>,
    /// Formats of instants, as strftime writes them; one with an offset needs no zone, one without a clock means midnight.
    instant: Option<Vec<String>>,
    /// Formats of days.
    day: Option<Vec<String>>,
    /// Formats of months.
    month: Option<Vec<String>>,
    /// A two-digit year from here on is 19yy.
    century_pivot: Option<i32>,
}

#[derive(Debug, thiserror::Error)]
pub enum TimeTextError {
    #[error("`{zone}` is no time zone: use an IANA name as America/Denver, or site")]
    Zone { zone: String },
    #[error("no zone: say in which zone its clocks ran")]
    NoZone,
    #[error("`{format}` is no format of a time: write it as strftime does, as %Y-%m-%d %H:%M")]
    Format { format: String },
    #[error("no formats of instants: add instant = [\"%Y-%m-%d %H:%M:%S\"] to [time]")]
    NoFormat,
}

/// Which of two equal wall times is meant when the clocks were set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ambiguous {
    #[default]
    Earlier,
    Later,
}

/// How a table writes time.
#[derive(Debug, Clone, Default)]
pub struct TimeRules {
    /// None: the zone of the device's site.
    pub zone: Option<Tz>,
    ambiguous: Ambiguous,
    instant: Vec<String>,
    day: Vec<String>,
    month: Vec<String>,
    century_pivot: i32,
}

/// A cell read as an instant, and what was special about reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    pub at: Timestamp,
    /// The clock showed it twice; the mapping chose.
    pub twice: bool,
    /// It names a day only: taken as the midnight at which that day began.
    pub dateless: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    number: u32,
}

/// A day, or the whole month that stands for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    Day(Day),
    Month(Month),
}

impl TimeText {
    /// What a table says wins over what the mapping says.
    pub fn overlaid(self, table: Option<Self>) -> Self {
        let Some(own) = table else { return self };
        Self {
            zone: own.zone.or(self.zone),
            ambiguous: own.ambiguous.or(self.ambiguous),
            instant: own.instant.or(self.instant),
            day: own.day.or(self.day),
            month: own.month.or(self.month),
            century_pivot: own.century_pivot.or(self.century_pivot),
        }
    }

    pub fn rules(self) -> Result<TimeRules, TimeTextError> {
        let zone = match self.zone.ok_or(TimeTextError::NoZone)? {
            name if name == ZONE_OF_SITE => None,
            name => Some(name.parse().map_err(|_| TimeTextError::Zone { zone: name })?),
        };
        let rules = TimeRules {
            zone,
            ambiguous: self.ambiguous.unwrap_or_default(),
            instant: self.instant.unwrap_or_default(),
            day: self.day.unwrap_or_default(),
            month: self.month.unwrap_or_default(),
            century_pivot: self.century_pivot.unwrap_or(70),
        };
        if rules.instant.is_empty() {
            return Err(TimeTextError::NoFormat);
        }
        let formats = rules.instant.iter().chain(&rules.day).chain(&rules.month);
        let broken =
            |format: &&String| StrftimeItems::new(format).any(|item| matches!(item, chrono::format::Item::Error));
        match formats.clone().find(broken) {
            Some(format) => Err(TimeTextError::Format { format: format.clone() }),
            None => Ok(rules),
        }
    }
}

/// What one format makes of a cell.
enum Read {
    Absolute(Timestamp),
    Wall(NaiveDateTime),
    Date(NaiveDate),
}

impl TimeRules {
    /// Reads an instant by the first format that fits the whole cell.
    pub fn instant(&self, text: &str, zone: Tz) -> Result<Instant, Reason> {
        let read = self.instant.iter().find_map(|format| read_by(text, format));
        match read.ok_or_else(|| unreadable(text, &self.instant))? {
            Read::Absolute(at) => Ok(Instant { at, twice: false, dateless: false }),
            Read::Wall(wall) => self.placed(wall, zone, text, false),
            Read::Date(date) => self.placed(date.and_time(chrono::NaiveTime::MIN), zone, text, true),
        }
    }

    fn placed(&self, wall: NaiveDateTime, zone: Tz, text: &str, dateless: bool) -> Result<Instant, Reason> {
        let instant = |at: DateTime<Tz>, twice| Instant { at: Timestamp(at.timestamp_micros()), twice, dateless };
        match (zone.from_local_datetime(&wall), self.ambiguous) {
            (MappedLocalTime::Single(at), _) => Ok(instant(at, false)),
            (MappedLocalTime::Ambiguous(at, _), Ambiguous::Earlier) => Ok(instant(at, true)),
            (MappedLocalTime::Ambiguous(_, at), Ambiguous::Later) => Ok(instant(at, true)),
            (MappedLocalTime::None, _) => Err(Reason::SkippedHour { text: text.into(), zone }),
        }
    }

    /// Reads a day or a month, by the first format that fits the whole cell.
    pub fn date(&self, text: &str) -> Result<Date, Reason> {
        let day = |format: &String| NaiveDate::parse_from_str(text, format).ok();
        if let Some(date) = self.day.iter().find_map(day) {
            return Ok(Date::Day(Day::from_civil(
                chrono::Datelike::year(&date),
                chrono::Datelike::month(&date),
                chrono::Datelike::day(&date),
            )));
        }
        let month = self.month.iter().find_map(|format| self.read_month(text, format));
        let formats = || self.day.iter().chain(&self.month).cloned().collect::<Vec<_>>();
        month.map(Date::Month).ok_or_else(|| unreadable(text, &formats()))
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

fn read_by(text: &str, format: &str) -> Option<Read> {
    let names_instant = ["%z", "%:z", "%#z", "%s", "%+"].iter().any(|item| format.contains(item));
    if names_instant {
        let at = if format.contains("%s") {
            NaiveDateTime::parse_from_str(text, format).ok()?.and_utc().timestamp_micros()
        } else {
            DateTime::parse_from_str(text, format).ok()?.timestamp_micros()
        };
        return Some(Read::Absolute(Timestamp(at)));
    }
    let wall = NaiveDateTime::parse_from_str(text, format).ok().map(Read::Wall);
    wall.or_else(|| NaiveDate::parse_from_str(text, format).ok().map(Read::Date))
}

impl Date {
    pub const fn first_day(self) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Month(month) => Day::from_civil(month.year, month.number, 1),
        }
    }

    /// The first day on which something that ended then was no more: a month is meant to its end, a day is that day itself.
    pub const fn day_after(self) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Month(Month { year, number: 12 }) => Day::from_civil(year + 1, 1, 1),
            Self::Month(Month { year, number }) => Day::from_civil(year, number + 1, 1),
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.number)
    }
}

fn unreadable(text: &str, formats: &[String]) -> Reason {
    Reason::UnreadableTime { text: text.into(), formats: formats.join(", ") }
}

pub fn zone<'de, D: Deserializer<'de>>(from: D) -> Result<Tz, D::Error> {
    let name = String::deserialize(from)?;
    name.parse().map_err(|_| D::Error::custom(TimeTextError::Zone { zone: name }))
}

pub fn utc<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = String::deserialize(from)?;
    let at = DateTime::parse_from_rfc3339(&text);
    let at = at.map_err(|_| D::Error::custom(format!("`{text}` is no instant: write it as 2005-09-10T00:00:00Z")))?;
    Ok(Some(Timestamp(at.timestamp_micros())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(ambiguous: &str) -> TimeRules {
        let text: TimeText = toml::from_str(&format!(
            "zone = 'America/Denver'\nambiguous = '{ambiguous}'\ninstant = ['%m/%d/%Y %H:%M', '%Y-%m-%dT%H:%M:%S%z', '%s', '%d.%m.%Y']\n\
             day = ['%Y-%m-%d']\nmonth = ['%y-%b', '%b-%y']\n"
        ))
        .unwrap();
        text.rules().unwrap()
    }

    fn utc(ambiguous: &str, text: &str) -> String {
        let zone = chrono_tz::America::Denver;
        rules(ambiguous).instant(text, zone).map_or_else(|error| error.to_string(), |read| read.at.to_string())
    }

    #[test]
    fn a_wall_time_is_read_in_its_zone_with_or_without_padding() {
        assert_eq!(utc("later", "6/21/2005 10:54"), "2005-06-21T16:54:00Z");
        assert_eq!(utc("later", "01/09/2005 9:05"), "2005-01-09T16:05:00Z");
    }

    #[test]
    fn an_offset_or_unix_seconds_need_no_zone_and_a_day_means_its_midnight() {
        assert_eq!(utc("later", "2005-06-21T10:54:00+0200"), "2005-06-21T08:54:00Z");
        assert_eq!(utc("later", "1119343440"), "2005-06-21T08:44:00Z");
        assert_eq!(utc("later", "21.06.2005"), "2005-06-21T06:00:00Z");
        assert!(rules("later").instant("21.06.2005", chrono_tz::UTC).unwrap().dateless);
    }

    #[test]
    fn of_two_equal_wall_times_the_mapping_chooses() {
        assert_eq!(utc("earlier", "10/26/2003 1:30"), "2003-10-26T07:30:00Z");
        assert_eq!(utc("later", "10/26/2003 1:30"), "2003-10-26T08:30:00Z");
        let zone = chrono_tz::America::Denver;
        assert!(rules("later").instant("10/26/2003 1:30", zone).unwrap().twice);
        assert!(!rules("later").instant("10/26/2003 2:30", zone).unwrap().twice);
    }

    #[test]
    fn a_wall_time_that_the_clocks_skipped_is_refused_with_the_reason() {
        assert!(utc("later", "4/6/2003 2:30").contains("skipped"));
        assert_eq!(utc("later", "4/6/2003 3:00"), "2003-04-06T09:00:00Z");
    }

    #[test]
    fn what_fits_no_format_is_refused_with_its_text() {
        for text in ["", "13/40/2003 1:00", "6/21/2005", "6/21/2005 10:54 x", "6/21/2005 25:00", "六月"] {
            let read = rules("later").instant(text, chrono_tz::UTC);
            assert!(matches!(read, Err(Reason::UnreadableTime { .. })), "{text}");
        }
    }

    #[test]
    fn a_month_is_read_in_either_spelling() {
        let month = |text: &str| match rules("later").date(text) {
            Ok(Date::Month(month)) => Some(month.to_string()),
            _ => None,
        };
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
    fn a_month_ends_with_it_and_a_day_with_itself() {
        let december = Date::Month(Month { year: 2003, number: 12 });
        assert_eq!(december.first_day().to_string(), "2003-12-01");
        assert_eq!(december.day_after().to_string(), "2004-01-01");
        let day = rules("later").date("2003-12-07").unwrap();
        assert_eq!((day.first_day(), day.day_after()), (day.day_after(), day.first_day()));
    }

    #[test]
    fn a_zone_or_a_format_that_is_none_is_refused() {
        let text = |text: &str| toml::from_str::<TimeText>(text).unwrap().rules();
        assert!(matches!(text("zone = 'Denver'\ninstant = ['%H']"), Err(TimeTextError::Zone { .. })));
        assert!(matches!(text("zone = 'UTC'\ninstant = ['%Q']"), Err(TimeTextError::Format { .. })));
        assert!(matches!(text("zone = 'UTC'"), Err(TimeTextError::NoFormat)));
        assert!(matches!(text("instant = ['%H']"), Err(TimeTextError::NoZone)));
        assert_eq!(text("zone = 'site'\ninstant = ['%H']").unwrap().zone, None);
    }
}
