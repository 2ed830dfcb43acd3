//! What people are told of a model: how it was made, what everybody was worth, and what the gate decided. It travels with the
//! model's record in the log, as JSON.

use serde::{Deserialize, Serialize};

use crate::figures::Figures;
use crate::gate::{Decision, Demands};
use crate::split::Split;
use crate::voice::Speaker;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub settings: Settings,
    /// Of the slice on which the gate decided; parts, not devices.
    pub speakers: Vec<Shown>,
    pub decisions: Vec<Decision>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub split: Split,
    pub devices: usize,
    pub rows: usize,
    /// One instant in so many days was looked at.
    pub every_days: i64,
    /// One training row in so many was kept of those that did not fail.
    pub thinning: u64,
    pub trees: usize,
    /// Midnights on which scores were calibrated; records of older versions do not tell.
    #[serde(default)]
    pub calibrated_days: usize,
    /// What technicians found, where it says something of a part; records of older versions do not tell.
    #[serde(default)]
    pub verdicts: usize,
    pub demands: Demands,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    pub speaker: Speaker,
    pub parts: Figures,
}
