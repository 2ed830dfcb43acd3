//! The fleet file: which hospitals there are, what stands in their departments, and how often links and people fail.

use std::collections::BTreeMap;

use medfleet_domain::fleet::BaseHours;
use serde::Deserialize;

use crate::catalogue::FLEET_FILE;
use crate::chance::Spread;
use crate::error::Error;

mod hours;

const SHARE_TOLERANCE: f64 = 0.001;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    pub outages: OutageLaws,
    pub people: People,
    pub hospitals: Vec<Hospital>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutageLaws {
    pub device_silent: OutageLaw,
    pub agent_down: OutageLaw,
    pub wan_down: OutageLaw,
}

/// Exponential gaps between outages, log-normal lengths.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutageLaw {
    pub mean_gap_days: f64,
    pub minutes: Spread,
}

/// What people say, and when.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    pub witness_share: WitnessShare,
    pub report_delay_min: Spread,
    pub paper_delay_h: Spread,
    pub pm_order_lead_days: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessShare {
    pub device: f64,
    pub person: f64,
    pub both: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hospital {
    pub id: String,
    pub title: String,
    pub region: String,
    pub time_zone: String,
    pub agents: u32,
    pub base_hours: Opening,
    /// Kinds with base hours of their own, by kind.
    #[serde(default)]
    pub kind_hours: BTreeMap<String, Opening>,
    pub departments: Vec<Department>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Department {
    pub id: String,
    /// Prefix of room numbers.
    pub rooms: String,
    /// Which of the hospital's agents watches it, from 1.
    pub agent: u32,
    /// Devices by kind, watched by the agent.
    pub devices: BTreeMap<String, u32>,
    /// Devices by kind that are registered and in service, and watched by nobody.
    #[serde(default)]
    pub unheard: BTreeMap<String, u32>,
}

/// Opening times as people write them: `08:00-17:00`, closed when left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    #[serde(default, deserialize_with = "hours::range")]
    pub weekdays: Option<(u16, u16)>,
    #[serde(default, deserialize_with = "hours::range")]
    pub saturday: Option<(u16, u16)>,
    #[serde(default, deserialize_with = "hours::range")]
    pub sunday: Option<(u16, u16)>,
}

impl Opening {
    pub fn base_hours(&self) -> Vec<BaseHours> {
        let by_day = |weekday: u8| match weekday {
            6 => self.saturday,
            7 => self.sunday,
            _ => self.weekdays,
        };
        let open = |weekday| {
            by_day(weekday).map(|(from_minute, until_minute)| BaseHours { weekday, from_minute, until_minute })
        };
        (1..=7).filter_map(open).collect()
    }
}

impl Fleet {
    /// The demo fleet that travels in the binary.
    pub fn embedded() -> Result<Self, Error> {
        Self::from_file(FLEET_FILE.0, FLEET_FILE.1)
    }

    pub fn from_file(file: &str, text: &str) -> Result<Self, Error> {
        let fleet: Self = toml::from_str(text).map_err(|source| Error::unreadable(file, source))?;
        fleet.check().map_err(|flaw| Error::flawed(file, flaw))?;
        Ok(fleet)
    }

    fn check(&self) -> Result<(), String> {
        let share = self.people.witness_share;
        let sum = share.device + share.person + share.both;
        if (sum - 1.0).abs() > SHARE_TOLERANCE {
            return Err(format!("witness shares sum to {sum}: make it 1"));
        }
        let laws = [self.outages.device_silent, self.outages.agent_down, self.outages.wan_down];
        if !laws.iter().all(|law| law.mean_gap_days > 0.0 && law.minutes.is_sound()) {
            return Err("every outage law needs a gap above 0 and 0 < median <= p90".into());
        }
        if !(self.people.report_delay_min.is_sound() && self.people.paper_delay_h.is_sound()) {
            return Err("delays of people need 0 < median <= p90".into());
        }
        for hospital in &self.hospitals {
            for department in &hospital.departments {
                if !(1..=hospital.agents).contains(&department.agent) {
                    let (id, agent, agents) = (&department.id, department.agent, hospital.agents);
                    return Err(format!("{}/{id} names agent {agent} of {agents}: use 1 to {agents}", hospital.id));
                }
            }
        }
        Ok(())
    }
}
