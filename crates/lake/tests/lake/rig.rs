//! A lake in a temporary folder, rows to fill it with, and ways to look at it.

use std::collections::BTreeMap;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use medfleet_lake::rows::IntervalRow;
use medfleet_lake::{
    Cause, ContentHash, Lake, Origin, Outcome, Reader, ReaderLimits, Restored, Row as _, Table, TableWriter, Text, Txn,
    UtcMicros, content_hash, restore, schema,
};
use tempfile::TempDir;
use uuid::Uuid;

pub const APP: &str = "log-1/facts/0";
pub const MINUTE: i64 = 60_000_000;
pub const HOUR: i64 = 60 * MINUTE;
/// 2026-03-01T00:00Z.
pub const MARCH: i64 = 1_772_323_200_000_000;

pub struct Rig {
    pub folder: TempDir,
    pub lake: Lake,
}

pub fn origin() -> Origin {
    Origin { rules: "fold 1".into(), log: "log-1".into() }
}

impl Rig {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_local(folder.path()).await.unwrap();
        Self { folder, lake }
    }

    pub async fn intervals(&self) -> Table {
        intervals_of(&self.lake).await
    }

    pub fn reader(&self) -> Reader {
        Reader::new(self.lake.clone(), ReaderLimits::default()).unwrap()
    }

    pub async fn hash(&self, table: &Table) -> ContentHash {
        let newest = table.newest_version().await.unwrap();
        let versions = BTreeMap::from([(table.name().to_owned(), newest)]);
        let session = self.reader().open(&versions).await.unwrap();
        content_hash(&session, table.def()).await.unwrap()
    }
}

pub async fn intervals_of(lake: &Lake) -> Table {
    let def = schema::table("intervals").unwrap();
    lake.current_or_create(def, &origin()).await.unwrap()
}

pub async fn writer(table: &Table) -> TableWriter {
    restored(table).await.writer
}

pub async fn restored(table: &Table) -> Restored {
    restore(table, &origin(), [APP]).await.unwrap()
}

/// One productive stretch of an hour; `offset` makes it unique.
pub fn interval(device: &str, hour: i64, offset: i64) -> IntervalRow {
    let from_at = UtcMicros(MARCH + hour * HOUR);
    IntervalRow {
        device: Text::from(device.to_owned()),
        site: "mercy".into(),
        kind: "ct".into(),
        day: from_at.day(),
        from_at,
        until_at: UtcMicros(from_at.0 + HOUR),
        condition: "productive".into(),
        degradation: "full".into(),
        source_kind: "telemetry".into(),
        weight: 1,
        cause: Cause { topic: 0, partition: 0, offset, index: 0 },
        ..IntervalRow::default()
    }
}

pub fn batch(rows: &[IntervalRow]) -> RecordBatch {
    IntervalRow::to_batch(rows).unwrap()
}

/// Flushes rows up to an offset and expects success; returns the version.
pub async fn flush(writer: &mut TableWriter, rows: &[IntervalRow], offset: i64) -> u64 {
    match try_flush(writer, rows, offset).await {
        Outcome::Committed(committed) => committed.version,
        Outcome::Fenced(fence) => panic!("fenced: {fence:?}"),
    }
}

pub async fn try_flush(writer: &mut TableWriter, rows: &[IntervalRow], offset: i64) -> Outcome {
    let txns = [Txn::new(APP, offset)];
    writer.flush(&[batch(rows)], &txns, Uuid::new_v4()).await.unwrap()
}

/// First column of the first row of a query, as a number.
pub fn number(batches: &[RecordBatch]) -> i64 {
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}
