//! The journal itself: one writer that appends, rolls segments and frees them.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::format::{JournalId, SEGMENT_HEADER_BYTES, Seal, SegmentHeader, first_index_of, payload_sizes};
use crate::limits::{GROUP_MAX_BYTES, Limits};
use crate::reader::{Reader, Shared, Stats};
use crate::recovery::{Recovery, create_segment, path};
use crate::storage::{FolderLock, SegmentFile, Storage};

/// A segment header costs this where a batch opens a new segment.
const SEGMENT_COST_BYTES: u64 = SEGMENT_HEADER_BYTES as u64;

/// The one writer of a journal. For many writers see [`crate::Committer`], for readers [`Journal::reader`].
pub struct Journal {
    storage: Arc<dyn Storage>,
    id: JournalId,
    limits: Limits,
    seal: Seal,
    shared: Arc<Shared>,
    /// Where batches that are written together come together.
    gathered: Vec<u8>,
    poisoned_by: Option<Arc<Error>>,
    _lock: FolderLock,
}

/// Where the next batch goes: behind the last record of the last segment.
struct Place {
    name: String,
    file: Arc<dyn SegmentFile>,
    end_bytes: u64,
    next_index: u64,
}

impl Journal {
    /// Opens the journal `id` in this folder, or begins it there if the folder holds none. Reads every record once, so
    /// the time to open grows with what is held, up to `limits.capacity_bytes`. What was cut is in [`Stats::cut_bytes`].
    pub fn open(storage: Arc<dyn Storage>, id: JournalId, limits: Limits) -> Result<Self> {
        let limits = limits.checked()?;
        let lock = lock(&*storage)?;
        let seal = Seal::new(id);
        let view = Recovery { storage: &*storage, journal: id, seal: &seal }.run()?;
        let shared = Arc::new(Shared::new(storage.place(), seal.clone(), view));
        Ok(Self { storage, id, limits, seal, shared, gathered: Vec::new(), poisoned_by: None, _lock: lock })
    }

    /// The id of the journal in this folder, if there is one: for an owner that draws the id at random when it begins.
    pub fn id_of(storage: &dyn Storage) -> Result<Option<JournalId>> {
        for name in storage.list().map_err(Error::io("list", storage.place()))? {
            if first_index_of(&name).is_none() {
                continue;
            }
            let failed = |action| Error::io(action, path(storage, &name));
            let file = storage.open(&name).map_err(failed("open"))?;
            let mut bytes = [0; SEGMENT_HEADER_BYTES];
            if file.len_bytes().map_err(failed("measure"))? < SEGMENT_COST_BYTES {
                continue;
            }
            file.read_at(&mut bytes, 0).map_err(failed("read"))?;
            if let Ok(header) = SegmentHeader::decode(&bytes) {
                return Ok(Some(header.journal));
            }
        }
        Ok(None)
    }

    pub fn id(&self) -> JournalId {
        self.id
    }

    /// Writes the records and syncs once. When it returns the indices, they are durable, in this order.
    ///
    /// After a failure none is acknowledged, though some may be found when the journal is opened again: always the
    /// first ones of the batch. A failed write or sync poisons the journal, and every later append is refused. Trying
    /// the sync again would be wrong: after a failed sync the kernel may drop the pages and mark them clean, so a second
    /// one succeeds without having written them. Only opening, which writes them anew, can tell what is there.
    pub fn append_batch(&mut self, batch: impl Into<Batch>) -> Result<Range<u64>> {
        self.append_together(&mut [batch.into()])
    }

    /// Several batches as if they were one.
    pub(crate) fn append_together(&mut self, batches: &mut [Batch]) -> Result<Range<u64>> {
        self.check_healthy()?;
        let records = batches.iter().map(Batch::records).sum();
        let bytes = batches.iter().map(Batch::size_bytes).sum();
        batches.iter().try_for_each(|batch| batch.check(self.limits))?;
        if records == 0 {
            let next_index = self.next_index();
            return Ok(next_index..next_index);
        }
        self.check_room(bytes, records)?;
        let appended = self.append_checked(batches, bytes);
        appended.map_err(|error| self.poison(error))
    }

    /// Whether a batch of so many bytes, as written, would be taken now rather than refused as [`Error::Full`].
    pub fn has_room_for(&self, batch_bytes: u64) -> bool {
        self.room_shortfall(batch_bytes).is_none()
    }

    /// Frees segments whose records all lie below `below_index`, and says the first index still held. Records are freed
    /// by whole segments and never from the last one, so it may hold some below `below_index` still.
    pub fn truncate_front(&mut self, below_index: u64) -> Result<u64> {
        self.check_healthy()?;
        while let Some(name) = self.freeable(below_index) {
            let removed = self.remove_first(&name);
            removed.map_err(|error| self.poison(error))?;
        }
        Ok(self.first_index())
    }

    /// How many bytes [`Journal::truncate_front`] would free.
    pub fn freeable_bytes(&self, below_index: u64) -> u64 {
        let view = self.shared.view();
        let followed_by = view.segments.iter().zip(view.segments.iter().skip(1));
        followed_by.take_while(|(_, next)| next.first_index <= below_index).map(|(segment, _)| segment.end_bytes).sum()
    }

    /// A handle for reading from any thread. It stays readable after the journal is closed.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// See [`Reader::read`].
    pub fn read(&self, from_index: u64, max_bytes: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        self.reader().read(from_index, max_bytes)
    }

    /// See [`Reader::next_index`].
    pub fn next_index(&self) -> u64 {
        self.shared.view().next_index
    }

    /// See [`Reader::first_index`].
    pub fn first_index(&self) -> u64 {
        self.shared.view().first_index()
    }

