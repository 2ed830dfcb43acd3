//! An upload in parts to the durable local store: parts land in a staged file, `complete` syncs and names it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use crate::store::{Disk, generic};

/// One upload under way. Dropped without `complete`, it leaves nothing behind.
pub(crate) struct DurableUpload {
    disk: Arc<Disk>,
    target: PathBuf,
    staged: Option<(Arc<File>, PathBuf)>,
    /// Where the next part begins; parts are numbered by the order of `put_part`.
    next_offset_bytes: u64,
}

impl DurableUpload {
    pub(crate) fn begin(disk: Arc<Disk>, target: PathBuf) -> Result<Self> {
        let (file, staged) = disk.stage(&target)?;
        Ok(Self { disk, target, staged: Some((Arc::new(file), staged)), next_offset_bytes: 0 })
    }
}

impl std::fmt::Debug for DurableUpload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DurableUpload({})", self.target.display())
    }
}

#[async_trait::async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let mut offset_bytes = self.next_offset_bytes;
        self.next_offset_bytes += data.content_length() as u64;
        let Some((file, staged)) = self.staged.clone() else {
            return Box::pin(std::future::ready(Err(finished(&self.target))));
        };
        Box::pin(async move {
            blocking(move || {
                for chunk in data.iter() {
                    file.write_all_at(chunk, offset_bytes).map_err(|e| generic(&staged, e))?;
                    offset_bytes += chunk.len() as u64;
                }
                Ok(())
            })
            .await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (file, staged) = self.staged.take().ok_or_else(|| finished(&self.target))?;
        let (disk, target) = (Arc::clone(&self.disk), self.target.clone());
        blocking(move || disk.publish(&file, &staged, &target, false)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        let (_, staged) = self.staged.take().ok_or_else(|| finished(&self.target))?;
        blocking(move || std::fs::remove_file(&staged).map_err(|e| generic(&staged, e))).await
    }
}

impl Drop for DurableUpload {
    fn drop(&mut self) {
        if let Some((_, staged)) = self.staged.take() {
            let _ = std::fs::remove_file(staged);
        }
    }
}

fn finished(target: &std::path::Path) -> Error {
    Error::Generic {
        store: "durable local store",
        source: format!("the upload to {} is already finished", target.display()).into(),
    }
}

async fn blocking<T: Send + 'static>(job: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(job).await.map_err(|source| Error::JoinError { source })?
}
