//! The desk: folds the log in its order and opens one incident per problem. Whatever it says follows from what it was told.

mod problems;
mod risk;
mod silence;

use std::collections::BTreeMap;

use medfleet_domain::alert::life::{Alert, Refusal};
use medfleet_domain::alert::record::Demotion;
use medfleet_domain::alert::{AlertId, Ending, Step, Wish};
use medfleet_domain::condition::SourceKind;
use medfleet_domain::fact::{Amendment, Body, Fact};
use medfleet_domain::held::Held;
use medfleet_domain::id::{AgentId, Cause, Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rule::{Rule, Rules, When};
use crate::voices::Voices;
use crate::watch::{Turn, Watch, Witness, worn_part};
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
    /// Until when the silence of a site or of an agent spoke for all beneath it.
    spoken_for: BTreeMap<Subject, Timestamp>,
    /// Since when it has been told the time without a gap, and when it was told last.
    listening_since: Option<Timestamp>,
    ticked_at: Option<Timestamp>,
    /// When it decides upon what it is told now, where that may be long after it reached the log.
    reads_at: Option<Timestamp>,
}

/// Ticks further apart than this mean that the desk was away in between.
const AWAY_MICROS: i64 = 5 * 60 * MICROS_PER_SECOND;

impl Desk {
    pub fn new(rules: Rules) -> Self {
        let (watches, problems, voices) = (BTreeMap::new(), Problems::default(), Voices::default());
        let (spoken_for, listening_since, ticked_at, reads_at) = (BTreeMap::new(), None, None, None);
        Self { rules, watches, problems, voices, spoken_for, listening_since, ticked_at, reads_at }
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
        let fresh = || Watch::new(told.site, told.kind, told.agent);
        let watch = self.watches.entry(told.subject.clone()).or_insert_with(fresh);
        (watch.site, watch.kind) = (told.site.clone(), told.kind);
        if told.agent.is_some() {
            watch.agent = told.agent.cloned();
        }
        if let Body::Amended(amendment) = &told.fact.body {
            self.amend(entry, told, amendment, &mut steps);
        } else if Watch::keeps(&told.fact.body) || !watch.is_amended(told.identity()) {
            self.take(entry, told, &mut steps);
        }
        steps
    }

    /// A fact that stands, or one that the watch knows how to leave out.
    fn take(&mut self, entry: Entry, told: Told<'_>, steps: &mut Vec<Step>) {
        let Some(watch) = self.watches.get_mut(told.subject) else { return };
        let turn = watch.observe(told.witness(), &told.fact.body);
        match told.subject.kind {
            SubjectKind::Device => {
                self.failing(entry, told, turn, steps);
                self.device(entry, told, steps);
            }
            SubjectKind::Agent => self.agent_heard(entry, told.subject, steps),
            SubjectKind::Site | SubjectKind::Place => {}
        }
    }

    /// What a person asks of an alert. A verdict may bring a voice beyond its budget.
    pub fn ask(&mut self, entry: Entry, alert: AlertId, wish: &Wish, by: &str) -> Result<Granted, Refusal> {
        let meant = self.alert(alert).ok_or(Refusal::Unknown(alert))?;
        let change = meant.decide(wish, by, entry.at)?;
        let other = || self.problems.other_open(meant).or_else(|| self.problems.open_failure(meant, &self.rules));
        if *wish == Wish::Reopen
            && let Some(other) = other()
        {
            return Err(Refusal::OtherOpen(other));
        }
        let mut steps = vec![self.problems.take(alert, entry.at, change)];
        if *wish == Wish::Reopen {
            self.problems.prefer(alert);
            self.problems.take_parts(alert, &self.rules, entry.at, &mut steps);
        }
        let demotion = self.over_budget(entry, alert);
        if let Some(demotion) = &demotion {
            self.demote(demotion.clone(), &mut steps);
        }
        Ok(Granted { steps, demotion })
    }

    /// When it decides upon what it is told from here on: what the log has held for long is told of the past.
    pub const fn reads_at(&mut self, now: Timestamp) {
        self.reads_at = Some(now);
    }

