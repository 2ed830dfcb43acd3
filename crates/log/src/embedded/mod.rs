//! The keeper for one machine: one journal per partition under one folder, group commit, fdatasync before every answer.
//!
//! ```text
//! <folder>/log.json                       the log's identity and its topics
//! <folder>/<topic>/<partition>/*          the journal of one partition
//! ```

mod frame;
mod meta;
mod partition;
mod tail;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use medfleet_journal::{FolderLock, FsStorage, Limits, MAX_BATCH_BYTES, Storage};
use tokio::sync::watch;

use crate::admission::{Admitted, Counters, admit, conclude};
use crate::blocking::blocking;
use crate::error::{AppendError, LogError, Outcome};
use crate::port::{Bounds, EventLog, LogId, LogStats, NewRecord, Partition, Position, Record, Tail};
use crate::topics::{Topic, TopicDeclaration};
use meta::Meta;
use partition::{Keeper, Share};
use tail::EmbeddedTail;

/// A segment holds the journal's largest batch, or an append that is within its limit could not be written.
pub const MIN_SEGMENT_BYTES: u64 = MAX_BATCH_BYTES + 64 * 1024;

/// Where the embedded log lives and how large it may grow.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    pub folder: PathBuf,
    /// What a trim frees at once; at least [`MIN_SEGMENT_BYTES`].
    pub segment_max_bytes: u64,
    /// At this size a partition refuses records, loudly, until it is trimmed.
    pub partition_max_bytes: u64,
}

impl EmbeddedConfig {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            segment_max_bytes: 64 * 1024 * 1024,
            partition_max_bytes: 16 * 1024 * 1024 * 1024,
        }
    }
}

/// A log kept on this machine.
pub struct EmbeddedLog {
    log_id: LogId,
    topics: HashMap<Topic, Vec<Arc<Keeper>>>,
    counters: Counters,
    /// The first partition whose journal failed.
    broken: watch::Sender<Option<Partition>>,
    /// Two processes on one log would each know half of it.
    _lock: FolderLock,
}

impl EmbeddedLog {
    /// Opens the log in this folder, or begins it. A declared topic that is new to the log is added; one with another
    /// partition count is refused.
    pub async fn open(config: EmbeddedConfig, declarations: &[TopicDeclaration]) -> Result<Self, LogError> {
        let declarations = declarations.to_vec();
        blocking(move || Self::open_blocking(&config, &declarations)).await
    }

    fn open_blocking(config: &EmbeddedConfig, declarations: &[TopicDeclaration]) -> Result<Self, LogError> {
        let folder = config.folder.as_path();
        if config.segment_max_bytes < MIN_SEGMENT_BYTES {
            let why = format!(
                "its segments of {} bytes are too small: use at least {MIN_SEGMENT_BYTES}",
                config.segment_max_bytes
            );
            return Err(LogError::Folder { path: folder.to_owned(), why });
        }
        let lock = lock(folder)?;
        let mut meta = Meta::load_or_begin(folder)?;
        let log_id = meta.log_id()?;
        let limits = Limits { segment_max_bytes: config.segment_max_bytes, capacity_bytes: config.partition_max_bytes };
        let mut topics = HashMap::new();
        for declaration in declarations {
            let remembered = meta.agreed(declaration)?.is_some();
            let open = |partition| {
                let home = Partition::new(declaration.topic, partition);
                let folder = folder.join(declaration.topic.name()).join(partition.to_string());
                Keeper::open(&folder, home, log_id, limits, remembered).map(Arc::new)
            };
            let keepers = (0..declaration.partitions).map(open).collect::<Result<Vec<_>, _>>()?;
            topics.insert(declaration.topic, keepers);
            if !remembered {
                meta.topics.insert(declaration.topic.name().to_owned(), declaration.partitions);
                meta.store(folder)?;
            }
        }
        Ok(Self { log_id, topics, counters: Counters::default(), broken: watch::Sender::default(), _lock: lock })
    }

    fn keepers(&self, topic: Topic) -> Result<&[Arc<Keeper>], LogError> {
        self.topics
            .get(&topic)
            .map(Vec::as_slice)
            .ok_or_else(|| LogError::UnknownTopic { topic: topic.name().to_owned() })
    }

