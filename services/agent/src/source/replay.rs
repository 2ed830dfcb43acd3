//! Replays a file of what was seen earlier: CSV with a header, or one JSON object per line, read by a mapping file.
//!
//! Rows bring their own time. How far the file was taken in stands in the journal, with each fact that a row says, so that every row enters
//! once over any number of starts, wherever one ended; beside the journal a progress file keeps it by the chunk, for rows that say nothing
//! and for people. Delete that file to replay from the beginning. A new life reads the taken rows again, to know what goes on: how a
//! device was between two rows is known from both, whenever the agent was not there.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Write};
use std::path::PathBuf;

use async_trait::async_trait;
use medfleet_domain::id::{AgentId, Epoch, Subject};
use serde::Deserialize;

use crate::clocks::{Clocks, SystemClocks};
use crate::error::AgentError;
use crate::intake::Intake;
use crate::observation::{Observation, Origin, Place, Seen, Stated};
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

    /// How far it was taken in; of a replay that begins, a new reel.
    fn progress(&self) -> Result<Progress, AgentError> {
        let fresh = |rows| Progress { rows, reel: rand::random() };
        let text = match fs::read_to_string(&self.progress) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let fresh = fresh(0);
                return self.keep(fresh).map(|()| fresh);
            }
            read => read.map_err(|source| self.failed(source))?,
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let reel = |word: &str| u64::from_str_radix(word, 16).ok();
        let said = match *words {
            // As agents wrote it that kept no place in the journal.
            [rows] => rows.parse().ok().map(fresh),
            [rows, word] => rows.parse().ok().zip(reel(word)).map(|(rows, reel)| Progress { rows, reel }),
            _ => None,
        };
        let cure = "delete it to replay the file from its beginning";
        let progress = said.ok_or(AgentError::Config { what: "progress file", value: text.trim().into(), cure })?;
        if words.len() == 1 {
            self.keep(progress)?;
        }
        Ok(progress)
    }

    fn failed(&self, source: std::io::Error) -> AgentError {
        AgentError::File { what: "progress file", path: self.progress.clone(), source }
    }

    /// Durable before it counts: a new file, synced, then renamed over the old one.
    fn keep(&self, Progress { rows, reel }: Progress) -> Result<(), AgentError> {
        let failed = |source| self.failed(source);
        let fresh = self.progress.with_extension("taken.new");
        let mut file = File::create(&fresh).map_err(failed)?;
        writeln!(file, "{rows} {reel:016x}").and_then(|()| file.sync_data()).map_err(failed)?;
        fs::rename(&fresh, &self.progress).map_err(failed)
    }

    /// What one row says, each with its place. Only a file that cannot be read any further is an error.
    fn observe(&self, reel: u64, row: u64, read: ReadRow, is_known: bool) -> Result<Vec<Observation>, AgentError> {
        let observed = match read {
            Ok((line, cells)) => self.mapping.observe(&cells).map_err(|why| (line, why)),
            Err(BadRow::Refused { line, why }) => Err((line, why)),
            Err(BadRow::Input(source)) => return Err(self.unreadable(source)),
        };
        let mut observations = observed.unwrap_or_else(|(line, why)| {
            if !is_known {
                let error = AgentError::Replay { path: self.path.clone(), line, why };
                tracing::warn!(%error, "row was passed over");
            }
            Vec::new()
        });
        for (nth, observation) in (0..).zip(&mut observations) {
            if let Some(stated) = &mut observation.stated {
                stated.origin = Some(Origin { reel, place: Place { row, nth } });
            }
        }
        Ok(observations)
    }

    /// Offers a chunk. Answers whether all of it is settled: where the agent ends before, the rest is for the next life.
    async fn offer(&self, intake: &Intake, reel: u64, chunk: Chunk) -> Result<bool, AgentError> {
        let Chunk { observations, rows_of, rows_end, .. } = chunk;
        let keep =
            |settled: usize| self.keep(Progress { reel, rows: rows_of.get(settled).copied().unwrap_or(rows_end) });
        if observations.is_empty() {
            return keep(0).map(|()| true);
        }
        offer_in_order(intake, &self.name, observations, keep).await
    }
}

