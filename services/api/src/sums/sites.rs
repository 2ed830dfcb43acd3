//! What was stated about a site's hours, and the hours that followed from it after each statement.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono_tz::Tz;
use medfleet_domain::time::Day;

use super::causes::{CauseKey, Known};
use super::hours::{Hours, Stated, Steps};

/// Part of a statement: a time zone or a stretch of base hours, with its weight.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    Zone { valid_from: i64, recorded_at: i64, name: String },
    Hours(Stated),
}

/// The base hours of one site since a statement.
#[derive(Debug)]
struct State {
    since: CauseKey,
    hours: Arc<Hours>,
}

/// One site: all that was said, by record, and the states it passed through.
#[derive(Debug, Default)]
pub struct SiteHours {
    said: BTreeMap<CauseKey, Vec<(Said, i64)>>,
    states: Vec<State>,
}

impl SiteHours {
    pub fn hear(&mut self, cause: CauseKey, said: Said, weight: i64) {
        self.said.entry(cause).or_default().push((said, weight));
    }

    /// Spells every state out up to a local day. A statement that leaves the hours as they were makes no state.
    pub fn spell(&mut self, until: Day) {
        let mut standing: BTreeMap<&Said, i64> = BTreeMap::new();
        let mut states: Vec<State> = Vec::new();
        for (cause, said) in &self.said {
            for (one, weight) in said {
                *standing.entry(one).or_default() += weight;
            }
            let hours = hours(&standing, until);
            if states.last().map_or(hours != Hours::default(), |last| *last.hours != hours) {
                states.push(State { since: *cause, hours: Arc::new(hours) });
            }
        }
        self.states = states;
    }

    /// The base hours of a kind in every state.
    pub fn steps(&self, kind: &str) -> Vec<Arc<Steps>> {
        self.states.iter().map(|state| Arc::clone(state.hours.of(kind))).collect()
    }

    /// The base hours when this much is known.
    pub fn at(&self, known: Option<&Known>) -> Option<Arc<Hours>> {
        self.state(known).map(|state| Arc::clone(&self.states[state].hours))
    }

    /// Which state holds when this much is known; None before the first.
    pub fn state(&self, known: Option<&Known>) -> Option<usize> {
        let told = |state: &State| known.is_none_or(|known| known.holds(state.since));
        self.states.iter().rposition(told)
    }
}

fn hours(standing: &BTreeMap<&Said, i64>, until: Day) -> Hours {
    let holds = standing.iter().filter(|(_, weight)| **weight > 0).map(|(said, _)| *said);
    let zones = holds.clone().filter_map(|said| match said {
        Said::Zone { valid_from, recorded_at, name } => Some((*valid_from, *recorded_at, name)),
        Said::Hours(_) => None,
    });
    let zone: Option<Tz> = zones.max().and_then(|(_, _, name)| name.parse().ok());
    let stated: BTreeSet<Stated> = holds
        .filter_map(|said| match said {
            Said::Hours(stated) => Some(stated.clone()),
            Said::Zone { .. } => None,
        })
        .collect();
    zone.map_or_else(Hours::default, |zone| Hours::spell(zone, &stated, until))
}
