//! What can stop the desk or the sender, and what to do about it.

use medfleet_log::{AppendError, LogError};

#[derive(Debug, thiserror::Error)]
pub enum AlerterError {
    #[error("the event log failed")]
    Log(#[from] LogError),
    #[error("the event log did not take what was decided")]
    Append(#[source] AppendError),
    #[error("the rules or routes cannot be used")]
    Rules(#[from] medfleet_alerts::Error),
    #[error("record {place} cannot be read: run the version that wrote it")]
    Record {
        place: String,
        #[source]
        source: medfleet_wire::Refusal,
    },
    #[error("another {writer} has opened on this log: run one at a time")]
    Fenced { writer: &'static str },
    #[error("the topic of alerts has {found} partitions, and 1 is needed: restore its declaration")]
    Partitions { found: u32 },
    #[error("memory `{path}` cannot be written")]
    Memory {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("memory cannot be written down")]
    MemoryCoding(#[source] postcard::Error),
    #[error("mail server `{server}` cannot be used: write smtp://, smtp+starttls:// or smtps://HOST:PORT")]
    MailServer { server: String },
    #[error("mail address `{address}` cannot be used: write name@domain")]
    MailAddress { address: String },
    #[error("mail transport cannot be made")]
    Mail(#[source] lettre::transport::smtp::Error),
    #[error("the webhook secret cannot be used: write `whsec_` and 24 to 64 bytes in base64")]
    WebhookSecret,
    #[error("a TLS client cannot be made")]
    Tls(#[source] rustls::Error),
    #[error("runtime failed")]
    Runtime(#[from] medfleet_runtime::RuntimeError),
}

impl AlerterError {
    /// Whether reading everything again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Log(error) => error.is_retryable(),
            Self::Append(error) => error.is_retryable(),
            _ => false,
        }
    }
}
