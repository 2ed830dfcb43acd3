//! The binder: gives a place's facts to the device that the place's address names, and takes back what it gave wrongly.
//!
//! It compares what should have been given with what has been, and names the difference. Every copy and every void has an
//! identity that follows from what it is, and none is ever changed: a copy taken back and wanted again is given again in
//! the next generation. So any number of repeats, after any crash, is harmless, and so is any order of arrival.

mod copies;
mod giving;
mod naming;
mod stream;

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::{Body, Fact, Sealed};
use crate::id::{AgentId, Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use crate::kind::DeviceKind;
use crate::time::Timestamp;
use copies::{Copies, parts, variant};
use giving::{Wanted, is_given, joined, wanted};
use naming::{Binding, tenures};
use stream::{Identity, Stream};

pub use naming::Tenure;

/// One fact of the log, as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    pub subject: &'a Subject,
    pub epoch: Epoch,
    pub seq: Seq,
    pub site: &'a SiteId,
    pub kind: DeviceKind,
    pub agent: Option<&'a AgentId>,
    /// Ingest could not believe its time.
    pub suspect: bool,
    pub sealed: &'a Sealed,
}

/// Facts to append to a device's stream: contiguous seqs of one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    pub device: Subject,
    pub epoch: Epoch,
    pub first_seq: Seq,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub agent: Option<AgentId>,
    pub facts: Vec<Fact>,
}

/// Everything said in places, everything said about their names, and everything given so far.
#[derive(Debug, Clone, Default)]
pub struct Binder {
    places: BTreeMap<String, Place>,
    devices: BTreeMap<Subject, Stream>,
    copies: Copies,
    /// Copies read back before their source was.
    unplaced: Vec<(Subject, Epoch, Seq, Fact)>,
    /// Copies that are wanted but were taken back in every generation there is.
    given_up: u64,
}

#[derive(Debug, Clone, Default)]
struct Place {
    stream: Stream,
    /// Devices that anything ever bound to this place.
    devices: BTreeSet<Subject>,
    /// Where copies of a fact were given, standing or not.
    given: BTreeMap<Identity, BTreeSet<(Subject, Epoch)>>,
    /// When the latest statement about its name was known: the earliest that a void can be.
    said: Option<Timestamp>,
    /// Facts to look at; all of them when its name has changed.
    fresh: BTreeSet<Identity>,
    renamed: bool,
}

impl Binder {
    /// Takes one fact in, in any order, any number of times.
    pub fn hear(&mut self, heard: Heard<'_>) {
        match heard.subject.kind {
            SubjectKind::Place => self.hear_place(heard),
            SubjectKind::Device => self.hear_device(heard),
            SubjectKind::Agent | SubjectKind::Site => {}
        }
    }

    /// What the devices' streams lack. Append it, and tell the binder what was appended like everything else.
    pub fn owed(&mut self) -> Vec<Owed> {
        self.place_copies();
        let moved = |(_, place): &(&String, &mut Place)| place.renamed || !place.fresh.is_empty();
        let names: Vec<String> = self.places.iter_mut().filter(moved).map(|(name, _)| name.clone()).collect();
        names.iter().flat_map(|name| self.owed_for(name)).collect()
    }

    /// Facts of places in memory.
    pub fn place_facts(&self) -> usize {
        self.places.values().map(|place| place.stream.facts.len()).sum()
    }

    /// Whether a device was ever bound: only its stream can hold copies.
    pub fn knows(&self, device: &Subject) -> bool {
        self.devices.get(device).is_some_and(|stream| !stream.facts.is_empty())
    }

    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    fn hear_place(&mut self, heard: Heard<'_>) {
        let place = self.places.entry(heard.subject.name().to_owned()).or_default();
        let Some(told) = place.stream.once(&heard) else { return };
        if told.held.amended().is_some() {
            place.said = place.said.max(Some(told.held.said_at));
            let moved = place.stream.amend(&told.held);
            place.fresh.extend(moved);
        } else if is_given(&told.held.body) {
            place.fresh.insert(told.held.identity());
            place.stream.keep(told);
        }
    }

