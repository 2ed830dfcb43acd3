//! The processor: folds the log into tables, each with its offsets in the same commit.

pub mod archive;
pub mod book;
pub mod clerk;
pub mod config;
mod error;
mod flush;
pub mod lookahead;
pub mod meters;
pub mod rebuild;
mod retention;
mod rows;
mod snapshot;
pub mod told;
pub mod upkeep;
pub mod worker;

pub use config::ProcessorConfig;
pub use error::ProcessorError;
pub use flush::{Flushed, Shelves, TABLES};
pub use meters::Meters;
pub use worker::{Worker, origin};
