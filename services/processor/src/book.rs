//! All ledgers of a worker's partitions, and the rows they owe to the tables. Knows no disk and no clock.

use std::collections::{BTreeMap, HashMap};

use medfleet_domain::alert::record::Life;
use medfleet_domain::dedup::Sighting;
use medfleet_domain::fact::Body;
use medfleet_domain::id::Subject;
use medfleet_domain::ledger::{Admitted, Ledger, Needs};
use medfleet_lake::{Cause, cause_topic};
use medfleet_log::{Partition, Record};
use serde::{Deserialize, Serialize};

use crate::chronicle;
use crate::error::ProcessorError;
use crate::rows::{Pending, Wanted};
use crate::told::Told;

/// Where a record stands, and when the log took it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub home: Partition,
    pub offset: u64,
    pub appended_at_micros: i64,
}

/// Facts counted by what became of them: appended = new + duplicate + conflict, always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub appended: u64,
    pub new: u64,
    pub duplicate: u64,
    pub conflict: u64,
    pub suspect: u64,
}

impl Counts {
    /// INV-4, the processor's half.
    pub const fn balance(&self) -> bool {
        self.appended == self.new + self.duplicate + self.conflict
    }

    fn count(&mut self, admitted: &Admitted) {
        for filed in &admitted.filed {
            self.appended += 1;
            self.suspect += u64::from(filed.suspect);
            match filed.verdict {
                Sighting::New => self.new += 1,
                Sighting::Duplicate => self.duplicate += 1,
                Sighting::Conflict => self.conflict += 1,
            }
        }
    }
}

/// What a worker remembers; its snapshot is exactly this.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    pub ledgers: HashMap<Subject, Ledger>,
    /// IANA zone of every site defined so far, as first defined: rollups would not fold to the same rows with another.
    pub zones: BTreeMap<String, String>,
    /// The desk whose words about alerts count.
    pub desk: Option<Life>,
}

/// The ledgers of a worker, the rows not yet flushed and the offsets they reach.
#[derive(Debug, Default)]
pub struct Book {
    pub memory: Memory,
    pub pending: Pending,
    /// Next offset of every partition read so far.
    pub next: BTreeMap<Partition, u64>,
    /// Greatest append time seen of every partition.
    pub appended_max: BTreeMap<Partition, i64>,
    pub counts: Counts,
    /// Subjects whose facts came in since the last commit.
    touched: Vec<Subject>,
    /// Facts that came in since the last commit.
    fresh_facts: usize,
    wanted: Wanted,
}

/// What a book owes to the tables: rows, and the offsets they reach.
#[derive(Debug, Default)]
pub struct Owed {
    pub pending: Pending,
    pub facts: usize,
    pub next: BTreeMap<Partition, u64>,
    pub appended_max: BTreeMap<Partition, i64>,
    pub zones: BTreeMap<String, String>,
}

impl Book {
    /// A book that goes on from a snapshot.
    pub fn remembering(memory: Memory) -> Self {
        Self { memory, ..Self::default() }
    }

    /// Makes only some rows, for a rebuild.
    pub fn making(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }

    /// Takes one record in. On a need nothing has changed: answer it and admit the record again.
    pub fn admit(&mut self, told: &Told) -> Result<(), Needs> {
        let place = told.place;
        let entry = self.memory.ledgers.entry(told.subject().clone());
        // As the ledger knows it: rows of all its records share one name.
        let subject = &entry.key().clone();
        let ledger = entry.or_insert_with(|| self.wanted.ledger());
        let admitted = ledger.take(told.sift(ledger)?)?;
        self.counts.count(&admitted);
        if self.wanted.includes("facts") {
            self.pending.facts.extend(told.fact_rows(&admitted.filed));
        }
        self.pending.push_entries(subject, admitted.entries, cause(place), &self.wanted);
        self.fresh_facts += told.fact_count();
        for fact in told.facts() {
            if let Body::SiteDefined(site) = &fact.body {
                let zone = self.memory.zones.entry(subject.name().to_owned());
                zone.or_insert_with(|| site.time_zone.clone());
            }
        }
        if self.touched.last() != Some(subject) {
            self.touched.push(subject.clone());
        }
        self.reached(place);
        Ok(())
    }

    /// Takes in a record of the topics that are told as they stand.
    pub fn hear(&mut self, home: Partition, record: &Record) -> Result<(), ProcessorError> {
        chronicle::hear(&mut self.memory.desk, &mut self.pending, home, record)?;
        self.reached(Place { home, offset: record.offset, appended_at_micros: record.appended_at_micros });
        Ok(())
    }

    fn reached(&mut self, place: Place) {
        self.next.insert(place.home, place.offset + 1);
        let newest = self.appended_max.entry(place.home).or_insert(i64::MIN);
        *newest = (*newest).max(place.appended_at_micros);
    }

    /// So much waits that a flush is due: rows, or facts whose days ledgers keep until then.
    pub fn is_full(&self, rows: usize) -> bool {
        self.pending.len().max(self.fresh_facts) >= rows
    }

    /// Takes away what the tables are owed.
    pub fn owed(&mut self) -> Owed {
        Owed {
            pending: std::mem::take(&mut self.pending),
            facts: std::mem::take(&mut self.fresh_facts),
            next: self.next.clone(),
            appended_max: self.appended_max.clone(),
            zones: self.memory.zones.clone(),
        }
    }

    /// What was owed until now is in the archive, or will be before anybody asks it: lets ledgers drop what can be read back.
    pub fn committed(&mut self) {
        for subject in self.touched.drain(..) {
            if let Some(ledger) = self.memory.ledgers.get_mut(&subject) {
                ledger.committed();
            }
        }
    }
}

/// The number a topic has in causes.
pub fn topic_code(home: Partition) -> i8 {
    cause_topic(home.topic.name()).expect("every topic that a worker reads has a number in causes")
}

pub fn cause(place: Place) -> Cause {
    Cause {
        topic: topic_code(place.home),
        partition: place.home.partition.cast_signed(),
        offset: place.offset.cast_signed(),
        index: 0,
    }
}
