//! Steps of alerts and models: each a row once, whatever is told again, lost or rebuilt.

use arrow::array::{Array as _, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bytes::Bytes;
use medfleet_domain::alert::record::{Life, News, Record, Turn, Writer};
use medfleet_domain::alert::{About, AlertId, Change, Spoken, Step, Urgency};
use medfleet_domain::contract::Pin;
use medfleet_domain::id::{SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::risk::{ModelTrained, ModelWithdrawn, RiskNews, RiskRecord};
use medfleet_domain::time::{Span, Timestamp};
use medfleet_log::{NewRecord, Topic};
use medfleet_processor::{ProcessorConfig, rebuild};

use super::rig::{Rig, fleet_history};

const NOON: Timestamp = Timestamp::from_seconds(43_200);
const TABLES: [&str; 3] = ["alert_steps", "models", "withdrawals"];

/// A desk's words: the alert of this number, raised and acknowledged.
fn turn(alert: u64) -> News {
    let about = About {
        rule: "device-failed".into(),
        subject: Subject::new(SubjectKind::Device, "device-1").unwrap(),
        part: String::new(),
        site: SiteId::new("mercy").unwrap(),
        kind: DeviceKind::Ct,
        urgency: Urgency::Page,
    };
    let score = Some(Spoken { model: "m-1".into(), voice: "trees".into(), horizon_hours: 24, ppm: 410_000 });
    let raised = Change::Raised { about, began: NOON, late: false, fact: None, summary: "it failed".into(), score };
    let step = |change| Step { alert: AlertId(alert), at: NOON, change };
    let steps = vec![step(raised), step(Change::Acknowledged { by: "kim".into() })];
    News::Turn(Turn { steps, ..Turn::default() })
}

async fn say(rig: &Rig, life: u64, news: News) {
    let record = Record { life: Life(life), at: NOON, news };
    let value = Bytes::from(medfleet_wire::encode_alert_record(&record));
    rig.log().append(vec![NewRecord { topic: Topic::ALERTS, key: "alerts".into(), value }]).await.unwrap();
}

async fn train(rig: &Rig, model: &str) {
    let trained = ModelTrained {
        model: model.into(),
        horizon_hours: 24,
        seed: u64::MAX,
        cut: 3,
        pins: vec![Pin { topic: Topic::FACTS.name().into(), partition: 1, next_offset: 9 }],
        period: Span::new(NOON, NOON.plus_seconds(60)).unwrap(),
        report: "{}".into(),
    };
    tell_of_models(rig, RiskNews::Trained(trained)).await;
}

async fn withdraw(rig: &Rig, model: &str) {
    let withdrawn = ModelWithdrawn { model: model.into(), by: "kim".into(), reason: "leaky".into() };
    tell_of_models(rig, RiskNews::Withdrawn(withdrawn)).await;
}

async fn tell_of_models(rig: &Rig, news: RiskNews) {
    let record = RiskRecord { at: NOON, news };
    let value = Bytes::from(medfleet_wire::encode_risk_record(&record));
    rig.log().append(vec![NewRecord { topic: Topic::RISK, key: "risk".into(), value }]).await.unwrap();
}

async fn rows(rig: &Rig) -> [u64; 3] {
    let hashes = rig.hashes().await;
    TABLES.map(|table| hashes[table].rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_a_row_once_whatever_was_forgotten_and_a_rebuild_gives_the_same_hash() {
    let mut rig = Rig::new().await;
    rig.tell(&fleet_history(2, 0..2)).await;
    for life in [1, 2] {
        say(&rig, life, News::Opened(Writer::Desk)).await;
        say(&rig, life, turn(life)).await;
    }
    train(&rig, "m-1").await;
    rig.fold().await;
    assert_eq!(rows(&rig).await, [4, 1, 0]);

    say(&rig, 1, turn(3)).await;
    rig.fold().await;
    assert_eq!(rows(&rig).await, [4, 1, 0], "whose words count is remembered from one life of the worker to the next");

    std::fs::remove_dir_all(rig.path("snapshots")).unwrap();
    say(&rig, 2, turn(4)).await;
    train(&rig, "m-2").await;
    withdraw(&rig, "m-1").await;
    rig.fold_with(ProcessorConfig { flush_rows: 1, ..rig.config() }).await;
    assert_eq!(rows(&rig).await, [6, 2, 1], "and when it is folded anew, what stands already comes no second time");

    let before = rig.hashes().await;
    let rebuilt = rebuild::rebuild(rig.log(), &rig.lake, &TABLES, |_| {}).await.unwrap();
    assert_eq!((rebuilt.len(), rig.hashes().await), (3, before.clone()));
    rig.lose(&["snapshots", "lake/alert_steps", "lake/models", "lake/withdrawals"]).await;
    rig.fold().await;
    assert_eq!(rig.hashes().await, before, "removed and folded anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_names_both_tables_and_no_offset_of_their_topics() {
    let rig = Rig::new().await;
    rig.tell(&fleet_history(1, 0..1)).await;
    say(&rig, 1, News::Opened(Writer::Desk)).await;
    say(&rig, 1, turn(1)).await;
    rig.fold().await;
    let reader = medfleet_lake::Reader::new(rig.lake.clone(), medfleet_lake::ReaderLimits::default()).unwrap();
    let cut = reader.newest_cut().await.unwrap().unwrap();
    assert!(TABLES.iter().all(|table| cut.tables.contains_key(*table)), "{:?}", cut.tables.keys());
    let foreign = |home: &&String| home.contains(Topic::ALERTS.name()) || home.contains(Topic::RISK.name());
    assert_eq!(cut.offsets.keys().find(foreign), None);
    let session = reader.open_cut(&cut).await.unwrap();
    let counted = session.table("alert_steps").await.unwrap().count().await.unwrap();
    assert_eq!(counted, 2);
}

/// The table as a program wrote it that did not know these columns.
fn forget(rig: &Rig, columns: &[&str]) {
    let path = rig.path("lake/alert_steps/g0001/_delta_log/00000000000000000000.json");
    let earlier = |line: &str| {
        let mut action: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(text) = action.pointer_mut("/metaData/schemaString") {
            let mut schema: serde_json::Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
            let fields = schema["fields"].as_array_mut().unwrap();
            fields.retain(|field| !columns.contains(&field["name"].as_str().unwrap()));
            *text = schema.to_string().into();
        }
        action.to_string()
    };
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.lines().map(earlier).collect::<Vec<_>>().join("\n")).unwrap();
}

/// The voices of the steps that some have, as the newest cut shows them, and how many steps there are.
async fn voices(rig: &Rig) -> (Vec<String>, usize) {
    let reader = medfleet_lake::Reader::new(rig.lake.clone(), medfleet_lake::ReaderLimits::default()).unwrap();
    let session = reader.open_cut(&reader.newest_cut().await.unwrap().unwrap()).await.unwrap();
    let sql = "SELECT CAST(voice AS VARCHAR) AS voice FROM alert_steps";
    let rows: Vec<_> = medfleet_lake::run(&session, sql, &[]).await.unwrap();
    let column = |batch: &medfleet_lake::RecordBatch| cast(batch.column(0), &DataType::Utf8).unwrap();
    let columns: Vec<_> = rows.iter().map(column).collect();
    let said = columns
        .iter()
        .flat_map(|column| column.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>());
    (said.collect(), columns.iter().map(|column| column.len()).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_from_before_a_column_is_read_without_it_and_then_folded_anew() {
    let mut rig = Rig::new().await;
    rig.tell(&fleet_history(1, 0..1)).await;
    say(&rig, 1, News::Opened(Writer::Desk)).await;
    say(&rig, 1, turn(1)).await;
    rig.fold().await;
    let (before, told) = (rig.hashes().await, voices(&rig).await);
    assert_eq!(told, (vec!["trees".to_owned()], 2));

    forget(&rig, &["model", "voice", "horizon_hours", "chance_ppm"]);
    rig.lose(&[]).await;
    assert_eq!(voices(&rig).await, (Vec::new(), 2), "nobody knows a voice, and no row is missing");
    rig.fold().await;
    assert_eq!((rig.hashes().await, voices(&rig).await), (before, told));
}
