//! Generations, pointers and origins; every row type through Delta and back.

use std::collections::BTreeMap;

use bytes::Bytes;
use medfleet_lake::rows::{
    AlertStepRow, CalendarRow, ComponentRow, ContractRow, DayRollupRow, DeviceRow, ErrorRow, FactRow, HeadRow,
    IntervalRow, MaintenanceRow, ModelRow, OrderRow, QuarterRollupRow, SiteRow, StatementRow, UsageRow, VerdictRow,
    WithdrawalRow,
};
use medfleet_lake::{Cause, Day, LakeError, Origin, Row, Text, Txn, UtcMicros, restore, run, schema};
use uuid::Uuid;

use crate::rig::{APP, MARCH, Rig, flush, interval, origin, writer};

/// Writes rows to their table and reads them back through SQL.
async fn through_the_lake<R: Row>(table: &str, rows: &[R]) -> Vec<R> {
    let rig = Rig::new().await;
    let def = schema::table(table).unwrap();
    let table = rig.lake.current_or_create(def, &origin()).await.unwrap();
    let mut writer = restore(&table, &origin(), [APP]).await.unwrap().writer;
    let batch = R::to_batch(rows).unwrap();
    writer.flush(&[batch], &[Txn::new(APP, 1)], Uuid::new_v4()).await.unwrap();
    let reader = rig.reader();
    let session = reader.open(&reader.newest().await.unwrap()).await.unwrap();
    let found = run(&session, &format!("SELECT * FROM {}", def.name), &[]).await.unwrap();
    found.iter().flat_map(|batch| R::from_batch(batch).unwrap()).collect()
}

fn cause() -> Cause {
    Cause { topic: 1, partition: 3, offset: 1 << 40, index: 7 }
}

fn at() -> UtcMicros {
    UtcMicros(MARCH + 1)
}

#[tokio::test]
async fn a_fact_and_a_duplicate_pointer_come_back_to_the_byte() {
    let fact = FactRow {
        subject_kind: "device".into(),
        subject: "ct-1".into(),
        epoch: -5,
        seq: 9,
        kind: "stretch".into(),
        at: at(),
        known_at: at(),
        known_assumed: true,
        day: at().day(),
        site: "mercy".into(),
        device_kind: "ct".into(),
        agent: Some("edge-1".into()),
        source_kind: "telemetry".into(),
        clock: "synchronised".into(),
        verdict: "new".into(),
        suspect: true,
        bytes: Some(Bytes::from_static(b"\x00\xff\x01")),
        content_hash: Some(i64::MIN),
        appended_at: UtcMicros(MARCH + 2),
        cause: cause(),
    };
    let duplicate = FactRow { verdict: "duplicate".into(), bytes: None, agent: None, ..fact.clone() };
    let mut found = through_the_lake("facts", &[fact.clone(), duplicate.clone()]).await;
    found.sort_by_key(|row| row.bytes.is_none());
    assert_eq!(found, [fact, duplicate]);
}

#[tokio::test]
async fn every_other_row_type_comes_back() {
    let some = |text: &'static str| Some(Text::from(text));
    let row = IntervalRow { reason: some("contradiction"), cause: cause(), ..interval("a", 5, 1) };
    assert_eq!(through_the_lake("intervals", &[row.clone()]).await, [row]);
    let row = UsageRow { at: at(), day: at().day(), increment_milli: 1_500, ..Default::default() };
    assert_eq!(through_the_lake("usage", &[row.clone()]).await, [row]);
    let row = ErrorRow { at: at(), day: at().day(), family: some("tube"), ..Default::default() };
    assert_eq!(through_the_lake("errors", &[row.clone()]).await, [row]);
    let row = DeviceRow { serial: some("x"), in_service_day: Some(Day(9)), ..Default::default() };
    assert_eq!(through_the_lake("devices", &[row.clone()]).await, [row]);
    let row = SiteRow { time_zone: "Europe/Rome".into(), weight: -1, ..Default::default() };
    assert_eq!(through_the_lake("sites", &[row.clone()]).await, [row]);
    let row = CalendarRow { weekday: 7, until_minute: 1_020, ..Default::default() };
    assert_eq!(through_the_lake("calendars", &[row.clone()]).await, [row]);
    let row = HeadRow { until_at: Some(at()), role: "claim".into(), ..Default::default() };
    assert_eq!(through_the_lake("heads", &[row.clone()]).await, [row]);
    let row = VerdictRow { request: "r".into(), at: at(), cause: cause(), ..Default::default() };
    assert_eq!(through_the_lake("verdicts", &[row.clone()]).await, [row]);
    let row = AlertStepRow { alert: "00ab".into(), late: Some(false), cause: cause(), ..Default::default() };
    assert_eq!(through_the_lake("alert_steps", &[row.clone()]).await, [row]);
    let row = ModelRow { model: "m".into(), seed: -1, at: at(), cause: cause(), ..Default::default() };
    assert_eq!(through_the_lake("models", &[row.clone()]).await, [row]);
    let row =
        WithdrawalRow { model: "m".into(), reason: "leaky".into(), at: at(), cause: cause(), ..Default::default() };
    assert_eq!(through_the_lake("withdrawals", &[row.clone()]).await, [row]);
    let row = QuarterRollupRow { month: Day(20_000), quarter_at: at(), ..Default::default() };
    assert_eq!(through_the_lake("rollup_quarter", &[row.clone()]).await, [row]);
    let row = DayRollupRow { local_day: Day(-1), micros: -4, ..Default::default() };
    assert_eq!(through_the_lake("rollup_day", &[row.clone()]).await, [row]);
}

