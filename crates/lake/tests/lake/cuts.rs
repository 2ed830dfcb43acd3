//! Queries pin a cut, see all tables of it, and cannot write.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::ScalarValue;
use medfleet_lake::{Cut, LakeError, Outcome, Txn, UtcMicros, restore, run, schema};
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
