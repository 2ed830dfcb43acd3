//! What is durable, and the handle that reads it from any thread beside the writer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::format::{SEGMENT_HEADER_BYTES, Seal, record_bytes};
use crate::limits::INDEX_EVERY_BYTES;
use crate::scan::{Cursor, Step};
use crate::storage::SegmentFile;

type Hook = Box<dyn Fn(u64) + Send>;

/// The journal's figures, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Syncs of record data; those of new segments and of the folder are not counted.
    pub sync_count: u64,
    pub last_sync: Duration,
    pub total_sync: Duration,
    pub appended_records: u64,
    /// As written, record headers included.
    pub appended_bytes: u64,
    /// Records refused because the journal was full.
    pub refused_records: u64,
    /// What the last opening cut off as a torn tail.
    pub cut_bytes: u64,
}

/// Reads the durable records of one journal, from any thread, while it is written. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

/// The writer's word on what is durable. Only the writer changes it, and only after a sync returned.
pub(crate) struct Shared {
    place: String,
    seal: Seal,
    view: Mutex<View>,
    grown: Condvar,
    hooks: Mutex<Vec<Hook>>,
}

pub(crate) struct View {
    pub segments: VecDeque<Segment>,
    pub next_index: u64,
    pub used_bytes: u64,
    pub stats: Stats,
}

pub(crate) struct Segment {
    pub name: String,
    pub first_index: u64,
    pub file: Arc<dyn SegmentFile>,
    /// Where its durable records end.
    pub end_bytes: u64,
    marks: Vec<Mark>,
}

/// One entry of the sparse index: this record begins here.
#[derive(Clone, Copy)]
struct Mark {
    index: u64,
    position_bytes: u64,
}

/// The part of one segment a read may touch.
struct Span {
    name: String,
    file: Arc<dyn SegmentFile>,
    from: Mark,
    end_bytes: u64,
}

impl Segment {
    pub fn empty(name: String, first_index: u64, file: Arc<dyn SegmentFile>) -> Self {
        Self { name, first_index, file, end_bytes: SEGMENT_HEADER_BYTES as u64, marks: Vec::new() }
    }

    /// Takes in the next record, which begins where the durable ones ended.
    pub fn extend(&mut self, index: u64, payload_bytes: usize) {
        let position_bytes = self.end_bytes;
        if self.marks.last().is_none_or(|last| position_bytes - last.position_bytes >= INDEX_EVERY_BYTES) {
            self.marks.push(Mark { index, position_bytes });
        }
        self.end_bytes += record_bytes(payload_bytes);
    }

    fn span_from(&self, index: u64) -> Span {
        let after = self.marks.partition_point(|mark| mark.index <= index);
        let first = Mark { index: self.first_index, position_bytes: SEGMENT_HEADER_BYTES as u64 };
        let from = after.checked_sub(1).map_or(first, |at| self.marks[at]);
        Span { name: self.name.clone(), file: Arc::clone(&self.file), from, end_bytes: self.end_bytes }
    }
}

impl View {
    pub fn first_index(&self) -> u64 {
        self.segments.front().map_or(self.next_index, |segment| segment.first_index)
    }

    /// Enough spans to fill a read of `max_bytes`, taken under the lock so that truncation cannot come between.
    fn spans(&self, from_index: u64, max_bytes: u64) -> Vec<Span> {
        let containing = self.segments.partition_point(|segment| segment.first_index <= from_index);
        let mut spans: Vec<Span> = Vec::new();
        let mut beyond_first_bytes = 0;
        for segment in self.segments.iter().skip(containing.saturating_sub(1)) {
            let span = segment.span_from(from_index);
            if !spans.is_empty() {
                beyond_first_bytes += span.end_bytes - span.from.position_bytes;
            }
            spans.push(span);
            if beyond_first_bytes >= max_bytes {
                break;
            }
        }
        spans
    }
}

impl Shared {
    pub fn new(place: String, seal: Seal, view: View) -> Self {
        Self { place, seal, view: Mutex::new(view), grown: Condvar::new(), hooks: Mutex::new(Vec::new()) }
    }

