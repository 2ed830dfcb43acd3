//! What foretells a failure of a device, or comes with it, is part of that failure: one incident, whichever is heard first. An error or a risk
//! whose device has failed raises nothing of its own, and an alert that it had raised ends as part of the failure's. It waits there: where
//! the failure should not have been said, it speaks again for itself.

use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::{AlertId, Change, Ending, Step};
use medfleet_domain::id::Subject;
use medfleet_domain::time::Timestamp;

use super::{Problem, Problems};
use crate::rule::{Rules, When};

impl Problems {
    /// Whether a failure of its device speaks for this problem. One that is told of the past speaks for nothing that is told of now.
    pub(super) fn is_part_of_failure(&self, problem: &Problem, rules: &Rules) -> bool {
        let late = self.active.get(problem).is_some_and(|active| active.late);
        goes_with_failure(problem, rules)
            && self.failure(&problem.subject, rules).is_some_and(|whole| late || !whole.late)
    }

    /// The open alert of the failure that this alert belongs to.
    pub fn open_failure(&self, alert: &Alert, rules: &Rules) -> Option<AlertId> {
        let part = goes_with_failure(&Problem::of(alert), rules);
        let whole = self.failure(&alert.about.subject, rules).filter(|whole| part && whole.is_open() && !whole.late);
        whole.map(|whole| whole.id)
    }

    /// An alert was raised, reopened, or seen to go on: where it is of a failure, it takes those that are part of it. Who took one of them a
    /// moment ago has taken it.
    pub fn take_parts(&mut self, whole: AlertId, rules: &Rules, at: Timestamp, steps: &mut Vec<Step>) {
        let whole = self.alerts[&whole].clone();
        if !whole.is_open() || !is_failure(&Problem::of(&whole), rules) {
            return;
        }
        let mut taken_by = whole.acknowledged_by.clone();
        for (problem, part) in self.open_parts(&whole, rules) {
            if whole.late && !part.late {
                continue;
            }
            steps.push(self.take(part.id, at, Change::Resolved { because: Ending::PartOf(whole.id) }));
            if let Some(active) = self.active.get_mut(&problem) {
                active.alert = None;
            }
            if let Some(by) = part.acknowledged_by.clone().filter(|_| taken_by.is_none() && part.calls_for(&whole)) {
                steps.push(self.take(whole.id, at, Change::Acknowledged { by: by.clone() }));
                taken_by = Some(by);
            }
        }
    }

    /// A failure that is over was heard of: what was told late of the time before its end is part of it.
    pub(super) fn take_past_parts(&mut self, whole: AlertId, rules: &Rules, at: Timestamp, steps: &mut Vec<Step>) {
        let whole = self.alerts[&whole].clone();
        for (problem, part) in self.open_parts(&whole, rules).into_iter().filter(|(_, part)| part.late) {
            let told = self.active.get(&problem).map_or(part.began, |active| active.seen_at);
            if belongs_to(&whole, &problem, rules, told) {
                self.absorb(&problem, whole.id, at, steps);
            }
        }
    }

    /// Whether this is told of a time in which a failure that is over was there, or was coming.
    pub(super) fn was_part_of_failure(&self, problem: &Problem, rules: &Rules, told: Timestamp) -> bool {
        let failures = failures(&problem.subject, rules).filter_map(|failure| self.latest.get(&failure));
        goes_with_failure(problem, rules)
            && failures.map(|id| &self.alerts[id]).any(|whole| belongs_to(whole, problem, rules, told))
    }

    /// A failure is over, and with it all that was part of it until then.
    pub fn end_failure(
        &mut self,
        failure: &Problem,
        rules: &Rules,
        (at, over_at): (Timestamp, Timestamp),
        steps: &mut Vec<Step>,
    ) {
        let had_alert = self.incident(failure).is_some();
        self.end(failure, at, over_at, steps);
        for problem in self.of(&failure.subject).into_iter().filter(|one| had_alert && goes_with_failure(one, rules)) {
            let active = &self.active[&problem];
            if active.alert.is_none() && active.seen_at <= over_at {
                self.active.remove(&problem);
            }
        }
    }

    /// Problems in order, those first that others may be part of.
    pub(super) fn failures_first(mut problems: Vec<Problem>, rules: &Rules) -> Vec<Problem> {
        problems.sort_by_key(|problem| !is_failure(problem, rules));
        problems
    }

    /// The incident of a failure: of one that goes on, also where somebody has closed it, or that somebody has reopened.
    fn failure(&self, subject: &Subject, rules: &Rules) -> Option<&Alert> {
        let reopened = |failure: &Problem| self.latest.get(failure).copied().filter(|id| self.alerts[id].is_open());
        let mut incidents =
            failures(subject, rules).filter_map(|failure| self.incident(&failure).or_else(|| reopened(&failure)));
        incidents.next().map(|id| &self.alerts[&id])
    }

    fn open_parts(&self, whole: &Alert, rules: &Rules) -> Vec<(Problem, Alert)> {
        let subject = &whole.about.subject;
        let first = Problem { subject: subject.clone(), rule: String::new(), part: String::new() };
        let latest = self.latest.range(first..).take_while(|(problem, _)| problem.subject == *subject);
        let parts = latest.filter(|(problem, _)| goes_with_failure(problem, rules));
        let alerts = parts.map(|(problem, id)| (problem.clone(), self.alerts[id].clone()));
        alerts.filter(|(_, alert)| alert.is_open()).collect()
    }
}

/// What the failure of a subject is called by each rule that watches for one.
fn failures<'a>(subject: &'a Subject, rules: &'a Rules) -> impl Iterator<Item = Problem> + 'a {
    rules.iter().filter(|rule| rule.when == When::DeviceFailed).map(|rule| Problem::new(rule, subject, ""))
}

fn is_failure(problem: &Problem, rules: &Rules) -> bool {
    rules.named(&problem.rule).is_some_and(|rule| rule.when == When::DeviceFailed)
}

fn goes_with_failure(problem: &Problem, rules: &Rules) -> bool {
    rules.named(&problem.rule).is_some_and(|rule| rule.when.goes_with_failure())
}

/// Whether what was told of this moment lies before the end of the failure, and not so long before that it was over by then.
fn belongs_to(whole: &Alert, problem: &Problem, rules: &Rules, told: Timestamp) -> bool {
    let lasts = rules.named(&problem.rule).map_or(0, |rule| match rule.when {
        When::AtRisk => rule.horizon_micros(),
        _ => rule.quiet_micros(),
    });
    match &whole.ended {
        Some((_, Ending::Over { at })) => told <= *at && whole.began.micros() - told.micros() <= lasts,
        _ => false,
    }
}
