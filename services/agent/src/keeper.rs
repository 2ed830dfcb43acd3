//! The one writer of the journal: takes what sources saw, makes it durable, answers them, and frees what has its receipt.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use medfleet_domain::id::{AgentId, Epoch, SiteId};
use medfleet_journal::{Batch, FsStorage, Journal, JournalId, RECORD_HEADER_BYTES, Reader};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clocks::Clocks;
use crate::config::JournalConfig;
use crate::error::AgentError;
use crate::intake::Command;
use crate::metrics::OwnMetrics;
use crate::observation::{Observation, Refusal};
use crate::recorder::Recorder;
use crate::spool::{Checkpoint, Entry, Recovered, encode_fact};
use crate::window::Poisoned;
use crate::writer::Written;

/// Calls that share one sync.
const GROUP_MAX_CALLS: usize = 256;
/// The journal takes what one sync makes durable in batches of this.
const APPEND_MAX_BYTES: u64 = 1024 * 1024;
const TICK: Duration = Duration::from_secs(1);
const SCAN_READ_BYTES: usize = 1024 * 1024;

/// What the keeper needs besides the journal.
pub(crate) struct Desk {
    pub site: SiteId,
    pub clocks: Arc<dyn Clocks>,
    pub commands: mpsc::Receiver<Command>,
    /// One past the last durable record.
    pub durable: watch::Sender<u64>,
    /// Everything below has its receipt.
    pub freed: watch::Receiver<u64>,
    pub metrics: OwnMetrics,
}

pub(crate) struct Keeper {
    journal: Arc<Mutex<Journal>>,
    reader: Reader,
    config: JournalConfig,
    recorder: Recorder,
    desk: Desk,
    /// Where freeing was tried last, so that it is not tried in vain all the time.
    tried_below: u64,
}

/// A group of calls that wait for one sync.
#[derive(Default)]
struct Group {
    entries: Vec<Vec<u8>>,
    observed: Vec<(oneshot::Sender<Vec<Result<(), Refusal>>>, Vec<Result<(), Refusal>>)>,
    buried: Vec<(oneshot::Sender<Vec<u64>>, Vec<u64>)>,
}

/// Opens the journal and reads what the lives before have left in it.
pub(crate) fn recover(config: &JournalConfig) -> Result<(Journal, Recovered), AgentError> {
    let folder = |source| AgentError::Folder { path: config.folder.clone(), source };
    let storage = Arc::new(FsStorage::open(&config.folder).map_err(folder)?);
    let id = Journal::id_of(&*storage)?.unwrap_or_else(|| JournalId(rand::random()));
    let journal = Journal::open(storage, id, config.limits())?;
    let mut recovered = Recovered { freed_below: journal.first_index(), ..Recovered::default() };
    let mut next_index = journal.first_index();
    loop {
        let records = journal.read(next_index, SCAN_READ_BYTES)?;
        let Some((last, _)) = records.last() else { break };
        next_index = last + 1;
        for (index, bytes) in &records {
            recovered.take(Entry::decode(*index, bytes)?);
        }
    }
    recovered.freed_below = recovered.freed_below.clamp(journal.first_index(), journal.next_index());
    Ok((journal, recovered))
}

impl Keeper {
    /// Begins a new life: an epoch never used before, the stretches that the last life left open, and a checkpoint.
    pub async fn begin(
        agent: &AgentId,
        config: JournalConfig,
        journal: Journal,
        recovered: Recovered,
        desk: Desk,
    ) -> Result<Self, AgentError> {
        let epoch = new_epoch(&recovered);
        let freed_below = recovered.freed_below;
        // What the last life left open was seen where it stood.
        let site = recovered.site.clone().unwrap_or_else(|| desk.site.clone());
        let (recorder, written) = Recorder::begin(agent, epoch, recovered, desk.clocks.read());
        let reader = journal.reader();
        let journal = Arc::new(Mutex::new(journal));
        let mut keeper = Self { journal, reader, config, recorder, desk, tried_below: 0 };
        let mut entries = encode(written, &site);
        entries.push(keeper.checkpoint(freed_below)?);
        keeper.append(entries).await?;
        Ok(keeper)
    }

