//! How data files are encoded, the same for flushes and for compaction.

use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;

/// Rows of one row group: small enough that one device and day is found by skipping.
const ROW_GROUP_ROWS: usize = 65_536;

/// The one encoding of data files.
pub fn writer_properties() -> WriterProperties {
    WriterProperties::builder()
        .set_created_by(concat!("medfleet ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build()
}