    fn hear_device(&mut self, heard: Heard<'_>) {
        let (device, fact) = (heard.subject, &heard.sealed.fact);
        if heard.epoch.holds_copies() && is_given(&fact.body) {
            let given = self.copies.note(device, heard.epoch, heard.seq, (heard.site, heard.kind));
            match &given.source {
                Some((place, epoch)) => self
                    .places
                    .entry(place.clone())
                    .or_default()
                    .give((*epoch, heard.seq), (device.clone(), heard.epoch)),
                None => self.unplaced.push((device.clone(), heard.epoch, heard.seq, fact.clone())),
            }
            return;
        }
        match &fact.body {
            Body::Bound(_) | Body::Unbound(_) => self.hear_binding(heard),
            Body::Amended(one) if heard.epoch == copies::void_epoch(one.target, fact.known_at) => {
                self.copies.note_void(device, one.target);
                self.look_again(device, one.target);
            }
            Body::Amended(_) => {
                let stream = self.devices.entry(device.clone()).or_default();
                let Some(told) = stream.once(&heard) else { return };
                stream.amend(&told.held);
                self.rename(device, told.held.said_at);
            }
            _ => {}
        }
    }

    fn hear_binding(&mut self, heard: Heard<'_>) {
        let stream = self.devices.entry(heard.subject.clone()).or_default();
        let Some(told) = stream.once(&heard) else { return };
        let said = told.held.said_at;
        stream.keep(told);
        self.rename(heard.subject, said);
    }

    /// Something was said about a device's names: every place it was ever bound to is looked at anew.
    fn rename(&mut self, device: &Subject, said: Timestamp) {
        let ever = self.devices.get(device).map(Stream::ever).unwrap_or_default();
        for binding in ever.iter().filter_map(|held| Binding::of(device, held)) {
            let place = self.places.entry(binding.place).or_default();
            place.devices.insert(device.clone());
            place.said = place.said.max(Some(said));
            place.renamed = true;
        }
    }

    /// A void of copies was read: it may be of another life of the binder, which knew less.
    fn look_again(&mut self, device: &Subject, target: SeqRange) {
        let Some(given) = self.copies.given(device, target.epoch) else { return };
        let Some((place, epoch)) = given.source.clone() else { return };
        let seqs: Vec<Seq> = given.seqs.range(target.first..=target.last).copied().collect();
        self.places.entry(place).or_default().fresh.extend(seqs.into_iter().map(|seq| (epoch, seq)));
    }

    /// Finds the source of copies read back: the binding and the source epoch whose hash is theirs.
    fn place_copies(&mut self) {
        for (device, epoch, seq, fact) in std::mem::take(&mut self.unplaced) {
            let known = self.copies.given(&device, epoch).and_then(|given| given.source.clone());
            let Some((place, source)) = known.or_else(|| self.source_of(&device, epoch, &fact)) else {
                self.unplaced.push((device, epoch, seq, fact));
                continue;
            };
            if let Some(given) = self.copies.given_mut(&device, epoch) {
                given.source = Some((place.clone(), source));
            }
            self.places.entry(place).or_default().give((source, seq), (device, epoch));
        }
    }

    fn source_of(&self, device: &Subject, epoch: Epoch, fact: &Fact) -> Option<(String, Epoch)> {
        let ever = self.devices.get(device)?.ever();
        for binding in ever.iter().filter_map(|held| Binding::of(device, held)) {
            let Some(place) = self.places.get(&binding.place) else { continue };
            let sources: BTreeSet<Epoch> = place.stream.facts.keys().map(|(epoch, _)| *epoch).collect();
            for source in sources {
                let is_its = |altered| {
                    let parts = parts(binding.name, source, &variant(fact, altered));
                    Epoch::of_copies(&parts.each_ref().map(Vec::as_slice), 0) == epoch.first_generation()
                };
                if is_its(false) || is_its(true) {
                    return Some((binding.place, source));
                }
            }
        }
        None
    }

