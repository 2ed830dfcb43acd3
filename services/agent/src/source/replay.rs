//! Replays a file of what was seen earlier: CSV with a header, or one JSON object per line, read by a mapping file.
//!
//! Rows bring their own time. How far the file was taken in is kept beside the journal and written after the rows are durable, so a
//! crash between the two repeats at most one chunk; every other row enters once, over any number of starts.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::Deserialize;

use crate::error::AgentError;
use crate::intake::Intake;
use crate::observation::Observation;
use crate::source::Source;
use crate::source::replay_file::{Row, csv_rows, json_rows};
use crate::source::replay_row::Mapping;
use crate::source::simulated::offer;

/// Rows that become durable together.
const CHUNK_ROWS: usize = 512;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayConfig {
    pub path: PathBuf,
    /// A TOML file that says what the columns mean.
    pub mapping: PathBuf,
    /// How far the file was taken in is kept here; default: beside the file, with `.taken` after its name.
    #[serde(default)]
    pub progress: Option<PathBuf>,
}

pub struct Replay {
    name: String,
    path: PathBuf,
    progress: PathBuf,
    mapping: Mapping,
}

impl Replay {
    pub fn open(config: &ReplayConfig) -> Result<Self, AgentError> {
        let mapping = Mapping::read(&config.mapping)?;
        let beside = || PathBuf::from(format!("{}.taken", config.path.display()));
        let progress = config.progress.clone().unwrap_or_else(beside);
        Ok(Self { name: config.path.display().to_string(), path: config.path.clone(), progress, mapping })
    }

    /// Rows of the file from a row number on, with their line numbers, until `take` says stop.
    fn rows(&self) -> Result<Box<dyn Iterator<Item = Result<(u64, Row), AgentError>> + Send>, AgentError> {
        let file = File::open(&self.path).map_err(|source| AgentError::File {
            what: "replay file",
            path: self.path.clone(),
            source,
        })?;
        let path = self.path.clone();
        let bad = move |line: u64, why: String| AgentError::Replay { path: path.clone(), line, why };
        if self.mapping.is_json() {
            return Ok(Box::new(json_rows(file, bad)));
        }
        Ok(Box::new(csv_rows(file, self.mapping.delimiter(), bad)))
    }

    fn taken(&self) -> u64 {
        fs::read_to_string(&self.progress).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}

/// Durable before it counts: a new file, synced, then renamed over the old one.
fn keep(progress: &Path, taken: u64) -> Result<(), AgentError> {
    let failed = |source| AgentError::File { what: "progress file", path: progress.to_owned(), source };
    let fresh = progress.with_extension("taken.new");
    let mut file = File::create(&fresh).map_err(failed)?;
    writeln!(file, "{taken}").and_then(|()| file.sync_data()).map_err(failed)?;
    fs::rename(&fresh, progress).map_err(failed)
}

#[async_trait]
impl Source for Replay {
    fn name(&self) -> &str {
        &self.name
    }

    /// A row that cannot be read is reported with its line and passed over; the file goes on.
    async fn run(self: Box<Self>, intake: Intake) -> Result<(), AgentError> {
        let mut taken = self.taken();
        let mut rows = self.rows()?.skip(usize::try_from(taken).unwrap_or(usize::MAX)).peekable();
        while rows.peek().is_some() {
            let mut observations: Vec<Observation> = Vec::new();
            for row in rows.by_ref().take(CHUNK_ROWS) {
                taken += 1;
                let read = row.and_then(|(line, row)| {
                    self.mapping.observe(&row).map_err(|why| AgentError::Replay { path: self.path.clone(), line, why })
                });
                match read {
                    Ok(seen) => observations.extend(seen),
                    Err(error) => tracing::warn!(%error, "row was passed over"),
                }
            }
            offer(&intake, &self.name, observations).await;
            keep(&self.progress, taken)?;
        }
        tracing::info!(source = self.name, rows = taken, "file was replayed to its end");
        Ok(())
    }
}
