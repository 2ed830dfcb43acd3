//! What became of a part after an instant: failed, lived on, or was taken out before anybody could know.

use medfleet_domain::time::{MICROS_PER_DAY, Span, Timestamp};

use crate::horizon::Horizon;

/// For so long after its return a device says nothing about the next failure (Sipos and others, 2014: 20 days).
pub const INFECTED_DAYS: i64 = 20;

/// Of a device that was not heard for so long nothing is said.
pub const SILENT_DAYS: i64 = 3;

/// What is known of a part after one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// Microseconds until it failed.
    pub failed_after: Option<i64>,
    /// Microseconds for which it was watched and had not failed, if it did not.
    pub watched_for: i64,
}

impl Fate {
    /// Of an instant whose future nobody knows.
    pub const OPEN: Self = Self { failed_after: None, watched_for: 0 };

    /// Whether it failed within the horizon; None where it was taken out or lost from sight before.
    pub fn within(self, horizon: Horizon) -> Option<bool> {
        match self.failed_after {
            Some(after) => Some(after <= horizon.micros()),
            None if self.watched_for >= horizon.micros() => Some(false),
            None => None,
        }
    }
}

/// One failure: from its onset to the return to clinical use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    pub onset: Timestamp,
    /// None while it is still being mended.
    pub returned: Option<Timestamp>,
}

/// The life of one part in one device, as the log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHistory {
    /// From when to when anybody would have heard of a failure.
    pub watched: Span,
    /// In order of onset.
    pub failures: Vec<Failure>,
    /// Taken out on plan, on evidence of wear or for a reason nobody told: nobody knows how long it would have lasted. In order.
    pub taken_out: Vec<Timestamp>,
    /// Somebody was to look at it and did not: what became of it from then on says nothing about the time before. In order.
    pub unseen: Vec<Timestamp>,
    /// When the device as a whole was down or in maintenance: no instant of these is an example.
    pub down: Spans,
}

impl PartHistory {
    /// What became of the part after `at`. None where `at` is no example: outside the watch, in repair or infected.
    pub fn fate(&self, at: Timestamp) -> Option<Fate> {
        if !self.watched.contains(at) || self.is_infected(at) || self.is_down(at) {
            return None;
        }
        let failure = self.failures.iter().map(|failure| failure.onset).find(|onset| *onset > at);
        let next = |instants: &[Timestamp]| instants.iter().copied().find(|instant| *instant > at);
        let lost = next(&self.taken_out).into_iter().chain(next(&self.unseen));
        let end = lost.fold(self.watched.until, Timestamp::min);
        match failure {
            Some(onset) if onset <= end => {
                let after = onset.micros() - at.micros();
                Some(Fate { failed_after: Some(after), watched_for: after })
            }
            _ => Some(Fate { failed_after: None, watched_for: end.micros() - at.micros() }),
        }
    }

    /// Between a failure's onset and the end of its infected interval: the device is known to be ill.
    pub fn is_infected(&self, at: Timestamp) -> bool {
        let ill = |failure: &Failure| {
            let until = failure.returned.map(|returned| returned.plus_micros(INFECTED_DAYS * MICROS_PER_DAY));
            failure.onset <= at && until.is_none_or(|until| at < until)
        };
        self.failures.iter().any(ill)
    }

    fn is_down(&self, at: Timestamp) -> bool {
        self.down.hold(at)
    }
}

/// When a part can be spoken of: each instant judged by what was known at it, so that nothing told later moves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    /// When its device had been heard within the last days.
    pub heard: Spans,
    /// When it was known to be in repair or in planned work, or ill since its return.
    pub ill: Spans,
}

impl Presence {
    /// Whether at this instant something would be said of it.
    pub fn speaks(&self, at: Timestamp) -> bool {
        self.heard.hold(at) && !self.ill.hold(at)
    }
}

