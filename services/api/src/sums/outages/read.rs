//! Reading downs, orders and versions of devices out of a cut's tables.

use std::collections::HashSet;

use arrow::array::{Array as _, RecordBatch};
use datafusion::prelude::SessionContext;
use medfleet_domain::time::Day;
use medfleet_kpi::comparison::make_model;
use medfleet_lake::run;

use super::super::book::Book;
use super::super::broken;
use super::super::causes::Known;
use super::super::read::{Columns, INTERVALS};
use super::super::service::FreshEdges;
use super::{Down, Fresh, Phase, Step, Version, Why};
use crate::error::ApiError;

/// Down that nobody planned, and what is unknown by contradiction. An `AND` may follow.
const DOWNS: &str = "SELECT device, site, kind, condition, claim OR source_kind IN ('person', 'record') AS told, \
    coalesce(reason, '') = 'maintenance_overrun' AS overrun, CAST(from_at AS BIGINT) AS from_us, \
    CAST(until_at AS BIGINT) AS until_us, weight, cause_topic, cause_partition, cause_offset FROM intervals \
    WHERE condition IN ('unscheduled_down', 'unknown')";
/// Phases of orders. A where clause may follow.
const PHASES: &str = "SELECT device, site, kind, work_order, class, phase, CAST(at AS BIGINT) AS at_us, epoch, seq, weight, \
    cause_topic, cause_partition, cause_offset FROM orders";
/// Versions of devices, in service or not. A where clause may follow.
const VERSIONS: &str = "SELECT device, site, kind, make, model, CAST(in_service_day AS INT) AS since, in_service, \
    CAST(valid_from AS BIGINT) AS from_us, CAST(valid_until AS BIGINT) AS until_us, weight, cause_topic, cause_partition, \
    cause_offset FROM devices";

/// So many devices are named in one question; more are picked out of all.
const DEVICES_NAMED_MAX: usize = 500;

/// Rows of these three.
#[derive(Default)]
pub struct Rows {
    downs: Vec<RecordBatch>,
    phases: Vec<RecordBatch>,
    versions: Vec<RecordBatch>,
}

impl Rows {
    /// Reads all rows, or those that a condition leaves.
    pub async fn read(session: &SessionContext, condition: &str) -> Result<Self, ApiError> {
        let narrowed = |sql: &str, word: &str| match condition {
            "" => sql.to_owned(),
            condition => format!("{sql} {word} {condition}"),
        };
        // A cut without orders is one that nobody opened an order in.
        let ordered = session.table_exist("orders").map_err(broken)?;
        Ok(Self {
            downs: run(session, &narrowed(DOWNS, "AND"), &[]).await?,
            phases: if ordered { run(session, &narrowed(PHASES, "WHERE"), &[]).await? } else { Vec::new() },
            versions: run(session, &narrowed(VERSIONS, "WHERE"), &[]).await?,
        })
    }

    /// The days of devices around these downs and claims that are not kept yet.
    pub fn fresh(&self, book: &Book, claims: &[RecordBatch]) -> Result<Fresh, ApiError> {
        let mut begins: Vec<(String, i64)> = Vec::new();
        for batch in self.downs.iter().chain(claims) {
            let columns = Columns(batch);
            let (device, from) = (columns.text("device")?, columns.int("from_us")?);
            let condition = columns.text("condition")?;
            let rows = (0..batch.num_rows()).filter(|row| condition.value(*row) == "unscheduled_down");
            begins.extend(rows.map(|row| (device.value(row).to_owned(), from.value(row))));
        }
        Ok(book.outages.fresh(begins.iter().map(|(device, from)| (device.as_str(), *from))))
    }

    pub fn add_to(&self, book: &mut Book) -> Result<(), ApiError> {
        self.versions.iter().try_for_each(|batch| versions(book, batch))?;
        self.phases.iter().try_for_each(|batch| phases(book, batch))?;
        self.downs.iter().try_for_each(|batch| downs(book, batch))
    }
}

/// Of some days of some devices, the times that they worked, as far as they were told before.
pub async fn worked(session: &SessionContext, fresh: &Fresh, told: &Known) -> Result<Vec<RecordBatch>, ApiError> {
    let working = "condition IN ('productive', 'standby', 'engineering') AND";
    earlier(session, fresh.days(), fresh.devices(), working, told).await
}

/// Of some days of some devices, everything that was told before.
pub async fn told_on(session: &SessionContext, days: &FreshEdges, told: &Known) -> Result<Vec<RecordBatch>, ApiError> {
    let devices = days.iter().map(|(device, _)| device.as_str()).collect();
    earlier(session, days.iter().map(|(_, day)| *day).collect(), devices, "", told).await
}

