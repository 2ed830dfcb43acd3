//! What is still to be told: the facts a source has, less those it was told before. Pure.
//!
//! A source speaks of a subject in one epoch for ever, under seqs 1, 2, 3, …: a fact it was told before is not told again, whatever
//! file it comes from, and a fact it no longer has can be withdrawn by its seq.

use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::fact::{Amendment, Body, Fact, Run, Sealed, Source};
use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;

/// Facts in one run.
pub const RUN_MAX_FACTS: usize = 1_000;
/// Bytes of the facts in one run, well below what a record of the log may have.
pub const RUN_MAX_BYTES: usize = 256 << 10;

/// The life of a source's word about a subject.
pub fn epoch(source: &str, subject: &Subject) -> Epoch {
    Epoch::derived(&[b"import", source.as_bytes(), subject.key().as_bytes()])
}

/// A fact that was told, by what it says and not by its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ToldFact {
    digest: u64,
    seq: u64,
}

/// What the log was told by this source of one subject, in the order of seqs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The digest of each seq from 1 on; None where it says nothing any more: withdrawn, or itself a withdrawal.
    digests: Vec<Option<u64>>,
}

impl Told {
    /// Takes in a run of this source's epoch, as it stands in the log.
    pub fn hear(&mut self, run: &Run) {
        for (sealed, seq) in run.facts.iter().zip(run.first_seq.0..) {
            let Some(place) = usize::try_from(seq).ok().and_then(|seq| seq.checked_sub(1)) else { continue };
            if self.digests.len() > place && self.digests[place].is_some() {
                continue;
            }
            self.digests.resize(self.digests.len().max(place + 1), None);
            match &sealed.fact.body {
                Body::Amended(amendment) => self.withdraw(run.epoch, amendment),
                _ => self.digests[place] = Some(digest(&run.site, run.kind, &sealed.bytes)),
            }
        }
    }

    fn withdraw(&mut self, epoch: Epoch, amendment: &Amendment) {
        let Amendment { target, replacement: None, .. } = amendment else { return };
        let place = |seq: Seq| usize::try_from(seq.0).unwrap_or(usize::MAX);
        let (first, last) = (place(target.first).max(1), place(target.last).min(self.digests.len()));
        if target.epoch == epoch && first <= last {
            self.digests[first - 1..last].fill(None);
        }
    }
}

/// Facts of one subject on their way into the log, each unless it was told before.
#[derive(Debug)]
pub struct Teller {
    subject: Subject,
    site: SiteId,
    kind: DeviceKind,
    epoch: Epoch,
    next: Seq,
    /// Told before and not yet said again: sorted, each with whether it was.
    before: Vec<(ToldFact, bool)>,
    /// Facts said again.
    pub again: u64,
}

impl Teller {
    pub fn new(source: &str, subject: Subject, site: SiteId, kind: DeviceKind, told: Told) -> Self {
        let next = Seq(told.digests.len() as u64 + 1);
        let facts =
            told.digests.into_iter().zip(1..).filter_map(|(digest, seq)| digest.map(|digest| ToldFact { digest, seq }));
        let mut before: Vec<(ToldFact, bool)> = facts.map(|fact| (fact, false)).collect();
        before.sort_unstable();
        Self { epoch: epoch(source, &subject), subject, site, kind, next, before, again: 0 }
    }

    /// The facts that were not told before, as runs that every reader takes, in their order.
    pub fn tell(&mut self, facts: impl IntoIterator<Item = Sealed>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut held_bytes = 0;
        for sealed in facts {
            if self.was_told(digest(&self.site, self.kind, &sealed.bytes)) {
                self.again += 1;
                continue;
            }
            held_bytes += sealed.bytes.len();
            match runs.last_mut() {
                Some(run) if run.facts.len() < RUN_MAX_FACTS && held_bytes <= RUN_MAX_BYTES => run.facts.push(sealed),
                _ => {
                    held_bytes = sealed.bytes.len();
                    let (subject, site) = (self.subject.clone(), self.site.clone());
                    let (epoch, kind, first_seq) = (self.epoch, self.kind, self.next);
                    runs.push(Run { subject, epoch, first_seq, site, kind, agent: None, facts: vec![sealed] });
                }
            }
            self.next = Seq(self.next.0 + 1);
        }
        runs
    }

    /// Whether this fact was told before. Each telling is used once: two equal facts are two.
    fn was_told(&mut self, digest: u64) -> bool {
        let from = self.before.partition_point(|(fact, _)| fact.digest < digest);
        let equal = self.before[from..].iter_mut().take_while(|(fact, _)| fact.digest == digest);
        match equal.into_iter().find(|(_, said)| !said) {
            Some((_, said)) => {
                *said = true;
                true
            }
            None => false,
        }
    }

