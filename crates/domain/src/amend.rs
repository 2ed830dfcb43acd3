//! Amendments: later statements about earlier facts. The latest said wins, in whatever order they arrive.

use serde::{Deserialize, Serialize};

use crate::condition::SourceKind;
use crate::fact::{Body, Replacement};
use crate::held::Held;
use crate::id::{AgentId, Epoch, Seq, SeqRange, SiteId};
use crate::kind::DeviceKind;
use crate::time::{Day, Timestamp};

/// An amendment with when it was said and whose word it speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Said {
    pub said_at: Timestamp,
    pub replacement: Option<Replacement>,
    pub author: String,
    pub reason: String,
    pub target: SeqRange,
    /// Where a correction's fact comes from: its target's origin once that is known, else the amendment's own.
    origin: Origin,
    /// The first fact it names has been seen; a correction puts nothing in the place of what never was.
    seen: bool,
    /// The amendment's own identity.
    pub epoch: Epoch,
    pub seq: Seq,
}

/// Who spoke and where the subject stood: a correction mends what was said, not who said it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Origin {
    site: SiteId,
    kind: DeviceKind,
    agent: Option<AgentId>,
    source: SourceKind,
    source_name: String,
}

impl Origin {
    fn of(held: &Held) -> Self {
        Self {
            site: held.site.clone(),
            kind: held.kind,
            agent: held.agent.clone(),
            source: held.source,
            source_name: held.source_name.clone(),
        }
    }
}

impl Said {
    /// An amendment's word; a clock step voids the seqs it suspects. Other facts amend nothing.
    fn of(held: &Held) -> Option<Self> {
        let (target, replacement, author, reason) = match &held.body {
            Body::Amended(one) => (one.target, one.replacement.clone(), one.author.clone(), one.reason.clone()),
            Body::ClockStep { suspect: Some(range), .. } => (*range, None, String::new(), "clock_suspect".into()),
            _ => return None,
        };
        Some(Self {
            said_at: held.said_at,
            replacement,
            author,
            reason,
            target,
            origin: Origin::of(held),
            seen: false,
            epoch: held.epoch,
            seq: held.seq,
        })
    }

    fn names(&self, (epoch, seq): (Epoch, Seq)) -> bool {
        self.target.contains(epoch, seq)
    }

    /// The fact that a correction puts in the place of its target, under the target's identity.
    fn instead(&self) -> Option<Held> {
        let new = self.replacement.as_ref()?;
        let origin = self.origin.clone();
        Some(Held {
            epoch: self.target.epoch,
            seq: self.target.first,
            site: origin.site,
            kind: origin.kind,
            agent: origin.agent,
            at: new.at,
            said_at: self.said_at,
            source: origin.source,
            source_name: origin.source_name,
            suspect: false,
            body: new.body.clone(),
        })
    }

    /// What the author means, without any identity: decides between amendments said at one instant.
    fn meaning(&self) -> impl Ord + '_ {
        (self.said_at, &self.replacement, &self.author, &self.reason, &self.origin)
    }
}

/// Every amendment of a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendments {
    all: Vec<Said>,
}

impl Amendments {
    /// Files an amendment; facts that amend nothing are passed over.
    pub fn insert_from(&mut self, held: &Held) {
        self.all.extend(Said::of(held));
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Notes which targets have been seen by now. A target that counts is still at hand when it is first
    /// seen, and gives its origin to the corrections that name it.
    pub fn trace<'a>(
        &mut self,
        has_seen: impl Fn(Epoch, Seq) -> bool,
        at_hand: impl Fn((Epoch, Seq)) -> Option<&'a Held>,
    ) {
        for said in self.all.iter_mut().filter(|said| !said.seen) {
            let target = (said.target.epoch, said.target.first);
            said.seen = has_seen(target.0, target.1);
            if said.seen && said.replacement.is_some() {
                said.origin = at_hand(target).map_or_else(|| said.origin.clone(), Origin::of);
            }
        }
    }

    /// Whether the fact itself stands: no amendment speaks in its place.
    pub fn leaves(&self, held: &Held) -> bool {
        !self.speaks_for(held.identity())
    }

    pub fn speaks_for(&self, identity: (Epoch, Seq)) -> bool {
        self.standing(identity).is_some()
    }

    /// The amendment that stands for this fact. One that was itself voided does not stand.
    fn standing(&self, identity: (Epoch, Seq)) -> Option<&Said> {
        let naming = self.all.iter().filter(|said| said.names(identity));
        naming.filter(|said| !self.is_voided(said)).max_by(|a, b| a.meaning().cmp(&b.meaning()))
    }

    /// A void of an amendment takes it back; voids of voids are not followed further.
    fn is_voided(&self, said: &Said) -> bool {
        let identity = (said.epoch, said.seq);
        let voids = |other: &&Said| other.replacement.is_none() && other.names(identity);
        self.all.iter().filter(voids).any(|other| (other.epoch, other.seq) != identity)
    }

    /// The facts that corrections of facts already seen put in their place.
    pub fn corrected(&self) -> impl Iterator<Item = Held> + '_ {
        self.standing_corrections().filter_map(Said::instead)
    }

    /// Days to which corrections bring facts.
    pub fn corrected_days(&self) -> impl Iterator<Item = Day> + '_ {
        self.standing_corrections().filter_map(|said| said.replacement.as_ref()).map(|new| new.at.day())
    }

    fn standing_corrections(&self) -> impl Iterator<Item = &Said> {
        self.all.iter().filter(|said| {
            let standing = || self.standing((said.target.epoch, said.target.first));
            said.seen && said.replacement.is_some() && standing().is_some_and(|one| std::ptr::eq(one, *said))
        })
    }

    /// The ranges whose facts may come or go with these new ones: what they amend, and what is amended by
    /// the amendments that they amend.
    pub fn moved_by(&self, fresh: &[Held]) -> Vec<SeqRange> {
        let named: Vec<SeqRange> = fresh.iter().filter_map(Held::amended).collect();
        let amended = self.all.iter().filter(|said| named.iter().any(|range| range.contains(said.epoch, said.seq)));
        let mut moved: Vec<SeqRange> = amended.map(|said| said.target).collect();
        moved.extend(named);
        moved
    }

    /// The facts, standing or not, of corrections that name a moved range or a new fact.
    pub fn replacements(&self, moved: &[SeqRange], fresh: &[(Epoch, Seq)]) -> Vec<Held> {
        let touched = self.all.iter().filter(|said| {
            let target = (said.target.epoch, said.target.first);
            fresh.contains(&target) || moved.iter().any(|range| range.contains(target.0, target.1))
        });
        touched.filter_map(Said::instead).collect()
    }
}
