//! Local time without a table of zones: a zone is the steps of its offset, which whoever has a table brings along.

use crate::fleet::{BaseHours, Calendar};
use crate::kind::DeviceKind;
use crate::spans::Spans;
use crate::time::{Day, MICROS_PER_MINUTE, MICROS_PER_SECOND, Span, Timestamp};

/// How far a wall clock is ahead of UTC, and when that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalClock {
    /// Sorted; the first holds since ever.
    steps: Vec<(Timestamp, i32)>,
}

impl LocalClock {
    /// `offset_seconds` until the first of the changes, which are given in order with the offset they bring.
    pub fn new(offset_seconds: i32, changes: impl IntoIterator<Item = (Timestamp, i32)>) -> Self {
        Self { steps: std::iter::once((Timestamp::MIN, offset_seconds)).chain(changes).collect() }
    }

    pub fn utc() -> Self {
        Self::new(0, [])
    }

    /// Spans of one offset each, in order, with that offset in microseconds.
    fn pieces(&self, within: Span) -> impl Iterator<Item = (Span, i64)> + '_ {
        let ends = self.steps.iter().skip(1).map(|(at, _)| *at).chain([Timestamp::MAX]);
        self.steps.iter().zip(ends).filter_map(move |(&(from, offset), until)| {
            Some((Span { from, until }.clip(within)?, i64::from(offset) * MICROS_PER_SECOND))
        })
    }

    pub fn day(&self, at: Timestamp) -> Day {
        let after = self.steps.partition_point(|(from, _)| *from <= at).max(1);
        at.plus_micros(i64::from(self.steps[after - 1].1) * MICROS_PER_SECOND).day()
    }

    /// The first instant of a local day: its first midnight, or the change that skips midnight.
    pub fn start_of(&self, day: Day) -> Timestamp {
        let ever = Span { from: Timestamp::MIN, until: Timestamp::MAX };
        let starts = self.pieces(ever).map(|(span, offset)| (span, span.from.max(day.start().plus_micros(-offset))));
        let mut inside = starts.filter(|(span, start)| *start < span.until);
        inside.next().map_or(Timestamp::MAX, |(_, start)| start)
    }

    /// The instants of local days `from..until`.
    pub fn days(&self, from: Day, until: Day) -> Span {
        Span { from: self.start_of(from), until: self.start_of(until) }
    }

    /// The instants within a span at which the wall clock shows one of these hours.
    pub fn weekly(&self, hours: &[BaseHours], within: Span) -> Spans {
        let mut found = Vec::new();
        for (piece, offset) in self.pieces(within) {
            let local = Span { from: piece.from.plus_micros(offset), until: piece.until.plus_micros(offset) };
            for day in local.days() {
                let open = hours.iter().filter(|one| one.weekday == weekday(day)).filter_map(|one| {
                    let minute = |minute: u16| day.start().plus_micros(i64::from(minute) * MICROS_PER_MINUTE - offset);
                    Span { from: minute(one.from_minute), until: minute(one.until_minute) }.clip(piece)
                });
                found.extend(open);
            }
        }
        Spans::of(found)
    }
}

/// ISO: Monday 1 to Sunday 7.
pub const fn weekday(day: Day) -> u8 {
    // 1970-01-01 was a Thursday.
    ((day.0 + 3).rem_euclid(7) + 1) as u8
}

/// A calendar and when it became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub recorded_at: Timestamp,
    pub calendar: Calendar,
}

/// All calendars of a site: which of them is in force on a local day, for which kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendars {
    /// Sorted by (valid_from, recorded_at): of those in force the last holds.
    all: Vec<Recorded>,
}

impl Calendars {
    pub fn new(mut all: Vec<Recorded>) -> Self {
        all.sort_by(|a, b| {
            let key = |one: &Recorded| (one.calendar.valid_from, one.recorded_at);
            key(a).cmp(&key(b)).then_with(|| a.calendar.cmp(&b.calendar))
        });
        Self { all }
    }

    /// A calendar of the kind's own comes before the site's.
    pub fn in_force(&self, kind: DeviceKind, day: Day) -> Option<&Recorded> {
        let last = |scope: Option<DeviceKind>| {
            let begun = self.all.iter().rev().filter(|one| one.calendar.valid_from <= day);
            begun.into_iter().find(|one| one.calendar.kind == scope)
        };
        last(Some(kind)).or_else(|| last(None))
    }

    /// Base hours of a kind within a span; none where no calendar is in force.
    pub fn base_hours(&self, kind: DeviceKind, clock: &LocalClock, within: Span) -> Spans {
        let last = clock.day(Timestamp(within.until.0 - 1));
        let mut found = Vec::new();
        for day in (clock.day(within.from).0..=last.0).map(Day) {
            let Some(recorded) = self.in_force(kind, day) else { continue };
            let Some(span) = clock.days(day, day.next()).clip(within) else { continue };
            found.extend(clock.weekly(&recorded.calendar.hours, span).iter());
        }
        Spans::of(found)
    }

    /// The latest that any calendar in force within a span was recorded: what a statement pins.
    pub fn recorded_at(&self, kind: DeviceKind, clock: &LocalClock, within: Span) -> Option<Timestamp> {
        let last = clock.day(Timestamp(within.until.0 - 1));
        let days = (clock.day(within.from).0..=last.0).map(Day);
        days.filter_map(|day| self.in_force(kind, day)).map(|one| one.recorded_at).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_are_iso() {
        assert_eq!(weekday(Day(0)), 4);
        assert_eq!(weekday(Day::from_civil(2026, 3, 9)), 1);
        assert_eq!(weekday(Day::from_civil(2026, 3, 15)), 7);
        assert_eq!(weekday(Day(-4)), 7);
    }

    #[test]
    fn a_day_that_begins_late_begins_at_the_change() {
        // Midnight of day 10 is skipped: at 23:30 local the clock goes to 00:30.
        let change = Day(10).start().plus_seconds(-1_800);
        let clock = LocalClock::new(0, [(change, 3_600)]);
        assert_eq!(clock.start_of(Day(10)), change);
        assert_eq!(clock.day(change), Day(10));
        assert_eq!(clock.day(change.plus_micros(-1)), Day(9));
        assert_eq!(clock.days(Day(9), Day(10)).micros(), 23 * 3_600 * MICROS_PER_SECOND + 1_800 * MICROS_PER_SECOND);
    }
}
