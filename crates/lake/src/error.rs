//! What can go wrong in the lake, said once, with the value that offended and the cure.

use deltalake_core::DeltaTableError;

/// Every way a call into the lake can fail.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    #[error("cannot {doing} {path}: check that the disk has room and the process may write there")]
    Storage {
        doing: &'static str,
        path: String,
        #[source]
        source: object_store::Error,
    },

    #[error("cannot prepare the lake folder {path}: check that the disk has room and the process may write there")]
    Folder {
        path: String,
        #[source]
        source: std::io::Error,
    },

    #[error("cannot {doing} table {table}: the Delta layer refused")]
    Delta {
        doing: &'static str,
        table: String,
        #[source]
        source: Box<DeltaTableError>,
    },

    #[error("cannot {doing}: Arrow refused the batch")]
    Arrow {
        doing: &'static str,
        #[source]
        source: arrow::error::ArrowError,
    },

    #[error("cannot {doing}: the query failed")]
    Query {
        doing: &'static str,
        #[source]
        source: Box<datafusion::error::DataFusionError>,
    },

    #[error("batch for table {table} lacks column {column}: build it with the table's own row type")]
    MissingColumn { table: String, column: String },

    #[error(
        "column {column} holds no value in row {row}, but its type forbids that: the file was not written by this program; restore it from a backup"
    )]
    UnexpectedNull { column: String, row: usize },

    #[error(
        "table {table} has another shape than this program writes ({detail}): stop the processor and run `medfleet rebuild --table {table}`"
    )]
    ShapeChanged { table: String, detail: String },

    #[error(
        "table {table} was built by [{found}] and this program is [{wanted}]: stop the processor and run `medfleet rebuild --table all`"
    )]
    RulesChanged { table: String, found: String, wanted: String },

    #[error("table {table} was built from log {found}, and this is log {wanted}: start with the log it was built from")]
    ForeignLog { table: String, found: String, wanted: String },

    #[error(
        "commit {version} of table {table} is unreadable: restore the table folder from a backup or run `medfleet rebuild --table {table}`"
    )]
    TornCommit {
        table: String,
        version: u64,
        #[source]
        source: Box<DeltaTableError>,
    },

    #[error("the fate of commit {version} of table {table} is unknown after {puts} puts: forget memory and restore")]
    Unresolved {
        table: String,
        version: u64,
        puts: u32,
        #[source]
        source: Box<DeltaTableError>,
    },

    #[error("the writer of table {table} does not know what its last flush did: forget memory and restore")]
    WriterLost { table: String },

    #[error("table {table} does not exist under {root}: start a processor on this data directory first")]
    NoTable { table: String, root: String },

    #[error("{path} says {text:?}, which names no generation: write the name of the newest generation folder into it")]
    BadPointer { path: String, text: String },

    #[error(
        "generation {generation} of table {table} is the current one and cannot be removed: swap the pointer first"
    )]
    RemoveCurrent { table: String, generation: String },

    #[error("cut {cut} is unreadable in column {column}: the row was not written by this program")]
    BadCut {
        cut: i64,
        column: &'static str,
        #[source]
        source: serde_json::Error,
    },

    #[error("another upkeep of table {table} is ahead: leave upkeep to one owner")]
    UpkeepRace {
        table: String,
        #[source]
        source: Box<DeltaTableError>,
    },
}

impl LakeError {
    pub(crate) fn delta(doing: &'static str, table: &str) -> impl FnOnce(DeltaTableError) -> Self {
        let table = table.to_owned();
        move |source| Self::Delta { doing, table, source: Box::new(source) }
    }

    pub(crate) fn arrow(doing: &'static str) -> impl FnOnce(arrow::error::ArrowError) -> Self {
        move |source| Self::Arrow { doing, source }
    }

    pub(crate) fn query(doing: &'static str) -> impl FnOnce(datafusion::error::DataFusionError) -> Self {
        move |source| Self::Query { doing, source: Box::new(source) }
    }

    pub(crate) fn storage(
        doing: &'static str,
        path: &object_store::path::Path,
    ) -> impl FnOnce(object_store::Error) -> Self {
        let path = path.to_string();
        move |source| Self::Storage { doing, path, source }
    }
}
