//! Snapshots of a worker's memory: two kept, checked when read, never trusted past the tables.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::hash::Hasher as _;
use std::io::{BufWriter, Error, ErrorKind, Seek as _, Write};
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
const LAYOUT: u32 = 4;
const MAGIC: &[u8; 8] = b"mfsnap\0\0";
/// Magic and checksum before the body.
const HEADER_BYTES: usize = 16;
/// What is encoded goes to the file in pieces of this size: the memory of a worker is not held twice.
const PIECE_BYTES: usize = 1024 * 1024;
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

/// A file that is no snapshot yet: it lacks its head and its name.
pub struct Staged {
    path: PathBuf,
    file: File,
    sum: u64,
}

/// A file that knows what was written to it hashes to.
struct Hashed {
    file: File,
    hash: twox_hash::XxHash3_64,
}

impl Write for Hashed {
    fn write(&mut self, piece: &[u8]) -> Result<usize, Error> {
        let written = self.file.write(piece)?;
        self.hash.write(&piece[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.flush()
    }
}

impl Snapshots {
    pub fn open(folder: &Path, log: &str) -> Result<Self, ProcessorError> {
        fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        Ok(Self { folder: folder.to_owned(), log: log.to_owned(), saved: VecDeque::new() })
    }

    /// Writes the memory of a book to a file that nobody takes for a snapshot.
    pub fn stage(&self, book: &Book, marks: &Marks) -> Result<Staged, ProcessorError> {
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
        let path = self.folder.join("next.staged");
        let file = File::create(&path).and_then(|mut file| file.write_all(&[0; HEADER_BYTES]).map(|()| file));
        let file = file.map_err(|source| failed(&path, source))?;
        let hashed = Hashed { file, hash: twox_hash::XxHash3_64::new() };
        let out = BufWriter::with_capacity(PIECE_BYTES, hashed);
        let out = postcard::to_io(&header, out).map_err(ProcessorError::SnapshotCoding)?;
        let out = postcard::to_io(&book.memory, out).map_err(ProcessorError::SnapshotCoding)?;
        let Hashed { file, hash } = out.into_inner().map_err(|unwritten| failed(&path, unwritten.into_error()))?;
        Ok(Staged { path, file, sum: hash.finish() })
    }

    /// Makes a snapshot of the staged memory of a book that goes on at `next`, and answers its size. All rows before that must
    /// be in the tables by now.
    pub fn keep(&mut self, staged: Staged, next: &BTreeMap<Partition, u64>) -> Result<u64, ProcessorError> {
        let number = self.list()?.last().map_or(1, |(number, _)| number + 1);
        let path = self.folder.join(format!("{number:012}.{EXTENSION}"));
        let bytes = staged.keep(&path, &self.folder).map_err(|source| failed(&path, source))?;
        self.drop_old()?;
        self.saved.push_back(next.clone());
        if self.saved.len() > SNAPSHOTS_KEPT {
            self.saved.pop_front();
        }
        Ok(bytes)
    }

    /// Makes the head of a damaged snapshot fit its body.
    #[cfg(test)]
    pub(crate) fn seal(bytes: &mut [u8]) {
        let Some((to_fit, body)) = bytes.split_at_mut_checked(HEADER_BYTES) else { return };
        to_fit.copy_from_slice(&head(twox_hash::XxHash3_64::oneshot(body)));
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
        if head != self::head(twox_hash::XxHash3_64::oneshot(body)) {
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

impl Staged {
    /// Head, sync, rename, sync of the folder: a reader sees all of it or nothing. Answers the size.
    fn keep(mut self, path: &Path, folder: &Path) -> Result<u64, Error> {
        self.file.rewind()?;
        self.file.write_all(&head(self.sum))?;
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        File::open(folder)?.sync_all()?;
        Ok(self.file.metadata()?.len())
    }
}

/// Magic, and what the body hashes to.
fn head(sum: u64) -> [u8; HEADER_BYTES] {
    let mut head = [0; HEADER_BYTES];
    head[..8].copy_from_slice(MAGIC);
    head[8..].copy_from_slice(&sum.to_le_bytes());
    head
}

fn failed(path: &Path, source: Error) -> ProcessorError {
    ProcessorError::Snapshot { path: path.display().to_string(), source }
}
