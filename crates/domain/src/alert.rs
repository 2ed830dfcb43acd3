//! Alerts: what is raised, what happens to it, what people ask of it and what messages are sent. The life itself is `life`.

pub mod life;
pub mod message;
pub mod record;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::id::{Cause, SeqRange, SiteId, Subject};
use crate::kind::DeviceKind;
use crate::time::Timestamp;

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 16;

/// Hash of the rule, the subject and the record that opened it: the same causes give the same alert (INV-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertId(pub u64);

impl AlertId {
    pub fn of(rule: &str, subject: &Subject, part: &str, opening: Cause) -> Self {
        let key = subject.key();
        let (partition, offset) = (opening.partition.to_le_bytes(), opening.offset.to_le_bytes());
        let mut bytes = Vec::new();
        for piece in [rule.as_bytes(), key.as_bytes(), part.as_bytes(), &partition, &offset] {
            bytes.extend_from_slice(&(piece.len() as u64).to_le_bytes());
            bytes.extend_from_slice(piece);
        }
        Self(twox_hash::XxHash3_64::oneshot(&bytes))
    }
}

impl FromStr for AlertId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.len() == ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(Self);
        id.ok_or_else(|| Invalid::Name {
            what: "alert",
            value: text.chars().filter(|c| !c.is_control()).take(64).collect(),
            cure: "use the 16 hexadecimal digits of its id",
        })
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A step in one alert's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub alert: AlertId,
    /// When the record that brought it about reached the log.
    pub at: Timestamp,
    pub change: Change,
}

/// What the alert is about; it stays the same for life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub rule: String,
    pub subject: Subject,
    /// The part or counter meant; empty for the subject as a whole.
    pub part: String,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub urgency: Urgency,
}

/// The score behind an alert: who said it, how far ahead, and how likely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    pub model: String,
    pub voice: String,
    pub horizon_hours: u32,
    /// Chance that the part fails within the horizon, in millionths.
    pub ppm: u32,
}

/// Whether somebody is to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Read when there is time.
    Inbox,
    /// Now, within working hours.
    Soon,
    /// Now.
    Page,
}

impl Urgency {
    pub const ALL: [Urgency; 3] = [Self::Inbox, Self::Soon, Self::Page];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Soon => "soon",
            Self::Page => "page",
        }
    }
}

/// What happened to an alert. In the past tense: it cannot be refused any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    Raised {
        about: About,
        began: Timestamp,
        late: bool,
        fact: Option<SeqRange>,
        summary: String,
        score: Option<Spoken>,
    },
    /// A late alert whose cause is seen to go on: it is no matter of yesterday.
    GoesOn,
    Acknowledged {
        by: String,
    },
    Assigned {
        to: String,
        by: String,
    },
    Snoozed {
        until: Timestamp,
        by: String,
    },
    /// Nobody acknowledged it in time; `level` counts from 1.
    Escalated {
        level: u8,
    },
    Resolved {
        because: Ending,
    },
    Reopened {
        began: Timestamp,
        late: bool,
        fact: Option<SeqRange>,
        score: Option<Spoken>,
    },
    /// The fact that raised it should not have been said.
    CauseWithdrawn {
        by: String,
    },
    /// What the technician found: a label for every model that spoke.
    Judged {
        finding: Finding,
        by: String,
    },
}

impl Change {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Raised { .. } => "raised",
            Self::GoesOn => "goes_on",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Assigned { .. } => "assigned",
            Self::Snoozed { .. } => "snoozed",
            Self::Escalated { .. } => "escalated",
            Self::Resolved { .. } => "resolved",
            Self::Reopened { .. } => "reopened",
            Self::CauseWithdrawn { .. } => "cause_withdrawn",
            Self::Judged { .. } => "judged",
        }
    }
}

/// Why an alert ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The problem is over, as of then.
    Over {
        at: Timestamp,
    },
    /// It is part of a larger incident: a silent site, not each of its agents.
    PartOf(AlertId),
    /// The subject left service.
    Retired,
    By {
        person: String,
        reason: String,
    },
}

/// What a technician found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Finding {
    Confirmed,
    OtherPart {
        part: String,
    },
    /// A prevented failure is no false alarm.
    WearReplaced,
    NothingFound,
    NotDone,
}

impl Finding {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::OtherPart { .. } => "other_part",
            Self::WearReplaced => "wear_replaced",
            Self::NothingFound => "nothing_found",
            Self::NotDone => "not_done",
        }
    }

    /// What [`Self::as_str`] said, with the other part; None where that is no finding.
    pub fn parse(said: &str, other_part: &str) -> Option<Self> {
        let other = Self::OtherPart { part: other_part.to_owned() };
        let all = [Self::Confirmed, other, Self::WearReplaced, Self::NothingFound, Self::NotDone];
        all.into_iter().find(|finding| finding.as_str() == said)
    }

    /// Whether the alert was right; None where it says nothing about that.
    pub const fn was_right(&self) -> Option<bool> {
        match self {
            Self::Confirmed | Self::OtherPart { .. } | Self::WearReplaced => Some(true),
            Self::NothingFound => Some(false),
            Self::NotDone => None,
        }
    }
}

/// What a person asks of an alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Wish {
    Acknowledge,
    Assign { to: String },
    Snooze { until: Timestamp },
    Resolve { reason: String },
    Reopen,
    Judge { finding: Finding },
}

/// What a person asks of an alert, as it stands in the stream of the alert's subject. It is decided in log order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asked {
    /// Made by whoever asks: asked again under the same id, it is the same.
    pub id: String,
    pub author: String,
    pub alert: AlertId,
    pub wish: Wish,
}
