//! Messages about an alert: what is to be said to whom, and what became of it. Each is a fact on the log.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::AlertId;

/// How to reach a person or a system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Email(String),
    Webhook(String),
    Alertmanager(String),
}

impl Channel {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Webhook(_) => "webhook",
            Self::Alertmanager(_) => "alertmanager",
        }
    }

    pub fn address(&self) -> &str {
        match self {
            Self::Email(address) | Self::Webhook(address) | Self::Alertmanager(address) => address,
        }
    }
}

/// Hash of what the message says to whom: a repeat has the id of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId(pub u64);

impl MessageId {
    pub fn of(alert: AlertId, occasion: Occasion, channel: &Channel) -> Self {
        let (Occasion::Attention { call, level } | Occasion::Over { call, level }) = occasion;
        let over = u8::from(matches!(occasion, Occasion::Over { .. }));
        let (sort, address) = match channel {
            Channel::Email(address) => (0, address),
            Channel::Webhook(address) => (1, address),
            Channel::Alertmanager(address) => (2, address),
        };
        let mut bytes = alert.0.to_le_bytes().to_vec();
        bytes.extend(call.to_le_bytes());
        bytes.extend([level, over, sort]);
        bytes.extend(address.as_bytes());
        Self(twox_hash::XxHash3_64::oneshot(&bytes))
    }

    /// `Message-ID` of an e-mail (RFC 5322).
    pub fn email(self, domain: &str) -> String {
        format!("<{self}@{domain}>")
    }

    /// `webhook-id` of Standard Webhooks.
    pub fn webhook(self) -> String {
        format!("msg_{self}")
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a message is about: the how-manieth call of the alert for attention, and the level it had reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Occasion {
    Attention { call: u32, level: u8 },
    Over { call: u32, level: u8 },
}

impl Occasion {
    /// How often the alert had asked for attention anew.
    pub const fn call(self) -> u32 {
        let (Self::Attention { call, .. } | Self::Over { call, .. }) = self;
        call
    }
}

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub id: MessageId,
    pub alert: AlertId,
    pub occasion: Occasion,
    pub person: String,
    pub channel: Channel,
}

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Delivered,
    /// It may go better later.
    Failed {
        reason: String,
    },
    /// It will never be taken: a wrong address, a request that the receiver calls wrong.
    Refused {
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_into_both_sorts_of_header() {
        let id = MessageId(0xab);
        assert_eq!(id.email("medfleet.example"), "<00000000000000ab@medfleet.example>");
        assert_eq!(id.webhook(), "msg_00000000000000ab");
    }
}
