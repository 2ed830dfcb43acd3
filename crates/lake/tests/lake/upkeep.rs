//! Upkeep changes how a table lies on disk and nothing in it.

use medfleet_lake::{
    CompactionPolicy, Reader, ReaderLimits, Row as _, Text, Txn, UtcMicros, checkpoint_if_due, clean, compact, restore,
    rows, run, schema,
};
use uuid::Uuid;

use crate::rig::{APP, MARCH, MINUTE, Rig, flush, interval, number, origin, restored, writer};

fn eager() -> CompactionPolicy {
    CompactionPolicy { busy_merge_files: 2, ..CompactionPolicy::default() }
}

#[tokio::test]
async fn compaction_merges_sorted_files_within_days_and_keeps_the_hash() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut writer = writer(&table).await;
    for offset in 0..6_i64 {
        // Two days, devices in falling order, and one row that is there twice.
        let device = format!("ct-{}", 9 - offset);
        let rows = [interval(&device, 1, offset), interval(&device, 25, offset), interval("x", 2, 0)];
        flush(&mut writer, &rows, offset).await;
    }
    let before = rig.hash(&table).await;
    let merged = compact(&rig.reader(), &table, &eager()).await.unwrap();
    assert_eq!((merged.files_before, merged.files_after), (12, 2));
    assert_eq!(rig.hash(&table).await, before);
    assert_eq!(before.rows, 18);
    assert_eq!(restored(&table).await.txns.get(APP), Some(&5), "offsets outlive compaction");
    let nothing = compact(&rig.reader(), &table, &eager()).await.unwrap();
    assert_eq!(nothing.files_before, 0);
}

#[tokio::test]
async fn two_compactions_of_one_state_do_not_double_rows() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut writer = writer(&table).await;
    for offset in 0..4 {
        flush(&mut writer, &[interval("ct-1", offset, offset)], offset).await;
    }
    let before = rig.hash(&table).await;
    let (reader_a, reader_b) = (rig.reader(), rig.reader());
    let policy = eager();
    let (a, b) = tokio::join!(compact(&reader_a, &table, &policy), compact(&reader_b, &table, &policy));
    assert!(a.is_ok() || b.is_ok(), "{a:?} {b:?}");
    assert_eq!(rig.hash(&table).await, before);
}

#[tokio::test]
async fn compaction_of_sums_adds_up_and_keeps_the_hash() {
    let rig = Rig::new().await;
    let def = schema::table("rollup_quarter").unwrap();
    let table = rig.lake.current_or_create(def, &origin()).await.unwrap();
    let mut writer = restore(&table, &origin(), [APP]).await.unwrap().writer;
    for (offset, micros) in [(1, 100), (2, 50), (3, -30), (4, -120)] {
        let kept = rows::QuarterRollupRow { micros, site: "a".into(), ..Default::default() };
        let gone = rows::QuarterRollupRow { micros, site: "b".into(), ..Default::default() };
        let rows = if micros == 50 { vec![gone, kept] } else { vec![kept] };
        let batch = rows::QuarterRollupRow::to_batch(&rows).unwrap();
        writer.flush(&[batch], &[Txn::new(APP, offset)], Uuid::new_v4()).await.unwrap();
    }
    let before = rig.hash(&table).await;
    assert_eq!(before.rows, 1, "site a sums to nothing, site b to 50");
    compact(&rig.reader(), &table, &eager()).await.unwrap();
    assert_eq!(rig.hash(&table).await, before);
    let reader = rig.reader();
    let session = reader.open(&reader.newest().await.unwrap()).await.unwrap();
    let counted = run(&session, "SELECT COUNT(*) FROM rollup_quarter", &[]).await.unwrap();
    assert_eq!(number(&counted), 1, "the rows themselves were added up");
}

/// The engine's sorter would count the array of all sums anew for each slice of it.
#[tokio::test]
async fn compaction_of_many_sums_needs_no_more_memory_than_they_take() {
    let rig = Rig::new().await;
    let def = schema::table("rollup_quarter").unwrap();
    let table = rig.lake.current_or_create(def, &origin()).await.unwrap();
    let mut writer = restore(&table, &origin(), [APP]).await.unwrap().writer;
    for offset in 0..2 {
        let row = |quarter: i64| {
            let quarter_at = UtcMicros(MARCH + (quarter % 2_000) * 15 * MINUTE);
            let site = Text::from(format!("site-{}", quarter / 2_000));
            rows::QuarterRollupRow { month: UtcMicros(MARCH).day(), quarter_at, site, micros: 1, ..Default::default() }
        };
        let rows: Vec<_> = (0..200_000).map(row).collect();
        let batch = rows::QuarterRollupRow::to_batch(&rows).unwrap();
        writer.flush(&[batch], &[Txn::new(APP, offset)], Uuid::new_v4()).await.unwrap();
    }
    let before = rig.hash(&table).await;
    let limits = ReaderLimits { memory_mebibytes: 200, ..ReaderLimits::default() };
    let reader = Reader::new(rig.lake.clone(), limits).unwrap();
    let merged = compact(&reader, &table, &eager()).await.unwrap();
    assert_eq!((merged.files_before, merged.files_after), (2, 1));
    assert_eq!(rig.hash(&table).await, before);
    assert_eq!(before.rows, 200_000);
}

#[tokio::test]
async fn a_table_opens_from_its_checkpoint_with_offsets_and_origin() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut writer = writer(&table).await;
    assert_eq!(checkpoint_if_due(&table).await.unwrap(), None);
    for offset in 0..101 {
        flush(&mut writer, &[interval("ct-1", offset % 24, offset)], offset).await;
    }
    let before = rig.hash(&table).await;
    assert_eq!(checkpoint_if_due(&table).await.unwrap(), Some(101));
    assert_eq!(checkpoint_if_due(&table).await.unwrap(), None);
    let log = rig.folder.path().join("lake/intervals/g0001/_delta_log");
    for version in 0..101 {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    assert_eq!(restored(&table).await.txns.get(APP), Some(&100));
    assert_eq!(rig.hash(&table).await, before);
}

#[tokio::test]
async fn cleaning_deletes_only_what_is_old_and_unreferenced() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut writer = writer(&table).await;
    for offset in 0..3 {
        flush(&mut writer, &[interval("ct-1", offset, offset)], offset).await;
    }
    compact(&rig.reader(), &table, &eager()).await.unwrap();
    let before = rig.hash(&table).await;
    let day = rig.folder.path().join("lake/intervals/g0001/day=2026-03-01");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7_200);
    for entry in std::fs::read_dir(&day).unwrap() {
        let file = std::fs::File::options().write(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let orphan = day.join("part-orphan.parquet");
    std::fs::File::create(&orphan).unwrap().set_modified(long_ago).unwrap();
    std::fs::write(day.join("part-under-way.parquet"), "x").unwrap();

    let cleaned = clean(&table).await.unwrap();
    assert_eq!(cleaned.data_files, 1, "merged files were removed less than an hour ago");
    assert!(!orphan.exists());
    assert!(day.join("part-under-way.parquet").exists());
    assert_eq!(rig.hash(&table).await, before);
}
