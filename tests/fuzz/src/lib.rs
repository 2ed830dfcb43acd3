//! A mutation fuzzer that lives inside a plain test: for a given time it damages good inputs, and watches outcome and memory.
//!
//! It knows nothing of the code under test but what the parser answers: an input with an answer never seen before joins
//! the corpus, so refusals of every reason, and whatever lies behind them, are reached step by step. Parsers run on the
//! thread of their test; the heap is counted per thread, by the allocator that the test binary must install:
//! ```
//! #[global_allocator]
//! static HEAP: medfleet_fuzz::Heap = medfleet_fuzz::Heap;
//! ```
//! `MEDFLEET_FUZZ_SECONDS` is the time for each parser, `MEDFLEET_FUZZ_SEED` another beginning of the same game.

mod heap;
mod mutate;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

pub use heap::{Heap, peak_of};
use mutate::{Dice, mutate};

const SECONDS_DEFAULT: f64 = 1.0;
/// The corpus stops growing here: answers that name what they refuse would fill it without end.
const CORPUS_MAX_INPUTS: usize = 4_096;
/// However slow, a parser meets so many damaged inputs.
const EXECUTIONS_MIN: u64 = 20;
/// Before this many executions memory that stays may be a table or a cache being filled.
const WARM_UP_EXECUTIONS: u64 = 2_000;
/// One input that takes this long is a defect, even on a busy machine.
const SLOWEST_MAX: Duration = Duration::from_secs(5);

/// What a parser may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Inputs grow no longer than this.
    pub input_max_bytes: usize,
    /// Heap at the peak of one execution, for each byte of input, …
    pub peak_times_input: usize,
    /// … and besides, whatever the input.
    pub peak_base_bytes: usize,
    /// Heap that all executions after the first may leave behind together.
    pub kept_max_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            input_max_bytes: 64 * 1024,
            peak_times_input: 64,
            peak_base_bytes: 256 * 1024,
            kept_max_bytes: 64 * 1024,
        }
    }
}

/// What was seen of one parser.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub executions: u64,
    pub answers: usize,
    pub peak_bytes: usize,
    pub kept_bytes: isize,
    pub slowest: Duration,
}

/// Runs `parse` over damaged inputs until the time is up. It answers with a word for what became of the input; the fewer
/// words stand for the same, the better the search. Panics with the input when `parse` panics or a bound is broken.
pub fn fuzz<A: AsRef<str>>(
    parser: &str,
    corpus: Vec<Vec<u8>>,
    bounds: Bounds,
    mut parse: impl FnMut(&[u8]) -> A,
) -> Seen {
    assert!(!corpus.is_empty(), "{parser}: nothing to begin with");
    let (budget, seed) = (seconds(), seed());
    let (mut corpus, mut dice) = (corpus, Dice::new(seed, parser));
    let (mut answers, mut seen) = (BTreeSet::new(), Seen::default());
    let started = Instant::now();
    let whole = corpus.len() as u64;
    while seen.executions < whole + EXECUTIONS_MIN || started.elapsed() < budget {
        let input = match usize::try_from(seen.executions).ok().filter(|_| seen.executions < whole) {
            Some(index) => corpus[index].clone(),
            None => mutate(&corpus, &mut dice, bounds.input_max_bytes),
        };
        let answer = execute(parser, seed, &input, bounds, &mut seen, &mut parse);
        if answers.insert(answer) && seen.executions > whole && corpus.len() < CORPUS_MAX_INPUTS {
            corpus.push(input);
        }
    }
    seen.answers = answers.len();
    let per_second = seen.executions as f64 / started.elapsed().as_secs_f64();
    println!(
        "fuzz {parser}: {} executions in {:.1} s ({per_second:.0}/s), {} answers, at most {} bytes of heap, {} left behind, slowest {:.1?}, seed {seed}",
        seen.executions,
        started.elapsed().as_secs_f64(),
        seen.answers,
        seen.peak_bytes,
        seen.kept_bytes,
        seen.slowest
    );
    let kept = usize::try_from(seen.kept_bytes).unwrap_or(0);
    assert!(kept <= bounds.kept_max_bytes, "{parser} has left {kept} bytes behind, {} at most", bounds.kept_max_bytes);
    seen
}

fn execute<A: AsRef<str>>(
    parser: &str,
    seed: u64,
    input: &[u8],
    bounds: Bounds,
    seen: &mut Seen,
    parse: &mut impl FnMut(&[u8]) -> A,
) -> String {
    let began = Instant::now();
    let before = heap::begin();
    let parsed = catch_unwind(AssertUnwindSafe(|| parse(input)));
    let Ok(answer) = parsed else { panic!("{parser} panicked, seed {seed}, on {}", shown(input)) };
    let answer = {
        let own = answer.as_ref().to_owned();
        drop(answer);
        own
    };
    let peak = heap::peak_since(before);
    let kept = heap::live() - before - answer.capacity() as isize;
    seen.executions += 1;
    seen.kept_bytes += if seen.executions > WARM_UP_EXECUTIONS { kept } else { 0 };
    seen.peak_bytes = seen.peak_bytes.max(peak);
    seen.slowest = seen.slowest.max(began.elapsed());
    let allowed = bounds.peak_base_bytes + bounds.peak_times_input * input.len();
    assert!(peak <= allowed, "{parser} took {peak} bytes of heap, {allowed} at most, seed {seed}, on {}", shown(input));
    assert!(began.elapsed() < SLOWEST_MAX, "{parser} took {:?}, seed {seed}, on {}", began.elapsed(), shown(input));
    answer
}

/// An input as one can give it to a test again.
fn shown(input: &[u8]) -> String {
    let head = &input[..input.len().min(2_048)];
    format!("{} bytes: \"{}\"", input.len(), head.escape_ascii())
}

/// How long each parser is given.
pub fn seconds() -> Duration {
    let told = std::env::var("MEDFLEET_FUZZ_SECONDS").ok();
    let seconds = told.map_or(SECONDS_DEFAULT, |text| {
        text.parse().unwrap_or_else(|_| panic!("MEDFLEET_FUZZ_SECONDS={text} is no number"))
    });
    Duration::from_secs_f64(seconds)
}

fn seed() -> u64 {
    let told = std::env::var("MEDFLEET_FUZZ_SEED").ok();
    told.map_or(1, |text| text.parse().unwrap_or_else(|_| panic!("MEDFLEET_FUZZ_SEED={text} is no number")))
}

/// Every file of a folder whose name ends so; what the goldens of a format are.
pub fn files(folder: impl AsRef<std::path::Path>, ending: &str) -> Vec<Vec<u8>> {
    let folder = folder.as_ref();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display())))
        .collect()
}
