//! The archive: all facts about devices below some offsets of the log, told to a gatherer in the log's order.

use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, BinaryArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::prelude::SessionContext;
use futures::StreamExt as _;
use medfleet_domain::id::{DeviceId, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_lake::{cause_topic, stream};

use crate::Error;
use crate::gather::Gatherer;

/// Facts that say anything to a voice.
const SPEAKING: &str = "kind IN ('registered', 'began', 'stretch', 'error', 'usage', 'order', 'asserted', 'pm_done', \
                        'component_replaced')";

/// Next offset of every partition, keyed `topic/partition`, as in a cut.
pub type Offsets = BTreeMap<String, i64>;

/// Tells everything below `offsets`. `told` hears how many facts each step brought.
pub async fn gather(
    session: &SessionContext,
    offsets: &Offsets,
    told: &(dyn Fn(u64) + Sync),
) -> Result<Gatherer, Error> {
    let mut gatherer = Gatherer::default();
    for (home, next) in offsets {
        let Some((topic, partition)) = home.rsplit_once('/') else { continue };
        let Some(topic) = cause_topic(topic) else { continue };
        let sql = format!(
            "SELECT subject, site, device_kind, bytes FROM facts \
             WHERE subject_kind = 'device' AND verdict <> 'duplicate' AND NOT suspect AND {SPEAKING} \
             AND cause_topic = {topic} AND cause_partition = {partition} AND cause_offset < {next} \
             ORDER BY cause_offset, cause_index"
        );
        let mut batches = stream(session, &sql).await?;
        while let Some(batch) = batches.next().await {
            told(tell(&mut gatherer, &batch?)?);
        }
    }
    gatherer.settle();
    Ok(gatherer)
}

fn tell(gatherer: &mut Gatherer, batch: &RecordBatch) -> Result<u64, Error> {
    let (subjects, sites, kinds) = (texts(batch, "subject")?, texts(batch, "site")?, texts(batch, "device_kind")?);
    let bytes = column(batch, "bytes", &DataType::Binary)?;
    let bytes: &BinaryArray = bytes.as_binary();
    for row in (0..batch.num_rows()).filter(|row| bytes.is_valid(*row)) {
        let told = medfleet_wire::decode_fact(bytes.value(row))
            .map_err(|source| Error::Fact { subject: subjects.value(row).to_owned(), source })?;
        let device = DeviceId::new(subjects.value(row))?;
        let (site, kind) = (SiteId::new(sites.value(row))?, DeviceKind::parse(kinds.value(row))?);
        gatherer.tell(&device, &site, kind, &told.fact);
    }
    Ok(batch.num_rows() as u64)
}

fn texts(batch: &RecordBatch, name: &'static str) -> Result<StringArray, Error> {
    Ok(column(batch, name, &DataType::Utf8)?.as_string::<i32>().clone())
}

fn column(batch: &RecordBatch, name: &'static str, kind: &DataType) -> Result<arrow::array::ArrayRef, Error> {
    let array = batch.column_by_name(name).ok_or(Error::NoColumn { column: name })?;
    Ok(cast(array, kind)?)
}