    fn owed_for(&mut self, name: &str) -> Vec<Owed> {
        let Some(place) = self.places.get_mut(name) else { return Vec::new() };
        let fresh = std::mem::take(&mut place.fresh);
        let renamed = std::mem::take(&mut place.renamed);
        let place = &self.places[name];
        let tenures = tenures(self.bindings(name, place));
        let corrected = place.stream.corrected();
        let all = || place.stream.facts.keys().copied().collect();
        let looked_at: BTreeSet<Identity> = if renamed { all() } else { fresh };
        let (mut owed, mut given_up) = (Vec::new(), 0);
        let mut unwanted: BTreeMap<(Subject, Epoch), BTreeSet<Seq>> = BTreeMap::new();
        for identity in looked_at {
            let standing = place.stream.standing(identity, &corrected);
            let wanted = standing.map_or_else(Vec::new, |(told, held, altered)| wanted(&tenures, told, held, altered));
            let given = place.given.get(&identity).into_iter().flatten();
            let mut standing: Vec<&(Subject, Epoch)> =
                given.filter(|copy| self.copies.stands(copy, identity.1)).collect();
            for want in wanted {
                let first = Epoch::of_copies(&want.parts.each_ref().map(Vec::as_slice), 0);
                let same = |copy: &&(Subject, Epoch)| copy.0 == want.device && copy.1.first_generation() == first;
                match standing.iter().position(same) {
                    Some(index) => drop(standing.swap_remove(index)),
                    None => match self.copy(want, identity.1, place) {
                        Some(copy) => owed.push(copy),
                        None => given_up += 1,
                    },
                }
            }
            for copy in standing {
                unwanted.entry(copy.clone()).or_default().insert(identity.1);
            }
        }
        let mut owed = joined(owed);
        owed.extend(self.voids(&unwanted, place.said));
        self.given_up += given_up;
        owed
    }

    fn bindings(&self, name: &str, place: &Place) -> Vec<Binding> {
        let standing = place.devices.iter().filter_map(|device| Some((device, self.devices.get(device)?)));
        let named = standing.flat_map(|(device, stream)| {
            stream.standing_all().into_iter().filter_map(move |held| Binding::of(device, &held))
        });
        named.filter(|binding| binding.place == name).collect()
    }

    fn copy(&self, want: Wanted, seq: Seq, place: &Place) -> Option<Owed> {
        let parts = want.parts.each_ref().map(Vec::as_slice);
        let epoch = self.copies.free_epoch(&want.device, &parts, seq)?;
        let source = u64::from_le_bytes(want.parts[2].as_slice().try_into().ok()?);
        let told = place.stream.facts.get(&(Epoch(source), seq))?;
        Some(Owed {
            device: want.device,
            epoch,
            first_seq: seq,
            site: told.held.site.clone(),
            kind: want.kind,
            agent: told.held.agent.clone(),
            facts: vec![want.fact],
        })
    }

    fn voids(&self, unwanted: &BTreeMap<(Subject, Epoch), BTreeSet<Seq>>, said: Option<Timestamp>) -> Vec<Owed> {
        let Some(known_at) = said else { return Vec::new() };
        let ranges = unwanted
            .iter()
            .flat_map(|(copy, seqs)| self.copies.ranges(copy, seqs).into_iter().map(move |range| (copy, range)));
        let voids = ranges.filter_map(|(copy, range)| {
            let given = self.copies.given(&copy.0, copy.1)?;
            let ((epoch, first_seq), fact) = copies::void(range, known_at);
            let (site, kind) = (given.site.clone(), given.kind);
            Some(Owed { device: copy.0.clone(), epoch, first_seq, site, kind, agent: None, facts: vec![fact] })
        });
        voids.collect()
    }
}

impl Place {
    fn give(&mut self, source: Identity, copy: (Subject, Epoch)) {
        self.given.entry(source).or_default().insert(copy);
        self.fresh.insert(source);
    }
}
