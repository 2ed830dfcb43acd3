//! Building a table anew, beside the one in use, and swapping it in only when both say the same. The archive tells first,
//! then the log's tail. The archive itself is built from the log, and from its own original bytes where the log is trimmed.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use medfleet_lake::{ContentHash, Lake, Reader, ReaderLimits, Restored, Table, content_hash, restore};
use medfleet_log::{EventLog, Partition, Topic};

use crate::archive::Archive;
use crate::book::Book;
use crate::clerk::{Clerk, Spans};
use crate::error::ProcessorError;
use crate::flush::{Shelves, app_id, definition};
use crate::told::Told;
use crate::worker::origin;

const READ_BYTES: usize = 8 * 1024 * 1024;
const FLUSH_ROWS: usize = 100_000;

/// What a rebuild found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    pub rows: u64,
    pub hash: String,
    pub generation: String,
}

/// Rebuilds one table. The process that owns the data folder must not run a worker meanwhile.
pub async fn rebuild(
    log: Arc<dyn EventLog>,
    lake: &Lake,
    table: &str,
    progress: impl Fn(u64),
) -> Result<Rebuilt, ProcessorError> {
    let def = definition(table)?;
    let origin = origin(&*log);
    let current = lake.current_or_create(def, &origin).await?;
    let homes = partitions(&*log)?;
    let apps: Vec<String> = homes.iter().map(|home| app_id(&origin.log, *home)).collect();
    let Restored { txns, .. } = restore(&current, &origin, apps.clone()).await?;
    let reader = || Reader::new(lake.clone(), ReaderLimits::default());
    let before = hashed(&reader()?, &current).await?;

    let archive = lake.current_or_create(definition("facts")?, &origin).await?;
    let archived = restore(&archive, &origin, apps.clone()).await?;
    let facts = archived.writer.version();
    let (mut told, mut logged) = (Spans::new(), Vec::new());
    for (home, app) in homes.iter().zip(&apps) {
        let reached = |txns: &BTreeMap<String, i64>| txns.get(app).map_or(0, |next| next.cast_unsigned());
        let (until, archived, floor) = (reached(&txns), reached(&archived.txns), log.bounds(*home).await?.floor);
        let by_archive = if def.name == "facts" { floor } else { archived }.min(until);
        if by_archive < floor.min(until) || by_archive > archived {
            return Err(ProcessorError::Trimmed { partition: home.to_string(), floor, archived });
        }
        told.insert(*home, 0..by_archive);
        logged.push((*home, by_archive..until));
    }

    let fresh = lake.create_generation(def, &origin).await?;
    let Restored { writer, .. } = restore(&fresh, &origin, apps.clone()).await?;
    let shelves = Shelves::single(def.name, writer, &origin.log, reader()?);
    let mut clerk = Clerk::new(Book::default(), shelves, Archive::new(reader()?), Some(facts));
    for topic in [Topic::FLEET, Topic::FACTS] {
        let spans = told.iter().filter(|(home, _)| home.topic == topic);
        let spans = spans.map(|(home, span)| (*home, span.clone())).collect();
        clerk.replay(&spans, FLUSH_ROWS, |_| progress(1)).await?;
        for (home, span) in logged.iter().filter(|(home, _)| home.topic == topic) {
            tail(&*log, &mut clerk, *home, span.clone(), &progress).await?;
        }
    }
    clerk.flush(true).await?;
    let after = hashed(&reader()?, &fresh).await?;
    if before != after {
        lake.remove_generation(&fresh).await?;
        let shown = |hash: &ContentHash| format!("{} rows, {:032x}", hash.rows, hash.sum);
        let (current, rebuilt) = (shown(&before), shown(&after));
        return Err(ProcessorError::HashDiffers { table: table.to_owned(), current, rebuilt });
    }
    lake.swap(&fresh).await?;
    Ok(Rebuilt { rows: after.rows, hash: format!("{:032x}", after.sum), generation: fresh.generation().to_owned() })
}

/// Content hash of every table that exists.
pub async fn hashes(lake: &Lake) -> Result<BTreeMap<&'static str, ContentHash>, ProcessorError> {
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
    for topic in [Topic::FLEET, Topic::FACTS] {
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
    progress: &impl Fn(u64),
) -> Result<(), ProcessorError> {
    while !left.is_empty() {
        let records = log.read(home.at(left.start), READ_BYTES).await?;
        let within = records.iter().take_while(|record| record.offset < left.end);
        let mut told = within.map(|record| Told::by_log(home, record)).collect::<Result<VecDeque<_>, _>>()?;
        let Some(last) = told.back() else {
            let end = log.bounds(home).await?.end;
            return Err(ProcessorError::LogTooShort { partition: home.to_string(), reached: left.end, end });
        };
        left.start = last.place.offset + 1;
        clerk.admit_all(&mut told, FLUSH_ROWS, |_| progress(1)).await?;
    }
    Ok(())
}
