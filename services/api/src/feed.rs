//! What happens, told to whoever listens and kept for a while: a listener who was away hears what was missed, or that it
//! was missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use medfleet_runtime::Shutdown;
use tokio::sync::broadcast;

/// Has a place in the order of its kind, which grows from one to the next.
pub trait Placed {
    fn place(&self) -> i64;
}

/// Sends what happens to whoever listens, and keeps the last of it.
pub struct Feed<T> {
    sender: broadcast::Sender<Arc<T>>,
    kept: Mutex<VecDeque<Arc<T>>>,
    kept_max: usize,
}

/// What a feed kept after a place, or `None` where that reaches further back, and a receiver of what comes next.
pub type Resumed<T> = (Option<Vec<Arc<T>>>, broadcast::Receiver<Arc<T>>);

impl<T: Placed> Feed<T> {
    /// Keeps so many for a listener that comes back, and lets a slow one fall so many behind.
    pub fn keeping(kept_max: usize, queued_max: usize) -> Self {
        Self { sender: broadcast::Sender::new(queued_max), kept: Mutex::default(), kept_max }
    }

    pub fn send(&self, happened: T) {
        let happened = Arc::new(happened);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Arc::clone(&happened));
        if kept.len() > self.kept_max {
            kept.pop_front();
        }
        // Nobody listening is no error.
        let _ = self.sender.send(happened);
    }

    pub fn resume(&self, after: Option<i64>) -> Resumed<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.sender.subscribe();
        let Some(after) = after else { return (Some(Vec::new()), receiver) };
        let reaches = kept.front().is_some_and(|oldest| oldest.place() <= after);
        let missed = reaches.then(|| kept.iter().filter(|one| one.place() > after).cloned().collect());
        (missed, receiver)
    }
}

/// One who listens, from a place on.
pub struct Listener<T> {
    receiver: broadcast::Receiver<Arc<T>>,
    waiting: VecDeque<Heard<T>>,
    sent: Option<i64>,
}

pub enum Heard<T> {
    Happened(Arc<T>),
    /// Some were missed: everything has to be read again.
    Missed,
}

impl<T: Placed> Listener<T> {
    pub fn after(feed: &Feed<T>, last: Option<i64>) -> Self {
        let (missed, receiver) = feed.resume(last);
        let waiting = match missed {
            Some(missed) => missed.into_iter().map(Heard::Happened).collect(),
            None => VecDeque::from([Heard::Missed]),
        };
        Self { receiver, waiting, sent: last }
    }

    /// The next thing to tell; None at the end.
    pub async fn next(&mut self, shutdown: &Shutdown) -> Option<Heard<T>> {
        loop {
            let heard = match self.waiting.pop_front() {
                Some(heard) => heard,
                None => match shutdown.unless_requested(self.receiver.recv()).await? {
                    Ok(happened) => Heard::Happened(happened),
                    Err(broadcast::error::RecvError::Lagged(_)) => Heard::Missed,
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            };
            if let Heard::Happened(happened) = &heard {
                if self.sent.is_some_and(|sent| happened.place() <= sent) {
                    continue;
                }
                self.sent = Some(happened.place());
            }
            return Some(heard);
        }
    }
}
