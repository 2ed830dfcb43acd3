//! Signals: what features count, each with when it happened and when it could be known.

use std::sync::Arc;

use super::dated::Told;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// Amount: severity, from 0 for info to 4 for critical.
    Error,
    /// Amount: hours in use.
    InUse,
    /// Amount: hours down, unplanned.
    Down,
    Stopped,
    /// Amount: what the counter showed.
    Reading,
    Maintained,
    /// Name: the order. Of one order's onsets the one known last counts.
    Failed,
    Returned,
    Replaced,
    /// The first that was heard of the device, as far as was known.
    Seen,
    /// Amount: the day, since 1970, on which it went into service.
    InService,
}

impl Sort {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::InUse => "in_use",
            Self::Down => "down",
            Self::Stopped => "stopped",
            Self::Reading => "reading",
            Self::Maintained => "maintained",
            Self::Failed => "failed",
            Self::Returned => "returned",
            Self::Replaced => "replaced",
            Self::Seen => "seen",
            Self::InService => "in_service",
        }
    }

    /// Whether features look no further back at it than their longest window.
    pub const fn is_recent(self) -> bool {
        matches!(self, Self::Error | Self::InUse | Self::Down | Self::Stopped | Self::Reading)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    pub sort: Sort,
    /// Component meant; empty for the device as a whole.
    pub part: Arc<str>,
    /// Family of an error, name of a counter or of an order.
    pub name: Arc<str>,
    pub told: Told,
    pub amount: f64,
}
