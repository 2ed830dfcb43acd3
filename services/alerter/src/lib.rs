//! The alerter: decides in log order what is an alert and what became of it, and sends messages about it.
//!
//! ```text
//! facts, fleet ─► decider ─► topic of alerts ─► sender ─► driver (e-mail, webhook, Alertmanager) ─► people
//!                    ▲            │    ▲          │
//!                    └────────────┘    └──────────┘  intents, attempts, outcomes
//! ```
//! `topic` opens a writer's life and reads what lives before it have said. `decider` runs the desk; `memory` is what it
//! keeps between lives, and may be deleted. `sender` follows the topic and needs no memory. `letter` is what is said;
//! each of `drivers` carries it by one channel.

pub mod config;
mod decider;
pub mod drivers;
mod error;
mod letter;
mod memory;
mod meters;
mod relive;
mod sender;
mod topic;

pub use config::{DeliveryConfig, DeskConfig};
pub use decider::Decider;
pub use error::AlerterError;
pub use letter::Letter;
pub use meters::{DeskMeters, SenderMeters};
pub use sender::Sender;
pub use topic::{append, read_book};
