//! The operator's view of the pipeline: what waits, what was refused, who fell silent, what the disk holds. Figures are
//! read where they are true: the log's bounds, the cut's offsets, the tables, and the counters of this process.

use std::collections::BTreeSet;

use medfleet_domain::id::{SeqRange, Subject};
use medfleet_domain::time::Timestamp;
use medfleet_log::{EventLog, Partition, Topic};
use medfleet_runtime::Metrics;
use serde::Serialize;
use utoipa::ToSchema;

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::query;

/// Entries of the quarantine that one answer shows, newest first.
pub const QUARANTINE_SHOWN_MAX: usize = 50;

/// Something that was refused for good, and where it lies whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub partition: u32,
    pub offset: u64,
    pub received_at: Timestamp,
    pub reason: String,
    pub origin: String,
    /// Whose facts they are, where the payload could be read that far.
    pub subject: Option<String>,
    pub payload_bytes: usize,
}

/// The newest entries of the quarantine, and how many there are in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarantine {
    pub entries: u64,
    pub newest: Vec<Refusal>,
}

/// What driving one entry in again came to, in facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Redriven {
    pub appended: u64,
    pub quarantined: u64,
    pub held: u64,
}

/// One partition of the log beside what the cut has of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartitionLag {
    pub partition: String,
    /// First offset the log still holds.
    pub log_floor: u64,
    /// The offset after the last record.
    pub log_end: u64,
    /// The offset after the last record in the tables.
    pub in_tables: u64,
    pub lag_records: u64,
}

/// How far every partition is in the tables.
pub async fn partitions(open: &OpenCut, log: &dyn EventLog) -> Result<Vec<PartitionLag>, ApiError> {
    let mut rows = Vec::new();
    for topic in [Topic::FACTS, Topic::FLEET] {
        for partition in 0..log.partitions(topic)? {
            let home = Partition::new(topic, partition);
            let bounds = log.bounds(home).await?;
            let reached = open.cut.offsets.get(&home.to_string()).map_or(bounds.floor, |next| next.cast_unsigned());
            rows.push(PartitionLag {
                partition: home.to_string(),
                log_floor: bounds.floor,
                log_end: bounds.end,
                in_tables: reached,
                lag_records: bounds.end.saturating_sub(reached),
            });
        }
    }
    Ok(rows)
}

/// Which of these entries the tables have by now, by partition and offset: driven in again, their facts stand under the
/// numbers they always had. A message that could not be read names none, and stays.
pub async fn landed(open: &OpenCut, log: &dyn EventLog, shown: &[Refusal]) -> Result<BTreeSet<(u32, u64)>, ApiError> {
    let mut landed = BTreeSet::new();
    for refusal in shown.iter().filter(|refusal| refusal.subject.is_some()) {
        let Some((subject, seqs)) = numbered(log, refusal).await? else { continue };
        if query::archived(open, &subject, seqs).await? == seqs.count() {
            landed.insert((refusal.partition, refusal.offset));
        }
    }
    Ok(landed)
}

/// Whose facts an entry holds, and their numbers, where they could be read so far.
async fn numbered(log: &dyn EventLog, refusal: &Refusal) -> Result<Option<(Subject, SeqRange)>, ApiError> {
    if refusal.partition >= log.partitions(Topic::QUARANTINE)? {
        return Ok(None);
    }
    let home = Partition::new(Topic::QUARANTINE, refusal.partition);
    let bounds = log.bounds(home).await?;
    if !(bounds.floor..bounds.end).contains(&refusal.offset) {
        return Ok(None);
    }
    let records = log.read(home.at(refusal.offset), 1).await?;
    let entry = records.first().and_then(|record| medfleet_wire::decode_quarantined(&record.value).ok());
    Ok(entry.and_then(|entry| entry.subject.zip(entry.seqs)))
}

/// Counters of this process. A role that runs elsewhere has none here: `null` is "ask that process".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counted {
    pub facts_received: Option<u64>,
    pub facts_appended: Option<u64>,
    pub facts_quarantined: Option<u64>,
    pub facts_held: Option<u64>,
    pub facts_new: Option<u64>,
    pub facts_duplicate: Option<u64>,
    pub facts_conflict: Option<u64>,
    /// Facts known to exist and not seen.
    pub facts_missing: Option<u64>,
    pub freshness_seconds: Option<u64>,
    pub disk_free_bytes: Option<u64>,
    pub disk_total_bytes: Option<u64>,
    pub log_bytes: Option<u64>,
    pub tables_bytes: Option<u64>,
    pub snapshots_bytes: Option<u64>,
}

impl Counted {
    pub fn read(metrics: &Metrics) -> Self {
        let value = |name: &str, label| metrics.value(name, label).map(|value| value.max(0.0) as u64);
        let fate = |fate| value("medfleet_ingest_facts_total", Some(("fate", fate)));
        let verdict = |verdict| value("medfleet_processor_facts_total", Some(("verdict", verdict)));
        let room = |room| value("medfleet_house_used_bytes", Some(("room", room)));
        Self {
            facts_received: fate("received"),
            facts_appended: fate("appended"),
            facts_quarantined: fate("quarantined"),
            facts_held: fate("held"),
            facts_new: verdict("new"),
            facts_duplicate: verdict("duplicate"),
            facts_conflict: verdict("conflict"),
            facts_missing: value("medfleet_processor_missing_facts", None),
            freshness_seconds: value("medfleet_processor_freshness_seconds", None),
            disk_free_bytes: value("medfleet_house_free_bytes", None),
            disk_total_bytes: value("medfleet_house_total_bytes", None),
            log_bytes: room("log"),
            tables_bytes: room("lake"),
            snapshots_bytes: room("snapshots"),
        }
    }

    /// INV-4, ingest's half: facts received that are neither appended, quarantined nor held.
    pub fn unaccounted(&self) -> Option<i64> {
        let settled = self.facts_appended? + self.facts_quarantined.unwrap_or(0) + self.facts_held.unwrap_or(0);
        Some(self.facts_received?.cast_signed() - settled.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_elsewhere_is_no_zero() {
        let counted = Counted::read(&Metrics::default());
        assert_eq!((counted.facts_received, counted.facts_missing, counted.unaccounted()), (None, None, None));
    }

    #[test]
    fn the_sums_of_this_process_are_told_by_fate() {
        let metrics = Metrics::default();
        let facts = metrics.room("ingest").counter_vec("facts_total", "Facts.", &["fate"]).unwrap();
        for (fate, count) in [("received", 10), ("appended", 7), ("quarantined", 2)] {
            facts.with_label_values(&[fate]).inc_by(count);
        }
        let counted = Counted::read(&metrics);
        assert_eq!((counted.facts_appended, counted.unaccounted()), (Some(7), Some(1)));
    }
}
