//! What one stream says that matters to the binder: every fact once, and which of them stand after amendments.

use std::collections::{BTreeMap, BTreeSet};

use super::Heard;
use crate::amend::Amendments;
use crate::condition::Clock;
use crate::held::Held;
use crate::id::{Epoch, Seq};

pub type Identity = (Epoch, Seq);

/// A fact with what a copy of it needs beyond its meaning.
#[derive(Debug, Clone)]
pub struct Told {
    pub held: Held,
    pub clock: Clock,
    pub known_assumed: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Stream {
    pub facts: BTreeMap<Identity, Told>,
    amendments: Amendments,
    digests: BTreeMap<Identity, u64>,
}

impl Stream {
    /// The fact under the identity that the ledger would give it, or nothing when it was heard before.
    pub fn once(&mut self, heard: &Heard<'_>) -> Option<Told> {
        let digest = heard.sealed.digest();
        let mut identity = (heard.epoch, heard.seq);
        if self.digests.get(&identity).is_some_and(|known| *known != digest) {
            let conflict = Epoch::derived(&[b"conflict", &heard.epoch.0.to_le_bytes(), &heard.sealed.bytes]);
            identity = (conflict, heard.seq);
        }
        if self.digests.contains_key(&identity) {
            return None;
        }
        self.digests.insert(identity, digest);
        let fact = &heard.sealed.fact;
        let suspect = heard.suspect || fact.clock == Clock::Suspect;
        let held = Held::archived(identity, (heard.site.clone(), heard.kind), heard.agent.cloned(), suspect, fact);
        Some(Told { held, clock: fact.clock, known_assumed: fact.known_assumed })
    }

    pub fn keep(&mut self, told: Told) {
        self.facts.insert(told.held.identity(), told);
        self.trace();
    }

    /// Files an amendment and names the facts that may come or go with it.
    pub fn amend(&mut self, held: &Held) -> BTreeSet<Identity> {
        let ranges = self.amendments.moved_by(std::slice::from_ref(held));
        self.amendments.insert_from(held);
        self.trace();
        let named = ranges.iter().flat_map(|range| {
            let (first, last) = ((range.epoch, range.first), (range.epoch, range.last));
            self.facts.range(first..=last).map(|(identity, _)| *identity)
        });
        named.collect()
    }

    fn trace(&mut self) {
        let Self { amendments, facts, .. } = self;
        if amendments.is_empty() {
            return;
        }
        let at_hand = |identity| facts.get(&identity).map(|told| &told.held).filter(|held| held.counts());
        amendments.trace(|epoch, seq| facts.contains_key(&(epoch, seq)), at_hand);
    }

    /// The facts that corrections put in the place of others, by the identity of those.
    pub fn corrected(&self) -> BTreeMap<Identity, Held> {
        self.amendments.corrected().map(|held| (held.identity(), held)).collect()
    }

    /// What a fact says once amendments are heard, and whether that differs from what it said first.
    pub fn standing<'a>(
        &'a self,
        identity: Identity,
        corrected: &'a BTreeMap<Identity, Held>,
    ) -> Option<(&'a Told, &'a Held, bool)> {
        let told = self.facts.get(&identity)?;
        if self.amendments.speaks_for(identity) {
            return corrected.get(&identity).map(|held| (told, held, true));
        }
        told.held.counts().then_some((told, &told.held, false))
    }

    /// Everything the kept facts ever said, standing or not.
    pub fn ever(&self) -> Vec<Held> {
        let all: Vec<Identity> = self.facts.keys().copied().collect();
        let corrected = self.amendments.replacements(&[], &all);
        self.facts.values().map(|told| told.held.clone()).chain(corrected).collect()
    }

    /// What stands of the kept facts.
    pub fn standing_all(&self) -> Vec<Held> {
        let corrected = self.corrected();
        let all = self.facts.keys().filter_map(|identity| self.standing(*identity, &corrected));
        all.map(|(_, held, _)| held.clone()).collect()
    }
}
