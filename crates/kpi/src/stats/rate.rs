//! Rates of counted events over an exposure, with exact Poisson intervals (DOMAIN A3).

use serde::Serialize;

use super::gamma::chi_square_quantile;

/// A year of 365.25 days, in microseconds.
pub const MICROS_PER_YEAR: f64 = 365.25 * 86_400.0 * 1e6;
/// Two-sided confidence of every interval unless said.
pub const CONFIDENCE: f64 = 0.95;
/// A rate is shown only from so many events on …
pub const EVENTS_ENOUGH: u64 = 5;
/// … and while its upper limit is at most so many times its lower.
pub const LIMIT_RATIO_ENOUGH: f64 = 4.0;

/// Events over an exposure. The parts stay with the figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    pub events: u64,
    pub exposure_years: f64,
    pub per_year: f64,
    /// Limits of the two-sided interval, per year.
    pub low: f64,
    pub high: f64,
}

impl Rate {
    /// None without exposure.
    pub fn of(events: u64, exposure_years: f64) -> Option<Self> {
        (exposure_years > 0.0).then(|| {
            let (low, high) = exact_limits(events, CONFIDENCE);
            Self {
                events,
                exposure_years,
                per_year: events as f64 / exposure_years,
                low: low / exposure_years,
                high: high / exposure_years,
            }
        })
    }

    pub fn of_micros(events: u64, exposure_micros: i64) -> Option<Self> {
        Self::of(events, exposure_micros as f64 / MICROS_PER_YEAR)
    }

    /// Whether there is enough to speak of a rate: decided by count and interval width, never by the value.
    pub fn is_enough(&self) -> bool {
        self.events >= EVENTS_ENOUGH && self.high <= LIMIT_RATIO_ENOUGH * self.low
    }

    /// Mean time between events, in years; None when there were none.
    pub fn mean_years_between(&self) -> Option<f64> {
        (self.events > 0).then(|| self.exposure_years / self.events as f64)
    }
}

/// Exact limits of a Poisson mean of which `events` were seen: χ²(α/2; 2n)/2 and χ²(1−α/2; 2n+2)/2.
pub fn exact_limits(events: u64, confidence: f64) -> (f64, f64) {
    overdispersed_limits(events as f64, 1.0, confidence)
}

/// The same where events come in clusters: the variance is `dispersion` times the mean.
pub fn overdispersed_limits(events: f64, dispersion: f64, confidence: f64) -> (f64, f64) {
    let tail = 0.5 * (1.0 - confidence);
    let doubled = 2.0 * events / dispersion;
    let low = chi_square_quantile(doubled, tail);
    let high = chi_square_quantile(doubled + 2.0, 1.0 - tail);
    (0.5 * dispersion * low, 0.5 * dispersion * high)
}

/// The one-sided upper limit of a Poisson mean.
pub fn upper_limit(events: u64, confidence: f64) -> f64 {
    0.5 * chi_square_quantile(2.0 * events as f64 + 2.0, confidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_statistics_three_failures_in_two_and_a_half_device_years() {
        let rate = Rate::of(3, 2.5).expect("there is exposure");
        assert!((rate.per_year - 1.2).abs() < 1e-12);
        assert!((rate.low - 0.2475).abs() < 5e-5 && (rate.high - 3.5069).abs() < 5e-5, "{rate:?}");
        assert!(!rate.is_enough(), "three failures are not enough to speak of a rate");
    }

    #[test]
    fn golden_statistics_no_failure_in_four_years_still_has_an_upper_limit() {
        let rate = Rate::of(0, 4.0).expect("there is exposure");
        assert_eq!((rate.per_year, rate.low), (0.0, 0.0));
        assert!((rate.high - 0.9222).abs() < 5e-5, "{rate:?}");
        assert!((upper_limit(0, 0.95) / 4.0 - 0.7489).abs() < 5e-5);
    }

    #[test]
    fn enough_is_a_matter_of_count_and_width() {
        let enough = |events| Rate::of(events, 10.0).is_some_and(|rate| rate.is_enough());
        assert_eq!((enough(4), enough(10), enough(100)), (false, true, true));
        assert!(Rate::of(1, 0.0).is_none());
    }
}
