//! What models say: a score whose voice may be heard, and whose chance reaches a rule's limit, is a problem of its part.
//!
//! A score names one part, the worst. So a chance below half the limit ends the alerts of all parts by that rule; in between nothing
//! changes. A score that is told again, or is older than the last, changes nothing; one whose horizon has passed raises nothing.

use medfleet_domain::alert::record::Demotion;
use medfleet_domain::alert::{AlertId, Step};
use medfleet_domain::id::SeqRange;
use medfleet_domain::risk::{CERTAIN_PPM, Scored};
use medfleet_domain::time::Timestamp;

use super::{Desk, Entry, Problem, Sign, Told};
use crate::rule::When;
use crate::voices::{false_alerts, misled, same_person};

impl Desk {
    pub(super) fn scored(&mut self, entry: Entry, told: Told<'_>, scored: &Scored, steps: &mut Vec<Step>) {
        let at = told.fact.at;
        let Some(watch) = self.watches.get_mut(told.subject).filter(|watch| watch.is_news(scored.horizon_hours, at))
        else {
            return;
        };
        watch.scored(scored.horizon_hours, at);
        let Some(watch) = self.watches.get(told.subject) else { return };
        let spoken = self.voices.speaker(scored);
        let chance = spoken.as_ref().map_or(0.0, |spoken| f64::from(spoken.ppm) / f64::from(CERTAIN_PPM));
        let rules = self.rules.watching(When::AtRisk, told.site.as_str(), told.kind);
        for rule in rules.filter(|rule| rule.horizon_hours() == scored.horizon_hours) {
            let limit = rule.at_least.unwrap_or(1.0);
            let problem = Problem::new(rule, told.subject, &scored.component);
            let is_past = entry.at.micros() - at.micros() >= rule.horizon_micros();
            if chance < limit / 2.0 {
                self.problems.end_parts(told.subject, rule, entry.at, at, steps);
            } else if chance < limit {
                self.problems.still(&problem, at);
            } else if !is_past && !self.problems.is_answered(&problem, rule, entry.at) {
                let range = SeqRange::one(told.epoch, told.seq);
                let late = self.is_late(entry, told, rule);
                let sign = Sign { score: spoken.clone(), ..Sign::told(at, range, late) };
                self.problems.begin(problem, &self.rules, watch, entry, sign, steps);
            }
        }
    }

    /// A model is not to be heard any more.
    pub fn withdraw_model(&mut self, at: Timestamp, model: &str) -> Vec<Step> {
        let mut steps = Vec::new();
        self.voices.withdraw(model);
        self.problems.silence(|spoken| spoken.model == model, at, &mut steps);
        steps
    }

    /// Takes over which voices the log says were demoted: before scores are told again, so that theirs count for nothing.
    pub fn know_demotions(&mut self, recorded: &[Demotion]) {
        for demotion in recorded {
            // What becomes of their alerts stands in the log as well.
            self.demote(demotion.clone(), &mut Vec::new());
        }
    }

    /// Voices that were demoted, as the log has it.
    pub fn demotions(&self) -> impl Iterator<Item = &Demotion> {
        self.voices.demotions()
    }

    /// Whether the verdict just given is one false alert too many for its technician within a week.
    pub(super) fn over_budget(&self, entry: Entry, judged: AlertId) -> Option<Demotion> {
        let alert = self.alert(judged)?;
        let (spoken, technician) = (alert.score.as_ref()?, misled(alert, entry.at)?);
        let rule = self.rules.named(&alert.about.rule)?;
        let false_alerts_max = rule.false_alerts_per_technician_week_max?;
        if self.voices.is_demoted(&spoken.model, &spoken.voice) {
            return None;
        }
        let by_technician = false_alerts(self.alerts(), &spoken.model, entry.at);
        let false_alerts = by_technician.get(&same_person(technician)).copied().unwrap_or(0);
        (false_alerts > false_alerts_max).then(|| Demotion {
            model: spoken.model.clone(),
            voice: spoken.voice.clone(),
            rule: rule.name.clone(),
            technician: technician.to_owned(),
            false_alerts,
            false_alerts_max,
            at: entry.at,
        })
    }

    pub(super) fn demote(&mut self, demotion: Demotion, steps: &mut Vec<Step>) {
        let meant = |model: &str, voice: &str| (model, voice) == (&*demotion.model, &*demotion.voice);
        self.problems.silence(|spoken| meant(&spoken.model, &spoken.voice), demotion.at, steps);
        self.voices.demote(demotion);
    }
}
