//! How a process of medfleet lives: it reads its configuration, says how it is, counts what it does, notices silence
//! and ends in order.

pub mod backoff;
pub mod clock;
pub mod config;
mod error;
pub mod health;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod shutdown;
pub mod tls;
pub mod watchdog;

pub use backoff::Backoff;
pub use clock::now_micros;
pub use config::Layers;
pub use error::RuntimeError;
pub use health::{Health, RoleHealth, RoleState};
pub use metrics::{Metrics, Room};
pub use shutdown::{DRAIN_MAX_SECONDS, Shutdown, drain};
pub use tls::TlsFiles;
pub use watchdog::Watchdog;
