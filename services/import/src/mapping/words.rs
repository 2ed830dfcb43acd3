//! The vocabularies that a mapping may translate cells into.

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::Severity;
use medfleet_domain::human::{OrderClass, Ownership, PmOutcome};
use medfleet_domain::id::SiteId;
use medfleet_domain::kind::DeviceKind;

/// A fixed set of words.
pub trait Vocabulary: Clone + std::fmt::Debug {
    const WHAT: &'static str;
    /// For people: what may be written.
    const WORDS: &'static str;

    fn parse(text: &str) -> Option<Self>;
}

impl Vocabulary for DeviceKind {
    const WHAT: &'static str = "kind of device";
    const WORDS: &'static str = "one of the catalogue's kinds, or other";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl Vocabulary for SiteId {
    const WHAT: &'static str = "site";
    const WORDS: &'static str = "an id of letters, digits or - _ . :";

    fn parse(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

impl Vocabulary for Ownership {
    const WHAT: &'static str = "ownership";
    const WORDS: &'static str = "owned, leased, rented, loaner, consigned";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Vocabulary for Severity {
    const WHAT: &'static str = "severity";
    const WORDS: &'static str = "info, warning, minor, major, critical";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Vocabulary for OrderClass {
    const WHAT: &'static str = "class of order";
    const WORDS: &'static str = "corrective, preventive, upgrade, inspection";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "corrective" => Some(Self::Corrective),
            "preventive" => Some(Self::Preventive),
            "upgrade" => Some(Self::Upgrade),
            "inspection" => Some(Self::Inspection),
            _ => None,
        }
    }
}

impl Vocabulary for PmOutcome {
    const WHAT: &'static str = "outcome of maintenance";
    const WORDS: &'static str = "completed, could_not_locate, in_use, removed";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "completed" => Some(Self::Completed),
            "could_not_locate" => Some(Self::CouldNotLocate),
            "in_use" => Some(Self::InUse),
            "removed" => Some(Self::Removed),
            _ => None,
        }
    }
}

/// What an order says about the device while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: an open order alone is no downtime.
    Nothing,
    Down,
    ScheduledDown,
    Partial(Degradation),
}

impl Vocabulary for Effect {
    const WHAT: &'static str = "effect of an order";
    const WORDS: &'static str = "none, down, scheduled_down, minor, partial, severe";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::Nothing),
            "down" => Some(Self::Down),
            "scheduled_down" => Some(Self::ScheduledDown),
            _ => Degradation::parse(text).filter(|class| *class != Degradation::None).map(Self::Partial),
        }
    }
}

/// A condition, or a row's admission that it knows none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Nothing,
    In(Condition),
}

impl Vocabulary for Shown {
    const WHAT: &'static str = "condition";
    const WORDS: &'static str =
        "productive, standby, engineering, scheduled_down, unscheduled_down, or unknown (says nothing)";

    fn parse(text: &str) -> Option<Self> {
        match Condition::parse(text)? {
            Condition::Unknown => Some(Self::Nothing),
            condition => Some(Self::In(condition)),
        }
    }
}

/// Whether a part was replaced before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prevents {
    Yes,
    No,
    /// Unless a failure of the same device, part and time stands in these tables.
    UnlessFailed,
}

impl Vocabulary for Prevents {
    const WHAT: &'static str = "answer";
    const WORDS: &'static str = "yes, no, unless_failed";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "yes" => Some(Self::Yes),
            "no" => Some(Self::No),
            "unless_failed" => Some(Self::UnlessFailed),
            _ => None,
        }
    }
}
