//! What could end a processor for ever: a record in the log, or a snapshot on disk, that it cannot stand. Tests only.

use std::collections::BTreeSet;

use bytes::Bytes;
use medfleet_domain::id::SiteId;
use medfleet_domain::time::Timestamp;
use medfleet_fuzz::{Bounds, Heap, files, fuzz};
use medfleet_lake::Row as _;
use medfleet_lake::rows::{DeviceRow, ErrorRow, FactRow, HeadRow, IntervalRow, UsageRow};
use medfleet_log::{Partition, Record, Topic};

use crate::book::{Book, Counts};
use crate::retention::Marks;
use crate::snapshot::Snapshots;
use crate::told::Told;

#[global_allocator]
static HEAP: Heap = Heap;

const LOG: &str = "0123456789abcdef";
const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/golden/v1");
/// A day after the goldens: what they say of time is plausible.
const NOW: Timestamp = Timestamp(1_773_046_800_000_000);
const HOME: Partition = Partition::new(Topic::FACTS, 0);

/// The records that ingest would log of a hostile batch.
fn records(topic: &str, bytes: &[u8]) -> Vec<Told> {
    let sites = BTreeSet::from([SiteId::new("st-mary").expect("a name")]);
    let judged = medfleet_ingest::judge::batch(topic, &Bytes::copy_from_slice(bytes), &sites, NOW);
    let logged = |(offset, admitted): (u64, &medfleet_ingest::judge::Admitted)| Record {
        offset,
        appended_at_micros: NOW.0,
        key: Bytes::new(),
        value: admitted.record().into(),
    };
    let records = (0..).zip(&judged.append).map(logged);
    records.map(|record| Told::by_log(HOME, &record).expect("the processor reads what ingest writes")).collect()
}

/// As a worker's setting, between records.
const FLUSH_ROWS: usize = 10_000;
/// A claim of a person may reach back to the earliest plausible day: some 13,000 days, a row of 248 bytes each, in lists
/// that double.
const CLAIM_PEAK_BYTES: usize = 24 * 1024 * 1024;

/// Admits records until the archive would have to be asked; answers how far it came.
fn admit(book: &mut Book, records: &[Told]) -> String {
    for told in records {
        if book.admit(told).is_err() {
            return "needs the archive".into();
        }
        assert!(book.counts.balance(), "{:?}", book.counts);
        if book.is_full(FLUSH_ROWS) {
            become_columns(book);
            book.owed();
        }
    }
    become_columns(book);
    let Counts { duplicate, conflict, suspect, .. } = book.counts;
    format!("{} {} {} {}", duplicate > 0, conflict > 0, suspect > 0, book.pending.intervals.len().min(3))
}

fn become_columns(book: &Book) {
    FactRow::to_batch(book.pending.facts.iter()).expect("facts become columns");
    IntervalRow::to_batch(book.pending.intervals.iter()).expect("intervals become columns");
    UsageRow::to_batch(book.pending.usage.iter()).expect("usage becomes columns");
    ErrorRow::to_batch(book.pending.errors.iter()).expect("errors become columns");
    HeadRow::to_batch(book.pending.heads.iter()).expect("heads become columns");
    DeviceRow::to_batch(book.pending.devices.iter()).expect("devices become columns");
}

/// Batches that hold every sort of fact there is a golden of.
fn corpus() -> (String, Vec<Vec<u8>>) {
    let facts: Vec<_> =
        files(GOLDENS, ".bin").iter().filter_map(|bytes| medfleet_wire::decode_fact(bytes).ok()).collect();
    assert!(facts.len() > 20, "only {} goldens are facts", facts.len());
    let golden = std::fs::read(format!("{GOLDENS}/batch.bin")).expect("the golden batch");
    let decoded = medfleet_wire::decode_batch(golden.clone().into()).expect("the golden batch is sound");
    let sound = decoded.runs[0].as_ref().expect("its first run is sound");
    let sample = medfleet_wire::decode_run(&sound.bytes).expect("what is sound is read");
    let batch = |facts: Vec<_>| {
        let run = medfleet_domain::fact::Run { facts, ..sample.clone() };
        let (agent, site) = (decoded.agent.clone(), decoded.site.clone());
        medfleet_wire::encode_batch(&medfleet_wire::Batch {
            agent,
            site,
            session: 1,
            number: 1,
            runs: vec![run.clone(), run],
        })
    };
    let topic = medfleet_wire::BatchTopic::new(decoded.site.clone(), decoded.agent.clone()).to_string();
    (topic, facts.chunks(3).map(|some| batch(some.to_vec())).chain([golden.clone()]).collect())
}

#[test]
fn fuzz_record_in_the_log() {
    let bounds = Bounds {
        peak_base_bytes: CLAIM_PEAK_BYTES,
        peak_times_input: 512,
        input_max_bytes: 16 * 1024,
        ..Bounds::default()
    };
    let (topic, corpus) = corpus();
    fuzz("record in the log", corpus, bounds, |bytes| admit(&mut Book::default(), &records(&topic, bytes)));
}

/// The bytes of a snapshot after some facts.
fn snapshot(folder: &std::path::Path) -> Vec<u8> {
    let mut book = Book::default();
    let (topic, corpus) = corpus();
    for batch in corpus {
        admit(&mut book, &records(&topic, &batch));
    }
    assert!(!book.memory.ledgers.is_empty());
    let mut snapshots = Snapshots::open(folder, LOG).expect("the folder");
    let staged = snapshots.stage(&book, &Marks::default()).expect("a snapshot");
    snapshots.keep(staged, &book.next).expect("a snapshot file");
    files(folder, ".snapshot").remove(0)
}

#[test]
fn fuzz_snapshot() {
    let folder = std::env::temp_dir().join(format!("medfleet-fuzz-snapshot-{}", std::process::id()));
    let whole = snapshot(&folder);
    let snapshots = Snapshots::open(&folder, LOG).expect("the folder");
    let bounds = Bounds { peak_base_bytes: 8 * 1024 * 1024, peak_times_input: 512, ..Bounds::default() };
    let read = |bytes: &[u8]| snapshots.decode(bytes).map_or_else(|error| error.to_string(), |_| "read".into());
    assert_eq!(read(&whole), "read");
    fuzz("snapshot, damaged", vec![whole.clone()], bounds, read);
    // Behind the checksum: as from a build that wrote nonsense.
    fuzz("snapshot, sealed anew", vec![whole], bounds, |bytes| {
        let mut bytes = bytes.to_vec();
        Snapshots::seal(&mut bytes);
        read(&bytes)
    });
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}
