//! The simulated disk: what its files show, what they would hold after a power loss, and the faults to come.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::file::{Dice, SimFile};
use crate::reader::locked;
use crate::storage::{FolderLock, SegmentFile, Storage};

/// One folder on a disk that can fail. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Grows when the process dies or the power fails; handles of an earlier life are dead.
    life: u64,
    steps: u64,
    crash_at_step: Option<u64>,
    is_down: bool,
    syncs_until_failure: Option<u64>,
    capacity_bytes: Option<u64>,
    /// The lock in force, by its number: a lock of an earlier life must not release a later one.
    locked_by: Option<u64>,
    locks: u64,
    files: Vec<SimFile>,
    /// The folder as the running process sees it.
    folder: BTreeMap<String, usize>,
    durable_folder: BTreeMap<String, usize>,
    unsynced_entries: Vec<(String, Option<usize>)>,
}

impl SimDisk {
    pub fn new() -> Self {
        Self::default()
    }

    /// The folder as the process of this life sees it.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(SimStorage { disk: self.clone(), life: self.state().life })
    }

    /// Steps so far: every create, write, cut, sync and remove.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// At this step, and from it on, everything fails: a write may have been done in part, a sync has not.
    pub fn crash_at_step(&self, step: u64) {
        self.state().crash_at_step = Some(step);
    }

    /// Whether the crash has come.
    pub fn is_down(&self) -> bool {
        self.state().is_down
    }

    /// The sync of a file after `more_syncs` others fails once. As on Linux, its pages may or may not have been written,
    /// count as clean, and are not written by a later sync. The file's length is metadata, which a kernel does retry.
    pub fn fail_sync_after(&self, more_syncs: u64) {
        self.state().syncs_until_failure = Some(more_syncs);
    }

    /// Writes beyond this many bytes over all files are done in part and fail. None lifts the limit.
    pub fn set_capacity_bytes(&self, capacity_bytes: Option<u64>) {
        self.state().capacity_bytes = capacity_bytes;
    }

    /// The process dies; the kernel lives, and keeps what was written. Everything can be opened anew.
    pub fn kill(&self) {
        self.state().begin_life();
    }

    /// The power fails and returns. Each unsynced piece is kept, lost or torn by `seed`.
    pub fn cut_power(&self, seed: u64) {
        let mut dice = Dice(seed);
        let mut state = self.state();
        for file in &mut state.files {
            file.lose_power(&mut dice);
        }
        for (name, entry) in std::mem::take(&mut state.unsynced_entries) {
            if dice.roll(2) == 0 {
                state.durable_folder.apply(name, entry);
            }
        }
        state.folder = state.durable_folder.clone();
        state.begin_life();
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        self.state().folder.keys().cloned().collect()
    }

    /// A file as the process sees it.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.folder.get(name).map(|&file| state.files[file].shown.clone())
    }

    /// Rot: puts these bytes in the place of the file's, durably, and whatever was synced.
    pub fn overwrite(&self, name: &str, contents: &[u8]) {
        let mut state = self.state();
        if let Some(&file) = state.folder.get(name) {
            state.files[file] = SimFile::synced(contents);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl State {
    fn begin_life(&mut self) {
        self.life += 1;
        self.is_down = false;
        self.crash_at_step = None;
        self.syncs_until_failure = None;
        self.locked_by = None;
    }

    fn check_alive(&self, life: u64) -> io::Result<()> {
        if self.is_down || life != self.life { Err(io::Error::other("simulated crash")) } else { Ok(()) }
    }

    /// Counts a step, and says whether this is the one that crashes.
    fn begin_step(&mut self, life: u64) -> io::Result<()> {
        self.check_alive(life)?;
        if self.crash_at_step == Some(self.steps) {
            self.is_down = true;
        }
        self.steps += 1;
        Ok(())
    }

    fn named(&self, name: &str) -> io::Result<usize> {
        self.folder.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change_entry(&mut self, name: &str, entry: Option<usize>) {
        self.folder.apply(name.to_owned(), entry);
        self.unsynced_entries.push((name.to_owned(), entry));
    }

    fn free_bytes(&self) -> usize {
        let used: usize = self.folder.values().map(|&file| self.files[file].shown.len()).sum();
        self.capacity_bytes.map_or(usize::MAX, |capacity| (capacity as usize).saturating_sub(used))
    }

    fn next_sync_fails(&mut self) -> bool {
        let fails = self.syncs_until_failure == Some(0);
        self.syncs_until_failure = if fails { None } else { self.syncs_until_failure.map(|left| left - 1) };
        fails
    }
}

trait Entries {
    fn apply(&mut self, name: String, entry: Option<usize>);
}

impl Entries for BTreeMap<String, usize> {
    fn apply(&mut self, name: String, entry: Option<usize>) {
        match entry {
            Some(file) => self.insert(name, file),
            None => self.remove(&name),
        };
    }
}

struct SimStorage {
    disk: SimDisk,
    life: u64,
}

struct SimLock {
    disk: SimDisk,
    number: u64,
}

struct SimHandle {
    disk: SimDisk,
    life: u64,
    file: usize,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.locked_by == Some(self.number) {
            state.locked_by = None;
        }
    }
}

impl SimStorage {
    fn handle(&self, file: usize) -> Arc<dyn SegmentFile> {
        Arc::new(SimHandle { disk: self.disk.clone(), life: self.life, file })
    }
}

impl Storage for SimStorage {
    fn place(&self) -> String {
        "simulated".to_owned()
    }

    fn lock(&self) -> io::Result<FolderLock> {
        let mut state = self.disk.state();
        state.check_alive(self.life)?;
        if state.locked_by.is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locks += 1;
        state.locked_by = Some(state.locks);
        Ok(Box::new(SimLock { disk: self.disk.clone(), number: state.locks }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.disk.state();
        state.check_alive(self.life)?;
        Ok(state.folder.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        let mut state = self.disk.state();
        state.begin_step(self.life)?;
        if state.folder.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.push(SimFile::default());
        let file = state.files.len() - 1;
        state.change_entry(name, Some(file));
        state.check_alive(self.life)?;
        Ok(self.handle(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        let state = self.disk.state();
        state.check_alive(self.life)?;
        Ok(self.handle(state.named(name)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin_step(self.life)?;
        state.named(name)?;
        state.change_entry(name, None);
        state.check_alive(self.life)
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin_step(self.life)?;
        state.check_alive(self.life)?;
        state.durable_folder = state.folder.clone();
        state.unsynced_entries.clear();
        Ok(())
    }
}

impl SegmentFile for SimHandle {
    fn len_bytes(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.check_alive(self.life)?;
        Ok(state.files[self.file].shown.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], position_bytes: u64) -> io::Result<()> {
        let state = self.disk.state();
        state.check_alive(self.life)?;
        let start = position_bytes as usize;
        let bytes = state.files[self.file].shown.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], position_bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin_step(self.life)?;
        let position = position_bytes as usize;
        let grows_by = (position + bytes.len()).saturating_sub(state.files[self.file].shown.len());
        let taken = bytes.len() - grows_by.saturating_sub(state.free_bytes()).min(bytes.len());
        state.files[self.file].write(position, &bytes[..taken]);
        if taken < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.check_alive(self.life)
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin_step(self.life)?;
        state.files[self.file].set_len(len_bytes as usize);
        state.check_alive(self.life)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin_step(self.life)?;
        state.check_alive(self.life)?;
        let fails = state.next_sync_fails();
        let mut dice = Dice(state.steps);
        let file = &mut state.files[self.file];
        if fails {
            file.fail_sync(&mut dice);
            return Err(io::Error::other("simulated sync failure"));
        }
        file.sync();
        Ok(())
    }
}
