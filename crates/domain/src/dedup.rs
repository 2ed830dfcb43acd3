//! Which facts of a subject have been seen: identity is given once, and equal identity with other bytes is a conflict.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::id::{Epoch, Seq, SeqRange};

/// Epochs remembered per subject over a commit; a fact of an older one costs a look-up in the archive.
pub const EPOCHS_KEPT: usize = 64;
/// Digests remembered per epoch over a commit; a repeat of an older fact costs a look-up in the archive.
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

/// This epoch was written long ago: the archive must say what it holds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten(pub Epoch);

impl From<Forgotten> for Ask {
    fn from(Forgotten(epoch): Forgotten) -> Self {
        Self::Epoch(epoch)
    }
}

/// The lives of one subject's writers, as far as they were seen. What was noted or looked up since the last commit is all
/// in memory, so the archive is only asked about what it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lives {
    /// Most recently written last.
    kept: VecDeque<Life>,
    /// Some epoch has been dropped from `kept`, so that absence from memory proves nothing.
    forgot: bool,
    /// Epochs looked up in the archive since the last commit, found absent, and not written since.
    #[serde(skip)]
    absent: BTreeSet<Epoch>,
    /// Digests looked up in the archive since the last commit.
    #[serde(skip)]
    recalled: BTreeMap<(Epoch, Seq), u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Life {
    epoch: Epoch,
    seen: SeqSet,
    digests: Digests,
    /// Holds facts under the seqs of another epoch (a conflict, copies of a place's facts), so that gaps mean nothing.
    borrowed: bool,
}

impl Lives {
    /// Judges one fact. Changes nothing.
    pub fn sight(&self, epoch: Epoch, seq: Seq, digest: u64) -> Result<Sighting, Ask> {
        let Some(life) = self.life(epoch)?.filter(|life| life.seen.contains(seq)) else { return Ok(Sighting::New) };
        let looked_up = || self.recalled.get(&(epoch, seq)).copied();
        match life.digests.get(seq).or_else(looked_up) {
            Some(known) if known == digest => Ok(Sighting::Duplicate),
            Some(_) => Ok(Sighting::Conflict),
            None => Err(Ask::Digest(epoch, seq)),
        }
    }

    /// What is known of an epoch; a forgotten one must be recalled first.
    fn life(&self, epoch: Epoch) -> Result<Option<&Life>, Forgotten> {
        let known = self.kept.iter().rev().find(|life| life.epoch == epoch);
        if known.is_none() && self.forgot && !self.absent.contains(&epoch) {
            return Err(Forgotten(epoch));
        }
        Ok(known)
    }

    /// Whether a fact of this epoch can be noted: what was seen of a forgotten one must be recalled first.
    pub fn can_note(&self, epoch: Epoch) -> Result<(), Forgotten> {
        self.life(epoch).map(drop)
    }

    pub fn has_seen(&self, epoch: Epoch, seq: Seq) -> bool {
        self.kept.iter().any(|life| life.epoch == epoch && life.seen.contains(seq))
    }

    /// Whether any fact of this range was seen; a forgotten epoch must be recalled first.
    pub fn has_seen_any(&self, range: &SeqRange) -> Result<bool, Forgotten> {
        Ok(self.life(range.epoch)?.is_some_and(|life| life.seen.meets(range)))
    }

    /// Notes a fact. Limits wait for [`Lives::settle`]: only what is archived may be forgotten.
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
        self.absent.remove(&epoch);
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
            self.absent.insert(epoch);
        } else if self.kept.iter().all(|life| life.epoch != epoch) {
            self.kept.push_front(Life::new(epoch, seen));
        }
    }

    /// The archive's answer to [`Ask::Digest`].
    pub fn recall_digest(&mut self, epoch: Epoch, seq: Seq, digest: u64) {
        self.recalled.insert((epoch, seq), digest);
    }

    /// Once everything noted is archived: drops what was only looked up, and what exceeds the limits.
    pub fn settle(&mut self, epochs_kept: usize, digests_kept: usize) {
        self.absent.clear();
        self.recalled.clear();
        self.kept.iter_mut().for_each(|life| life.digests.keep_latest(digests_kept));
        while self.kept.len() > epochs_kept {
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
        Self { epoch, seen, digests: Digests::default(), borrowed: epoch.holds_copies() }
    }

    fn note(&mut self, seq: Seq, digest: u64) {
        self.seen.insert(seq);
        self.digests.push(seq, digest);
    }
}

/// Digests in order of arrival, as runs of contiguous seqs: a writer that tells in order costs one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Digests {
    runs: VecDeque<(u64, Vec<u64>)>,
}

