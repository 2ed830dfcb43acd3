//! Ratios, made at the very end out of sums of microseconds. Both parts stay with whoever divides.

use std::iter::Sum;
use std::ops::AddAssign;

use serde::Serialize;

/// What some devices did over a period within their time in service, in device-microseconds. `base_*` lie within base hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// In service. One that nobody ever registered was so while it was heard.
    pub devices: i64,
    /// Of these, heard or spoken for.
    pub monitored: i64,
    pub in_service: i64,
    /// In service within base hours: operations time.
    pub base: i64,
    pub productive: i64,
    pub standby: i64,
    pub engineering: i64,
    pub scheduled_down: i64,
    pub unscheduled_down: i64,
    pub assumed: i64,
    pub conflict: i64,
    pub base_productive: i64,
    pub base_up: i64,
    pub base_scheduled_down: i64,
    pub base_unscheduled_down: i64,
    pub base_conflict: i64,
    /// Down while an order waits: for us or the user where not for the facility, for the supplier alone, for the facility.
    pub base_own_wait: i64,
    pub base_supplier_wait: i64,
    pub base_facility_wait: i64,
}

/// A ratio with its parts, and what it is at worst and at best: the unknown down, and up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    pub over: i64,
    pub under: i64,
    pub value: f64,
    pub worst: f64,
    pub best: f64,
    /// Known ÷ all.
    pub coverage: f64,
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
        self.in_service - self.known()
    }

    pub const fn base_known(&self) -> i64 {
        self.base_up + self.base_down()
    }

    pub const fn base_down(&self) -> i64 {
        self.base_scheduled_down + self.base_unscheduled_down
    }

    /// Up ÷ known over the whole time; bounds over all time in service.
    pub fn total_uptime(&self) -> Option<Ratio> {
        uptime(self.up(), self.down(), self.conflict, self.in_service)
    }

    /// The same within base hours (E10: uptime ÷ operations time).
    pub fn operational_uptime(&self) -> Option<Ratio> {
        uptime(self.base_up, self.base_down(), self.base_conflict, self.base)
    }

    /// Operational uptime without waiting for anybody, and without facilities downtime.
    pub fn equipment_dependent_uptime(&self) -> Option<Ratio> {
        self.without_waits(self.base_own_wait + self.base_supplier_wait + self.base_facility_wait)
    }

    /// Operational uptime without waiting for us, the user or the facility: what the supplier answers for.
    pub fn supplier_dependent_uptime(&self) -> Option<Ratio> {
        self.without_waits(self.base_own_wait + self.base_facility_wait)
    }

    /// Of each device no more is waited than it was down.
    fn without_waits(&self, waited: i64) -> Option<Ratio> {
        uptime(self.base_up, self.base_down() - waited, self.base_conflict, self.base - waited)
    }

    /// In use ÷ base hours known; unknown is not idle.
    pub fn base_utilization(&self) -> Option<Ratio> {
        utilization(self.base_productive, self.base_known(), self.base)
    }

    /// In use ÷ all time known.
    pub fn total_utilization(&self) -> Option<Ratio> {
        utilization(self.productive, self.known(), self.in_service)
    }

    /// Steady availability: MTBFu ÷ (MTBFu + MTOL), which is up ÷ (up + down) wherever both are counted over the same time.
    pub fn steady_availability(&self, failures: u64, off_line_micros: i64, times_off_line: u64) -> Option<f64> {
        let between = (failures > 0).then(|| self.up() as f64 / failures as f64)?;
        let off_line = if times_off_line > 0 { off_line_micros as f64 / times_off_line as f64 } else { 0.0 };
        Some(between / (between + off_line))
    }
}

/// A part of a whole, where there is a whole.
pub fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The uptime of all the time, were the unknown all down (worst) or all up (best). Conflict is down in which use was
/// seen: at best it was up.
pub fn bounds(up: i64, down: i64, conflict: i64, all: i64) -> Option<(f64, f64)> {
    ratio(up, all).zip(ratio((all - down + conflict).min(all), all))
}

