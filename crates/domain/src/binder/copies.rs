//! What the binder has given to devices: copies and the voids of copies. Both only grow, so that arrival order is nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::stream::Identity;
use crate::condition::{Clock, SourceKind};
use crate::fact::{Amendment, Body, Fact, Source};
use crate::id::{Epoch, Seq, SeqRange, SiteId, Subject};
use crate::kind::DeviceKind;
use crate::time::Timestamp;

pub const AUTHOR: &str = "binder";
const REASON: &str = "the address does not name this device then";

/// The copies in one epoch of one device: all of one source epoch, given by one binding.
#[derive(Debug, Clone)]
pub struct Given {
    pub site: SiteId,
    pub kind: DeviceKind,
    pub seqs: BTreeSet<Seq>,
    /// Place and source epoch, once known.
    pub source: Option<(String, Epoch)>,
}

/// Everything given, by device and epoch, and what was taken back.
#[derive(Debug, Clone, Default)]
pub struct Copies {
    given: BTreeMap<(Subject, Epoch), Given>,
    voided: BTreeMap<(Subject, Epoch), Vec<(Seq, Seq)>>,
}

impl Copies {
    pub fn note(
        &mut self,
        device: &Subject,
        epoch: Epoch,
        seq: Seq,
        (site, kind): (&SiteId, DeviceKind),
    ) -> &mut Given {
        let given = self.given.entry((device.clone(), epoch));
        let given = given.or_insert_with(|| Given { site: site.clone(), kind, seqs: BTreeSet::new(), source: None });
        given.seqs.insert(seq);
        given
    }

    pub fn note_void(&mut self, device: &Subject, target: SeqRange) {
        self.voided.entry((device.clone(), target.epoch)).or_default().push((target.first, target.last));
    }

    pub fn given(&self, device: &Subject, epoch: Epoch) -> Option<&Given> {
        self.given.get(&(device.clone(), epoch))
    }

    pub fn given_mut(&mut self, device: &Subject, epoch: Epoch) -> Option<&mut Given> {
        self.given.get_mut(&(device.clone(), epoch))
    }

    fn is_voided(&self, copy: &(Subject, Epoch), seq: Seq) -> bool {
        self.voided.get(copy).into_iter().flatten().any(|(first, last)| *first <= seq && seq <= *last)
    }

    pub fn stands(&self, copy: &(Subject, Epoch), seq: Seq) -> bool {
        self.given.get(copy).is_some_and(|given| given.seqs.contains(&seq)) && !self.is_voided(copy, seq)
    }

    /// An epoch in which this seq was neither given nor taken back. Nothing is given more often than generations go.
    pub fn free_epoch(&self, device: &Subject, parts: &[&[u8]], seq: Seq) -> Option<Epoch> {
        let epochs = (0..=u8::MAX).map(|generation| Epoch::of_copies(parts, generation));
        epochs.into_iter().find(|epoch| {
            let copy = (device.clone(), *epoch);
            !self.is_voided(&copy, seq) && !self.given.get(&copy).is_some_and(|given| given.seqs.contains(&seq))
        })
    }

    /// The ranges that void these seqs of one epoch and no other copy that stands there.
    pub fn ranges(&self, copy: &(Subject, Epoch), unwanted: &BTreeSet<Seq>) -> Vec<SeqRange> {
        let Some(given) = self.given.get(copy) else { return Vec::new() };
        let standing: Vec<Seq> = given.seqs.iter().copied().filter(|seq| !self.is_voided(copy, *seq)).collect();
        let runs = standing.chunk_by(|a, b| unwanted.contains(a) == unwanted.contains(b));
        let runs = runs.filter(|run| unwanted.contains(&run[0]));
        runs.map(|run| SeqRange { epoch: copy.1, first: run[0], last: run[run.len() - 1] }).collect()
    }
}

/// The parts of a copy's epoch: the binding, the source's epoch, and what sets it apart from the plain copy.
pub fn parts(binding: Epoch, source: Epoch, variant: &[u8]) -> [Vec<u8>; 4] {
    [b"copy".to_vec(), binding.0.to_le_bytes().to_vec(), source.0.to_le_bytes().to_vec(), variant.to_vec()]
}

/// What sets a copy apart: signs of what goes on are taken back together; clipped and corrected facts have a content of
/// their own.
pub fn variant(fact: &Fact, altered: bool) -> Vec<u8> {
    match fact.body {
        _ if altered => content(fact).join(&0),
        Body::Began { .. } => b"began".to_vec(),
        _ => Vec::new(),
    }
}

/// Everything that a correction or a cut may change.
fn content(fact: &Fact) -> Vec<Vec<u8>> {
    let number = |number: i64| number.to_le_bytes().to_vec();
    let text = |text: &str| text.as_bytes().to_vec();
    let mut content = vec![text(fact.body.name()), number(fact.at.0), number(fact.known_at.0)];
    match &fact.body {
        Body::Began { condition, degradation } => content.extend([condition.as_str(), degradation.as_str()].map(text)),
        Body::Stretch(stretch) => {
            content.push(number(stretch.until.0));
            content.extend([stretch.condition.as_str(), stretch.degradation.as_str()].map(text));
        }
        Body::Error(error) => {
            let words = [&error.code, &error.family, &error.component, &error.cause_domain, &error.text];
            content.extend(words.map(|word| text(word)));
            content.push(text(error.severity.as_str()));
        }
        Body::Usage(sample) => {
            content.extend([&sample.counter, &sample.component, &sample.unit].map(|word| text(word)));
            content.extend([sample.value_milli, sample.modulus_milli.unwrap_or(-1)].map(number));
        }
        _ => {}
    }
    content
}

/// The void of a range of copies. Its epoch follows from what it says: that is how the binder knows its own.
pub fn void(target: SeqRange, known_at: Timestamp) -> (Identity, Fact) {
    let amendment = Amendment { target, replacement: None, author: AUTHOR.into(), reason: REASON.into() };
    let fact = Fact {
        at: known_at,
        known_at,
        known_assumed: false,
        clock: Clock::Synchronised,
        source: Source { kind: SourceKind::Derived, name: AUTHOR.into() },
        body: Body::Amended(Box::new(amendment)),
    };
    ((void_epoch(target, known_at), Seq(1)), fact)
}

pub fn void_epoch(target: SeqRange, known_at: Timestamp) -> Epoch {
    let numbers = [target.epoch.0, target.first.0, target.last.0, known_at.0.cast_unsigned()];
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    Epoch::derived(&[b"copies voided", &numbers])
}
