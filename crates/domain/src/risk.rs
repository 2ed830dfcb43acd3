//! Risk as the log knows it: models that were trained, runs of scoring, and what was said of each device. How any of it was
//! computed is no affair of the domain.

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::contract::Pin;
use crate::time::{Span, Timestamp};

/// Certainty, in the millionths in which risk is told.
pub const CERTAIN_PPM: u32 = 1_000_000;

/// What a model said of one device at the fact's time: a fact of the device. It is never corrected: it was said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scored {
    /// The run that said it, which stands in the log before it.
    pub run: String,
    pub model: String,
    pub horizon_hours: u32,
    /// Chance that any part fails within the horizon, in millionths.
    pub risk_ppm: u32,
    /// The part most at risk, and its own chance.
    pub component: String,
    pub component_ppm: u32,
    /// The voice that the gate lets speak for parts of this sort.
    pub voice: String,
    /// What speaks for it, strongest first.
    pub grounds: Vec<Ground>,
    /// What each voice says of that part, simplest first, whoever may speak.
    pub views: Vec<View>,
}

/// What one voice says of a part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct View {
    pub voice: String,
    pub ppm: u32,
}

/// One ground of a score, in words for the technician.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ground {
    /// Name of the feature or the rule.
    pub name: String,
    pub says: String,
    /// What was seen, in thousandths of the feature's unit. None where nothing was known.
    pub value_milli: Option<i64>,
    /// What it adds to the log odds, in thousandths. None of a voice that does not add up.
    pub adds_milli: Option<i64>,
}

impl Scored {
    pub fn check(&self) -> Result<(), Invalid> {
        if self.run.is_empty() || self.model.is_empty() {
            return Err(Invalid::Missing { what: "name of its run and of its model", of: "score" });
        }
        let views = self.views.iter().map(|view| ("view of a voice", view.ppm));
        let own = [("risk in millionths", self.risk_ppm), ("risk of the part", self.component_ppm)];
        for (what, value) in own.into_iter().chain(views) {
            if value > CERTAIN_PPM {
                return Err(Invalid::Range { what, value: value.into(), low: 0, high: CERTAIN_PPM.into() });
            }
        }
        Ok(())
    }
}

/// One record of the topic of risk: few, and read by everyone in one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskRecord {
    pub at: Timestamp,
    pub news: RiskNews,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RiskNews {
    Trained(ModelTrained),
    Scoring(ScoringBegun),
    Withdrawn(ModelWithdrawn),
}

/// A model is not to be heard any more: its alerts lose their cause, and nobody asks it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelWithdrawn {
    pub model: String,
    pub by: String,
    pub reason: String,
}

/// A model was made: enough to make it again to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelTrained {
    /// Hash of the model's bytes: its name.
    pub model: String,
    pub horizon_hours: u32,
    pub seed: u64,
    /// What it was made from: all facts of the log below these offsets.
    pub cut: i64,
    pub pins: Vec<Pin>,
    /// Instants that it learned from, was calibrated on and was decided on.
    pub period: Span,
    /// JSON for people: settings, figures, and what the gate decided and why. Nothing else reads it.
    pub report: String,
}

/// Devices are about to be scored: precedes every score of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoringBegun {
    pub run: String,
    pub model: String,
    pub horizon_hours: u32,
    /// The instant at which devices are scored.
    pub instant: Timestamp,
    pub cut: i64,
    pub pins: Vec<Pin>,
}
