//! What keeps a table quick to open and to read, and changes nothing in it. One owner per table.

mod clean;
mod compact;
mod plan;

pub use clean::{Cleaned, checkpoint_if_due, clean};
pub use compact::{Compacted, compact, compact_at_rest};
pub use plan::CompactionPolicy;
