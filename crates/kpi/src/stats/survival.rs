//! Durations of which some have not ended: Kaplan and Meier, so that today's worst outage is not left out.

use serde::Serialize;

/// One duration, and whether its end was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    pub micros: i64,
    pub ended: bool,
}

/// Median, ninetieth percentile and mean of durations. None: not reached, because too many are still open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Durations {
    pub count: u64,
    /// Still open: counted as lasting at least so long.
    pub open: u64,
    pub median_micros: Option<i64>,
    pub p90_micros: Option<i64>,
    /// Mean over the time observed: a lower bound while the longest is open.
    pub mean_micros: Option<f64>,
}

/// The share that lasts longer than each instant at which one ended, by time.
pub fn survival(durations: &[Duration]) -> Vec<(i64, f64)> {
    let mut sorted = durations.to_vec();
    // At one instant ends come before what is still open: the open one is known to last longer.
    sorted.sort_by_key(|one| (one.micros, !one.ended));
    let (mut at_risk, mut share) = (sorted.len(), 1.0);
    let mut curve: Vec<(i64, f64)> = Vec::new();
    let mut waiting = &sorted[..];
    while let Some(first) = waiting.first() {
        let same = waiting.iter().take_while(|one| one.micros == first.micros).count();
        let ended = waiting[..same].iter().filter(|one| one.ended).count();
        if ended > 0 {
            share *= (at_risk - ended) as f64 / at_risk as f64;
            curve.push((first.micros, share));
        }
        at_risk -= same;
        waiting = &waiting[same..];
    }
    curve
}

pub fn summary(durations: &[Duration]) -> Durations {
    let curve = survival(durations);
    // Products of fractions miss a half by the last bit.
    let quantile = |left: f64| curve.iter().find(|(_, share)| *share <= left + 1e-12).map(|(at, _)| *at);
    let open = durations.iter().filter(|one| !one.ended).count() as u64;
    Durations {
        count: durations.len() as u64,
        open,
        median_micros: quantile(0.5),
        p90_micros: quantile(0.1),
        mean_micros: mean(durations, &curve),
    }
}

/// The area under the curve up to the longest duration.
fn mean(durations: &[Duration], curve: &[(i64, f64)]) -> Option<f64> {
    let longest = durations.iter().map(|one| one.micros).max()?;
    let (mut area, mut from, mut share) = (0.0, 0, 1.0);
    for &(at, next) in curve {
        area += (at - from) as f64 * share;
        (from, share) = (at, next);
    }
    Some(area + (longest - from) as f64 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations(ended: &[i64], open: &[i64]) -> Vec<Duration> {
        let of = |ended: bool| move |&micros: &i64| Duration { micros, ended };
        ended.iter().map(of(true)).chain(open.iter().map(of(false))).collect()
    }

    #[test]
    fn without_open_ones_it_is_the_plain_median_and_mean() {
        let all = summary(&durations(&[1, 2, 3, 4, 100], &[]));
        assert_eq!((all.median_micros, all.p90_micros), (Some(3), Some(100)));
        assert!(all.mean_micros.is_some_and(|mean| (mean - 22.0).abs() < 1e-9));
    }

    #[test]
    fn an_open_order_is_not_left_out() {
        // Freireich's 6-MP remission times, the textbook case: S(6) = 0.857, S(10) = 0.753, S(23) = 0.448.
        let all = durations(&[6, 6, 6, 7, 10, 13, 16, 22, 23], &[6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]);
        let curve = survival(&all);
        let share = |at| curve.iter().find(|(when, _)| *when == at).map(|(_, share)| (share * 1_000.0).round());
        assert_eq!((share(6), share(10), share(23)), (Some(857.0), Some(753.0), Some(448.0)));
        assert_eq!(summary(&all).median_micros, Some(23));
        assert_eq!(summary(&all).p90_micros, None, "too many are still open");
        // Leaving the open ones out would say 10.
        assert_eq!(summary(&durations(&[6, 6, 6, 7, 10, 13, 16, 22, 23], &[])).median_micros, Some(10));
    }

    #[test]
    fn nothing_is_no_number() {
        let none = summary(&[]);
        assert_eq!((none.count, none.median_micros, none.mean_micros), (0, None, None));
    }
}
