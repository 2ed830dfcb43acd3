//! Segments from a damaged disk: the journal opens with whole records, or refuses with file and byte; what it read it reads again.

use medfleet_fuzz::{Bounds, Heap, fuzz};
use medfleet_journal::sim::SimDisk;
use medfleet_journal::{Error, Journal, JournalId, Limits};

#[global_allocator]
static HEAP: Heap = Heap;

const ID: JournalId = JournalId(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
const LIMITS: Limits = Limits { segment_max_bytes: 4 * 1024, capacity_bytes: 64 * 1024 };

/// A disk with one segment of a few batches.
fn disk() -> SimDisk {
    let disk = SimDisk::new();
    let mut journal = Journal::open(disk.storage(), ID, LIMITS).expect("an empty disk takes a journal");
    journal.append_batch([&b"pump 7 on"[..], b""]).expect("there is room");
    journal.append_batch([vec![7; 900]]).expect("there is room");
    journal.append_batch([b"pump 7 off"]).expect("there is room");
    disk
}

#[test]
fn fuzz_journal_segment() {
    let name = disk().names().remove(0);
    let whole = disk().contents(&name).expect("a segment");
    let corpus = vec![whole.clone(), whole[..whole.len() - 3].to_vec(), whole[..40].to_vec()];
    let bounds = Bounds { peak_base_bytes: 4 * 1024 * 1024, ..Bounds::default() };
    fuzz("journal segment", corpus, bounds, |bytes| {
        let disk = disk();
        disk.overwrite(&name, bytes);
        match Journal::open(disk.storage(), ID, LIMITS) {
            Ok(mut journal) => {
                let held = journal.read(0, usize::MAX).expect("what was opened is readable");
                let next = journal.next_index();
                assert_eq!(journal.append_batch([b"later"]).expect("it goes on"), next..next + 1);
                drop(journal);
                let again = Journal::open(disk.storage(), ID, LIMITS).expect("it opens again");
                let read = again.read(0, usize::MAX).expect("readable");
                assert_eq!((&read[..held.len()], &read[held.len()].1[..]), (&held[..], &b"later"[..]));
                format!("opens with {} records", held.len())
            }
            Err(Error::Corrupt { .. }) => {
                assert_eq!(disk.contents(&name).as_deref(), Some(bytes), "a refusal changes nothing");
                "corrupt".into()
            }
            Err(other) => format!("{other:?}").split([' ', '{', '(']).next().unwrap_or_default().to_owned(),
        }
    });
}