#[tokio::test]
async fn a_rebuilt_table_is_a_new_folder_and_a_swapped_pointer() {
    let rig = Rig::new().await;
    let old = rig.intervals().await;
    flush(&mut writer(&old).await, &[interval("wrong", 0, 1)], 2).await;
    let rules = Origin { rules: "fold 2".into(), ..origin() };
    let new = rig.lake.create_generation(old.def(), &rules).await.unwrap();
    assert_eq!((old.generation(), new.generation()), ("g0001", "g0002"));
    let current = rig.lake.current(old.def()).await.unwrap().unwrap();
    assert_eq!(current.generation(), "g0001", "nothing is swapped yet");
    let refused = rig.lake.remove_generation(&old).await;
    assert!(matches!(refused, Err(LakeError::RemoveCurrent { .. })));

    rig.lake.swap(&new).await.unwrap();
    let current = rig.lake.current(old.def()).await.unwrap().unwrap();
    assert_eq!(current.generation(), "g0002");
    let newest = current.newest_version().await.unwrap();
    let session = rig.reader().open(&BTreeMap::from([("intervals".into(), newest)])).await.unwrap();
    assert_eq!(session.table("intervals").await.unwrap().count().await.unwrap(), 0);
    assert!(rig.lake.remove_generation(&old).await.unwrap() >= 2);
    assert_eq!(rig.lake.create_generation(old.def(), &rules).await.unwrap().generation(), "g0003");
}

#[tokio::test]
async fn another_rule_or_another_log_is_refused() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    let refused = async |wanted: Origin| restore(&table, &wanted, [APP]).await.map(|_| ()).unwrap_err();
    let rules = refused(Origin { rules: "fold 2".into(), ..origin() }).await;
    assert!(matches!(rules, LakeError::RulesChanged { .. }), "{rules:?}");
    let log = refused(Origin { log: "log-2".into(), rules: "fold 2".into() }).await;
    assert!(matches!(log, LakeError::ForeignLog { .. }), "{log:?}");

    let cuts = rig.lake.current_or_create(schema::table("cuts").unwrap(), &origin()).await.unwrap();
    cuts.verify(&Origin { rules: "fold 2".into(), ..origin() }).await.expect("offsets mean the same under all rules");
}

#[tokio::test]
async fn a_pointer_that_names_nothing_is_an_error_with_a_cure() {
    let rig = Rig::new().await;
    let table = rig.intervals().await;
    std::fs::write(rig.folder.path().join("lake/intervals/CURRENT"), "../../etc").unwrap();
    let refused = rig.lake.current(table.def()).await.map(|_| ());
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("../../etc") && text.contains("newest generation"), "{text}");
}

#[tokio::test]
async fn two_processes_may_create_the_first_generation_together() {
    let rig = Rig::new().await;
    let (a, b) = tokio::join!(rig.intervals(), rig.intervals());
    flush(&mut writer(&a).await, &[interval("ct-1", 0, 1)], 2).await;
    assert_eq!(b.newest_version().await.unwrap().version, 1);
}

#[tokio::test]
async fn notes_come_back_as_they_were_told() {
    let order = OrderRow {
        device: "ct-1".into(),
        work_order: "wo-1".into(),
        phase: "waiting_started".into(),
        waiting_for: Some("parts".into()),
        planned_until: Some(at()),
        at: at(),
        epoch: -1,
        weight: -1,
        cause: cause(),
        ..OrderRow::default()
    };
    assert_eq!(through_the_lake("orders", &[order.clone()]).await, [order]);
    let maintenance = MaintenanceRow { due_day: Some(Day(20_000)), weight: 1, cause: cause(), ..Default::default() };
    assert_eq!(through_the_lake("maintenance", &[maintenance.clone()]).await, [maintenance]);
    let component =
        ComponentRow { preventive: true, old_serial: Some("T-1".into()), cause: cause(), ..Default::default() };
    assert_eq!(through_the_lake("components", &[component.clone()]).await, [component]);
    let contract =
        ContractRow { devices: Some("ct-1,ct-2".into()), guarantee_bp: 9_800, cause: cause(), ..Default::default() };
    assert_eq!(through_the_lake("contracts", &[contract.clone()]).await, [contract]);
    let statement =
        StatementRow { weighted_us_bp: i64::MAX, offsets: "{}".into(), cause: cause(), ..Default::default() };
    assert_eq!(through_the_lake("statements", &[statement.clone()]).await, [statement]);
}
