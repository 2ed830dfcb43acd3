//! Building tables anew, beside those in use, and swapping them in only when all say the same. The log tells what it has,
//! and the archive what came before; the archive itself is then built from its own original bytes. A table of an earlier
//! shape or of earlier rules has nothing to say about today's rows: it is succeeded without being compared.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use medfleet_lake::{
    ContentHash, Lake, LakeError, Origin, Reader, ReaderLimits, Restored, Table, TableVersion, content_hash, reached,
    restore,
};
use medfleet_log::{EventLog, Partition, Topic};
use tokio::task::JoinSet;

use crate::archive::Archive;
use crate::book::{Book, Memory};
use crate::chronicle::{self, is_chronicle};
use crate::clerk::{Clerk, Spans};
use crate::error::ProcessorError;
use crate::flush::{ROLLUPS, Shelves, app_id, definition};
use crate::rows::Wanted;
use crate::told::Told;
use crate::worker::origin;

const READ_BYTES: usize = 8 * 1024 * 1024;
/// Nobody waits for freshness, and a flush writes a file for every day it touches.
const FLUSH_ROWS: usize = 250_000;
/// Partitions are folded on so many threads at most; each holds up to twice [`FLUSH_ROWS`] rows and the tables' writers.
const FOLDS_MAX: usize = 8;

/// What a rebuild found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    pub rows: u64,
    pub hash: String,
    pub generation: String,
    /// What an earlier program made differently, where one made the table that this one succeeds.
    pub succeeds: Option<String>,
}

/// A table in use.
struct Current {
    table: Table,
    /// Why its rows cannot be compared with today's.
    outdated: Option<String>,
}

impl Current {
    async fn of(table: Table, origin: &Origin) -> Result<Self, ProcessorError> {
        let outdated = match table.verify(origin).await {
            Ok(()) => None,
            Err(LakeError::RulesChanged { found, wanted, .. }) => {
                Some(format!("built by [{found}], now by [{wanted}]"))
            }
            Err(LakeError::ShapeChanged { detail, .. }) => Some(format!("of another shape: {detail}")),
            Err(error) => return Err(error.into()),
        };
        Ok(Self { table, outdated })
    }

    fn name(&self) -> &'static str {
        self.table.name()
    }

    async fn hashed(&self, reader: &Reader) -> Result<Option<ContentHash>, ProcessorError> {
        match self.outdated {
            None => hashed(reader, &self.table).await.map(Some),
            Some(_) => Ok(None),
        }
    }
}

/// Rebuilds tables. The process that owns the data folder must not run a worker meanwhile.
///
/// Tables that contain the same part of the log, as all do once a worker was stopped, are built in one fold.
pub fn rebuild<'a>(
    log: Arc<dyn EventLog>,
    lake: &'a Lake,
    tables: &'a [&'a str],
    progress: impl Fn(u64) + Send + Sync + 'static,
) -> BoxFuture<'a, Result<BTreeMap<&'static str, Rebuilt>, ProcessorError>> {
    rebuild_all(log, lake, tables, Arc::new(progress)).boxed()
}

/// Hears of every record that was folded.
type Progress = Arc<dyn Fn(u64) + Send + Sync>;

async fn rebuild_all(
    log: Arc<dyn EventLog>,
    lake: &Lake,
    tables: &[&str],
    progress: Progress,
) -> Result<BTreeMap<&'static str, Rebuilt>, ProcessorError> {
    let origin = origin(&*log);
    let homes = partitions(&*log)?;
    let apps = apps(&origin.log, &homes);
    let mut alike: BTreeMap<BTreeMap<String, i64>, Vec<Current>> = BTreeMap::new();
    for name in tables {
        let table = lake.current_or_create(definition(name)?, &origin).await?;
        let txns = reached(&table, &apps).await?;
        alike.entry(txns).or_default().push(Current::of(table, &origin).await?);
    }
    let mut rebuilt = BTreeMap::new();
    for (txns, tables) in alike {
        let ground = Ground::survey(Arc::clone(&log), lake, &homes, &tables, &txns).await?;
        rebuilt.extend(ground.rebuild(tables, &progress).await?);
    }
    Ok(rebuilt)
}

/// Under what names tables know these partitions of the log.
fn apps<'a>(log: &str, homes: impl IntoIterator<Item = &'a Partition>) -> Vec<String> {
    homes.into_iter().map(|home| app_id(log, *home)).collect()
}

/// Where one partition's records are read: what the archive tells, then what the log has.
#[derive(Clone)]
struct Source {
    home: Partition,
    told: Range<u64>,
    logged: Range<u64>,
}

/// As even parts as there are threads.
fn shares(sources: Vec<Source>) -> Vec<Vec<Source>> {
    let count = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, FOLDS_MAX);
    let mut shares: Vec<Vec<Source>> = (0..count).map(|_| Vec::new()).collect();
    sources.into_iter().enumerate().for_each(|(place, source)| shares[place % count].push(source));
    shares.retain(|share| !share.is_empty());
    shares
}

