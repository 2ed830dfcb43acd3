//! Which facts of a subject have been seen: identity is given once, and equal identity with other bytes is a conflict.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

use crate::id::{Epoch, Seq, SeqRange};

/// Epochs remembered per subject; a fact of an older one costs a look-up in the archive.
pub const EPOCHS_KEPT: usize = 64;
/// Digests remembered per epoch; a repeat of an older fact costs a look-up in the archive.
pub const DIGESTS_KEPT: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    New,
    Duplicate,
    /// Same identity, other bytes.
    Conflict,
}

/// Dedup cannot answer from memory: the archive must say what it holds of this range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Which seqs of this forgotten epoch are archived?
    Epoch(Epoch),
    /// What is the digest of this archived fact?
    Digest(Epoch, Seq),
}

/// The lives of one subject's writers, as far as they were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lives {
    /// Most recently written last.
    kept: VecDeque<Life>,
    /// Some epoch has been dropped from `kept`, so that absence from memory proves nothing.
    forgot: bool,
    /// Epochs looked up in the archive and found absent, until the next record.
    #[serde(skip)]
    absent: Vec<Epoch>,
    #[serde(skip)]
    digests: Vec<(Epoch, Seq, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Life {
    epoch: Epoch,
    seen: SeqSet,
    /// Digests of the latest facts, in order of arrival.
    digests: VecDeque<(Seq, u64)>,
    /// Holds a conflicting fact under the seq of another epoch, so that gaps mean nothing.
    borrowed: bool,
}

impl Lives {
    /// Judges one fact. Changes nothing.
    pub fn sight(&self, epoch: Epoch, seq: Seq, digest: u64) -> Result<Sighting, Ask> {
        let Some(life) = self.kept.iter().rev().find(|life| life.epoch == epoch) else {
            return if self.forgot && !self.absent.contains(&epoch) {
                Err(Ask::Epoch(epoch))
            } else {
                Ok(Sighting::New)
            };
        };
        if !life.seen.contains(seq) {
            return Ok(Sighting::New);
        }
        let recent = life.digests.iter().rev().find(|(kept, _)| *kept == seq).map(|(_, digest)| *digest);
        let looked_up = || {
            let found = self.digests.iter().find(|(e, s, _)| (*e, *s) == (epoch, seq));
            found.map(|(_, _, digest)| *digest)
        };
        match recent.or_else(looked_up) {
            Some(known) if known == digest => Ok(Sighting::Duplicate),
            Some(_) => Ok(Sighting::Conflict),
            None => Err(Ask::Digest(epoch, seq)),
        }
    }

    pub fn has_seen(&self, epoch: Epoch, seq: Seq) -> bool {
        self.kept.iter().any(|life| life.epoch == epoch && life.seen.contains(seq))
    }

    /// Whether any fact of this range was seen; a forgotten epoch must be recalled first.
    pub fn has_seen_any(&self, range: &SeqRange) -> Result<bool, Ask> {
        match self.kept.iter().find(|life| life.epoch == range.epoch) {
            Some(life) => Ok(life.seen.meets(range)),
            None if self.forgot && !self.absent.contains(&range.epoch) => Err(Ask::Epoch(range.epoch)),
            None => Ok(false),
        }
    }

    /// Notes a fact. Limits wait for [`Lives::settle`]: a record may need every epoch it has recalled.
    pub fn insert(&mut self, epoch: Epoch, seq: Seq, digest: u64) {
        self.life_of(epoch).note(seq, digest);
    }

    /// Notes a conflicting fact, which stands alone in an epoch of its own.
    pub fn insert_conflict(&mut self, epoch: Epoch, seq: Seq, digest: u64) {
        let life = self.life_of(epoch);
        life.borrowed = true;
        life.note(seq, digest);
    }

    /// The life of this epoch, moved behind all others as the one last written.
    fn life_of(&mut self, epoch: Epoch) -> &mut Life {
        let known = self.kept.iter().rposition(|life| life.epoch == epoch);
        let at = known.unwrap_or_else(|| {
            self.kept.push_back(Life::new(epoch, SeqSet::default()));
            self.kept.len() - 1
        });
        self.kept.make_contiguous()[at..].rotate_left(1);
        let last = self.kept.len() - 1;
        &mut self.kept[last]
    }

    /// The archive's answer to [`Ask::Epoch`].
    pub fn recall_epoch(&mut self, epoch: Epoch, archived: impl IntoIterator<Item = Seq>) {
        let mut seen = SeqSet::default();
        archived.into_iter().for_each(|seq| seen.insert(seq));
        if seen.ranges.is_empty() {
            self.absent.push(epoch);
        } else {
            self.kept.push_front(Life::new(epoch, seen));
        }
    }

    /// The archive's answer to [`Ask::Digest`].
    pub fn recall_digest(&mut self, epoch: Epoch, seq: Seq, digest: u64) {
        self.digests.push((epoch, seq, digest));
    }

    /// Drops what was only looked up for the record just admitted, and what exceeds the limit.
    pub fn settle(&mut self) {
        self.absent.clear();
        self.digests.clear();
        while self.kept.len() > EPOCHS_KEPT {
            self.kept.pop_front();
            self.forgot = true;
        }
    }

    /// Seqs that must exist (a later one was seen) and were not: gaps by arithmetic.
    pub fn missing(&self) -> u64 {
        self.kept.iter().filter(|life| !life.borrowed).map(|life| life.seen.missing()).sum()
    }

    /// Seqs the named range holds that were never seen: what a dead writer took with it.
    pub fn unseen(&self, range: &SeqRange) -> u64 {
        let life = self.kept.iter().find(|life| life.epoch == range.epoch);
        let reached = life.map_or(0, |life| life.seen.last());
        range.last.0.saturating_sub(reached)
    }
}

impl Life {
    fn new(epoch: Epoch, seen: SeqSet) -> Self {
        Self { epoch, seen, digests: VecDeque::new(), borrowed: false }
    }

    fn note(&mut self, seq: Seq, digest: u64) {
        self.seen.insert(seq);
        if self.digests.len() == DIGESTS_KEPT {
            self.digests.pop_front();
        }
        self.digests.push_back((seq, digest));
    }
}

/// A set of seqs as sorted, disjoint, non-adjacent closed ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeqSet {
    ranges: Vec<(u64, u64)>,
}

