//! What a worker may use and how long it may wait.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::retention::Keep;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessorConfig {
    /// Where snapshots are kept.
    pub snapshot_folder: PathBuf,
    /// Partitions of the fact topic this worker owns; all when empty.
    pub partitions: Vec<u32>,
    /// A flush starts when so many rows wait …
    pub flush_rows: usize,
    /// … or when the oldest has waited so long.
    pub flush_after_milliseconds: u64,
    /// The most a single poll takes from the log.
    pub poll_bytes: usize,
    pub snapshot_after_seconds: u64,
    /// Lag without progress for so long is an alarm, and the process ends.
    pub stall_limit_seconds: u64,
    pub upkeep_after_seconds: u64,
    /// Records younger than this stay in the log although every table has them; 0: age is no reason to trim.
    pub log_keep_hours: u64,
    /// The newest records of a partition stay in the log, so many mebibytes of them, and older ones may go before
    /// `log_keep_hours`; 0: size is no reason to trim. With both at 0 the log is never trimmed.
    pub log_keep_mebibytes: u64,
    /// Ends, as if asked to, once everything that the log holds is in the tables: for jobs, not for services.
    pub stop_when_idle: bool,
}

impl Default for ProcessorConfig {
    fn default() -> Self {
        Self {
            snapshot_folder: PathBuf::from("snapshots"),
            partitions: Vec::new(),
            flush_rows: 100_000,
            flush_after_milliseconds: 1_000,
            poll_bytes: 8 * 1024 * 1024,
            snapshot_after_seconds: 300,
            stall_limit_seconds: 120,
            upkeep_after_seconds: 60,
            log_keep_hours: 168,
            log_keep_mebibytes: 0,
            stop_when_idle: false,
        }
    }
}

impl ProcessorConfig {
    /// For a job over a long past: nobody waits for freshness, and a flush writes a file for every day it touches, so flushes
    /// are few and large.
    pub fn until_idle() -> Self {
        Self {
            flush_rows: 500_000,
            flush_after_milliseconds: 60_000,
            stall_limit_seconds: 900,
            stop_when_idle: true,
            ..Self::default()
        }
    }

    /// Whether this worker leads: it also folds the fleet topic, makes the cuts, advances the rollups and keeps the tables
    /// in shape. One of several workers does, the one that owns partition 0.
    pub fn leads(&self) -> bool {
        self.partitions.is_empty() || self.partitions.contains(&0)
    }

    pub const fn flush_after(&self) -> Duration {
        Duration::from_millis(self.flush_after_milliseconds)
    }

    pub const fn snapshot_after(&self) -> Duration {
        Duration::from_secs(self.snapshot_after_seconds)
    }

    pub const fn stall_limit(&self) -> Duration {
        Duration::from_secs(self.stall_limit_seconds)
    }

    pub const fn keep(&self) -> Keep {
        Keep { hours: self.log_keep_hours, bytes: self.log_keep_mebibytes << 20 }
    }

    pub const fn upkeep_after(&self) -> Duration {
        Duration::from_secs(self.upkeep_after_seconds)
    }
}
