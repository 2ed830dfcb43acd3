//! Made-up fleets and the lake, log and door to serve them from; shared by the tests and the sample.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use medfleet_api::operator::{Quarantine, Redriven, Refusal};
use medfleet_api::{Accepted, HumanDoor, Refused};
use medfleet_domain::fact::Run;
use medfleet_domain::time::Timestamp;
use medfleet_lake::rows::{
    CalendarRow, ContractRow, DeviceRow, ErrorRow, HeadRow, IntervalRow, OrderRow, SiteRow, StatementRow, UsageRow,
    VerdictRow,
};
use medfleet_lake::{
    Cut, Day, Lake, Origin, ROLLUP_DAY_SQL, ROLLUP_QUARTER_SQL, Reader, ReaderLimits, RecordBatch, Row, Text, Txn,
    UtcMicros, restore, run_over_batch, schema,
};
use medfleet_log::{
    AppendError, Bounds, EventLog, LogError, LogId, LogStats, NewRecord, Partition, Position, Record, Tail, Topic,
};
use uuid::Uuid;

pub const MINUTE: i64 = 60_000_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// The rows of every table that a fleet is made of.
#[derive(Default)]
pub struct Fleet {
    pub sites: Vec<SiteRow>,
    pub calendars: Vec<CalendarRow>,
    pub devices: Vec<DeviceRow>,
    pub intervals: Vec<IntervalRow>,
    pub heads: Vec<HeadRow>,
    pub usage: Vec<UsageRow>,
    pub errors: Vec<ErrorRow>,
    pub verdicts: Vec<VerdictRow>,
    pub orders: Vec<OrderRow>,
    pub contracts: Vec<ContractRow>,
    pub statements: Vec<StatementRow>,
    /// How far the cut had read the log; needed where something is asked as of an instant.
    pub offsets: BTreeMap<String, i64>,
}

pub struct Rig {
    pub lake: Lake,
}

fn origin() -> Origin {
    Origin { rules: "fold 1".into(), log: "sample".into() }
}

impl Rig {
    pub async fn open(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self { lake: Lake::open_local(folder).await? })
    }

    /// Writes the rows, the rollups over their intervals and a cut made at `at`.
    pub async fn fill(&self, fleet: &Fleet, at: Timestamp) -> anyhow::Result<()> {
        let reader = Reader::new(self.lake.clone(), ReaderLimits::default())?;
        let session = reader.empty_session();
        let intervals = IntervalRow::to_batch(&fleet.intervals)?;
        let sites = SiteRow::to_batch(&fleet.sites)?;
        let mut batches: Vec<(&str, Vec<RecordBatch>)> = vec![
            ("facts", Vec::new()),
            ("intervals", vec![intervals.clone()]),
            ("usage", vec![UsageRow::to_batch(&fleet.usage)?]),
            ("errors", vec![ErrorRow::to_batch(&fleet.errors)?]),
            ("devices", vec![DeviceRow::to_batch(&fleet.devices)?]),
            ("sites", vec![sites.clone()]),
            ("calendars", vec![CalendarRow::to_batch(&fleet.calendars)?]),
            ("heads", vec![HeadRow::to_batch(&fleet.heads)?]),
            ("verdicts", vec![VerdictRow::to_batch(&fleet.verdicts)?]),
            ("orders", vec![OrderRow::to_batch(&fleet.orders)?]),
            ("contracts", vec![ContractRow::to_batch(&fleet.contracts)?]),
            ("statements", vec![StatementRow::to_batch(&fleet.statements)?]),
        ];
        for (name, sql) in [("rollup_quarter", ROLLUP_QUARTER_SQL), ("rollup_day", ROLLUP_DAY_SQL)] {
            let inputs = [("intervals", intervals.clone()), ("sites", sites.clone())];
            batches.push((name, run_over_batch(&session, sql, &inputs, schema::table(name).unwrap()).await?));
        }
        let mut tables = BTreeMap::new();
        for (name, batch) in &batches {
            let table = self.lake.current_or_create(schema::table(name).unwrap(), &origin()).await?;
            let mut writer = restore(&table, &origin(), ["sample/0"]).await?.writer;
            writer.flush(batch, &[Txn::new("sample/0", at.0)], Uuid::new_v4()).await?;
            tables.insert((*name).to_owned(), writer.version());
        }
        self.cut(tables, fleet.offsets.clone(), at).await
    }

    async fn cut(
        &self,
        tables: BTreeMap<String, medfleet_lake::TableVersion>,
        offsets: BTreeMap<String, i64>,
        at: Timestamp,
    ) -> anyhow::Result<()> {
        let table = self.lake.current_or_create(schema::table("cuts").unwrap(), &origin()).await?;
        let restored = restore(&table, &origin(), ["sample/cuts"]).await?;
        let number = restored.txns.get("sample/cuts").copied().unwrap_or(0) + 1;
        let mut writer = restored.writer;
        let cut = Cut {
            number,
            made_at: UtcMicros(at.0),
            offsets,
            tables,
            appended_max: BTreeMap::from([("medfleet.facts.v1/0".to_owned(), UtcMicros(at.0 - 400_000))]),
            ..Cut::default()
        };
        writer.flush(&[cut.to_batch()?], &[Txn::new("sample/cuts", number)], Uuid::new_v4()).await?;
        Ok(())
    }
}

/// A log that holds nothing.
pub struct EmptyLog;

