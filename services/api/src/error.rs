//! What stops the api, or one answer of it.

use std::net::SocketAddr;
use std::path::PathBuf;

use datafusion::error::DataFusionError;
use medfleet_lake::LakeError;
use medfleet_log::LogError;
use medfleet_runtime::RuntimeError;

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("the tables cannot be read")]
    Lake(#[from] LakeError),
    #[error("a KPI could not be computed")]
    Kpi(#[from] medfleet_kpi::KpiError),
    #[error("a query over the tables failed")]
    Query(#[source] DataFusionError),
    #[error("the event log cannot be asked how far it reaches")]
    Log(#[from] LogError),
    #[error("runtime failed")]
    Runtime(#[from] RuntimeError),
    #[error("cannot listen on {address}: is the port free, and may the process use it?")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the web server ended")]
    Serve(#[source] std::io::Error),
    #[error("token file `{path}` cannot be read or made: check that the folder exists and may be written")]
    TokenFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "token file `{path}` does not hold a token of at least {least} letters and digits: delete it to have a new one made"
    )]
    WeakToken { path: PathBuf, least: usize },
    #[error("a page could not be written: its template and its values disagree")]
    Template(#[source] askama::Error),
    #[error("the answer of a query could not be read")]
    Arrow(#[from] arrow::error::ArrowError),
    #[error("a computation was stopped before its end")]
    Work(#[source] tokio::task::JoinError),
    #[error("an answer lacks the column `{column}`, or a value in it: the .sql file and its reader disagree")]
    Column { column: String },
}

impl ApiError {
    /// A query needed more memory than all may take together.
    pub fn is_too_large(&self) -> bool {
        let mut causes = std::iter::successors(std::error::Error::source(self), |inner| inner.source());
        causes.any(|cause| {
            let engine = cause.downcast_ref::<DataFusionError>();
            engine.is_some_and(|error| matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)))
        })
    }
}

#[cfg(test)]
mod tests {
    use medfleet_kpi::KpiError;

    use super::*;

    #[test]
    fn a_query_without_enough_memory_is_told_from_other_trouble() {
        let full = || DataFusionError::ResourcesExhausted("no more".to_owned()).context("while joining");
        assert!(ApiError::Query(full()).is_too_large());
        assert!(ApiError::Kpi(KpiError::Engine(full())).is_too_large());
        assert!(!ApiError::Query(DataFusionError::Execution("no".to_owned())).is_too_large());
    }
}
