//! Snapshots of a worker's memory: two kept, checked when read, never trusted past the tables.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use medfleet_domain::FOLD_VERSION;
use medfleet_log::{Partition, Topic};
use serde::{Deserialize, Serialize};

use crate::book::{Book, Memory};
use crate::error::ProcessorError;
use crate::retention::Marks;

/// Snapshots kept; the older one serves when the newer cannot be read.
pub const SNAPSHOTS_KEPT: usize = 2;
/// Layout of the file. Another layout, or another fold, is not read: the worker folds from the log instead.
const LAYOUT: u32 = 3;
const MAGIC: &[u8; 8] = b"mfsnap\0\0";
/// Magic and checksum before the body.
const HEADER_BYTES: usize = 16;
const EXTENSION: &str = "snapshot";

#[derive(Serialize, Deserialize)]
struct Header {
    layout: u32,
    fold: u32,
    log: String,
    /// topic, partition, next offset, greatest append time.
    offsets: Vec<(String, u32, u64, i64)>,
    marks: Marks,
}

/// The folder of one worker's snapshots.
pub struct Snapshots {
    folder: PathBuf,
    log: String,
    /// Where those saved in this life go on, oldest first, as many as are kept.
    saved: VecDeque<BTreeMap<Partition, u64>>,
}

impl Snapshots {
    pub fn open(folder: &Path, log: &str) -> Result<Self, ProcessorError> {
        fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        Ok(Self { folder: folder.to_owned(), log: log.to_owned(), saved: VecDeque::new() })
    }

    /// The memory of a book as a file has it.
    pub fn encode(&self, book: &Book, marks: &Marks) -> Result<Vec<u8>, ProcessorError> {
        let offsets = book.next.iter().map(|(home, next)| {
            let appended_max = book.appended_max.get(home).copied().unwrap_or(i64::MIN);
            (home.topic.name().to_owned(), home.partition, *next, appended_max)
        });
        let header = Header {
            layout: LAYOUT,
            fold: FOLD_VERSION,
            log: self.log.clone(),
            offsets: offsets.collect(),
            marks: marks.clone(),
        };
        let mut body = vec![0; HEADER_BYTES];
        body = postcard::to_extend(&header, body).map_err(ProcessorError::SnapshotCoding)?;
        body = postcard::to_extend(&book.memory, body).map_err(ProcessorError::SnapshotCoding)?;
        Self::seal(&mut body);
        Ok(body)
    }

    /// Writes the encoded memory of a book that goes on at `next`. All rows before that must be in the tables by now.
    pub fn keep(&mut self, body: &[u8], next: &BTreeMap<Partition, u64>) -> Result<u64, ProcessorError> {
        let number = self.list()?.last().map_or(1, |(number, _)| number + 1);
        let path = self.folder.join(format!("{number:012}.{EXTENSION}"));
        write_durably(&self.folder, &path, body).map_err(|source| failed(&path, source))?;
        self.drop_old()?;
        self.saved.push_back(next.clone());
        if self.saved.len() > SNAPSHOTS_KEPT {
            self.saved.pop_front();
        }
        Ok(body.len() as u64)
    }

    /// Puts magic and checksum before a body that left room for them.
    pub(crate) fn seal(bytes: &mut [u8]) {
        let Some((head, body)) = bytes.split_at_mut_checked(HEADER_BYTES) else { return };
        head[..8].copy_from_slice(MAGIC);
        head[8..].copy_from_slice(&twox_hash::XxHash3_64::oneshot(body).to_le_bytes());
    }

    /// The newest readable snapshot that lies nowhere past `limit`, the offset up to which all tables reach.
    pub fn load(&self, limit: impl Fn(Partition) -> u64) -> Result<Option<(Book, Marks)>, ProcessorError> {
        for (_, path) in self.list()?.into_iter().rev() {
            match fs::read(&path).and_then(|bytes| self.decode(&bytes)) {
                Ok((book, marks)) if book.next.iter().all(|(home, next)| *next <= limit(*home)) => {
                    return Ok(Some((book, marks)));
                }
                Ok(_) => tracing::warn!(path = %path.display(), "snapshot lies past the tables, trying an older one"),
                Err(error) => tracing::warn!(path = %path.display(), %error, "snapshot not used, trying an older one"),
            }
        }
        Ok(None)
    }

    /// The lowest offset of a partition from which a kept snapshot goes on. Only those saved in this life are known, so
    /// there is no answer before they are all that is kept.
    pub fn needed_from(&self, home: Partition) -> Option<u64> {
        if self.saved.len() < SNAPSHOTS_KEPT {
            return None;
        }
        self.saved.iter().map(|next| next.get(&home).copied().unwrap_or(0)).min()
    }

    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<(Book, Marks), Error> {
        let bad = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
        let (head, body) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(|| bad("shorter than its header"))?;
        let sum = twox_hash::XxHash3_64::oneshot(body).to_le_bytes();
        if &head[..8] != MAGIC || head[8..] != sum {
            return Err(bad("damaged"));
        }
        let (header, rest) = postcard::take_from_bytes::<Header>(body).map_err(|_| bad("header not readable"))?;
        if (header.layout, header.fold) != (LAYOUT, FOLD_VERSION) {
            return Err(bad("of another version"));
        }
        if header.log != self.log {
            return Err(bad("of another log"));
        }
        let memory: Memory = postcard::from_bytes(rest).map_err(|_| bad("memory not readable"))?;
        let mut book = Book::remembering(memory);
        for (topic, partition, next, appended_max) in header.offsets {
            let topic = Topic::of_street(&topic).map_err(|_| bad("unknown topic"))?;
            book.next.insert(Partition::new(topic, partition), next);
            book.appended_max.insert(Partition::new(topic, partition), appended_max);
        }
        Ok((book, header.marks))
    }

    /// Number and path of every snapshot, oldest first.
    fn list(&self) -> Result<Vec<(u64, PathBuf)>, ProcessorError> {
        let entries = fs::read_dir(&self.folder).map_err(|source| failed(&self.folder, source))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| failed(&self.folder, source))?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            if let (Some(number), true) = (number, path.extension().is_some_and(|end| end == EXTENSION)) {
                found.push((number, path));
            }
        }
        found.sort();
        Ok(found)
    }

    fn drop_old(&self) -> Result<(), ProcessorError> {
        let mut kept = self.list()?;
        let excess = kept.len().saturating_sub(SNAPSHOTS_KEPT);
        for (_, path) in kept.drain(..excess) {
            fs::remove_file(&path).map_err(|source| failed(&path, source))?;
        }
        Ok(())
    }
}

/// Temporary file, sync, rename, sync of the folder: a reader sees all of it or nothing.
fn write_durably(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let staged = path.with_extension("staged");
    let mut file = File::create(&staged)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    File::open(folder)?.sync_all()
}

fn failed(path: &Path, source: Error) -> ProcessorError {
    ProcessorError::Snapshot { path: path.display().to_string(), source }
}
