//! What happens to a device: the truth, what the device shows of it, and what people say about it.

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::Body;
use medfleet_domain::time::Timestamp;

use crate::catalogue::Effect;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub at: Timestamp,
    pub what: Happening,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The true condition from now on, and what the device shows of it; a dark device shows nothing.
    Turned { condition: Condition, degradation: Degradation, shown: Option<Shown> },
    /// An error or a counter reading, as the device reports it.
    Reported(Body),
    /// What a person or their system says now about the instant `of`.
    Said { of: Timestamp, body: Body },
    /// The truth behind a failure: kept aside, never a fact.
    Failed { component: String, family: String, effect: Effect, order: String, witness: Witness },
}

/// The device's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub condition: Condition,
    pub degradation: Degradation,
    /// In its vendor's vocabulary.
    pub word: String,
}

/// Who can tell of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    Device,
    /// The device is dead and silent, or does not notice.
    Person,
    Both,
}
