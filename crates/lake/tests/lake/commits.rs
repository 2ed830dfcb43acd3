//! The exactly-once flush: lost answers, refused puts, zombies, upkeep in between, torn entries.

use std::time::Duration;

use medfleet_lake::{CompactionPolicy, Fence, LakeError, Outcome, Txn, compact, restore};
use uuid::Uuid;

use crate::faulty::{Fault, Faults};
use crate::rig::{APP, Rig, batch, flush, interval, intervals_of, number, origin, restored, try_flush, writer};

async fn rows(rig: &Rig) -> i64 {
    let reader = rig.reader();
    let session = reader.open(&reader.newest().await.unwrap()).await.unwrap();
    let counted = medfleet_lake::run(&session, "SELECT COUNT(*) FROM intervals", &[]).await;
    number(&counted.unwrap())
}

#[tokio::test]
async fn a_flush_brings_rows_and_offsets_together_and_a_restart_finds_both() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut first = writer(&table).await;
    assert_eq!(flush(&mut first, &[interval("ct-1", 0, 1), interval("ct-2", 1, 2)], 3).await, 1);
    assert_eq!(flush(&mut first, &[interval("ct-1", 1, 3)], 4).await, 2);

    let restored = restored(&table).await;
    assert_eq!(restored.txns.get(APP), Some(&4));
    assert_eq!(restored.writer.version().version, 2);
    assert_eq!(rows(&rig).await, 3);
}

#[tokio::test]
async fn a_flush_without_rows_still_moves_the_offset() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    flush(&mut writer(&table).await, &[], 9).await;
    assert_eq!(restored(&table).await.txns.get(APP), Some(&9));
    assert_eq!(rows(&rig).await, 0);
}

#[tokio::test]
async fn an_application_that_never_committed_has_no_offset() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    flush(&mut writer(&table).await, &[], 9).await;
    let restored = restore(&table, &origin(), [APP, "log-1/facts/1"]).await.unwrap();
    assert_eq!(restored.txns.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_recognised_as_my_own_commit() {
    let rig = Rig::new().await;
    let faults = Faults::default();
    let table = intervals_of(&faults.wrap(&rig.lake)).await;
    let mut writer = writer(&table).await;
    faults.then(Fault::LoseAnswer);
    let outcome = try_flush(&mut writer, &[interval("ct-1", 0, 1)], 2).await;
    let Outcome::Committed(committed) = outcome else { panic!("{outcome:?}") };
    assert!(committed.found_landed);
    assert_eq!((committed.version, committed.rows, faults.left()), (1, 1, 0));
    flush(&mut writer, &[interval("ct-1", 1, 2)], 3).await;
    assert_eq!(rows(&rig).await, 2, "no row twice");
}

#[tokio::test]
async fn a_refused_put_is_put_again() {
    let rig = Rig::new().await;
    let faults = Faults::default();
    let table = intervals_of(&faults.wrap(&rig.lake)).await;
    let mut writer = writer(&table).await;
    faults.then(Fault::Refuse);
    faults.then(Fault::Refuse);
    faults.then(Fault::LoseAnswer);
    assert_eq!(flush(&mut writer, &[interval("ct-1", 0, 1)], 2).await, 1);
    assert_eq!(rows(&rig).await, 1);
}

#[tokio::test]
async fn a_put_refused_for_ever_loses_the_writer_and_a_restore_goes_on() {
    let rig = Rig::new().await;
    let faults = Faults::default();
    let table = intervals_of(&faults.wrap(&rig.lake)).await;
    let mut lost = writer(&table).await;
    (0..6).for_each(|_| faults.then(Fault::Refuse));
    let txns = [Txn::new(APP, 2)];
    let rows_of = [batch(&[interval("ct-1", 0, 1)])];
    let failed = lost.flush(&rows_of, &txns, Uuid::new_v4()).await;
    assert!(matches!(failed, Err(LakeError::Unresolved { version: 1, puts: 6, .. })), "{failed:?}");
    let again = lost.flush(&rows_of, &txns, Uuid::new_v4()).await;
    assert!(matches!(again, Err(LakeError::WriterLost { .. })), "{again:?}");

    flush(&mut writer(&table).await, &[interval("ct-1", 0, 1)], 2).await;
    assert_eq!(rows(&rig).await, 1);
}

#[tokio::test]
async fn a_zombie_is_fenced_and_leaves_nothing_behind() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut zombie = writer(&table).await;
    flush(&mut zombie, &[interval("ct-1", 0, 1)], 2).await;
    let mut successor = writer(&table).await;
    flush(&mut successor, &[interval("ct-1", 1, 2)], 3).await;

    let outcome = try_flush(&mut zombie, &[interval("ct-1", 1, 2)], 3).await;
    let taken = Fence::Taken { version: 2, txns: vec![Txn::new(APP, 3)] };
    assert_eq!(outcome, Outcome::Fenced(taken));
    assert_eq!(rows(&rig).await, 2);
    assert_eq!(parquet_files(&rig), 2, "the fenced file is deleted");

    let again = zombie.flush(&[], &[Txn::new(APP, 4)], Uuid::new_v4()).await;
    assert!(matches!(again, Err(LakeError::WriterLost { .. })), "a fenced writer stays fenced");
    flush(&mut successor, &[interval("ct-1", 2, 3)], 4).await;
}

