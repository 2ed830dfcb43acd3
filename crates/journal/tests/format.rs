//! The bytes on disk: version 1 as it will stay, and every single damaged byte of it.

use medfleet_journal::sim::SimDisk;
use medfleet_journal::{Error, Journal, JournalId, Limits, RECORD_HEADER_BYTES, Result, SEGMENT_HEADER_BYTES};

const ID: JournalId = JournalId(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
const LIMITS: Limits = Limits { segment_max_bytes: 4 * 1024, capacity_bytes: 64 * 1024 };
const FIRST_SEGMENT: &str = "00000000000000000000.seg";

/// Two batches, of two records and of one, as version 1 has them.
const GOLDEN_V1: &str = concat!(
    "4d4544464c4a4e4c0100000079d6fb68",
    "7766554433221100efcdab89674523010000000000000000",
    "1e99b10909000000000000000000000000000000",
    "70756d702037206f6e",
    "b14b53ac00000000010000000100000000000000",
    "69ab8fb30a000000000000000200000000000000",
    "70756d702037206f6666",
);

fn open(disk: &SimDisk) -> Result<Journal> {
    Journal::open(disk.storage(), ID, LIMITS)
}

fn golden_disk() -> SimDisk {
    let disk = SimDisk::new();
    let mut journal = open(&disk).expect("an empty disk takes a journal");
    journal.append_batch([&b"pump 7 on"[..], b""]).expect("there is room");
    journal.append_batch([b"pump 7 off"]).expect("there is room");
    disk
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

#[test]
fn version_1_is_written_as_it_always_was() {
    let disk = golden_disk();
    assert_eq!(disk.names(), [FIRST_SEGMENT]);
    assert_eq!(hex(&disk.contents(FIRST_SEGMENT).expect("a segment")), GOLDEN_V1);
}

#[test]
fn version_1_is_read_as_it_always_was() -> Result<()> {
    let disk = golden_disk();
    disk.overwrite(FIRST_SEGMENT, &unhex(GOLDEN_V1));
    let journal = open(&disk)?;
    let records = [(0, b"pump 7 on".to_vec()), (1, Vec::new()), (2, b"pump 7 off".to_vec())];
    assert_eq!(journal.read(0, usize::MAX)?, records);
    assert_eq!(journal.stats().cut_bytes, 0);
    Ok(())
}

/// Whatever byte is damaged: an error, or the last batch is cut as if torn. Never another payload, never an older batch.
#[test]
fn no_damaged_byte_goes_unseen() -> Result<()> {
    let whole = unhex(GOLDEN_V1);
    let last_batch_at = whole.len() - RECORD_HEADER_BYTES - b"pump 7 off".len();
    for position in 0..whole.len() {
        for bit in 0..8 {
            let disk = golden_disk();
            let mut damaged = whole.clone();
            damaged[position] ^= 1 << bit;
            disk.overwrite(FIRST_SEGMENT, &damaged);
            match open(&disk) {
                Ok(journal) => {
                    assert!(position >= last_batch_at, "byte {position} was damaged unseen");
                    assert_eq!(journal.next_index(), 2);
                    assert_eq!(journal.read(0, usize::MAX)?.len(), 2);
                    assert_eq!(journal.stats().cut_bytes, (whole.len() - last_batch_at) as u64);
                }
                Err(Error::Corrupt { file, position_bytes, .. }) => {
                    assert_eq!(file, format!("simulated/{FIRST_SEGMENT}"));
                    assert!(position_bytes <= position as u64 && position < last_batch_at);
                    assert_eq!(disk.contents(FIRST_SEGMENT), Some(damaged), "a refusal changes nothing");
                }
                Err(Error::UnsupportedVersion { .. }) => assert!((8..12).contains(&position)),
                Err(other) => panic!("byte {position}: {other}"),
            }
        }
    }
    Ok(())
}

#[test]
fn a_journal_cut_short_anywhere_opens_with_its_whole_records_or_not_at_all() {
    let whole = unhex(GOLDEN_V1);
    for len in 0..whole.len() {
        let disk = golden_disk();
        disk.overwrite(FIRST_SEGMENT, &whole[..len]);
        let journal = open(&disk).expect("a shorter file is what a power loss leaves");
        let held = journal.read(0, usize::MAX).expect("readable").len();
        let record_ends = [RECORD_HEADER_BYTES + 9, 2 * RECORD_HEADER_BYTES + 9, 3 * RECORD_HEADER_BYTES + 19];
        let whole_records = record_ends.iter().filter(|&end| SEGMENT_HEADER_BYTES + end <= len).count();
        assert_eq!(held, whole_records, "{len} bytes left");
    }
}

#[test]
fn damage_in_an_older_segment_is_refused_even_at_its_end() {
    let disk = SimDisk::new();
    let mut journal = open(&disk).expect("an empty disk takes a journal");
    for _ in 0..3 {
        journal.append_batch([[7; 3_000]]).expect("there is room");
    }
    drop(journal);
    let mut older = disk.contents(FIRST_SEGMENT).expect("a segment");
    older.pop();
    disk.overwrite(FIRST_SEGMENT, &older);
    let refused = open(&disk).err().expect("a sealed segment is never torn");
    let Error::Corrupt { file, position_bytes, .. } = &refused else { panic!("{refused}") };
    assert_eq!((file.as_str(), *position_bytes), ("simulated/00000000000000000000.seg", SEGMENT_HEADER_BYTES as u64));
    assert!(refused.to_string().contains("restore the file from a copy"), "{refused}");
}

#[test]
fn damage_found_while_reading_names_its_place() {
    let disk = SimDisk::new();
    let mut journal = open(&disk).expect("an empty disk takes a journal");
    journal.append_batch([[7; 100]]).expect("there is room");
    journal.append_batch([[8; 100]]).expect("there is room");
    let mut rotten = disk.contents(FIRST_SEGMENT).expect("a segment");
    let second_at = SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + 100;
    rotten[second_at + RECORD_HEADER_BYTES + 50] ^= 1;
    disk.overwrite(FIRST_SEGMENT, &rotten);
    let Err(Error::Corrupt { position_bytes, .. }) = journal.read(1, usize::MAX) else { panic!("rot was read") };
    assert_eq!(position_bytes, second_at as u64);
}

/// A record is whole only in its own place, however good its checksum.
#[test]
fn a_misplaced_record_is_never_taken() -> Result<()> {
    let whole = unhex(GOLDEN_V1);
    let first_batch_at = SEGMENT_HEADER_BYTES;
    let last_batch_at = whole.len() - RECORD_HEADER_BYTES - b"pump 7 off".len();

    let disk = golden_disk();
    let repeated = [&whole[..], &whole[first_batch_at..last_batch_at]].concat();
    disk.overwrite(FIRST_SEGMENT, &repeated);
    let journal = open(&disk)?;
    assert_eq!(journal.next_index(), 3);
    assert_eq!(journal.stats().cut_bytes, (last_batch_at - first_batch_at) as u64);

    let disk = golden_disk();
    let skipped = [&whole[..first_batch_at], &whole[last_batch_at..]].concat();
    disk.overwrite(FIRST_SEGMENT, &skipped);
    let refused = open(&disk).err();
    assert!(matches!(refused, Some(Error::Corrupt { .. })), "{refused:?}");
    Ok(())
}
