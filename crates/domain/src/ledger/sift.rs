//! The first half of admitting a record: which of its facts are new. It changes nothing.

use super::{Filed, Ledger, Needs};
use crate::condition::Clock;
use crate::dedup::{Ask, Sighting};
use crate::fact::{Run, Sealed};
use crate::held::Held;
use crate::id::{Epoch, Seq};
use crate::time::Day;

/// A record whose facts are told apart: every one filed, and those not seen before.
#[derive(Debug)]
pub struct Sifted {
    pub(super) filed: Vec<Filed>,
    pub(super) fresh: Vec<Held>,
    /// Days of facts that are new and not kept.
    pub(super) passed: Vec<Day>,
}

impl Ledger {
    /// Tells new facts from repeated ones. `implausible` are seqs whose time ingest could not believe.
    pub fn sift(&self, run: &Run, implausible: &[Seq]) -> Result<Sifted, Needs> {
        let filed = self.file(run, implausible)?;
        let told = filed.iter().zip(&run.facts).filter(|(filed, _)| filed.verdict != Sighting::Duplicate);
        let with_amendment = self.heeds_amendment_of(run);
        let (mut fresh, mut passed) = (Vec::with_capacity(filed.len()), Vec::new());
        for (filed, Sealed { fact, .. }) in told {
            match self.passes(&fact.body, with_amendment) {
                false => fresh.push(Held::new(run, filed, fact)),
                true if passed.last() != Some(&fact.at.day()) && !filed.suspect => passed.push(fact.at.day()),
                true => {}
            }
        }
        Ok(Sifted { filed, fresh, passed })
    }

    /// A record read back from the archive: its facts were told apart when it was admitted first.
    pub fn sift_archived(&self, filed: Vec<Filed>, fresh: Vec<Held>) -> Result<Sifted, Needs> {
        let needs = self.unknown_lives(&fresh);
        let with_amendment = self.is_passing() && fresh.iter().any(|held| held.amended().is_some());
        let (passed, fresh): (Vec<_>, Vec<_>) =
            fresh.into_iter().partition(|held| self.passes(&held.body, with_amendment));
        let passed = passed.iter().filter(|held| held.folds()).map(Held::day).collect();
        needs.or(Sifted { filed, fresh, passed })
    }

    /// What a record will need, so that many records' needs can be answered at once.
    pub fn foresee(&self, run: &Run, implausible: &[Seq]) -> Needs {
        let filed = match self.file(run, implausible) {
            Ok(filed) => filed,
            Err(needs) => return needs,
        };
        let mut needs = Needs::default();
        let with_amendment = self.heeds_amendment_of(run);
        let fresh = filed.iter().zip(&run.facts).filter(|(filed, _)| filed.verdict != Sighting::Duplicate);
        let kept = fresh.filter(|(filed, sealed)| !filed.suspect && !self.passes(&sealed.fact.body, with_amendment));
        for (_, Sealed { fact, .. }) in kept {
            self.foresee_fact(fact.at, &fact.body, &mut needs);
        }
        needs
    }

    /// What a record read back from the archive will need.
    pub fn foresee_archived(&self, fresh: &[Held]) -> Needs {
        let mut needs = self.unknown_lives(fresh);
        fresh.iter().filter(|held| held.counts()).for_each(|held| self.foresee_fact(held.at, &held.body, &mut needs));
        needs
    }

    /// Forgotten epochs to which these facts will be noted.
    fn unknown_lives(&self, fresh: &[Held]) -> Needs {
        let mut needs = Needs::default();
        for held in fresh {
            needs.gather(self.lives.can_note(held.epoch));
        }
        needs
    }

    fn file(&self, run: &Run, implausible: &[Seq]) -> Result<Vec<Filed>, Needs> {
        let mut needs = Needs::default();
        let mut filed = Vec::with_capacity(run.facts.len());
        for (seq, sealed) in (run.first_seq.0..=u64::MAX).map(Seq).zip(&run.facts) {
            let suspect = sealed.fact.clock == Clock::Suspect || implausible.contains(&seq);
            let digest = sealed.digest();
            match self.identify(run.epoch, seq, sealed, digest) {
                Ok((epoch, verdict)) => filed.push(Filed { epoch, seq, verdict, suspect, digest }),
                Err(ask) => needs.ask(ask, sealed.fact.at.day()),
            }
        }
        needs.or(filed)
    }

    /// The epoch a fact is filed under, and what it is there. Equal identity with other bytes has an epoch of its own.
    fn identify(&self, epoch: Epoch, seq: Seq, sealed: &Sealed, digest: u64) -> Result<(Epoch, Sighting), Ask> {
        match self.lives.sight(epoch, seq, digest)? {
            Sighting::Conflict => {
                let own = Epoch::derived(&[b"conflict", &epoch.0.to_le_bytes(), &sealed.bytes]);
                match self.lives.sight(own, seq, digest)? {
                    Sighting::New => Ok((own, Sighting::Conflict)),
                    seen => Ok((own, seen)),
                }
            }
            verdict => Ok((epoch, verdict)),
        }
    }
}
