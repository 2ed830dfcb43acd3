//! Who a fact is about and which fact it is: subjects, epochs, sequence numbers, sites.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

use crate::Invalid;

/// Longest name of a subject, site or agent.
pub const NAME_MAX_BYTES: usize = 96;

/// Letters, digits and `-_.:` only: a name travels in topics, paths, labels and SQL.
fn check_name(what: &'static str, name: &str) -> Result<(), Invalid> {
    let fits = (1..=NAME_MAX_BYTES).contains(&name.len());
    if fits && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b)) {
        return Ok(());
    }
    let mut value: String = name.chars().take(NAME_MAX_BYTES).collect();
    value.retain(|c| !c.is_control());
    Err(Invalid::Name { what, value, cure: "use 1 to 96 letters, digits or any of - _ . :" })
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(name: &str) -> Result<Self, Invalid> {
                check_name($what, name)?;
                Ok(Self(name.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The same letters, without a copy of them.
            pub fn shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A hospital or clinic.
    SiteId, "site"
);
name_type!(
    /// An edge agent.
    AgentId, "agent"
);
name_type!(
    /// A device, by the identity its facts carry for life.
    DeviceId, "device"
);

/// What a stream is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SubjectKind {
    Device,
    Agent,
    Site,
    /// An address (AE title, IP) that devices are bound to for a period.
    Place,
}

impl SubjectKind {
    pub const ALL: [SubjectKind; 4] = [Self::Device, Self::Agent, Self::Site, Self::Place];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Agent => "agent",
            Self::Site => "site",
            Self::Place => "place",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| Invalid::Name {
            what: "subject kind",
            value: text.into(),
            cure: "use device, agent, site or place",
        })
    }
}

/// One stream of the log: everything said about one device, agent, site or place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    pub kind: SubjectKind,
    name: Arc<str>,
}

impl Subject {
    pub fn new(kind: SubjectKind, name: &str) -> Result<Self, Invalid> {
        check_name(kind.as_str(), name)?;
        Ok(Self { kind, name: name.into() })
    }

    pub fn device(id: &DeviceId) -> Self {
        Self { kind: SubjectKind::Device, name: id.0.clone() }
    }

    pub fn agent(id: &AgentId) -> Self {
        Self { kind: SubjectKind::Agent, name: id.0.clone() }
    }

    pub fn site(id: &SiteId) -> Self {
        Self { kind: SubjectKind::Site, name: id.0.clone() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, without a copy of its letters.
    pub fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// The partition key: `kind/name`. Equal in every keeper of the log.
    pub fn key(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.name)
    }
}

/// One life of one writer. Random at an agent, derived at every other writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// In the upper 16 bits of the epochs that hold copies of a place's facts, and of no others.
const COPY_MARK: u64 = 0xb1d0 << 48;
const MARK_MASK: u64 = 0xffff << 48;
/// Beneath the mark: how often the same facts were given before, and 40 bits of hash.
const GENERATION_SHIFT: u32 = 40;

impl Epoch {
    /// An epoch out of random bits: never one of those that hold copies.
    pub const fn of_writer(bits: u64) -> Self {
        if bits & MARK_MASK == COPY_MARK { Self(!bits) } else { Self(bits) }
    }

    /// The epoch of a writer that derives it from what it writes (import, api, conflict).
    pub fn derived(parts: &[&[u8]]) -> Self {
        Self::of_writer(hashed(parts))
    }

    /// The epoch in which the binder gives facts of a place to a device: told apart from all others by its mark, so that
    /// the seqs it leaves out are no gaps, and the binder knows its own again.
    pub fn of_copies(parts: &[&[u8]], generation: u8) -> Self {
        let hash = hashed(parts) >> (64 - GENERATION_SHIFT);
        Self(COPY_MARK | u64::from(generation) << GENERATION_SHIFT | hash)
    }

    /// The least and the greatest epoch that can hold copies.
    pub const COPIES: (Epoch, Epoch) = (Epoch(COPY_MARK), Epoch(COPY_MARK | !MARK_MASK));

    pub const fn holds_copies(self) -> bool {
        self.0 & MARK_MASK == COPY_MARK
    }

    /// The same copies, given for the first time.
    pub const fn first_generation(self) -> Self {
        Self(self.0 & !(0xff << GENERATION_SHIFT))
    }
}

/// Hash of parts that depends on where they are cut.
fn hashed(parts: &[&[u8]]) -> u64 {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    twox_hash::XxHash3_64::oneshot(&bytes)
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Position of a fact in its subject's epoch: 1, 2, 3, … without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(pub u64);

/// Seqs `first..=last` of one epoch of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeqRange {
    pub epoch: Epoch,
    pub first: Seq,
    pub last: Seq,
}

impl SeqRange {
    pub fn one(epoch: Epoch, seq: Seq) -> Self {
        Self { epoch, first: seq, last: seq }
    }

    /// How many seqs it names.
    pub const fn count(&self) -> u64 {
        self.last.0 - self.first.0 + 1
    }

    pub fn contains(&self, epoch: Epoch, seq: Seq) -> bool {
        self.epoch == epoch && self.first <= seq && seq <= self.last
    }
}

/// Where a record stands in the log: what a row names as its cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cause {
    pub partition: u32,
    pub offset: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slash_is_refused_with_its_value_and_the_cure() {
        let refusal = Subject::new(SubjectKind::Device, "ct/7").unwrap_err().to_string();
        assert!(refusal.contains("ct/7") && refusal.contains("letters"), "{refusal}");
    }

    #[test]
    fn only_copies_have_the_epochs_of_copies() {
        assert!(!Epoch::of_writer(COPY_MARK | 7).holds_copies());
        let (first, third) = (Epoch::of_copies(&[b"a"], 0), Epoch::of_copies(&[b"a"], 2));
        assert!(first.holds_copies() && third.holds_copies() && first != third);
        assert_eq!((first.first_generation(), third.first_generation()), (first, first));
        assert_ne!(first, Epoch::of_copies(&[b"b"], 0));
    }

    #[test]
    fn derived_epochs_depend_on_where_the_parts_are_cut() {
        assert_ne!(Epoch::derived(&[b"ab", b"c"]), Epoch::derived(&[b"a", b"bc"]));
        assert_eq!(Epoch::derived(&[b"ab"]), Epoch::derived(&[b"ab"]));
    }
}
