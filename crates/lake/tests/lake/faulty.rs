//! An object store that fails commits on purpose.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream::BoxStream;
use medfleet_lake::Lake;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens to one put of a commit entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written, an error comes back.
    Refuse,
    /// The entry is written, but an error comes back.
    LoseAnswer,
    /// The entry is written, and before its writer is told so, somebody else has put the one after it.
    Overtake,
}

/// The faults still to come, shared with the test.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<VecDeque<Fault>>>);

impl Faults {
    pub fn then(&self, fault: Fault) {
        self.0.lock().unwrap().push_back(fault);
    }

    pub fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn wrap(&self, lake: &Lake) -> Lake {
        let faults = self.clone();
        lake.through(move |inner| Arc::new(FaultyStore { inner, faults }))
    }
}

#[derive(Debug)]
struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    faults: Faults,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty store")
    }
}

fn entry_after(entry: &Path) -> Path {
    let name = entry.filename().unwrap();
    let version: u64 = name.trim_end_matches(".json").parse().unwrap();
    Path::from(entry.as_ref().replace(name, &format!("{:020}.json", version + 1)))
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let is_commit = location.as_ref().contains("_delta_log/");
        let fault = is_commit.then(|| self.faults.0.lock().unwrap().pop_front()).flatten();
        let failed = || Error::Generic { store: "faulty", source: "the network broke".into() };
        match fault {
            Some(Fault::Refuse) => Err(failed()),
            Some(Fault::LoseAnswer) => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(failed())
            }
            Some(Fault::Overtake) => {
                let put = self.inner.put_opts(location, payload, opts.clone()).await?;
                let entry = r#"{"commitInfo":{"timestamp":0}}"#;
                self.inner.put_opts(&entry_after(location), entry.into(), opts).await?;
                Ok(put)
            }
            None => self.inner.put_opts(location, payload, opts).await,
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
