//! The lake: Delta tables that move together with the offsets of the log, and SQL over them.

pub mod cell;
mod commit;
mod error;
mod files;
mod lake;
pub mod rows;
pub mod schema;
mod store;
mod table;
mod upload;

pub use cell::{Cause, Day, Text, UtcMicros};
pub use commit::{Committed, Fence, Outcome, Restored, TableWriter, Txn, restore};
pub use error::LakeError;
pub use lake::Lake;
pub use schema::{Row, TableDef};
pub use store::DurableFileSystem;
pub use table::{CUT_READABLE_HOURS, Origin, Table, TableVersion};
