//! The quarantine: what was refused for good stands there whole, can be looked at, and can be driven in again.

use medfleet_domain::time::Timestamp;
use medfleet_log::{Bounds, EventLog, Partition, Position, Record, Topic, read_to_end};
use medfleet_wire::{Quarantined, decode_quarantined, decode_run};

use crate::admitter::Admitter;
use crate::error::IngestError;

/// One quarantined payload and where it stands.
#[derive(Debug)]
pub struct Entry {
    pub position: Position,
    pub quarantined: Quarantined,
}

/// What a second try came to.
#[derive(Debug)]
pub enum Redriven {
    /// Its facts stand in the log under their own identity.
    Admitted { position: Position, facts: u64 },
    /// It was a whole message: each of its runs had a fate of its own.
    Batch { appended: u64, quarantined: u64, held: u64 },
}

/// Reads the whole quarantine, oldest first, and hands each entry to `each`; stops when that says so.
pub async fn scan(log: &dyn EventLog, mut each: impl FnMut(Entry) -> bool) -> Result<(), IngestError> {
    for partition in 0..log.partitions(Topic::QUARANTINE)? {
        let home = Partition::new(Topic::QUARANTINE, partition);
        let Bounds { floor, end } = log.bounds(home).await?;
        let stopped =
            read_to_end(log, home.at(floor), |record| Ok::<_, IngestError>(each(entry(home, &record)?))).await?;
        if stopped.offset < end {
            break;
        }
    }
    Ok(())
}

fn entry(home: Partition, record: &Record) -> Result<Entry, IngestError> {
    let position = home.at(record.offset);
    let quarantined = decode_quarantined(&record.value)
        .map_err(|source| IngestError::Quarantined { position: position.to_string(), source })?;
    Ok(Entry { position, quarantined })
}

/// The newest entries, newest first, and how many the topic holds in all. Reads no more than the ends of its partitions.
pub async fn newest(log: &dyn EventLog, at_most: usize) -> Result<(u64, Vec<Entry>), IngestError> {
    let (mut all, mut found) = (0, Vec::new());
    for partition in 0..log.partitions(Topic::QUARANTINE)? {
        let home = Partition::new(Topic::QUARANTINE, partition);
        let bounds = log.bounds(home).await?;
        all += bounds.end - bounds.floor;
        let from = bounds.end.saturating_sub(at_most as u64).max(bounds.floor);
        let find = |record: Record| {
            found.push(entry(home, &record)?);
            Ok::<_, IngestError>(true)
        };
        read_to_end(log, home.at(from), find).await?;
    }
    found.sort_by_key(|entry| std::cmp::Reverse((entry.quarantined.received_at, entry.position.offset)));
    found.truncate(at_most);
    Ok((all, found))
}

/// The entry at this place, `partition:offset`.
pub async fn find(log: &dyn EventLog, partition: u32, offset: u64) -> Result<Entry, IngestError> {
    let position = Partition::new(Topic::QUARANTINE, partition).at(offset);
    let absent = || IngestError::NotQuarantined { position: format!("{partition}:{offset}") };
    if partition >= log.partitions(Topic::QUARANTINE)? {
        return Err(absent());
    }
    let bounds = log.bounds(position.home()).await?;
    if !(bounds.floor..bounds.end).contains(&offset) {
        return Err(absent());
    }
    let records = log.read(position, 1).await?;
    let record = records.first().ok_or_else(absent)?;
    entry(position.home(), record)
}

/// Tries an entry again, under the identity its facts always had: driven in twice, they count once.
pub async fn redrive(admitter: &Admitter, entry: &Entry, now: Timestamp) -> Result<Redriven, IngestError> {
    let quarantined = &entry.quarantined;
    if quarantined.subject.is_some() || !quarantined.origin.starts_with("medfleet/") {
        let run = decode_run(&quarantined.payload)?;
        let facts = run.facts.len() as u64;
        let position = admitter.run(run, now).await?;
        return Ok(Redriven::Admitted { position, facts });
    }
    let tally = admitter.rejudge(&quarantined.origin, &quarantined.payload.clone().into(), now).await?;
    Ok(Redriven::Batch { appended: tally.appended, quarantined: tally.quarantined, held: tally.held })
}
