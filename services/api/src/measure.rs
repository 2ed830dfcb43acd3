//! Uptime arithmetic: numerators and denominators in microseconds, ratios only where there is something to divide. Pure.

use std::ops::AddAssign;

use medfleet_kpi::measure::{bounds, ratio, utilization_bounds};

/// What is known of some devices over a period within their time in service, in device-microseconds. Silence is in none of
/// the conditions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measure {
    /// In service at some time of the period. One that nobody ever registered was so while it was heard.
    pub devices: i64,
    /// Of these, heard or spoken for.
    pub monitored: i64,
    pub registered: i64,
    pub productive: i64,
    pub standby: i64,
    pub engineering: i64,
    pub scheduled_down: i64,
    pub unscheduled_down: i64,
    /// Of the known time, what an import assumed.
    pub assumed: i64,
    /// Of the down time, when use was seen.
    pub conflict: i64,
    pub base_registered: i64,
    pub base_productive: i64,
    pub base_up: i64,
    pub base_down: i64,
    pub base_conflict: i64,
}

/// Between these the truth lies: all that is unknown spoke against, or for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub worst: f64,
    pub best: f64,
}

impl Measure {
    pub const fn up(&self) -> i64 {
        self.productive + self.standby + self.engineering
    }

    pub const fn down(&self) -> i64 {
        self.scheduled_down + self.unscheduled_down
    }

    pub const fn known(&self) -> i64 {
        self.up() + self.down()
    }

    pub const fn unknown(&self) -> i64 {
        self.registered - self.known()
    }

    /// Up ÷ known.
    pub fn uptime(&self) -> Option<f64> {
        ratio(self.up(), self.known())
    }

    /// Known ÷ registered.
    pub fn coverage(&self) -> Option<f64> {
        ratio(self.known(), self.registered)
    }

    /// The uptime of all registered time, were the unknown all down or all up; claimed downtime in which use was seen
    /// counts as down in the worst case and as up in the best.
    pub fn bounds(&self) -> Option<Bounds> {
        Bounds::of(bounds(self.up(), self.down(), self.conflict, self.registered))
    }

    /// Productive ÷ known, around the clock. Unknown is not idle.
    pub fn utilization(&self) -> Option<f64> {
        ratio(self.productive, self.known())
    }

    /// Of all registered time, were nothing of the unknown in use, or all of it.
    pub fn utilization_bounds(&self) -> Option<Bounds> {
        Bounds::of(utilization_bounds(self.productive, self.known(), self.registered))
    }

    pub const fn base_known(&self) -> i64 {
        self.base_up + self.base_down
    }

    /// Up ÷ known, both within base hours.
    pub fn base_uptime(&self) -> Option<f64> {
        ratio(self.base_up, self.base_known())
    }

    /// Known ÷ registered, both within base hours.
    pub fn base_coverage(&self) -> Option<f64> {
        ratio(self.base_known(), self.base_registered)
    }

    pub fn base_bounds(&self) -> Option<Bounds> {
        Bounds::of(bounds(self.base_up, self.base_down, self.base_conflict, self.base_registered))
    }

    /// Productive ÷ known, both within base hours.
    pub fn base_utilization(&self) -> Option<f64> {
        ratio(self.base_productive, self.base_known())
    }

    pub fn base_utilization_bounds(&self) -> Option<Bounds> {
        Bounds::of(utilization_bounds(self.base_productive, self.base_known(), self.base_registered))
    }
}

impl Bounds {
    fn of(bounds: Option<(f64, f64)>) -> Option<Self> {
        bounds.map(|(worst, best)| Self { worst, best })
    }

    pub fn worst(of: Option<Self>) -> Option<f64> {
        of.map(|bounds| bounds.worst)
    }

    pub fn best(of: Option<Self>) -> Option<f64> {
        of.map(|bounds| bounds.best)
    }
}

