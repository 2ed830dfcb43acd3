//! Building a table anew from the log, beside the one in use, and swapping it in only when both say the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_lake::{ContentHash, Lake, Reader, ReaderLimits, Restored, Table, UtcMicros, content_hash, restore};
use medfleet_log::{EventLog, Partition, Topic};

use crate::archive::{Archive, Past};
use crate::book::{Book, Place};
use crate::error::ProcessorError;
use crate::flush::{Shelves, app_id, definition};
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

/// Reads the records of all partitions, fleet first, up to where the table has them, and folds them again.
struct Replay {
    log: Arc<dyn EventLog>,
    archive: Archive,
    facts: medfleet_lake::TableVersion,
    book: Book,
    shelves: Shelves,
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

    let fresh = lake.create_generation(def, &origin).await?;
    let Restored { writer, .. } = restore(&fresh, &origin, apps.clone()).await?;
    let facts = lake.current_or_create(definition("facts")?, &origin).await?.newest_version().await?;
    let mut replay = Replay {
        log: Arc::clone(&log),
        archive: Archive::new(reader()?),
        facts,
        book: Book::default(),
        shelves: Shelves::single(def.name, writer, &origin.log, reader()?),
    };
    for (home, app) in homes.iter().zip(&apps) {
        let until = txns.get(app).map_or(0, |next| next.cast_unsigned());
        replay.partition(*home, until, &progress).await?;
    }
    replay.flush(true).await?;
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

impl Replay {
    async fn partition(&mut self, home: Partition, until: u64, progress: &impl Fn(u64)) -> Result<(), ProcessorError> {
        let floor = self.log.bounds(home).await?.floor;
        if floor > 0 && until > 0 {
            return Err(ProcessorError::Trimmed { partition: home.to_string(), floor });
        }
        let mut next = floor;
        while next < until {
            let records = self.log.read(home.at(next), READ_BYTES).await?;
            if records.is_empty() {
                break;
            }
            for record in records.into_iter().take_while(|record| record.offset < until) {
                next = record.offset + 1;
                let place = Place { home, offset: record.offset, appended_at_micros: record.appended_at_micros };
                self.admit(&record.value, place).await?;
                progress(1);
            }
        }
        Ok(())
    }

    async fn admit(&mut self, value: &[u8], place: Place) -> Result<(), ProcessorError> {
        let read = medfleet_wire::decode_record(value)
            .map_err(|source| ProcessorError::Record { place: place.home.at(place.offset).to_string(), source })?;
        while let Err(need) = self.book.admit(&read.run, &read.implausible, place) {
            let Book { memory, pending, .. } = &mut self.book;
            let ledger = memory.ledgers.entry(read.run.subject.clone()).or_default();
            let past = Past { facts: &self.facts, pending: &pending.facts, below: place.offset };
            self.archive.answer(&read.run.subject, need, past, ledger).await?;
        }
        if self.book.pending.len() >= FLUSH_ROWS { self.flush(false).await } else { Ok(()) }
    }

    async fn flush(&mut self, all: bool) -> Result<(), ProcessorError> {
        let now = UtcMicros(crate::worker::now_micros());
        self.shelves.flush(&self.book, all, now).await?;
        self.book.committed();
        Ok(())
    }
}
