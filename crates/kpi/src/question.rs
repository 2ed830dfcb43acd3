//! What every view is asked: a period, the time of the cut, and which devices.

use medfleet_domain::time::{Day, MICROS_PER_HOUR, Timestamp};
use medfleet_lake::ScalarValue;

/// Views of episodes read so much before the period, to see what began before it (of a device that was down then, all of its
/// past); and all that came after, for an outage may end months later.
const MARGIN_DAYS: i32 = 8;

/// Which devices; empty is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    pub site: String,
    pub kind: String,
    pub device: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The period, `from` included, `until` excluded.
    pub from: Timestamp,
    pub until: Timestamp,
    /// Time of the cut: what is open is open up to here.
    pub now: Timestamp,
    /// What the log took before this is not late: views of amendments list what came after.
    pub closed: Timestamp,
    pub scope: Scope,
}

/// Agents say an hour when it is over, and deliver it some time later: what comes so long after the end of a period is no news of it.
pub const SETTLING_MICROS: i64 = 2 * MICROS_PER_HOUR;

impl Question {
    pub fn new(from: Timestamp, until: Timestamp, now: Timestamp) -> Self {
        Self { from, until, now, closed: until.plus_micros(SETTLING_MICROS), scope: Scope::default() }
    }

    pub fn of_site(mut self, site: &str) -> Self {
        self.scope.site = site.to_owned();
        self
    }

    pub fn of_kind(mut self, kind: &str) -> Self {
        self.scope.kind = kind.to_owned();
        self
    }

    pub fn of_device(mut self, device: &str) -> Self {
        self.scope.device = device.to_owned();
        self
    }

    pub fn closed_at(mut self, closed: Timestamp) -> Self {
        self.closed = closed;
        self
    }

    /// Every parameter that a view may name.
    pub fn parameters(&self) -> Vec<(&'static str, ScalarValue)> {
        let instant = |at: Timestamp| ScalarValue::Int64(Some(at.0));
        let day = |day: Day| ScalarValue::Date32(Some(day.0));
        let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
        let until_day = Timestamp(self.until.0 - 1).day();
        vec![
            ("from", instant(self.from)),
            ("until", instant(self.until)),
            ("now", instant(self.now)),
            ("closed", instant(self.closed)),
            ("from_day", day(self.from.day())),
            ("until_day", day(until_day)),
            ("read_from_day", day(Day(self.from.day().0 - MARGIN_DAYS))),
            ("read_until_day", day(self.now.day().max(until_day))),
            // The first day of the month in which a local day of the period may begin.
            ("from_month", day(month_of(self.from.plus_seconds(-86_400)))),
            ("site", text(&self.scope.site)),
            ("kind", text(&self.scope.kind)),
            ("device", text(&self.scope.device)),
        ]
    }
}

fn month_of(at: Timestamp) -> Day {
    let (year, month, _) = at.day().civil();
    Day::from_civil(year, month, 1)
}
