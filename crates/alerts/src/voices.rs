//! Who may be heard: the voice that the gate let speak, unless its model was withdrawn or it has gone beyond its budget of false
//! alerts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::record::Demotion;
use medfleet_domain::alert::{Finding, Spoken};
use medfleet_domain::risk::Scored;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rule::Rules;

/// For so long a false alert counts against the budget.
const WEEK_MICROS: i64 = 7 * MICROS_PER_DAY;

/// How often each technician found nothing within the week before `now` at alerts of this model, whichever of its voices and whichever
/// rule raised them: it is one technician's time.
pub fn false_alerts<'a>(
    alerts: impl IntoIterator<Item = &'a Alert>,
    model: &str,
    now: Timestamp,
) -> BTreeMap<String, u32> {
    let is_own = |alert: &&Alert| alert.score.as_ref().is_some_and(|score| score.model == model);
    let mut by_technician = BTreeMap::new();
    for technician in alerts.into_iter().filter(is_own).filter_map(|alert| misled(alert, now)) {
        *by_technician.entry(same_person(technician)).or_default() += 1;
    }
    by_technician
}

/// A model's false alerts of one technician within a week, beside what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Week {
    pub model: String,
    pub technician: String,
    pub false_alerts: u32,
    /// The smallest budget of the rules by which the model raised alerts; None where none has one.
    pub allowed: Option<u32>,
}

/// By model, whoever found nothing most often first.
pub fn weeks<'a>(alerts: impl IntoIterator<Item = &'a Alert>, rules: Option<&Rules>, now: Timestamp) -> Vec<Week> {
    let mut by_model: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    for alert in alerts {
        if let Some(score) = &alert.score {
            by_model.entry(&score.model).or_default().push(alert);
        }
    }
    let budget = |alert: &&Alert| rules?.named(&alert.about.rule)?.false_alerts_per_technician_week_max;
    let of_model = |(model, own): (&str, Vec<&Alert>)| {
        let allowed = own.iter().filter_map(budget).min();
        let counted = false_alerts(own, model, now).into_iter();
        let week = |(technician, false_alerts)| Week { model: model.to_owned(), technician, false_alerts, allowed };
        let mut weeks: Vec<Week> = counted.map(week).collect();
        weeks.sort_by_key(|week| Reverse(week.false_alerts));
        weeks
    };
    by_model.into_iter().flat_map(of_model).collect()
}

/// A name as it counts against a budget: however somebody writes it, it is one person's.
pub fn same_person(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Who found nothing at this alert within the week before `now`.
pub(crate) fn misled(alert: &Alert, now: Timestamp) -> Option<&str> {
    let (technician, at) = alert.judged.as_ref()?;
    let is_false = alert.finding.as_ref().and_then(Finding::was_right) == Some(false);
    (is_false && now.micros() - at.micros() < WEEK_MICROS).then_some(technician)
}

/// How a voice was demoted, if it was.
pub fn demotion_of<'a>(demotions: &'a [Demotion], model: &str, voice: &str) -> Option<&'a Demotion> {
    demotions.iter().find(|one| (&*one.model, &*one.voice) == (model, voice))
}

/// Whose word counts of a score, and the chance it gives in millionths: that of the gate's voice, else of the most complex simpler
/// voice that was not demoted.
pub fn heard<'a>(scored: &'a Scored, demotions: &[Demotion]) -> Option<(&'a str, u32)> {
    let is_heard = |voice: &str| demotion_of(demotions, &scored.model, voice).is_none();
    if is_heard(&scored.voice) {
        return Some((&scored.voice, scored.component_ppm));
    }
    let simpler = scored.views.iter().take_while(|view| view.voice != scored.voice);
    simpler.filter(|view| is_heard(&view.voice)).last().map(|view| (&*view.voice, view.ppm))
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Voices {
    /// Models that are not heard any more.
    withdrawn: BTreeSet<String>,
    /// In the order of the log, each voice of a model once.
    demotions: Vec<Demotion>,
}

impl Voices {
    /// What counts of a score; nothing of one by a model that was withdrawn.
    pub fn speaker(&self, scored: &Scored) -> Option<Spoken> {
        if self.withdrawn.contains(&scored.model) {
            return None;
        }
        let (voice, ppm) = heard(scored, &self.demotions)?;
        let (model, voice) = (scored.model.clone(), voice.to_owned());
        Some(Spoken { model, voice, horizon_hours: scored.horizon_hours, ppm })
    }

    pub fn is_demoted(&self, model: &str, voice: &str) -> bool {
        demotion_of(&self.demotions, model, voice).is_some()
    }

    pub fn demote(&mut self, demotion: Demotion) {
        if !self.is_demoted(&demotion.model, &demotion.voice) {
            self.demotions.push(demotion);
        }
    }

    pub fn withdraw(&mut self, model: &str) {
        self.withdrawn.insert(model.to_owned());
    }

    pub fn demotions(&self) -> impl Iterator<Item = &Demotion> {
        self.demotions.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::risk::View;

    fn scored() -> Scored {
        let view = |voice: &str, ppm| View { voice: voice.into(), ppm };
        Scored {
            run: "r".into(),
            model: "m".into(),
            horizon_hours: 168,
            risk_ppm: 410_000,
            component: "tube".into(),
            component_ppm: 400_000,
            voice: "hazard".into(),
            grounds: Vec::new(),
            views: vec![view("rules", 10_000), view("hazard", 400_000), view("trees", 900_000)],
        }
    }

    fn demoted(model: &str, voice: &str) -> Demotion {
        let (rule, technician, at) = ("at-risk".into(), "kim".into(), Timestamp(0));
        Demotion {
            model: model.into(),
            voice: voice.into(),
            rule,
            technician,
            false_alerts: 4,
            false_alerts_max: 3,
            at,
        }
    }

    #[test]
    fn a_simpler_voice_stands_in_for_one_that_was_demoted_and_a_more_complex_one_never() {
        let all = ["hazard", "rules"].map(|voice| demoted("m", voice));
        assert_eq!(heard(&scored(), &[]), Some(("hazard", 400_000)));
        assert_eq!(heard(&scored(), &[demoted("other", "hazard")]), Some(("hazard", 400_000)));
        assert_eq!(heard(&scored(), &all[..1]), Some(("rules", 10_000)));
        assert_eq!(heard(&scored(), &all), None, "the trees have not earned the word");
    }
}