impl SeqSet {
    pub fn contains(&self, seq: Seq) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= seq.0);
        after > 0 && seq.0 <= self.ranges[after - 1].1
    }

    fn meets(&self, range: &SeqRange) -> bool {
        self.ranges.iter().any(|&(first, last)| first <= range.last.0 && range.first.0 <= last)
    }

    pub fn insert(&mut self, seq: Seq) {
        let seq = seq.0;
        let after = self.ranges.partition_point(|&(first, _)| first <= seq);
        if after > 0 && seq <= self.ranges[after - 1].1 {
            return;
        }
        let joins_left = after > 0 && self.ranges[after - 1].1 + 1 == seq;
        let joins_right = self.ranges.get(after).is_some_and(|&(first, _)| Some(first) == seq.checked_add(1));
        match (joins_left, joins_right) {
            (true, true) => {
                self.ranges[after - 1].1 = self.ranges[after].1;
                self.ranges.remove(after);
            }
            (true, false) => self.ranges[after - 1].1 = seq,
            (false, true) => self.ranges[after].0 = seq,
            (false, false) => self.ranges.insert(after, (seq, seq)),
        }
    }

    pub fn last(&self) -> u64 {
        self.ranges.last().map_or(0, |&(_, last)| last)
    }

    pub fn missing(&self) -> u64 {
        let held: u64 = self.ranges.iter().map(|(first, last)| last - first + 1).sum();
        self.last() - held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const E: Epoch = Epoch(7);

    #[test]
    fn seqs_in_any_order_become_one_range() {
        let mut set = SeqSet::default();
        for seq in [5, 1, 3, 2, 4, 3, 9] {
            set.insert(Seq(seq));
        }
        assert_eq!(set.ranges, [(1, 5), (9, 9)]);
        assert_eq!(set.missing(), 3);
        assert!(set.contains(Seq(4)) && !set.contains(Seq(6)) && !set.contains(Seq(0)));
    }

    #[test]
    fn a_repeat_is_a_duplicate_and_other_bytes_are_a_conflict() {
        let mut lives = Lives::default();
        lives.insert(E, Seq(1), 11);
        assert_eq!(lives.sight(E, Seq(1), 11), Ok(Sighting::Duplicate));
        assert_eq!(lives.sight(E, Seq(1), 12), Ok(Sighting::Conflict));
        assert_eq!(lives.sight(E, Seq(2), 11), Ok(Sighting::New));
    }

    #[test]
    fn what_memory_dropped_is_asked_of_the_archive() {
        let mut lives = Lives::default();
        for epoch in 0..=EPOCHS_KEPT as u64 {
            lives.insert(Epoch(epoch), Seq(1), epoch);
        }
        lives.settle();
        assert_eq!(lives.sight(Epoch(0), Seq(1), 0), Err(Ask::Epoch(Epoch(0))));
        lives.recall_epoch(Epoch(0), [Seq(1)]);
        assert_eq!(lives.sight(Epoch(0), Seq(1), 0), Err(Ask::Digest(Epoch(0), Seq(1))));
        lives.recall_digest(Epoch(0), Seq(1), 0);
        assert_eq!(lives.sight(Epoch(0), Seq(1), 0), Ok(Sighting::Duplicate));
        lives.settle();
        assert_eq!(lives.sight(Epoch(0), Seq(1), 0), Err(Ask::Epoch(Epoch(0))));
        lives.recall_epoch(Epoch(99), []);
        assert_eq!(lives.sight(Epoch(99), Seq(1), 5), Ok(Sighting::New));
    }

    #[test]
    fn an_epoch_recalled_for_a_record_lasts_until_the_record_is_in() {
        let mut lives = Lives::default();
        for epoch in 0..=EPOCHS_KEPT as u64 {
            lives.insert(Epoch(epoch), Seq(1), epoch);
        }
        lives.settle();
        lives.recall_epoch(Epoch(0), [Seq(1)]);
        lives.insert_conflict(Epoch(500), Seq(2), 9);
        lives.insert(Epoch(0), Seq(3), 3);
        lives.recall_digest(Epoch(0), Seq(1), 0);
        assert_eq!(lives.sight(Epoch(0), Seq(1), 0), Ok(Sighting::Duplicate));
        assert_eq!(lives.missing(), 1, "a conflict's seq leaves no gap before it");
    }

    #[test]
    fn a_new_life_names_what_the_old_one_lost() {
        let mut lives = Lives::default();
        lives.insert(E, Seq(1), 1);
        lives.insert(E, Seq(3), 3);
        assert_eq!(lives.missing(), 1);
        assert_eq!(lives.unseen(&SeqRange { epoch: E, first: Seq(1), last: Seq(5) }), 2);
    }
}
