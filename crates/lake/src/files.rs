//! How data files are encoded: flushes are quick, merged files are small.

use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::parquet::schema::types::ColumnPath;

/// Rows of one row group: small enough that one device and day is found by skipping.
const ROW_GROUP_ROWS: usize = 65_536;
/// A flush is waited for.
const FLUSH_ZSTD_LEVEL: i32 = 1;
/// Past this a merge takes twice as long for two per cent.
const MERGE_ZSTD_LEVEL: i32 = 9;
/// Values that hardly repeat: a dictionary of them costs time and room, and zstd packs plain numbers better.
const WITHOUT_DICTIONARY: [&str; 12] = [
    "at",
    "known_at",
    "from_at",
    "until_at",
    "seq",
    "bytes",
    "content_hash",
    "cause_offset",
    "cause_index",
    "value_milli",
    "increment_milli",
    "micros",
];

/// The encoding of what a flush writes.
pub fn flush_properties() -> WriterProperties {
    properties(FLUSH_ZSTD_LEVEL)
}

/// The encoding of merged files, which stay.
pub(crate) fn merge_properties() -> WriterProperties {
    properties(MERGE_ZSTD_LEVEL)
}

fn properties(zstd_level: i32) -> WriterProperties {
    // Both levels are in zstd's range, so the default never steps in.
    let level = ZstdLevel::try_new(zstd_level).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("medfleet ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    for column in WITHOUT_DICTIONARY {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    properties.build()
}