    /// Time has passed. The moment stands in no record of facts: whoever drives the desk says it, once all that the log held by
    /// then was told, and appends what it brings about.
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
        let listening = self.listening_since.unwrap_or(entry.at);
        self.problems.ripen(&self.rules, &self.watches, (entry, listening), &mut steps);
        steps
    }

    /// What became of failing, and what follows for alerts.
    fn failing(&mut self, entry: Entry, told: Told<'_>, turn: Turn, steps: &mut Vec<Step>) {
        let Some(watch) = self.watches.get(told.subject) else { return };
        if turn == Turn::Retires {
            return self.problems.close_all(told.subject, entry.at, &Ending::Retired, steps);
        }
        let range = SeqRange::one(told.epoch, told.seq);
        for rule in self.rules.watching(When::DeviceFailed, told.site.as_str(), told.kind) {
            let problem = Problem::new(rule, told.subject, "");
            let late = self.is_late(entry, told, rule) || watch.fails_by_import_alone();
            match turn {
                Turn::Fails(since) => {
                    self.problems.begin(problem, &self.rules, watch, entry, Sign::told(since, range, late), steps)
                }
                Turn::Works(at) => {
                    // It may have lasted for long enough while no time was told.
                    self.problems.ripen_one(&problem, &self.rules, watch, entry.at, steps);
                    self.problems.end_failure(&problem, &self.rules, (entry.at, at), steps);
                }
                Turn::HadFailed(at) => {
                    let rules = (&self.rules, rule);
                    self.problems.was(problem, rules, watch, entry, Sign::told(at, range, true), steps)
                }
                // The same failure, told of a moment that is now: it is no matter of the past. That its stream was opened says nothing.
                Turn::Nothing
                    if Watch::tells_of_its_moment(&told.fact.body) && watch.failing_since().is_some() && !late =>
                {
                    self.problems.goes_on(&problem, &self.rules, entry.at, steps)
                }
                Turn::Nothing | Turn::Retires => {}
            }
        }
    }

    fn device(&mut self, entry: Entry, told: Told<'_>, steps: &mut Vec<Step>) {
        let Some(watch) = self.watches.get(told.subject) else { return };
        let range = SeqRange::one(told.epoch, told.seq);
        match &told.fact.body {
            Body::Error(error) => {
                for rule in self.rules.watching(When::DeviceError, told.site.as_str(), told.kind) {
                    let meant = rule.families.is_empty() || rule.families.contains(&error.family);
                    if error.severity >= rule.severity() && meant {
                        let problem = Problem::new(rule, told.subject, &error.component);
                        let late = self.is_late(entry, told, rule);
                        let sign = Sign::told(told.fact.at, range, late);
                        self.problems.begin(problem, &self.rules, watch, entry, sign, steps);
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
                        let late = self.is_late(entry, told, rule);
                        let sign = Sign::told(told.fact.at, range, late);
                        self.problems.begin(problem, &self.rules, watch, entry, sign, steps);
                    } else {
                        self.problems.end(&problem, entry.at, told.fact.at, steps);
                    }
                }
            }
            Body::Scored(scored) => self.scored(entry, told, scored, steps),
            _ => {}
        }
        self.problems.ripen_subject(told.subject, &self.rules, &self.watches, entry, steps);
    }

    /// Facts should have been said otherwise, or not at all: alerts that they opened lose their cause, unless their problem stands
    /// without them. Of what the watch does not keep, that which stands in its place is taken in as if it had been said so.
    fn amend(&mut self, entry: Entry, told: Told<'_>, amendment: &Amendment, steps: &mut Vec<Step>) {
        let Some(watch) = self.watches.get_mut(told.subject) else { return };
        let (place, agent) = ((told.site.clone(), told.kind), told.agent.cloned());
        let turn = watch.amend(Held::archived(told.identity(), place, agent, false, told.fact));
        let fails = watch.failing_since().is_some();
        let rules = &self.rules;
        let stands = |problem: &Problem| {
            fails && rules.named(problem.rule()).is_some_and(|rule| rule.when == When::DeviceFailed)
        };
        self.problems.withdraw(told.subject, amendment, entry.at, stands, steps);
        self.failing(entry, told, turn, steps);
        match amendment.replacement.as_ref().filter(|new| !Watch::keeps(&new.body)) {
            Some(new) => {
                let fact = Fact { at: new.at, body: new.body.clone(), ..told.fact.clone() };
                let target = amendment.target;
                self.take(entry, Told { fact: &fact, epoch: target.epoch, seq: target.first, ..told }, steps);
            }
            None => self.problems.ripen_subject(told.subject, &self.rules, &self.watches, entry, steps),
        }
    }

    /// What could be known long before it reached the log, or before it is decided upon, is told of the past. So is what an
    /// import tells.
    fn is_late(&self, entry: Entry, told: Told<'_>, rule: &Rule) -> bool {
        let heard = self.reads_at.map_or(entry.at, |now| now.max(entry.at));
        told.is_imported() || heard.micros() - told.fact.known_at.micros() > rule.late_micros()
    }
}

impl Told<'_> {
    const fn identity(&self) -> (Epoch, Seq) {
        (self.epoch, self.seq)
    }

    /// No agent observed it, and neither a person nor a model said it here.
    const fn is_imported(&self) -> bool {
        let said_here = matches!(self.fact.source.kind, SourceKind::Person | SourceKind::Derived);
        matches!(self.subject.kind, SubjectKind::Device) && self.agent.is_none() && !said_here
    }

    const fn witness(&self) -> Witness {
        Witness { identity: self.identity(), at: self.fact.at, imported: self.is_imported() }
    }
}
