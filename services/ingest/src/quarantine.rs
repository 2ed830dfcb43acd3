//! The quarantine: what was refused for good stands there whole, can be looked at, and can be driven in again.

use medfleet_domain::time::Timestamp;
use medfleet_log::{EventLog, Partition, Position, Topic};
use medfleet_wire::{Quarantined, decode_quarantined, decode_run};

use crate::admitter::Admitter;
use crate::error::IngestError;

const READ_BYTES: usize = 4 * 1024 * 1024;

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
    Admitted(Position),
    /// It was a whole message: each of its runs had a fate of its own.
    Batch { appended: u64, quarantined: u64, held: u64 },
}

/// Reads the whole quarantine, oldest first, and hands each entry to `each`; stops when that says so.
pub async fn scan(log: &dyn EventLog, mut each: impl FnMut(Entry) -> bool) -> Result<(), IngestError> {
    for partition in 0..log.partitions(Topic::QUARANTINE)? {
        let home = Partition::new(Topic::QUARANTINE, partition);
        let bounds = log.bounds(home).await?;
        let mut next = bounds.floor;
        while next < bounds.end {
            let records = log.read(home.at(next), READ_BYTES).await?;
            let Some(last) = records.last() else { break };
            next = last.offset + 1;
            for record in records {
                let position = home.at(record.offset);
                let quarantined = decode_quarantined(&record.value)
                    .map_err(|source| IngestError::Quarantined { position: position.to_string(), source })?;
                if !each(Entry { position, quarantined }) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// The entry at this place, `partition:offset`.
pub async fn find(log: &dyn EventLog, partition: u32, offset: u64) -> Result<Entry, IngestError> {
    let position = Partition::new(Topic::QUARANTINE, partition).at(offset);
    let absent = || IngestError::NotQuarantined { position: format!("{partition}:{offset}") };
    let bounds = log.bounds(position.home()).await?;
    if !(bounds.floor..bounds.end).contains(&offset) {
        return Err(absent());
    }
    let records = log.read(position, 1).await?;
    let record = records.first().ok_or_else(absent)?;
    let quarantined = decode_quarantined(&record.value)
        .map_err(|source| IngestError::Quarantined { position: position.to_string(), source })?;
    Ok(Entry { position, quarantined })
}

/// Tries an entry again, under the identity its facts always had: driven in twice, they count once.
pub async fn redrive(admitter: &Admitter, entry: &Entry, now: Timestamp) -> Result<Redriven, IngestError> {
    let quarantined = &entry.quarantined;
    if quarantined.subject.is_some() || !quarantined.origin.starts_with("medfleet/") {
        let run = decode_run(&quarantined.payload)?;
        return admitter.run(run, now).await.map(Redriven::Admitted);
    }
    let tally = admitter.rejudge(&quarantined.origin, &quarantined.payload, now).await?;
    Ok(Redriven::Batch { appended: tally.appended, quarantined: tally.quarantined, held: tally.held })
}