/// What all folds of tables that contain the same part of the log stand on.
#[derive(Clone)]
struct Ground {
    log: Arc<dyn EventLog>,
    lake: Lake,
    /// The tables to be filled, beside those in use.
    fresh: Vec<Table>,
    origin: Origin,
    /// The archive to read from.
    facts: TableVersion,
    sources: Vec<Source>,
}

impl Ground {
    /// Finds where every record that the tables contain is told, and makes the tables to be filled.
    async fn survey(
        log: Arc<dyn EventLog>,
        lake: &Lake,
        homes: &[Partition],
        tables: &[Current],
        txns: &BTreeMap<String, i64>,
    ) -> Result<Self, ProcessorError> {
        let origin = origin(&*log);
        let archive = lake.current_or_create(definition("facts")?, &origin).await?;
        match archive.verify(&origin).await {
            // Original bytes and their causes are what they were under all rules.
            Ok(()) | Err(LakeError::RulesChanged { .. }) => {}
            Err(LakeError::ShapeChanged { detail, .. }) => return Err(ProcessorError::UnreadableArchive { detail }),
            Err(error) => return Err(error.into()),
        }
        let archived = reached(&archive, apps(&origin.log, homes)).await?;
        let mut sources = Vec::new();
        for home in homes {
            let app = app_id(&origin.log, *home);
            let next_of = |txns: &BTreeMap<String, i64>| txns.get(&app).map_or(0, |next| next.cast_unsigned());
            let (until, archived, floor) = (next_of(txns), next_of(&archived), log.bounds(*home).await?.floor);
            let by_archive = floor.min(until);
            if by_archive > archived {
                return Err(ProcessorError::Trimmed { partition: home.to_string(), floor, archived });
            }
            sources.push(Source { home: *home, told: 0..by_archive, logged: by_archive..until });
        }
        let mut fresh = Vec::new();
        for current in tables {
            fresh.push(lake.create_generation(current.table.def(), &origin).await?);
        }
        let facts = archive.newest_version().await?;
        Ok(Self { log, lake: lake.clone(), fresh, origin, facts, sources })
    }

    /// Folds once for all tables, compares each with the one in use, and swaps all in when none differs.
    async fn rebuild(
        self,
        tables: Vec<Current>,
        progress: &Progress,
    ) -> Result<Vec<(&'static str, Rebuilt)>, ProcessorError> {
        let reader = Reader::new(self.lake.clone(), ReaderLimits::default())?;
        let hash_all = async || {
            let mut hashes = Vec::new();
            for current in &tables {
                hashes.push(current.hashed(&reader).await?);
            }
            Ok(hashes)
        };
        let ((), before) = tokio::try_join!(self.fold_all(progress), hash_all())?;
        let mut rebuilt = Vec::new();
        for ((current, fresh), before) in tables.into_iter().zip(&self.fresh).zip(before) {
            let after = hashed(&reader, fresh).await?;
            if let Some(before) = before.filter(|before| *before != after) {
                return Err(self.refuse(current.name(), &before, &after).await?);
            }
            let (hash, generation) = (format!("{:032x}", after.sum), fresh.generation().to_owned());
            let done = Rebuilt { rows: after.rows, hash, generation, succeeds: current.outdated };
            rebuilt.push((fresh.name(), done));
        }
        for fresh in &self.fresh {
            self.lake.swap(fresh).await?;
        }
        Ok(rebuilt)
    }

    /// Takes away what was built: none of it is swapped in.
    async fn refuse(
        &self,
        table: &str,
        before: &ContentHash,
        after: &ContentHash,
    ) -> Result<ProcessorError, ProcessorError> {
        for fresh in &self.fresh {
            self.lake.remove_generation(fresh).await?;
        }
        let shown = |hash: &ContentHash| format!("{} rows, {:032x}", hash.rows, hash.sum);
        let (current, rebuilt) = (shown(before), shown(after));
        Ok(ProcessorError::HashDiffers { table: table.to_owned(), current, rebuilt })
    }

    /// Sites first: rollups ask for their time zones. Subjects of different partitions know nothing of each other.
    async fn fold_all(&self, progress: &Progress) -> Result<(), ProcessorError> {
        let (fleet, facts): (Vec<Source>, Vec<Source>) =
            self.sources.iter().cloned().partition(|source| source.home.topic == Topic::FLEET);
        let mut shares = shares(facts);
        let first = shares.pop().unwrap_or_default();
        let mut clerk = self.clerk(fleet.iter().chain(&first), Memory::default()).await?;
        self.tell(&mut clerk, fleet, progress).await?;
        let zones = clerk.book.memory.zones.clone();
        let mut folds = JoinSet::new();
        folds.spawn(self.clone().fold(clerk, first, progress.clone()));
        for share in shares {
            let (ground, progress) = (self.clone(), progress.clone());
            let memory = Memory { zones: zones.clone(), ..Memory::default() };
            folds.spawn(async move {
                let clerk = ground.clerk(&share, memory).await?;
                ground.fold(clerk, share, progress).await
            });
        }
        folds.join_all().await.into_iter().collect()
    }

