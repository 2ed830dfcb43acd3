//! What time alone brings about: problems that have lasted long enough, errors that have ceased, late ones that go on, alerts
//! that nobody took.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::alert::{AlertId, Change, Step};
use medfleet_domain::id::Subject;
use medfleet_domain::time::Timestamp;

use super::{Problem, Problems};
use crate::desk::Entry;
use crate::past::is_forgotten;
use crate::rule::{Rule, Rules, When};
use crate::watch::Watch;

impl Problems {
    /// All that time alone brings about: problems that have lasted long enough, errors that have ceased, alerts nobody took.
    /// `listening` says since when the desk has listened without a gap: before that nobody could take an alert.
    pub fn ripen(
        &mut self,
        rules: &Rules,
        watches: &BTreeMap<Subject, Watch>,
        (entry, listening): (Entry, Timestamp),
        steps: &mut Vec<Step>,
    ) {
        for problem in Self::failures_first(self.active.keys().cloned().collect(), rules) {
            let Some(rule) = rules.named(&problem.rule) else { continue };
            let Some(active) = self.active.get(&problem) else { continue };
            let quiet = entry.at.micros() - active.seen_at.micros() >= rule.quiet_micros();
            let over = match rule.when {
                When::DeviceError => quiet,
                When::AtRisk => self.has_expired(&problem, rule, entry.at),
                _ => false,
            };
            if over {
                self.end(&problem, entry.at, entry.at, steps);
                continue;
            }
            // A site has no facts of its own that could be watched.
            if let Some(watch) = watches.get(&problem.subject) {
                self.ripen_one(&problem, rules, watch, entry.at, steps);
                self.settle(&problem, (rules, rule), watch, entry.at, steps);
            }
            self.escalate(&problem, rule, (entry.at, listening), steps);
        }
    }

    pub fn ripen_subject(
        &mut self,
        subject: &Subject,
        rules: &Rules,
        watches: &BTreeMap<Subject, Watch>,
        entry: Entry,
        steps: &mut Vec<Step>,
    ) {
        let Some(watch) = watches.get(subject) else { return };
        for problem in Self::failures_first(self.of(subject), rules) {
            self.ripen_one(&problem, rules, watch, entry.at, steps);
        }
    }

    /// Drops what has been over for too long, and problems that somebody closed by hand as long ago.
    pub fn forget(&mut self, now: Timestamp) {
        let gone: BTreeSet<AlertId> =
            self.alerts.values().filter(|alert| is_forgotten(alert, now)).map(|alert| alert.id).collect();
        if gone.is_empty() {
            return;
        }
        self.alerts.retain(|id, _| !gone.contains(id));
        self.latest.retain(|_, id| !gone.contains(id));
        self.active.retain(|_, active| active.alert.is_none_or(|id| !gone.contains(&id)));
    }

    /// A late alert that has not ended while its backlog came, of a subject that is heard now or of which a person spoke.
    fn settle(
        &mut self,
        problem: &Problem,
        (rules, rule): (&Rules, &Rule),
        watch: &Watch,
        now: Timestamp,
        steps: &mut Vec<Step>,
    ) {
        let Some(active) = self.active.get(problem).filter(|active| active.late && active.alert.is_some()) else {
            return;
        };
        let settled = now.micros() - active.opening.at.micros() >= Rule::settle_micros();
        let heard = watch.heard_at.is_some_and(|heard| now.micros() - heard.micros() <= rule.late_micros());
        if settled && heard && rule.when == When::DeviceFailed && !watch.fails_by_import_alone() {
            self.goes_on(problem, rules, now, steps);
        }
    }

    /// Levels are counted from the latest call.
    fn escalate(
        &mut self,
        problem: &Problem,
        rule: &Rule,
        (now, listening): (Timestamp, Timestamp),
        steps: &mut Vec<Step>,
    ) {
        let Some(id) = self.open(problem) else { return };
        let alert = &self.alerts[&id];
        let level = rule.level(now.micros() - alert.called_at.max(listening).micros());
        if alert.wants_attention(now) && level > alert.escalations {
            steps.push(self.take(id, now, Change::Escalated { level }));
        }
    }
}
