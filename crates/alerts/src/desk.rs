//! The desk: folds the log in its order and opens one incident per problem. Whatever it says follows from what it was told.

mod problems;
mod risk;
mod silence;

use std::collections::BTreeMap;

use medfleet_domain::alert::life::{Alert, Refusal};
use medfleet_domain::alert::record::Demotion;
use medfleet_domain::alert::{AlertId, Ending, Step, Wish};
use medfleet_domain::fact::{Body, Fact};
use medfleet_domain::id::{AgentId, Cause, Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rule::{Rules, When};
use crate::voices::Voices;
use crate::watch::{Turn, Watch, worn_part};
pub use problems::Problem;
use problems::{Problems, Sign};

/// A record of the log: where it stands and when it got there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub cause: Cause,
    pub at: Timestamp,
}

/// A fact as the log tells it.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub subject: &'a Subject,
    pub site: &'a SiteId,
    pub kind: DeviceKind,
    pub agent: Option<&'a AgentId>,
    pub epoch: Epoch,
    pub seq: Seq,
    pub fact: &'a Fact,
}

/// What came of a request that was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub steps: Vec<Step>,
    pub demotion: Option<Demotion>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Desk {
    rules: Rules,
    watches: BTreeMap<Subject, Watch>,
    problems: Problems,
    voices: Voices,
    /// Since when it has been told the time without a gap, and when it was told last.
    listening_since: Option<Timestamp>,
    ticked_at: Option<Timestamp>,
}

/// Ticks further apart than this mean that the desk was away in between.
const AWAY_MICROS: i64 = 5 * 60 * MICROS_PER_SECOND;

impl Desk {
    pub fn new(rules: Rules) -> Self {
        let (watches, problems, voices) = (BTreeMap::new(), Problems::default(), Voices::default());
        Self { rules, watches, problems, voices, listening_since: None, ticked_at: None }
    }

    pub fn alert(&self, id: AlertId) -> Option<&Alert> {
        self.problems.alert(id)
    }

    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.problems.alerts()
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Other rules hold from here on. Alerts of rules that are gone end: nothing watches for their end any more.
    pub fn set_rules(&mut self, rules: Rules, at: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        self.problems.keep_rules(&rules, at, &mut steps);
        self.rules = rules;
        steps
    }

    /// Takes over what the log says of alerts, which holds whatever was computed anew. Answers how many differed.
    pub fn reconcile(&mut self, recorded: BTreeMap<AlertId, Alert>) -> usize {
        self.problems.reconcile(recorded)
    }

    /// Subjects that are watched.
    pub fn watched(&self) -> usize {
        self.watches.len()
    }

    /// Takes one fact in, and says what it changes.
    pub fn admit(&mut self, entry: Entry, told: Told<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Body::Amended(amendment) = &told.fact.body {
            self.amend(entry, told, amendment, &mut steps);
            return steps;
        }
        let fresh = || Watch::new(told.site, told.kind, told.agent);
        let watch = self.watches.entry(told.subject.clone()).or_insert_with(fresh);
        (watch.site, watch.kind) = (told.site.clone(), told.kind);
        if told.agent.is_some() {
            watch.agent = told.agent.cloned();
        }
        let turn = watch.observe(told.fact.at, &told.fact.body);
        let failing = watch.failing_since().is_some();
        match told.subject.kind {
            SubjectKind::Device => self.device(entry, told, turn, failing, &mut steps),
            SubjectKind::Agent => self.agent_heard(entry, told.subject, &mut steps),
            SubjectKind::Site | SubjectKind::Place => {}
        }
        steps
    }

    /// What a person asks of an alert. A verdict may bring a voice beyond its budget.
    pub fn ask(&mut self, entry: Entry, alert: AlertId, wish: &Wish, by: &str) -> Result<Granted, Refusal> {
        let meant = self.alert(alert).ok_or(Refusal::Unknown(alert))?;
        let change = meant.decide(wish, by, entry.at)?;
        if let (Wish::Reopen, Some(other)) = (wish, self.problems.other_open(meant)) {
            return Err(Refusal::OtherOpen(other));
        }
        let mut steps = vec![self.problems.take(alert, entry.at, change)];
        if *wish == Wish::Reopen {
            self.problems.prefer(alert);
        }
        let demotion = self.over_budget(entry, alert);
        if let Some(demotion) = &demotion {
            self.demote(demotion.clone(), &mut steps);
        }
        Ok(Granted { steps, demotion })
    }

