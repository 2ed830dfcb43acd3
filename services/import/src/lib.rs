//! Tables of the past, read into facts: any mix of CSV files under one mapping. Pure: it is given bytes and gives back runs.
//!
//! ```text
//! files ─► reader ─► says (one row) ─► devices (all rows of one) ─► life ─► difference ─► runs
//!             └─────────┴──────────────────┴──► remarks: what was refused, and what was read in a special way
//! ```
//!
//! What the files say is a set of facts. What is told is the difference between that set and what the same source was told
//! before: the same files again tell nothing, a grown file tells its new rows.

mod assume;
mod devices;
mod difference;
mod life;
pub mod mapping;
mod plan;
mod reader;
mod remarks;
mod says;
mod times;
mod unite;

pub use difference::{Told, ToldFact, epoch};
pub use mapping::{Mapping, MappingError};
pub use plan::{Files, Plan, PlanError, Telling};
pub use reader::FILE_MAX_BYTES;
pub use remarks::{Reason, Remarks};

#[cfg(test)]
mod tests;
