//! A lake that an earlier program left behind: other rules, another shape, other rows.

use std::path::Path;

use medfleet_lake::rows::IntervalRow;
use medfleet_lake::{Origin, Row as _, restore, schema};
use medfleet_processor::{TABLES, rebuild};
use medfleet_runtime::Shutdown;
use serde_json::Value;
use uuid::Uuid;

use super::rig::{Rig, fleet_history};

const DEVICES: usize = 24;
const EARLIER: &str = "fold 0, schema 0";

/// Rewrites what the tables say of themselves, takes a column from `errors`, and gives `intervals` a row of its time.
async fn age(rig: &Rig) {
    for folder in std::fs::read_dir(rig.path("lake")).unwrap() {
        let table = folder.unwrap().path();
        let lost_column = if table.ends_with("errors") { Some("text") } else { None };
        rewrite_metadata(&table.join("g0001/_delta_log/00000000000000000000.json"), lost_column);
    }
    let earlier = Origin { rules: EARLIER.into(), log: rig.log().log_id().to_string() };
    let intervals = rig.lake.current(schema::table("intervals").unwrap()).await.unwrap().unwrap();
    let mut writer = restore(&intervals, &earlier, [] as [&str; 0]).await.unwrap().writer;
    let row = IntervalRow::to_batch([&IntervalRow::default()]).unwrap();
    writer.flush(&[row], &[], Uuid::new_v4()).await.unwrap();
}

fn rewrite_metadata(commit: &Path, lost_column: Option<&str>) {
    let text = std::fs::read_to_string(commit).unwrap();
    let mut actions: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let metadata = actions.iter_mut().find_map(|action| action.get_mut("metaData")).unwrap();
    let mut origin: Value = serde_json::from_str(metadata["description"].as_str().unwrap()).unwrap();
    origin["rules"] = EARLIER.into();
    metadata["description"] = origin.to_string().into();
    if let Some(lost) = lost_column {
        let mut schema: Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
        let fields = schema["fields"].as_array_mut().unwrap();
        let before = fields.len();
        fields.retain(|field| field["name"] != lost);
        assert_eq!(fields.len(), before - 1);
        metadata["schemaString"] = schema.to_string().into();
    }
    let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
    std::fs::write(commit, lines.join("\n")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_program_left_is_refused_with_a_cure_that_cures() {
    let (orderly, rig) = (Rig::new().await, Rig::new().await);
    orderly.tell(&fleet_history(DEVICES, 0..22)).await;
    orderly.fold().await;
    rig.tell(&fleet_history(DEVICES, 0..20)).await;
    rig.fold().await;
    let before = rig.hashes().await;
    age(&rig).await;
    rig.trim_to(1, 2).await;

    let refused = rig.worker(rig.config()).run(&Shutdown::default()).await.unwrap_err();
    let cause = std::error::Error::source(&refused).expect("a table refused").to_string();
    assert!(cause.contains("stop the processor and run `medfleet rebuild --table"), "{cause}");

    let rebuilt = rebuild::rebuild(rig.log(), &rig.lake, &TABLES, |_| {}).await.unwrap();
    let succeeds = |table| rebuilt[table].succeeds.clone().unwrap_or_default();
    assert!(TABLES.iter().all(|table| rebuilt[table].succeeds.is_some()), "{rebuilt:?}");
    assert!(succeeds("intervals").contains("[fold 0, schema 0]"), "{}", succeeds("intervals"));
    assert!(succeeds("errors").contains("column text"), "{}", succeeds("errors"));
    assert_eq!(rig.hashes().await, before, "the row of the earlier rules is gone, and nothing else");

    rig.tell(&fleet_history(DEVICES, 20..22)).await;
    rig.fold().await;
    assert_eq!(rig.sums().await, orderly.sums().await);
    let again = rebuild::rebuild(rig.log(), &rig.lake, &TABLES, |_| {}).await.unwrap();
    assert!(again.values().all(|table| table.succeeds.is_none()), "today's tables are compared: {again:?}");
}
