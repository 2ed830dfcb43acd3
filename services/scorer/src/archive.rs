//! The archive: all facts about devices below some offsets of the log, told to a gatherer in the log's order, and what technicians
//! found at alerts.

use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::SessionContext;
use futures::StreamExt as _;
use medfleet_domain::id::{DeviceId, Epoch, Seq, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_lake::{below_sql, stream};

use crate::gather::Gatherer;
use crate::{Error, verdicts};

/// Facts that say anything to a voice.
const SPEAKING: &str = "kind IN ('registered', 'began', 'stretch', 'error', 'usage', 'order', 'asserted', 'pm_done', \
                        'component_replaced', 'corrected', 'voided')";

/// Next offset of every partition, keyed `topic/partition`, as in a cut.
pub type Offsets = BTreeMap<String, i64>;

/// Facts put into order at a time, about: partitions are read together as far as that allows.
const FACTS_PER_PASS: usize = 1_000_000;

/// Tells everything below `offsets`; verdicts where these name the topic of alerts. `told` hears how many facts each step brought.
pub async fn gather(
    session: &SessionContext,
    offsets: &Offsets,
    told: &(dyn Fn(u64) + Sync),
) -> Result<Gatherer, Error> {
    let mut gatherer = Gatherer::default();
    let facts = session.table("facts").await.map_err(Error::Query)?.count().await.map_err(Error::Query)?;
    let passes = facts.div_ceil(FACTS_PER_PASS).max(1);
    let homes: Vec<(&String, &i64)> = offsets.iter().collect();
    // All facts of a device stand in one partition, so partitions may follow each other in any order.
    for pass in homes.chunks(homes.len().div_ceil(passes).max(1)) {
        let pass: Offsets = pass.iter().map(|(home, next)| ((*home).clone(), **next)).collect();
        let sql = format!(
            "SELECT subject, site, device_kind, epoch, seq, bytes FROM facts \
             WHERE subject_kind = 'device' AND verdict <> 'duplicate' AND NOT suspect AND {SPEAKING} AND {} \
             ORDER BY cause_topic, cause_partition, cause_offset, cause_index",
            below_sql(&pass)
        );
        let mut batches = stream(session, &sql).await?;
        while let Some(batch) = batches.next().await {
            told(tell(&mut gatherer, &batch?)?);
        }
    }
    verdicts::tell(session, offsets, &mut gatherer).await?;
    gatherer.settle();
    Ok(gatherer)
}

fn tell(gatherer: &mut Gatherer, batch: &RecordBatch) -> Result<u64, Error> {
    let (subjects, sites, kinds) = (texts(batch, "subject")?, texts(batch, "site")?, texts(batch, "device_kind")?);
    let (epochs, seqs) = (ints(batch, "epoch")?, ints(batch, "seq")?);
    let bytes = column(batch, "bytes", &DataType::Binary)?;
    let bytes: &BinaryArray = bytes.as_binary();
    // Facts of one device stand beside each other.
    let mut named: Option<([&str; 3], (DeviceId, SiteId, DeviceKind))> = None;
    for row in (0..batch.num_rows()).filter(|row| bytes.is_valid(*row)) {
        let words = [subjects.value(row), sites.value(row), kinds.value(row)];
        let told = medfleet_wire::decode_fact(bytes.value(row))
            .map_err(|source| Error::Fact { subject: words[0].to_owned(), source })?;
        let (_, (device, site, kind)) = match named.take().filter(|(before, _)| *before == words) {
            Some(same) => named.insert(same),
            None => named.insert((words, names(words)?)),
        };
        let identity = (Epoch(epochs.value(row).cast_unsigned()), Seq(seqs.value(row).cast_unsigned()));
        gatherer.tell(device, site, *kind, identity, &told.fact);
    }
    Ok(batch.num_rows() as u64)
}

fn names([device, site, kind]: [&str; 3]) -> Result<(DeviceId, SiteId, DeviceKind), Error> {
    Ok((DeviceId::new(device)?, SiteId::new(site)?, DeviceKind::parse(kind)?))
}

pub(crate) fn texts(batch: &RecordBatch, name: &'static str) -> Result<StringArray, Error> {
    Ok(column(batch, name, &DataType::Utf8)?.as_string::<i32>().clone())
}

pub(crate) fn ints(batch: &RecordBatch, name: &'static str) -> Result<Int64Array, Error> {
    Ok(column(batch, name, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn column(batch: &RecordBatch, name: &'static str, kind: &DataType) -> Result<arrow::array::ArrayRef, Error> {
    let array = batch.column_by_name(name).ok_or(Error::NoColumn { column: name })?;
    Ok(cast(array, kind)?)
}
