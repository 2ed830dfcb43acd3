//! The protocol of Sipos, Fradkin, Moerchen and Wang (KDD 2014): alerts judged as a service desk would meet them.
//!
//! An alert is right if its device fails within the predictive interval; several for one failure are one. An alert that is not,
//! and does not lie in the infected interval after a failure, is false; several within the responsive duration are one.

use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fate::{Failure, INFECTED_DAYS};

pub const PREDICTIVE_DAYS: i64 = 7;
pub const RESPONSIVE_DAYS: i64 = 7;
const DAYS_PER_YEAR: f64 = 365.25;
/// Thresholds at which the curve is drawn, at most.
const THRESHOLDS_MAX: usize = 200;

/// One device as the protocol sees it. All lists are in order of time.
#[derive(Debug, Clone, Default)]
pub struct DeviceDays {
    /// Every scored instant and its score.
    pub scores: Vec<(Timestamp, f64)>,
    pub failures: Vec<Failure>,
    /// Failures after the scores, which the last of them may announce: such an alert is not false, and what nobody was asked about is not missed.
    pub beyond: Vec<Failure>,
    /// How long it was looked at: as many days as it has scores, where each day has one.
    pub days: f64,
}

/// What became of the alerts at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Events {
    pub threshold: f64,
    pub failures: usize,
    /// Failures that at least one alert announced.
    pub announced: usize,
    pub false_alerts: usize,
    pub precision: f64,
    pub recall: f64,
    pub false_alerts_per_device_year: f64,
    /// From the first alert of a failure to its onset.
    pub lead_days_median: Option<f64>,
}

/// Precision, recall and false alerts over all thresholds, and the area under the curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventCurve {
    pub area: f64,
    /// By falling threshold.
    pub points: Vec<Events>,
}

pub fn judge(devices: &[DeviceDays], threshold: f64) -> Events {
    let (mut failures, mut false_alerts, mut leads, mut days) = (0, 0, Vec::new(), 0.0);
    for device in devices {
        failures += device.failures.len();
        days += device.days;
        let alerts: Vec<Timestamp> =
            device.scores.iter().filter(|(_, score)| *score >= threshold).map(|(at, _)| *at).collect();
        leads.extend(device.failures.iter().filter_map(|failure| lead(&alerts, failure)));
        let known: Vec<Failure> = device.failures.iter().chain(&device.beyond).copied().collect();
        false_alerts += false_ones(&alerts, &known);
    }
    leads.sort_unstable();
    let announced = leads.len();
    let share = |part: usize, whole: usize| if whole > 0 { part as f64 / whole as f64 } else { 0.0 };
    Events {
        threshold,
        failures,
        announced,
        false_alerts,
        precision: share(announced, announced + false_alerts),
        recall: share(announced, failures),
        false_alerts_per_device_year: false_alerts as f64 * DAYS_PER_YEAR / days.max(1.0),
        lead_days_median: leads.get(leads.len() / 2).map(|lead| *lead as f64 / MICROS_PER_DAY as f64),
    }
}

/// The whole curve, drawn at evenly spread ranks of the scores.
pub fn curve(devices: &[DeviceDays]) -> EventCurve {
    let mut scores: Vec<f64> =
        devices.iter().flat_map(|device| device.scores.iter().map(|(_, score)| *score)).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    scores.dedup();
    // Denser towards the top: that is where alerts are.
    let place = |step: usize| (step as f64 / THRESHOLDS_MAX as f64).powi(3) * scores.len().saturating_sub(1) as f64;
    let mut thresholds: Vec<f64> =
        (0..=THRESHOLDS_MAX).filter_map(|step| scores.get(place(step).round() as usize).copied()).collect();
    thresholds.dedup();
    let points: Vec<Events> = thresholds.into_iter().map(|threshold| judge(devices, threshold)).collect();
    let (mut area, mut recall) = (0.0, 0.0);
    for point in &points {
        area += (point.recall - recall).max(0.0) * point.precision;
        recall = point.recall.max(recall);
    }
    EventCurve { area, points }
}

fn is_predictive(at: Timestamp, failure: &Failure) -> bool {
    let ahead = failure.onset.micros() - at.micros();
    0 < ahead && ahead <= PREDICTIVE_DAYS * MICROS_PER_DAY
}

