//! The lake: Delta tables that move together with the offsets of the log, and SQL over them.
//!
//! A [`Lake`] holds one folder per table and, in it, one folder per generation. A [`TableWriter`]
//! flushes Arrow batches with the offsets they came from in one commit; a [`Reader`] opens the
//! tables at a [`Cut`] for SQL. The layer knows batches, offsets and versions, not what they mean.
//!
//! Futures that plan, load or write are boxed: a future is compiled where it is polled, and without that every crate above would
//! compile the engine's again.

pub mod cell;
mod commit;
mod cut;
mod error;
mod files;
mod hash;
mod lake;
pub mod rows;
pub mod schema;
mod session;
mod store;
mod table;
mod upkeep;
mod upload;

pub use cell::{CAUSE_TOPICS, Cause, Day, Text, UtcMicros, cause_topic};
pub use commit::{Committed, Fence, Outcome, Restored, TableWriter, Txn, reached, restore};
pub use cut::{Cut, appended_max, below_sql};
pub use error::LakeError;
pub use files::flush_properties;
pub use hash::{ContentHash, content_hash};
pub use lake::Lake;
pub use schema::{Arranged, Row, TableDef};
pub use session::{
    ROLLUP_DAY_SQL, ROLLUP_QUARTER_SQL, Reader, ReaderLimits, narrow, narrowed, query, query_config, run,
    run_over_batch, stream,
};
pub use store::DurableFileSystem;
pub use table::{CUT_READABLE_HOURS, Origin, Table, TableVersion};
pub use upkeep::{Cleaned, Compacted, CompactionPolicy, checkpoint_if_due, clean, compact, compact_at_rest};

pub use arrow::array::RecordBatch;
pub use datafusion::common::ScalarValue;
pub use datafusion::prelude::SessionContext;