#[async_trait]
impl EventLog for EmptyLog {
    fn log_id(&self) -> LogId {
        LogId::from_bytes([7; 16])
    }
    fn partitions(&self, _: Topic) -> Result<u32, LogError> {
        Ok(1)
    }
    async fn append(&self, _: Vec<NewRecord>) -> Result<Vec<Position>, AppendError> {
        Ok(Vec::new())
    }
    async fn read(&self, _: Position, _: usize) -> Result<Vec<Record>, LogError> {
        Ok(Vec::new())
    }
    async fn tail(&self, _: &[Position]) -> Result<Box<dyn Tail>, LogError> {
        Ok(Box::new(NoTail))
    }
    async fn bounds(&self, _: Partition) -> Result<Bounds, LogError> {
        Ok(Bounds { floor: 0, end: 0 })
    }
    async fn trim(&self, _: Position) -> Result<Bounds, LogError> {
        Ok(Bounds { floor: 0, end: 0 })
    }
    fn stats(&self) -> LogStats {
        LogStats::default()
    }
}

struct NoTail;

#[async_trait]
impl Tail for NoTail {
    async fn poll(&mut self, _: usize, max_wait: Duration) -> Result<Vec<medfleet_log::Batch>, LogError> {
        tokio::time::sleep(max_wait).await;
        Ok(Vec::new())
    }
    fn cursors(&self) -> Vec<Position> {
        Vec::new()
    }
    fn seek(&mut self, _: Position) -> Result<(), LogError> {
        Ok(())
    }
}

/// Takes every statement and keeps it to be looked at.
#[derive(Default)]
pub struct OpenDoor {
    pub runs: Mutex<Vec<Run>>,
    pub refused: Mutex<Vec<Refusal>>,
}

#[async_trait]
impl HumanDoor for OpenDoor {
    async fn submit(&self, run: Run) -> Result<Accepted, Refused> {
        let mut runs = self.runs.lock().unwrap();
        runs.push(run);
        Ok(Accepted { topic: "medfleet.facts.v1".into(), partition: 0, offset: runs.len() as u64 })
    }

    async fn quarantine(&self, newest: usize) -> Result<Quarantine, Refused> {
        let refused = self.refused.lock().unwrap();
        let shown = refused.iter().rev().take(newest).cloned().collect();
        Ok(Quarantine { entries: refused.len() as u64, newest: shown })
    }

    async fn redrive(&self, partition: u32, offset: u64) -> Result<Redriven, Refused> {
        let refused = self.refused.lock().unwrap();
        let stands = refused.iter().any(|entry| (entry.partition, entry.offset) == (partition, offset));
        let absent = || Refused::Statement(format!("nothing stands in quarantine at {partition}:{offset}"));
        stands.then_some(Redriven { appended: 3, quarantined: 0, held: 0 }).ok_or_else(absent)
    }
}

pub fn text(text: &str) -> Text {
    Text::from(text.to_owned())
}

pub fn site(name: &str, title: &str, zone: &str, region: &str) -> SiteRow {
    SiteRow {
        site: text(name),
        name: text(title),
        time_zone: text(zone),
        region: text(region),
        demo: true,
        weight: 1,
        ..SiteRow::default()
    }
}

/// Monday to Friday, 08:00 to 17:00 local, of every kind.
pub fn office_hours(site: &str) -> Vec<CalendarRow> {
    let day = |weekday| CalendarRow {
        site: text(site),
        weekday,
        from_minute: 480,
        until_minute: 1_020,
        weight: 1,
        ..CalendarRow::default()
    };
    (1..=5).map(day).collect()
}

pub fn device(name: &str, site: &str, kind: &str, from: i64) -> DeviceRow {
    DeviceRow {
        device: text(name),
        site: text(site),
        kind: text(kind),
        in_service: true,
        valid_from: UtcMicros(from),
        weight: 1,
        ..DeviceRow::default()
    }
}

/// Rows of one condition, cut at UTC hours as agents do.
pub fn told(of: &DeviceRow, condition: &'static str, from: i64, until: i64) -> Vec<IntervalRow> {
    let mut rows = Vec::new();
    let mut at = from;
    while at < until {
        let end = until.min((at.div_euclid(HOUR) + 1) * HOUR);
        rows.push(IntervalRow {
            device: of.device.clone(),
            site: of.site.clone(),
            kind: of.kind.clone(),
            day: Day(at.div_euclid(DAY) as i32),
            from_at: UtcMicros(at),
            until_at: UtcMicros(end),
            condition: condition.into(),
            degradation: "none".into(),
            source_kind: "device".into(),
            weight: 1,
            ..IntervalRow::default()
        });
        at = end;
    }
    rows
}

pub fn head(of: &DeviceRow, role: &'static str, condition: &'static str, from: i64, until: Option<i64>) -> HeadRow {
    HeadRow {
        subject: of.device.clone(),
        role: role.into(),
        site: of.site.clone(),
        kind: of.kind.clone(),
        condition: condition.into(),
        degradation: "none".into(),
        from_at: UtcMicros(from),
        until_at: until.map(UtcMicros),
        weight: 1,
        ..HeadRow::default()
    }
}

pub fn sign_of_life(agent: &str, site: &str, at: i64) -> HeadRow {
    HeadRow {
        subject: text(agent),
        role: "agent".into(),
        site: text(site),
        condition: "unknown".into(),
        degradation: "none".into(),
        from_at: UtcMicros(at),
        weight: 1,
        ..HeadRow::default()
    }
}

#[path = "hospitals.rs"]
mod hospitals;
pub use hospitals::six_hospitals;
