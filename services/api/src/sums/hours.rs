//! Base hours of one site as running sums keep them: its own, and those of kinds with a calendar of their own. Pure.
//!
//! Which calendar is in force on a local day the domain says: one of the kind's own before the site's, the one valid from
//! the latest day, and of those the one recorded last.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono_tz::Tz;
use datafusion::prelude::SessionContext;
use medfleet_domain::fleet::{BaseHours as Stretch, Calendar};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::local::{Calendars, Recorded};
use medfleet_domain::time::{Day, MICROS_PER_DAY, Span, Timestamp};
use medfleet_kpi::hours::{clock_of, register_base_micros};

pub use medfleet_kpi::hours::Steps;

/// Nothing is admitted that happened before, so no calendar is spelled out before.
const EARLIEST: Day = Day::from_civil(1990, 1, 1);

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

/// The base hours of one site.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hours {
    own: Arc<Steps>,
    kinds: BTreeMap<String, Arc<Steps>>,
}

impl Hours {
    pub fn of(&self, kind: &str) -> &Arc<Steps> {
        self.kinds.get(kind).unwrap_or(&self.own)
    }

    /// Spells the calendars out up to a day, excluded.
    pub fn spell(zone: Tz, stated: &BTreeSet<Stated>, until: Day) -> Self {
        let Some(first) = stated.iter().map(|hours| hours.valid_from).min() else { return Self::default() };
        // A local day begins less than a day before the UTC day of its name.
        let from = first.max(EARLIEST).start().plus_micros(-MICROS_PER_DAY);
        let Ok(within) = Span::new(from, until.start()) else { return Self::default() };
        let clock = clock_of(zone, within);
        let all = recorded(stated);
        let spelled =
            |of: Vec<Recorded>, kind| Arc::new(Steps::of(&Calendars::new(of).base_hours(kind, &clock, within)));
        let of_site: Vec<Recorded> = all.iter().filter(|one| one.calendar.kind.is_none()).cloned().collect();
        let kinds: BTreeSet<DeviceKind> = all.iter().filter_map(|one| one.calendar.kind).collect();
        let kinds = kinds.into_iter().map(|kind| (kind.as_str().to_owned(), spelled(all.clone(), kind)));
        Self { kinds: kinds.collect(), own: spelled(of_site, DeviceKind::Other) }
    }
}

/// Stretches of one scope, day and statement are one calendar.
fn recorded(stated: &BTreeSet<Stated>) -> Vec<Recorded> {
    let mut versions: BTreeMap<(&str, Day, i64), Vec<Stretch>> = BTreeMap::new();
    for hours in stated {
        let stretch = Stretch {
            weekday: hours.weekday as u8,
            from_minute: hours.from_minute as u16,
            until_minute: hours.until_minute as u16,
        };
        versions.entry((&hours.scope, hours.valid_from, hours.recorded_at)).or_default().push(stretch);
    }
    let version = |((scope, valid_from, recorded_at), hours): ((&str, Day, i64), _)| Recorded {
        recorded_at: Timestamp(recorded_at),
        calendar: Calendar { kind: DeviceKind::parse(scope).ok(), valid_from, hours },
    };
    versions.into_iter().map(version).collect()
}

/// The base hours of all sites at one cut.
#[derive(Debug, Clone)]
pub struct BaseHours(Arc<HashMap<String, Arc<Hours>>>);

impl BaseHours {
    pub fn of(sites: impl Iterator<Item = (String, Arc<Hours>)>) -> Self {
        Self(Arc::new(sites.collect()))
    }

    /// Makes `base_micros` part of a session.
    pub fn register(self, session: &SessionContext) {
        register_base_micros(session, move |site, kind| self.0.get(site).map(|hours| Arc::clone(hours.of(kind))));
    }
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