/// Spans that lie apart and in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// Takes in a span, and unites what it touches; an empty one changes nothing.
    pub fn add(&mut self, from: Timestamp, until: Timestamp) {
        if from >= until {
            return;
        }
        let first = self.0.partition_point(|span| span.until < from);
        let past = self.0.partition_point(|span| span.from <= until);
        let touched = &self.0[first..past];
        let from = touched.first().map_or(from, |span| span.from.min(from));
        let until = touched.last().map_or(until, |span| span.until.max(until));
        self.0.splice(first..past, [Span { from, until }]);
    }

    pub fn hold(&self, at: Timestamp) -> bool {
        let next = self.0.partition_point(|span| span.until <= at);
        self.0.get(next).is_some_and(|span| span.contains(at))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Span> {
        self.0.iter()
    }
}

impl Extend<Span> for Spans {
    fn extend<I: IntoIterator<Item = Span>>(&mut self, spans: I) {
        spans.into_iter().for_each(|span| self.add(span.from, span.until));
    }
}

impl FromIterator<Span> for Spans {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        let mut united = Self::default();
        united.extend(spans);
        united
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::Day;

    fn day(day: i32) -> Timestamp {
        Day(20_000 + day).start()
    }

    fn history() -> PartHistory {
        PartHistory {
            watched: Span { from: day(0), until: day(100) },
            failures: vec![Failure { onset: day(40), returned: Some(day(42)) }],
            taken_out: vec![day(80)],
            unseen: Vec::new(),
            down: Spans::from_iter([Span { from: day(10), until: day(11) }]),
        }
    }

    fn within_a_week(at: i32) -> Option<Option<bool>> {
        history().fate(day(at)).map(|fate| fate.within(Horizon::Week))
    }

    #[test]
    fn a_failure_is_seen_from_the_days_before_and_from_no_day_of_its_own_illness() {
        assert_eq!(within_a_week(32), Some(Some(false)));
        assert_eq!(within_a_week(33), Some(Some(true)));
        assert_eq!(within_a_week(39), Some(Some(true)));
        assert_eq!(within_a_week(40), None, "the failure itself warns of nothing");
        assert_eq!(within_a_week(61), None, "infected for 20 days after the return");
        assert_eq!(within_a_week(62), Some(Some(false)));
    }

    #[test]
    fn of_a_part_in_repair_or_of_a_silent_device_nothing_is_said() {
        let span = |from: i32, until: i32| Span { from: day(from), until: day(until) };
        let heard = Spans::from_iter([span(0, 103)]);
        let presence = Presence { heard, ill: Spans::from_iter([span(10, 11), span(40, 62)]) };
        let spoken = |at: i32| presence.speaks(day(at));
        assert!(spoken(39) && spoken(62) && spoken(102));
        assert!(!spoken(10) && !spoken(41) && !spoken(61) && !spoken(103));
    }

    #[test]
    fn spans_that_touch_become_one_in_whatever_order_they_come() {
        let span = |from: i32, until: i32| Span { from: day(from), until: day(until) };
        let pieces = [span(1, 2), span(8, 9), span(4, 6), span(2, 3), span(5, 7), span(0, 1), span(4, 4)];
        let united = Spans::from_iter(pieces);
        assert_eq!(united.iter().copied().collect::<Vec<_>>(), [span(0, 3), span(4, 7), span(8, 9)]);
        assert_eq!(united, Spans::from_iter(pieces.into_iter().rev()));
        assert!(united.hold(day(0)) && !united.hold(day(3)) && united.hold(day(6)) && !united.hold(day(9)));
    }

    #[test]
    fn a_part_taken_out_on_plan_neither_failed_nor_survived() {
        assert_eq!(within_a_week(73), Some(Some(false)));
        assert_eq!(within_a_week(74), Some(None), "taken out after 6 days");
        assert_eq!(within_a_week(94), Some(None), "lost from sight after 6 days");
        assert_eq!(within_a_week(10), None, "in maintenance");
    }
}
