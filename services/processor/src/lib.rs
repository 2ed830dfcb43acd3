//! The processor: folds the log into tables, each with its offsets in the same commit.
//!
//! What others wait for is handed out boxed: a future is compiled where it is polled, and without that every program that starts
//! a worker would compile all of this again.

mod appetite;
pub mod archive;
mod binder;
pub mod book;
mod chronicle;
pub mod clerk;
pub mod config;
mod cut_maker;
mod error;
mod flush;
#[cfg(test)]
mod fuzz;
pub mod lookahead;
pub mod meters;
mod notes;
pub mod rebuild;
mod retention;
mod rows;
mod shelf;
mod snapshot;
pub mod told;
pub mod upkeep;
mod waiting;
pub mod worker;

pub use binder::{BinderMeters, Binding};
pub use config::ProcessorConfig;
pub use cut_maker::CutMaker;
pub use error::ProcessorError;
pub use flush::{Flushed, Share, Shelves, TABLES};
pub use meters::Meters;
pub use worker::{Worker, origin};
