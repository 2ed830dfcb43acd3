//! `medfleet import`: tables of the past go through the log like anything else. Telling them twice changes nothing.

mod told;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use medfleet_domain::fact::Run;
use medfleet_domain::time::{Span, Timestamp};
use medfleet_import::{FILE_MAX_BYTES, Files, Mapping, Plan, Telling};
use medfleet_ingest::judge::EARLIEST_PLAUSIBLE;
use medfleet_ingest::{Admitter, Meters};
use medfleet_processor::ProcessorConfig;
use medfleet_runtime::{Metrics, Shutdown, now_micros};

use crate::backing;
use crate::cli::{ImportOptions, Place};
use crate::house::House;
use crate::roles;

/// The name under which standard input is read.
const STANDARD_INPUT: &str = "-";
const FOLDING_TICK: Duration = Duration::from_millis(200);
/// Runs handed to the log in one append, each with few facts: a window has one or two runs of a subject.
const APPEND_MAX_RUNS: usize = 1_000;
/// Facts handed to the log in one append, unless a single run has more.
const APPEND_MAX_FACTS: usize = 50_000;

/// What became of the facts of one import.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    told: u64,
    withdrawn: u64,
}

pub async fn run(place: &Place, options: &ImportOptions) -> anyhow::Result<()> {
    let unusable = || format!("cannot use the mapping {}", options.mapping.display());
    let text = fs::read_to_string(&options.mapping).with_context(unusable)?;
    let mapping = Mapping::read(&text).with_context(unusable)?;
    let files = files(&mapping, options)?;
    let now = Timestamp(now_micros());
    let plan = Plan::of(&files, &mapping, Span { from: EARLIEST_PLAUSIBLE.start(), until: now });
    let plan = plan.context("cannot import these tables")?;
    drop(files);

    let house = House::open(&place.data)?;
    let listed = options.rejects.clone().unwrap_or_else(|| rejects_file(&house, &mapping));
    list(&plan, &mapping, &listed)?;
    if options.check {
        report(&plan, &mapping, &listed);
        println!("checked only: nothing was told");
        return Ok(());
    }
    let shutdown = Shutdown::on_signals()?;
    let (log, lake) = (backing::log(place, &house).await?, backing::lake(&house).await?);
    let admitter = Admitter::new(Arc::clone(&log), Meters::new(&Metrics::default())?);
    admitter.learn_sites().await?;
    let told = told::before(&*log, &lake, &mapping.source.name, plan.subjects().collect()).await?;
    let mut telling = plan.telling(told);
    let sent = tell(&mut telling, &admitter, now, &shutdown).await?;
    report(&plan, &mapping, &listed);
    report_facts(&telling, sent);
    anyhow::ensure!(
        !shutdown.is_requested(),
        "asked to end before the end of the tables: import them again, nothing is told twice"
    );
    if options.no_fold || place.kafka.is_some() {
        println!("a processor folds this into the tables: `medfleet up`, or `medfleet processor`");
        return Ok(());
    }
    let folding = ProgressBar::new_spinner().with_message("folding into the tables");
    folding.enable_steady_tick(FOLDING_TICK);
    let config = options.keep.apply(ProcessorConfig::until_idle());
    roles::fold_until_idle(&house, log, lake, config, &shutdown).await?;
    folding.finish_and_clear();
    anyhow::ensure!(
        !shutdown.is_requested(),
        "asked to end before all was folded: `medfleet up` or `medfleet processor` goes on from here"
    );
    println!("folded into the tables");
    Ok(())
}

/// Every file the mapping names: standard input or one file where it names one, else files of a folder.
fn files(mapping: &Mapping, options: &ImportOptions) -> anyhow::Result<Files> {
    let beside = || options.mapping.parent().unwrap_or(Path::new("")).to_owned();
    let source = options.tables.clone().unwrap_or_else(beside);
    let names: Vec<&String> = mapping.tables.iter().map(|table| &table.file).collect();
    if let [only] = names[..]
        && !source.is_dir()
        && source != Path::new("")
    {
        return Ok(BTreeMap::from([(only.clone(), slurp(&source)?)]));
    }
    names.into_iter().map(|name| Ok((name.clone(), slurp(&source.join(name))?))).collect()
}

fn slurp(path: &Path) -> anyhow::Result<Vec<u8>> {
    let most = FILE_MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = if path == Path::new(STANDARD_INPUT) {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

fn rejects_file(house: &House, mapping: &Mapping) -> PathBuf {
    house.root().join("imports").join(format!("{}-rejects.csv", mapping.source.name))
}

fn list(plan: &Plan<'_>, mapping: &Mapping, path: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}: choose another with --rejects", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    let files: Vec<&str> = mapping.tables.iter().map(|table| table.file.as_str()).collect();
    fs::write(path, plan.remarks.to_csv(&files)?).with_context(failed)
}

/// Hands every fact to the log that it was not told before.
async fn tell(
    telling: &mut Telling<'_, '_>,
    admitter: &Admitter,
    now: Timestamp,
    shutdown: &Shutdown,
) -> anyhow::Result<Sent> {
    let style = ProgressStyle::with_template("import [{bar:30}] {percent} %, {eta} left")?;
    let bar = ProgressBar::new(telling.windows()).with_style(style);
    let mut sent = Sent { told: append(admitter, telling.sites(now)).await?, withdrawn: 0 };
    while !shutdown.is_requested() {
        let Some(runs) = tokio::task::block_in_place(|| telling.next_window()) else {
            let (_, unsaid) = telling.before();
            let voids = append(admitter, telling.withdrawals(now)).await?;
            sent.withdrawn = if voids > 0 { unsaid } else { 0 };
            break;
        };
        sent.told += append(admitter, runs).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(sent)
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
    taken.map(drop).context("the log did not take the import: mend the cause and import again, nothing is told twice")
}

fn report(plan: &Plan<'_>, mapping: &Mapping, listed: &Path) {
    for (nth, table) in mapping.tables.iter().enumerate() {
        let (imported, refused) = plan.remarks.rows(nth);
        println!("{}: {} rows read = {imported} imported + {refused} refused", table.file, imported + refused);
        for (fate, reason, count) in plan.remarks.counts(nth) {
            println!("  {fate}, {reason}: {count}");
        }
    }
    println!("row by row in {}", listed.display());
}

fn report_facts(telling: &Telling<'_, '_>, sent: Sent) {
    let (again, unsaid) = telling.before();
    println!("{} devices, {} facts told, {again} told before", telling.devices(), sent.told);
    if sent.withdrawn > 0 {
        println!("{} facts withdrawn that the tables no longer say", sent.withdrawn);
    } else if unsaid > 0 {
        println!("{unsaid} facts told before are not in these tables and stand, since they are a part");
    }
}