    /// Time has passed: a tick stands in the log, so that silence is decided where everything else is.
    pub fn tick(&mut self, entry: Entry) -> Vec<Step> {
        if self.ticked_at.is_none_or(|last| entry.at.micros() - last.micros() > AWAY_MICROS) {
            self.listening_since = Some(entry.at);
        }
        if self.ticked_at.is_none_or(|last| last.day() != entry.at.day()) {
            self.problems.forget(entry.at);
        }
        self.ticked_at = Some(entry.at);
        let mut steps = Vec::new();
        self.look_for_silence(entry, &mut steps);
        self.look_for_overdue(entry, &mut steps);
        self.problems.ripen(&self.rules, &self.watches, entry, &mut steps);
        steps
    }

    fn device(&mut self, entry: Entry, told: Told<'_>, turn: Turn, failing: bool, steps: &mut Vec<Step>) {
        let Some(watch) = self.watches.get(told.subject) else { return };
        let range = SeqRange::one(told.epoch, told.seq);
        for rule in self.rules.watching(When::DeviceFailed, told.site.as_str(), told.kind) {
            let problem = Problem::new(rule, told.subject, "");
            let late = is_late(entry, told.fact, rule.late_micros());
            match turn {
                Turn::Fails(since) => {
                    self.problems.begin(problem, rule, watch, entry, Sign::told(since, range, late), steps)
                }
                Turn::Works(at) => self.problems.end(&problem, entry.at, at, steps),
                Turn::HadFailed(at) => {
                    self.problems.was(problem, rule, watch, entry, Sign::told(at, range, true), steps)
                }
                // The same failure, told of a moment that is now: it is no matter of the past.
                Turn::Nothing if failing && !late => self.problems.goes_on(&problem, entry.at, steps),
                Turn::Nothing => {}
            }
        }
        match &told.fact.body {
            Body::Error(error) => {
                for rule in self.rules.watching(When::DeviceError, told.site.as_str(), told.kind) {
                    let meant = rule.families.is_empty() || rule.families.contains(&error.family);
                    if error.severity >= rule.severity() && meant {
                        let problem = Problem::new(rule, told.subject, &error.component);
                        let late = is_late(entry, told.fact, rule.late_micros());
                        self.problems.begin(problem, rule, watch, entry, Sign::told(told.fact.at, range, late), steps);
                    }
                }
            }
            Body::Usage(sample) => {
                for rule in self.rules.watching(When::LifeNear, told.site.as_str(), told.kind) {
                    if !rule.limits.contains_key(&sample.counter) {
                        continue;
                    }
                    // Several counters may wear one part: it is near its end by any of them.
                    let part = worn_part(sample);
                    let problem = Problem::new(rule, told.subject, part);
                    if watch.life_used(part, &rule.limits) >= rule.at_least.unwrap_or(1.0) {
                        let late = is_late(entry, told.fact, rule.late_micros());
                        self.problems.begin(problem, rule, watch, entry, Sign::told(told.fact.at, range, late), steps);
                    } else {
                        self.problems.end(&problem, entry.at, told.fact.at, steps);
                    }
                }
            }
            Body::Scored(scored) => self.scored(entry, told, scored, steps),
            Body::Retired(_) => self.problems.close_all(told.subject, entry.at, &Ending::Retired, steps),
            _ => {}
        }
        self.problems.ripen_subject(told.subject, &self.rules, &self.watches, entry, steps);
    }

    /// Earlier facts should have been said otherwise, or not at all: alerts that they opened lose their cause. What stands in a
    /// fact's place is then taken in as if it had been said so.
    fn amend(
        &mut self,
        entry: Entry,
        told: Told<'_>,
        amendment: &medfleet_domain::fact::Amendment,
        steps: &mut Vec<Step>,
    ) {
        self.problems.withdraw(told.subject, &amendment.target, entry.at, &amendment.author, steps);
        if let Some(new) = &amendment.replacement {
            let fact = Fact { at: new.at, body: new.body.clone(), ..told.fact.clone() };
            let target = amendment.target;
            steps.extend(self.admit(entry, Told { fact: &fact, epoch: target.epoch, seq: target.first, ..told }));
        }
    }
}

/// What could be known long before it reached the log is told of the past.
fn is_late(entry: Entry, fact: &Fact, late_micros: i64) -> bool {
    entry.at.micros() - fact.known_at.micros() > late_micros
}
