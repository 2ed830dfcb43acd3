//! What technicians found, read from the table of alert steps below an offset of its own: a model that is made again hears the same.

use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::prelude::SessionContext;
use medfleet_domain::alert::{AlertId, Finding};
use medfleet_domain::id::DeviceId;
use medfleet_domain::time::Timestamp;
use medfleet_lake::{below_sql, narrow, run};
use medfleet_log::{Partition, Topic};
use medfleet_risk::verdict::Verdict;

use crate::Error;
use crate::archive::{Offsets, ints, texts};
use crate::gather::Gatherer;

const STEPS: &str = "alert_steps";
const VERDICTS_SQL: &str = include_str!("../sql/verdicts.sql");

/// Where the topic of alerts stands among offsets.
fn home() -> String {
    Partition::new(Topic::ALERTS, 0).to_string()
}

/// How far the table of steps reaches: what a model is made of besides facts. None where nothing was ever raised.
pub async fn reached(session: &SessionContext) -> Result<Option<(String, i64)>, Error> {
    if !session.table_exist(STEPS).map_err(Error::Query)? {
        return Ok(None);
    }
    let sql = format!("SELECT coalesce(max(cause_offset) + 1, 0) AS next FROM {STEPS}");
    let answer = run(session, &sql, &[]).await?;
    let next = answer.first().map(|batch| ints(batch, "next")).transpose()?.map_or(0, |next| next.value(0));
    Ok((next > 0).then(|| (home(), next)))
}

/// Tells what was said below the offset of alerts, if there is one.
pub async fn tell(session: &SessionContext, offsets: &Offsets, gatherer: &mut Gatherer) -> Result<(), Error> {
    if !offsets.contains_key(&home()) || !session.table_exist(STEPS).map_err(Error::Query)? {
        return Ok(());
    }
    narrow(session, STEPS, &below_sql(offsets)).await?;
    for batch in run(session, VERDICTS_SQL, &[]).await? {
        for (device, verdict) in read(&batch)? {
            gatherer.judge(&device, verdict);
        }
    }
    Ok(())
}

fn read(batch: &RecordBatch) -> Result<Vec<(DeviceId, Verdict)>, Error> {
    let text = |name: &'static str| texts(batch, name);
    let (alerts, devices, parts) = (text("alert")?, text("device")?, text("part")?);
    let (findings, found) = (text("finding")?, text("part_found")?);
    let (raised, judged) = (ints(batch, "raised_us")?, ints(batch, "judged_us")?);
    let foretold = batch.column_by_name("foretold").ok_or(Error::NoColumn { column: "foretold" })?;
    let foretold = cast(foretold, &DataType::Boolean)?;
    let one = |row: usize| {
        let Some(finding) = Finding::parse(findings.value(row), found.value(row)) else { return Ok(None) };
        let verdict = Verdict {
            alert: alerts.value(row).parse::<AlertId>()?,
            part: Arc::from(parts.value(row)),
            foretold: foretold.as_boolean().value(row),
            raised_at: Timestamp(raised.value(row)),
            judged_at: Timestamp(judged.value(row)),
            finding,
        };
        Ok(Some((DeviceId::new(devices.value(row))?, verdict)))
    };
    (0..batch.num_rows()).filter_map(|row| one(row).transpose()).collect()
}
