//! What stands in the agent's journal, and what a new life reads out of it. Pure: entries in, entries out.
//!
//! The journal alone is the truth: besides facts it holds checkpoints, each of which says all that the records before it said. One is
//! written before records are freed, so whatever is freed, the marks of every subject and the open conditions are still there.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::fact::{Body, Fact};
use medfleet_domain::id::{Epoch, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_HOUR, Timestamp};
use medfleet_wire::Spooled;
use serde::{Deserialize, Serialize};

use crate::error::AgentError;
use crate::stretcher::Open;
use crate::writer::{Mark, Written};

const CHECKPOINT_VERSION: u32 = 1;
const TAG_FACT: u8 = 1;
/// A fact of a source that keeps its own time.
const TAG_STATED_FACT: u8 = 2;
const TAG_CHECKPOINT: u8 = 3;

/// All that a new life has to know of the ones before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    version: u32,
    /// Every fact below this index of the journal has its receipt.
    pub freed_below: u64,
    pub last_sign_of_life: Timestamp,
    pub marks: Vec<(Subject, Mark)>,
    pub open: Vec<(Subject, Open)>,
}

impl Checkpoint {
    pub fn new(
        freed_below: u64,
        now: Timestamp,
        marks: BTreeMap<Subject, Mark>,
        open: &BTreeMap<Subject, Open>,
    ) -> Self {
        let open = open.iter().map(|(subject, open)| (subject.clone(), open.clone())).collect();
        let marks = marks.into_iter().collect();
        Self { version: CHECKPOINT_VERSION, freed_below, last_sign_of_life: now, marks, open }
    }

    pub fn encode(&self) -> Result<Vec<u8>, AgentError> {
        let mut bytes = vec![TAG_CHECKPOINT];
        serde_json::to_writer(&mut bytes, self).map_err(|source| AgentError::Checkpoint { source })?;
        Ok(bytes)
    }
}

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Fact { spooled: Spooled, stated: bool },
    Checkpoint(Checkpoint),
}

impl Entry {
    pub fn decode(index: u64, bytes: &[u8]) -> Result<Self, AgentError> {
        let (tag, rest) = bytes.split_first().ok_or(AgentError::Entry { index, why: "it is empty".into() })?;
        match *tag {
            TAG_FACT | TAG_STATED_FACT => {
                let spooled = medfleet_wire::decode_spooled(rest)
                    .map_err(|error| AgentError::Entry { index, why: error.to_string() })?;
                Ok(Self::Fact { spooled, stated: *tag == TAG_STATED_FACT })
            }
            TAG_CHECKPOINT => {
                let checkpoint: Checkpoint = serde_json::from_slice(rest)
                    .map_err(|error| AgentError::Entry { index, why: error.to_string() })?;
                if checkpoint.version != CHECKPOINT_VERSION {
                    let why = format!("it is a checkpoint of version {}", checkpoint.version);
                    return Err(AgentError::Entry { index, why });
                }
                Ok(Self::Checkpoint(checkpoint))
            }
            tag => Err(AgentError::Entry { index, why: format!("its tag is {tag}") }),
        }
    }
}

/// A fact as the journal keeps it.
pub fn encode_fact(written: Written, site: &SiteId) -> Vec<u8> {
    let tag = if written.stated { TAG_STATED_FACT } else { TAG_FACT };
    let mut bytes = vec![tag];
    let spooled = Spooled {
        subject: written.subject,
        epoch: written.epoch,
        seq: written.seq,
        site: site.clone(),
        kind: written.kind,
        fact: medfleet_wire::seal(written.fact),
    };
    bytes.extend_from_slice(&medfleet_wire::encode_spooled(&spooled));
    bytes
}

/// What the journal says about the lives before this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    pub marks: BTreeMap<Subject, Mark>,
    pub open: BTreeMap<Subject, Open>,
    pub last_sign_of_life: Option<Timestamp>,
    /// Facts below this index have their receipts; everything else is sent again.
    pub freed_below: u64,
    /// Where the last life stood, and all sites that facts of the journal were accepted under.
    pub site: Option<SiteId>,
    pub sites: BTreeSet<SiteId>,
    /// Epochs seen, which a new life must not reuse.
    pub epochs: BTreeSet<Epoch>,
}

impl Recovered {
    /// Takes in the records of the journal in their order.
    pub fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Checkpoint(checkpoint) => {
                self.epochs.extend(checkpoint.marks.iter().map(|(_, mark)| mark.epoch));
                self.marks = checkpoint.marks.into_iter().collect();
                self.open = checkpoint.open.into_iter().collect();
                self.last_sign_of_life = Some(checkpoint.last_sign_of_life);
                self.freed_below = checkpoint.freed_below;
            }
            Entry::Fact { spooled, stated } => {
                let Spooled { subject, epoch, seq, site, kind, fact } = spooled;
                if self.site.as_ref() != Some(&site) {
                    self.sites.insert(site.clone());
                    self.site = Some(site);
                }
                self.epochs.insert(epoch);
                self.take_mark(&subject, Mark { epoch, last: seq, kind });
                self.take_fact(subject, kind, stated, fact.fact);
            }
        }
    }

    fn take_mark(&mut self, subject: &Subject, mark: Mark) {
        self.marks.insert(subject.clone(), mark);
    }

    fn take_fact(&mut self, subject: Subject, kind: DeviceKind, stated: bool, fact: Fact) {
        match fact.body {
            Body::Heartbeat => self.last_sign_of_life = Some(fact.at),
            Body::Began { condition, degradation } => {
                let (from, source, clock) = (fact.at, fact.source, fact.clock);
                self.open
                    .insert(subject, Open { from, condition, degradation, kind, source, clock, stated, ended: None });
            }
            Body::Stretch(stretch) => {
                if let Some(open) = self.open.get_mut(&subject) {
                    open.from = stretch.until;
                    // Only the hour cuts a condition that goes on; any other end was its end, or is followed by a new beginning.
                    if stretch.until.next_hour().0 - stretch.until.0 != MICROS_PER_HOUR {
                        self.open.remove(&subject);
                    }
                }
            }
            _ => {}
        }
    }
}
