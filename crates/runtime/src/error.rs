//! What can go wrong in the life of a process.

use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("cannot read the configuration file {}", path.display())]
    ConfigFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the configuration file {} is not TOML", path.display())]
    ConfigSyntax {
        path: PathBuf,
        #[source]
        source: toml::de::Error,
    },
    #[error("configuration key {key:?} is malformed: use words joined by dots, as in ingest.listen")]
    ConfigKey { key: String },
    #[error("configuration key {key:?} lies beneath a plain value: set it in one layer as a table, or not at all")]
    ConfigShape { key: String },
    #[error("the configuration (flags over MEDFLEET_* over file) cannot be used")]
    ConfigValue {
        #[source]
        source: toml::de::Error,
    },
    #[error("cannot listen for the signals that end the process")]
    Signals {
        #[source]
        source: std::io::Error,
    },
    #[error("a role did not finish within {} s of the request to end: nothing is lost, it goes on where its offsets stand", limit.as_secs())]
    DrainExpired { limit: Duration },
    #[error("metric {name:?} is misnamed: {rule}")]
    MetricName { name: String, rule: &'static str },
    #[error("metric {name:?} cannot be registered")]
    Metric {
        name: String,
        #[source]
        source: prometheus::Error,
    },
    #[error("metrics cannot be written as text")]
    MetricText {
        #[source]
        source: prometheus::Error,
    },
    #[error("the log filter {filter:?} is malformed: use MEDFLEET_LOG like info,medfleet_ingest=debug")]
    LogFilter {
        filter: String,
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("logging was started twice")]
    LoggingTwice,
    #[error("{role} stands still: no progress for {} s with {lag} records waiting", silent.as_secs())]
    Stalled { role: &'static str, silent: Duration, lag: u64 },
    #[error("{role} is silent: no report for {} s", silent.as_secs())]
    Silent { role: &'static str, silent: Duration },
    #[error("certificate or key file `{}` cannot be used: it must be PEM, and readable by this process", path.display())]
    Certificate {
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("the certificate and the key do not fit together: give the pair that was made together")]
    CertificatePair(#[source] rustls::Error),
    #[error("the status listener failed")]
    StatusListener {
        #[source]
        source: std::io::Error,
    },
}
