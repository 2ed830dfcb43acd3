//! The scoreboard: what a model said of devices while it was in use, against what came of it. Live, so nothing here can leak.

use std::collections::BTreeMap;

use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use serde::{Deserialize, Serialize};

use crate::figures::{Figures, Judged};

/// One score whose horizon has passed, beside when its device next failed, if it did within the horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    pub device: u32,
    pub at: Timestamp,
    pub risk: f64,
    pub failed_at: Option<Timestamp>,
}

/// A model, or a part of what it spoke about, since it is in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    pub figures: Figures,
    /// Failures that the scores promised: the sum of all chances. Each day counts one that lies ahead anew.
    pub promised: f64,
    /// Scores that reached the threshold, and how many of them were right.
    pub alerts: usize,
    pub alerts_right: usize,
    /// Failures, each once, and how many of them at least one such score announced.
    pub failures: usize,
    pub announced: usize,
    /// From the first score that announced a failure to its onset.
    pub lead_days_median: Option<f64>,
}

impl Live {
    pub fn of(settled: &[Settled], threshold: f64) -> Self {
        let probability: Vec<f64> = settled.iter().map(|one| one.risk).collect();
        let judged = Judged {
            score: probability.clone(),
            failed: settled.iter().map(|one| one.failed_at.is_some()).collect(),
            weight: vec![1.0; settled.len()],
            probability,
        };
        // Of each failure, the first score that reached the threshold before it.
        let mut failures: BTreeMap<(u32, Timestamp), Option<Timestamp>> = BTreeMap::new();
        for one in settled {
            let Some(onset) = one.failed_at else { continue };
            let announced = failures.entry((one.device, onset)).or_default();
            if one.risk >= threshold {
                *announced = Some(announced.map_or(one.at, |first| first.min(one.at)));
            }
        }
        let lead = |((_, onset), first): (&(u32, Timestamp), &Option<Timestamp>)| first.map(|first| onset.0 - first.0);
        let mut leads: Vec<i64> = failures.iter().filter_map(lead).collect();
        leads.sort_unstable();
        let alerts: Vec<&Settled> = settled.iter().filter(|one| one.risk >= threshold).collect();
        Self {
            promised: judged.probability.iter().sum(),
            figures: Figures::of(&judged),
            alerts: alerts.len(),
            alerts_right: alerts.iter().filter(|one| one.failed_at.is_some()).count(),
            failures: failures.len(),
            announced: leads.len(),
            lead_days_median: leads.get(leads.len() / 2).map(|lead| *lead as f64 / MICROS_PER_DAY as f64),
        }
    }

    /// Scored days that came before a failure, for each that was promised; 1 is right. None where nothing was promised.
    pub fn happened_per_promised(&self) -> Option<f64> {
        (self.promised > 0.0).then(|| self.figures.failures as f64 / self.promised)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::Day;

    fn settled(device: u32, at: i32, risk: f64, failed_at: Option<i32>) -> Settled {
        Settled { device, at: Day(at).start(), risk, failed_at: failed_at.map(|day| Day(day).start()) }
    }

    #[test]
    fn a_failure_announced_on_several_days_is_one_and_its_lead_is_that_of_the_first() {
        let scores = [
            settled(1, 1, 0.1, Some(5)),
            settled(1, 2, 0.6, Some(5)),
            settled(1, 3, 0.8, Some(5)),
            settled(2, 1, 0.7, None),
            settled(3, 1, 0.2, Some(4)),
        ];
        let live = Live::of(&scores, 0.5);
        assert_eq!((live.alerts, live.alerts_right), (3, 2));
        assert_eq!((live.failures, live.announced, live.lead_days_median), (2, 1, Some(3.0)));
        assert!((live.promised - 2.4).abs() < 1e-12);
        assert!((live.happened_per_promised().unwrap() - 4.0 / 2.4).abs() < 1e-12);
    }

    #[test]
    fn of_nothing_nothing_is_said() {
        let live = Live::of(&[], 0.5);
        assert_eq!((live.alerts, live.failures, live.lead_days_median), (0, 0, None));
        assert_eq!((live.happened_per_promised(), live.figures.pr_auc), (None, None));
    }
}
