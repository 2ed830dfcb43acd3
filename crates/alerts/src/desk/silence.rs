//! Silence and overdue work: what only the passing of time can show. A silent site is one incident, not each of its agents, and
//! a silent agent is one, not each of its devices.

use std::collections::BTreeMap;

use medfleet_domain::id::{SiteId, Subject, SubjectKind};
use medfleet_domain::time::Timestamp;

use super::{Desk, Entry, Problem, Step};
use crate::rule::When;
use crate::watch::Watch;

impl Desk {
    /// Something was heard of an agent: if it tells of the present, its silence and its site's are over.
    pub(super) fn agent_heard(&mut self, entry: Entry, agent: &Subject, steps: &mut Vec<Step>) {
        let Some(watch) = self.watches.get(agent) else { return };
        let site = Subject::site(&watch.site);
        for (when, subject) in [(When::AgentSilent, agent), (When::SiteSilent, &site)] {
            for rule in self.rules.watching(when, watch.site.as_str(), watch.kind) {
                if !is_silent(watch, entry.at, rule.after_micros()) {
                    self.problems.end(&Problem::new(rule, subject, ""), entry.at, entry.at, steps);
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
                let above = match when {
                    When::AgentSilent => self.silent_site(&watch.site).is_some(),
                    _ => watch.agent.is_none() || self.agent_is_silent(watch, entry.at, after),
                };
                match (is_silent(watch, entry.at, after), above) {
                    (false, _) => self.problems.end(&problem, entry.at, entry.at, steps),
                    (true, true) => match self.silent_site(&watch.site) {
                        Some(incident) => self.problems.absorb(&problem, incident, entry.at, steps),
                        None => self.problems.end(&problem, entry.at, entry.at, steps),
                    },
                    (true, false) => {
                        let began = watch.heard_at.unwrap_or(entry.at);
                        self.problems.begin(problem, rule, watch, entry, began, None, false, steps);
                    }
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
                let silent = agents.iter().all(|watch| is_silent(watch, entry.at, rule.after_micros()));
                let problem = Problem::new(rule, &subject, "");
                if silent {
                    let began = agents.iter().filter_map(|watch| watch.heard_at).max().unwrap_or(entry.at);
                    self.problems.begin(problem, rule, agents[0], entry, began, None, false, steps);
                } else {
                    self.problems.end(&problem, entry.at, entry.at, steps);
                }
            }
        }
    }

    /// The incident of a silent site, if there is one.
    fn silent_site(&self, site: &SiteId) -> Option<crate::life::AlertId> {
        let subject = Subject::site(site);
        let rules = self.rules.iter().filter(|rule| rule.when == When::SiteSilent);
        rules.filter_map(|rule| self.problems.open(&Problem::new(rule, &subject, ""))).next()
    }

    fn agent_is_silent(&self, device: &Watch, now: Timestamp, after: i64) -> bool {
        let Some(agent) = &device.agent else { return false };
        self.watches.get(&Subject::agent(agent)).is_none_or(|watch| is_silent(watch, now, after))
    }

    /// Planned work whose window has passed.
    pub(super) fn look_for_overdue(&mut self, entry: Entry, steps: &mut Vec<Step>) {
        for (subject, watch) in &self.watches {
            for rule in self.rules.watching(When::PmOverdue, watch.site.as_str(), watch.kind) {
                let problem = Problem::new(rule, subject, "");
                let due = watch.planned().map(|(_, window)| window.until).min();
                let overdue = due.filter(|due| entry.at.micros() - due.micros() >= rule.after_micros());
                match overdue {
                    Some(due) => self.problems.begin(problem, rule, watch, entry, due, None, false, steps),
                    None => self.problems.end(&problem, entry.at, entry.at, steps),
                }
            }
        }
    }
}

/// Who was never heard is not silent: nobody knows yet that it speaks.
fn is_silent(watch: &Watch, now: Timestamp, after_micros: i64) -> bool {
    watch.heard_at.is_some_and(|heard| now.micros() - heard.micros() >= after_micros)
}
