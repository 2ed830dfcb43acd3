//! The topic of alerts: opening a writer's life, appending to it and reading it.

use medfleet_alerts::book::Book;
use medfleet_domain::alert::record::{Life, News, Record, Writer};
use medfleet_domain::time::Timestamp;
use medfleet_log::{EventLog, NewRecord, Partition, Position, Topic, read_to_end};
use medfleet_runtime::now_micros;

use crate::error::AlerterError;

/// One key, so that all records stand in one order.
const KEY: &[u8] = b"alerts";
const HOME: Partition = Partition::new(Topic::ALERTS, 0);

/// A life that has been opened, with all that was said before it.
pub struct Opened {
    pub life: Life,
    pub book: Book,
    /// Where reading goes on.
    pub next: Position,
}

/// Opens a life: from here on what an earlier life of this writer still appends counts for nothing, and all that counted
/// before is in the book.
pub async fn open(log: &dyn EventLog, writer: Writer) -> Result<Opened, AlerterError> {
    let life = Life(rand::random());
    append(log, vec![Record { life, at: now(), news: News::Opened(writer) }]).await?;
    let (book, next) = read_book(log).await?;
    Ok(Opened { life, book, next })
}

/// Reads the topic to its present end. Answers where to go on.
pub async fn read_book(log: &dyn EventLog) -> Result<(Book, Position), AlerterError> {
    let found = log.partitions(Topic::ALERTS)?;
    if found != 1 {
        return Err(AlerterError::Partitions { found });
    }
    let mut book = Book::default();
    let floor = log.bounds(HOME).await?.floor;
    let next = read_to_end(log, HOME.at(floor), |record| {
        book.hear(&decode(HOME.at(record.offset), &record.value)?);
        Ok::<_, AlerterError>(true)
    })
    .await?;
    Ok((book, next))
}

pub fn decode(at: Position, value: &[u8]) -> Result<Record, AlerterError> {
    let unreadable = |source| AlerterError::Record { place: at.to_string(), source };
    medfleet_wire::decode_alert_record(value).map_err(unreadable)
}

/// Returns once all are durable, in this order.
pub async fn append(log: &dyn EventLog, records: Vec<Record>) -> Result<(), AlerterError> {
    let new = |record: &Record| NewRecord {
        topic: Topic::ALERTS,
        key: KEY.into(),
        value: medfleet_wire::encode_alert_record(record).into(),
    };
    log.append(records.iter().map(new).collect()).await.map(drop).map_err(AlerterError::Append)
}

pub fn now() -> Timestamp {
    Timestamp(now_micros())
}
