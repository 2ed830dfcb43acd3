//! Problems and their alerts: one incident for a problem from its beginning to its end, however often it is told.

mod parts;
mod restore;
mod scores;
mod time;

use std::collections::BTreeMap;

use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::{About, AlertId, Change, Ending, Spoken, Step};
use medfleet_domain::fact::Amendment;
use medfleet_domain::id::{SeqRange, Subject, SubjectKind};
use medfleet_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Entry;

use crate::rule::{Rule, Rules, When};
use crate::watch::Watch;

/// What can be the matter: a rule, a subject and a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    subject: Subject,
    rule: String,
    part: String,
}

impl Problem {
    pub fn new(rule: &Rule, subject: &Subject, part: &str) -> Self {
        Self { subject: subject.clone(), rule: rule.name.clone(), part: part.to_owned() }
    }

    pub fn rule(&self) -> &str {
        &self.rule
    }

    pub fn of(alert: &Alert) -> Self {
        let About { rule, subject, part, .. } = &alert.about;
        Self { subject: subject.clone(), rule: rule.clone(), part: part.clone() }
    }
}

/// How a problem was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    pub began: Timestamp,
    pub fact: Option<SeqRange>,
    pub late: bool,
    pub score: Option<Spoken>,
}

impl Sign {
    /// Seen by the passing of time alone.
    pub const fn since(began: Timestamp) -> Self {
        Self { began, fact: None, late: false, score: None }
    }

    /// Told by a fact.
    pub const fn told(began: Timestamp, fact: SeqRange, late: bool) -> Self {
        Self { began, fact: Some(fact), late, score: None }
    }
}

/// A problem that goes on. Before it has lasted long enough, and while it is suppressed, it has no alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Active {
    began: Timestamp,
    /// When it was told of last, by the time it speaks of.
    seen_at: Timestamp,
    opening: Entry,
    fact: Option<SeqRange>,
    late: bool,
    score: Option<Spoken>,
    alert: Option<AlertId>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Problems {
    active: BTreeMap<Problem, Active>,
    alerts: BTreeMap<AlertId, Alert>,
    /// The latest alert of every problem that ever had one.
    latest: BTreeMap<Problem, AlertId>,
}

