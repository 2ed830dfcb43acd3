//! What a worker counts and shows.

use medfleet_runtime::{Metrics, RuntimeError, Watchdog};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::book::Counts;
use crate::config::ProcessorConfig;
use crate::flush::Flushed;

#[derive(Clone)]
pub struct Meters {
    pub facts: IntCounterVec,
    pub suspect: IntCounter,
    pub rows: IntCounter,
    pub flush_seconds: Histogram,
    pub cuts: IntCounter,
    pub fences: IntCounter,
    pub restarts: IntCounter,
    pub needs: IntCounter,
    pub trimmed: IntCounter,
    pub kept: IntGaugeVec,
    pub snapshots: IntCounter,
    pub snapshot_bytes: IntGauge,
    pub missing: IntGauge,
    pub freshness: IntGauge,
    pub subjects: IntGauge,
    pub uncommitted: IntGauge,
    pub upkeep_failures: IntCounter,
    pub watchdog: Watchdog,
}

impl Meters {
    pub fn new(metrics: &Metrics, config: &ProcessorConfig) -> Result<Self, RuntimeError> {
        let room = metrics.room("processor");
        Ok(Self {
            facts: room.counter_vec("facts_total", "Facts read from the log, by verdict.", &["verdict"])?,
            suspect: room
                .counter("suspect_facts_total", "Facts kept but not folded: wrong clock or implausible time.")?,
            rows: room.counter("rows_total", "Rows committed to tables.")?,
            flush_seconds: room.histogram(
                "flush_seconds",
                "Time from the start of a flush to its cut.",
                &medfleet_runtime::metrics::LATENCY_BUCKETS_SECONDS,
            )?,
            cuts: room.counter("cuts_total", "Cuts made over the tables of several workers.")?,
            fences: room.counter("fences_total", "Times another writer was found in a table.")?,
            restarts: room.counter("restarts_total", "Times memory was forgotten and restored.")?,
            needs: room.counter("archive_lookups_total", "Queries for older facts, each for as many as need them.")?,
            trimmed: room.counter("trimmed_records_total", "Records given up at the front of the log.")?,
            kept: room.gauge_vec(
                "log_kept_records",
                "Records of a partition that the log still held when it was last trimmed.",
                &["partition"],
            )?,
            snapshots: room.counter("snapshots_total", "Snapshots written.")?,
            snapshot_bytes: room.gauge("snapshot_bytes", "Size of the latest snapshot.")?,
            missing: room.gauge("missing_facts", "Facts known to exist and not seen: gaps.")?,
            freshness: room.gauge("freshness_seconds", "Age of the newest record when its cut was made.")?,
            subjects: room.gauge("known_subjects", "Subjects with a ledger in memory.")?,
            uncommitted: room.gauge("uncommitted_facts", "Facts read from the log and not in the tables yet.")?,
            upkeep_failures: room.counter("upkeep_failures_total", "Upkeep runs that failed.")?,
            watchdog: Watchdog::new("processor", config.stall_limit(), metrics)?,
        })
    }

    /// A flush has landed.
    pub fn flushed(&self, flushed: &Flushed) {
        self.uncommitted.sub(flushed.facts as i64);
        self.flush_seconds.observe(flushed.took.as_secs_f64());
        self.rows.inc_by(flushed.rows);
        if let Some(newest) = flushed.newest_appended {
            self.freshness.set((flushed.ended_at.0 - newest.0) / 1_000_000);
        }
    }

    pub fn count(&self, since: Counts, now: Counts) {
        let verdicts = [
            ("new", now.new - since.new),
            ("duplicate", now.duplicate - since.duplicate),
            ("conflict", now.conflict - since.conflict),
        ];
        for (verdict, count) in verdicts {
            self.facts.with_label_values(&[verdict]).inc_by(count);
        }
        self.suspect.inc_by(now.suspect - since.suspect);
    }
}
