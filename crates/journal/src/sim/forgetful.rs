//! A planted bug: storage whose syncs do nothing. A test of durability that passes on it proves nothing.

use std::io;
use std::sync::Arc;

use crate::storage::{FolderLock, SegmentFile, Storage};

/// Passes everything on to `inner`, and swallows the syncs of files.
pub struct ForgetfulSync {
    inner: Arc<dyn Storage>,
}

struct ForgetfulFile(Arc<dyn SegmentFile>);

impl ForgetfulSync {
    pub fn over(inner: Arc<dyn Storage>) -> Arc<dyn Storage> {
        Arc::new(Self { inner })
    }
}

impl Storage for ForgetfulSync {
    fn place(&self) -> String {
        self.inner.place()
    }

    fn lock(&self) -> io::Result<FolderLock> {
        self.inner.lock()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(ForgetfulFile(self.inner.create(name)?)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(ForgetfulFile(self.inner.open(name)?)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.inner.sync_folder()
    }
}

impl SegmentFile for ForgetfulFile {
    fn len_bytes(&self) -> io::Result<u64> {
        self.0.len_bytes()
    }

    fn read_at(&self, buffer: &mut [u8], position_bytes: u64) -> io::Result<()> {
        self.0.read_at(buffer, position_bytes)
    }

    fn write_at(&self, bytes: &[u8], position_bytes: u64) -> io::Result<()> {
        self.0.write_at(bytes, position_bytes)
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.0.set_len(len_bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