/// What the progress file says.
#[derive(Debug, Clone, Copy)]
struct Progress {
    rows: u64,
    reel: u64,
}

/// Rows that become durable together, as far as they are not settled.
#[derive(Default)]
struct Chunk {
    observations: Vec<Observation>,
    /// The row of each.
    rows_of: Vec<u64>,
    rows: usize,
    /// One past the last row.
    rows_end: u64,
}

impl Chunk {
    fn push(&mut self, row: u64, observation: Observation) {
        self.observations.push(observation);
        self.rows_of.push(row);
    }

    /// Before all others, with the first of them.
    fn begin_with(&mut self, ongoing: Vec<Observation>) {
        if let Some(row) = self.rows_of.first().copied() {
            self.rows_of.splice(..0, vec![row; ongoing.len()]);
            self.observations.splice(..0, ongoing);
        }
    }
}

/// What earlier lives took in, and how they left each device.
struct Before {
    rows: u64,
    last: Option<Place>,
    recorder: Recorder,
}

impl Before {
    fn new(rows: u64, last: Option<Place>) -> Result<Self, AgentError> {
        let reader = AgentId::new("replay").map_err(|source| AgentError::Invalid { source })?;
        let reading = SystemClocks::new(None).read();
        let (recorder, _) = Recorder::begin(&reader, Epoch(0), Recovered::default(), reading);
        Ok(Self { rows, last, recorder })
    }

    /// Takes an observation that is settled and gives back one that is not. Of one that says a condition the journal may have a part
    /// only: it is said again, which changes nothing.
    fn take(&mut self, observation: Observation) -> Option<Observation> {
        let origin = observation.stated.and_then(|stated| stated.origin)?;
        let is_event = matches!(observation.seen, Seen::Event(_));
        let within = |last: Place| origin.place < last || (origin.place == last && is_event);
        if origin.place.row >= self.rows && !self.last.is_some_and(within) {
            return Some(observation);
        }
        // Events leave nothing open. What was refused then is refused now, and was told then.
        if !is_event {
            let _ = self.recorder.observe(observation);
        }
        None
    }

    fn ongoing(&self) -> Vec<Observation> {
        let goes_on = |(subject, open): (&Subject, &Open)| Observation {
            subject: subject.clone(),
            kind: open.kind,
            source: open.source.clone(),
            stated: Some(Stated::at(open.from)),
            seen: Seen::Ongoing { condition: open.condition, degradation: open.degradation },
        };
        self.recorder.open().iter().map(goes_on).collect()
    }
}

#[async_trait]
impl Source for Replay {
    fn name(&self) -> &str {
        &self.name
    }

    /// A row that cannot be read is reported with its line and passed over; the file goes on.
    async fn run(self: Box<Self>, intake: Intake) -> Result<(), AgentError> {
        let Progress { rows: known, reel } = self.progress()?;
        let file = File::open(&self.path).map_err(|source| self.unreadable(source))?;
        let mut before = Before::new(known, intake.taken(reel))?;
        let (mut chunk, mut is_first, mut rows) = (Chunk::default(), true, 0);
        let mut read = Rows::new(BufReader::new(file), &self.mapping).peekable();
        while let Some(one) = read.next() {
            for observation in self.observe(reel, rows, one, rows < known)? {
                if let Some(unsettled) = before.take(observation) {
                    chunk.push(rows, unsettled);
                }
            }
            rows += 1;
            (chunk.rows, chunk.rows_end) = (chunk.rows + usize::from(rows > known), rows);
            let is_full = chunk.rows == CHUNK_ROWS || (chunk.rows > 0 && read.peek().is_none());
            if is_full {
                if is_first && !chunk.observations.is_empty() {
                    chunk.begin_with(before.ongoing());
                    is_first = false;
                }
                if !self.offer(&intake, reel, std::mem::take(&mut chunk)).await? {
                    return Ok(());
                }
            }
        }
        tracing::info!(source = self.name, rows, "file was replayed to its end");
        Ok(())
    }
}
