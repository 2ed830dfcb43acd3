//! What an agent is told at its start. `agent.example.toml` explains every key; unknown keys are errors.

use std::path::PathBuf;
use std::time::Duration;

use medfleet_domain::id::{AgentId, SiteId};
use serde::Deserialize;

use crate::error::AgentError;
use crate::source::SourceConfig;
use crate::window::BatchLimits;

/// Room kept in the journal for checkpoints and tombstones, so that a full one can still be freed.
pub const RESERVE_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Subjects that one agent follows, those of earlier lives included: it bounds its memory and the size of a checkpoint.
pub const MAX_SUBJECTS: usize = 8_192;
/// The journal has so much for each subject. A checkpoint takes less than 1 KiB for one, so that two fit into the reserve of any journal.
pub const JOURNAL_BYTES_PER_SUBJECT: u64 = 16 * 1024;
/// Each record of the journal fits a segment of this size.
const SEGMENT_MIN_BYTES: u64 = 32 * 1024;
/// A journal of fewer segments could be full and have none to free.
const SEGMENTS_MIN: u64 = 4;
/// The journal records of one batch. Published they weigh about the same, and the doors take a little more.
pub const BATCH_MAX_BYTES_LIMIT: usize = medfleet_wire::limits::BATCH_MAX_BYTES - 64 * 1024;
/// Facts of one batch: each may be a run of its own.
pub const BATCH_MAX_FACTS_LIMIT: u64 = medfleet_wire::limits::BATCH_MAX_RUNS as u64;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// The agent's name for life; also its user name at the broker.
    pub id: String,
    /// The site it stands in.
    pub site: String,
    pub journal: JournalConfig,
    pub mqtt: MqttConfig,
    #[serde(default)]
    pub batch: BatchConfig,
    #[serde(default)]
    pub clock: ClockConfig,
    /// Where `/metrics`, `/live` and `/ready` answer; nowhere if absent. Only the binary reads it.
    #[serde(default)]
    pub status_listen: Option<String>,
    #[serde(default)]
    pub source: Vec<SourceConfig>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    pub folder: PathBuf,
    #[serde(default = "default_capacity_bytes")]
    pub capacity_bytes: u64,
    #[serde(default = "default_segment_max_bytes")]
    pub segment_max_bytes: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    pub host: String,
    #[serde(default = "default_port")]
    pub port: u16,
    /// The authority that signed the broker's certificate. Absent only with `plain = true`.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A file whose first line is the agent's password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// No TLS: for tests on one machine.
    #[serde(default)]
    pub plain: bool,
    #[serde(default = "default_keep_alive_seconds")]
    pub keep_alive_seconds: u64,
    #[serde(default = "default_reconnect_max_seconds")]
    pub reconnect_max_seconds: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    pub max_facts: u64,
    pub max_bytes: usize,
    pub max_age_millis: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockConfig {
    /// A file that exists exactly while the clock is synchronised. Without it nobody vouches for the clock, and after a step everything
    /// is suspect until the clock is back where it was or the agent is started again.
    pub synchronised_file: Option<PathBuf>,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { max_facts: 1_000, max_bytes: 128 * 1024, max_age_millis: 200 }
    }
}

fn default_capacity_bytes() -> u64 {
    1024 * 1024 * 1024
}

fn default_segment_max_bytes() -> u64 {
    16 * 1024 * 1024
}

fn default_port() -> u16 {
    8883
}

fn default_keep_alive_seconds() -> u64 {
    30
}

fn default_reconnect_max_seconds() -> u64 {
    30
}

impl AgentConfig {
    pub fn agent_id(&self) -> Result<AgentId, AgentError> {
        Ok(AgentId::new(&self.id)?)
    }

    pub fn site_id(&self) -> Result<SiteId, AgentError> {
        Ok(SiteId::new(&self.site)?)
    }

    /// Refuses values under which the agent could not keep its promises.
    pub fn check(&self) -> Result<(), AgentError> {
        self.agent_id()?;
        self.site_id()?;
        self.batch.check()?;
        self.journal.check()?;
        if self.mqtt.keep_alive_seconds < 5 {
            let value = self.mqtt.keep_alive_seconds.to_string();
            return Err(AgentError::Config { what: "mqtt.keep_alive_seconds", value, cure: "set it to at least 5" });
        }
        if self.mqtt.ca_file.is_none() && !self.mqtt.plain {
            let value = String::new();
            return Err(AgentError::Config {
                what: "mqtt.ca_file",
                value,
                cure: "name the authority's file, or set mqtt.plain = true",
            });
        }
        Ok(())
    }
}

impl BatchConfig {
    pub fn limits(&self) -> BatchLimits {
        let max_age = Duration::from_millis(self.max_age_millis);
        BatchLimits {
            max_facts: self.max_facts,
            max_age_micros: i64::try_from(max_age.as_micros()).unwrap_or(i64::MAX),
        }
    }

    fn check(&self) -> Result<(), AgentError> {
        if !(1..=BATCH_MAX_FACTS_LIMIT).contains(&self.max_facts) {
            let value = self.max_facts.to_string();
            return Err(AgentError::Config { what: "batch.max_facts", value, cure: "set it from 1 to 4096" });
        }
        if !(32 * 1024..=BATCH_MAX_BYTES_LIMIT).contains(&self.max_bytes) {
            let value = self.max_bytes.to_string();
            return Err(AgentError::Config { what: "batch.max_bytes", value, cure: "set it from 32768 to 458752" });
        }
        Ok(())
    }
}

impl JournalConfig {
    pub fn limits(&self) -> medfleet_journal::Limits {
        medfleet_journal::Limits { segment_max_bytes: self.segment_max_bytes, capacity_bytes: self.capacity_bytes }
    }

    /// Subjects that it has room for.
    pub fn max_subjects(&self) -> usize {
        usize::try_from(self.capacity_bytes / JOURNAL_BYTES_PER_SUBJECT).unwrap_or(MAX_SUBJECTS).min(MAX_SUBJECTS)
    }

    fn check(&self) -> Result<(), AgentError> {
        if self.segment_max_bytes < SEGMENT_MIN_BYTES {
            let value = self.segment_max_bytes.to_string();
            return Err(AgentError::Config {
                what: "journal.segment_max_bytes",
                value,
                cure: "set it to at least 32768",
            });
        }
        if self.capacity_bytes / SEGMENTS_MIN < self.segment_max_bytes {
            let value = self.capacity_bytes.to_string();
            return Err(AgentError::Config {
                what: "journal.capacity_bytes",
                value,
                cure: "set it to at least four times journal.segment_max_bytes",
            });
        }
        Ok(())
    }

    /// Of the reserve, what is kept for the checkpoint that frees a full journal.
    pub fn kept_bytes(&self) -> u64 {
        (self.capacity_bytes - self.full_at_bytes()) / 2
    }

    /// Beyond this, observations are refused.
    pub fn full_at_bytes(&self) -> u64 {
        self.capacity_bytes - RESERVE_MAX_BYTES.min(self.capacity_bytes / 2)
    }
}