    pub fn epoch(&self) -> Epoch {
        self.recorder.epoch()
    }

    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Runs until every source and the delivery have let go of their senders. Ends early only on an error, and then nothing more is
    /// accepted: a new life begins with a new epoch.
    pub async fn run(mut self) -> Result<(), AgentError> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut calls = Vec::with_capacity(GROUP_MAX_CALLS);
        loop {
            tokio::select! {
                taken = self.desk.commands.recv_many(&mut calls, GROUP_MAX_CALLS) => {
                    if taken == 0 {
                        break;
                    }
                }
                _ = ticks.tick() => {}
            }
            let group = self.record(std::mem::take(&mut calls));
            self.commit(group).await?;
            self.free().await?;
        }
        let checkpoint = self.checkpoint(*self.desk.freed.borrow())?;
        self.append(vec![checkpoint]).await
    }

    fn record(&mut self, calls: Vec<Command>) -> Group {
        let mut group = Group::default();
        let has_room = self.reader.used_bytes() < self.config.full_at_bytes();
        if has_room {
            let written = self.recorder.turn(self.desk.clocks.read());
            group.entries = self.encode(written);
        }
        for call in calls {
            match call {
                Command::Observe { observations, after_full, reply } => {
                    let has_room = has_room && !after_full;
                    let answers =
                        observations.into_iter().map(|each| self.observe(each, has_room, &mut group.entries)).collect();
                    group.observed.push((reply, answers));
                }
                Command::Bury { graves, reply } => {
                    let indices = graves.iter().flat_map(|grave| grave.indices.clone()).collect();
                    self.bury(graves, &mut group.entries);
                    group.buried.push((reply, indices));
                }
            }
        }
        group
    }

    fn observe(&mut self, observation: Observation, has_room: bool, entries: &mut Vec<Vec<u8>>) -> Result<(), Refusal> {
        if !has_room {
            self.recorder.refuse(&observation, self.desk.clocks.read().wall);
            self.desk.metrics.refused_full.inc();
            let (used_bytes, capacity_bytes) = (self.reader.used_bytes(), self.config.full_at_bytes());
            return Err(Refusal::Full { used_bytes, capacity_bytes });
        }
        match self.recorder.observe(observation) {
            Ok(written) => {
                entries.extend(self.encode(written));
                Ok(())
            }
            Err(refusal) => {
                self.desk.metrics.refused_other.inc();
                Err(refusal)
            }
        }
    }

    fn bury(&mut self, graves: Vec<Poisoned>, entries: &mut Vec<Vec<u8>>) {
        for Poisoned { subject, kind, seqs, reason, .. } in graves {
            let written = self.recorder.bury(subject, kind, seqs, reason);
            entries.extend(self.encode(written));
        }
    }

    /// Makes a group durable, and only then answers.
    async fn commit(&mut self, group: Group) -> Result<(), AgentError> {
        let Group { entries, observed, buried } = group;
        let accepted = entries.len() as u64;
        self.append(entries).await?;
        self.desk.metrics.accepted.inc_by(accepted);
        // A caller that has gone away does not want its answer.
        for (reply, answers) in observed {
            let _ = reply.send(answers);
        }
        for (reply, indices) in buried {
            let _ = reply.send(indices);
        }
        Ok(())
    }

    async fn append(&mut self, mut entries: Vec<Vec<u8>>) -> Result<(), AgentError> {
        while !entries.is_empty() {
            let rest = entries.split_off(fitting(&entries, self.config.limits().batch_max_bytes()));
            let part: Batch = std::mem::replace(&mut entries, rest).into_iter().collect();
            let journal = Arc::clone(&self.journal);
            let append = move || journal.lock().unwrap_or_else(PoisonError::into_inner).append_batch(part);
            let indices =
                tokio::task::spawn_blocking(append).await.map_err(|source| AgentError::Panicked { source })??;
            self.desk.durable.send_replace(indices.end);
        }
        self.desk.metrics.journal_bytes.set(self.reader.used_bytes().cast_signed());
        Ok(())
    }

    /// Gives up what has its receipt, once a whole segment of it has gathered. The checkpoint goes first, so the journal never lacks one.
    async fn free(&mut self) -> Result<(), AgentError> {
        let below = *self.desk.freed.borrow_and_update();
        let (first, next) = (self.reader.first_index(), self.reader.next_index());
        let segment_records = self.config.segment_max_bytes * (next - first).max(1) / self.reader.used_bytes().max(1);
        let is_worth_it = below >= first + segment_records && below >= self.tried_below + segment_records / 4;
        if !is_worth_it {
            return Ok(());
        }
        self.tried_below = below;
        let checkpoint = self.checkpoint(below)?;
        self.append(vec![checkpoint]).await?;
        let journal = Arc::clone(&self.journal);
        let truncate = move || journal.lock().unwrap_or_else(PoisonError::into_inner).truncate_front(below);
        tokio::task::spawn_blocking(truncate).await.map_err(|source| AgentError::Panicked { source })??;
        self.desk.metrics.journal_bytes.set(self.reader.used_bytes().cast_signed());
        Ok(())
    }

    fn checkpoint(&self, freed_below: u64) -> Result<Vec<u8>, AgentError> {
        Checkpoint::new(freed_below, self.recorder.now(), self.recorder.marks(), self.recorder.open()).encode()
    }

    fn encode(&self, written: Vec<Written>) -> Vec<Vec<u8>> {
        encode(written, &self.desk.site)
    }
}

fn encode(written: Vec<Written>, site: &SiteId) -> Vec<Vec<u8>> {
    written.into_iter().map(|each| encode_fact(each, site)).collect()
}

/// How many of the first entries fit one append, and so one segment; at least one.
fn fitting(entries: &[Vec<u8>], batch_max_bytes: u64) -> usize {
    let max_bytes = batch_max_bytes.min(APPEND_MAX_BYTES);
    let mut bytes = 0;
    let fits = |entry: &&Vec<u8>| {
        bytes += (entry.len() + RECORD_HEADER_BYTES) as u64;
        bytes <= max_bytes
    };
    entries.iter().take_while(fits).count().max(1)
}

fn new_epoch(recovered: &Recovered) -> Epoch {
    loop {
        let epoch = Epoch::of_writer(rand::random());
        if epoch.0 != 0 && !recovered.epochs.contains(&epoch) {
            return epoch;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group larger than a segment once ended the agent.
    #[test]
    fn every_part_of_a_group_fits_one_segment() {
        let mut entries: Vec<Vec<u8>> = (0..5_000).map(|size| vec![0; size % 200]).collect();
        let batch_max_bytes = 64 * 1024;
        let mut parts = 0;
        while !entries.is_empty() {
            let rest = entries.split_off(fitting(&entries, batch_max_bytes));
            let bytes: usize = entries.iter().map(|entry| entry.len() + RECORD_HEADER_BYTES).sum();
            assert!(bytes as u64 <= batch_max_bytes);
            (entries, parts) = (rest, parts + 1);
        }
        assert!(parts > 5);
    }
}