impl Problems {
    pub fn alert(&self, id: AlertId) -> Option<&Alert> {
        self.alerts.get(&id)
    }

    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values()
    }

    /// The open alert of a problem.
    pub fn open(&self, problem: &Problem) -> Option<AlertId> {
        self.active.get(problem)?.alert.filter(|id| self.alerts[id].is_open())
    }

    /// The alert of a problem that goes on, also where somebody has closed it.
    pub fn incident(&self, problem: &Problem) -> Option<AlertId> {
        self.active.get(problem)?.alert
    }

    /// Lets a change happen to an alert that is known.
    pub fn take(&mut self, id: AlertId, at: Timestamp, change: Change) -> Step {
        match self.alerts.get_mut(&id) {
            Some(alert) => alert.evolve(&change, at),
            None => {
                if let Some(alert) = Alert::begin(id, &change, at) {
                    self.alerts.insert(id, alert);
                }
            }
        }
        Step { alert: id, at, change }
    }

    /// The open alert of this alert's problem, if it is another one.
    pub fn other_open(&self, alert: &Alert) -> Option<AlertId> {
        self.latest.get(&Problem::of(alert)).copied().filter(|id| *id != alert.id && self.alerts[id].is_open())
    }

    /// This alert is the one that its problem has from now on.
    pub fn prefer(&mut self, alert: AlertId) {
        if let Some(alert) = self.alerts.get(&alert) {
            let (problem, id) = (Problem::of(alert), alert.id);
            self.adopt(&problem, id);
            self.latest.insert(problem, id);
        }
    }

    /// A problem is there. Told again, it is the same; after its alert was closed by hand, it is back.
    pub fn begin(
        &mut self,
        problem: Problem,
        rules: &Rules,
        watch: &Watch,
        entry: Entry,
        sign: Sign,
        steps: &mut Vec<Step>,
    ) {
        let Sign { began, fact, late, score } = sign;
        if let Some(active) = self.active.get_mut(&problem) {
            active.seen_at = active.seen_at.max(began);
            let ended = active.alert.and_then(|id| self.alerts[&id].ended.as_ref()).map(|(at, _)| *at);
            match ended {
                Some(ended) if began > ended => {
                    self.active.remove(&problem);
                }
                Some(_) => return,
                None if late => return,
                None => return self.goes_on(&problem, rules, entry.at, steps),
            }
        }
        if late && self.was_part_of_failure(&problem, rules, began) {
            return;
        }
        let active = Active { began, seen_at: began, opening: entry, fact, late, score, alert: None };
        self.active.insert(problem.clone(), active);
        self.ripen_one(&problem, rules, watch, entry.at, steps);
    }

    /// A problem that was there in the past and is over: for the inbox, and for nobody's sleep. What lies near an incident
    /// that is known already belongs to it.
    pub fn was(
        &mut self,
        problem: Problem,
        (rules, rule): (&Rules, &Rule),
        watch: &Watch,
        entry: Entry,
        sign: Sign,
        steps: &mut Vec<Step>,
    ) {
        let began = sign.began;
        let near = |alert: &Alert| (alert.began.micros() - began.micros()).abs() <= rule.reopen_micros();
        let known = self.latest.get(&problem).is_some_and(|id| near(&self.alerts[id]));
        if known || self.active.contains_key(&problem) || watch.suppresses(rule, began, began) {
            return;
        }
        let id = AlertId::of(&problem.rule, &problem.subject, &problem.part, entry.cause);
        let raised = raised(&problem, rule, watch, Sign { late: true, ..sign });
        steps.push(self.take(id, entry.at, raised));
        // At the latest since it has been as it is now.
        let over_at = watch.shown_since().map_or(began, |since| since.max(began));
        steps.push(self.take(id, entry.at, Change::Resolved { because: Ending::Over { at: over_at } }));
        self.take_past_parts(id, rules, entry.at, steps);
        // An alert that somebody reopened stays the one that its problem has.
        if self.latest.get(&problem).is_none_or(|latest| !self.alerts[latest].is_open()) {
            self.latest.insert(problem, id);
        }
    }

    /// A late alert's problem is told of the present.
    pub fn goes_on(&mut self, problem: &Problem, rules: &Rules, at: Timestamp, steps: &mut Vec<Step>) {
        let Some(active) = self.active.get_mut(problem) else { return };
        let was_late = std::mem::replace(&mut active.late, false);
        if let Some(id) = active.alert.filter(|id| was_late && self.alerts[id].is_open()) {
            steps.push(self.take(id, at, Change::GoesOn));
            self.take_parts(id, rules, at, steps);
        }
    }

    /// A problem is over. One that was late and long enough is still shown in the inbox.
    pub fn end(&mut self, problem: &Problem, at: Timestamp, over_at: Timestamp, steps: &mut Vec<Step>) {
        let Some(active) = self.active.remove(problem) else { return };
        if let Some(id) = active.alert.filter(|id| self.alerts[id].is_open()) {
            steps.push(self.take(id, at, Change::Resolved { because: Ending::Over { at: over_at } }));
        }
    }

    /// Somebody is heard again. A site or an agent had an incident that spoke for all beneath it until now.
    pub fn end_silence(
        &mut self,
        (problem, at): (&Problem, Timestamp),
        spoken_for: &mut BTreeMap<Subject, Timestamp>,
        steps: &mut Vec<Step>,
    ) {
        if problem.subject.kind != SubjectKind::Device && self.incident(problem).is_some() {
            spoken_for.insert(problem.subject.clone(), at);
        }
        self.end(problem, at, at, steps);
    }

    /// Its alert is part of a larger incident.
    pub fn absorb(&mut self, problem: &Problem, into: AlertId, at: Timestamp, steps: &mut Vec<Step>) {
        let Some(active) = self.active.remove(problem) else { return };
        if let Some(id) = active.alert.filter(|id| self.alerts[id].is_open()) {
            steps.push(self.take(id, at, Change::Resolved { because: Ending::PartOf(into) }));
        }
    }

    pub fn close_all(&mut self, subject: &Subject, at: Timestamp, because: &Ending, steps: &mut Vec<Step>) {
        for problem in self.of(subject) {
            let Some(active) = self.active.remove(&problem) else { continue };
            if let Some(id) = active.alert.filter(|id| self.alerts[id].is_open()) {
                steps.push(self.take(id, at, Change::Resolved { because: because.clone() }));
            }
        }
    }

    /// These facts should not have been said. A problem that stands without them stays.
    pub fn withdraw(
        &mut self,
        subject: &Subject,
        amendment: &Amendment,
        at: Timestamp,
        stands: impl Fn(&Problem) -> bool,
        steps: &mut Vec<Step>,
    ) {
        let (facts, by) = (&amendment.target, &amendment.author);
        let named = |fact: Option<SeqRange>| fact.is_some_and(|fact| facts.contains(fact.epoch, fact.first));
        for problem in self.of(subject) {
            if named(self.active[&problem].fact) && !stands(&problem) {
                self.active.remove(&problem);
            }
        }
        let withdrawn = self
            .alerts
            .values()
            .filter(|alert| alert.about.subject == *subject && !alert.withdrawn && named(alert.fact))
            .filter(|alert| !(alert.is_open() && stands(&Problem::of(alert))));
        for id in withdrawn.map(|alert| alert.id).collect::<Vec<_>>() {
            steps.push(self.take(id, at, Change::CauseWithdrawn { by: by.clone() }));
        }
    }

    fn of(&self, subject: &Subject) -> Vec<Problem> {
        let first = Problem { subject: subject.clone(), rule: String::new(), part: String::new() };
        self.active
            .range(first..)
            .map(|(problem, _)| problem)
            .take_while(|problem| problem.subject == *subject)
            .cloned()
            .collect()
    }

    /// Raises an alert, or the last one again, once the problem has lasted long enough, nobody works on it and no failure speaks for it.
    pub fn ripen_one(
        &mut self,
        problem: &Problem,
        rules: &Rules,
        watch: &Watch,
        now: Timestamp,
        steps: &mut Vec<Step>,
    ) {
        let Some(rule) = rules.named(&problem.rule) else { return };
        let Some(active) = self.active.get(problem).filter(|active| active.alert.is_none()) else { return };
        let waits = match rule.when {
            // Silence has been waited for already.
            When::DeviceSilent | When::AgentSilent | When::SiteSilent | When::PmOverdue => false,
            _ => now.micros() - active.began.micros() < rule.after_micros(),
        };
        if waits || watch.suppresses(rule, active.began, now) || self.is_part_of_failure(problem, rules) {
            return;
        }
        let Active { began, opening, fact, late, score, .. } = active.clone();
        let sign = Sign { began, fact, late, score };
        // Somebody has reopened it already: it is the same incident.
        if let Some(id) = self.latest.get(problem).copied().filter(|id| self.alerts[id].is_open()) {
            self.adopt(problem, id);
            self.take_parts(id, rules, now, steps);
            return;
        }
        let again = self.latest.get(problem).copied().filter(|id| {
            let ended = self.alerts[id].ended.as_ref().map(|(at, _)| at.micros());
            ended.is_some_and(|ended| began.micros() - ended <= rule.reopen_micros()) && !self.alerts[id].withdrawn
        });
        let (id, change) = match again {
            Some(id) => {
                let Sign { began, fact, late, score } = sign;
                (id, Change::Reopened { began, late, fact, score })
            }
            None => {
                let id = AlertId::of(&problem.rule, &problem.subject, &problem.part, opening.cause);
                (id, raised(problem, rule, watch, sign))
            }
        };
        steps.push(self.take(id, now, change));
        self.latest.insert(problem.clone(), id);
        self.adopt(problem, id);
        self.take_parts(id, rules, now, steps);
    }

    fn adopt(&mut self, problem: &Problem, id: AlertId) {
        if let Some(active) = self.active.get_mut(problem) {
            active.alert = Some(id);
        }
    }
}

fn raised(problem: &Problem, rule: &Rule, watch: &Watch, sign: Sign) -> Change {
    let about = About {
        rule: problem.rule.clone(),
        subject: problem.subject.clone(),
        part: problem.part.clone(),
        site: watch.site.clone(),
        kind: watch.kind,
        urgency: rule.urgency,
    };
    let Sign { began, fact, late, score } = sign;
    let summary = rule.summary(problem.subject.name(), &problem.part);
    Change::Raised { about, began, late, fact, summary, score }
}
