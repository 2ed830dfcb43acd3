//! A local object store whose every put survives power loss.
//!
//! The plain local store never syncs, and a commit file torn to zero length then loads silently as
//! an empty version. Here a put is: staged file, fdatasync, hard link (or rename when overwriting),
//! unlink, fsync of the folder. A reader never sees a staged file, and a zero-length commit is an error.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path as FsPath, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use crate::upload::DurableUpload;

/// Folders whose own entry is known to be on disk; the set is forgotten when it grows past this.
const KNOWN_FOLDERS_MAX: usize = 65_536;
/// A staged file older than this belongs to a process that died.
const STAGED_FILE_MAX_AGE_SECONDS: u64 = 3_600;
const STORE: &str = "durable local store";

/// The local file system under one base folder, with every put synced.
#[derive(Clone)]
pub struct DurableFileSystem {
    inner: LocalFileSystem,
    disk: Arc<Disk>,
}

/// What the blocking side of a put needs; shared with uploads in parts.
pub(crate) struct Disk {
    known_folders: Mutex<HashSet<PathBuf>>,
    /// Set when a folder could not be synced: what is visible may then not be durable.
    broken: AtomicBool,
    stage_serial: AtomicU64,
}

impl DurableFileSystem {
    /// Opens the store; `base` and the folders above it are created and made durable.
    pub fn open(base: &FsPath) -> io::Result<Self> {
        std::fs::create_dir_all(base)?;
        let base = base.canonicalize()?;
        if let Some(parent) = base.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self {
            inner: LocalFileSystem::new(),
            disk: Arc::new(Disk {
                known_folders: Mutex::new(HashSet::from([base])),
                broken: AtomicBool::new(false),
                // Begins anywhere: two stores may stand over one folder, in one process or in two with equal ids.
                stage_serial: AtomicU64::new(uuid::Uuid::new_v4().as_u64_pair().0 >> 16),
            }),
        })
    }

    /// Makes everything visible in a folder durable. Needed before trusting an entry that was
    /// found rather than put: its writer may have died between link and folder sync.
    pub async fn settle(&self, folder: &Path) -> Result<()> {
        let folder = self.inner.path_to_filesystem(folder)?;
        self.blocking(move |disk| match disk.sync_folder(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|e| generic(&folder, e)),
        })
        .await
    }

    /// Removes files staged by processes that died; returns how many.
    pub async fn sweep_staged(&self, folder: &Path) -> Result<usize> {
        let folder = self.inner.path_to_filesystem(folder)?;
        self.blocking(move |_| {
            let mut swept = 0;
            sweep(&folder, SystemTime::now(), &mut swept).map_err(|e| generic(&folder, e))?;
            Ok(swept)
        })
        .await
    }

    async fn blocking<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Disk) -> Result<T> + Send + 'static,
    {
        let disk = Arc::clone(&self.disk);
        tokio::task::spawn_blocking(move || {
            disk.check()?;
            job(&disk)
        })
        .await
        .map_err(|source| Error::JoinError { source })?
    }
}

impl Disk {
    /// Refuses all work once a folder could not be synced.
    fn check(&self) -> Result<()> {
        if self.broken.load(Ordering::Acquire) {
            return Err(Error::Generic {
                store: STORE,
                source: "a folder could not be synced: check the disk, then restart".into(),
            });
        }
        Ok(())
    }

    /// Opens a file beside `target` under a name that listings do not show.
    pub(crate) fn stage(&self, target: &FsPath) -> Result<(File, PathBuf)> {
        self.check()?;
        if let Some(folder) = target.parent() {
            self.ensure_folder(folder).map_err(|e| generic(target, e))?;
        }
        let serial = self.stage_serial.fetch_add(1, Ordering::Relaxed);
        let staged = format!("{}#{}{serial:06}", target.display(), std::process::id());
        let staged = PathBuf::from(staged);
        let file = File::create_new(&staged).map_err(|e| generic(&staged, e))?;
        Ok((file, staged))
    }