    /// What was told before and not said again, as ranges of seqs.
    pub fn unsaid(&self) -> Vec<SeqRange> {
        let mut seqs: Vec<u64> = self.before.iter().filter(|(_, said)| !said).map(|(fact, _)| fact.seq).collect();
        seqs.sort_unstable();
        let mut ranges: Vec<SeqRange> = Vec::new();
        for seq in seqs {
            match ranges.last_mut() {
                Some(range) if range.last.0 + 1 == seq => range.last = Seq(seq),
                _ => ranges.push(SeqRange { epoch: self.epoch, first: Seq(seq), last: Seq(seq) }),
            }
        }
        ranges
    }

    /// Withdraws what was not said again. To be asked for last.
    pub fn withdraw(&mut self, source: &str, kind: SourceKind, now: Timestamp) -> Vec<Run> {
        let void = |target| {
            let body = Body::Amended(Box::new(Amendment {
                target,
                replacement: None,
                author: source.to_owned(),
                reason: "no longer in the tables of this source".to_owned(),
            }));
            let source = Source { kind, name: source.to_owned() };
            let fact = Fact { at: now, known_at: now, known_assumed: false, clock: Clock::Holdover, source, body };
            medfleet_wire::seal(fact)
        };
        let voids: Vec<Sealed> = self.unsaid().into_iter().map(void).collect();
        self.tell(voids)
    }
}

/// What a fact says and where: equal for facts that no reader could tell apart.
fn digest(site: &SiteId, kind: DeviceKind, bytes: &[u8]) -> u64 {
    Epoch::derived(&[site.as_str().as_bytes(), kind.as_str().as_bytes(), bytes]).0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "cmms";

    fn fact(second: i64) -> Sealed {
        let at = Timestamp::from_seconds(1_700_000_000 + second);
        let source = Source { kind: SourceKind::Record, name: SOURCE.into() };
        medfleet_wire::seal(Fact {
            at,
            known_at: at,
            known_assumed: true,
            clock: Clock::Holdover,
            source,
            body: Body::Heartbeat(None),
        })
    }

    fn teller(told: Told) -> Teller {
        let subject = Subject::new(medfleet_domain::id::SubjectKind::Device, "ct-1").unwrap();
        Teller::new(SOURCE, subject, SiteId::new("main").unwrap(), DeviceKind::Ct, told)
    }

    /// One import: what it sends to a log that has heard `log`.
    fn import(log: &[Run], facts: &[i64]) -> Vec<Run> {
        let mut told = Told::default();
        log.iter().for_each(|run| told.hear(run));
        let mut teller = teller(told);
        let mut runs = teller.tell(facts.iter().copied().map(fact));
        runs.extend(teller.withdraw(SOURCE, SourceKind::Record, Timestamp::from_seconds(1_800_000_000)));
        runs
    }

    fn seqs(runs: &[Run]) -> Vec<(u64, usize)> {
        runs.iter().map(|run| (run.first_seq.0, run.facts.len())).collect()
    }

    #[test]
    fn the_same_facts_again_tell_nothing_and_new_ones_are_told_under_the_next_seqs() {
        let first = import(&[], &[1, 2, 2, 3]);
        assert_eq!(seqs(&first), [(1, 4)]);
        assert_eq!(import(&first, &[3, 2, 1, 2]), []);
        let grown = import(&first, &[1, 5, 2, 2, 3, 4]);
        assert_eq!(seqs(&grown), [(5, 2)]);
        assert_eq!(import(&[first, grown].concat(), &[1, 2, 2, 3, 4, 5]), []);
    }

    #[test]
    fn what_is_gone_is_withdrawn_once_by_ranges_and_may_come_back() {
        let first = import(&[], &[1, 2, 3, 4, 5]);
        let shrunk = import(&first, &[1, 4]);
        let targets: Vec<_> = shrunk[0]
            .facts
            .iter()
            .filter_map(|sealed| match &sealed.fact.body {
                Body::Amended(void) => Some((void.target.first.0, void.target.last.0)),
                _ => None,
            })
            .collect();
        assert_eq!(targets, [(2, 3), (5, 5)]);
        let log = [first, shrunk].concat();
        assert_eq!(import(&log, &[1, 4]), []);
        assert_eq!(seqs(&import(&log, &[1, 2, 4])), [(8, 1)]);
    }

    #[test]
    fn an_import_that_was_cut_off_is_finished_by_the_next() {
        let mut first = import(&[], &[1, 2, 3]);
        first[0].facts.truncate(2);
        assert_eq!(seqs(&import(&first, &[1, 2, 3])), [(3, 1)]);
    }

    #[test]
    fn a_record_that_is_in_the_log_twice_was_told_once() {
        let first = import(&[], &[1, 2]);
        assert_eq!(import(&[first.clone(), first].concat(), &[1, 2]), []);
    }

    #[test]
    fn the_same_fact_at_another_site_is_another_fact() {
        let first = import(&[], &[1]);
        let mut told = Told::default();
        first.iter().for_each(|run| told.hear(run));
        let mut moved = Teller { site: SiteId::new("north").unwrap(), ..teller(told) };
        assert_eq!(seqs(&moved.tell([fact(1)])), [(2, 1)]);
    }
}
