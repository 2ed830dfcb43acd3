//! Alerts that models raised, against what came of them: what technicians met, beside the scoreboard of all scores. Live, so nothing
//! here can leak.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::alert::Finding;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use serde::{Deserialize, Serialize};

/// One alert that a score raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    pub device: u32,
    pub at: Timestamp,
    /// How long it stood; None while it is open.
    pub stood_until: Option<Timestamp>,
    /// The last verdict.
    pub finding: Option<Finding>,
    /// When the device failed first while it stood.
    pub failed: Option<Timestamp>,
    /// Its cause was withdrawn, its part replaced or its device retired: nobody knows what would have come.
    pub censored: bool,
}

/// What an alert was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    Right,
    Wrong,
    Undecided,
}

impl Raised {
    /// What was seen counts before what was said, and what was said before what nobody knows.
    pub fn worth(&self, now: Timestamp) -> Worth {
        let stands = self.stood_until.is_none_or(|until| until > now);
        match self.finding.as_ref().map(Finding::was_right) {
            _ if self.failed.is_some() => Worth::Right,
            Some(Some(true)) => Worth::Right,
            Some(Some(false)) => Worth::Wrong,
            Some(None) => Worth::Undecided,
            None if stands || self.censored => Worth::Undecided,
            None => Worth::Wrong,
        }
    }

    /// Whether it was there before this failure of its device.
    fn announces(&self, device: u32, onset: Timestamp) -> bool {
        self.device == device && self.at < onset && self.stood_until.is_none_or(|until| onset <= until)
    }
}

/// The alerts of a model, or of a part of what it spoke about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RaisedLive {
    pub alerts: usize,
    pub right: usize,
    pub wrong: usize,
    /// Alerts of which it is not known, or not yet, whether they were right: precision leaves them out.
    pub undecided: usize,
    /// Failures, and how many of them an alert had announced.
    pub failures: usize,
    pub announced: usize,
    /// From the first alert that announced a failure to its onset: the middle one, the later of two.
    pub lead_days_median: Option<f64>,
}

impl RaisedLive {
    /// Of alerts and of failures of devices, each once.
    pub fn of(alerts: &[Raised], failures: &BTreeSet<(u32, Timestamp)>, now: Timestamp) -> Self {
        let count = |worth: Worth| alerts.iter().filter(|one| one.worth(now) == worth).count();
        let mut by_device: BTreeMap<u32, Vec<&Raised>> = BTreeMap::new();
        alerts.iter().for_each(|one| by_device.entry(one.device).or_default().push(one));
        let lead = |(device, onset): &(u32, Timestamp)| {
            let own = by_device.get(device)?.iter().filter(|one| one.announces(*device, *onset));
            Some(onset.micros() - own.map(|one| one.at).min()?.micros())
        };
        let mut leads: Vec<i64> = failures.iter().filter_map(lead).collect();
        leads.sort_unstable();
        Self {
            alerts: alerts.len(),
            right: count(Worth::Right),
            wrong: count(Worth::Wrong),
            undecided: count(Worth::Undecided),
            failures: failures.len(),
            announced: leads.len(),
            lead_days_median: leads.get(leads.len() / 2).map(|lead| *lead as f64 / MICROS_PER_DAY as f64),
        }
    }

    /// Share of the alerts of which it is known that were right.
    pub fn precision(&self) -> Option<f64> {
        share(self.right, self.right + self.wrong)
    }

    /// Share of failures that were announced.
    pub fn recall(&self) -> Option<f64> {
        share(self.announced, self.failures)
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::Day;

    fn day(day: i32) -> Timestamp {
        Day(day).start()
    }

    fn raised(device: u32, at: i32, until: Option<i32>) -> Raised {
        let (at, stood_until) = (day(at), until.map(day));
        Raised { device, at, stood_until, finding: None, failed: None, censored: false }
    }

    #[test]
    fn what_was_seen_counts_before_what_was_said_and_that_before_what_nobody_knows() {
        let now = day(30);
        let over = raised(1, 1, Some(8));
        let worth = |finding: Option<Finding>, one: &Raised| Raised { finding, ..one.clone() }.worth(now);
        assert_eq!(worth(None, &over), Worth::Wrong, "nothing followed");
        assert_eq!(worth(None, &raised(1, 28, Some(35))), Worth::Undecided, "its time has not passed");
        assert_eq!(worth(None, &raised(1, 1, None)), Worth::Undecided, "it still stands");
        assert_eq!(worth(Some(Finding::NothingFound), &raised(1, 1, None)), Worth::Wrong);
        for right in [Finding::Confirmed, Finding::WearReplaced, Finding::OtherPart { part: "door".into() }] {
            assert_eq!(worth(Some(right), &over), Worth::Right);
        }
        assert_eq!(worth(Some(Finding::NotDone), &over), Worth::Undecided);
        let censored = Raised { censored: true, ..over.clone() };
        assert_eq!(worth(None, &censored), Worth::Undecided);
        assert_eq!(worth(Some(Finding::NothingFound), &censored), Worth::Wrong);
        let failed = Raised { failed: Some(day(5)), ..over };
        for said in [None, Some(Finding::NothingFound), Some(Finding::NotDone)] {
            assert_eq!(worth(said, &failed), Worth::Right, "it failed all the same");
        }
    }

    #[test]
    fn a_failure_is_announced_by_an_alert_that_stood_before_it_and_its_lead_is_that_of_the_first() {
        let alerts = [
            Raised { failed: Some(day(6)), ..raised(1, 1, Some(8)) },
            Raised { failed: Some(day(6)), ..raised(1, 4, Some(11)) },
            Raised { finding: Some(Finding::NothingFound), ..raised(2, 1, Some(8)) },
            raised(3, 1, None),
            Raised { finding: Some(Finding::NotDone), ..raised(4, 1, Some(8)) },
        ];
        let failures = [(1, 6), (2, 9), (3, 1), (5, 4)].map(|(device, at)| (device, day(at))).into();
        let live = RaisedLive::of(&alerts, &failures, day(30));
        assert_eq!((live.alerts, live.right, live.wrong, live.undecided), (5, 2, 1, 2));
        assert_eq!((live.failures, live.announced, live.lead_days_median), (4, 1, Some(5.0)));
        assert_eq!((live.precision(), live.recall()), (Some(2.0 / 3.0), Some(0.25)));
        let none = RaisedLive::of(&[], &BTreeSet::new(), day(30));
        assert_eq!((none.precision(), none.recall(), none.lead_days_median), (None, None, None));
    }
}
