//! The past of a processor: what is told again, told late, or told when the log no longer has its beginning.

mod chronicle;
mod rig;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};

use medfleet_lake::{ContentHash, Lake, run};
use medfleet_processor::{ProcessorConfig, rebuild};
use rig::{FIRST_DAY, Rig, facts_of, fleet_history, heartbeats, late};

use crate::support::{reader, texts};

/// Enough for every partition to have some.
const DEVICES: usize = 24;
const DAYS: i32 = 30;

/// Hashes of all tables but the archive, which counts every telling.
fn folded(hashes: BTreeMap<&'static str, ContentHash>) -> BTreeMap<&'static str, ContentHash> {
    hashes.into_iter().filter(|(table, _)| *table != "facts").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_told_twice_changes_no_table_and_is_recognised_with_few_queries() {
    let rig = Rig::new().await;
    let history = fleet_history(DEVICES, 0..DAYS);
    rig.tell(&history).await;
    rig.fold().await;
    let once = rig.hashes().await;
    rig.tell(&history).await;
    rig.fold().await;
    let twice = rig.hashes().await;
    assert_eq!(twice["facts"].rows, once["facts"].rows + facts_of(&history));
    assert_eq!(rig.counted("facts_total{verdict=\"duplicate\"}"), facts_of(&history));
    assert_eq!(folded(twice), folded(once));
    let queries = rig.counted("archive_lookups_total");
    assert!((1..=8).contains(&queries), "{queries} queries for {} records", history.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_backlog_asks_little_and_leaves_the_sums_of_one_told_in_order() {
    let (orderly, rig) = (Rig::new().await, Rig::new().await);
    orderly.tell(&fleet_history(DEVICES, 0..DAYS)).await;
    orderly.fold().await;
    let (told, backlog) = late(fleet_history(DEVICES, 0..DAYS), "device-3");
    rig.tell(&told).await;
    rig.fold().await;
    rig.tell(&backlog).await;
    rig.fold().await;
    let (expected, found) = (orderly.hashes().await, rig.hashes().await);
    for sums in ["rollup_quarter", "rollup_day"] {
        assert_eq!(found[sums], expected[sums], "{sums}");
    }
    let queries = rig.counted("archive_lookups_total");
    assert!(queries <= 8, "{queries} queries for {} late records", backlog.len());
}

/// A flush on the way through the past once took the offsets of tables back with it; what lay between came in again.
#[tokio::test(flavor = "multi_thread")]
async fn while_memory_is_folded_anew_no_offset_goes_back_and_no_row_comes_twice() {
    let (orderly, rig) = (Rig::new().await, Rig::new().await);
    let (first, last) = (fleet_history(DEVICES, 0..10), fleet_history(DEVICES, 10..12));
    orderly.tell(&first).await;
    orderly.tell(&last).await;
    orderly.fold().await;
    rig.tell(&first).await;
    rig.fold().await;
    rig.tell(&last).await;
    std::fs::remove_dir_all(rig.path("snapshots")).unwrap();
    rig.fold_with(ProcessorConfig { flush_rows: 50, ..rig.config() }).await;
    let (expected, found) = (orderly.hashes().await, rig.hashes().await);
    assert_eq!(found["facts"].rows, expected["facts"].rows);
    assert_eq!(rig.sums().await, orderly.sums().await);
}

/// Ledgers let go of what a flush carries before it has landed: whoever asks for it waits.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_flush_under_way_carries_is_waited_for() {
    let (orderly, rig) = (Rig::new().await, Rig::new().await);
    let history = fleet_history(DEVICES, 0..8);
    orderly.tell(&history).await;
    orderly.fold().await;
    let (told, backlog) = late(history, "device-3");
    for part in [&told, &backlog, &told] {
        rig.tell(part).await;
    }
    rig.fold_with(ProcessorConfig { flush_rows: 500, ..rig.config() }).await;
    assert_eq!(rig.counted("facts_total{verdict=\"duplicate\"}"), facts_of(&told));
    assert_eq!(rig.sums().await, orderly.sums().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_snapshots_and_with_a_trimmed_log_the_archive_tells_what_is_gone() {
    let (whole, mut rig) = (Rig::new().await, Rig::new().await);
    let (first, last) = (fleet_history(DEVICES, 0..20), fleet_history(DEVICES, 20..DAYS));
    for rig in [&whole, &rig] {
        rig.tell(&first).await;
        rig.fold().await;
    }
    rig.trim_to(2, 3).await;
    rig.lose(&["snapshots", "lake/intervals", "lake/rollup_day"]).await;
    for rig in [&whole, &rig] {
        rig.tell(&last).await;
        rig.tell(&first).await;
        rig.fold().await;
    }
    assert_eq!(rig.sums().await, whole.sums().await);
    assert_eq!(rig.hashes().await.len(), whole.hashes().await.len());
    for (table, hash) in rig.hashes().await {
        assert_eq!(hash.rows, whole.hashes().await[table].rows, "{table}");
    }
}

/// The fleet topic of this log hesitates as a broker does.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_known_before_the_first_flush_of_its_devices() {
    let rig = Rig::new().await;
    rig.tell(&fleet_history(DEVICES, 0..4)).await;
    rig.fold_with(ProcessorConfig { flush_rows: 100, ..rig.config() }).await;
    let rebuilt = rebuild::rebuild(rig.log(), &rig.lake, &["rollup_day", "rollup_quarter"], |_| {}).await;
    assert_eq!(rebuilt.map(|tables| tables.len()).map_err(|error| error.to_string()), Ok(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_rebuilt_to_its_hash_from_a_trimmed_log() {
    let mut rig = Rig::new().await;
    let (told, backlog) = late(fleet_history(DEVICES, 0..DAYS), "device-5");
    for part in [&told, &backlog, &told] {
        rig.tell(part).await;
    }
    rig.fold().await;
    let before = rig.hashes().await;
    rig.trim_to(1, 2).await;
    for tables in [&medfleet_processor::TABLES[..], &["intervals"], &["rollup_day"], &["facts"]] {
        let rebuilt = rebuild::rebuild(rig.log(), &rig.lake, tables, |_| {}).await;
        let rebuilt = rebuilt.unwrap_or_else(|error| panic!("{tables:?}: {error}"));
        assert_eq!(rebuilt.keys().copied().collect::<BTreeSet<_>>(), tables.iter().copied().collect());
        rebuilt.iter().for_each(|(table, done)| assert_eq!(done.rows, before[table].rows, "{table}"));
    }
    assert_eq!(rig.hashes().await, before);
    rig.lose(&["lake/facts"]).await;
    let refused = rebuild::rebuild(rig.log(), &rig.lake, &["intervals"], |_| {}).await.unwrap_err().to_string();
    assert!(refused.contains("restore the facts table"), "{refused}");
}

/// Of each agent what stands in the newest cut: its newest heartbeat and its oldest fact in seconds of the first day, and what
/// its journal held.
async fn agents(lake: &Lake) -> Vec<String> {
    let reader = reader(lake);
    let cut = reader.newest_cut().await.unwrap().unwrap();
    let session = reader.open_cut(&cut).await.unwrap();
    let columns =
        "subject, from_at, accepted_facts, waiting_facts, journal_bytes, journal_limit_bytes, oldest_waiting_at";
    let second = |column: &str| format!("CAST({column} AS BIGINT) / 1000000 - {}", FIRST_DAY.start().second());
    let (heard, oldest) = (second("from_at"), second("oldest_waiting_at"));
    let shown = [&heard, "accepted_facts", "waiting_facts", "journal_bytes", "journal_limit_bytes", &oldest];
    let shown = shown.map(|column| format!("CAST({column} AS VARCHAR)")).join(", ");
    let sql = format!(
        "SELECT concat_ws(' ', subject, {shown}) FROM heads WHERE role = 'agent' \
         GROUP BY {columns} HAVING SUM(weight) <> 0"
    );
    run(&session, &sql, &[]).await.unwrap().iter().flat_map(texts).collect()
}

/// After a cut link the newest come first; a batch without a receipt comes again.
#[tokio::test(flavor = "multi_thread")]
async fn an_agents_row_is_that_of_its_newest_heartbeat_in_any_order_and_is_rebuilt_to_its_hash() {
    let said = heartbeats(40);
    let back: Vec<_> = said.iter().rev().cloned().collect();
    let (first, last) = said.split_at(25);
    for order in [[&said[..], &[]], [&back[..], &[]], [last, first], [&back[..], &said[..]]] {
        let rig = Rig::new().await;
        for part in order {
            rig.tell(part).await;
            rig.fold().await;
        }
        let before = rig.hashes().await;
        assert_eq!(agents(&rig.lake).await, ["edge-1 1140 138 2 4096 65536 1110"]);
        rebuild::rebuild(rig.log(), &rig.lake, &["heads"], |_| {}).await.unwrap();
        assert_eq!(rig.hashes().await, before);
        assert_eq!(agents(&rig.lake).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_trims_behind_its_tables_and_snapshots_and_never_further() {
    let rig = Rig::new().await;
    let often = ProcessorConfig { flush_after_milliseconds: 0, snapshot_after_seconds: 0, ..rig.config() };
    let keep = ProcessorConfig { log_keep_hours: 0, log_keep_mebibytes: 1, ..often };
    for days in [0..20, 20..40, 40..60] {
        rig.tell(&fleet_history(100, days)).await;
        rig.fold_with(keep.clone()).await;
    }
    let bounds = rig.bounds().await;
    assert!(bounds.iter().any(|bounds| bounds.floor > 0), "nothing was trimmed: {bounds:?}");
    assert!(bounds.iter().all(|bounds| bounds.floor < bounds.end), "all was trimmed: {bounds:?}");
    assert_eq!(rig.counted("trimmed_records_total"), bounds.iter().map(|bounds| bounds.floor).sum::<u64>());
    rig.tell(&fleet_history(100, 60..61)).await;
    rig.fold_with(keep.clone()).await;

    let kept = Rig::new().await;
    let never = ProcessorConfig { log_keep_mebibytes: 0, snapshot_folder: kept.path("snapshots"), ..keep };
    for days in [0..20, 20..40, 40..60, 60..61] {
        kept.tell(&fleet_history(100, days)).await;
        kept.fold_with(never.clone()).await;
    }
    assert!(kept.bounds().await.iter().all(|bounds| bounds.floor == 0));
    assert_eq!(rig.sums().await, kept.sums().await);
}
