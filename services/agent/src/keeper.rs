//! The one writer of the journal: takes what sources saw, makes it durable, answers them, and frees what has its receipt.
//!
//! Observations and all that the clock asks for have room up to where the reserve begins, and are weighed before anything of them is said.
//! Tombstones and a life's first words may use half of the reserve; the other half is for the checkpoint with which the journal is freed. A
//! life without room for its first words begins when there is some; what the lives before have left is delivered meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use medfleet_domain::id::{AgentId, Epoch, SiteId};
use medfleet_journal::{Batch, FsStorage, Journal, JournalId, RECORD_HEADER_BYTES, Reader, SEGMENT_HEADER_BYTES};
use tokio::sync::{mpsc, oneshot, watch};

use crate::account::{Account, Progress};
use crate::clocks::Clocks;
use crate::config::JournalConfig;
use crate::error::AgentError;
use crate::intake::Command;
use crate::metrics::OwnMetrics;
use crate::observation::{Observation, Refusal};
use crate::recorder::Recorder;
use crate::spool::{Checkpoint, Entry, RECORD_BOUND_MAX_BYTES, Recovered, encode_fact, record_bound_bytes};
use crate::stretcher::agent_source;
use crate::window::Poisoned;
use crate::writer::Written;

/// Calls that share one sync.
const GROUP_MAX_CALLS: usize = 256;
/// The journal takes what one sync makes durable in batches of this, and a group that has grown so large waits for no more.
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
    pub progress: watch::Receiver<Progress>,
    pub metrics: OwnMetrics,
}

pub(crate) struct Keeper {
    journal: Arc<Mutex<Journal>>,
    reader: Reader,
    config: JournalConfig,
    life: Life,
    account: Account,
    epoch: Epoch,
    desk: Desk,
    /// Where the newest whole checkpoint begins: what is below can be freed without another.
    checkpoint_at: u64,
    /// Tombstones that wait for room. The delivery asks for some only when it has those before.
    burials: Vec<Burial>,
}

enum Life {
    Begun(Recorder),
    /// There was no room yet for its first words.
    Waiting {
        agent: AgentId,
        recovered: Recovered,
        /// With so much in use there was none.
        tried_at_bytes: u64,
    },
}

type Burial = (Vec<Poisoned>, oneshot::Sender<Vec<u64>>);

/// A group of calls that wait for one sync.
#[derive(Default)]
struct Group {
    entries: Vec<Vec<u8>>,
    /// As the journal will have them.
    bytes: u64,
    observed: Vec<(oneshot::Sender<Vec<Result<(), Refusal>>>, Vec<Result<(), Refusal>>)>,
    buried: Vec<(oneshot::Sender<Vec<u64>>, Vec<u64>)>,
}

/// Opens the journal and reads what the lives before have left in it.
pub(crate) fn recover(config: &JournalConfig) -> Result<(Journal, Recovered), AgentError> {
    let folder = |source| AgentError::Folder { path: config.folder.clone(), source };
    let storage = Arc::new(FsStorage::open(&config.folder).map_err(folder)?);
    let id = Journal::id_of(&*storage)?.unwrap_or_else(|| JournalId(rand::random()));
    let journal = Journal::open(storage, id, config.limits())?;
    let mut recovered = Recovered::from(journal.first_index());
    let mut next_index = journal.first_index();
    loop {
        let records = journal.read(next_index, SCAN_READ_BYTES)?;
        let Some((last, _)) = records.last() else { break };
        next_index = last + 1;
        for (index, bytes) in &records {
            recovered.take(*index, Entry::decode(*index, bytes)?)?;
        }
    }
    recovered.freed_below = recovered.freed_below.clamp(journal.first_index(), journal.next_index());
    Ok((journal, recovered))
}

impl Group {
    fn take(&mut self, entries: Vec<Vec<u8>>) {
        self.bytes += bytes_of(&entries);
        self.entries.extend(entries);
    }
}

