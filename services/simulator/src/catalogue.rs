//! The catalogue: what the fifteen kinds of equipment are like, as data files embedded in the binary.

mod check;
mod embedded;
mod read;

use std::collections::BTreeMap;

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::Severity;
use medfleet_domain::kind::DeviceKind;
use serde::{Deserialize, Serialize};

use crate::chance::Spread;
pub use embedded::{Catalogue, FLEET_FILE};
pub use read::parse_minute;

pub const HOURS_PER_DAY: usize = 24;
/// Name of the age that every powered part has without a counter of its own.
pub const DAY_AGE: &str = "day";

/// One kind of equipment: its regulation, its use, its wear and its makers' code tables.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    #[serde(deserialize_with = "read::kind")]
    pub kind: DeviceKind,
    pub title: String,
    pub fda_codes: Vec<FdaCode>,
    pub life_support: bool,
    pub criticality: Criticality,
    /// May follow an alternative maintenance schedule after a risk assessment.
    pub aem_eligible: bool,
    /// Hours between two readings of the counters.
    pub sample_every_h: u32,
    pub pm: PmPlan,
    pub states: Vec<StateWord>,
    #[serde(rename = "use")]
    pub usage: UsePattern,
    #[serde(default)]
    pub qa: Vec<Qa>,
    pub counters: Vec<Counter>,
    pub families: Vec<Family>,
    pub components: Vec<Component>,
    pub interrupts: Vec<Interrupt>,
    pub repairs: BTreeMap<String, Repair>,
    pub models: Vec<Model>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FdaCode {
    pub code: String,
    pub class: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    Low,
    Medium,
    High,
    LifeSupport,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PmPlan {
    pub interval_days: u32,
    pub duration_h: f64,
    /// Share of visits that outlast their planned window.
    pub overrun_share: f64,
}

/// What the device calls itself, and the condition that word means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateWord {
    pub word: String,
    #[serde(deserialize_with = "read::condition")]
    pub condition: Condition,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsePattern {
    /// What one use is called: exam, case, infusion.
    pub noun: String,
    pub duration_min: Spread,
    /// Share of each local hour spent in use by a device of average intensity.
    pub weekday_busy_percent: [f64; HOURS_PER_DAY],
    pub weekend_busy_percent: [f64; HOURS_PER_DAY],
}

/// A routine check that takes the device out of clinical use for a while, without being maintenance.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qa {
    pub name: String,
    #[serde(deserialize_with = "read::minute_of_day")]
    pub local_time: u16,
    pub every_days: u32,
    pub duration_min: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    pub name: String,
    pub unit: String,
    pub per: Growth,
    pub rate: f64,
    /// Value at which the counter starts again at zero, in its unit.
    pub modulus: Option<u64>,
    /// Value at which the maker calls the part worn, in the counter's unit.
    pub life: Option<f64>,
    /// The part it belongs to: replacing that part resets the counter.
    pub component: Option<String>,
    /// For `per = "error"`: the family whose errors it counts.
    pub family: Option<String>,
}

/// What makes a counter grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    ProductiveHour,
    /// Hours during which the device is powered and not down.
    CalendarHour,
    /// Once at the end of each use.
    Use,
    /// Once per error of the counter's family.
    Error,
}

/// A family of errors. Makers' codes map onto it and inherit what they do not say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    pub name: String,
    #[serde(deserialize_with = "read::severity")]
    pub severity: Severity,
    pub component: String,
    pub cause_domain: CauseDomain,
    pub text: String,
    /// What a technician does about it.
    pub action: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseDomain {
    Device,
    Accessory,
    Consumable,
    Facility,
    Network,
    Use,
}

impl CauseDomain {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Accessory => "accessory",
            Self::Consumable => "consumable",
            Self::Facility => "facility",
            Self::Network => "network",
            Self::Use => "use",
        }
    }
}

/// A part that can fail, the law of its life, and what its failure does to the device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub name: String,
    pub family: String,
    pub effect: Effect,
    pub failure: Failure,
    pub precursor: Option<Precursor>,
    /// Name of an entry of `repairs`.
    pub repair: String,
    /// Replaced at the next maintenance once its age has reached this, in the unit of its law.
    pub replace_at_pm_from: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Down,
    Partial,
}

/// Wear-out (Weibull over a counter) or memoryless (exponential). `on` is a counter, or `day` for powered days.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "law", rename_all = "snake_case", deny_unknown_fields)]
pub enum Failure {
    Weibull { on: String, shape: f64, scale: f64 },
    Exponential { on: String, mean: f64 },
}

impl Failure {
    pub fn on(&self) -> &str {
        match self {
            Self::Weibull { on, .. } | Self::Exponential { on, .. } => on,
        }
    }
}

/// Warnings that grow denser over the last `lead` of a life, in the unit of the failure law.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Precursor {
    pub family: String,
    pub lead: f64,
    /// Warnings on average before an announced failure.
    pub warnings: f64,
}

/// Errors that pass by themselves. With `stop_min` the device stands still meanwhile.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interrupt {
    pub family: String,
    pub every_uses: Option<f64>,
    pub every_days: Option<f64>,
    pub stop_min: Option<Spread>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repair {
    pub response_h: Spread,
    pub active_h: Spread,
    pub route_share: RouteShare,
    pub vendor_wait_h: Spread,
    pub parts_wait_h: Spread,
}

/// Who mends it: our own people at once, the vendor after a wait, or we after a part has come. Sums to 1.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteShare {
    pub us: f64,
    pub vendor: f64,
    pub parts: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub make: String,
    pub model: String,
    /// Share of the fleet of this kind.
    pub share: f64,
    pub serial_prefix: String,
    pub acquisition_usd: i64,
    pub life_years: u32,
    pub firmware: Vec<String>,
    pub codes: Vec<Code>,
}

/// A maker's code. What it leaves out, its family says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    pub code: String,
    pub family: String,
    pub text: String,
    #[serde(default, deserialize_with = "read::some_severity")]
    pub severity: Option<Severity>,
    pub component: Option<String>,
    pub cause_domain: Option<CauseDomain>,
    pub action: Option<String>,
}

impl Kind {
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// The word a device of this kind uses for a condition.
    pub fn word(&self, condition: Condition) -> &str {
        let spoken = self.states.iter().find(|state| state.condition == condition);
        spoken.map_or(condition.as_str(), |state| &state.word)
    }
}

impl UsePattern {
    /// Share of time in use over a whole week, for a device of average intensity.
    pub fn weekly_share(&self) -> f64 {
        let day = |hours: &[f64; HOURS_PER_DAY]| hours.iter().sum::<f64>() / HOURS_PER_DAY as f64;
        (5.0 * day(&self.weekday_busy_percent) + 2.0 * day(&self.weekend_busy_percent)) / 700.0
    }
}
