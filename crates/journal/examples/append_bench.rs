//! Measures group-commit appends beside raw appends of the same payload bytes with as many syncs. Prints JSON.
//!
//! Journal and control take turns, each in fresh files of one temporary folder, so that both meet the same disk weather.
//! The ratio is journal throughput over control throughput: the floor is 0.7, the aim 0.9.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use medfleet_journal::{Committer, FsStorage, Journal, JournalId, Limits};

const ROUNDS: usize = 5;
const RECORD_BYTES: usize = 200;
const LIMITS: Limits = Limits { segment_max_bytes: 64 * 1024 * 1024, capacity_bytes: 1024 * 1024 * 1024 };

struct Shape {
    name: &'static str,
    writers: usize,
    appends_per_writer: usize,
    records_per_append: usize,
}

const SHAPES: [Shape; 2] = [
    Shape { name: "one writer, 1 MB appends", writers: 1, appends_per_writer: 60, records_per_append: 5_000 },
    Shape { name: "16 writers, 20 kB appends", writers: 16, appends_per_writer: 60, records_per_append: 100 },
];

impl Shape {
    fn records(&self) -> usize {
        self.writers * self.appends_per_writer * self.records_per_append
    }
}

struct Round {
    journal_records_per_s: f64,
    control_records_per_s: f64,
    sync_count: u64,
}

fn main() -> anyhow::Result<()> {
    let folder = match std::env::args_os().nth(1) {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    for shape in SHAPES {
        let rounds: Vec<Round> = (0..ROUNDS)
            .map(|round| measure(&folder.path().join(round.to_string()), &shape))
            .collect::<Result<_, _>>()?;
        print(&shape, &rounds);
    }
    Ok(())
}

/// One turn each. The control goes second, because it needs to know how many syncs the journal made.
fn measure(folder: &Path, shape: &Shape) -> anyhow::Result<Round> {
    let (journal_seconds, sync_count) = append_by_journal(folder, shape)?;
    std::fs::remove_dir_all(folder)?;
    std::fs::create_dir(folder)?;
    let control_seconds = append_raw(&folder.join("raw"), shape, sync_count)?;
    std::fs::remove_dir_all(folder)?;
    let records = shape.records() as f64;
    Ok(Round {
        journal_records_per_s: records / journal_seconds,
        control_records_per_s: records / control_seconds,
        sync_count,
    })
}

fn append_by_journal(folder: &Path, shape: &Shape) -> anyhow::Result<(f64, u64)> {
    let storage = Arc::new(FsStorage::open(folder)?);
    let committer = Committer::start(Journal::open(storage, JournalId(1), LIMITS)?)?;
    // The control has its bytes ready before the clock starts, so the journal has too.
    let one_writers = || vec![vec![vec![7; RECORD_BYTES]; shape.records_per_append]; shape.appends_per_writer];
    let all_writers: Vec<_> = (0..shape.writers).map(|_| one_writers()).collect();
    let began = Instant::now();
    thread::scope(|scope| {
        let write = |appends: Vec<_>| appends.into_iter().try_for_each(|records| committer.append(records).map(drop));
        let writers: Vec<_> = all_writers.into_iter().map(|appends| scope.spawn(move || write(appends))).collect();
        writers.into_iter().try_for_each(|writer| writer.join().expect("a writer does not panic"))
    })?;
    Ok((began.elapsed().as_secs_f64(), committer.reader().stats().sync_count))
}

/// The payload bytes alone, spread evenly over as many writes and syncs.
fn append_raw(path: &Path, shape: &Shape, sync_count: u64) -> anyhow::Result<f64> {
    let file = File::create_new(path)?;
    let total_bytes = (shape.records() * RECORD_BYTES) as u64;
    let bytes = vec![7; total_bytes.div_ceil(sync_count) as usize];
    let began = Instant::now();
    let mut end_bytes = 0;
    for nth in 1..=sync_count {
        let next_end_bytes = total_bytes * nth / sync_count;
        file.write_all_at(&bytes[..(next_end_bytes - end_bytes) as usize], end_bytes)?;
        file.sync_data()?;
        end_bytes = next_end_bytes;
    }
    Ok(began.elapsed().as_secs_f64())
}

fn print(shape: &Shape, rounds: &[Round]) {
    let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    println!(
        "{{\"job\":\"journal append, group commit\",\"shape\":\"{}\",\"rounds\":{},\"record_bytes\":{},\"records\":{},\
         \"sync_count\":{},\"journal_records_per_s\":{:.0},\"control_records_per_s\":{:.0},\"ratio\":{:.3}}}",
        shape.name,
        rounds.len(),
        RECORD_BYTES,
        shape.records(),
        of(|round| round.sync_count as f64),
        of(|round| round.journal_records_per_s),
        of(|round| round.control_records_per_s),
        of(|round| round.journal_records_per_s / round.control_records_per_s),
    );
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
