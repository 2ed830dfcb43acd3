//! Decoding keeps memory within a small multiple of its input, whatever the bytes say.

mod samples;

use bytes::Bytes;
use medfleet_fuzz::{Heap, peak_of};
use medfleet_wire as wire;
use medfleet_wire::limits::{BATCH_MAX_BYTES, FACT_MAX_BYTES, RUN_MAX_FACTS};
use medfleet_wire::pb;
use prost::Message;

/// Heap bytes at the peak of one decoding, for each byte of its input.
const PEAK_MAX_TIMES_INPUT: usize = 32;

#[global_allocator]
static HEAP: Heap = Heap;

/// As many copies of one run as a batch may hold.
fn batch_of(run: pb::Run) -> Vec<u8> {
    let envelope = pb::Batch::decode(wire::encode_batch(&samples::batch()).as_slice()).unwrap();
    let one = pb::Batch { runs: vec![run.clone()], ..pb::Batch::default() }.encoded_len();
    let count = (BATCH_MAX_BYTES - envelope.encoded_len()) / one;
    pb::Batch { runs: vec![run; count], ..envelope }.encode_to_vec()
}

#[test]
fn memory_stays_within_a_small_multiple_of_the_input() {
    let run = |facts| pb::Run { facts, ..(&samples::run()).into() };
    let heartbeat = Bytes::from(wire::encode_fact(&samples::fact(medfleet_domain::fact::Body::Heartbeat(None))));
    let alternating = [Bytes::new(), heartbeat.clone()].into_iter().cycle().take(RUN_MAX_FACTS).collect();
    let claims_a_gigabyte = [6 << 3 | 2, 0x80, 0x80, 0x80, 0x80, 0x04].to_vec();
    let cases = [
        ("runs without a byte", batch_of(pb::Run::default())),
        ("facts without a byte", batch_of(run(vec![Bytes::new(); RUN_MAX_FACTS]))),
        ("the smallest facts", batch_of(run(vec![heartbeat; 1_000]))),
        ("every second fact bad", batch_of(run(alternating))),
        ("ones", vec![0xff; BATCH_MAX_BYTES]),
        ("a length beyond the end", claims_a_gigabyte.repeat(1_000)),
    ];
    for (name, bytes) in cases {
        let shared = Bytes::from(bytes.clone());
        let peak = peak_of(|| drop(wire::decode_batch(shared)));
        println!("{name}: {} bytes, at most {peak} on the heap", bytes.len());
        assert!(peak <= PEAK_MAX_TIMES_INPUT * bytes.len(), "{name}: {peak} bytes for {}", bytes.len());
    }
    let fact = vec![0x12; FACT_MAX_BYTES];
    assert!(peak_of(|| drop(wire::decode_fact(&fact))) <= PEAK_MAX_TIMES_INPUT * fact.len());
}
