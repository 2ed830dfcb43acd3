//! Base hours: which microseconds of UTC a site's calendar covers, as steps that any span is measured against. Pure.
//!
//! A kind with a calendar of its own that is in force on a local day follows it, the others follow the site's. Of two
//! calendars valid from the same day the one recorded last holds. Calendar edges are local wall-clock minutes, multiples
//! of 15; a local day that is not 24 hours long is walked quarter by quarter, so that what the wall clock shows decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, TimeZone as _, Timelike as _};
use chrono_tz::Tz;
use medfleet_domain::time::{Day, MICROS_PER_DAY};

const MICROS_PER_MINUTE: i64 = 60_000_000;
const QUARTER_MICROS: i64 = 15 * MICROS_PER_MINUTE;
/// Nothing is admitted that happened before, so no calendar is spelled out before.
const EARLIEST: Day = Day::from_civil(1990, 1, 1);
/// No zone ever skipped more quarter-hours than a day has.
const SKIPPED_QUARTERS_MAX: u32 = 100;

/// One stretch of base hours in the week of a site, as stated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stated {
    /// A kind, or empty for the site's own.
    pub scope: String,
    /// Local day.
    pub valid_from: Day,
    pub recorded_at: i64,
    /// Monday is 1.
    pub weekday: u32,
    pub from_minute: i64,
    pub until_minute: i64,
}

/// Disjoint spans of UTC in ascending order, and how much lies before each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Steps {
    spans: Vec<(i64, i64)>,
    before: Vec<i64>,
}

impl Steps {
    fn of(spans: Vec<(i64, i64)>) -> Self {
        let mut sum = 0;
        let before = spans
            .iter()
            .map(|(from, until)| {
                sum += until - from;
                sum - (until - from)
            })
            .collect();
        Self { spans, before }
    }

    /// Microseconds of base hours before an instant.
    fn up_to(&self, at: i64) -> i64 {
        let after = self.spans.partition_point(|(from, _)| *from < at);
        let Some(last) = after.checked_sub(1) else { return 0 };
        let (from, until) = self.spans[last];
        self.before[last] + at.min(until) - from
    }

    /// Microseconds of base hours in `[from, until)`.
    pub fn overlap(&self, from: i64, until: i64) -> i64 {
        if until <= from || self.spans.is_empty() { 0 } else { self.up_to(until) - self.up_to(from) }
    }
}

/// The base hours of one site: its own, and those of kinds with a calendar of their own.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hours {
    own: Arc<Steps>,
    kinds: BTreeMap<String, Arc<Steps>>,
}

impl Hours {
    pub fn of(&self, kind: &str) -> &Arc<Steps> {
        self.kinds.get(kind).unwrap_or(&self.own)
    }

    /// Spells the calendars out up to a local day, excluded.
    pub fn spell(zone: Tz, stated: &BTreeSet<Stated>, until: Day) -> Self {
        let scopes: BTreeSet<&str> = stated.iter().map(|hours| hours.scope.as_str()).collect();
        let calendars = Calendars::of(stated);
        let steps = |kind: &str| Arc::new(calendars.steps(zone, kind, until));
        let kinds = scopes.into_iter().filter(|scope| !scope.is_empty());
        Self { own: steps(""), kinds: kinds.map(|kind| (kind.to_owned(), steps(kind))).collect() }
    }
}

