//! Ingest: judges what agents and people send, appends it to the log, and only then answers.
//!
//! ```text
//! door (embedded or external) ─► admitter ─► judge (pure) ─► log ─► receipt ─► PUBACK
//! ```

mod admitter;
mod crypto;
pub mod door_embedded;
pub mod door_external;
mod error;
pub mod judge;
mod meters;
pub mod quarantine;

pub use admitter::Admitter;
pub use door_embedded::{EmbeddedDoor, OpenDoor, Passwords};
pub use door_external::ExternalDoor;
pub use error::IngestError;
pub use meters::Meters;
