//! After a restart, or under other rules: what the log says of alerts holds, and problems are put in line with it.

use std::collections::BTreeMap;

use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::{AlertId, Change, Ending, Step};
use medfleet_domain::id::Cause;
use medfleet_domain::time::Timestamp;

use super::{Active, Problem, Problems};
use crate::desk::Entry;
use crate::rule::Rules;

impl Problems {
    /// Takes over alerts as they were recorded. A problem whose alert is open goes on, whatever was computed of it; an alert
    /// that is not recorded was never raised.
    pub fn reconcile(&mut self, recorded: BTreeMap<AlertId, Alert>) -> usize {
        let differs = |id: &&AlertId| self.alerts.get(*id) != recorded.get(*id);
        let known = self.alerts.keys().filter(|id| !recorded.contains_key(id)).count();
        let differing = recorded.keys().filter(differs).count() + known;
        if differing == 0 {
            return 0;
        }
        self.alerts = recorded;
        self.latest = latest(&self.alerts);
        let alerts = &self.alerts;
        // What is part of an open incident has no alert of its own now.
        let is_part = |id: &AlertId| {
            let whole = alerts[id].whole().and_then(|whole| alerts.get(&whole));
            whole.is_some_and(|whole| whole.is_open() && whole.about.subject == alerts[id].about.subject)
        };
        for (problem, active) in &mut self.active {
            let latest = self.latest.get(problem).copied();
            active.alert = latest.filter(|id| !alerts[id].withdrawn && !is_part(id));
            active.late = active.alert.map_or(active.late, |id| alerts[&id].late);
        }
        for alert in self.alerts.values().filter(|alert| alert.is_open()) {
            self.active.entry(Problem::of(alert)).or_insert_with(|| Active {
                began: alert.began,
                seen_at: alert.began,
                opening: Entry { cause: Cause { partition: 0, offset: 0 }, at: alert.raised_at },
                fact: alert.fact,
                late: alert.late,
                score: alert.score.clone(),
                alert: Some(alert.id),
            });
        }
        differing
    }

    /// Ends the problems of rules that these rules do not have.
    pub fn keep_rules(&mut self, rules: &Rules, at: Timestamp, steps: &mut Vec<Step>) {
        let gone: Vec<Problem> =
            self.active.keys().filter(|problem| rules.named(&problem.rule).is_none()).cloned().collect();
        for problem in gone {
            let open = self.open(&problem);
            self.active.remove(&problem);
            if let Some(id) = open {
                let reason = format!("the rule `{}` was withdrawn", problem.rule);
                let because = Ending::By { person: "medfleet".to_owned(), reason };
                steps.push(self.take(id, at, Change::Resolved { because }));
            }
        }
    }
}

/// The alert of each problem that is open, or was raised last.
fn latest(alerts: &BTreeMap<AlertId, Alert>) -> BTreeMap<Problem, AlertId> {
    let mut latest: BTreeMap<Problem, &Alert> = BTreeMap::new();
    let rank = |alert: &Alert| (alert.is_open(), alert.raised_at, alert.id);
    for alert in alerts.values() {
        let place = latest.entry(Problem::of(alert)).or_insert(alert);
        if rank(alert) > rank(place) {
            *place = alert;
        }
    }
    latest.into_iter().map(|(problem, alert)| (problem, alert.id)).collect()
}
