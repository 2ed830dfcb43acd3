//! A ledger beside a test archive: answers its needs as a processor answers from the facts table.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::dedup::Sighting;
use medfleet_domain::entry::{Entry, Row};
use medfleet_domain::fact::Run;
use medfleet_domain::held::Held;
use medfleet_domain::id::Seq;
use medfleet_domain::ledger::{Filed, Ledger, Limits, Needs};

/// More questions than this about one record mean that answers do not help.
const QUESTIONS_MAX: usize = 1_000;

/// What the archive holds of the facts filed so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Archived {
    /// Only what was committed in this life.
    #[default]
    Committed,
    /// Everything: a life before this one had come further and died.
    Everything,
}

/// Questions by what they ask for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kinds {
    pub days: usize,
    pub located: usize,
    pub epochs: usize,
    pub digests: usize,
}

impl std::ops::AddAssign for Kinds {
    fn add_assign(&mut self, more: Self) {
        self.days += more.days;
        self.located += more.located;
        self.epochs += more.epochs;
        self.digests += more.digests;
    }
}

#[derive(Default)]
pub struct Book {
    pub ledger: Ledger,
    filed: Vec<(Held, u64)>,
    committed: usize,
    pub archived: Archived,
    pub limits: Limits,
    /// What became of each fact of the last record.
    pub last_filed: Vec<Filed>,
    /// All entries so far, summed.
    pub net: BTreeMap<Row, i64>,
    pub verdicts: [u64; 3],
    pub questions: usize,
    pub asked_for: Kinds,
}

impl Book {
    /// Remembers so little once it commits that nearly everything must be asked for.
    pub fn forgetful(archived: Archived) -> Self {
        Self { archived, limits: Limits { days: 0, recent_days: 0, epochs: 1, digests: 1 }, ..Self::default() }
    }

    /// Admits a record, answering what the ledger asks.
    pub fn admit(&mut self, run: &Run) -> Vec<Entry> {
        self.admit_doubting(run, &[])
    }

    /// Admits a record of which ingest found these seqs implausible.
    pub fn admit_doubting(&mut self, run: &Run, implausible: &[Seq]) -> Vec<Entry> {
        let mut asked = 0;
        let admitted = loop {
            match self.ledger.admit(run, implausible) {
                Ok(admitted) => break admitted,
                Err(needs) => {
                    assert!(!needs.is_empty(), "asked for nothing");
                    assert!(asked < QUESTIONS_MAX, "asked in circles: {needs:?}");
                    asked += 1;
                    self.answer(needs);
                }
            }
        };
        self.questions += asked;
        self.last_filed.clone_from(&admitted.filed);
        for (filed, sealed) in admitted.filed.iter().zip(&run.facts) {
            let verdict = match filed.verdict {
                Sighting::New => 0,
                Sighting::Duplicate => 1,
                Sighting::Conflict => 2,
            };
            self.verdicts[verdict] += 1;
            if filed.verdict != Sighting::Duplicate {
                self.filed.push((Held::new(run, filed, &sealed.fact), filed.digest));
            }
        }
        for entry in &admitted.entries {
            *self.net.entry(entry.row.clone()).or_default() += entry.weight;
        }
        self.net.retain(|_, weight| *weight != 0);
        admitted.entries
    }

    /// Answers ahead what these records will need, before any of them is in.
    pub fn look_ahead(&mut self, records: &[Run]) {
        for run in records {
            let needs = self.ledger.foresee(run, &[]);
            self.answer(needs);
        }
    }

    /// Everything admitted is archived: memory may let it go.
    pub fn commit(&mut self) {
        self.committed = self.filed.len();
        self.ledger.committed_within(self.limits);
    }

    /// Through a snapshot and back.
    pub fn restart(&mut self) {
        let bytes = postcard::to_allocvec(&self.ledger).expect("a ledger can be written");
        self.ledger = postcard::from_bytes(&bytes).expect("a ledger can be read back");
    }

    fn answer(&mut self, needs: Needs) {
        self.asked_for += Kinds {
            days: needs.days.len(),
            located: needs.located.len(),
            epochs: needs.epochs.len(),
            digests: needs.digests.len(),
        };
        let archived = match self.archived {
            Archived::Committed => &self.filed[..self.committed],
            Archived::Everything => &self.filed[..],
        };
        let daily = || archived.iter().map(|(held, _)| held).filter(|held| held.body.is_daily());
        for day in needs.days {
            let facts = daily().filter(|held| held.day() == day).cloned().collect();
            self.ledger.supply_day(day, facts);
        }
        for range in needs.located {
            let days: BTreeSet<_> =
                daily().filter(|held| range.contains(held.epoch, held.seq)).map(Held::day).collect();
            self.ledger.supply_located(range, days.into_iter().collect());
        }
        for epoch in needs.epochs {
            let seqs = archived.iter().filter(|(held, _)| held.epoch == epoch).map(|(held, _)| held.seq);
            self.ledger.supply_epoch(epoch, seqs);
        }
        for range in needs.digests {
            let found: Vec<_> = archived.iter().filter(|(held, _)| range.contains(held.epoch, held.seq)).collect();
            let asked = range.count();
            assert_eq!(found.len() as u64, asked, "only digests of archived facts are asked for");
            found.iter().for_each(|(held, digest)| self.ledger.supply_digest(held.epoch, held.seq, *digest));
        }
    }

    /// Admits a record as the archive has it: told apart already, without the bytes of what was repeated.
    pub fn admit_archived(&mut self, run: &Run, filed: &[Filed]) -> Vec<Entry> {
        let told = || filed.iter().zip(&run.facts).filter(|(filed, _)| filed.verdict != Sighting::Duplicate);
        let fresh = || told().map(|(filed, sealed)| Held::new(run, filed, &sealed.fact)).collect::<Vec<_>>();
        for _ in 0..QUESTIONS_MAX {
            let sifted = self.ledger.sift_archived(filed.to_vec(), fresh());
            match sifted.and_then(|sifted| self.ledger.take(sifted)) {
                Ok(admitted) => {
                    self.filed.extend(fresh().into_iter().zip(told().map(|(filed, _)| filed.digest)));
                    return admitted.entries;
                }
                Err(needs) => self.answer(needs),
            }
        }
        panic!("asked in circles");
    }
}
