//! What a source says it saw, before the agent gives it an identity.

use medfleet_domain::condition::{Clock, Condition, Degradation};
use medfleet_domain::fact::{Body, Source};
use medfleet_domain::id::Subject;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that one source saw of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub subject: Subject,
    pub kind: DeviceKind,
    pub source: Source,
    /// When, by the source's own time; None means now, by the agent's clock.
    pub stated: Option<Stated>,
    pub seen: Seen,
}

/// Times that a source brings with it, as from a file. The agent's clock has no part in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    pub at: Timestamp,
    /// When it could first be known; None declares it equal to `at`, assumed.
    pub known_at: Option<Timestamp>,
    pub origin: Option<Origin>,
}

impl Stated {
    /// Known when it happened, as far as anybody says.
    pub const fn at(at: Timestamp) -> Self {
        Self { at, known_at: None, origin: None }
    }
}

/// Where an observation stands in what is replayed. The journal keeps it with the fact, so that the next life goes on behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// One replay of one file, drawn anew where it begins from its beginning.
    pub reel: u64,
    pub place: Place,
}

/// A row, counted from 0, and which of its observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub row: u64,
    pub nth: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// In this condition from now on, until the source says otherwise. Saying it again changes nothing.
    Condition { condition: Condition, degradation: Degradation },
    /// Was seen to begin under an earlier life, which has said so, and goes on; its stretches are said up to the stated time.
    Ongoing { condition: Condition, degradation: Degradation },
    /// The source no longer sees the subject: what follows is unknown, which is no fact and needs no row.
    Lost,
    /// An error, a sample or another single fact.
    Event(Body),
}

/// A fact that still lacks its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    pub subject: Subject,
    pub kind: DeviceKind,
    /// Its source keeps its own time.
    pub stated: bool,
    pub origin: Option<Origin>,
    pub at: Timestamp,
    pub known_at: Timestamp,
    pub known_assumed: bool,
    pub clock: Clock,
    pub source: Source,
    pub body: Body,
}

/// Why an observation was not taken. The source decides what to do; nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "{subject} was already seen at {open_from}, so {at} comes too late: send observations of one subject in their order"
    )]
    OutOfOrder { subject: Subject, at: Timestamp, open_from: Timestamp },
    #[error(
        "{at} of {subject} lies ahead of the agent's clock, which shows {now}: correct the source's time, or set the clock"
    )]
    Ahead { subject: Subject, at: Timestamp, now: Timestamp },
    #[error("a `{body}` fact of {subject} is made by the agent itself: send conditions, errors and samples")]
    NotForSources { subject: Subject, body: &'static str },
    #[error("the observation of {subject} is no fact that a reader would take")]
    Unfit {
        subject: Subject,
        #[source]
        source: medfleet_wire::Refusal,
    },
    #[error(
        "the agent already follows {max_subjects} subjects: raise journal.capacity_bytes if it is below 128 MiB, or give {subject} to another agent"
    )]
    TooManySubjects { subject: Subject, max_subjects: usize },
    #[error(
        "the journal is full ({used_bytes} of {capacity_bytes} bytes): nothing was dropped, restore the link or raise journal.capacity_bytes"
    )]
    Full { used_bytes: u64, capacity_bytes: u64 },
    #[error("the agent is ending and takes no more observations")]
    Closed,
}
