//! Local time of a hospital: hours of the day, weekdays and base hours, daylight saving included.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use medfleet_domain::fleet::BaseHours;
use medfleet_domain::time::{MICROS_PER_HOUR, Timestamp};

const MINUTES_PER_DAY: u16 = 24 * 60;
/// Base hours that do not open within this many days count as never open.
const LOOK_AHEAD_DAYS: u64 = 14;

/// A place's clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

/// What the clock on the wall says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wall {
    pub date: NaiveDate,
    pub minute_of_day: u16,
}

impl Wall {
    pub fn hour(self) -> usize {
        usize::from(self.minute_of_day / 60)
    }

    pub fn is_weekend(self) -> bool {
        matches!(self.date.weekday(), Weekday::Sat | Weekday::Sun)
    }
}

impl Zone {
    /// The zone of an IANA name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    pub fn wall(self, at: Timestamp) -> Wall {
        let local = DateTime::<Utc>::from_timestamp_micros(at.micros()).unwrap_or_default().with_timezone(&self.0);
        Wall { date: local.date_naive(), minute_of_day: (local.hour() * 60 + local.minute()) as u16 }
    }

    /// The instant at which the wall shows this. In a spring gap: an hour later; in an autumn fold: the first time.
    pub fn instant(self, date: NaiveDate, minute_of_day: u16) -> Timestamp {
        let (date, minute) = match minute_of_day {
            MINUTES_PER_DAY.. => (date + Days::new(1), minute_of_day - MINUTES_PER_DAY),
            minute => (date, minute),
        };
        let naive = date.and_time(chrono::NaiveTime::MIN) + chrono::Duration::minutes(i64::from(minute));
        let local = self.0.from_local_datetime(&naive).earliest();
        let local = local.or_else(|| self.0.from_local_datetime(&(naive + chrono::Duration::hours(1))).earliest());
        Timestamp(local.map_or(naive.and_utc().timestamp_micros(), |found| found.timestamp_micros()))
    }

    /// The next instant after `after` at which the wall shows this minute, `days` or more dates later.
    pub fn next_at(self, after: Timestamp, minute_of_day: u16, days: u32) -> Timestamp {
        let mut date = self.wall(after).date + Days::new(u64::from(days));
        loop {
            let at = self.instant(date, minute_of_day);
            if at > after {
                return at;
            }
            date = date + Days::new(1);
        }
    }

    /// Start of the next local hour.
    pub fn next_hour(self, at: Timestamp) -> Timestamp {
        // Offsets of the zones in use are whole hours, so local hours turn on UTC hours.
        Timestamp((at.micros().div_euclid(MICROS_PER_HOUR) + 1) * MICROS_PER_HOUR)
    }

    /// `at` itself when the hours are open then, else the next opening; `at` when they never open.
    pub fn next_open(self, hours: &[BaseHours], at: Timestamp) -> Timestamp {
        let wall = self.wall(at);
        let first = wall.date;
        for ahead in 0..LOOK_AHEAD_DAYS {
            let date = first + Days::new(ahead);
            let weekday = date.weekday().number_from_monday() as u8;
            let mut today: Vec<_> = hours.iter().filter(|open| open.weekday == weekday).collect();
            today.sort();
            for open in today {
                if ahead == 0 && wall.minute_of_day >= open.until_minute {
                    continue;
                }
                return self.instant(date, open.from_minute).max(at);
            }
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::Day;

    fn utc(day: Day, hour: i64, minute: i64) -> Timestamp {
        day.start().plus_seconds(hour * 3_600 + minute * 60)
    }

    #[test]
    fn the_wall_jumps_in_spring() {
        let zone = Zone::named("America/New_York").expect("zone");
        let march_8 = Day::from_civil(2026, 3, 8);
        assert_eq!(zone.wall(utc(march_8, 6, 59)).hour(), 1);
        assert_eq!(zone.wall(utc(march_8, 7, 0)).hour(), 3);
        let date = NaiveDate::from_ymd_opt(2026, 3, 8).expect("date");
        assert_eq!(zone.instant(date, 150), utc(march_8, 7, 30), "02:30 does not exist that day");
    }

    #[test]
    fn a_closed_evening_waits_for_the_next_opening() {
        let zone = Zone::named("America/Chicago").expect("zone");
        let hours: Vec<_> =
            (1..=5).map(|weekday| BaseHours { weekday, from_minute: 480, until_minute: 1_020 }).collect();
        let friday = Day::from_civil(2026, 3, 13);
        // Friday 18:00 local (23:00 UTC in summer time) waits until Monday 08:00 (13:00 UTC).
        assert_eq!(zone.next_open(&hours, utc(friday, 23, 0)), utc(Day::from_civil(2026, 3, 16), 13, 0));
        assert_eq!(zone.next_open(&hours, utc(friday, 15, 0)), utc(friday, 15, 0));
    }
}
