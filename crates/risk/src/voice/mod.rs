//! Who can speak about a part, simplest first: the trivial baselines, then rules, pooled hazards and trees.

pub mod hazard;
mod linear;
pub mod rules;
pub mod trees;
mod warnings;

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
    #[serde(rename = "alarms_24h", alias = "alarms24h")]
    Alarms24h,
    /// Errors of the device in the last 7 days.
    #[serde(rename = "alarms_7d", alias = "alarms7d")]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speaker_has_one_name_in_words_and_in_json() {
        for speaker in Speaker::ALL {
            let json = serde_json::to_string(&speaker).unwrap();
            assert_eq!(json, format!("\"{}\"", speaker.as_str()));
            assert_eq!(serde_json::from_str::<Speaker>(&json).unwrap(), speaker);
        }
        let read = |name: &str| serde_json::from_str::<Speaker>(&format!("\"{name}\"")).unwrap();
        assert_eq!(
            [read("alarms24h"), read("alarms7d")],
            [Speaker::Alarms24h, Speaker::Alarms7d],
            "as models once said"
        );
    }
}
