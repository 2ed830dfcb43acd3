//! What people and their systems say about a device: registration, binding, orders, claims, maintenance.

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::condition::Degradation;
use crate::contract::codes;
use crate::id::SiteId;
use crate::kind::DeviceKind;
use crate::time::{Day, Span, Timestamp};

/// A device enters the inventory, or its inventory data is stated anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Registration {
    pub kind: DeviceKind,
    pub make: String,
    pub model: String,
    pub serial: String,
    pub department: String,
    pub room: String,
    pub asset_number: Option<String>,
    pub in_service: Option<Day>,
    pub acquisition_cost_cents: Option<i64>,
    pub end_of_support: Option<Day>,
    pub cost_centre: Option<String>,
    pub ownership: Option<Ownership>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ownership {
    Owned,
    Leased,
    Rented,
    Loaner,
    Consigned,
}

impl Ownership {
    pub const ALL: [Ownership; 5] = [Self::Owned, Self::Leased, Self::Rented, Self::Loaner, Self::Consigned];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owned => "owned",
            Self::Leased => "leased",
            Self::Rented => "rented",
            Self::Loaner => "loaner",
            Self::Consigned => "consigned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ownership| ownership.as_str() == text)
    }
}

/// An address (AE title, IP) starts or stops to name a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Binding {
    /// Name of the place subject.
    pub place: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Move {
    pub site: SiteId,
    pub department: String,
    pub room: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Loan {
    pub to_site: SiteId,
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Retirement {
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ComponentReplaced {
    pub component: String,
    pub old_serial: Option<String>,
    pub new_serial: Option<String>,
    /// Replaced on plan or on evidence of wear, not after a failure: censoring for any life model.
    pub preventive: bool,
    pub order: Option<String>,
}

/// A phase of a work order, as the system that keeps it states it. Orders change no row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderPhase {
    pub order: String,
    pub class: OrderClass,
    pub phase: Phase,
    pub waiting_for: Option<Party>,
    pub planned: Option<Span>,
    pub cause: String,
    pub text: String,
}

codes! {
    /// What an order is for.
    OrderClass, "class of order" {
        Corrective = "corrective",
        Preventive = "preventive",
        Upgrade = "upgrade",
        Inspection = "inspection",
    }
}

codes! {
    /// What happened to an order. The order of words is that of the wire, not of time.
    Phase, "phase of an order" {
        Opened = "opened",
        Assigned = "assigned",
        Arrived = "arrived",
        RepairStarted = "repair_started",
        WaitingStarted = "waiting_started",
        WaitingEnded = "waiting_ended",
        Repaired = "repaired",
        ReturnedToService = "returned_to_service",
        Closed = "closed",
        Cancelled = "cancelled",
        VendorCalled = "vendor_called",
        RemoteConnected = "remote_connected",
    }
}

codes! {
    /// Whom an order waits for.
    Party, "party" {
        InHouse = "in_house",
        Vendor = "vendor",
        Parts = "parts",
        Facility = "facility",
        User = "user",
    }
}

/// A person's claim about the condition; it outlives the agent's silence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asserted {
    pub claim: Claimed,
    /// None leaves the claim open; `Usable` is an instant and has none.
    pub until: Option<Timestamp>,
    pub author: String,
    pub reason: String,
    pub order: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Claimed {
    /// Ends the open claim at this instant and asserts nothing.
    Usable,
    Partial(Degradation),
    /// Maintenance was performed; what lies beyond the planned window is an overrun.
    Maintenance {
        planned: Option<Span>,
    },
    Down,
}

impl Asserted {
    pub fn check(&self, from: Timestamp) -> Result<(), Invalid> {
        match (self.claim, self.until) {
            (Claimed::Usable, Some(_)) => Err(Invalid::Missing { what: "an open end", of: "claim of usable" }),
            (Claimed::Partial(Degradation::None), _) => {
                Err(Invalid::Missing { what: "a degradation class", of: "claim of partial" })
            }
            (_, Some(until)) => Span::new(from, until).map(|_| ()),
            (_, None) => Ok(()),
        }
    }
}

/// Planned maintenance was completed (or the reason it was not), whatever the condition meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PmDone {
    pub procedure: String,
    pub due: Option<Day>,
    pub outcome: PmOutcome,
    pub order: Option<String>,
}

codes! {
    /// What became of planned maintenance; only `Completed` is a completion.
    PmOutcome, "outcome of maintenance" {
        Completed = "completed",
        CouldNotLocate = "could_not_locate",
        InUse = "in_use",
        Removed = "removed",
    }
}
