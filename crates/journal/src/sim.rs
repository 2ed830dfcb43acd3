//! A simulated disk for tests: it loses unsynced writes, tears pages, fails syncs, fills up and crashes at any step.
//!
//! What a file system shows and what it would still hold after a power loss are kept apart. Every write waits until a
//! sync; at a power loss each waiting piece is kept, lost or torn on its own, drawn from a seed. Steps (every create,
//! write, cut, sync and remove) are counted, so that a test can crash at each of them.

mod disk;
mod file;
mod forgetful;

pub use disk::SimDisk;
pub use file::{PAGE_BYTES, SECTOR_BYTES};
pub use forgetful::ForgetfulSync;
