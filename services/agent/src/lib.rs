//! The edge agent: takes what sources see of medical devices, makes it durable, and delivers it until its receipt is there.
//!
//! ```text
//! source ─► intake ─► keeper(recorder: clock · stretcher · writer) ─► journal ─► delivery(window · batch) ─► link ─► broker
//!                        ▲ freed, tombstones                            └──────────── receipts ◄─────────────┘
//! ```
//! The pure cores are `clock`, `stretcher`, `writer`, `recorder`, `spool`, `window`, `ranges` and `batch`; the rest drives them.

pub mod account;
pub mod batch;
pub mod clock;
pub mod clocks;
pub mod config;
mod delivery;
mod error;
pub mod intake;
mod keeper;
pub mod link;
pub mod metrics;
pub mod observation;
pub mod ranges;
pub mod recorder;
mod service;
pub mod source;
pub mod spool;
pub mod stretcher;
pub mod window;
pub mod writer;

pub use clocks::{Clocks, SystemClocks};
pub use config::AgentConfig;
pub use error::AgentError;
pub use intake::Intake;
pub use metrics::AgentMetrics;
pub use observation::{Observation, Refusal, Seen, Stated};
pub use service::{Agent, Surroundings};
pub use source::Source;
