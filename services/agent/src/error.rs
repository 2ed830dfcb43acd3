//! What ends an agent, or keeps it from starting.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("the agent's journal failed: nothing more is accepted until the agent is started again")]
    Journal {
        #[source]
        source: medfleet_journal::Error,
    },
    #[error("the journal folder {} cannot be used", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "record {index} of the journal cannot be read ({why}): run the build that wrote it, or move the folder away and begin anew"
    )]
    Entry { index: u64, why: String },
    #[error("the checkpoint cannot be written")]
    Checkpoint {
        #[source]
        source: serde_json::Error,
    },
    #[error("{what} `{value}` cannot be used: {cure}")]
    Config { what: &'static str, value: String, cure: &'static str },
    #[error("{what} {} cannot be read", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the certificates in {} cannot be used", path.display())]
    Certificates {
        path: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("{} holds no certificate: point mqtt.ca_file at the authority that signed the broker's", path.display())]
    NoCertificate { path: PathBuf },
    #[error("line {line} of {} cannot be read: {why}", path.display())]
    Replay { path: PathBuf, line: u64, why: String },
    #[error("a domain value is not valid")]
    Invalid {
        #[source]
        source: medfleet_domain::Invalid,
    },
    #[error(transparent)]
    Runtime(#[from] medfleet_runtime::RuntimeError),
    #[error("a task of the agent has panicked")]
    Panicked {
        #[source]
        source: tokio::task::JoinError,
    },
}

impl From<medfleet_journal::Error> for AgentError {
    fn from(source: medfleet_journal::Error) -> Self {
        Self::Journal { source }
    }
}

impl From<medfleet_domain::Invalid> for AgentError {
    fn from(source: medfleet_domain::Invalid) -> Self {
        Self::Invalid { source }
    }
}