    /// Syncs the staged file, gives it its name, and syncs the folder. The staged name is gone
    /// afterwards, whatever happened.
    pub(crate) fn publish(&self, file: &File, staged: &FsPath, target: &FsPath, must_be_new: bool) -> Result<()> {
        let named = file.sync_data().and_then(|()| match must_be_new {
            true => std::fs::hard_link(staged, target),
            false => std::fs::rename(staged, target),
        });
        if must_be_new || named.is_err() {
            let _ = std::fs::remove_file(staged);
        }
        match named {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::AlreadyExists { path: target.display().to_string(), source: e.into() });
            }
            Err(e) => return Err(generic(target, e)),
        }
        let folder = target.parent().unwrap_or(target);
        self.sync_folder(folder).map_err(|e| generic(folder, e))
    }

    fn sync_folder(&self, folder: &FsPath) -> io::Result<()> {
        let opened = File::open(folder)?;
        opened.sync_all().inspect_err(|_| self.broken.store(true, Ordering::Release))
    }

    /// Creates the folder and syncs the entry of every folder not yet known to be durable.
    fn ensure_folder(&self, folder: &FsPath) -> io::Result<()> {
        let mut known = self.known_folders.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > KNOWN_FOLDERS_MAX {
            known.clear();
        }
        let mut missing = Vec::new();
        for ancestor in folder.ancestors() {
            if known.contains(ancestor) || ancestor.parent().is_none() {
                break;
            }
            missing.push(ancestor);
        }
        for ancestor in missing.into_iter().rev() {
            match std::fs::create_dir(ancestor) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
            if let Some(parent) = ancestor.parent() {
                self.sync_folder(parent)?;
            }
            known.insert(ancestor.to_owned());
        }
        Ok(())
    }
}

fn sweep(folder: &FsPath, now: SystemTime, swept: &mut usize) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sweep(&entry.path(), now, swept)?;
        } else if is_staged(&entry.file_name().to_string_lossy()) {
            let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
            if age > Duration::from_secs(STAGED_FILE_MAX_AGE_SECONDS) {
                std::fs::remove_file(entry.path())?;
                *swept += 1;
            }
        }
    }
    Ok(())
}

/// The local store hides names that end in `#` and digits from every listing.
fn is_staged(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, tail)| !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_digit()))
}

/// True for `…/_delta_log/00000000000000000042.json`.
fn is_commit(path: &Path) -> bool {
    let mut parts = path.parts().collect::<Vec<_>>().into_iter().rev();
    let (Some(file), Some(folder)) = (parts.next(), parts.next()) else { return false };
    let stem = file.as_ref().strip_suffix(".json");
    folder.as_ref() == "_delta_log" && stem.is_some_and(|s| s.len() == 20 && s.bytes().all(|b| b.is_ascii_digit()))
}

fn refuse_empty_commit(meta: ObjectMeta) -> Result<ObjectMeta> {
    if meta.size == 0 && is_commit(&meta.location) {
        return Err(Error::Generic {
            store: STORE,
            source: format!("{} is empty: the commit was torn by a crash", meta.location).into(),
        });
    }
    Ok(meta)
}

pub(crate) fn generic(path: &FsPath, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::NotFound {
        return Error::NotFound { path: path.display().to_string(), source: source.into() };
    }
    let source = io::Error::new(source.kind(), format!("{}: {source}", path.display()));
    Error::Generic { store: STORE, source: source.into() }
}

impl fmt::Debug for DurableFileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DurableFileSystem")
    }
}

impl fmt::Display for DurableFileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STORE)
    }
}

#[async_trait::async_trait]
impl ObjectStore for DurableFileSystem {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let must_be_new = match opts.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "put with PutMode::Update".into(),
                    implementer: STORE.into(),
                });
            }
        };
        let target = self.inner.path_to_filesystem(location)?;
        self.blocking(move |disk| {
            let (mut file, staged) = disk.stage(&target)?;
            for chunk in payload.iter() {
                if let Err(e) = file.write_all(chunk) {
                    let _ = std::fs::remove_file(&staged);
                    return Err(generic(&target, e));
                }
            }
            disk.publish(&file, &staged, &target, must_be_new)
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let target = self.inner.path_to_filesystem(location)?;
        let disk = Arc::clone(&self.disk);
        let upload = self.blocking(move |_| DurableUpload::begin(disk, target)).await?;
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.inner.get_opts(location, options).await?;
        refuse_empty_commit(got.meta.clone())?;
        Ok(got)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[std::ops::Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let metas = self.inner.list(prefix);
        metas.and_then(|meta| std::future::ready(refuse_empty_commit(meta))).boxed()
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let metas = self.inner.list_with_offset(prefix, offset);
        metas.and_then(|meta| std::future::ready(refuse_empty_commit(meta))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.inner.list_with_delimiter(prefix).await?;
        for meta in &listed.objects {
            refuse_empty_commit(meta.clone())?;
        }
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        self.settle_parent(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await?;
        self.settle_parent(to).await
    }
}

impl DurableFileSystem {
    /// Copies and renames move files whose bytes are already on disk, so only the folder remains.
    async fn settle_parent(&self, location: &Path) -> Result<()> {
        let target = self.inner.path_to_filesystem(location)?;
        self.blocking(move |disk| {
            let folder = target.parent().unwrap_or(&target);
            disk.sync_folder(folder).map_err(|e| generic(folder, e))
        })
        .await
    }
}
