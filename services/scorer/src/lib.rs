//! The scorer: from facts to features to scores.
//!
//! `archive` tells facts, and `verdicts` what technicians found, to `gather`, which turns them into signals and into the lives of parts; `features` asks
//! `sql/features.sql` what was known of every part at given instants, and puts what became of it beside that. `learn` makes a model
//! of the frame, `models` keeps it, `scoring` asks it in SQL by the function of `udf`. `register` is the topic of risk, and `service`
//! the role that scores once a day.

pub mod archive;
mod earlier;
mod families;
pub mod features;
pub mod gather;
pub mod learn;
pub mod models;
pub mod register;
mod relations;
pub mod scoring;
pub mod service;
pub mod udf;
pub mod verdicts;

use std::path::PathBuf;

use medfleet_domain::time::Timestamp;

/// What keeps features from being made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the feature query failed")]
    Query(#[source] datafusion::error::DataFusionError),
    #[error(
        "the feature query gave no column `{column}`: give every column of `Column::ALL`, and of families every count of `FamilyColumn::ALL`"
    )]
    NoColumn { column: &'static str },
    #[error("signals cannot be put into columns")]
    Columns(#[from] arrow::error::ArrowError),
    #[error(transparent)]
    Frame(#[from] medfleet_risk::Error),
    #[error("the tables cannot be read")]
    Lake(#[from] medfleet_lake::LakeError),
    #[error("a fact about {subject} in the archive cannot be read")]
    Fact {
        subject: String,
        #[source]
        source: medfleet_wire::Refusal,
    },
    #[error("the archive names what is none")]
    Name(#[from] medfleet_domain::Invalid),
    #[error("the log cannot be read")]
    Log(#[from] medfleet_log::LogError),
    #[error("the log did not take what was told")]
    Append(#[source] medfleet_log::AppendError),
    #[error("scores were not admitted")]
    Door(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the record of risk at {at} cannot be read")]
    RiskRecord {
        at: medfleet_log::Position,
        #[source]
        source: medfleet_wire::Refusal,
    },
    #[error("no device has told anything yet: start agents or import a past first")]
    NothingTold,
    #[error("{days} days of history are too short to look at: come back when there are more")]
    TooShort { days: i64 },
    #[error("no sort of part failed three times before {until}: there is nothing to learn from yet")]
    NothingFailed { until: Timestamp },
    #[error("the model {} cannot be kept or read: train it again", path.display())]
    ModelFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} holds model {found}: remove it and train again", path.display())]
    OtherModel { path: PathBuf, found: String },
}
