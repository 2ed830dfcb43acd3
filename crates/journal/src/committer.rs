//! Group commit: many submit, one thread writes, and one sync answers everyone who waited for it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::format::RECORD_HEADER_BYTES;
use crate::journal::Journal;
use crate::limits::{GROUP_MAX_BYTES, Limits, QUEUE_MAX_BYTES};
use crate::reader::{Reader, locked};

/// Answers one submission: with its durable indices, or with why there are none.
pub type Done = Box<dyn FnOnce(Result<Range<u64>>) + Send>;

/// How long a crowd that was answered together is awaited: a fraction of a sync, which it would else need twice, one for
/// the quickest and one for the rest.
const CROWD_WAIT_MAX: Duration = Duration::from_micros(200);

/// Owns a journal and commits for many. A group grows by itself while the sync before it runs: a lone submission waits
/// for one sync, and a crowd shares one. Dropping it commits what was taken, then closes.
pub struct Committer {
    core: Arc<Core>,
    reader: Reader,
    limits: Limits,
    worker: Option<JoinHandle<()>>,
}

struct Core {
    journal: Mutex<Journal>,
    queue: Mutex<Queue>,
    /// Something waits to be committed, or the committer closes.
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Submission>,
    queued_bytes: u64,
    refused_submissions: u64,
    is_closed: bool,
    /// Submissions of the last group: as many may come again at once.
    crowd: usize,
}

struct Submission {
    batch: Batch,
    done: Done,
}

/// Submissions that share a sync: what they bring, and whom to answer, in the same order.
#[derive(Default)]
struct Group {
    batches: Vec<Batch>,
    done: Vec<Done>,
}

impl Committer {
    /// Starts the committing thread.
    pub fn start(journal: Journal) -> Result<Self> {
        let (reader, limits) = (journal.reader(), journal.limits());
        let core =
            Arc::new(Core { journal: Mutex::new(journal), queue: Mutex::new(Queue::default()), work: Condvar::new() });
        let for_worker = Arc::clone(&core);
        let worker = thread::Builder::new()
            .name("journal-commit".to_owned())
            .spawn(move || for_worker.run())
            .map_err(Error::io("start the committing thread of", reader.place()))?;
        Ok(Self { core, reader, limits, worker: Some(worker) })
    }

    /// Takes the records without waiting, which lie in the journal one behind the other. `done` is called on the
    /// committing thread, and must be quick. If this returns an error `done` is never called; [`Error::QueueFull`] says
    /// that the disk does not keep up. Should the committing thread die over these records, `done` is dropped uncalled.
    pub fn submit(&self, batch: Batch, done: Done) -> Result<()> {
        batch.check(self.limits)?;
        let mut queue = locked(&self.core.queue);
        if queue.is_closed {
            return Err(Error::Closed);
        }
        if !queue.has_room_for(batch.size_bytes()) {
            queue.refused_submissions += 1;
            return Err(Error::QueueFull { queued_bytes: queue.queued_bytes, max_bytes: QUEUE_MAX_BYTES });
        }
        queue.queued_bytes += charged_bytes(batch.size_bytes());
        queue.waiting.push_back(Submission { batch, done });
        // The committing thread rests only where nothing waits, or until a crowd is there again.
        if queue.waiting.len() == 1 || queue.waiting.len() == queue.crowd {
            self.core.work.notify_one();
        }
        Ok(())
    }

    /// See [`Journal::truncate_front`]; waits for the commit under way.
    pub fn truncate_front(&self, below_index: u64) -> Result<u64> {
        locked(&self.core.journal).truncate_front(below_index)
    }

    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// How often [`Committer::submit`] found the queue full.
    pub fn refused_submissions(&self) -> u64 {
        locked(&self.core.queue).refused_submissions
    }

    /// Whether a write or sync has failed, so that only opening the journal again helps. Waits for the commit under way.
    pub fn is_poisoned(&self) -> bool {
        locked(&self.core.journal).is_poisoned()
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.core.close();
        if let Some(worker) = self.worker.take() {
            // A panic of the worker has been answered with `Closed` everywhere; there is nobody left to tell.
            let _ = worker.join();
        }
    }
}