async fn earlier(
    session: &SessionContext,
    days: HashSet<i32>,
    devices: HashSet<&str>,
    which: &str,
    told: &Known,
) -> Result<Vec<RecordBatch>, ApiError> {
    if days.is_empty() {
        return Ok(Vec::new());
    }
    let days: Vec<String> = days.iter().map(|day| format!("arrow_cast({day}, 'Date32')")).collect();
    // Names are safe in SQL: the domain admits no quote in them.
    let named = match devices.len() <= DEVICES_NAMED_MAX {
        true => format!("AND device IN ('{}')", devices.into_iter().collect::<Vec<_>>().join("', '")),
        false => String::new(),
    };
    let sql = format!("{INTERVALS} WHERE day IN ({}) {named} AND {which} {}", days.join(", "), told.to_sql());
    run(session, &sql, &[]).await.map_err(ApiError::from)
}

/// Numbers of the seats of a batch.
fn seats(book: &mut Book, batch: &RecordBatch) -> Result<Vec<u32>, ApiError> {
    let columns = Columns(batch);
    let (device, site, kind) = (columns.text("device")?, columns.text("site")?, columns.text("kind")?);
    let names = book.names();
    let seat = |row| names.find_or_add(site.value(row), kind.value(row), device.value(row)).1;
    Ok((0..batch.num_rows()).map(seat).collect())
}

fn downs(book: &mut Book, batch: &RecordBatch) -> Result<(), ApiError> {
    let seats = seats(book, batch)?;
    let columns = Columns(batch);
    let (condition, told, overrun) = (columns.text("condition")?, columns.flag("told")?, columns.flag("overrun")?);
    let (from, until, weight) = (columns.int("from_us")?, columns.int("until_us")?, columns.int("weight")?);
    let cause = columns.causes()?;
    for (row, seat) in seats.into_iter().enumerate() {
        let why = match (condition.value(row), overrun.value(row)) {
            ("unknown", _) => Why::Unknown,
            (_, true) => Why::Overrun,
            (_, false) => Why::Failed { told: told.value(row) },
        };
        let (from, until, weight) = (from.value(row), until.value(row), weight.value(row) as i32);
        book.add_down(Down { from, until, cause: cause(row), seat, weight, why });
    }
    Ok(())
}

fn phases(book: &mut Book, batch: &RecordBatch) -> Result<(), ApiError> {
    let seats = seats(book, batch)?;
    let columns = Columns(batch);
    let (order, class, phase) = (columns.text("work_order")?, columns.text("class")?, columns.text("phase")?);
    let (at, weight) = (columns.int("at_us")?, columns.int("weight")?);
    let (epoch, seq, cause) = (columns.int("epoch")?, columns.int("seq")?, columns.causes()?);
    for (row, seat) in seats.into_iter().enumerate() {
        let step = match phase.value(row) {
            "returned_to_service" => Step::Returned,
            "closed" => Step::Closed,
            "cancelled" => Step::Cancelled,
            _ => Step::Other,
        };
        book.add_phase(Phase {
            order: order.value(row).into(),
            seat,
            corrective: class.value(row) == "corrective",
            step,
            at: at.value(row),
            fact: (epoch.value(row), seq.value(row)),
            weight: weight.value(row) as i32,
            cause: cause(row),
        });
    }
    Ok(())
}

fn versions(book: &mut Book, batch: &RecordBatch) -> Result<(), ApiError> {
    let seats = seats(book, batch)?;
    let columns = Columns(batch);
    let (make, model, since) = (columns.text("make")?, columns.text("model")?, columns.int("since")?);
    let (in_service, weight) = (columns.flag("in_service")?, columns.int("weight")?);
    let (from, until, cause) = (columns.int("from_us")?, columns.int("until_us")?, columns.causes()?);
    for (row, seat) in seats.into_iter().enumerate() {
        let word = |column: &arrow::array::StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
        let (make, model) = (word(&make), word(&model));
        let version = Version {
            from: from.value(row),
            until: if until.is_null(row) { i64::MAX } else { until.value(row) },
            cause: cause(row),
            seat,
            weight: weight.value(row) as i32,
            in_service: in_service.value(row),
            make_model: book.outages.make_model(&make_model(make.as_deref(), model.as_deref())),
            make: make.map(|make| book.outages.word(&make)),
            model: model.map(|model| book.outages.word(&model)),
            since: since.is_valid(row).then(|| Day(since.value(row) as i32)),
        };
        book.add_version(version);
    }
    Ok(())
}