    pub fn view(&self) -> MutexGuard<'_, View> {
        locked(&self.view)
    }

    /// Tells everyone who waits that records below `next_index` are durable.
    pub fn announce(&self, next_index: u64) {
        self.grown.notify_all();
        for hook in locked(&self.hooks).iter() {
            hook(next_index);
        }
    }
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn place(&self) -> &str {
        &self.shared.place
    }

    /// The index after the last durable record: what the next append gets.
    pub fn next_index(&self) -> u64 {
        self.shared.view().next_index
    }

    /// The first index still held.
    pub fn first_index(&self) -> u64 {
        self.shared.view().first_index()
    }

    /// All segments together, headers included.
    pub fn used_bytes(&self) -> u64 {
        self.shared.view().used_bytes
    }

    pub fn stats(&self) -> Stats {
        self.shared.view().stats
    }

    /// Durable records from `from_index` on, in order, up to `max_bytes` as written; always at least one if there is
    /// one, and none at the end. Below the first index held it is an error: a reader must not skip records unawares.
    pub fn read(&self, from_index: u64, max_bytes: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        let (spans, next_index) = {
            let view = self.shared.view();
            if from_index < view.first_index() {
                return Err(Error::BelowFloor { asked_index: from_index, first_index: view.first_index() });
            }
            if from_index >= view.next_index {
                return Ok(Vec::new());
            }
            (view.spans(from_index, max_bytes as u64), view.next_index)
        };
        let mut taken = Taken { from_index, left_bytes: max_bytes as u64, records: Vec::new() };
        for span in spans {
            if self.read_span(&span, &mut taken)? {
                break;
            }
        }
        let is_durable = taken.records.last().is_some_and(|(last, _)| *last < next_index);
        assert!(is_durable, "a read finds something, and nothing that is not durable");
        Ok(taken.records)
    }

    /// Takes the records of one span, and says whether the read is full.
    fn read_span(&self, span: &Span, taken: &mut Taken) -> Result<bool> {
        let file_name = || format!("{}/{}", self.shared.place, span.name);
        let Mark { index, position_bytes } = span.from;
        let mut cursor = Cursor::new(&*span.file, &self.shared.seal, index, position_bytes, span.end_bytes);
        loop {
            let at_bytes = cursor.position_bytes();
            match cursor.step().map_err(|source| Error::io("read", file_name())(source))? {
                Step::End => return Ok(false),
                Step::Bad(reason) => {
                    return Err(Error::Corrupt { file: file_name(), position_bytes: at_bytes, reason });
                }
                Step::Record(record) => {
                    if taken.is_full_after(record.index, record.payload) {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Waits until a record at or beyond `index` is durable, and no longer than `timeout`; says the next index.
    pub fn wait_for(&self, index: u64, timeout: Duration) -> u64 {
        let view = self.shared.view();
        let wait = self.shared.grown.wait_timeout_while(view, timeout, |view| view.next_index <= index);
        let (view, _) = wait.unwrap_or_else(PoisonError::into_inner);
        view.next_index
    }

    /// Calls `hook` with the next index after every durable append, on the writer's thread and in order. It must be
    /// quick and must not call the journal back: set a watch, notify a task.
    pub fn on_durable(&self, hook: impl Fn(u64) + Send + 'static) {
        locked(&self.shared.hooks).push(Box::new(hook));
    }
}

struct Taken {
    from_index: u64,
    left_bytes: u64,
    records: Vec<(u64, Vec<u8>)>,
}

impl Taken {
    fn is_full_after(&mut self, index: u64, payload: &[u8]) -> bool {
        if index < self.from_index {
            return false;
        }
        let bytes = record_bytes(payload.len());
        if bytes > self.left_bytes && !self.records.is_empty() {
            return true;
        }
        self.left_bytes = self.left_bytes.saturating_sub(bytes);
        self.records.push((index, payload.to_vec()));
        self.left_bytes == 0
    }
}

/// A thread that panicked with the lock held left a whole value: every critical section here only assigns.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
