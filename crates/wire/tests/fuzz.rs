//! Every message, damaged again and again: an error with a reason or a value that is written as it was read, and memory stays flat.

mod samples;

use bytes::Bytes;
use medfleet_domain::fact::Fact;
use medfleet_fuzz::{Bounds, Heap, files, fuzz};
use medfleet_wire as wire;
use medfleet_wire::limits::{BATCH_MAX_BYTES, BATCH_MAX_RUNS, FACT_MAX_BYTES};
use medfleet_wire::{BatchTopic, Refusal};

#[global_allocator]
static HEAP: Heap = Heap;

/// The goldens whose names begin so, and a sample.
fn corpus(name: &str, sample: Vec<u8>) -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/golden/v1");
    let mut corpus = files(folder, ".bin");
    let own: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .expect("the goldens")
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(name))
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "bin"))
        .map(|entry| std::fs::read(entry.path()).expect("a golden"))
        .collect();
    assert!(!own.is_empty(), "no golden of {name}");
    // Its own goldens weigh more; the others are there to be spliced in.
    for _ in 0..8 {
        corpus.extend(own.iter().cloned());
    }
    corpus.push(sample);
    corpus
}

fn word<T>(read: Result<T, Refusal>) -> &'static str {
    read.map_or_else(|refusal| refusal.code(), |_| "read")
}

fn fuzz_message<T: PartialEq + std::fmt::Debug>(
    name: &str,
    sample: Vec<u8>,
    read: impl Fn(&[u8]) -> Result<T, Refusal>,
    write: impl Fn(&T) -> Vec<u8>,
) {
    fuzz(name, corpus(name, sample), Bounds::default(), |bytes| {
        let first = read(bytes);
        if let Ok(value) = &first {
            assert_eq!(read(&write(value)).as_ref(), Ok(value), "what was read is written as it was read");
        }
        word(first)
    });
}

#[test]
fn fuzz_fact() {
    let write = |sealed: &medfleet_domain::fact::Sealed| wire::encode_fact(&sealed.fact);
    let read = |bytes: &[u8]| wire::decode_fact(bytes).map(|sealed| wire::seal(Fact { ..sealed.fact }));
    let bounds = Bounds { input_max_bytes: 2 * FACT_MAX_BYTES, ..Bounds::default() };
    fuzz("fact", corpus("fact", wire::encode_fact(&samples::stretch())), bounds, |bytes| {
        let first = read(bytes);
        if let Ok(sealed) = &first {
            assert_eq!(read(&write(sealed)).map(|again| again.fact), Ok(sealed.fact.clone()));
        }
        word(first)
    });
}

#[test]
fn fuzz_run() {
    fuzz_message("run", wire::encode_run(&samples::run()), wire::decode_run, wire::encode_run);
}

#[test]
fn fuzz_record() {
    fuzz_message("log_record", wire::encode_record(&samples::record()), wire::decode_record, wire::encode_record);
}

#[test]
fn fuzz_alert_record() {
    let (_, sample) = samples::alert_records().swap_remove(2);
    fuzz_message("alert_", wire::encode_alert_record(&sample), wire::decode_alert_record, wire::encode_alert_record);
}

#[test]
fn fuzz_receipt() {
    fuzz_message("receipt", wire::encode_receipt(&samples::receipt()), wire::decode_receipt, wire::encode_receipt);
}

#[test]
fn fuzz_spooled() {
    fuzz_message("spooled", wire::encode_spooled(&samples::spooled()), wire::decode_spooled, wire::encode_spooled);
}

#[test]
fn fuzz_quarantined() {
    let sample = wire::encode_quarantined(&samples::quarantined());
    fuzz_message("quarantined", sample, wire::decode_quarantined, wire::encode_quarantined);
}

#[test]
fn fuzz_verdict() {
    fuzz_message("verdict", wire::encode_verdict(&samples::verdict()), wire::decode_verdict, wire::encode_verdict);
}

/// A run of nothing is two bytes, and is named with the reason why it cannot be read. Of these a batch has so many at most.
const REFUSED_RUN_BYTES: usize = 640;

#[test]
fn fuzz_batch() {
    let bounds = Bounds {
        input_max_bytes: BATCH_MAX_BYTES + 64,
        peak_base_bytes: Bounds::default().peak_base_bytes + BATCH_MAX_RUNS * REFUSED_RUN_BYTES,
        ..Bounds::default()
    };
    fuzz("batch", corpus("batch", wire::encode_batch(&samples::batch())), bounds, |bytes| {
        match wire::decode_batch(Bytes::copy_from_slice(bytes)) {
            Err(refusal) => refusal.code().to_owned(),
            Ok(batch) => {
                batch.runs.iter().flatten().for_each(reads_as_promised);
                let fates: std::collections::BTreeSet<&str> = batch
                    .runs
                    .iter()
                    .map(|run| run.as_ref().map_or_else(|bad| bad.refusal.code(), |_| "read"))
                    .collect();
                fates.into_iter().collect::<Vec<_>>().join(" ")
            }
        }
    });
}

/// What a door takes to be sound without reading it is read by everyone behind it, and says what was promised.
fn reads_as_promised(sound: &wire::SoundRun) {
    let run =
        wire::decode_record(&sound.record(samples::MORNING, &[])).expect("a sound run is read within a record").run;
    assert_eq!((&run.subject, run.seqs()), (&sound.subject, Some(sound.seqs)));
    let spoken = run.facts.iter().map(|sealed| wire::Spoken::from(&sealed.fact));
    assert_eq!(spoken.reduce(wire::Spoken::and), Some(sound.spoken));
}

#[test]
fn fuzz_topic() {
    let good = ["medfleet/v1/st-mary/18/edge-1/batch", "medfleet/v1/st-mary/18/edge-1/receipt"];
    let corpus = good.map(|text| text.as_bytes().to_vec()).to_vec();
    fuzz("topic", corpus, Bounds::default(), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let read = BatchTopic::parse(&text);
        if let Ok(topic) = &read {
            assert_eq!(topic.to_string(), text, "a topic has one spelling");
        }
        word(read)
    });
}
