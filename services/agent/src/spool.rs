//! What stands in the agent's journal, and what a new life reads out of it. Pure: entries in, entries out.
//!
//! The journal alone is the truth: besides facts it holds checkpoints, each of which says all that the records before it said. One is
//! written before records are freed, so whatever is freed, the marks of every subject and the open conditions are still there.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::fact::{Body, Fact, Source};
use medfleet_domain::id::{Epoch, NAME_MAX_BYTES, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_HOUR, Timestamp};
use medfleet_wire::Spooled;
use serde::{Deserialize, Serialize};

use crate::error::AgentError;
use crate::observation::{Origin, Place};
use crate::ranges::Ranges;
use crate::recorder::SOURCE_NAME_MAX_BYTES;
use crate::stretcher::Open;
use crate::writer::{Mark, Written};

const CHECKPOINT_VERSION: u32 = 1;
const TAG_FACT: u8 = 1;
/// A fact of a source that keeps its own time.
const TAG_STATED_FACT: u8 = 2;
const TAG_CHECKPOINT: u8 = 3;
/// The same, with where it stands in what is replayed.
const TAG_REPLAYED_FACT: u8 = 5;
/// A checkpoint that is too large for one record.
const TAG_CHECKPOINT_PART: u8 = 4;
/// Its number among the parts, and how many there are.
const PART_HEADER_BYTES: usize = 9;
/// What a record of the journal takes besides the names in it: its header, times, an epoch, seqs and words.
const RECORD_BASE_BYTES: usize = 256;
/// A fact of fixed size with the longest names there may be.
pub const RECORD_BOUND_MAX_BYTES: u64 = (RECORD_BASE_BYTES + 2 * NAME_MAX_BYTES + SOURCE_NAME_MAX_BYTES) as u64;

/// All that a new life has to know of the ones before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    version: u32,
    /// Every fact below this index of the journal has its receipt.
    pub freed_below: u64,
    pub last_sign_of_life: Timestamp,
    pub marks: Vec<(Subject, Mark)>,
    pub open: Vec<(Subject, Open)>,
    /// How far each replay was taken in.
    #[serde(default)]
    taken: Vec<(u64, Place)>,
    /// Facts accepted since the journal began. Earlier programs did not say it.
    #[serde(default)]
    accepted_facts: Option<u64>,
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
        Self {
            version: CHECKPOINT_VERSION,
            freed_below,
            last_sign_of_life: now,
            marks,
            open,
            taken: Vec::new(),
            accepted_facts: None,
        }
    }

    pub fn with_taken(self, taken: &BTreeMap<u64, Place>) -> Self {
        Self { taken: taken.iter().map(|(reel, place)| (*reel, *place)).collect(), ..self }
    }

    pub fn with_accepted(self, facts: u64) -> Self {
        Self { accepted_facts: Some(facts), ..self }
    }

    /// In as many records as it takes, each of no more than `record_max_bytes`.
    pub fn encode(&self, record_max_bytes: usize) -> Result<Vec<Vec<u8>>, AgentError> {
        let mut bytes = vec![TAG_CHECKPOINT];
        serde_json::to_writer(&mut bytes, self).map_err(|source| AgentError::Checkpoint { source })?;
        if bytes.len() <= record_max_bytes {
            return Ok(vec![bytes]);
        }
        let parts = bytes[1..].chunks(record_max_bytes.saturating_sub(PART_HEADER_BYTES).max(1));
        let count = parts.len() as u32;
        let part = |(number, part): (u32, &[u8])| {
            [&[TAG_CHECKPOINT_PART], &number.to_le_bytes()[..], &count.to_le_bytes(), part].concat()
        };
        Ok((0..).zip(parts).map(part).collect())
    }
}

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Fact { spooled: Spooled, stated: bool, origin: Option<Origin> },
    Checkpoint(Checkpoint),
    CheckpointPart(Part),
}

/// A piece of a checkpoint that is written in several records. Only all of them say anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    number: u32,
    count: u32,
    bytes: Vec<u8>,
}

impl Part {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (count, bytes) = rest.split_first_chunk()?;
        let (number, count) = (u32::from_le_bytes(*number), u32::from_le_bytes(*count));
        (number < count).then(|| Self { number, count, bytes: bytes.to_vec() })
    }
}

impl Entry {
    pub fn decode(index: u64, bytes: &[u8]) -> Result<Self, AgentError> {
        let (tag, rest) = bytes.split_first().ok_or(AgentError::Entry { index, why: "it is empty".into() })?;
        match *tag {
            TAG_FACT | TAG_STATED_FACT | TAG_REPLAYED_FACT => {
                let (origin, rest) = if *tag == TAG_REPLAYED_FACT {
                    let why = || AgentError::Entry { index, why: "it ends within its origin".into() };
                    let (origin, rest) = split_origin(rest).ok_or_else(why)?;
                    (Some(origin), rest)
                } else {
                    (None, rest)
                };
                let spooled = medfleet_wire::decode_spooled(rest)
                    .map_err(|error| AgentError::Entry { index, why: error.to_string() })?;
                Ok(Self::Fact { spooled, stated: *tag != TAG_FACT, origin })
            }
            TAG_CHECKPOINT => Ok(Self::Checkpoint(decode_checkpoint(index, rest)?)),
            TAG_CHECKPOINT_PART => {
                let why = || AgentError::Entry { index, why: "it is no part of a checkpoint".into() };
                Ok(Self::CheckpointPart(Part::decode(rest).ok_or_else(why)?))
            }
            tag => Err(AgentError::Entry { index, why: format!("its tag is {tag}") }),
        }
    }
}