/// By scope and first day of validity: when it was recorded, and its hours.
struct Calendars<'a>(BTreeMap<&'a str, BTreeMap<Day, (i64, Vec<&'a Stated>)>>);

impl<'a> Calendars<'a> {
    fn of(stated: &'a BTreeSet<Stated>) -> Self {
        let mut scopes: BTreeMap<&str, BTreeMap<Day, (i64, Vec<&Stated>)>> = BTreeMap::new();
        for hours in stated {
            let versions = scopes.entry(&hours.scope).or_default();
            let version = versions.entry(hours.valid_from).or_insert((hours.recorded_at, Vec::new()));
            if hours.recorded_at > version.0 {
                *version = (hours.recorded_at, Vec::new());
            }
            if hours.recorded_at == version.0 {
                version.1.push(hours);
            }
        }
        Self(scopes)
    }

    /// The hours in force for a kind on a local day.
    fn in_force(&self, kind: &str, day: Day) -> &[&'a Stated] {
        let newest = |scope: &str| self.0.get(scope)?.range(..=day).next_back().map(|(_, (_, hours))| hours.as_slice());
        newest(kind).or_else(|| newest("")).unwrap_or_default()
    }

    fn steps(&self, zone: Tz, kind: &str, until: Day) -> Steps {
        let first_day = |scope: &str| self.0.get(scope)?.keys().next().copied();
        let Some(first) = first_day(kind).into_iter().chain(first_day("")).min() else { return Steps::default() };
        let mut spans: Vec<(i64, i64)> = Vec::new();
        let mut begins = midnight(first.max(EARLIEST), zone);
        for day in (first.max(EARLIEST).0..until.0).map(Day) {
            let ends = midnight(day.next(), zone);
            let weekday = date(day).weekday().number_from_monday();
            let today = self.in_force(kind, day).iter().filter(|hours| hours.weekday == weekday);
            let mut found: Vec<(i64, i64)> = today.flat_map(|hours| spell_day(zone, begins, ends, hours)).collect();
            found.sort_unstable();
            for (from, until) in found {
                match spans.last_mut() {
                    Some(last) if last.1 >= from => last.1 = last.1.max(until),
                    _ => spans.push((from, until)),
                }
            }
            begins = ends;
        }
        Steps::of(spans)
    }
}

/// One stretch of base hours on the local day `[begins, ends)`.
fn spell_day(zone: Tz, begins: i64, ends: i64, hours: &Stated) -> Vec<(i64, i64)> {
    if ends - begins == MICROS_PER_DAY {
        let at = |minute: i64| begins + minute * MICROS_PER_MINUTE;
        return vec![(at(hours.from_minute), at(hours.until_minute))];
    }
    let quarters = (begins..ends).step_by(QUARTER_MICROS as usize);
    let open = quarters.filter(|at| (hours.from_minute..hours.until_minute).contains(&wall_minute(*at, zone)));
    open.map(|at| (at, at + QUARTER_MICROS)).collect()
}

fn wall_minute(at: i64, zone: Tz) -> i64 {
    let local = DateTime::from_timestamp_micros(at).unwrap_or_default().with_timezone(&zone);
    i64::from(local.hour() * 60 + local.minute())
}

fn date(day: Day) -> NaiveDate {
    NaiveDate::from_num_days_from_ce_opt(day.0 + 719_163).unwrap_or_default()
}

/// The first instant of a local day. Where a zone change skips midnight the day begins at the change.
fn midnight(day: Day, zone: Tz) -> i64 {
    let mut local = date(day).and_hms_opt(0, 0, 0).unwrap_or_default();
    for _ in 0..SKIPPED_QUARTERS_MAX {
        if let Some(at) = zone.from_local_datetime(&local).earliest() {
            return at.timestamp_micros();
        }
        local += TimeDelta::microseconds(QUARTER_MICROS);
    }
    day.start().0
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn stated(scope: &str, valid_from: Day, weekday: u32, from: i64, until: i64) -> Stated {
        let (from_minute, until_minute) = (from * 60, until * 60);
        Stated { scope: scope.into(), valid_from, recorded_at: 0, weekday, from_minute, until_minute }
    }

    fn spelled(zone: &str, stated: impl IntoIterator<Item = Stated>) -> Hours {
        Hours::spell(zone.parse().unwrap(), &stated.into_iter().collect(), Day::from_civil(2027, 1, 1))
    }

    fn march(date: u32) -> i64 {
        Day::from_civil(2026, 3, date).start().0
    }

    #[test]
    fn golden_20_march_2026_has_198_base_hours() {
        let hours = spelled("UTC", (1..=5).map(|day| stated("", Day(0), day, 8, 17)));
        assert_eq!(hours.of("ct").overlap(march(1), march(32)), 198 * HOUR);
        assert_eq!(hours.of("ct").overlap(march(9) + 22 * HOUR, march(10) + 9 * HOUR), HOUR);
    }

    #[test]
    fn golden_21_a_local_day_has_as_many_base_hours_as_hours() {
        let hours = spelled("America/New_York", (1..=7).map(|day| stated("", Day(0), day, 0, 24)));
        assert_eq!(hours.of("ct").overlap(march(8) + 5 * HOUR, march(9) + 4 * HOUR), 23 * HOUR);
        let november = Day::from_civil(2026, 11, 1).start().0;
        let steps = hours.of("ct");
        assert_eq!(steps.overlap(november + 4 * HOUR, november + 29 * HOUR), 25 * HOUR);
        let early = spelled("America/New_York", [stated("", Day(0), 7, 1, 2)]);
        assert_eq!(early.of("ct").overlap(november, november + 48 * HOUR), 2 * HOUR, "one o'clock strikes twice");
    }

    #[test]
    fn golden_23_a_calendar_holds_from_its_day_and_a_kind_may_have_its_own() {
        let may = Day::from_civil(2026, 5, 1);
        let week = (1..=5).map(|day| stated("", Day(0), day, 8, 17));
        let with_saturday = (1..=6).map(|day| stated("", may, day, 8, 17));
        let laser = [stated("laser", Day(0), 6, 8, 9)];
        let hours = spelled("UTC", week.chain(with_saturday).chain(laser));
        assert_eq!(hours.of("ct").overlap(march(1), march(32)), 198 * HOUR);
        assert_eq!(hours.of("ct").overlap(may.start().0, Day(may.0 + 7).start().0), 54 * HOUR);
        assert_eq!(hours.of("laser").overlap(march(1), march(32)), 4 * HOUR);
    }

    #[test]
    fn of_two_calendars_of_one_day_the_one_recorded_last_holds() {
        let first = stated("", Day(0), 1, 8, 17);
        let second = Stated { recorded_at: 1, until_minute: 9 * 60, ..first.clone() };
        assert_eq!(spelled("UTC", [first, second]).of("ct").overlap(march(2), march(3)), HOUR);
    }
}
