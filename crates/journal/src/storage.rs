//! The port to the disk: one folder of plain files, synchronous, with every write and sync visible to a test.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const LOCK_NAME: &str = "lock";

/// Held while a journal is open; dropping it lets another one open the folder.
pub type FolderLock = Box<dyn Send + Sync>;

/// One folder. Creating and removing become durable with [`Storage::sync_folder`], not before.
pub trait Storage: Send + Sync {
    /// How messages name this folder.
    fn place(&self) -> String;
    /// Takes the folder for one journal alone; [`io::ErrorKind::WouldBlock`] if another holds it.
    fn lock(&self) -> io::Result<FolderLock>;
    /// The names of all files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes an empty file; an error if there is one of that name.
    fn create(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>>;
    fn open(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>>;
    /// Takes the name away. Files already open stay readable.
    fn remove(&self, name: &str) -> io::Result<()>;
    fn sync_folder(&self) -> io::Result<()>;
}

/// One open file. Positions are in bytes; writes become durable with [`SegmentFile::sync_data`], not before.
pub trait SegmentFile: Send + Sync {
    fn len_bytes(&self) -> io::Result<u64>;
    /// Fills the whole buffer, or fails.
    fn read_at(&self, buffer: &mut [u8], position_bytes: u64) -> io::Result<()>;
    /// Writes all bytes; after an error any part of them may have been written.
    fn write_at(&self, bytes: &[u8], position_bytes: u64) -> io::Result<()>;
    fn set_len(&self, len_bytes: u64) -> io::Result<()>;
    fn sync_data(&self) -> io::Result<()>;
}

/// A folder of the real file system.
#[derive(Debug, Clone)]
pub struct FsStorage {
    folder: PathBuf,
}

impl FsStorage {
    /// Makes the folder where it is missing, durably.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        create_folder(&folder)?;
        Ok(Self { folder })
    }
}

/// A new folder is an entry in its parent: without syncing that one, a power loss takes the journal with the folder.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new(""));
    create_folder(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    File::open(parent)?.sync_all()
}

impl Storage for FsStorage {
    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    fn lock(&self) -> io::Result<FolderLock> {
        let path = self.folder.join(LOCK_NAME);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.folder.join(name))?;
        Ok(Arc::new(FsFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.folder.join(name))?;
        Ok(Arc::new(FsFile(file)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

struct FsFile(File);

impl SegmentFile for FsFile {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], position_bytes: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, position_bytes)
    }

    fn write_at(&self, bytes: &[u8], position_bytes: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, position_bytes)
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.0.set_len(len_bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
