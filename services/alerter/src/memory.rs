//! What the desk keeps between lives, so that a start need not read the facts from the log's floor. Checked when read;
//! without it, or with one that cannot be used, the facts are read again.

use std::fs::{self, File};
use std::io::{Error, Write as _};
use std::path::{Path, PathBuf};

use medfleet_alerts::desk::Desk;
use medfleet_domain::alert::record::Life;
use medfleet_domain::contract::Pin;
use serde::{Deserialize, Serialize};

use crate::error::AlerterError;

/// Layout of the file; one of another layout is not read.
const LAYOUT: u32 = 6;
const FILE: &str = "desk.memory";
const CHECKSUM_BYTES: usize = 8;

#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    layout: u32,
    log: String,
    /// Whose memory it is, and how many turns it had appended by then. Where one of them does not count, another life had opened,
    /// and the memory is of things that never happened.
    pub life: Life,
    pub turns: u64,
    /// Everything below these offsets is in the desk.
    pub read: Vec<Pin>,
    pub desk: Desk,
}

/// Writes what the desk holds after its last turn.
pub fn save(
    folder: &Path,
    log: &str,
    (life, turns): (Life, u64),
    read: Vec<Pin>,
    desk: &Desk,
) -> Result<(), AlerterError> {
    let memory = (LAYOUT, log, life, turns, read, desk);
    let body = postcard::to_extend(&memory, vec![0; CHECKSUM_BYTES]).map_err(AlerterError::MemoryCoding)?;
    let path = folder.join(FILE);
    write_durably(folder, &path, body)
        .map_err(|source| AlerterError::Memory { path: path.display().to_string(), source })
}

/// The memory of this log, if there is one that can be used.
pub fn load(folder: &Path, log: &str) -> Option<Memory> {
    let path = folder.join(FILE);
    let bytes = fs::read(&path).ok()?;
    let memory = decode(&bytes).filter(|memory| memory.layout == LAYOUT && memory.log == log);
    if memory.is_none() {
        tracing::warn!(path = %path.display(), "memory of the desk is not used, reading the facts again");
    }
    memory
}

fn decode(bytes: &[u8]) -> Option<Memory> {
    let (sum, body) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    let sound = twox_hash::XxHash3_64::oneshot(body).to_le_bytes() == sum;
    sound.then(|| postcard::from_bytes(body).ok()).flatten()
}

/// Temporary file, sync, rename, sync of the folder: a reader sees all of it or nothing.
fn write_durably(folder: &Path, path: &PathBuf, mut bytes: Vec<u8>) -> Result<(), Error> {
    let sum = twox_hash::XxHash3_64::oneshot(&bytes[CHECKSUM_BYTES..]).to_le_bytes();
    bytes[..CHECKSUM_BYTES].copy_from_slice(&sum);
    fs::create_dir_all(folder)?;
    let staged = path.with_extension("staged");
    let mut file = File::create(&staged)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_alerts::rule::Rules;

    #[test]
    fn a_memory_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::new(Rules::embedded().unwrap());
        let read = vec![Pin { topic: "medfleet.facts.v1".into(), partition: 2, next_offset: 7 }];
        save(folder.path(), "log-a", (Life(3), 5), read.clone(), &desk).unwrap();
        let kept = load(folder.path(), "log-a").unwrap();
        assert_eq!((kept.life, kept.turns, kept.read, kept.desk), (Life(3), 5, read, desk));
        assert!(load(folder.path(), "log-b").is_none(), "of another log");
        let path = folder.path().join(FILE);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(load(folder.path(), "log-a").is_none(), "damaged");
    }
}
