//! What can stop ingest or one message, and what to do about it.

use medfleet_log::{AppendError, LogError};
use medfleet_runtime::RuntimeError;
use medfleet_wire::Refusal;

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("the event log did not confirm the append: nothing was answered, the writer sends again")]
    Append(#[source] AppendError),
    #[error("the event log failed")]
    Log(#[from] LogError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("runtime failed")]
    Runtime(#[from] RuntimeError),
    #[error("the MQTT door at {address} failed: is the port free and the certificate readable?")]
    Door {
        address: String,
        #[source]
        source: Box<mqtt5::MqttError>,
    },
    #[error("secrets file `{path}` cannot be read")]
    Secrets {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("secrets file `{path}` line {line} is not `name:password`: write one agent a line")]
    SecretsLine { path: String, line: usize },
    #[error("shards {first}..={last} are not within 0..=63: give each ingest process its own range")]
    Shards { first: u8, last: u8 },
    #[error("broker URL `{url}` cannot be used: write mqtt://HOST:PORT or mqtts://HOST:PORT")]
    BrokerUrl { url: String },
    #[error("certificate file `{path}` cannot be read")]
    Certificate {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("quarantined record {position} cannot be read")]
    Quarantined {
        position: String,
        #[source]
        source: Refusal,
    },
    #[error("there is no quarantined record at {position}: `medfleet quarantine list` shows them")]
    NotQuarantined { position: String },
    #[error("a task of ingest ended unexpectedly")]
    Task(#[source] tokio::task::JoinError),
}
