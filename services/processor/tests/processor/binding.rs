//! Golden 11 through the log: the binder's copies travel like all facts, and a binder that dies leaves no trace.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::{Body, Run};
use medfleet_domain::human::{Asserted, Claimed};
use medfleet_domain::id::{Subject, SubjectKind};
use medfleet_lake::{Lake, run};
use medfleet_log::{EventLog, Partition, Topic};
use medfleet_processor::{BinderMeters, Binding};
use medfleet_runtime::Metrics;

use crate::support::{
    self, append, at, bound, device, fact, fold_alone, open_log, reader, run_of, site_defined, stretch, unbound, voided,
};

const PLACE: &str = "CT_ROOM2";

fn binding(log: &Arc<dyn EventLog>, lake: &Lake) -> Binding {
    let meters = BinderMeters::new(&Metrics::new().unwrap(), Duration::from_secs(60)).unwrap();
    Binding::new(Arc::clone(log), lake.clone(), meters)
}

fn says(name: &str, seq: u64, when: (i64, i64), known: (i64, i64), body: Body) -> Run {
    run_of(&device(name), 9, seq, vec![fact(at(when.0, when.1), at(known.0, known.1), body)])
}

/// Standby seen at the place for one hour.
fn sees(seq: u64, hour: i64) -> Run {
    let place = Subject::new(SubjectKind::Place, PLACE).unwrap();
    run_of(&place, 5, seq, vec![stretch(at(hour, 0), at(hour + 1, 0), Condition::Standby)])
}

fn down() -> Body {
    let (author, reason) = ("kim".into(), "tube".into());
    Body::Asserted(Asserted { claim: Claimed::Down, until: None, author, reason, order: None })
}

/// Device, condition, seconds, of these in conflict, out of the newest cut.
async fn told(lake: &Lake) -> Vec<String> {
    let reader = reader(lake);
    let cut = reader.newest_cut().await.unwrap().unwrap();
    let session = reader.open_cut(&cut).await.unwrap();
    let sql = "SELECT concat_ws(' ', device, condition, CAST(SUM(s) AS VARCHAR), CAST(SUM(CASE WHEN conflict THEN s ELSE 0 END) AS VARCHAR)) \
               FROM (SELECT *, weight * (CAST(until_at AS BIGINT) - CAST(from_at AS BIGINT)) / 1000000 AS s FROM intervals) \
               GROUP BY device, condition HAVING SUM(s) <> 0 ORDER BY device, condition";
    let batches = run(&session, sql, &[]).await.unwrap();
    batches.iter().flat_map(support::texts).collect()
}

async fn records(log: &Arc<dyn EventLog>) -> u64 {
    let mut records = 0;
    for partition in 0..log.partitions(Topic::FACTS).unwrap() {
        records += log.bounds(Partition::new(Topic::FACTS, partition)).await.unwrap().end;
    }
    records
}

async fn bind_and_fold(log: &Arc<dyn EventLog>, data: &Path) -> Lake {
    let lake = Lake::open_local(data).await.unwrap();
    binding(log, &lake).until_idle().await.unwrap();
    fold_alone(log, data).await;
    lake
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_11_through_the_log_whatever_is_said_when() {
    let folder = tempfile::tempdir().unwrap();
    let (log, data) = (open_log(folder.path()).await, folder.path());
    let room = vec![
        site_defined(),
        says("ct-7", 1, (8, 0), (8, 0), bound(PLACE)),
        says("ct-7", 2, (10, 30), (10, 30), down()),
        sees(1, 11),
        says("ct-7", 3, (12, 0), (12, 5), unbound(PLACE)),
        sees(2, 12),
        says("ct-9", 1, (13, 0), (13, 10), bound(PLACE)),
        sees(3, 13),
    ];
    append(&log, room).await;
    let lake = bind_and_fold(&log, data).await;
    assert_eq!(told(&lake).await, ["ct-7 unscheduled_down 5400 3600", "ct-9 standby 3600 0"]);

    let settled = records(&log).await;
    binding(&log, &lake).until_idle().await.unwrap();
    assert_eq!(records(&log).await, settled, "a binder that starts again, out of archive and log, owes nothing");

    append(&log, vec![says("ct-9", 2, (12, 0), (15, 0), bound(PLACE))]).await;
    bind_and_fold(&log, data).await;
    assert_eq!(told(&lake).await, ["ct-7 unscheduled_down 5400 3600", "ct-9 standby 7200 0"], "bound later");

    append(
        &log,
        vec![says("ct-9", 3, (16, 0), (16, 0), voided(9, 2)), says("ct-7", 4, (16, 1), (16, 1), voided(9, 3))],
    )
    .await;
    bind_and_fold(&log, data).await;
    // CT-7 was not unbound after all: its standby 12–13 lies under its claim, and CT-9 has it from 13:00 on.
    assert_eq!(told(&lake).await, ["ct-7 unscheduled_down 9000 7200", "ct-9 standby 3600 0"], "taken back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binder_killed_anywhere_leaves_the_tables_as_if_it_had_lived() {
    let mut tables = Vec::new();
    for kills in [0, 15_u64] {
        let folder = tempfile::tempdir().unwrap();
        let (log, data) = (open_log(folder.path()).await, folder.path());
        let lake = Lake::open_local(data).await.unwrap();
        append(&log, vec![site_defined(), says("ct-7", 1, (0, 0), (0, 0), bound(PLACE))]).await;
        for hour in 0..20_i64 {
            append(&log, vec![sees(1 + hour.unsigned_abs(), hour)]).await;
            if hour == 10 {
                let handed_over = says("ct-9", 1, (7, 20), (11, 0), bound(PLACE));
                append(&log, vec![handed_over]).await;
            }
            if hour.unsigned_abs() < kills {
                let life = Duration::from_millis(3 * hour.unsigned_abs());
                let _ = tokio::time::timeout(life, binding(&log, &lake).until_idle()).await;
            }
            if hour % 7 == 6 {
                fold_alone(&log, data).await;
            }
        }
        bind_and_fold(&log, data).await;
        tables.push(told(&lake).await);
    }
    assert_eq!(tables[0], ["ct-7 standby 26400 0", "ct-9 standby 45600 0"]);
    assert_eq!(tables[0], tables[1]);
}