/// The KPI room knows more of the same: here as far as running sums go.
impl From<&medfleet_kpi::measure::Measure> for Measure {
    fn from(of: &medfleet_kpi::measure::Measure) -> Self {
        Self {
            devices: of.devices,
            monitored: of.monitored,
            registered: of.in_service,
            productive: of.productive,
            standby: of.standby,
            engineering: of.engineering,
            scheduled_down: of.scheduled_down,
            unscheduled_down: of.unscheduled_down,
            assumed: of.assumed,
            conflict: of.conflict,
            base_registered: of.base,
            base_productive: of.base_productive,
            base_up: of.base_up,
            base_down: of.base_down(),
            base_conflict: of.base_conflict,
        }
    }
}

impl AddAssign for Measure {
    fn add_assign(&mut self, other: Self) {
        self.devices += other.devices;
        self.monitored += other.monitored;
        self.registered += other.registered;
        self.productive += other.productive;
        self.standby += other.standby;
        self.engineering += other.engineering;
        self.scheduled_down += other.scheduled_down;
        self.unscheduled_down += other.unscheduled_down;
        self.assumed += other.assumed;
        self.conflict += other.conflict;
        self.base_registered += other.base_registered;
        self.base_productive += other.base_productive;
        self.base_up += other.base_up;
        self.base_down += other.base_down;
        self.base_conflict += other.base_conflict;
    }
}

impl std::iter::Sum for Measure {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn golden_01_an_agent_outage_leaves_uptime_and_halves_coverage() {
        let four_hours = Measure { registered: 14_400 * SECOND, standby: 7_200 * SECOND, ..Measure::default() };
        assert_eq!(four_hours.uptime(), Some(1.0));
        assert_eq!(four_hours.coverage(), Some(0.5));
        assert_eq!(four_hours.bounds(), Some(Bounds { worst: 0.5, best: 1.0 }));
    }

    #[test]
    fn golden_04_use_seen_while_down_widens_the_bounds() {
        let six_hours = Measure {
            registered: 21_600 * SECOND,
            standby: 5_400 * SECOND,
            unscheduled_down: 16_200 * SECOND,
            conflict: 1_800 * SECOND,
            ..Measure::default()
        };
        let bounds = six_hours.bounds().unwrap();
        assert!((bounds.worst * 21_600.0 - 5_400.0).abs() < 1e-6);
        assert!((bounds.best * 21_600.0 - 7_200.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_unknown_may_have_been_used_or_idle() {
        let hours = |hours: i64| hours * 3_600 * SECOND;
        let day = Measure {
            registered: hours(24),
            productive: hours(6),
            standby: hours(12),
            base_registered: hours(10),
            base_productive: hours(5),
            base_up: hours(6),
            base_down: hours(2),
            base_conflict: hours(1),
            ..Measure::default()
        };
        assert_eq!(day.utilization_bounds(), Some(Bounds { worst: 0.25, best: 0.5 }));
        assert_eq!(day.base_utilization_bounds(), Some(Bounds { worst: 0.5, best: 0.7 }));
        assert_eq!((day.base_bounds(), day.base_coverage()), (Some(Bounds { worst: 0.6, best: 0.9 }), Some(0.8)));
    }

    #[test]
    fn nothing_known_is_no_number() {
        let silent = Measure { devices: 1, registered: SECOND, ..Measure::default() };
        assert_eq!((silent.uptime(), silent.utilization(), silent.base_uptime()), (None, None, None));
        assert_eq!(silent.coverage(), Some(0.0));
        assert_eq!(Measure::default().coverage(), None);
    }

    #[test]
    fn sums_are_weighted_by_time_and_not_by_rows() {
        let small = Measure { registered: 10, standby: 10, ..Measure::default() };
        let large = Measure { registered: 90, unscheduled_down: 90, ..Measure::default() };
        let both: Measure = [small, large].into_iter().sum();
        assert_eq!(both.uptime(), Some(0.1));
    }
}