    fn keeper(&self, home: Partition) -> Result<&Arc<Keeper>, LogError> {
        let keepers = self.keepers(home.topic)?;
        let partitions = keepers.len() as u32;
        keepers.get(home.partition as usize).ok_or(LogError::UnknownPartition { home, partitions })
    }

    /// Tells who waits for it where a journal has failed.
    fn look_at(&self, home: Partition, keeper: &Keeper) {
        if keeper.is_broken() {
            self.broken.send_if_modified(|first| first.is_none() && first.replace(home).is_none());
        }
    }

    /// Appends to all partitions side by side, each in the order of the call.
    async fn append_admitted(&self, records: &[NewRecord], admitted: &Admitted) -> Result<Vec<Position>, AppendError> {
        let mut shares: HashMap<Partition, Share<'_>> = HashMap::new();
        for (place, (record, home)) in records.iter().zip(&admitted.homes).enumerate() {
            shares.entry(*home).or_default().push((place, record));
        }
        let mut appends = Vec::with_capacity(shares.len());
        for (home, share) in shares {
            let keeper = self.keeper(home).map_err(|error| AppendError::refused(records.len(), error))?;
            appends.push(async move {
                let answer = keeper.append(share, || self.counters.waited_for_room()).await;
                if answer.1.is_some() {
                    self.look_at(home, keeper);
                }
                answer
            });
        }
        let mut outcomes = vec![Outcome::Unknown; records.len()];
        let mut trouble = None;
        for (settled, error) in join_all(appends).await {
            for (place, outcome) in settled {
                outcomes[place] = outcome;
            }
            trouble = trouble.or(error);
        }
        conclude(outcomes, trouble)
    }
}

fn lock(folder: &Path) -> Result<FolderLock, LogError> {
    let io = |action| move |source| LogError::Io { action, path: folder.to_owned(), source };
    let storage = FsStorage::open(folder).map_err(io("make"))?;
    storage.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            let why = "another process holds this log: stop it, or give this one a folder of its own".to_owned();
            LogError::Folder { path: folder.to_owned(), why }
        }
        _ => io("lock")(error),
    })
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn log_id(&self) -> LogId {
        self.log_id
    }

    fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.keepers(topic).map(|keepers| keepers.len() as u32)
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Position>, AppendError> {
        let (answer, weight_bytes) = match admit(&records, |topic| self.partitions(topic)) {
            Ok(admitted) => (self.append_admitted(&records, &admitted).await, admitted.weight_bytes),
            Err(error) => (Err(AppendError::refused(records.len(), error)), 0),
        };
        self.counters.count(&answer, weight_bytes);
        answer
    }

    async fn read(&self, from: Position, max_bytes: usize) -> Result<Vec<Record>, LogError> {
        let keeper = Arc::clone(self.keeper(from.home())?);
        blocking(move || keeper.read(from, max_bytes)).await
    }

    async fn tail(&self, from: &[Position]) -> Result<Box<dyn Tail>, LogError> {
        let place = |&at: &Position| {
            let keeper = self.keeper(at.home())?;
            keeper.bounds().judge(at)?;
            Ok((Arc::clone(keeper), at))
        };
        let places = from.iter().map(place).collect::<Result<Vec<_>, LogError>>()?;
        Ok(Box::new(EmbeddedTail::new(places)))
    }

    async fn bounds(&self, home: Partition) -> Result<Bounds, LogError> {
        self.keeper(home).map(|keeper| keeper.bounds())
    }

    async fn trim(&self, below: Position) -> Result<Bounds, LogError> {
        let keeper = self.keeper(below.home())?;
        let trimmed = Arc::clone(keeper);
        let answer = blocking(move || trimmed.trim(below)).await;
        if answer.is_err() {
            self.look_at(below.home(), keeper);
        }
        answer
    }

    fn stats(&self) -> LogStats {
        self.counters.snapshot()
    }

    async fn broken(&self) -> LogError {
        let mut broken = self.broken.subscribe();
        match broken.wait_for(Option::is_some).await.map(|home| *home) {
            Ok(Some(home)) => LogError::Broken { home },
            _ => LogError::Closed,
        }
    }
}