    /// A clerk that makes only the rows of the fresh tables; several, for disjoint partitions, write them side by side.
    async fn clerk<'a>(
        &self,
        sources: impl IntoIterator<Item = &'a Source>,
        memory: Memory,
    ) -> Result<Clerk, ProcessorError> {
        let reader = || Reader::new(self.lake.clone(), ReaderLimits::default());
        let apps = apps(&self.origin.log, sources.into_iter().map(|source| &source.home));
        let (mut writers, mut made) = (Vec::new(), BTreeSet::new());
        for fresh in &self.fresh {
            let Restored { writer, .. } = restore(fresh, &self.origin, &apps).await?;
            let is_rollup = ROLLUPS.iter().any(|(rollup, _)| *rollup == fresh.name());
            made.insert(if is_rollup { "intervals" } else { fresh.name() });
            writers.push((fresh.name(), writer));
        }
        let shelves = Shelves::fresh(writers, &self.origin.log, reader()?);
        let book = Book::remembering(memory).making(Wanted::Only(made));
        Ok(Clerk::new(book, shelves, Archive::new(reader()?), Some(self.facts.clone())))
    }

    async fn tell(&self, clerk: &mut Clerk, sources: Vec<Source>, progress: &Progress) -> Result<(), ProcessorError> {
        let told = sources.iter().map(|source| (source.home, source.told.clone())).collect::<Spans>();
        clerk.replay(&told, FLUSH_ROWS, |_| progress(1)).await?;
        for source in sources {
            tail(&*self.log, clerk, source.home, source.logged, progress).await?;
        }
        Ok(())
    }

    async fn fold(self, mut clerk: Clerk, sources: Vec<Source>, progress: Progress) -> Result<(), ProcessorError> {
        self.tell(&mut clerk, sources, &progress).await?;
        clerk.flush(true).await?;
        clerk.land().await?;
        // Nobody waits until all that it remembers is let go.
        tokio::task::spawn_blocking(move || drop(clerk));
        Ok(())
    }
}

/// Content hash of every table that exists.
pub fn hashes(lake: &Lake) -> BoxFuture<'_, Result<BTreeMap<&'static str, ContentHash>, ProcessorError>> {
    hash_tables(lake).boxed()
}

async fn hash_tables(lake: &Lake) -> Result<BTreeMap<&'static str, ContentHash>, ProcessorError> {
    let reader = Reader::new(lake.clone(), ReaderLimits::default())?;
    let mut found = BTreeMap::new();
    for name in crate::TABLES {
        if let Some(table) = lake.current(definition(name)?).await? {
            found.insert(name, hashed(&reader, &table).await?);
        }
    }
    Ok(found)
}

/// The hash of a table's newest version.
async fn hashed(reader: &Reader, table: &Table) -> Result<ContentHash, ProcessorError> {
    let version = table.newest_version().await?;
    let session = reader.open(&BTreeMap::from([(table.name().to_owned(), version)])).await?;
    Ok(content_hash(&session, table.def()).await?)
}

fn partitions(log: &dyn EventLog) -> Result<Vec<Partition>, ProcessorError> {
    let mut homes = Vec::new();
    for topic in [Topic::FLEET, Topic::FACTS].into_iter().chain(chronicle::TOPICS) {
        homes.extend((0..log.partitions(topic)?).map(|partition| Partition::new(topic, partition)));
    }
    Ok(homes)
}

/// Folds what the log has of these offsets.
async fn tail(
    log: &dyn EventLog,
    clerk: &mut Clerk,
    home: Partition,
    mut left: Range<u64>,
    progress: &Progress,
) -> Result<(), ProcessorError> {
    while !left.is_empty() {
        let records = log.read(home.at(left.start), READ_BYTES).await?;
        let within = records.iter().take_while(|record| record.offset < left.end);
        let Some(last) = within.clone().last().map(|record| record.offset) else {
            let end = log.bounds(home).await?.end;
            return Err(ProcessorError::LogTooShort { partition: home.to_string(), reached: left.end, end });
        };
        left.start = last + 1;
        if is_chronicle(home) {
            within.inspect(|_| progress(1)).try_for_each(|record| clerk.book.hear(home, record))?;
            continue;
        }
        let mut told = within.map(|record| Told::by_log(home, record)).collect::<Result<VecDeque<_>, _>>()?;
        clerk.admit_all(&mut told, FLUSH_ROWS, |_| progress(1)).await?;
    }
    Ok(())
}
