//! What opening finds on the disk: reads every segment, cuts a torn tail, refuses damage.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::{HeaderFault, JournalId, SEGMENT_HEADER_BYTES, Seal, SegmentHeader, first_index_of, segment_name};
use crate::limits::{MAX_BATCH_BYTES, READ_WINDOW_BYTES};
use crate::reader::{Segment, Stats, View};
use crate::scan::{Cursor, Step, find_later_batch};
use crate::storage::{SegmentFile, Storage};

const HEADER_BYTES: u64 = SEGMENT_HEADER_BYTES as u64;

/// One folder, as the journal that is to be found in it sees it.
pub(crate) struct Recovery<'a> {
    pub storage: &'a dyn Storage,
    pub journal: JournalId,
    pub seal: &'a Seal,
}

/// The end of a segment's good records, and where the batch that may be unsynced begins.
struct Tail {
    next_index: u64,
    last_batch_at_bytes: u64,
    cut_bytes: u64,
}

enum Header {
    Whole,
    /// The file holds no more than a header, and not a whole one: the crash came while the segment was created.
    TornCreation,
}

impl Recovery<'_> {
    /// Finds the journal, or begins an empty one. Afterwards every record in the view is durable.
    pub fn run(&self) -> Result<View> {
        let mut view = View { segments: VecDeque::new(), next_index: 0, used_bytes: 0, stats: Stats::default() };
        let firsts = self.segment_firsts()?;
        let mut dubious_from_bytes = 0;
        for (at, &first_index) in firsts.iter().enumerate() {
            let is_last = at + 1 == firsts.len();
            let name = segment_name(first_index);
            let file = self.storage.open(&name).map_err(|source| self.io("open", &name, source))?;
            let expected_index = if at == 0 { None } else { Some(view.next_index) };
            self.check_contiguous(&name, first_index, expected_index)?;
            if let Header::TornCreation = self.check_header(&name, &*file, first_index, is_last)? {
                self.forget_torn_creation(&name, &*file, &mut view)?;
                break;
            }
            let mut segment = Segment::empty(name, first_index, file);
            let tail = self.walk(&mut segment, is_last)?;
            dubious_from_bytes = tail.last_batch_at_bytes;
            view.next_index = tail.next_index;
            view.stats.cut_bytes += tail.cut_bytes;
            view.used_bytes += segment.end_bytes;
            view.segments.push_back(segment);
        }
        match view.segments.back() {
            Some(last) => self.make_durable(last, dubious_from_bytes)?,
            None => self.begin(&mut view)?,
        }
        Ok(view)
    }

    fn segment_firsts(&self) -> Result<Vec<u64>> {
        let names = self.storage.list().map_err(Error::io("list", self.storage.place()))?;
        let mut firsts: Vec<u64> = names.iter().filter_map(|name| first_index_of(name)).collect();
        firsts.sort_unstable();
        Ok(firsts)
    }

    fn check_contiguous(&self, name: &str, first_index: u64, expected_index: Option<u64>) -> Result<()> {
        match expected_index {
            Some(expected) if expected != first_index => Err(self.corrupt(
                name,
                0,
                format!("the segment before it ends at {expected}: records are missing between"),
            )),
            _ => Ok(()),
        }
    }

    fn check_header(&self, name: &str, file: &dyn SegmentFile, first_index: u64, is_last: bool) -> Result<Header> {
        let len_bytes = file.len_bytes().map_err(|source| self.io("measure", name, source))?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let present = len_bytes.min(HEADER_BYTES) as usize;
        file.read_at(&mut bytes[..present], 0).map_err(|source| self.io("read", name, source))?;
        // The missing end of a short header may be zeros in a whole one, so a short one is never decoded.
        let decoded =
            if present < SEGMENT_HEADER_BYTES { Err(HeaderFault::Unreadable) } else { SegmentHeader::decode(&bytes) };
        match decoded {
            Ok(header) if header.journal != self.journal => {
                Err(Error::ForeignJournal { file: self.path(name), found: header.journal, expected: self.journal })
            }
            Ok(header) if header.first_index != first_index => {
                Err(self.corrupt(name, 32, format!("its header says it begins at {}", header.first_index)))
            }
            Ok(_) => Ok(Header::Whole),
            Err(HeaderFault::Version(found)) => Err(Error::UnsupportedVersion { file: self.path(name), found }),
            // Records come only after a header that was synced. A file with more than a header has lost a good one.
            Err(_) if is_last && len_bytes <= HEADER_BYTES => Ok(Header::TornCreation),
            Err(_) => Err(self.corrupt(name, 0, "its header is unreadable".to_owned())),
        }
    }

    /// A segment is only ever created behind a whole one, or as the very first; anything else has lost its history.
    fn forget_torn_creation(&self, name: &str, file: &dyn SegmentFile, view: &mut View) -> Result<()> {
        if view.segments.is_empty() && first_index_of(name) != Some(0) {
            return Err(self.corrupt(
                name,
                0,
                "its header is unreadable, and the records before it are gone".to_owned(),
            ));
        }
        view.stats.cut_bytes += file.len_bytes().map_err(|source| self.io("measure", name, source))?;
        self.storage.remove(name).map_err(|source| self.io("remove", name, source))?;
        self.sync_folder()
    }

    /// Reads a segment to its end. Only the last segment may have a torn tail: the others were synced before it began.
    fn walk(&self, segment: &mut Segment, is_last: bool) -> Result<Tail> {
        let file = Arc::clone(&segment.file);
        let len_bytes = file.len_bytes().map_err(|source| self.io("measure", &segment.name, source))?;
        let mut cursor = Cursor::new(&*file, self.seal, segment.first_index, HEADER_BYTES, len_bytes);
        let mut last_batch_at_bytes = 0;
        let reason = loop {
            match cursor.step().map_err(|source| self.io("read", &segment.name, source))? {
                Step::Record(record) => {
                    if record.ordinal == 0 {
                        last_batch_at_bytes = record.position_bytes;
                    }
                    segment.extend(record.index, record.payload.len());
                }
                Step::End => break None,
                Step::Bad(reason) => break Some(reason),
            }
        };
        let (next_index, end_bytes) = (cursor.next_index(), cursor.position_bytes());
        if let Some(reason) = reason {
            self.check_torn(segment, is_last, next_index, len_bytes, reason)?;
        }
        Ok(Tail { next_index, last_batch_at_bytes, cut_bytes: len_bytes - end_bytes })
    }

    /// Whether a write that a crash cut short explains the bad record at the segment's end; if not, it is damage.
    /// What nothing can tell from a torn write is damage to the last batch alone, or to everything from some record on.
    fn check_torn(
        &self,
        segment: &Segment,
        is_last: bool,
        bad_index: u64,
        len_bytes: u64,
        reason: String,
    ) -> Result<()> {
        let Segment { name, file, end_bytes, .. } = segment;
        if !is_last {
            return Err(self.corrupt(name, *end_bytes, format!("{reason}, and a later segment follows")));
        }
        if len_bytes - end_bytes > MAX_BATCH_BYTES {
            return Err(self.corrupt(name, *end_bytes, format!("{reason}, and more than one batch follows")));
        }
        let later = find_later_batch(&**file, self.seal, bad_index, *end_bytes, len_bytes)
            .map_err(|source| self.io("read", name, source))?;
        match later {
            Some(at) => {
                Err(self.corrupt(name, *end_bytes, format!("{reason}, and a later batch has a record at byte {at}")))
            }
            None => Ok(()),
        }
    }

    /// Cuts the torn tail and makes what is left durable.
    ///
    /// A sync alone would not do: if the journal was poisoned by a failed sync, the kernel may have marked the batch's
    /// pages clean without writing them, so they read well now and the next sync would skip them. Writing the batch once
    /// more makes them dirty again. Everything before the last batch was synced before that batch was written.
    fn make_durable(&self, last: &Segment, dubious_from_bytes: u64) -> Result<()> {
        let Segment { name, file, end_bytes, .. } = last;
        file.set_len(*end_bytes).map_err(|source| self.io("cut", name, source))?;
        let mut window = vec![0; READ_WINDOW_BYTES];
        let mut at_bytes = dubious_from_bytes;
        while at_bytes < *end_bytes {
            let piece = &mut window[..(end_bytes - at_bytes).min(READ_WINDOW_BYTES as u64) as usize];
            file.read_at(piece, at_bytes).map_err(|source| self.io("read", name, source))?;
            file.write_at(piece, at_bytes).map_err(|source| self.io("write", name, source))?;
            at_bytes += piece.len() as u64;
        }
        file.sync_data().map_err(|source| self.io("sync", name, source))?;
        self.sync_folder()
    }

    fn begin(&self, view: &mut View) -> Result<()> {
        let segment = create_segment(self.storage, self.journal, 0)?;
        view.used_bytes = segment.end_bytes;
        view.segments.push_back(segment);
        Ok(())
    }

    fn sync_folder(&self) -> Result<()> {
        self.storage.sync_folder().map_err(Error::io("sync", self.storage.place()))
    }

    fn path(&self, name: &str) -> String {
        path(self.storage, name)
    }

    fn io(&self, action: &'static str, name: &str, source: std::io::Error) -> Error {
        Error::io(action, self.path(name))(source)
    }

    fn corrupt(&self, name: &str, position_bytes: u64, reason: String) -> Error {
        Error::Corrupt { file: self.path(name), position_bytes, reason }
    }
}

/// Makes a segment durable, header and folder entry, before any record is written into it.
pub(crate) fn create_segment(storage: &dyn Storage, journal: JournalId, first_index: u64) -> Result<Segment> {
    let name = segment_name(first_index);
    let path = path(storage, &name);
    let file = storage.create(&name).map_err(Error::io("create", &path))?;
    let header = SegmentHeader { journal, first_index }.encode();
    file.write_at(&header, 0).map_err(Error::io("write", &path))?;
    file.sync_data().map_err(Error::io("sync", &path))?;
    storage.sync_folder().map_err(Error::io("sync", storage.place()))?;
    Ok(Segment::empty(name, first_index, file))
}

pub(crate) fn path(storage: &dyn Storage, name: &str) -> String {
    format!("{}/{name}", storage.place())
}
