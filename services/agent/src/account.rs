//! What the journal holds, in facts and bytes: what the agent's heartbeat says of it.

use medfleet_domain::fact::JournalState;
use medfleet_domain::time::Timestamp;
use medfleet_journal::Reader;

use crate::spool::{Entry, Recovered};

/// Records are looked through for a fact so much at a time.
const LOOK_BYTES: usize = 4 * 1024;

/// How far the delivery is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything in the journal below this index has its receipt.
    pub freed_below: u64,
    /// Facts whose fate this life has learned: in the log, or refused and a tombstone stands for them.
    pub settled_facts: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    /// Since the journal began.
    accepted_facts: u64,
    /// Facts of which the lives before have kept that they have their receipt.
    settled_before: u64,
}

impl Account {
    /// Of a journal that ends here.
    pub fn of(recovered: &Recovered, end: u64) -> Self {
        let accepted_facts = recovered.accepted_facts;
        Self { accepted_facts, settled_before: accepted_facts.saturating_sub(recovered.waiting_facts(end)) }
    }

    pub fn accept(&mut self, facts: u64) {
        self.accepted_facts += facts;
    }

    pub fn accepted_facts(self) -> u64 {
        self.accepted_facts
    }

    pub fn state(self, progress: Progress, reader: &Reader, capacity_bytes: u64) -> JournalState {
        let waiting_facts = self.accepted_facts.saturating_sub(self.settled_before + progress.settled_facts);
        let oldest = || oldest_known_at(reader, progress.freed_below);
        JournalState {
            accepted_facts: self.accepted_facts,
            waiting_facts,
            used_bytes: reader.used_bytes(),
            capacity_bytes,
            oldest_known_at: (waiting_facts > 0).then(oldest).flatten(),
        }
    }
}

/// When the first fact from an index on was known here.
pub(crate) fn oldest_known_at(reader: &Reader, mut index: u64) -> Option<Timestamp> {
    while index < reader.next_index() {
        let records = reader.read(index, LOOK_BYTES).ok()?;
        index = records.last()?.0 + 1;
        for (index, bytes) in records {
            if let Entry::Fact { spooled, .. } = Entry::decode(index, &bytes).ok()? {
                return Some(spooled.fact.fact.known_at);
            }
        }
    }
    None
}