impl Queue {
    fn has_room_for(&self, batch_bytes: u64) -> bool {
        self.queued_bytes + charged_bytes(batch_bytes) <= QUEUE_MAX_BYTES
    }

    /// Up to [`GROUP_MAX_BYTES`] from the front, and always one submission.
    fn take_group(&mut self) -> Group {
        let mut group = Group::default();
        let mut group_bytes = 0;
        while let Some(Submission { batch, done }) = self.waiting.pop_front() {
            let batch_bytes = batch.size_bytes();
            if !group.batches.is_empty() && group_bytes + batch_bytes > GROUP_MAX_BYTES {
                self.waiting.push_front(Submission { batch, done });
                break;
            }
            group_bytes += batch_bytes;
            self.queued_bytes -= charged_bytes(batch_bytes);
            group.batches.push(batch);
            group.done.push(done);
        }
        group
    }
}

/// An empty submission has a place in the queue too, so it is charged for one.
fn charged_bytes(batch_bytes: u64) -> u64 {
    batch_bytes.max(RECORD_HEADER_BYTES as u64)
}

impl Core {
    fn close(&self) {
        locked(&self.queue).is_closed = true;
        self.work.notify_all();
    }

    fn run(&self) {
        let _farewell = Farewell(self);
        while let Some(group) = self.next_group() {
            self.commit(group);
        }
    }

    /// Waits for work. None once the committer is closed and everything it took has been committed.
    fn next_group(&self) -> Option<Group> {
        let is_idle = |queue: &mut Queue| queue.waiting.is_empty() && !queue.is_closed;
        let queue = self.work.wait_while(locked(&self.queue), is_idle).unwrap_or_else(PoisonError::into_inner);
        let is_gathering = |queue: &mut Queue| queue.waiting.len() < queue.crowd && !queue.is_closed;
        let gathered = self.work.wait_timeout_while(queue, CROWD_WAIT_MAX, is_gathering);
        let mut queue = gathered.unwrap_or_else(PoisonError::into_inner).0;
        let group = queue.take_group();
        queue.crowd = group.batches.len();
        (!group.batches.is_empty()).then_some(group)
    }

    /// Commits a group with one sync. Near the capacity what fits goes together, and only the rest is refused.
    fn commit(&self, Group { mut batches, done }: Group) {
        let mut ranges = Vec::with_capacity(batches.len());
        {
            let mut journal = locked(&self.journal);
            let mut rest = batches.as_mut_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at_mut(fitting(&journal, rest));
                ranges.extend(append_together(&mut journal, now));
                rest = later;
            }
        }
        done.into_iter().zip(ranges).for_each(|(done, range)| done(range));
    }
}

/// How many batches from the front fit into the journal and into one write; at least one, so that it is refused.
fn fitting(journal: &Journal, batches: &[Batch]) -> usize {
    let batch_max_bytes = journal.limits().batch_max_bytes();
    let mut bytes = 0;
    let fitting = batches.iter().take_while(|batch| {
        bytes += batch.size_bytes();
        bytes <= batch_max_bytes && journal.has_room_for(bytes)
    });
    fitting.count().max(1)
}

fn append_together(journal: &mut Journal, batches: &mut [Batch]) -> Vec<Result<Range<u64>>> {
    let appended = journal.append_together(batches);
    let mut next_index = appended.as_ref().map_or(0, |range| range.start);
    let each = batches.iter().map(|batch| {
        let first_index = next_index;
        next_index += batch.records();
        appended.clone().map(|_| first_index..next_index)
    });
    each.collect()
}

/// However the worker ends, whoever still waits is answered.
struct Farewell<'a>(&'a Core);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        self.0.close();
        let left = std::mem::take(&mut locked(&self.0.queue).waiting);
        left.into_iter().for_each(|submission| (submission.done)(Err(Error::Closed)));
    }
}
