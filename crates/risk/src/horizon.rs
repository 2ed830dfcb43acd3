//! How far a voice looks ahead.

use medfleet_domain::time::MICROS_PER_HOUR;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Horizon {
    Day,
    Week,
}

impl Horizon {
    pub const ALL: [Horizon; 2] = [Self::Day, Self::Week];

    pub const fn hours(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::Week => 168,
        }
    }

    pub const fn days(self) -> f64 {
        self.hours() as f64 / 24.0
    }

    pub const fn micros(self) -> i64 {
        self.hours() * MICROS_PER_HOUR
    }

    /// The name in tables, files and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }
}