#[tokio::test]
async fn two_writers_of_different_partitions_step_over_each_other() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let (mut a, mut b) = (writer(&table).await, writer(&table).await);
    for offset in 0..4 {
        flush(&mut a, &[interval("ct-1", offset, offset)], offset).await;
        let txns = [Txn::new("log-1/facts/1", offset)];
        let rows = [batch(&[interval("ct-2", offset, offset)])];
        let outcome = b.flush(&rows, &txns, Uuid::new_v4()).await.unwrap();
        let Outcome::Committed(committed) = outcome else { panic!("{outcome:?}") };
        assert_eq!(committed.stepped_over, 1);
    }
    let restored = restore(&table, &origin(), [APP, "log-1/facts/1"]).await.unwrap();
    assert_eq!(restored.txns.values().collect::<Vec<_>>(), [&3, &3]);
    assert_eq!(rows(&rig).await, 8);
}

#[tokio::test]
async fn an_upkeep_commit_in_between_is_stepped_over() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut writer = writer(&table).await;
    for offset in 0..4 {
        flush(&mut writer, &[interval("ct-1", offset, offset)], offset).await;
    }
    let policy = CompactionPolicy { busy_merge_files: 2, ..CompactionPolicy::default() };
    compact(&rig.reader(), &table, &policy).await.unwrap();
    let outcome = try_flush(&mut writer, &[interval("ct-1", 4, 4)], 5).await;
    let Outcome::Committed(committed) = outcome else { panic!("{outcome:?}") };
    assert_eq!((committed.version, committed.stepped_over), (6, 1));
    assert_eq!(rows(&rig).await, 5);
}

#[tokio::test]
async fn a_changed_shape_fences_the_writer() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut writer = writer(&table).await;
    let log = table_log(&rig);
    let created = std::fs::read_to_string(log.join("00000000000000000000.json")).unwrap();
    let metadata = created.lines().find(|line| line.contains("metaData")).unwrap();
    std::fs::write(log.join("00000000000000000001.json"), metadata).unwrap();
    let outcome = try_flush(&mut writer, &[interval("ct-1", 0, 1)], 2).await;
    assert_eq!(outcome, Outcome::Fenced(Fence::Reshaped { version: 1 }));
}

#[tokio::test]
async fn a_writer_silent_while_the_log_was_cleaned_does_not_write_into_the_past() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut zombie = writer(&table).await;
    let mut successor = writer(&table).await;
    for offset in 0..3 {
        flush(&mut successor, &[interval("ct-1", offset, offset)], offset).await;
    }
    // What a checkpoint and the cleaning of the log do to the entries the zombie never read.
    std::fs::remove_file(table_log(&rig).join("00000000000000000001.json")).unwrap();
    zombie.expect_silence_of_at_most(Duration::ZERO);
    let outcome = try_flush(&mut zombie, &[interval("ct-1", 0, 0)], 1).await;
    assert_eq!(outcome, Outcome::Fenced(Fence::LeftBehind { version: 1 }));
}

#[tokio::test]
async fn a_writer_that_takes_itself_for_left_behind_deletes_no_file_of_the_table() {
    let rig = Rig::new().await;
    let faults = Faults::default();
    let table = intervals_of(&faults.wrap(&rig.lake)).await;
    let mut slow = writer(&table).await;
    slow.expect_silence_of_at_most(Duration::ZERO);
    faults.then(Fault::Overtake);
    let outcome = try_flush(&mut slow, &[interval("ct-1", 0, 0)], 1).await;
    assert_eq!(outcome, Outcome::Fenced(Fence::LeftBehind { version: 1 }));
    assert_eq!(
        restored(&table).await.txns.get(APP),
        Some(&1),
        "its commit stands, so nobody will write these rows again"
    );
    assert_eq!(rows(&rig).await, 1);
}

#[tokio::test]
async fn files_that_cleaning_may_have_taken_are_not_committed() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut stopped = writer(&table).await;
    stopped.expect_files_of_at_most(Duration::ZERO);
    let outcome = try_flush(&mut stopped, &[interval("ct-1", 0, 0)], 1).await;
    assert_eq!(outcome, Outcome::Fenced(Fence::Slow { seconds: 0 }));
    assert_eq!((restored(&table).await.txns.get(APP), parquet_files(&rig)), (None, 0));
    flush(&mut writer(&table).await, &[interval("ct-1", 0, 0)], 1).await;
    assert_eq!(rows(&rig).await, 1);
}

#[tokio::test]
async fn a_commit_torn_to_zero_length_is_an_error_and_never_an_empty_version() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let mut writer = writer(&table).await;
    flush(&mut writer, &[interval("ct-1", 0, 1)], 2).await;
    std::fs::write(table_log(&rig).join("00000000000000000002.json"), "").unwrap();

    let opened = restore(&table, &origin(), [APP]).await.map(|_| ());
    let text = format!("{:?}", opened.unwrap_err());
    assert!(text.contains("00000000000000000002.json is empty"), "{text}");
    let txns = [Txn::new(APP, 3)];
    let flushed = writer.flush(&[], &txns, Uuid::new_v4()).await;
    assert!(flushed.is_err(), "{flushed:?}");
}

fn table_log(rig: &Rig) -> std::path::PathBuf {
    rig.folder.path().join("lake/intervals/g0001/_delta_log")
}

fn parquet_files(rig: &Rig) -> usize {
    let days = rig.folder.path().join("lake/intervals/g0001");
    let folders = std::fs::read_dir(days).unwrap().map(|entry| entry.unwrap().path());
    folders
        .filter(|folder| folder.to_string_lossy().contains("day="))
        .map(|folder| std::fs::read_dir(folder).unwrap().count())
        .sum()
}
