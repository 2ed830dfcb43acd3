//! Several workers over one lake: killed and restarted, they say what one says, and so does every cut on the way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::{Body, Run};
use medfleet_domain::human::{Asserted, Claimed};
use medfleet_domain::id::Epoch;
use medfleet_lake::{Cut, Lake};
use medfleet_log::EventLog;
use medfleet_processor::{ProcessorConfig, ProcessorError, rebuild};
use medfleet_runtime::Shutdown;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use crate::support::{
    self, Post, append, at, config, device, fact, fold_alone, open_log, oracle, reader, site_defined, stretch, told,
    voided,
};

const DEVICES: u64 = 40;
const SEED: u64 = 20_261_126;
const KILLS: u64 = 12;

/// Hour by hour, every device a stretch of an hour; some late, some voided, some under a claim.
fn hour(hour: i64, chance: &mut SmallRng) -> Vec<Run> {
    let mut runs = Vec::new();
    for number in 0..DEVICES {
        let subject = device(&format!("ct-{number}"));
        let condition = Condition::ALL[chance.random_range(0..5)];
        let seq = 1 + hour.cast_unsigned();
        runs.push(support::run_of(&subject, 7, seq, vec![stretch(at(hour, 0), at(hour + 1, 0), condition)]));
        if chance.random_ratio(1, 10) {
            let back = chance.random_range(1..=seq);
            runs.push(support::run_of(&subject, 8, seq, vec![fact(at(hour, 30), at(hour, 30), voided(7, back))]));
        }
        if chance.random_ratio(1, 12) {
            let claim = Asserted {
                claim: Claimed::Down,
                until: Some(at(hour, 40)),
                author: "kim".into(),
                reason: "tube".into(),
                order: None,
            };
            let said = fact(at(hour, 10), at(hour, 50), Body::Asserted(claim));
            runs.push(support::run_of(&subject, 9, seq, vec![said]));
        }
    }
    runs
}

/// One worker's lives, one after the other: each is killed in the middle of whatever it does.
async fn lives(log: &Arc<dyn EventLog>, data: &Path, config: ProcessorConfig, seed: u64, end: &Shutdown) {
    let mut chance = SmallRng::seed_from_u64(seed);
    for _ in 0..KILLS {
        let post = Post::new(log, data, config.clone()).await;
        let asked = Shutdown::new();
        let life = Duration::from_millis(chance.random_range(30..400));
        // Dropping the future anywhere is a kill: what was put stays, what was in memory is gone.
        if let Ok(ended) = tokio::time::timeout(life, post.run(&asked)).await {
            panic!("a worker that nobody asked ended by itself: {ended:?}");
        }
    }
    Post::new(log, data, config).await.run(end).await.unwrap();
}

