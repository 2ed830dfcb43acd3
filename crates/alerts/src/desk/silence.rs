//! Silence and overdue work: what only the passing of time can show. A silent site is one incident, not each of its agents, and
//! a silent agent is one, not each of its devices.

use std::collections::BTreeMap;

use medfleet_domain::alert::{AlertId, Step};
use medfleet_domain::id::{SiteId, Subject, SubjectKind};
use medfleet_domain::time::Timestamp;

use super::{Desk, Entry, Problem, Sign};
use crate::rule::When;
use crate::watch::Watch;

/// What can be said of a subject's silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hearing {
    Heard,
    Silent,
    /// It was never heard, or the desk has not listened for long enough to tell.
    Unknown,
}

impl Desk {
    /// Something was heard of an agent: if it tells of the present, its silence and its site's are over.
    pub(super) fn agent_heard(&mut self, entry: Entry, agent: &Subject, steps: &mut Vec<Step>) {
        let Some(watch) = self.watches.get(agent) else { return };
        let site = Subject::site(&watch.site);
        for (when, subject) in [(When::AgentSilent, agent), (When::SiteSilent, &site)] {
            for rule in self.rules.watching(when, watch.site.as_str(), watch.kind) {
                if self.hearing(watch, entry.at, rule.after_micros()) == Hearing::Heard {
                    let over = (&Problem::new(rule, subject, ""), entry.at);
                    self.problems.end_silence(over, &mut self.spoken_for, steps);
                }
            }
        }
    }

    pub(super) fn look_for_silence(&mut self, entry: Entry, steps: &mut Vec<Step>) {
        self.silent_sites(entry, steps);
        for (subject, watch) in self.watches.iter().filter(|(_, watch)| !watch.is_retired()) {
            let when = match subject.kind {
                SubjectKind::Agent => When::AgentSilent,
                SubjectKind::Device => When::DeviceSilent,
                SubjectKind::Site | SubjectKind::Place => continue,
            };
            for rule in self.rules.watching(when, watch.site.as_str(), watch.kind) {
                let problem = Problem::new(rule, subject, "");
                let after = rule.after_micros();
                // Whoever stands above it in silence speaks for it.
                let incident = self.incident_above(when, watch);
                let above = match (when, incident) {
                    (_, Some(_)) => Hearing::Silent,
                    (When::DeviceSilent, None) => self.agent_of(watch, entry.at, after),
                    (_, None) => Hearing::Heard,
                };
                match (self.hearing(watch, entry.at, after), above) {
                    (Hearing::Heard, _) => {
                        self.problems.end_silence((&problem, entry.at), &mut self.spoken_for, steps);
                    }
                    // Until whoever speaks for it has an incident, it keeps its own.
                    (Hearing::Silent, Hearing::Silent) => {
                        if let Some(incident) = incident {
                            self.problems.absorb(&problem, incident, entry.at, steps);
                        }
                    }
                    (Hearing::Silent, Hearing::Heard) => {
                        let began = watch.heard_at.unwrap_or(entry.at);
                        self.problems.begin(problem, &self.rules, watch, entry, Sign::since(began), steps);
                    }
                    (Hearing::Unknown, _) | (_, Hearing::Unknown) => {}
                }
            }
        }
    }

    /// A site is silent when none of its agents is heard.
    fn silent_sites(&mut self, entry: Entry, steps: &mut Vec<Step>) {
        let mut agents: BTreeMap<&SiteId, Vec<&Watch>> = BTreeMap::new();
        for (subject, watch) in &self.watches {
            if subject.kind == SubjectKind::Agent && !watch.is_retired() {
                agents.entry(&watch.site).or_default().push(watch);
            }
        }
        for (site, agents) in agents {
            let subject = Subject::site(site);
            for rule in self.rules.watching(When::SiteSilent, site.as_str(), agents[0].kind) {
                let heard = |watch: &&Watch| self.hearing(watch, entry.at, rule.after_micros());
                let problem = Problem::new(rule, &subject, "");
                if agents.iter().all(|watch| heard(watch) == Hearing::Silent) {
                    let began = agents.iter().filter_map(|watch| watch.heard_at).max().unwrap_or(entry.at);
                    self.problems.begin(problem, &self.rules, agents[0], entry, Sign::since(began), steps);
                } else if agents.iter().any(|watch| heard(watch) == Hearing::Heard) {
                    self.problems.end_silence((&problem, entry.at), &mut self.spoken_for, steps);
                }
            }
        }
    }

    /// The incident that speaks for a silent device or agent, if there is one.
    fn incident_above(&self, when: When, watch: &Watch) -> Option<AlertId> {
        let agent = || self.silent_agent(watch).filter(|_| when == When::DeviceSilent);
        self.silent_site(&watch.site).or_else(agent)
    }

    /// The incident of a silent site, if there is one. One that somebody closed speaks for its agents for as long as it is silent.
    fn silent_site(&self, site: &SiteId) -> Option<AlertId> {
        self.incident(When::SiteSilent, &Subject::site(site))
    }

    /// The incident of the silent agent behind a device.
    fn silent_agent(&self, device: &Watch) -> Option<AlertId> {
        let agent = device.agent.as_ref()?;
        self.incident(When::AgentSilent, &Subject::agent(agent))
    }

    fn incident(&self, when: When, subject: &Subject) -> Option<AlertId> {
        let rules = self.rules.iter().filter(|rule| rule.when == when);
        rules.filter_map(|rule| self.problems.incident(&Problem::new(rule, subject, ""))).next()
    }

    /// Whether the agent of a device is heard: without one, nobody speaks for the device.
    fn agent_of(&self, device: &Watch, now: Timestamp, after_micros: i64) -> Hearing {
        let agent = device.agent.as_ref().and_then(|agent| self.watches.get(&Subject::agent(agent)));
        agent.map_or(Hearing::Silent, |watch| self.hearing(watch, now, after_micros))
    }

    /// Silence counts from when the desk began to listen: what came while it was away may still lie before it. And it counts from when the
    /// silence of the site or of the agent was over, of which people have been told: not all come back at once.
    fn hearing(&self, watch: &Watch, now: Timestamp, after_micros: i64) -> Hearing {
        let Some(heard) = watch.heard_at else { return Hearing::Unknown };
        let passed = |since: Timestamp| now.micros() - since.micros();
        match self.listening_since {
            _ if passed(heard) < after_micros => Hearing::Heard,
            Some(since) if passed(self.own_silence(watch, since)) >= after_micros => Hearing::Silent,
            _ => Hearing::Unknown,
        }
    }

    fn own_silence(&self, watch: &Watch, since: Timestamp) -> Timestamp {
        let agent = watch.agent.as_ref().map(Subject::agent);
        let above = [Some(Subject::site(&watch.site)), agent].into_iter().flatten();
        above.filter_map(|subject| self.spoken_for.get(&subject)).fold(since, |since, until| since.max(*until))
    }

    /// Planned work whose window has passed.
    pub(super) fn look_for_overdue(&mut self, entry: Entry, steps: &mut Vec<Step>) {
        for (subject, watch) in &self.watches {
            for rule in self.rules.watching(When::PmOverdue, watch.site.as_str(), watch.kind) {
                let problem = Problem::new(rule, subject, "");
                let due = watch.planned().map(|(_, window)| window.until).min();
                let overdue = due.filter(|due| entry.at.micros() - due.micros() >= rule.after_micros());
                match overdue {
                    Some(due) => self.problems.begin(problem, &self.rules, watch, entry, Sign::since(due), steps),
                    None => self.problems.end(&problem, entry.at, entry.at, steps),
                }
            }
        }
    }
}
