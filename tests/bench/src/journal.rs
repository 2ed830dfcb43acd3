//! The agent's journal: group-commit appends beside raw appends of the same payload bytes with as many syncs.
//!
//! Each turn writes fresh files of one folder. The control goes second in a turn, because it needs to know how many syncs there were.
//! One writer appends as the agent's keeper does, whose calls are grouped before they reach its journal; many are tasks as those of the
//! embedded log are, whose journal groups them. Both sides have their bytes ready before the clock starts, each byte in a place of its own: a control that
//! writes one buffer again and again finds it in the cache, and facts are not there.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use medfleet_journal::{Batch, Committer, FsStorage, Journal, JournalId, Limits};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::rounds::{ROUNDS, Took, Turns, Watch};

/// About a spooled fact.
const RECORD_BYTES: usize = 200;
/// The two change so often within a round: a disk shared with others has weather of its own.
const CHANGES_PER_ROUND: usize = 4;
const LIMITS: Limits = Limits { segment_max_bytes: 64 * 1024 * 1024, capacity_bytes: 1024 * 1024 * 1024 };

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    folder: PathBuf,
}

struct Shape {
    name: &'static str,
    writers: usize,
    appends_per_writer: usize,
    records_per_append: usize,
}

const SHAPES: [Shape; 2] = [
    Shape { name: "one writer, 1 MB appends", writers: 1, appends_per_writer: 20, records_per_append: 5_000 },
    Shape { name: "16 writers, 20 kB appends", writers: 16, appends_per_writer: 60, records_per_append: 100 },
];

impl Shape {
    fn records(&self) -> usize {
        self.writers * self.appends_per_writer * self.records_per_append
    }
}

pub async fn run(options: &Options) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.folder)?;
    for shape in SHAPES {
        let mut turns = Turns::default();
        let mut syncs = 0;
        for _ in 0..ROUNDS {
            let (mut product, mut control) = (Took::default(), Took::default());
            for _ in 0..CHANGES_PER_ROUND {
                let folder = tempfile::tempdir_in(&options.folder)?;
                let (took, sync_count) = append_by_journal(folder.path(), &shape).await?;
                product = product + took;
                let folder = tempfile::tempdir_in(&options.folder)?;
                control = control + append_raw(&folder.path().join("raw"), &shape, sync_count)?;
                syncs = sync_count;
            }
            turns.product.push(product);
            turns.control.push(control);
        }
        let beside = json!({ "record_bytes": RECORD_BYTES, "syncs": syncs });
        turns.print("journal", shape.name, (CHANGES_PER_ROUND * shape.records()) as u64, "facts/s", beside);
    }
    Ok(())
}

async fn append_by_journal(folder: &Path, shape: &Shape) -> anyhow::Result<(Took, u64)> {
    let storage = Arc::new(FsStorage::open(folder)?);
    let journal = Journal::open(storage, JournalId(1), LIMITS)?;
    let one_writers =
        || vec![Batch::from_iter(vec![[7; RECORD_BYTES]; shape.records_per_append]); shape.appends_per_writer];
    let mut all_writers: Vec<Vec<Batch>> = (0..shape.writers).map(|_| one_writers()).collect();
    if let [appends] = all_writers.as_mut_slice() {
        return append_alone(journal, std::mem::take(appends));
    }
    let committer = Arc::new(Committer::start(journal)?);
    let watch = Watch::start()?;
    let mut writers: JoinSet<_> =
        all_writers.into_iter().map(|appends| append_in_turn(Arc::clone(&committer), appends)).collect();
    while let Some(written) = writers.join_next().await {
        written??;
    }
    Ok((watch.stop()?, committer.reader().stats().sync_count))
}

/// One after the other, each durable before the next.
async fn append_in_turn(committer: Arc<Committer>, appends: Vec<Batch>) -> anyhow::Result<()> {
    for batch in appends {
        let (answer, wait) = oneshot::channel();
        let done = move |answered| drop(answer.send(answered));
        committer.submit(batch, Box::new(done))?;
        wait.await.context("the committing thread died")??;
    }
    Ok(())
}

fn append_alone(mut journal: Journal, appends: Vec<Batch>) -> anyhow::Result<(Took, u64)> {
    let watch = Watch::start()?;
    appends.into_iter().try_for_each(|batch| journal.append_batch(batch).map(drop))?;
    Ok((watch.stop()?, journal.stats().sync_count))
}

/// The payload bytes alone, spread evenly over as many writes and syncs.
fn append_raw(path: &Path, shape: &Shape, sync_count: u64) -> anyhow::Result<Took> {
    let file = File::create_new(path)?;
    let total_bytes = (shape.records() * RECORD_BYTES) as u64;
    let bytes = vec![7; total_bytes as usize];
    let watch = Watch::start()?;
    let mut end_bytes = 0;
    for nth in 1..=sync_count {
        let next_end_bytes = total_bytes * nth / sync_count;
        file.write_all_at(&bytes[end_bytes as usize..next_end_bytes as usize], end_bytes)?;
        file.sync_data()?;
        end_bytes = next_end_bytes;
    }
    watch.stop()
}
