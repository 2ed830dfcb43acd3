//! What stands in the topic of alerts: the steps of all lives, answers to requests, and what became of messages.
//!
//! Two writers share the topic, the desk and the sender, one of each at a time. A writer opens a life before it says
//! anything; from then on whatever an earlier life of the same writer still says counts for nothing.

use serde::{Deserialize, Serialize};

use super::message::{Intent, MessageId, Outcome};
use super::{AlertId, Step};
use crate::contract::Pin;
use crate::time::Timestamp;

/// One life of one writer, drawn at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Life(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Writer {
    /// Decides what happens to alerts.
    Desk,
    /// Sends messages about them.
    Sender,
}

/// A record of the topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub life: Life,
    pub at: Timestamp,
    pub news: News,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    Opened(Writer),
    /// The rules that hold from here on, as they were written.
    Rules(String),
    Turn(Turn),
    Intended(Intent),
    /// An attempt to send begins.
    Attempted(MessageId),
    Ended {
        message: MessageId,
        outcome: Outcome,
    },
}

impl News {
    /// Whose news this is.
    pub const fn writer(&self) -> Writer {
        match self {
            Self::Opened(writer) => *writer,
            Self::Rules(_) | Self::Turn(_) => Writer::Desk,
            Self::Intended(_) | Self::Attempted(_) | Self::Ended { .. } => Writer::Sender,
        }
    }
}

/// What the desk decided over some more of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Turn {
    /// What it has read by then: everything below these offsets.
    pub read: Vec<Pin>,
    pub steps: Vec<Step>,
    pub answers: Vec<Answer>,
    pub demotions: Vec<Demotion>,
}

/// A voice of a model raised more false alerts than a technician is to be asked for within a week. From here on a simpler voice
/// of that model speaks, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demotion {
    pub model: String,
    pub voice: String,
    /// The rule whose budget it was, and who found nothing so often.
    pub rule: String,
    pub technician: String,
    pub false_alerts: u32,
    pub false_alerts_max: u32,
    pub at: Timestamp,
}

/// What became of a request. Granted requests are steps as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub alert: AlertId,
    pub request: String,
    /// Why not, and what to do; None when it was granted.
    pub refused: Option<String>,
}
