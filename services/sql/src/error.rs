//! What stops the endpoint. What stops one statement is a [`crate::refusal::Refusal`].

use std::net::SocketAddr;
use std::path::PathBuf;

use datafusion::error::DataFusionError;
use medfleet_lake::LakeError;
use medfleet_runtime::RuntimeError;

#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    #[error("the tables cannot be read")]
    Lake(#[from] LakeError),
    #[error("the tables cannot be completed for the KPI views")]
    Kpi(#[from] medfleet_kpi::KpiError),
    #[error("runtime failed")]
    Runtime(#[from] RuntimeError),
    #[error("cannot prepare {what}: the query engine refused")]
    Engine {
        what: &'static str,
        #[source]
        source: Box<DataFusionError>,
    },
    #[error("{address} is not loopback: give a certificate and a key, or listen on 127.0.0.1")]
    PlainText { address: SocketAddr },
    #[error("cannot listen on {address}: is the port free, and may the process use it?")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("`{name}` is no name of a user: use 1 to 63 of a-z, 0-9, - and _")]
    UserName { name: String },
    #[error("a user needs sites, or all of them: name at least one")]
    NoSites,
    #[error("user file `{path}` cannot be read or written: check that its folder exists and may be written")]
    UserFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("user file `{path}` cannot be understood: make the user again with `medfleet sql-user`")]
    UserText {
        path: PathBuf,
        #[source]
        source: toml::de::Error,
    },
    #[error("user file `{path}` holds no verifier of SCRAM-SHA-256: make the user again with `medfleet sql-user`")]
    Verifier { path: PathBuf },
}

impl SqlError {
    pub(crate) fn engine(what: &'static str) -> impl FnOnce(DataFusionError) -> Self {
        move |source| Self::Engine { what, source: Box::new(source) }
    }
}