fn split_origin(bytes: &[u8]) -> Option<(Origin, &[u8])> {
    let (reel, rest) = bytes.split_first_chunk()?;
    let (row, rest) = rest.split_first_chunk()?;
    let (nth, rest) = rest.split_first_chunk()?;
    let place = Place { row: u64::from_le_bytes(*row), nth: u32::from_le_bytes(*nth) };
    Some((Origin { reel: u64::from_le_bytes(*reel), place }, rest))
}

fn decode_checkpoint(index: u64, bytes: &[u8]) -> Result<Checkpoint, AgentError> {
    let checkpoint: Checkpoint =
        serde_json::from_slice(bytes).map_err(|error| AgentError::Entry { index, why: error.to_string() })?;
    if checkpoint.version != CHECKPOINT_VERSION {
        return Err(AgentError::Entry { index, why: format!("it is a checkpoint of version {}", checkpoint.version) });
    }
    Ok(checkpoint)
}

/// How much a fact of fixed size takes in the journal, at most.
pub fn record_bound_bytes(subject: &Subject, site: &SiteId, source: &Source) -> u64 {
    (RECORD_BASE_BYTES + subject.name().len() + site.as_str().len() + source.name.len()) as u64
}

/// A fact as the journal keeps it.
pub fn encode_fact(written: Written, site: &SiteId) -> Vec<u8> {
    let mut bytes = match written.origin {
        Some(Origin { reel, place: Place { row, nth } }) => {
            [&[TAG_REPLAYED_FACT], &reel.to_le_bytes()[..], &row.to_le_bytes(), &nth.to_le_bytes()].concat()
        }
        None if written.stated => vec![TAG_STATED_FACT],
        None => vec![TAG_FACT],
    };
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
    /// How far each replay was taken in.
    pub taken: BTreeMap<u64, Place>,
    /// Facts below this index have their receipts; everything else is sent again.
    pub freed_below: u64,
    /// Where the last life stood, and all sites that facts of the journal were accepted under.
    pub site: Option<SiteId>,
    pub sites: BTreeSet<SiteId>,
    /// Where the newest whole checkpoint begins: what is below can be freed without another.
    pub checkpoint_at: Option<u64>,
    /// Parts of a checkpoint, and where they begin, until the last one is there.
    gathered: (u64, u32, Vec<u8>),
    /// Epochs seen, which a new life must not reuse.
    pub epochs: BTreeSet<Epoch>,
    /// Facts accepted since the journal began or, where no checkpoint says so, that are still in it.
    pub accepted_facts: u64,
    /// Records that are no facts.
    no_facts: Ranges,
}

impl Recovered {
    /// Of a journal that begins here.
    pub fn from(first_index: u64) -> Self {
        Self { freed_below: first_index, ..Self::default() }
    }

    /// Takes in the records of the journal in their order.
    pub fn take(&mut self, index: u64, entry: Entry) -> Result<(), AgentError> {
        if !matches!(entry, Entry::Fact { .. }) {
            self.no_facts.insert(index..index + 1);
        }
        match entry {
            Entry::Checkpoint(checkpoint) => self.take_checkpoint(index, checkpoint),
            Entry::CheckpointPart(part) => self.take_part(index, part)?,
            Entry::Fact { spooled, stated, origin } => {
                self.accepted_facts += 1;
                self.taken.extend(origin.map(|origin| (origin.reel, origin.place)));
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
        Ok(())
    }

    /// A life that was torn off within its checkpoint has left the first parts of one, and the next begins anew.
    fn take_part(&mut self, index: u64, part: Part) -> Result<(), AgentError> {
        if part.number == 0 {
            self.gathered = (index, 0, Vec::new());
        }
        let (began_at, next, bytes) = &mut self.gathered;
        if part.number != *next || *began_at + u64::from(part.number) != index {
            return Ok(());
        }
        *next += 1;
        bytes.extend(part.bytes);
        if *next == part.count {
            let (began_at, _, bytes) = std::mem::take(&mut self.gathered);
            self.take_checkpoint(began_at, decode_checkpoint(index, &bytes)?);
        }
        Ok(())
    }

    fn take_checkpoint(&mut self, index: u64, checkpoint: Checkpoint) {
        self.checkpoint_at = Some(index);
        self.epochs.extend(checkpoint.marks.iter().map(|(_, mark)| mark.epoch));
        self.marks = checkpoint.marks.into_iter().collect();
        self.open = checkpoint.open.into_iter().collect();
        self.taken = checkpoint.taken.into_iter().collect();
        self.last_sign_of_life = Some(checkpoint.last_sign_of_life);
        self.freed_below = checkpoint.freed_below;
        self.accepted_facts = checkpoint.accepted_facts.unwrap_or(self.accepted_facts);
    }

    /// Facts without a receipt, in a journal that ends here.
    pub fn waiting_facts(&self, end: u64) -> u64 {
        let mut no_facts = self.no_facts.clone();
        no_facts.remove(0..self.freed_below);
        end.saturating_sub(self.freed_below).saturating_sub(no_facts.len())
    }

    fn take_mark(&mut self, subject: &Subject, mark: Mark) {
        self.marks.insert(subject.clone(), mark);
    }

    fn take_fact(&mut self, subject: Subject, kind: DeviceKind, stated: bool, fact: Fact) {
        match fact.body {
            Body::Heartbeat(_) => self.last_sign_of_life = Some(fact.at),
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