impl Digests {
    fn push(&mut self, seq: Seq, digest: u64) {
        match self.runs.back_mut() {
            Some((first, run)) if *first + run.len() as u64 == seq.0 => run.push(digest),
            _ => self.runs.push_back((seq.0, vec![digest])),
        }
    }

    fn get(&self, seq: Seq) -> Option<u64> {
        let within =
            |(first, run): &(u64, Vec<u64>)| run.get(usize::try_from(seq.0.checked_sub(*first)?).ok()?).copied();
        self.runs.iter().rev().find_map(within)
    }

    fn keep_latest(&mut self, count: usize) {
        let held: usize = self.runs.iter().map(|(_, run)| run.len()).sum();
        let mut excess = held.saturating_sub(count);
        while let Some((first, run)) = self.runs.front_mut().filter(|_| excess > 0) {
            let cut = excess.min(run.len());
            run.drain(..cut);
            *first += cut as u64;
            excess -= cut;
            if run.is_empty() {
                self.runs.pop_front();
            }
        }
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

    fn settle(lives: &mut Lives) {
        lives.settle(EPOCHS_KEPT, DIGESTS_KEPT);
    }

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
        settle(&mut lives);
        assert_eq!(lives.sight(Epoch(0), Seq(1), 0), Err(Ask::Epoch(Epoch(0))));
        lives.recall_epoch(Epoch(0), [Seq(1)]);
        assert_eq!(lives.sight(Epoch(0), Seq(1), 0), Err(Ask::Digest(Epoch(0), Seq(1))));
        lives.recall_digest(Epoch(0), Seq(1), 0);
        assert_eq!(lives.sight(Epoch(0), Seq(1), 0), Ok(Sighting::Duplicate));
        settle(&mut lives);
        assert_eq!(lives.sight(Epoch(0), Seq(1), 0), Err(Ask::Epoch(Epoch(0))));
        lives.recall_epoch(Epoch(99), []);
        assert_eq!(lives.sight(Epoch(99), Seq(1), 5), Ok(Sighting::New));
    }

    #[test]
    fn what_is_not_archived_yet_is_never_asked_for() {
        let mut lives = Lives::default();
        let facts = 3 * DIGESTS_KEPT as u64;
        (1..=facts).for_each(|seq| lives.insert(E, Seq(seq), seq));
        assert_eq!(lives.sight(E, Seq(1), 1), Ok(Sighting::Duplicate));
        settle(&mut lives);
        let kept = facts - DIGESTS_KEPT as u64;
        assert_eq!(lives.sight(E, Seq(kept), kept), Err(Ask::Digest(E, Seq(kept))));
        assert_eq!(lives.sight(E, Seq(kept + 1), kept + 1), Ok(Sighting::Duplicate));
        assert_eq!(lives.sight(E, Seq(facts), 0), Ok(Sighting::Conflict));
    }

    #[test]
    fn an_epoch_found_absent_and_then_written_is_asked_for_once_forgotten() {
        let mut lives = Lives::default();
        let crowd = |from: u64| (from..=from + EPOCHS_KEPT as u64).map(Epoch);
        crowd(100).for_each(|epoch| lives.insert(epoch, Seq(1), 0));
        settle(&mut lives);
        lives.recall_epoch(E, []);
        lives.insert(E, Seq(1), 1);
        crowd(300).for_each(|epoch| lives.insert(epoch, Seq(1), 0));
        assert_eq!(lives.sight(E, Seq(1), 1), Ok(Sighting::Duplicate), "nothing goes before the commit");
        settle(&mut lives);
        assert_eq!(lives.sight(E, Seq(1), 1), Err(Ask::Epoch(E)));
    }

    #[test]
    fn digests_in_any_order_are_found_and_the_latest_told_are_kept() {
        let mut digests = Digests::default();
        [5, 6, 7, 1, 2, 9].iter().for_each(|seq| digests.push(Seq(*seq), seq * 10));
        assert_eq!(digests.runs.len(), 3);
        assert_eq!([1, 2, 5, 7, 9].map(|seq| digests.get(Seq(seq))), [10, 20, 50, 70, 90].map(Some));
        assert_eq!([0, 3, 8, u64::MAX].map(|seq| digests.get(Seq(seq))), [None; 4]);
        digests.keep_latest(4);
        assert_eq!([5, 6, 7, 1].map(|seq| digests.get(Seq(seq))), [None, None, Some(70), Some(10)]);
    }

    #[test]
    fn an_epoch_recalled_for_a_record_lasts_until_the_record_is_in() {
        let mut lives = Lives::default();
        for epoch in 0..=EPOCHS_KEPT as u64 {
            lives.insert(Epoch(epoch), Seq(1), epoch);
        }
        settle(&mut lives);
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
