//! The scorer: from facts to features to scores.
//!
//! `gather` turns facts, in the order they are told, into signals and into the lives of parts; `features` asks `sql/features.sql`
//! what was known of every part at given instants, and puts what became of it beside that. `medfleet-risk` learns from the frame.

pub mod features;
pub mod gather;
mod relations;

/// What keeps features from being made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the feature query failed")]
    Query(#[source] datafusion::error::DataFusionError),
    #[error("the feature query gave no column `{column}`: give every column of `Column::ALL`")]
    NoColumn { column: &'static str },
    #[error("signals cannot be put into columns")]
    Columns(#[from] arrow::error::ArrowError),
    #[error(transparent)]
    Frame(#[from] medfleet_risk::Error),
}
