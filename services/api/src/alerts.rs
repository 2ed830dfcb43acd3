//! All alerts as the topic tells them, kept up to it, and the stream of what happens to them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use medfleet_alerts::book::{Book, Heard};
use medfleet_domain::alert::AlertId;
use medfleet_log::{EventLog, LogError, Partition, Position, Tail, Topic};
use medfleet_runtime::Shutdown;

use crate::feed::{Feed, Placed};

/// Happenings kept for a reader that comes back with the number of its last event.
const KEPT: usize = 1_024;
/// Happenings a slow reader may fall behind before it must read everything again.
const QUEUED_MAX: usize = 256;
const POLL_BYTES: usize = 4 * 1024 * 1024;
const POLL_WAIT: Duration = Duration::from_millis(500);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const HOME: Partition = Partition::new(Topic::ALERTS, 0);

/// Something happened to these alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// The record's place in the topic: grows from one to the next.
    pub offset: u64,
    pub alerts: Vec<AlertId>,
}

/// The alerts, for all handlers.
pub struct AlertBoard {
    book: RwLock<Book>,
    /// It has read what the topic held when it began.
    is_abreast: AtomicBool,
    pub feed: Feed<Happened>,
}

impl Placed for Happened {
    fn place(&self) -> i64 {
        self.offset.cast_signed()
    }
}

impl Default for AlertBoard {
    fn default() -> Self {
        Self { book: RwLock::default(), is_abreast: AtomicBool::default(), feed: Feed::keeping(KEPT, QUEUED_MAX) }
    }
}

impl AlertBoard {
    /// Whether it has caught up with the topic: before that an alert that is not found may still exist.
    pub fn is_abreast(&self) -> bool {
        self.is_abreast.load(Ordering::Acquire)
    }

    /// Looks something up. Nothing is heard meanwhile, so it should not take long.
    pub fn look<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hear(&self, offset: u64, value: &[u8]) {
        let record = match medfleet_wire::decode_alert_record(value) {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(%error, offset, "a record of alerts cannot be read: run the version that wrote it");
                return;
            }
        };
        let heard = self.book.write().unwrap_or_else(PoisonError::into_inner).hear(&record);
        let Heard::Alerts(alerts) = heard else { return };
        if alerts.is_empty() {
            return;
        }
        self.feed.send(Happened { offset, alerts });
    }
}

/// Follows the topic from its beginning until the end is asked for. A log that is away is waited for; what is known stays.
pub async fn follow(board: Arc<AlertBoard>, log: Arc<dyn EventLog>, shutdown: Shutdown) {
    let mut next = None;
    while !shutdown.is_requested() {
        match follow_once(&board, &*log, &mut next, &shutdown).await {
            Ok(()) => {}
            Err(error) if error.is_retryable() => tracing::warn!(%error, "the topic of alerts is away, trying again"),
            Err(error) => {
                tracing::error!(%error, "alerts cannot be followed");
                return;
            }
        }
        let _ = shutdown.unless_requested(tokio::time::sleep(RETRY_PAUSE)).await;
    }
}

async fn follow_once(
    board: &AlertBoard,
    log: &dyn EventLog,
    next: &mut Option<Position>,
    shutdown: &Shutdown,
) -> Result<(), LogError> {
    let from = match *next {
        Some(next) => next,
        None => HOME.at(log.bounds(HOME).await?.floor),
    };
    let end = log.bounds(HOME).await?.end;
    let mut tail: Box<dyn Tail> = log.tail(&[from]).await?;
    while !shutdown.is_requested() {
        if tail.cursors().iter().all(|cursor| cursor.offset >= end) {
            board.is_abreast.store(true, Ordering::Release);
        }
        for batch in tail.poll(POLL_BYTES, POLL_WAIT).await? {
            for record in batch.records {
                board.hear(record.offset, &record.value);
                *next = Some(HOME.at(record.offset + 1));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::alert::record::{Life, News, Record, Turn, Writer};
    use medfleet_domain::alert::{About, Change, Step, Urgency};
    use medfleet_domain::id::{SiteId, Subject, SubjectKind};
    use medfleet_domain::kind::DeviceKind;
    use medfleet_domain::time::Timestamp;

    fn said(board: &AlertBoard, offset: u64, news: News) {
        let record = Record { life: Life(1), at: Timestamp(0), news };
        board.hear(offset, &medfleet_wire::encode_alert_record(&record));
    }

    fn raised(alert: u64) -> News {
        let about = About {
            rule: "device-failed".into(),
            subject: Subject::new(SubjectKind::Device, "ct-1").unwrap(),
            part: String::new(),
            site: SiteId::new("north").unwrap(),
            kind: DeviceKind::Ct,
            urgency: Urgency::Page,
        };
        let began = Timestamp(0);
        let change =
            Change::Raised { about, began, late: false, fact: None, summary: "ct-1 has failed".into(), score: None };
        News::Turn(Turn { steps: vec![Step { alert: AlertId(alert), at: began, change }], ..Turn::default() })
    }

    #[test]
    fn who_comes_back_gets_what_was_missed_or_is_told_to_read_again() {
        let board = AlertBoard::default();
        said(&board, 0, News::Opened(Writer::Desk));
        for offset in 1..=3 {
            said(&board, offset, raised(offset));
        }
        let missed = |after| board.feed.resume(after).0.map(|all| all.iter().map(|one| one.offset).collect::<Vec<_>>());
        assert_eq!((missed(Some(1)), missed(None), missed(Some(0))), (Some(vec![2, 3]), Some(vec![]), None));
        assert_eq!(board.look(|book| book.cases().count()), 3);
    }

    #[tokio::test]
    async fn whoever_listens_hears_of_it_at_once() {
        let board = AlertBoard::default();
        let (_, mut receiver) = board.feed.resume(None);
        said(&board, 0, News::Opened(Writer::Desk));
        said(&board, 1, raised(7));
        assert_eq!(receiver.recv().await.unwrap().alerts, [AlertId(7)]);
    }
}
