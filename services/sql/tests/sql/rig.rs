//! Two hospitals in a lake, and an endpoint over it on a port of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use async_trait::async_trait;
use medfleet_lake::rows::{CalendarRow, CutRow};
use medfleet_lake::rows::{DeviceRow, ErrorRow, FactRow, HeadRow, IntervalRow, SiteRow, UsageRow, VerdictRow};
use medfleet_lake::{
    Cause, Cut, Day, Lake, Origin, ROLLUP_DAY_SQL, ROLLUP_QUARTER_SQL, Reader, ReaderLimits, RecordBatch, Row, Text,
    Txn, UtcMicros, restore, run_over_batch, schema,
};
use medfleet_runtime::{Health, Metrics, Shutdown};
use medfleet_sql::{Lag, Limits, Scope, Service, SqlConfig, Users};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, SimpleQueryRow};
use uuid::Uuid;

use super::{chronicle, papers};

pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
pub const DAY: i64 = 24 * HOUR;
/// 2026-03-02T00:00Z, a Monday.
pub const MONDAY: i64 = 1_772_409_600_000_000;
pub const PASSWORD: &str = "a password of this test";
/// Every view whose rows belong to a site, or to a device.
pub const SITES_OF: [(&str, &str); 21] = [
    ("agents", "site"),
    ("alerts", "site"),
    ("foretold", "site"),
    ("alert_steps", "alert"),
    ("scores", "site"),
    ("scores_now", "site"),
    ("sites", "site"),
    ("devices", "site"),
    ("device_versions", "site"),
    ("device_now", "site"),
    ("calendars", "site"),
    ("intervals", "site"),
    ("usage", "site"),
    ("errors", "site"),
    ("rollup_day", "site"),
    ("rollup_quarter", "site"),
    ("facts", "site"),
    ("verdicts", "subject"),
    ("orders", "site"),
    ("maintenance", "site"),
    ("components", "site"),
];

pub fn text(text: &str) -> Text {
    Text::from(text.to_owned())
}

/// When what came late was appended.
pub const LATE: i64 = MONDAY + DAY + 600 * SECOND;

fn hour(site: &str, condition: &'static str, hour: i64) -> IntervalRow {
    IntervalRow {
        device: text(&format!("ct-{site}")),
        site: text(site),
        kind: text("ct"),
        day: Day(i32::try_from(MONDAY / DAY).unwrap()),
        from_at: UtcMicros(MONDAY + hour * HOUR),
        until_at: UtcMicros(MONDAY + (hour + 1) * HOUR),
        condition: condition.into(),
        degradation: "none".into(),
        source_kind: "device".into(),
        weight: 1,
        ..IntervalRow::default()
    }
}

fn fact(site: &str) -> FactRow {
    FactRow {
        subject_kind: "device".into(),
        subject: text(&format!("ct-{site}")),
        kind: "condition".into(),
        site: text(site),
        device_kind: text("ct"),
        day: Day(i32::try_from(MONDAY / DAY).unwrap()),
        at: UtcMicros(MONDAY + HOUR),
        source_kind: "device".into(),
        clock: "good".into(),
        verdict: "new".into(),
        ..FactRow::default()
    }
}

/// An agent's sign of life at an hour, or its withdrawal.
fn heartbeat(site: &str, hour: i64, accepted: i64, weight: i64) -> HeadRow {
    HeadRow {
        subject: text(&format!("edge-{site}")),
        role: "agent".into(),
        site: text(site),
        kind: text("other"),
        condition: "unknown".into(),
        degradation: "none".into(),
        from_at: UtcMicros(MONDAY + hour * HOUR),
        accepted_facts: Some(accepted),
        waiting_facts: Some(3),
        weight,
        ..HeadRow::default()
    }
}

/// Five exams until an hour.
fn exams(site: &str, hour: i64) -> UsageRow {
    UsageRow {
        device: text(&format!("ct-{site}")),
        site: text(site),
        kind: text("ct"),
        day: Day(i32::try_from(MONDAY / DAY).unwrap()),
        counter: text("exams"),
        unit: text("1"),
        source: text("dicom"),
        at: UtcMicros(MONDAY + hour * HOUR),
        increment_milli: 5_000,
        step: "counted".into(),
        weight: 1,
        ..UsageRow::default()
    }
}

fn origin() -> Origin {
    Origin { rules: "fold 1".into(), log: "sample".into() }
}

