//! `medfleet import`: a file of past repairs goes through the log like anything else. Telling it twice changes nothing.
//!
//! ```text
//! file ─► reader ─► rows ─► nodes ─► unite, assume ─► facts ─► runs ─► admitter ─► log
//!            └────────┴────────┴───────────┴──► rejects: what was refused or read in a special way
//! ```

mod assume;
mod facts;
mod mapping;
mod nodes;
mod plan;
mod reader;
mod rejects;
mod rows;
mod runs;
mod times;
mod unite;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use medfleet_domain::fact::Run;
use medfleet_domain::time::Timestamp;
use medfleet_ingest::{Admitter, Meters};
use medfleet_runtime::now_micros;
use medfleet_runtime::{Metrics, Shutdown};

use crate::backing;
use crate::cli::{ImportOptions, Place};
use crate::house::House;
use mapping::Mapping;
use plan::Plan;
use reader::{FILE_MAX_BYTES, FileError};
use rejects::Rejects;
use runs::Import;

/// The name under which standard input is read.
const STANDARD_INPUT: &str = "-";
/// Runs handed to the log in one append, each with few facts: a window has one or two runs of a subject.
const APPEND_MAX_RUNS: usize = 1_000;
/// Facts handed to the log in one append, unless a single run has more.
const APPEND_MAX_FACTS: usize = 50_000;

pub async fn run(place: &Place, options: &ImportOptions) -> anyhow::Result<()> {
    let unusable = |path: &Path| format!("cannot use the mapping {}", path.display());
    let text = fs::read_to_string(&options.mapping).with_context(|| unusable(&options.mapping))?;
    let mapping = Mapping::read(&text).with_context(|| unusable(&options.mapping))?;
    let unread = || match options.csv.to_str() {
        Some(STANDARD_INPUT) => "cannot import standard input".to_owned(),
        _ => format!("cannot import {}", options.csv.display()),
    };
    let file = slurp(&options.csv).with_context(unread)?;
    let import = Import::of(&file, &text);
    let mut plan = Plan::of(&file, &mapping, import).with_context(unread)?;
    drop(file);

    let house = House::open(&place.data)?;
    let listed = options.rejects.clone().unwrap_or_else(|| rejects_file(&house, &mapping, import));
    list(&plan.rejects, &listed)?;
    let shutdown = Shutdown::on_signals()?;
    let log = backing::log(place, &house).await?;
    let admitter = Admitter::new(log, Meters::new(&Metrics::default())?);
    admitter.learn_sites().await?;
    let facts = tell(&mut plan, &admitter, &shutdown).await?;
    report(&plan, facts, &listed);
    anyhow::ensure!(
        !shutdown.is_requested(),
        "asked to end before the end of the file: import it again, nothing is told twice"
    );
    Ok(())
}

/// The whole file, because its hash is part of every fact's identity.
fn slurp(path: &Path) -> anyhow::Result<Vec<u8>> {
    let most = FILE_MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if path == Path::new(STANDARD_INPUT) {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    }
    anyhow::ensure!(bytes.len() <= FILE_MAX_BYTES, FileError::TooLarge);
    Ok(bytes)
}

fn rejects_file(house: &House, mapping: &Mapping, import: Import) -> PathBuf {
    house.root().join("imports").join(format!("{}-{}-rejects.csv", mapping.source.name, import.name()))
}

fn list(rejects: &Rejects, path: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}: choose another with --rejects", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(path, rejects.to_csv()?).with_context(failed)
}

/// Hands every fact to the log; what it holds already it takes for a duplicate.
async fn tell(plan: &mut Plan<'_>, admitter: &Admitter, shutdown: &Shutdown) -> anyhow::Result<u64> {
    let style = ProgressStyle::with_template("import [{bar:30}] {percent} %, {eta} left")?;
    let bar = ProgressBar::new(plan.windows()).with_style(style);
    let mut facts = append(admitter, std::mem::take(&mut plan.sites)).await?;
    while !shutdown.is_requested() {
        let Some(runs) = tokio::task::block_in_place(|| plan.next_window()) else { break };
        facts += append(admitter, runs).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(facts)
}

async fn append(admitter: &Admitter, runs: Vec<Run>) -> anyhow::Result<u64> {
    let (mut part, mut held, mut facts) = (Vec::new(), 0, 0);
    for run in runs {
        if !part.is_empty() && (part.len() == APPEND_MAX_RUNS || held + run.facts.len() > APPEND_MAX_FACTS) {
            hand_over(admitter, std::mem::take(&mut part)).await?;
            held = 0;
        }
        held += run.facts.len();
        facts += run.facts.len() as u64;
        part.push(run);
    }
    hand_over(admitter, part).await?;
    Ok(facts)
}

async fn hand_over(admitter: &Admitter, runs: Vec<Run>) -> anyhow::Result<()> {
    let taken = admitter.runs(runs, Timestamp(now_micros())).await;
    taken
        .map(drop)
        .context("the log did not take the import: mend the cause and import the file again, nothing is told twice")
}

fn report(plan: &Plan<'_>, facts: u64, listed: &Path) {
    let Rejects { imported, refused, .. } = &plan.rejects;
    println!("{} rows read = {imported} imported + {refused} refused", imported + refused);
    println!("{} subjects, {facts} facts", plan.subjects());
    for (fate, reason, count) in plan.rejects.counts() {
        println!("  {fate}, {reason}: {count}");
    }
    println!("row by row in {}", listed.display());
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
