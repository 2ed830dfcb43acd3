//! Who may be heard: the voice that the gate let speak, unless its model was withdrawn or it has gone beyond its budget.

use std::collections::BTreeSet;

use medfleet_domain::alert::Spoken;
use medfleet_domain::alert::record::Demotion;
use medfleet_domain::risk::Scored;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Voices {
    /// Models that are not heard any more.
    withdrawn: BTreeSet<String>,
    /// In the order of the log, each voice of a model once.
    demotions: Vec<Demotion>,
}

impl Voices {
    /// What counts of a score: the word of the gate's voice, else that of the most complex simpler voice that may be heard.
    pub fn speaker(&self, scored: &Scored) -> Option<Spoken> {
        if self.withdrawn.contains(&scored.model) {
            return None;
        }
        let spoken = |voice: &str, ppm| Spoken {
            model: scored.model.clone(),
            voice: voice.to_owned(),
            horizon_hours: scored.horizon_hours,
            ppm,
        };
        let is_heard = |voice: &str| !self.is_demoted(&scored.model, voice);
        if is_heard(&scored.voice) {
            return Some(spoken(&scored.voice, scored.component_ppm));
        }
        let simpler = scored.views.iter().take_while(|view| view.voice != scored.voice);
        simpler.filter(|view| is_heard(&view.voice)).last().map(|view| spoken(&view.voice, view.ppm))
    }

    pub fn is_demoted(&self, model: &str, voice: &str) -> bool {
        self.demotions.iter().any(|one| (&*one.model, &*one.voice) == (model, voice))
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
