//! What could end a processor for ever: a record in the log, or a snapshot on disk, that it cannot stand. Tests only.

use medfleet_domain::id::{Seq, Subject};
use medfleet_fuzz::{Bounds, Heap, files, fuzz};
use medfleet_lake::Row as _;
use medfleet_lake::rows::{DeviceRow, ErrorRow, FactRow, HeadRow, IntervalRow, UsageRow};
use medfleet_log::{Partition, Topic};
use medfleet_wire::Record;

use crate::book::{Book, Place};
use crate::snapshot::Snapshots;

#[global_allocator]
static HEAP: Heap = Heap;

const LOG: &str = "0123456789abcdef";
const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/golden/v1");

fn place(offset: u64) -> Place {
    Place { home: Partition::new(Topic::FACTS, 0), offset, appended_at_micros: 1_772_960_400_000_000 }
}

/// Runs of a hostile batch, as ingest would log them. None is plausible, every second one, or all.
fn records(bytes: &[u8]) -> Vec<Record> {
    let Ok(batch) = medfleet_wire::decode_batch(bytes) else { return Vec::new() };
    let runs = batch.runs.into_iter().flatten().enumerate();
    let implausible = |index: usize, first: Seq, count: usize| -> Vec<Seq> {
        (first.0..).take(count).filter(|seq| index > 0 && (seq + index as u64).is_multiple_of(2)).map(Seq).collect()
    };
    runs.map(|(index, run)| Record {
        implausible: implausible(index, run.first_seq, run.facts.len()),
        received_at: medfleet_domain::time::Timestamp(1_772_960_400_000_000),
        run,
    })
    .collect()
}

/// Admits records until the archive would have to be asked; answers how far it came.
fn admit(book: &mut Book, records: &[Record]) -> String {
    for (offset, record) in (0..).zip(records) {
        if let Err(need) = book.admit(&record.run, &record.implausible, place(offset)) {
            let said = format!("{need:?}");
            return said.split(['(', ' ']).next().unwrap_or_default().to_owned();
        }
        assert!(book.counts.balance(), "{:?}", book.counts);
    }
    FactRow::to_batch(&book.pending.facts).expect("facts become columns");
    IntervalRow::to_batch(&book.pending.intervals).expect("intervals become columns");
    UsageRow::to_batch(&book.pending.usage).expect("usage becomes columns");
    ErrorRow::to_batch(&book.pending.errors).expect("errors become columns");
    HeadRow::to_batch(&book.pending.heads).expect("heads become columns");
    DeviceRow::to_batch(&book.pending.devices).expect("devices become columns");
    format!("{:?} {}", book.counts.suspect > 0, book.pending.intervals.len().min(3))
}

/// Batches that hold every sort of fact there is a golden of.
fn corpus() -> Vec<Vec<u8>> {
    let facts: Vec<_> =
        files(GOLDENS, ".bin").iter().filter_map(|bytes| medfleet_wire::decode_fact(bytes).ok()).collect();
    assert!(facts.len() > 20, "only {} goldens are facts", facts.len());
    let golden = std::fs::read(format!("{GOLDENS}/batch.bin")).expect("the golden batch");
    let decoded = medfleet_wire::decode_batch(&golden).expect("the golden batch is sound");
    let sample = decoded.runs[0].clone().expect("its first run is sound");
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
    facts.chunks(3).map(|some| batch(some.to_vec())).chain([golden.clone()]).collect()
}

#[test]
fn fuzz_record_in_the_log() {
    let bounds = Bounds {
        peak_base_bytes: 8 * 1024 * 1024,
        peak_times_input: 512,
        input_max_bytes: 16 * 1024,
        ..Bounds::default()
    };
    fuzz("record in the log", corpus(), bounds, |bytes| admit(&mut Book::default(), &records(bytes)));
}

/// The bytes of a snapshot after some facts.
fn snapshot(folder: &std::path::Path) -> Vec<u8> {
    let mut book = Book::default();
    for batch in corpus() {
        admit(&mut book, &records(&batch));
    }
    assert!(!book.memory.ledgers.is_empty());
    let named: Vec<&Subject> = book.memory.ledgers.keys().collect();
    assert!(!named.is_empty());
    Snapshots::open(folder, LOG).and_then(|snapshots| snapshots.save(&book)).expect("a snapshot");
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
