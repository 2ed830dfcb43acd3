//! Whether failures come faster or slower over time (DOMAIN A3): Laplace's test, then a power law where it speaks.

use serde::Serialize;

/// Beyond this a trend is claimed, at five percent.
pub const LAPLACE_LIMIT: f64 = 1.96;

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Trend {
    pub events: u64,
    /// Laplace's u: positive where failures come faster.
    pub u: f64,
    /// Exponent of a power law (Crow-AMSAA), only where a trend is claimed: below one improves, above one wears.
    pub beta: Option<f64>,
}

impl Trend {
    pub fn is_claimed(&self) -> bool {
        self.u.abs() > LAPLACE_LIMIT
    }
}

/// Times of failures since the start of an observation of length `total`; None without a failure.
pub fn laplace(times: &[f64], total: f64) -> Option<Trend> {
    if times.is_empty() || total <= 0.0 {
        return None;
    }
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let u = (mean - 0.5 * total) / (total * (1.0 / (12.0 * count)).sqrt());
    let trend = Trend { events: times.len() as u64, u, beta: None };
    let beta = || count / times.iter().map(|time| (total / time.max(f64::MIN_POSITIVE)).ln()).sum::<f64>();
    Some(Trend { beta: trend.is_claimed().then(beta), ..trend })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_statistics_five_failures_late_in_a_hundred_claim_no_trend() {
        let trend = laplace(&[10.0, 40.0, 70.0, 85.0, 95.0], 100.0).expect("there are failures");
        assert!((trend.u - 0.7746).abs() < 5e-5, "{trend:?}");
        assert!(!trend.is_claimed() && trend.beta.is_none());
    }

    #[test]
    fn a_wearing_machine_is_seen_to_wear() {
        let times: Vec<f64> = (1..=40).map(|nth| 100.0 * (f64::from(nth) / 41.0).sqrt()).collect();
        let trend = laplace(&times, 100.0).expect("there are failures");
        assert!(trend.u > LAPLACE_LIMIT && trend.beta.is_some_and(|beta| (1.5..2.5).contains(&beta)), "{trend:?}");
        assert_eq!(laplace(&[], 10.0), None);
    }
}
