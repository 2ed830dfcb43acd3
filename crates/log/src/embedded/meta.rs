//! What the embedded log knows about itself: its identity, its topics and their partition counts, in one small file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::LogError;
use crate::port::LogId;
use crate::topics::TopicDeclaration;

const FILE_NAME: &str = "log.json";
const FORMAT: u32 = 1;

/// The content of `log.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    format: u32,
    log_id: String,
    /// Topic name to partition count.
    pub(super) topics: BTreeMap<String, u32>,
}

impl Meta {
    /// Reads the file. A folder without one holds no log yet: it gets an identity, durable before any journal is made
    /// under it.
    pub(super) fn load_or_begin(folder: &Path) -> Result<Self, LogError> {
        if let Some(meta) = Self::load(folder)? {
            return Ok(meta);
        }
        let log_id = LogId::from_bytes(*uuid::Uuid::new_v4().as_bytes());
        let meta = Self { format: FORMAT, log_id: log_id.to_string(), topics: BTreeMap::new() };
        meta.store(folder)?;
        Ok(meta)
    }

    fn load(folder: &Path) -> Result<Option<Self>, LogError> {
        let path = folder.join(FILE_NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LogError::Io { action: "read", path, source }),
        };
        let malformed = |why: String| LogError::Folder { path: path.clone(), why };
        let meta: Self =
            serde_json::from_slice(&text).map_err(|error| malformed(format!("it is no log description ({error})")))?;
        if meta.format != FORMAT {
            return Err(malformed(format!(
                "format {} is not format {FORMAT}: start the version that wrote it",
                meta.format
            )));
        }
        Ok(Some(meta))
    }

    pub(super) fn log_id(&self) -> Result<LogId, LogError> {
        self.log_id.parse()
    }

    /// The partition count a topic was created with; none for a topic that is new to this log.
    pub(super) fn agreed(&self, declaration: &TopicDeclaration) -> Result<Option<u32>, LogError> {
        let TopicDeclaration { topic, partitions: declared, .. } = *declaration;
        match self.topics.get(topic.name()) {
            Some(&found) if found != declared => Err(LogError::PartitionCount { topic, declared, found }),
            found => Ok(found.copied()),
        }
    }

    /// Replaces the file so that after a power cut either the old or the new one is there, whole.
    pub(super) fn store(&self, folder: &Path) -> Result<(), LogError> {
        let (path, fresh) = (folder.join(FILE_NAME), folder.join("log.json.new"));
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| LogError::Folder { path: path.clone(), why: error.to_string() })?;
        let write = || {
            let mut file = File::create(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|source| LogError::Io { action: "write", path: path.clone(), source })
    }
}