fn uptime(up: i64, down: i64, conflict: i64, all: i64) -> Option<Ratio> {
    let (worst, best) = bounds(up, down, conflict, all)?;
    let known = up + down;
    Some(Ratio { over: up, under: known, value: ratio(up, known)?, worst, best, coverage: ratio(known, all)? })
}

/// The use of all the time, were nothing of the unknown in use (worst) or all of it (best).
pub fn utilization_bounds(used: i64, known: i64, all: i64) -> Option<(f64, f64)> {
    ratio(used, all).zip(ratio(used + (all - known).max(0), all))
}

fn utilization(used: i64, known: i64, all: i64) -> Option<Ratio> {
    let (worst, best) = utilization_bounds(used, known, all)?;
    Some(Ratio { over: used, under: known, value: ratio(used, known)?, worst, best, coverage: ratio(known, all)? })
}

impl AddAssign for Measure {
    fn add_assign(&mut self, other: Self) {
        self.devices += other.devices;
        self.monitored += other.monitored;
        self.in_service += other.in_service;
        self.base += other.base;
        self.productive += other.productive;
        self.standby += other.standby;
        self.engineering += other.engineering;
        self.scheduled_down += other.scheduled_down;
        self.unscheduled_down += other.unscheduled_down;
        self.assumed += other.assumed;
        self.conflict += other.conflict;
        self.base_productive += other.base_productive;
        self.base_up += other.base_up;
        self.base_scheduled_down += other.base_scheduled_down;
        self.base_unscheduled_down += other.base_unscheduled_down;
        self.base_conflict += other.base_conflict;
        self.base_own_wait += other.base_own_wait;
        self.base_supplier_wait += other.base_supplier_wait;
        self.base_facility_wait += other.base_facility_wait;
    }
}

impl Sum for Measure {
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

    const WEEK: Measure = Measure {
        devices: 2,
        monitored: 2,
        in_service: 200,
        base: 100,
        productive: 60,
        standby: 60,
        engineering: 0,
        scheduled_down: 10,
        unscheduled_down: 30,
        assumed: 0,
        conflict: 4,
        base_productive: 50,
        base_up: 70,
        base_scheduled_down: 5,
        base_unscheduled_down: 20,
        base_conflict: 2,
        base_own_wait: 4,
        base_supplier_wait: 8,
        base_facility_wait: 1,
    };

    #[test]
    fn the_uptimes_of_e10_take_out_what_each_is_not_answerable_for() {
        let value = |ratio: Option<Ratio>| ratio.map(|ratio| (ratio.over, ratio.under));
        assert_eq!(value(WEEK.total_uptime()), Some((120, 160)));
        assert_eq!(value(WEEK.operational_uptime()), Some((70, 95)));
        assert_eq!(value(WEEK.equipment_dependent_uptime()), Some((70, 95 - 13)));
        assert_eq!(value(WEEK.supplier_dependent_uptime()), Some((70, 95 - 5)), "waiting for parts stays in");
    }

    #[test]
    fn bounds_hold_the_value_and_coverage_says_how_far_they_lie() {
        for ratio in [WEEK.total_uptime(), WEEK.operational_uptime(), WEEK.total_utilization(), WEEK.base_utilization()]
        {
            let ratio = ratio.expect("something is known");
            assert!(ratio.worst <= ratio.value && ratio.value <= ratio.best && ratio.best <= 1.0, "{ratio:?}");
        }
        let total = WEEK.total_uptime().expect("something is known");
        assert_eq!((total.worst, total.best, total.coverage), (0.6, 0.82, 0.8));
    }

    #[test]
    fn nothing_known_is_no_ratio_and_sums_weigh_by_time() {
        assert_eq!(Measure { in_service: 5, ..Measure::default() }.total_uptime(), None);
        let small = Measure { in_service: 10, standby: 10, ..Measure::default() };
        let large = Measure { in_service: 90, unscheduled_down: 90, ..Measure::default() };
        let both: Measure = [small, large].into_iter().sum();
        assert_eq!(both.total_uptime().map(|ratio| ratio.value), Some(0.1));
    }
}