/// What one hospital has: a scanner that stood by for a day, was down for an hour of it, and said so.
fn hospital(site: &str) -> Vec<(&'static str, RecordBatch)> {
    let device = format!("ct-{site}");
    let device = device.as_str();
    let mut intervals: Vec<IntervalRow> = (0..23).map(|at| hour(site, "standby", at)).collect();
    // A correction: the hour was down after all.
    let withdrawn = IntervalRow { weight: -1, ..hour(site, "standby", 10) };
    intervals.extend([withdrawn, hour(site, "unscheduled_down", 10)]);
    let mut rows = registered(site, device);
    rows.extend([
        ("intervals", batch(&intervals)),
        (
            "heads",
            batch(&[
                HeadRow {
                    subject: text(device),
                    role: "live".into(),
                    site: text(site),
                    kind: text("ct"),
                    condition: "standby".into(),
                    degradation: "none".into(),
                    from_at: UtcMicros(MONDAY + 23 * HOUR),
                    weight: 1,
                    ..HeadRow::default()
                },
                heartbeat(site, 22, 70, 1),
                heartbeat(site, 22, 70, -1),
                heartbeat(site, 23, 80, 1),
            ]),
        ),
        ("usage", batch(&[exams(site, 1)])),
        (
            "errors",
            batch(&[ErrorRow {
                device: text(device),
                site: text(site),
                kind: text("ct"),
                day: Day(i32::try_from(MONDAY / DAY).unwrap()),
                at: UtcMicros(MONDAY + 10 * HOUR),
                code: text("E-17"),
                severity: "error".into(),
                weight: 1,
                ..ErrorRow::default()
            }]),
        ),
        (
            "verdicts",
            batch(&[VerdictRow {
                request: text(&format!("request of {site}")),
                subject: text(device),
                verdict: "accepted".into(),
                at: UtcMicros(MONDAY + 11 * HOUR),
                ..VerdictRow::default()
            }]),
        ),
        ("facts", batch(&[fact(site)])),
    ]);
    rows.extend(papers::rows(site, device));
    rows.extend(chronicle::rows(site, device));
    rows
}

/// The hospital, its office hours and its scanner.
pub fn registered(site: &str, device: &str) -> Vec<(&'static str, RecordBatch)> {
    let office = |weekday| CalendarRow {
        site: text(site),
        weekday,
        from_minute: 480,
        until_minute: 1_020,
        weight: 1,
        ..CalendarRow::default()
    };
    vec![
        (
            "sites",
            batch(&[SiteRow {
                site: text(site),
                name: text(site),
                time_zone: text("UTC"),
                weight: 1,
                ..SiteRow::default()
            }]),
        ),
        ("calendars", batch(&(1..=5).map(office).collect::<Vec<_>>())),
        (
            "devices",
            batch(&[DeviceRow {
                device: text(device),
                site: text(site),
                kind: text("ct"),
                in_service: true,
                valid_from: UtcMicros(MONDAY - 9 * DAY),
                weight: 1,
                ..DeviceRow::default()
            }]),
        ),
    ]
}

pub fn batch<R: Row>(rows: &[R]) -> RecordBatch {
    R::to_batch(rows).unwrap()
}

/// An endpoint over two hospitals, `north` and `south`.
pub struct Rig {
    _folder: tempfile::TempDir,
    pub lake: Lake,
    pub address: SocketAddr,
    pub metrics: Metrics,
    pub shutdown: Shutdown,
    pub users: Users,
    pub served: tokio::task::JoinHandle<()>,
}

struct NoLog;

#[async_trait]
impl Lag for NoLog {
    async fn records(&self, _: &Cut) -> Option<i64> {
        Some(3)
    }
}

