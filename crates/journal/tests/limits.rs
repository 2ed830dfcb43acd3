//! The journal at its limits: full, on a full disk, of wrong size, in the wrong hands.

use std::io;

use medfleet_journal::sim::SimDisk;
use medfleet_journal::{
    Batch, Error, INDEX_EVERY_BYTES, Journal, JournalId, Limits, MAX_RECORD_BYTES, RECORD_HEADER_BYTES, Result,
    SEGMENT_HEADER_BYTES,
};

const ID: JournalId = JournalId(7);
const LIMITS: Limits = Limits { segment_max_bytes: 4 * 1024, capacity_bytes: 8 * 1024 };

fn open(disk: &SimDisk) -> Result<Journal> {
    Journal::open(disk.storage(), ID, LIMITS)
}

#[test]
fn a_full_journal_refuses_loudly_drops_nothing_and_takes_records_again_once_some_are_freed() -> Result<()> {
    let disk = SimDisk::new();
    let mut journal = open(&disk)?;
    let refusal = loop {
        match journal.append_batch([[1; 600], [2; 600]]) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    let held = journal.next_index();
    let used = journal.used_bytes();
    assert!(matches!(refusal, Error::Full { used_bytes, capacity_bytes: 8192 } if used_bytes == used), "{refusal}");
    assert_eq!(journal.stats().refused_records, 2);
    assert_eq!(journal.read(0, usize::MAX)?.len() as u64, held);
    assert_eq!(disk.names().len(), 2);

    let left_bytes = journal.used_bytes() - journal.freeable_bytes(held);
    let first_index = journal.truncate_front(held)?;
    assert_eq!((journal.used_bytes(), journal.freeable_bytes(held)), (left_bytes, 0));
    assert!(first_index > 0);
    assert!(journal.used_bytes() < used);
    assert_eq!(journal.append_batch([[3; 600]])?, held..held + 1);
    assert!(
        matches!(journal.read(0, 1), Err(Error::BelowFloor { asked_index: 0, first_index: floor }) if floor == first_index)
    );
    drop(journal);

    let journal = open(&disk)?;
    assert_eq!((journal.first_index(), journal.next_index()), (first_index, held + 1));
    Ok(())
}

#[test]
fn a_full_disk_poisons_the_journal_and_costs_no_acknowledged_record() -> Result<()> {
    let disk = SimDisk::new();
    let mut journal = open(&disk)?;
    journal.append_batch([[1; 1_000]])?;
    disk.set_capacity_bytes(Some(2_000));
    let failure = journal.append_batch([vec![2; 500], vec![3; 1_500]]).expect_err("the disk is full");
    let Error::Io { action: "write", source, .. } = &failure else { panic!("{failure}") };
    assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    disk.set_capacity_bytes(None);
    assert!(matches!(journal.append_batch([b"now there is room"]), Err(Error::Poisoned { .. })));
    assert!(matches!(journal.truncate_front(1), Err(Error::Poisoned { .. })));
    assert_eq!(journal.read(0, usize::MAX)?.len(), 1, "what was acknowledged stays readable, and nothing else");
    drop(journal);

    let mut journal = open(&disk)?;
    assert!(journal.stats().cut_bytes > 0);
    assert!((1..=2).contains(&journal.next_index()), "the whole first record of the failed batch may have survived");
    journal.append_batch([b"works again"])?;
    Ok(())
}

#[test]
fn a_disk_that_fills_up_while_a_segment_is_created_loses_nothing() -> Result<()> {
    let disk = SimDisk::new();
    let mut journal = open(&disk)?;
    journal.append_batch([[1; 3_000]])?;
    disk.set_capacity_bytes(Some(journal.used_bytes() + 10));
    assert!(matches!(journal.append_batch([[2; 3_000]]), Err(Error::Io { action: "write", .. })));
    drop(journal);
    let journal = open(&disk)?;
    assert_eq!(journal.stats().cut_bytes, 10);
    assert_eq!(journal.next_index(), 1);
    Ok(())
}

#[test]
fn oversized_records_and_batches_are_refused_before_anything_is_written() -> Result<()> {
    let disk = SimDisk::new();
    let mut journal = open(&disk)?;
    let steps = disk.steps();
    let too_large = vec![0; MAX_RECORD_BYTES as usize + 1];
    assert!(matches!(journal.append_batch([too_large]), Err(Error::RecordTooLarge { bytes: 4_194_305, .. })));
    let largest = LIMITS.segment_max_bytes as usize - SEGMENT_HEADER_BYTES - RECORD_HEADER_BYTES;
    assert!(matches!(journal.append_batch([vec![0; largest + 1]]), Err(Error::BatchTooLarge { .. })));
    assert_eq!(journal.append_batch(Batch::default())?, 0..0);
    assert_eq!(disk.steps(), steps);
    journal.append_batch([vec![0; largest]])?;
    assert_eq!(journal.used_bytes(), LIMITS.segment_max_bytes);
    Ok(())
}

#[test]
fn limits_under_which_a_journal_could_stay_full_are_refused() {
    for (segment_max_bytes, capacity_bytes) in [(100, 8192), (4096, 8191), (u64::MAX, u64::MAX)] {
        let limits = Limits { segment_max_bytes, capacity_bytes };
        let refused = Journal::open(SimDisk::new().storage(), ID, limits);
        assert!(matches!(refused, Err(Error::InvalidLimits { .. })), "{limits:?}");
    }
}

#[test]
fn one_folder_has_one_writer_and_one_owner() -> Result<()> {
    let disk = SimDisk::new();
    assert_eq!(Journal::id_of(&*disk.storage())?, None);
    let journal = open(&disk)?;
    assert!(matches!(open(&disk), Err(Error::Locked { .. })));
    drop(journal);
    assert_eq!(Journal::id_of(&*disk.storage())?, Some(ID));
    let foreign = Journal::open(disk.storage(), JournalId(8), LIMITS).err();
    assert!(matches!(foreign, Some(Error::ForeignJournal { found: ID, expected: JournalId(8), .. })), "{foreign:?}");
    open(&disk)?;
    Ok(())
}

#[test]
fn a_missing_segment_is_an_error() -> Result<()> {
    let disk = SimDisk::new();
    let limits = Limits { capacity_bytes: 64 * 1024, ..LIMITS };
    let mut journal = Journal::open(disk.storage(), ID, limits)?;
    for _ in 0..4 {
        journal.append_batch([[1; 3_000]])?;
    }
    drop(journal);
    disk.storage().remove("00000000000000000001.seg").expect("it is there");
    let Some(Error::Corrupt { file, reason, .. }) = open(&disk).err() else { panic!("a gap was skipped") };
    assert_eq!(file, "simulated/00000000000000000002.seg");
    assert!(reason.contains("records are missing"), "{reason}");
    Ok(())
}

#[test]
fn a_read_begins_anywhere_and_ends_at_its_limit() -> Result<()> {
    let disk = SimDisk::new();
    let limits = Limits { segment_max_bytes: 3 * INDEX_EVERY_BYTES, capacity_bytes: 64 * INDEX_EVERY_BYTES };
    let mut journal = Journal::open(disk.storage(), ID, limits)?;
    let payload = |index: u64| vec![index as u8; (index * 37 % 900) as usize];
    for start in (0..2_000).step_by(50) {
        journal.append_batch((start..start + 50).map(payload).collect::<Batch>())?;
    }
    assert!(disk.names().len() > 3);
    for from_index in (0..2_000).step_by(7) {
        let records = journal.read(from_index, 2_000)?;
        let written_bytes: usize = records.iter().map(|(_, payload)| RECORD_HEADER_BYTES + payload.len()).sum();
        assert!(!records.is_empty() && written_bytes <= 2_000);
        assert!((from_index..).zip(&records).all(|(index, record)| *record == (index, payload(index))));
    }
    assert_eq!(journal.read(1_999, 0)?.len(), 1, "a read that is not at the end always moves on");
    assert_eq!(journal.read(2_000, 1_000)?, []);
    Ok(())
}
