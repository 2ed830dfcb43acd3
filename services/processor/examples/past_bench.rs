//! How long the past takes: a history told twice, a backlog told late, and a restart after SIGKILL.
//!
//! ```text
//! past_bench again DEVICES DAYS     every record told a second time
//! past_bench late DEVICES DAYS      one device in ten told only after the others
//! past_bench restart DEVICES DAYS   a worker killed with work in flight, and the next one until it has caught up
//! ```

#[path = "../tests/processor/past/rig.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod rig;

use std::env;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use medfleet_processor::ProcessorConfig;
use medfleet_runtime::Shutdown;
use rig::{Rig, facts_of, fleet_history};

/// Records told at once, so that a long history need not be in memory.
const DAYS_AT_ONCE: i32 = 5;
const LATE_OF: usize = 10;
/// One device in so many has a day of facts in the log that the killed worker should fold.
const IN_FLIGHT_OF: usize = 10;
const KILL_AFTER: Duration = Duration::from_secs(3);
/// Nothing new for so long: it has caught up.
const QUIET: Duration = Duration::from_secs(5);
const LOOK_AFTER: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["again", devices, days] => again(number(devices), number(days)).await,
        ["late", devices, days] => late(number(devices), number(days)).await,
        ["restart", devices, days] => restart(number(devices), number(days)).await,
        ["work", folder] => work(folder.into()).await,
        _ => panic!("say again, late or restart, then how many devices and days"),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

async fn tell(rig: &Rig, devices: usize, days: i32, wanted: impl Fn(usize) -> bool) -> u64 {
    let mut facts = 0;
    for first in (0..days).step_by(DAYS_AT_ONCE as usize) {
        let history = fleet_history(devices, first..(first + DAYS_AT_ONCE).min(days));
        let told: Vec<_> = history.into_iter().enumerate().filter(|(nth, _)| wanted(nth % devices)).collect();
        let told: Vec<_> = told.into_iter().map(|(_, run)| run).collect();
        facts += facts_of(&told);
        rig.tell(&told).await;
    }
    facts
}

async fn timed(rig: &Rig, what: &str, facts: u64) {
    let started = Instant::now();
    rig.fold().await;
    let seconds = started.elapsed().as_secs_f64();
    let (rate, queries) = (facts as f64 / seconds, rig.counted("archive_lookups_total"));
    println!("{what}: {facts} facts in {seconds:.1} s, {rate:.0} facts/s, {queries} archive queries");
}

async fn again(devices: usize, days: i32) {
    let rig = Rig::new().await;
    for what in ["told first", "told again"] {
        let facts = tell(&rig, devices, days, |_| true).await;
        timed(&rig, what, facts).await;
    }
}

async fn late(devices: usize, days: i32) {
    let rig = Rig::new().await;
    let is_late = |device: usize| device.is_multiple_of(LATE_OF);
    let mut facts = tell(&rig, devices, days, |device| !is_late(device)).await;
    // A late device was heard on its first day, and is again on the last.
    let edge = |day: i32| fleet_history(devices, day..day + 1).into_iter().step_by(LATE_OF).collect::<Vec<_>>();
    for day in [0, days] {
        facts += facts_of(&edge(day));
        rig.tell(&edge(day)).await;
    }
    timed(&rig, "told in order", facts).await;
    let mut backlog = 0;
    for day in 1..days {
        backlog += facts_of(&edge(day));
        rig.tell(&edge(day)).await;
    }
    timed(&rig, "told late", backlog).await;
}

/// From the start of a process to its first commit.
const RESTART_MAX_SECONDS: f64 = 30.0;

async fn restart(devices: usize, days: i32) {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::at(folder.path().into()).await;
    rig.define_site().await;
    let facts = tell(&rig, devices, days, |_| true).await;
    timed(&rig, "made", facts).await;
    let snapshot = std::fs::read_dir(rig.path("snapshots")).unwrap().next().unwrap().unwrap().metadata().unwrap();
    println!("snapshot: {} MiB", snapshot.len() >> 20);
    rig.tell(&fleet_history(devices / IN_FLIGHT_OF, days..days + 1)).await;
    drop(rig);
    let mut first = worker(folder.path().into());
    tokio::time::sleep(KILL_AFTER).await;
    first.kill().unwrap();
    first.wait().unwrap();
    println!("killed with SIGKILL {} s after its start", KILL_AFTER.as_secs());
    let started = Instant::now();
    let done = worker(folder.path().into()).wait().unwrap();
    println!("next worker: {:.1} s from its start to its end, {done}", started.elapsed().as_secs_f64());
    assert!(done.success(), "the restart took more than {RESTART_MAX_SECONDS} s");
}

fn worker(folder: PathBuf) -> Child {
    Command::new(env::current_exe().unwrap()).arg("work").arg(folder).spawn().unwrap()
}

/// A worker until it has caught up, in a process of its own.
async fn work(folder: PathBuf) {
    let started = Instant::now();
    let rig = Rig::at(folder).await;
    let config = ProcessorConfig { stop_when_idle: false, ..ProcessorConfig::default() };
    let worker = rig.worker(ProcessorConfig { snapshot_folder: rig.path("snapshots"), ..config });
    let working = tokio::spawn(async move { worker.run(&Shutdown::default()).await });
    while rig.counted("known_subjects") == 0 {
        tokio::time::sleep(LOOK_AFTER).await;
    }
    let first = started.elapsed().as_secs_f64();
    println!("first rows committed {first:.1} s after the start of the process");
    assert!(first <= RESTART_MAX_SECONDS, "a restart may take {RESTART_MAX_SECONDS} s");
    let facts = || rig.counted("facts_total{verdict=\"new\"}");
    let mut last = (0, Instant::now());
    while last.1.elapsed() < QUIET {
        if facts() != last.0 {
            last = (facts(), Instant::now());
        }
        tokio::time::sleep(LOOK_AFTER).await;
    }
    let seconds = (last.1 - started).as_secs_f64();
    println!("all {} facts of its tail folded {seconds:.1} s after the start of the process", last.0);
    working.abort();
}
