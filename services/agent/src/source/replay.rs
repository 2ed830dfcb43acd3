//! Replays a file of what was seen earlier: CSV with a header, or one JSON object per line, read by a mapping file.
//!
//! Rows bring their own time. How far the file was taken in is kept beside the journal and written after the rows are durable, so a
//! crash between the two repeats at most one chunk; every other row enters once, over any number of starts. Of a chunk that finds the
//! journal full, the rows that were durable before are kept as taken. A new life reads the taken rows again, to know what goes on: how a
//! device was between two rows is known from both, whenever the agent was not there.

use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use medfleet_domain::id::{AgentId, Epoch, Subject};
use serde::Deserialize;

use crate::clocks::{Clocks, SystemClocks};
use crate::error::AgentError;
use crate::intake::Intake;
use crate::observation::{Observation, Seen, Stated};
use crate::recorder::Recorder;
use crate::source::Source;
use crate::source::replay_file::{BadRow, ReadRow, Rows};
use crate::source::replay_row::Mapping;
use crate::source::simulated::offer_in_order;
use crate::spool::Recovered;
use crate::stretcher::Open;

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

    fn unreadable(&self, source: std::io::Error) -> AgentError {
        AgentError::File { what: "replay file", path: self.path.clone(), source }
    }

    fn taken(&self) -> u64 {
        fs::read_to_string(&self.progress).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// What the rows taken by earlier lives leave open, as those lives judged them.
    fn ongoing(&self, taken: impl Iterator<Item = ReadRow>) -> Result<Vec<Observation>, AgentError> {
        let reader = AgentId::new("replay").map_err(|source| AgentError::Invalid { source })?;
        let (mut recorder, _) =
            Recorder::begin(&reader, Epoch(0), Recovered::default(), SystemClocks::new(None).read());
        for row in taken {
            let row = match row {
                Ok((_, row)) => row,
                Err(BadRow::Refused { .. }) => continue,
                Err(BadRow::Input(source)) => return Err(self.unreadable(source)),
            };
            // What was refused then is refused now, and was told then.
            for observation in self.mapping.observe(&row).unwrap_or_default() {
                let _ = recorder.observe(observation);
            }
        }
        let goes_on = |(subject, open): (&Subject, &Open)| Observation {
            subject: subject.clone(),
            kind: open.kind,
            source: open.source.clone(),
            stated: Some(Stated { at: open.from, known_at: None }),
            seen: Seen::Ongoing { condition: open.condition, degradation: open.degradation },
        };
        Ok(recorder.open().iter().map(goes_on).collect())
    }

    /// What one row says. Only a file that cannot be read any further is an error.
    fn observe(&self, row: ReadRow) -> Result<Vec<Observation>, AgentError> {
        let (line, why) = match row {
            Ok((line, row)) => match self.mapping.observe(&row) {
                Ok(seen) => return Ok(seen),
                Err(why) => (line, why),
            },
            Err(BadRow::Refused { line, why }) => (line, why),
            Err(BadRow::Input(source)) => return Err(self.unreadable(source)),
        };
        let error = AgentError::Replay { path: self.path.clone(), line, why };
        tracing::warn!(%error, "row was passed over");
        Ok(Vec::new())
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
        let file = File::open(&self.path).map_err(|source| self.unreadable(source))?;
        let rows = Rows::new(BufReader::new(file), &self.mapping);
        let mut rows = rows.peekable();
        let mut ongoing = self.ongoing(rows.by_ref().take(usize::try_from(taken).unwrap_or(usize::MAX)))?;
        while rows.peek().is_some() {
            let mut observations = std::mem::take(&mut ongoing);
            let mut row_ends: Vec<usize> = Vec::new();
            for row in rows.by_ref().take(CHUNK_ROWS) {
                observations.extend(self.observe(row)?);
                row_ends.push(observations.len());
            }
            let before = taken;
            taken += row_ends.len() as u64;
            let rows_within = |settled: usize| row_ends.partition_point(|end| *end <= settled) as u64;
            let keep_settled = |settled: usize| keep(&self.progress, before + rows_within(settled));
            if observations.is_empty() {
                keep(&self.progress, taken)?;
            } else if !offer_in_order(&intake, &self.name, observations, keep_settled).await? {
                return Ok(());
            }
        }
        tracing::info!(source = self.name, rows = taken, "file was replayed to its end");
        Ok(())
    }
}
