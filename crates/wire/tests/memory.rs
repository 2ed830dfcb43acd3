//! Decoding keeps memory within a small multiple of its input, whatever the bytes say.
#![allow(unsafe_code)] // a global allocator is the only witness of what is allocated

mod samples;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use medfleet_wire as wire;
use medfleet_wire::limits::{BATCH_MAX_BYTES, FACT_MAX_BYTES, RUN_MAX_FACTS};
use medfleet_wire::pb;
use prost::Message;

/// Heap bytes at the peak of one decoding, for each byte of its input.
const PEAK_MAX_TIMES_INPUT: usize = 32;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system allocator unchanged; the counters touch no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn peak_of(read: impl FnOnce()) -> usize {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    read();
    PEAK.load(Relaxed) - before
}

/// As many copies of one run as a batch may hold.
fn batch_of(run: pb::Run) -> Vec<u8> {
    let envelope = pb::Batch::decode(wire::encode_batch(&samples::batch()).as_slice()).unwrap();
    let one = pb::Batch { runs: vec![run.clone()], ..pb::Batch::default() }.encoded_len();
    let count = (BATCH_MAX_BYTES - envelope.encoded_len()) / one;
    pb::Batch { runs: vec![run; count], ..envelope }.encode_to_vec()
}

/// One test in this file: the allocator counts for the whole process.
#[test]
fn memory_stays_within_a_small_multiple_of_the_input() {
    let run = |facts| pb::Run { facts, ..(&samples::run()).into() };
    let heartbeat = wire::encode_fact(&samples::fact(medfleet_domain::fact::Body::Heartbeat));
    let alternating = [Vec::new(), heartbeat.clone()].into_iter().cycle().take(RUN_MAX_FACTS).collect();
    let claims_a_gigabyte = [6 << 3 | 2, 0x80, 0x80, 0x80, 0x80, 0x04].to_vec();
    let cases = [
        ("runs without a byte", batch_of(pb::Run::default())),
        ("facts without a byte", batch_of(run(vec![Vec::new(); RUN_MAX_FACTS]))),
        ("the smallest facts", batch_of(run(vec![heartbeat; 1_000]))),
        ("every second fact bad", batch_of(run(alternating))),
        ("ones", vec![0xff; BATCH_MAX_BYTES]),
        ("a length beyond the end", claims_a_gigabyte.repeat(1_000)),
    ];
    for (name, bytes) in cases {
        let peak = peak_of(|| drop(wire::decode_batch(&bytes)));
        println!("{name}: {} bytes, at most {peak} on the heap", bytes.len());
        assert!(peak <= PEAK_MAX_TIMES_INPUT * bytes.len(), "{name}: {peak} bytes for {}", bytes.len());
    }
    let fact = vec![0x12; FACT_MAX_BYTES];
    assert!(peak_of(|| drop(wire::decode_fact(&fact))) <= PEAK_MAX_TIMES_INPUT * fact.len());
}
