//! A ledger beside a test archive of everything filed: answers each `Need` as a processor answers from the facts table.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::dedup::Sighting;
use medfleet_domain::entry::{Entry, Row};
use medfleet_domain::fact::Run;
use medfleet_domain::held::Held;
use medfleet_domain::id::Seq;
use medfleet_domain::ledger::{Ledger, Need};

/// More questions than this about one record mean that answers do not help.
const QUESTIONS_MAX: usize = 1_000;

#[derive(Default)]
pub struct Book {
    pub ledger: Ledger,
    filed: Vec<(Held, u64)>,
    /// All entries so far, summed.
    pub net: BTreeMap<Row, i64>,
    pub verdicts: [u64; 3],
    pub questions: usize,
}

impl Book {
    /// Admits a record, answering what the ledger asks.
    pub fn admit(&mut self, run: &Run) -> Vec<Entry> {
        self.admit_doubting(run, &[])
    }

    /// Admits a record of which ingest found these seqs implausible.
    pub fn admit_doubting(&mut self, run: &Run, implausible: &[Seq]) -> Vec<Entry> {
        let mut asked = Vec::new();
        let admitted = loop {
            match self.ledger.admit(run, implausible) {
                Ok(admitted) => break admitted,
                Err(need) => {
                    assert!(asked.len() < QUESTIONS_MAX, "asked in circles: {need:?}");
                    asked.push(need);
                    self.answer(need);
                }
            }
        };
        self.questions += asked.len();
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

    /// Everything admitted is archived: memory may let it go.
    pub fn commit(&mut self) {
        self.ledger.committed();
    }

    /// Through a snapshot and back.
    pub fn restart(&mut self) {
        let bytes = postcard::to_allocvec(&self.ledger).expect("a ledger can be written");
        self.ledger = postcard::from_bytes(&bytes).expect("a ledger can be read back");
    }

    fn answer(&mut self, need: Need) {
        let daily = || self.filed.iter().map(|(held, _)| held).filter(|held| held.body.is_daily());
        match need {
            Need::Day(day) => {
                let facts = daily().filter(|held| held.day() == day).cloned().collect();
                self.ledger.supply_day(day, facts);
            }
            Need::Located(range) => {
                let named = daily().filter(|held| range.contains(held.epoch, held.seq));
                let days: BTreeSet<_> = named.map(Held::day).collect();
                self.ledger.supply_located(range, days.into_iter().collect());
            }
            Need::Epoch(epoch) => {
                let seqs = self.filed.iter().filter(|(held, _)| held.epoch == epoch).map(|(held, _)| held.seq);
                self.ledger.supply_epoch(epoch, seqs);
            }
            Need::Digest(epoch, seq) => {
                let found = self.filed.iter().find(|(held, _)| (held.epoch, held.seq) == (epoch, seq));
                let digest = found.map(|(_, digest)| *digest).expect("only digests of filed facts are asked for");
                self.ledger.supply_digest(epoch, seq, digest);
            }
        }
    }
}
