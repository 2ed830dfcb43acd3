//! The scoreboard: what a model said of devices while it was in use, against what came of it. Live, so nothing here can leak.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use serde::{Deserialize, Serialize};

use crate::figures::{Figures, Judged};

/// One score whose horizon has passed, beside what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    pub device: u32,
    pub at: Timestamp,
    pub risk: f64,
    pub outcome: Outcome,
}

/// What came of a device within the horizon of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It failed then.
    Failed(Timestamp),
    /// A technician found wear then and replaced the part: the failure that was foretold, and averted.
    Averted(Timestamp),
    /// It was watched to the end and did not fail.
    Passed,
    /// The part was replaced on plan, or the device retired: nobody knows what would have come.
    Censored,
}

impl Outcome {
    /// When the score came true.
    pub const fn came_true(self) -> Option<Timestamp> {
        match self {
            Self::Failed(at) | Self::Averted(at) => Some(at),
            Self::Passed | Self::Censored => None,
        }
    }
}

/// A model, or a part of what it spoke about, since it is in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// Of all scores but the censored.
    pub figures: Figures,
    /// Scores of which nobody can know whether they were right: no figure counts them.
    pub censored: usize,
    /// Failures that the scores promised: the sum of all chances. Each day counts one that lies ahead anew.
    pub promised: f64,
    /// Scores that reached the threshold, and how many of them were right.
    pub alerts: usize,
    pub alerts_right: usize,
    /// Failures, each once, those averted included, and how many of them at least one such score announced.
    pub failures: usize,
    pub announced: usize,
    /// Failures that did not come because a technician found wear and replaced the part.
    pub averted: usize,
    /// From the first score that announced a failure to its onset.
    pub lead_days_median: Option<f64>,
}

impl Live {
    pub fn of(settled: &[Settled], threshold: f64) -> Self {
        let told: Vec<&Settled> = settled.iter().filter(|one| one.outcome != Outcome::Censored).collect();
        let probability: Vec<f64> = told.iter().map(|one| one.risk).collect();
        let judged = Judged {
            score: probability.clone(),
            failed: told.iter().map(|one| one.outcome.came_true().is_some()).collect(),
            weight: vec![1.0; told.len()],
            probability,
        };
        // Of each failure, the first score that reached the threshold before it.
        let mut failures: BTreeMap<(u32, Timestamp), Option<Timestamp>> = BTreeMap::new();
        let mut averted = BTreeSet::new();
        for one in &told {
            let Some(onset) = one.outcome.came_true() else { continue };
            let announced = failures.entry((one.device, onset)).or_default();
            if one.risk >= threshold {
                *announced = Some(announced.map_or(one.at, |first| first.min(one.at)));
            }
            if one.outcome == Outcome::Averted(onset) {
                averted.insert((one.device, onset));
            }
        }
        let lead = |((_, onset), first): (&(u32, Timestamp), &Option<Timestamp>)| first.map(|first| onset.0 - first.0);
        let mut leads: Vec<i64> = failures.iter().filter_map(lead).collect();
        leads.sort_unstable();
        let alerts: Vec<&&Settled> = told.iter().filter(|one| one.risk >= threshold).collect();
        Self {
            promised: judged.probability.iter().sum(),
            figures: Figures::of(&judged),
            alerts: alerts.len(),
            alerts_right: alerts.iter().filter(|one| one.outcome.came_true().is_some()).count(),
            censored: settled.len() - told.len(),
            averted: averted.len(),
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
        let outcome = failed_at.map_or(Outcome::Passed, |day| Outcome::Failed(Day(day).start()));
        Settled { device, at: Day(at).start(), risk, outcome }
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
    fn a_part_taken_out_on_plan_says_nothing_and_wear_that_was_found_says_the_score_was_right() {
        let with = |at: i32, risk: f64, outcome: Outcome| Settled { outcome, ..settled(1, at, risk, None) };
        let found = Day(9).start();
        let scores = [
            with(1, 0.9, Outcome::Censored),
            with(2, 0.1, Outcome::Censored),
            with(5, 0.8, Outcome::Averted(found)),
            with(6, 0.7, Outcome::Averted(found)),
            settled(2, 5, 0.6, None),
        ];
        let live = Live::of(&scores, 0.5);
        assert_eq!((live.censored, live.figures.rows, live.figures.failures), (2, 3, 2));
        assert_eq!((live.alerts, live.alerts_right, live.failures, live.announced, live.averted), (3, 2, 1, 1, 1));
        assert!((live.promised - 2.1).abs() < 1e-12);
    }

    #[test]
    fn of_nothing_nothing_is_said() {
        let live = Live::of(&[], 0.5);
        assert_eq!((live.alerts, live.failures, live.lead_days_median), (0, 0, None));
        assert_eq!((live.happened_per_promised(), live.figures.pr_auc), (None, None));
    }
}