impl Keeper {
    /// A new life, with an epoch never used before. It begins at once if there is room.
    pub async fn begin(
        agent: &AgentId,
        config: JournalConfig,
        journal: Journal,
        recovered: Recovered,
        desk: Desk,
    ) -> Result<Self, AgentError> {
        let (epoch, reader) = (new_epoch(&recovered), journal.reader());
        let account = Account::of(&recovered, journal.next_index());
        let checkpoint_at = recovered.checkpoint_at.unwrap_or(0);
        let life = Life::Waiting { agent: agent.clone(), recovered, tried_at_bytes: u64::MAX };
        let journal = Arc::new(Mutex::new(journal));
        let burials = Vec::new();
        let mut keeper = Self { journal, reader, config, life, account, epoch, desk, checkpoint_at, burials };
        keeper.come_alive().await?;
        if matches!(keeper.life, Life::Waiting { .. }) {
            tracing::error!(
                used_bytes = keeper.reader.used_bytes(),
                capacity_bytes = keeper.config.capacity_bytes,
                "the journal is full: what it holds is delivered, and nothing is accepted until there is room"
            );
        }
        Ok(keeper)
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
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
            self.come_alive().await?;
            self.record(std::mem::take(&mut calls)).await?;
            self.free().await?;
        }
        self.say_goodbye().await
    }

    /// Says what the last life left open, and a checkpoint, once there is room for both.
    async fn come_alive(&mut self) -> Result<(), AgentError> {
        let used_bytes = self.reader.used_bytes();
        let Life::Waiting { agent, recovered, tried_at_bytes } = &mut self.life else { return Ok(()) };
        if used_bytes >= std::mem::replace(tried_at_bytes, used_bytes) {
            return Ok(());
        }
        // What the last life left open was seen where it stood.
        let site = recovered.site.as_ref().unwrap_or(&self.desk.site);
        let (mut recorder, written) = Recorder::begin(agent, self.epoch, recovered.clone(), self.desk.clocks.read());
        recorder.follow_at_most(self.config.max_subjects());
        let mut entries = encode(written, site);
        let said = entries.len() as u64;
        let checkpoint =
            checkpoint_of(&recorder, self.freed_below()).with_accepted(self.account.accepted_facts() + said);
        let checkpoint = self.encode_checkpoint(&checkpoint)?;
        let kept_bytes = self.config.kept_bytes().max(bytes_of(&checkpoint));
        if !self.has_room_for(bytes_of(&entries) + bytes_of(&checkpoint) + kept_bytes) {
            return Ok(());
        }
        self.life = Life::Begun(recorder);
        entries.extend(checkpoint);
        self.checkpoint_at = self.reader.next_index() + said;
        self.append(entries).await?;
        self.account.accept(said);
        Ok(())
    }

    /// Takes calls in, makes what they say durable and answers them.
    async fn record(&mut self, calls: Vec<Command>) -> Result<(), AgentError> {
        let mut group = Group::default();
        let has_room = self.turn(&mut group);
        let mut was_full = !has_room;
        for call in calls {
            match call {
                Command::Observe { observations, after_full, reply } => {
                    let mut is_full = after_full || !has_room;
                    let mut answers = Vec::with_capacity(observations.len());
                    for observation in observations {
                        let answer = self.observe(observation, is_full, &mut group);
                        is_full |= matches!(answer, Err(Refusal::Full { .. }));
                        answers.push(answer);
                        if group.bytes >= APPEND_MAX_BYTES {
                            self.commit(std::mem::take(&mut group)).await?;
                        }
                    }
                    was_full |= is_full;
                    group.observed.push((reply, answers));
                }
                Command::Bury { graves, reply } => self.burials.push((graves, reply)),
            }
        }
        self.desk.metrics.full.set(i64::from(was_full));
        self.bury(&mut group);
        self.commit(group).await
    }

    /// Says what the moment asks for. False where there is no room for it, and then nothing of this moment can be accepted.
    fn turn(&mut self, group: &mut Group) -> bool {
        let (room_bytes, reading) = (self.room_bytes(group), self.desk.clocks.read());
        let Life::Begun(recorder) = &mut self.life else { return false };
        let bound_bytes = recorder.turn_bound_bytes(reading, &self.desk.site);
        if bound_bytes > room_bytes {
            return false;
        }
        let max_stretches = (room_bytes - bound_bytes) / RECORD_BOUND_MAX_BYTES;
        let max_stretches = usize::try_from(max_stretches).unwrap_or(usize::MAX);
        let holds = || self.account.state(*self.desk.progress.borrow(), &self.reader, self.config.capacity_bytes);
        let written = recorder.turn_within(reading, max_stretches, || Some(holds()));
        group.take(encode(written, &self.desk.site));
        true
    }

    fn observe(&mut self, observation: Observation, is_full: bool, group: &mut Group) -> Result<(), Refusal> {
        let room_bytes = if is_full { 0 } else { self.room_bytes(group) };
        let full = Refusal::Full { used_bytes: self.reader.used_bytes(), capacity_bytes: self.config.full_at_bytes() };
        let refused = match &mut self.life {
            Life::Waiting { .. } => full,
            Life::Begun(recorder) if recorder.observe_bound_bytes(&observation, &self.desk.site) > room_bytes => {
                recorder.refuse(&observation, self.desk.clocks.read().wall);
                full
            }
            Life::Begun(recorder) => match recorder.observe(observation) {
                Ok(written) => {
                    group.take(encode(written, &self.desk.site));
                    return Ok(());
                }
                Err(refusal) => refusal,
            },
        };
        match &refused {
            Refusal::Full { .. } => self.desk.metrics.refused_full.inc(),
            Refusal::TooManySubjects { .. } => self.desk.metrics.refused_subjects.inc(),
            _ => self.desk.metrics.refused_other.inc(),
        }
        Err(refused)
    }

    /// Says tombstones. Without room they wait, and their facts stay in the journal.
    fn bury(&mut self, group: &mut Group) {
        while let (Life::Begun(_), Some((graves, _))) = (&self.life, self.burials.first()) {
            let source = agent_source();
            let bound = |grave: &Poisoned| {
                2 * record_bound_bytes(&grave.subject, &self.desk.site, &source) + grave.reason.len() as u64
            };
            let bytes: u64 = graves.iter().map(bound).sum();
            if !self.has_room_for(group.bytes + bytes + self.config.kept_bytes()) {
                break;
            }
            let (graves, reply) = self.burials.remove(0);
            let indices = graves.iter().flat_map(|grave| grave.indices.clone()).collect();
            let Life::Begun(recorder) = &mut self.life else { break };
            for Poisoned { subject, kind, seqs, reason, .. } in graves {
                group.take(encode(recorder.bury(subject, kind, seqs, reason), &self.desk.site));
            }
            group.buried.push((reply, indices));
        }
    }

    /// Makes a group durable, and only then answers.
    async fn commit(&mut self, group: Group) -> Result<(), AgentError> {
        let Group { entries, observed, buried, .. } = group;
        let accepted = entries.len() as u64;
        self.append(entries).await?;
        self.account.accept(accepted);
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

    /// Gives up whole segments of what has its receipt. Where the newest checkpoint would go with them another is written first, if that
    /// takes less than it frees: so the journal never lacks one.
    async fn free(&mut self) -> Result<(), AgentError> {
        let below = self.freed_below();
        let freeable_bytes = self.locked().freeable_bytes(below);
        if freeable_bytes == 0 {
            return Ok(());
        }
        if self.locked().freeable_bytes(below.min(self.checkpoint_at)) == 0 {
            let checkpoint = self.checkpoint(below)?;
            let bytes = bytes_of(&checkpoint);
            if bytes >= freeable_bytes || !self.has_room_for(bytes) {
                return Ok(());
            }
            let begins_at = self.reader.next_index();
            self.append(checkpoint).await?;
            self.checkpoint_at = begins_at;
        }
        let (journal, below) = (Arc::clone(&self.journal), below.min(self.checkpoint_at));
        let truncate = move || journal.lock().unwrap_or_else(PoisonError::into_inner).truncate_front(below);
        tokio::task::spawn_blocking(truncate).await.map_err(|source| AgentError::Panicked { source })??;
        self.desk.metrics.journal_bytes.set(self.reader.used_bytes().cast_signed());
        Ok(())
    }

    /// A last sign of life, at this moment, and what has its receipt, if there is room for it: the next life needs neither.
    async fn say_goodbye(&mut self) -> Result<(), AgentError> {
        self.record(Vec::new()).await?;
        let checkpoint = self.checkpoint(self.freed_below())?;
        if matches!(self.life, Life::Waiting { .. }) || bytes_of(&checkpoint) > self.room_bytes(&Group::default()) {
            return Ok(());
        }
        self.append(checkpoint).await
    }

    /// What is left of the journal for observations.
    fn room_bytes(&self, group: &Group) -> u64 {
        self.config.full_at_bytes().saturating_sub(self.reader.used_bytes() + group.bytes)
    }

    /// Whether so much fits the journal, its reserve included; new segments have a header each.
    fn has_room_for(&self, bytes: u64) -> bool {
        let segments = bytes / self.config.segment_max_bytes.min(APPEND_MAX_BYTES) + 2;
        let headers_bytes = segments * SEGMENT_HEADER_BYTES as u64;
        self.reader.used_bytes() + bytes + headers_bytes <= self.config.capacity_bytes
    }

    fn freed_below(&self) -> u64 {
        self.desk.progress.borrow().freed_below
    }

    fn locked(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn checkpoint(&self, freed_below: u64) -> Result<Vec<Vec<u8>>, AgentError> {
        let checkpoint = match &self.life {
            Life::Begun(recorder) => checkpoint_of(recorder, freed_below),
            Life::Waiting { recovered, .. } => {
                let sign = recovered.last_sign_of_life.unwrap_or_else(|| self.desk.clocks.read().wall);
                Checkpoint::new(freed_below, sign, recovered.marks.clone(), &recovered.open)
                    .with_taken(&recovered.taken)
            }
        };
        self.encode_checkpoint(&checkpoint.with_accepted(self.account.accepted_facts()))
    }

    fn encode_checkpoint(&self, checkpoint: &Checkpoint) -> Result<Vec<Vec<u8>>, AgentError> {
        let record_max_bytes = append_max_bytes(self.config.limits().batch_max_bytes()) as usize - RECORD_HEADER_BYTES;
        checkpoint.encode(record_max_bytes)
    }
}

fn checkpoint_of(recorder: &Recorder, freed_below: u64) -> Checkpoint {
    Checkpoint::new(freed_below, recorder.now(), recorder.marks(), recorder.open()).with_taken(recorder.taken())
}

/// As the journal has them.
fn bytes_of(entries: &[Vec<u8>]) -> u64 {
    entries.iter().map(|entry| (entry.len() + RECORD_HEADER_BYTES) as u64).sum()
}

fn append_max_bytes(batch_max_bytes: u64) -> u64 {
    batch_max_bytes.min(APPEND_MAX_BYTES)
}

fn encode(written: Vec<Written>, site: &SiteId) -> Vec<Vec<u8>> {
    written.into_iter().map(|each| encode_fact(each, site)).collect()
}

/// How many of the first entries fit one append, and so one segment; at least one.
fn fitting(entries: &[Vec<u8>], batch_max_bytes: u64) -> usize {
    let max_bytes = append_max_bytes(batch_max_bytes);
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