async fn every_cut_says_what_the_log_below_it_says(log: &Arc<dyn EventLog>, lake: &Lake) -> Cut {
    let reader = reader(lake);
    let newest = reader.newest_cut().await.unwrap().expect("cuts were made");
    let mut last = BTreeMap::new();
    for number in 1..=newest.number {
        let cut = reader.cut(number).await.unwrap().expect("numbers have no gap");
        for (home, next) in &last {
            assert!(cut.offsets.get(home) >= Some(next), "cut {number} goes back in {home}");
        }
        let expected = oracle(log, &cut).await;
        for (sums, way) in told(&reader, &cut).await.iter().zip(["intervals", "quarter-hours", "days"]) {
            assert_eq!(*sums, expected, "{way} of cut {number}");
        }
        last = cut.offsets.clone();
    }
    newest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_killed_at_random_say_what_one_says_at_every_cut() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path()).await;
    append(&log, vec![site_defined()]).await;
    let (data, end) = (folder.path().join("two"), Shutdown::new());
    std::fs::create_dir_all(&data).unwrap();
    let of = |name: &str, partitions: std::ops::Range<u32>| ProcessorConfig {
        partitions: partitions.collect(),
        ..config(&data, name)
    };
    let first = lives(&log, &data, of("first", 0..4), SEED, &end);
    let second = lives(&log, &data, of("second", 4..8), SEED + 1, &end);
    let lake = Lake::open_local(&data).await.unwrap();
    let feed = async {
        let mut chance = SmallRng::seed_from_u64(SEED);
        for nth in 0..40 {
            append(&log, hour(nth, &mut chance)).await;
            tokio::time::sleep(Duration::from_millis(chance.random_range(0..150))).await;
        }
        let (ends, watcher) = (log_ends(&log).await, reader(&lake));
        tokio::time::timeout(Duration::from_secs(120), async {
            while watcher.newest_cut().await.unwrap().is_none_or(|cut| ends_of(&cut) != ends) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("a cut reaches the end of the log");
        end.request();
    };
    tokio::join!(first, second, feed);
    let newest = every_cut_says_what_the_log_below_it_says(&log, &lake).await;
    assert!(newest.number > 5, "{} cuts are no test", newest.number);
    let alone = fold_alone(&log, &folder.path().join("one")).await;
    assert_eq!(rebuild::hashes(&lake).await.unwrap(), alone);
}

/// Next offset of every partition that holds anything.
async fn log_ends(log: &Arc<dyn EventLog>) -> BTreeMap<String, i64> {
    let mut ends = BTreeMap::new();
    for topic in [medfleet_log::Topic::FACTS, medfleet_log::Topic::FLEET] {
        for partition in 0..log.partitions(topic).unwrap() {
            let home = medfleet_log::Partition::new(topic, partition);
            let end = log.bounds(home).await.unwrap().end;
            if end > 0 {
                ends.insert(home.to_string(), end.cast_signed());
            }
        }
    }
    ends
}

fn ends_of(cut: &Cut) -> BTreeMap<String, i64> {
    cut.offsets.iter().filter(|(_, next)| **next > 0).map(|(home, next)| (home.clone(), *next)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_on_the_same_partitions_fence_each_other_and_write_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path()).await;
    append(&log, vec![site_defined()]).await;
    let data = folder.path().join("two");
    std::fs::create_dir_all(&data).unwrap();
    let posts = [Post::new(&log, &data, config(&data, "a")).await, Post::new(&log, &data, config(&data, "b")).await];
    let end = Shutdown::new();
    let mut chance = SmallRng::seed_from_u64(SEED);
    let feed = async {
        for nth in 0..20 {
            append(&log, hour(nth, &mut chance)).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let fenced = || posts.iter().map(|post| post.meters.fences.get()).sum::<u64>();
        tokio::time::timeout(Duration::from_secs(60), async {
            for nth in 20.. {
                if fenced() > 0 {
                    break;
                }
                append(&log, hour(nth % 23, &mut chance)).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .expect("one of two workers on one partition is fenced");
        end.request();
    };
    let (first, second, ()) = tokio::join!(posts[0].run(&end), posts[1].run(&end), feed);
    // The drain of one may be fenced by that of the other: it ends without having written.
    let drained = |ended| matches!(ended, Ok(()) | Err(ProcessorError::Fenced { .. }));
    assert!(drained(first) && drained(second), "a worker ended by itself");
    let settled = fold_alone(&log, &data).await;
    assert_eq!(settled, fold_alone(&log, &folder.path().join("one")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_again_takes_no_table_back_and_makes_no_row_twice() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path()).await;
    let data = folder.path().join("again");
    std::fs::create_dir_all(&data).unwrap();
    let mut chance = SmallRng::seed_from_u64(SEED);
    append(&log, vec![site_defined()]).await;
    for nth in 0..4 {
        append(&log, hour(nth, &mut chance)).await;
    }
    fold_alone(&log, &data).await;
    remove_snapshots(&data.join("alone"));
    append(&log, hour(4, &mut chance)).await;
    // Without memory it reads all again, record by record, and meets new facts between old ones.
    let config = ProcessorConfig { stop_when_idle: true, flush_rows: 1, poll_bytes: 1, ..config(&data, "slow") };
    let post = Post::new(&log, &data, config).await;
    post.run(&Shutdown::new()).await.unwrap();
    every_cut_says_what_the_log_below_it_says(&log, &post.lake).await;
    let again = rebuild::hashes(&post.lake).await.unwrap();
    assert_eq!(again, fold_alone(&log, &folder.path().join("one")).await);
}

fn remove_snapshots(folder: &Path) {
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn epochs_of_this_test_hold_no_copies() {
    assert!(![7, 8, 9].map(Epoch).iter().any(|epoch| epoch.holds_copies()));
}
