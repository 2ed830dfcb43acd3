//! Queries pin a cut, see all tables of it, and cannot write.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::ScalarValue;
use medfleet_lake::{
    CompactionPolicy, Cut, LakeError, Outcome, Table, TableVersion, Txn, UtcMicros, compact, restore, run, schema,
};
use uuid::Uuid;

use crate::rig::{APP, MARCH, Rig, flush, interval, number, origin, writer};

async fn write_cut(rig: &Rig, cut: &Cut) {
    let table = rig.lake.current_or_create(schema::table("cuts").unwrap(), &origin()).await.unwrap();
    let mut writer = restore(&table, &origin(), [APP]).await.unwrap().writer;
    let txns = [Txn::new(APP, cut.number)];
    let outcome = writer.flush(&[cut.to_batch().unwrap()], &txns, Uuid::new_v4()).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed(_)));
}

#[tokio::test]
async fn a_query_on_a_cut_does_not_see_later_flushes() {
    let rig = Rig::new().await;
    let reader = rig.reader();
    assert_eq!(reader.newest_cut().await.unwrap(), None);
    let table = rig.intervals().await;
    let mut writer = writer(&table).await;
    for number in 1..=3 {
        flush(&mut writer, &[interval("ct-1", number, number)], number).await;
        let tables = BTreeMap::from([("intervals".to_owned(), writer.version())]);
        let cut = Cut { number, made_at: UtcMicros(MARCH), tables, ..Cut::default() };
        write_cut(&rig, &cut).await;
    }
    let newest = reader.newest_cut().await.unwrap().unwrap();
    let second = reader.cut(2).await.unwrap().unwrap();
    assert_eq!((newest.number, second.number), (3, 2));
    for (cut, rows) in [(&newest, 3), (&second, 2), (&newest, 3)] {
        let session = reader.open_cut(cut).await.unwrap();
        let counted = run(&session, "SELECT COUNT(*) FROM intervals", &[]).await.unwrap();
        assert_eq!(number(&counted), rows);
    }
    assert_eq!(reader.cut(9).await.unwrap(), None);
}

#[tokio::test]
async fn a_reader_leaves_out_what_lies_past_an_overfull_cut() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let rows: Vec<_> = (0..10).map(|offset| interval("ct-1", offset, offset)).collect();
    let mut writer = writer(&table).await;
    flush(&mut writer, &rows, 10).await;
    let exact = Cut {
        offsets: BTreeMap::from([("medfleet.facts.v1/0".to_owned(), 4), ("medfleet.fleet.v1/0".to_owned(), 9)]),
        tables: BTreeMap::from([("intervals".to_owned(), writer.version())]),
        ..Cut::default()
    };
    let overfull = Cut { overfull: BTreeSet::from(["intervals".to_owned()]), ..exact.clone() };
    let elsewhere = Cut { offsets: BTreeMap::from([("medfleet.facts.v1/1".to_owned(), 4)]), ..overfull.clone() };
    let reader = rig.reader();
    for (cut, rows) in [(&exact, 10), (&overfull, 4), (&elsewhere, 0)] {
        let session = reader.open_cut(cut).await.unwrap();
        let counted = run(&session, "SELECT COUNT(*) FROM intervals", &[]).await.unwrap();
        assert_eq!(number(&counted), rows);
    }
}

#[tokio::test]
async fn since_a_cut_are_the_files_that_came_after_it_and_no_row_is_missing() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut writer = writer(&table).await;
    let mut cuts = Vec::new();
    for offset in 0..3 {
        flush(&mut writer, &[interval("ct-1", offset, offset)], offset).await;
        let offsets = BTreeMap::from([("medfleet.facts.v1/0".to_owned(), offset + 1)]);
        let tables = BTreeMap::from([("intervals".to_owned(), writer.version())]);
        cuts.push(Cut { number: offset, offsets, tables, ..Cut::default() });
    }
    let policy = CompactionPolicy { busy_merge_files: 2, ..CompactionPolicy::default() };
    compact(&rig.reader(), &table, &policy).await.unwrap();
    let merged = Cut { tables: BTreeMap::from([("intervals".to_owned(), newest(&table).await)]), ..cuts[2].clone() };
    let ahead = Cut { overfull: BTreeSet::from(["intervals".to_owned()]), ..cuts[1].clone() };
    let elsewhere = Cut { tables: BTreeMap::new(), ..cuts[1].clone() };
    let reader = rig.reader();
    let since = async |cut: &Cut, before: &Cut| {
        let session = reader.open_since(cut, before).await.unwrap();
        number(&run(&session, "SELECT COUNT(*) FROM intervals", &[]).await.unwrap())
    };
    assert_eq!(since(&cuts[2], &cuts[1]).await, 3, "the earlier one is not open");
    for cut in &cuts {
        reader.open_cut(cut).await.unwrap();
    }
    for (cut, before, rows, why) in [
        (&cuts[2], &cuts[1], 1, "one file is new"),
        (&cuts[2], &cuts[0], 2, "two files are new"),
        (&cuts[2], &cuts[2], 0, "nothing is new"),
        (&merged, &cuts[1], 3, "a merged file holds old rows too"),
        (&cuts[2], &ahead, 3, "rows of the earlier version lay past its offsets"),
        (&cuts[2], &elsewhere, 3, "the earlier cut had no such table"),
    ] {
        assert_eq!(since(cut, before).await, rows, "{why}");
    }
}

async fn newest(table: &Table) -> TableVersion {
    table.newest_version().await.unwrap()
}

#[tokio::test]
async fn a_session_reads_with_parameters_and_refuses_to_write() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let rows = [interval("ct-1", 1, 1), interval("ct-2", 30, 2)];
    flush(&mut writer(&table).await, &rows, 3).await;
    let reader = rig.reader();
    let session = reader.open(&reader.newest().await.unwrap()).await.unwrap();
    let sql = "SELECT COUNT(*) FROM intervals WHERE device = $device AND from_at < $until";
    let until = ScalarValue::TimestampMicrosecond(Some(MARCH * 2), Some("UTC".into()));
    let params = [("device", ScalarValue::from("ct-2")), ("until", until)];
    assert_eq!(number(&run(&session, sql, &params).await.unwrap()), 1);
    for refused in [
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE VIEW v AS SELECT 1",
        "COPY intervals TO 'out.parquet'",
        "INSERT INTO intervals SELECT * FROM intervals",
        "SET datafusion.execution.batch_size = 1",
        "DROP TABLE intervals",
    ] {
        let result = run(&session, refused, &[]).await;
        assert!(matches!(result, Err(LakeError::Query { .. })), "{refused}");
    }
}

#[tokio::test]
async fn as_of_reads_only_causes_below_the_cuts_offsets() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let rows: Vec<_> = (0..10).map(|offset| interval("ct-1", offset, offset)).collect();
    flush(&mut writer(&table).await, &rows, 10).await;
    let reader = rig.reader();
    let session = reader.open(&reader.newest().await.unwrap()).await.unwrap();
    let sql = "SELECT COUNT(*) FROM intervals
               WHERE cause_offset < CASE cause_partition WHEN 0 THEN $p0 ELSE 0 END
                 AND cause_offset < $greatest";
    let params = [("p0", ScalarValue::from(4_i64)), ("greatest", ScalarValue::from(4_i64))];
    assert_eq!(number(&run(&session, sql, &params).await.unwrap()), 4);
}
