//! Problems that a model foresees: what keeps one alive, what ends it, and what becomes of it when its voice falls silent.

use medfleet_domain::alert::{AlertId, Change, Ending, Spoken, Step};
use medfleet_domain::id::Subject;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};

use super::{Problem, Problems};
use crate::rule::Rule;

/// After the horizon of a score has passed, the next one is waited for so long.
const GRACE_MICROS: i64 = MICROS_PER_DAY;
/// Who takes back what a voice said that is not heard any more.
const BY: &str = "medfleet";

impl Problems {
    /// A score below the limit that does not end it.
    pub fn still(&mut self, problem: &Problem, at: Timestamp) {
        if let Some(active) = self.active.get_mut(problem) {
            active.seen_at = active.seen_at.max(at);
        }
    }

    /// The horizon has passed, and no score has spoken of it since.
    pub(super) fn has_expired(&self, problem: &Problem, rule: &Rule, now: Timestamp) -> bool {
        let told = self.active.get(problem).map(|active| active.seen_at.micros());
        told.is_some_and(|told| now.micros() - told >= rule.horizon_micros() + GRACE_MICROS)
    }

    /// No part of the subject is at risk any more by this rule.
    pub fn end_parts(
        &mut self,
        subject: &Subject,
        rule: &Rule,
        at: Timestamp,
        over_at: Timestamp,
        steps: &mut Vec<Step>,
    ) {
        for problem in self.of(subject).into_iter().filter(|problem| problem.rule == rule.name) {
            self.end(&problem, at, over_at, steps);
        }
    }

    /// A person closed its alert so recently that the same risk is no news.
    pub fn is_answered(&self, problem: &Problem, rule: &Rule, now: Timestamp) -> bool {
        let alert = self.latest.get(problem).and_then(|id| self.alerts.get(id));
        let closed =
            alert.and_then(|alert| alert.ended.as_ref()).filter(|(_, because)| matches!(because, Ending::By { .. }));
        closed.is_some_and(|(at, _)| now.micros() - at.micros() < rule.horizon_micros())
    }

    /// What is said by scores of these falls silent: alerts lose their cause, but for those that somebody works on.
    pub fn silence(&mut self, meant: impl Fn(&Spoken) -> bool, at: Timestamp, steps: &mut Vec<Step>) {
        self.active.retain(|_, active| active.alert.is_some() || !active.score.as_ref().is_some_and(&meant));
        let silenced = self
            .alerts
            .values()
            .filter(|alert| alert.is_open() && alert.is_nobodys() && alert.score.as_ref().is_some_and(&meant));
        for (id, problem) in silenced.map(|alert| (alert.id, Problem::of(alert))).collect::<Vec<(AlertId, Problem)>>() {
            self.active.remove(&problem);
            steps.push(self.take(id, at, Change::CauseWithdrawn { by: BY.to_owned() }));
        }
    }
}