fn is_infected(at: Timestamp, failure: &Failure) -> bool {
    let until = failure.returned.map(|returned| returned.plus_micros(INFECTED_DAYS * MICROS_PER_DAY));
    failure.onset <= at && until.is_none_or(|until| at < until)
}

/// Microseconds from the first right alert to the onset.
fn lead(alerts: &[Timestamp], failure: &Failure) -> Option<i64> {
    let first = alerts.iter().find(|at| is_predictive(**at, failure))?;
    Some(failure.onset.micros() - first.micros())
}

fn false_ones(alerts: &[Timestamp], failures: &[Failure]) -> usize {
    let (mut count, mut answered_until) = (0, Timestamp::MIN);
    for at in alerts {
        let excused = failures.iter().any(|failure| is_predictive(*at, failure) || is_infected(*at, failure));
        if !excused && *at >= answered_until {
            count += 1;
            answered_until = at.plus_micros(RESPONSIVE_DAYS * MICROS_PER_DAY);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::Day;

    fn day(day: i32) -> Timestamp {
        Day(day).start()
    }

    /// A device that fails on days 50 and 80 and alerts on these days, out of 120.
    fn judged(alerts: &[i32]) -> (usize, usize, Option<f64>) {
        let failure = |onset: i32| Failure { onset: day(onset), returned: Some(day(onset + 1)) };
        let score = |at: i32| (day(at), if alerts.contains(&at) { 0.9 } else { 0.1 });
        let (scores, failures) = ((0..120).map(score).collect(), vec![failure(50), failure(80)]);
        let device = DeviceDays { scores, failures, days: 120.0, ..DeviceDays::default() };
        let events = judge(&[device], 0.5);
        (events.announced, events.false_alerts, events.lead_days_median)
    }

    #[test]
    fn several_alerts_for_one_failure_are_one() {
        assert_eq!(judged(&[44, 46, 49]), (1, 0, Some(6.0)));
        assert_eq!(judged(&[43, 75]), (2, 0, Some(7.0)));
    }

    #[test]
    fn an_alert_too_early_is_false_and_one_in_the_infected_interval_is_nothing() {
        assert_eq!(judged(&[42]), (0, 1, None));
        assert_eq!(judged(&[50, 60, 70]), (0, 0, None));
        assert_eq!(judged(&[71, 72]), (0, 1, None));
    }

    #[test]
    fn false_alerts_within_the_responsive_duration_are_one() {
        assert_eq!(judged(&[10, 12, 16]), (0, 1, None));
        assert_eq!(judged(&[10, 12, 17]), (0, 2, None));
    }

    #[test]
    fn an_alert_of_the_last_days_that_comes_true_after_them_is_not_false_and_no_failure_was_missed() {
        let at_the_end = Failure { onset: day(122), returned: None };
        let scores = |alert: f64| (0..120).map(|at| (day(at), if at == 118 { alert } else { 0.1 })).collect();
        let judged = |alert: f64| {
            let device =
                DeviceDays { scores: scores(alert), beyond: vec![at_the_end], days: 120.0, ..DeviceDays::default() };
            let events = judge(&[device], 0.5);
            (events.failures, events.announced, events.false_alerts)
        };
        assert_eq!((judged(0.9), judged(0.1)), ((0, 0, 0), (0, 0, 0)));
    }

    #[test]
    fn who_alerts_only_before_failures_has_the_whole_area() {
        let failure = Failure { onset: day(50), returned: Some(day(51)) };
        let score = |at: i32| (day(at), if (44..50).contains(&at) { 0.9 } else { f64::from(at) / 1_000.0 });
        let right = DeviceDays {
            scores: (0..120).map(score).collect(),
            failures: vec![failure],
            days: 120.0,
            ..DeviceDays::default()
        };
        assert_eq!(curve(&[right]).area, 1.0);
        let scores = (0..120).map(|at| (day(at), 0.5)).collect();
        let blind = DeviceDays { scores, failures: vec![failure], days: 120.0, ..DeviceDays::default() };
        assert!(curve(&[blind]).area < 0.1);
    }
}
