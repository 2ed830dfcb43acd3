//! Who can speak about a part, simplest first: the trivial baselines, then rules, pooled hazards and trees.

pub mod hazard;
pub mod rules;
pub mod trees;

use serde::{Deserialize, Serialize};

/// Everyone who gives a score. The order is that of trust: a later one must beat all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// How often parts of this sort fail.
    ClassRate,
    /// How old the device is.
    DeviceAge,
    /// Errors of the device in the last 24 hours.
    Alarms24h,
    /// Errors of the device in the last 7 days.
    Alarms7d,
    Rules,
    Hazard,
    Trees,
}

impl Speaker {
    pub const ALL: [Speaker; 7] =
        [Self::ClassRate, Self::DeviceAge, Self::Alarms24h, Self::Alarms7d, Self::Rules, Self::Hazard, Self::Trees];
    /// Those that may alert, simplest first.
    pub const VOICES: [Speaker; 3] = [Self::Rules, Self::Hazard, Self::Trees];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClassRate => "class_rate",
            Self::DeviceAge => "device_age",
            Self::Alarms24h => "alarms_24h",
            Self::Alarms7d => "alarms_7d",
            Self::Rules => "rules",
            Self::Hazard => "hazard",
            Self::Trees => "trees",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|speaker| speaker.as_str() == name)
    }

    /// Whether its scores are meant as probabilities.
    pub const fn says_probabilities(self) -> bool {
        matches!(self, Self::ClassRate | Self::Hazard | Self::Trees)
    }
}
