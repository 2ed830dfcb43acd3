//! A ranking that orders only what it can tell apart: two whose intervals overlap are a tie.

use serde::Serialize;

/// One that is ranked: a value with its interval. Less is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// The places that one may have, 1 being best, and the tie it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    pub best: usize,
    pub worst: usize,
    /// Those of one tie are not ordered among each other; ties are numbered from the best.
    pub tie: usize,
}

/// The places of all, in the order given. Surely better is only what ends below where the other begins.
pub fn rank(all: &[Ranked]) -> Vec<Place> {
    let surely_better = |one: &Ranked, than: &Ranked| one.high < than.low;
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|&a, &b| all[a].low.total_cmp(&all[b].low).then(all[a].high.total_cmp(&all[b].high)));
    let mut ties = vec![0; all.len()];
    let (mut tie, mut reached) = (0, f64::NEG_INFINITY);
    for &nth in &order {
        // NaN intervals tie with everything before them.
        if all[nth].low > reached {
            tie += 1;
        }
        reached = reached.max(all[nth].high);
        ties[nth] = tie;
    }
    let place = |(nth, one): (usize, &Ranked)| Place {
        best: 1 + all.iter().filter(|other| surely_better(other, one)).count(),
        worst: all.len() - all.iter().filter(|other| surely_better(one, other)).count(),
        tie: ties[nth],
    };
    all.iter().enumerate().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rate::Rate;

    fn of(low: f64, high: f64) -> Ranked {
        Ranked { value: 0.5 * (low + high), low, high }
    }

    #[test]
    fn golden_statistics_two_sites_whose_intervals_overlap_are_not_ordered() {
        let places = rank(&[of(0.5, 1.2), of(1.1, 1.9), of(2.0, 3.0)]);
        assert_eq!(places[0], Place { best: 1, worst: 2, tie: 1 });
        assert_eq!(places[1], Place { best: 1, worst: 2, tie: 1 });
        assert_eq!(places[2], Place { best: 3, worst: 3, tie: 2 });
    }

    #[test]
    fn golden_statistics_a_site_with_one_device_and_no_failure_is_not_best() {
        let rates = [(0, 1.0), (10, 40.0), (30, 40.0)].map(|(events, years)| Rate::of(events, years));
        let ranked = rates.map(|rate| rate.expect("there is exposure"));
        let ranked = ranked.map(|rate| Ranked { value: rate.per_year, low: rate.low, high: rate.high });
        let places = rank(&ranked);
        assert_eq!((places[0].best, places[0].worst), (1, 3), "it may stand anywhere");
        assert_eq!(places[0].tie, places[1].tie);
        assert_eq!((places[1].worst, places[2].best), (2, 2), "the large ones are told apart: {places:?}");
    }

    #[test]
    fn none_and_one_are_ranked_too() {
        assert_eq!(rank(&[]), []);
        assert_eq!(rank(&[of(0.0, f64::INFINITY)]), [Place { best: 1, worst: 1, tie: 1 }]);
    }
}
