//! Amendments: later statements about earlier facts. The latest said wins, in whatever order they arrive.

use serde::{Deserialize, Serialize};

use crate::condition::SourceKind;
use crate::dedup::Lives;
use crate::fact::{Body, Replacement};
use crate::held::Held;
use crate::id::{Epoch, Seq, SeqRange, SiteId};
use crate::kind::DeviceKind;
use crate::time::{Day, Timestamp};

/// An amendment with when it was said and where its author stood.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Said {
    pub said_at: Timestamp,
    pub replacement: Option<Replacement>,
    pub author: String,
    pub reason: String,
    pub target: SeqRange,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub source: SourceKind,
    pub source_name: String,
    /// The first fact it names has been seen; a correction puts nothing in the place of what never was.
    pub seen: bool,
    /// The amendment's own identity.
    pub epoch: Epoch,
    pub seq: Seq,
}

impl Said {
    /// The fact that a correction puts in the place of its target, under the target's identity.
    pub fn instead(&self) -> Option<Held> {
        let new = self.replacement.as_ref()?;
        Some(Held {
            epoch: self.target.epoch,
            seq: self.target.first,
            site: self.site.clone(),
            kind: self.kind,
            agent: None,
            at: new.at,
            said_at: self.said_at,
            source: self.source,
            source_name: self.source_name.clone(),
            suspect: false,
            body: new.body.clone(),
        })
    }

    /// What the author means, without any identity: decides between amendments said at one instant.
    fn meaning(&self) -> (Timestamp, &Option<Replacement>, &str, &str) {
        (self.said_at, &self.replacement, &self.author, &self.reason)
    }
}

/// Every amendment of a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendments {
    all: Vec<Said>,
}

impl Amendments {
    pub fn insert(&mut self, said: Said) {
        self.all.push(said);
    }

    /// Files an amendment; a clock step voids the seqs it suspects. Other facts are none.
    pub fn insert_from(&mut self, held: &Held) {
        let (target, replacement, author, reason) = match &held.body {
            Body::Amended(one) => (one.target, one.replacement.clone(), one.author.clone(), one.reason.clone()),
            Body::ClockStep { suspect: Some(range), .. } => (*range, None, String::new(), "clock_suspect".into()),
            _ => return,
        };
        self.insert(Said {
            said_at: held.said_at,
            replacement,
            author,
            reason,
            target,
            site: held.site.clone(),
            kind: held.kind,
            source: held.source,
            source_name: held.source_name.clone(),
            seen: false,
            epoch: held.epoch,
            seq: held.seq,
        });
    }

    /// Notes which targets have been seen by now.
    pub fn mark_seen(&mut self, lives: &Lives) {
        for said in &mut self.all {
            said.seen = said.seen || lives.has_seen(said.target.epoch, said.target.first);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The amendment that stands for this fact. One that was itself voided does not stand.
    pub fn standing(&self, epoch: Epoch, seq: Seq) -> Option<&Said> {
        let naming = self.all.iter().filter(|said| said.target.contains(epoch, seq));
        naming.filter(|said| !self.is_voided(said)).max_by(|a, b| a.meaning().cmp(&b.meaning()))
    }

    /// A void of an amendment takes it back; voids of voids are not followed further.
    fn is_voided(&self, said: &Said) -> bool {
        let voids = |other: &&Said| other.replacement.is_none() && other.target.contains(said.epoch, said.seq);
        self.all.iter().filter(voids).any(|other| (other.epoch, other.seq) != (said.epoch, said.seq))
    }

    /// Corrections that stand.
    pub fn corrections(&self) -> impl Iterator<Item = &Said> {
        self.all.iter().filter(|said| {
            let standing = || self.standing(said.target.epoch, said.target.first);
            said.replacement.is_some() && standing().is_some_and(|one| std::ptr::eq(one, *said))
        })
    }

    /// Every correction's fact, standing or not: where rows may come or go.
    pub fn replacements(&self) -> impl Iterator<Item = Held> {
        self.all.iter().filter_map(Said::instead)
    }

    /// Days to which corrections that stand bring facts.
    pub fn corrected_days(&self) -> impl Iterator<Item = Day> {
        self.corrections().filter_map(|said| said.replacement.as_ref()).map(|new| new.at.day())
    }
}