    /// See [`Reader::used_bytes`].
    pub fn used_bytes(&self) -> u64 {
        self.shared.view().used_bytes
    }

    pub fn stats(&self) -> Stats {
        self.shared.view().stats
    }

    /// Whether a write or sync has failed, so that only opening the journal again helps.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned_by.is_some()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    fn check_healthy(&self) -> Result<()> {
        match &self.poisoned_by {
            Some(cause) => Err(Error::Poisoned { cause: Arc::clone(cause) }),
            None => Ok(()),
        }
    }

    fn poison(&mut self, error: Error) -> Error {
        self.poisoned_by = Some(Arc::new(error.clone()));
        error
    }

    fn check_room(&self, batch_bytes: u64, records: u64) -> Result<()> {
        let Some(used_bytes) = self.room_shortfall(batch_bytes) else {
            return Ok(());
        };
        self.shared.view().stats.refused_records += records;
        Err(Error::Full { used_bytes, capacity_bytes: self.limits.capacity_bytes })
    }

    /// The bytes in use, if they leave no room for the batch.
    fn room_shortfall(&self, batch_bytes: u64) -> Option<u64> {
        let used_bytes = self.used_bytes();
        let header_bytes = if self.rolls_for(self.place().end_bytes, batch_bytes) { SEGMENT_COST_BYTES } else { 0 };
        (used_bytes + header_bytes + batch_bytes > self.limits.capacity_bytes).then_some(used_bytes)
    }

    fn rolls_for(&self, end_bytes: u64, batch_bytes: u64) -> bool {
        end_bytes > SEGMENT_COST_BYTES && end_bytes + batch_bytes > self.limits.segment_max_bytes
    }

    fn append_checked(&mut self, batches: &mut [Batch], bytes: u64) -> Result<Range<u64>> {
        let mut place = self.place();
        if self.rolls_for(place.end_bytes, bytes) {
            self.roll(place.next_index)?;
            place = self.place();
        }
        let failed = |action| Error::io(action, path(&*self.storage, &place.name));
        let next_index = place.next_index + batches.iter().map(Batch::records).sum::<u64>();
        let frames = match &mut *batches {
            [one] => {
                self.seal.close_frames(one.frames_mut(), place.next_index, 0);
                one.frames()
            }
            many => gather(&self.seal, many, place.next_index, &mut self.gathered),
        };
        place.file.write_at(frames, place.end_bytes).map_err(failed("write"))?;
        let began = Instant::now();
        place.file.sync_data().map_err(failed("sync"))?;
        publish(&self.shared, batches, place.next_index..next_index, began.elapsed());
        Ok(place.next_index..next_index)
    }

    fn place(&self) -> Place {
        let view = self.shared.view();
        let last = view.segments.back().expect("a journal has a segment from its opening on, and never frees the last");
        Place {
            name: last.name.clone(),
            file: Arc::clone(&last.file),
            end_bytes: last.end_bytes,
            next_index: view.next_index,
        }
    }

    fn roll(&self, first_index: u64) -> Result<()> {
        let segment = create_segment(&*self.storage, self.id, first_index)?;
        let mut view = self.shared.view();
        view.used_bytes += segment.end_bytes;
        view.segments.push_back(segment);
        Ok(())
    }

    /// The first segment's name, if all its records lie below `below_index` and another segment follows.
    fn freeable(&self, below_index: u64) -> Option<String> {
        let view = self.shared.view();
        let second = view.segments.get(1)?;
        (second.first_index <= below_index).then(|| view.segments[0].name.clone())
    }

    /// One removal, one sync: with two removals under way a crash could undo only the older one, and leave a gap.
    fn remove_first(&self, name: &str) -> Result<()> {
        self.storage.remove(name).map_err(Error::io("remove", path(&*self.storage, name)))?;
        self.storage.sync_folder().map_err(Error::io("sync", self.storage.place()))?;
        let mut view = self.shared.view();
        if let Some(removed) = view.segments.pop_front() {
            view.used_bytes -= removed.end_bytes;
        }
        Ok(())
    }
}

fn lock(storage: &dyn Storage) -> Result<FolderLock> {
    storage.lock().map_err(|source| match source.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked { folder: storage.place() },
        _ => Error::io("lock", storage.place())(source),
    })
}

/// Puts batches one behind the other and gives them their places. One write is one large piece of the kernel's page cache:
/// the sync of as many bytes in small pieces costs half as much again.
fn gather<'a>(seal: &Seal, batches: &[Batch], first_index: u64, into: &'a mut Vec<u8>) -> &'a [u8] {
    into.clear();
    // What one large group took is not kept for ever.
    into.shrink_to(GROUP_MAX_BYTES as usize);
    let mut next_index = first_index;
    for batch in batches {
        let begin = into.len();
        into.extend_from_slice(batch.frames());
        seal.close_frames(&mut into[begin..], next_index, (next_index - first_index) as u32);
        next_index += batch.records();
    }
    into
}

/// Shows the readers what the sync has made durable.
fn publish(shared: &Shared, batches: &[Batch], range: Range<u64>, sync: Duration) {
    {
        let mut view = shared.view();
        if let Some(last) = view.segments.back_mut() {
            let sizes = batches.iter().flat_map(|batch| payload_sizes(batch.frames()));
            range.clone().zip(sizes).for_each(|(index, payload_bytes)| last.extend(index, payload_bytes));
        }
        let written_bytes = batches.iter().map(Batch::size_bytes).sum::<u64>();
        view.used_bytes += written_bytes;
        view.next_index = range.end;
        view.stats.sync_count += 1;
        view.stats.last_sync = sync;
        view.stats.total_sync += sync;
        view.stats.appended_records += range.end - range.start;
        view.stats.appended_bytes += written_bytes;
    }
    shared.announce(range.end);
}
