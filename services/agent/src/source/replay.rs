//! Replays a file of what was seen earlier: CSV with a header, or one JSON object per line, read by a mapping file.
//!
//! Rows bring their own time. How far the file was taken in is kept beside the journal and written after the rows are durable, so a
//! crash between the two repeats at most one chunk; every other row enters once, over any number of starts.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::Deserialize;

use crate::error::AgentError;
use crate::intake::Intake;
use crate::observation::Observation;
use crate::source::Source;
use crate::source::replay_row::Mapping;
use crate::source::simulated::offer;

/// Rows that become durable together.
const CHUNK_ROWS: usize = 512;
/// The longest line taken from a file.
const LINE_MAX_BYTES: usize = 64 * 1024;

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

/// The fields of one row by column name.
pub type Row = BTreeMap<String, String>;

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
            return Ok(Box::new(json_rows(BufReader::new(file), bad)));
        }
        let reader = csv::ReaderBuilder::new().delimiter(self.mapping.delimiter()).flexible(true).from_reader(file);
        Ok(Box::new(csv_rows(reader, bad)))
    }

    fn taken(&self) -> u64 {
        fs::read_to_string(&self.progress).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}

fn json_rows(
    reader: BufReader<File>,
    bad: impl Fn(u64, String) -> AgentError + Send + 'static,
) -> impl Iterator<Item = Result<(u64, Row), AgentError>> + Send {
    reader.lines().zip(1..).map(move |(text, line)| {
        let text = text.map_err(|error| bad(line, error.to_string()))?;
        if text.len() > LINE_MAX_BYTES {
            return Err(bad(line, format!("{} bytes are over the limit of {LINE_MAX_BYTES}", text.len())));
        }
        let object: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|error| bad(line, error.to_string()))?;
        let plain = |value| match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        Ok((line, object.into_iter().map(|(key, value)| (key, plain(value))).collect()))
    })
}

fn csv_rows(
    mut reader: csv::Reader<File>,
    bad: impl Fn(u64, String) -> AgentError + Send + 'static,
) -> impl Iterator<Item = Result<(u64, Row), AgentError>> + Send {
    let header = reader.headers().cloned();
    let mut record = csv::StringRecord::new();
    std::iter::from_fn(move || {
        let header = match &header {
            Ok(header) => header,
            Err(error) => return Some(Err(bad(1, error.to_string()))),
        };
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => None,
            Ok(true) => {
                let row = header
                    .iter()
                    .zip(record.iter())
                    .map(|(key, value)| (key.trim().into(), value.trim().into()))
                    .collect();
                Some(Ok((line, row)))
            }
            Err(error) => Some(Err(bad(line, error.to_string()))),
        }
    })
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
