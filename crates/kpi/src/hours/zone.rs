//! A zone as the domain takes it: the steps of its offset.

use chrono::{DateTime, Offset as _};
use chrono_tz::Tz;
use medfleet_domain::local::LocalClock;
use medfleet_domain::time::{MICROS_PER_HOUR, MICROS_PER_SECOND, Span, Timestamp};

/// Zones are looked at so often; no zone changes twice within it.
const ZONE_STEP_MICROS: i64 = 12 * MICROS_PER_HOUR;

/// The steps of a zone within a span, each found to the second.
pub fn clock_of(zone: Tz, within: Span) -> LocalClock {
    let offset = |at: Timestamp| {
        let utc = DateTime::from_timestamp_micros(at.0).unwrap_or_default();
        utc.with_timezone(&zone).offset().fix().local_minus_utc()
    };
    let mut at = within.from;
    let first = offset(at);
    let mut held = first;
    let mut changes = Vec::new();
    while at < within.until {
        let next = at.plus_micros(ZONE_STEP_MICROS);
        if offset(next) != held {
            let change = change_between(at, next, |instant| offset(instant) != held);
            held = offset(next);
            changes.push((change, held));
        }
        at = next;
    }
    LocalClock::new(first, changes)
}

/// The first whole second at which it has changed.
fn change_between(before: Timestamp, after: Timestamp, has_changed: impl Fn(Timestamp) -> bool) -> Timestamp {
    let (mut low, mut high) = (before.second(), after.second());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if has_changed(Timestamp(middle * MICROS_PER_SECOND)) { high = middle } else { low = middle }
    }
    Timestamp(high * MICROS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use medfleet_domain::time::Day;

    use super::*;

    #[test]
    fn a_zone_s_steps_are_found_to_the_second() {
        let day = |month, date| Day::from_civil(2026, month, date).start();
        let clock = clock_of(chrono_tz::America::New_York, Span { from: day(1, 1), until: day(12, 31) });
        let expected = LocalClock::new(
            -5 * 3_600,
            [(day(3, 8).plus_seconds(7 * 3_600), -4 * 3_600), (day(11, 1).plus_seconds(6 * 3_600), -5 * 3_600)],
        );
        assert_eq!(clock, expected);
    }
}