impl Rig {
    pub async fn open() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::start(|config| config.limits = limits).await
    }

    pub async fn start(change: impl FnOnce(&mut SqlConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_local(folder.path()).await.unwrap();
        let users = Users::new(&folder.path().join("sql-users"));
        users.write("ann", &Scope::sites(["north".to_owned()]).unwrap(), PASSWORD).unwrap();
        users.write("leader", &Scope::All, PASSWORD).unwrap();
        let mut config = SqlConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            users_folder: folder.path().join("sql-users"),
            ..SqlConfig::default()
        };
        change(&mut config);
        let (metrics, shutdown) = (Metrics::new().unwrap(), Shutdown::new());
        let service =
            Service::new(config, lake.clone(), std::sync::Arc::new(NoLog), &metrics, Health::new(), shutdown.clone());
        let bound = service.unwrap().bind().await.unwrap();
        let address = bound.address();
        let served = tokio::spawn(async move { bound.serve().await.unwrap() });
        let rig = Self { _folder: folder, lake, address, metrics, shutdown, users, served };
        rig.flush(&["north", "south"], 1).await;
        rig
    }

    /// Writes hospitals and a cut made at the end of Monday and `number` minutes.
    pub async fn flush(&self, sites: &[&str], number: i64) {
        let mut rows: BTreeMap<&'static str, Vec<RecordBatch>> = BTreeMap::new();
        for site in sites {
            for (table, batch) in hospital(site) {
                rows.entry(table).or_default().push(batch);
            }
        }
        rows.insert("models", vec![chronicle::models()]);
        rows.insert("withdrawals", vec![chronicle::withdrawals()]);
        self.flush_rows(rows, number).await;
    }

    /// A day later it is told that the scanners of these hospitals were down at five as well, and when the order was answered.
    pub async fn hear_late(&self, sites: &[&str], number: i64) {
        let mut rows: BTreeMap<&'static str, Vec<RecordBatch>> = BTreeMap::new();
        for (nth, site) in sites.iter().enumerate() {
            let cause = Cause { offset: 10 + i64::try_from(nth).unwrap(), ..Cause::default() };
            let late = |weight, condition: &'static str| IntervalRow { weight, cause, ..hour(site, condition, 5) };
            let fact = FactRow { appended_at: UtcMicros(LATE), cause, ..fact(site) };
            let told = [
                ("intervals", batch(&[late(-1, "standby"), late(1, "unscheduled_down")])),
                ("facts", batch(&[fact])),
                ("orders", batch(&[papers::late_phase(site, cause)])),
                ("usage", batch(&[UsageRow { cause, ..exams(site, 5) }])),
            ];
            let known = hospital(site).into_iter().find(|(table, _)| *table == "sites");
            for (table, batch) in told.into_iter().chain(known) {
                rows.entry(table).or_default().push(batch);
            }
        }
        self.flush_rows(rows, number).await;
    }

    pub async fn flush_rows(&self, mut rows: BTreeMap<&'static str, Vec<RecordBatch>>, number: i64) {
        let reader = Reader::new(self.lake.clone(), ReaderLimits::default()).unwrap();
        let session = reader.empty_session();
        for (name, sql) in [("rollup_quarter", ROLLUP_QUARTER_SQL), ("rollup_day", ROLLUP_DAY_SQL)] {
            let whole = |table: &str| arrow::compute::concat_batches(&rows[table][0].schema(), &rows[table]).unwrap();
            let inputs = [("intervals", whole("intervals")), ("sites", whole("sites"))];
            let rolled = run_over_batch(&session, sql, &inputs, schema::table(name).unwrap()).await.unwrap();
            rows.insert(name, rolled);
        }
        // The site is there already; only the rollups needed it.
        if number > 1 && !rows.contains_key("devices") {
            rows.remove("sites");
        }
        let mut tables = reader.newest().await.unwrap();
        tables.remove("cuts");
        for (name, batches) in rows {
            let table = self.lake.current_or_create(schema::table(name).unwrap(), &origin()).await.unwrap();
            let mut writer = restore(&table, &origin(), ["sample/0"]).await.unwrap().writer;
            writer.flush(&batches, &[Txn::new("sample/0", number)], Uuid::new_v4()).await.unwrap();
            tables.insert(name.to_owned(), writer.version());
        }
        let made_at = UtcMicros(MONDAY + DAY + number * 600 * SECOND + SECOND);
        let cut = Cut {
            number,
            made_at,
            offsets: BTreeMap::new(),
            tables,
            appended_max: BTreeMap::from([("medfleet.facts.v1/0".to_owned(), UtcMicros(made_at.0 - SECOND))]),
            ..Cut::default()
        };
        let table = self.lake.current_or_create(schema::table("cuts").unwrap(), &origin()).await.unwrap();
        let mut writer = restore(&table, &origin(), ["sample/cuts"]).await.unwrap().writer;
        let row: CutRow = cut.to_row();
        writer.flush(&[batch(&[row])], &[Txn::new("sample/cuts", number)], Uuid::new_v4()).await.unwrap();
    }

    pub fn line(&self, user: &str, password: &str) -> String {
        let port = self.address.port();
        format!("host=127.0.0.1 port={port} user={user} password='{password}' dbname=medfleet")
    }

    pub async fn client(&self, user: &str) -> Client {
        self.try_client(&self.line(user, PASSWORD)).await.unwrap()
    }

    pub async fn try_client(&self, line: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(line, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub async fn until_something_runs(&self) {
        let runs = async {
            while self.counted("medfleet_sql_statements_total") < 1.0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), runs).await.expect("a statement runs");
    }

    /// What a counter says; 0 when it was never touched.
    pub fn counted(&self, line: &str) -> f64 {
        let text = self.metrics.encode().unwrap();
        let found = text.lines().find_map(|told| told.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or(0.0)
    }
}

/// Rows of the simple protocol as text.
pub async fn told(client: &Client, sql: &str) -> Vec<SimpleQueryRow> {
    let answer = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let rows = answer.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.collect()
}

/// The first column of every row.
pub async fn column(client: &Client, sql: &str) -> Vec<String> {
    told(client, sql).await.iter().map(|row| row.get(0).unwrap_or("NULL").to_owned()).collect()
}

/// SQLSTATE and message of a refusal.
pub async fn refused(client: &Client, sql: &str) -> (String, String) {
    match client.simple_query(sql).await {
        Ok(answer) => panic!("{sql} was answered: {answer:?}"),
        Err(error) => code_of(&error),
    }
}

pub fn code_of(error: &tokio_postgres::Error) -> (String, String) {
    match error.as_db_error() {
        Some(refusal) => (refusal.code().code().to_owned(), refusal.message().to_owned()),
        None => ("none".to_owned(), format!("{error:?}")),
    }
}
