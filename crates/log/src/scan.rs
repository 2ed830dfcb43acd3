//! Reading a partition once, from some place to its present end.

use crate::error::LogError;
use crate::port::{EventLog, Position, Record};

/// The most that one step of a scan takes into memory.
const STEP_BYTES: usize = 4 * 1024 * 1024;

/// Hands every record from `from` to the present end to `each`, until that answers false or fails. Answers where it
/// stopped: a reader may go on there. Records appended meanwhile are left to it.
pub async fn read_to_end<E: From<LogError>>(
    log: &dyn EventLog,
    from: Position,
    mut each: impl FnMut(Record) -> Result<bool, E>,
) -> Result<Position, E> {
    let end = log.bounds(from.home()).await?.end;
    let mut at = from;
    while at.offset < end {
        let records = log.read(at, STEP_BYTES).await?;
        if records.is_empty() {
            break;
        }
        for record in records.into_iter().take_while(|record| record.offset < end) {
            at.offset = record.offset + 1;
            if !each(record)? {
                return Ok(at);
            }
        }
    }
    Ok(at)
}
