//! What a device could do, how degraded it was, and who says so (SEMI E10 states without the calendar).

use serde::{Deserialize, Serialize};

/// E10 state of a device; non-scheduled time is a matter of calendars, not of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Condition {
    Standby,
    Engineering,
    Productive,
    ScheduledDown,
    UnscheduledDown,
    /// Stored only with a reason (a contradiction, partial in silence); plain silence is no row.
    Unknown,
}

impl Condition {
    pub const ALL: [Condition; 6] =
        [Self::Standby, Self::Engineering, Self::Productive, Self::ScheduledDown, Self::UnscheduledDown, Self::Unknown];

    pub const fn is_up(self) -> bool {
        matches!(self, Self::Standby | Self::Engineering | Self::Productive)
    }

    pub const fn is_down(self) -> bool {
        matches!(self, Self::ScheduledDown | Self::UnscheduledDown)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Engineering => "engineering",
            Self::Productive => "productive",
            Self::ScheduledDown => "scheduled_down",
            Self::UnscheduledDown => "unscheduled_down",
            Self::Unknown => "unknown",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|condition| condition.as_str() == text)
    }
}

/// How much a working device has lost. The weight of a class is contract data, not the ledger's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub enum Degradation {
    #[default]
    None,
    Minor,
    Partial,
    Severe,
}

impl Degradation {
    pub const ALL: [Degradation; 4] = [Self::None, Self::Minor, Self::Partial, Self::Severe];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minor => "minor",
            Self::Partial => "partial",
            Self::Severe => "severe",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}

/// What kind of witness speaks. The order is the precedence table of this fold version: later wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SourceKind {
    /// Nobody observed it: an import fills what a record of downtime leaves out.
    Assumed,
    /// Worked out from a neighbour's data (power draw, exam traffic).
    Derived,
    /// A gateway or server speaks for the device.
    Gateway,
    /// The device's own word.
    Device,
    /// A maintenance record kept by people.
    Record,
    /// A person's statement made through medfleet.
    Person,
}

impl SourceKind {
    pub const ALL: [SourceKind; 6] =
        [Self::Assumed, Self::Derived, Self::Gateway, Self::Device, Self::Record, Self::Person];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assumed => "assumed",
            Self::Derived => "derived",
            Self::Gateway => "gateway",
            Self::Device => "device",
            Self::Record => "record",
            Self::Person => "person",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What the writer knew about its clock when it stamped a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Clock {
    Synchronised,
    /// Not checked lately, but no disagreement seen.
    Holdover,
    /// Known or feared to be wrong: kept, never folded into the ledger.
    Suspect,
}

impl Clock {
    pub const ALL: [Clock; 3] = [Self::Synchronised, Self::Holdover, Self::Suspect];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synchronised => "synchronised",
            Self::Holdover => "holdover",
            Self::Suspect => "suspect",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|clock| clock.as_str() == text)
    }
}
