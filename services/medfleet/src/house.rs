//! The one data folder: where each room of an installation keeps its things.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Paths under the data folder.
#[derive(Debug, Clone)]
pub struct House {
    root: PathBuf,
}

impl House {
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(root)
            .with_context(|| format!("cannot make the data folder {}: choose another with --data", root.display()))?;
        Ok(Self { root: root.to_owned() })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// One folder per list of partitions: several workers on one machine keep their memories apart.
    pub fn snapshots_of(&self, partitions: &[u32]) -> PathBuf {
        let listed: Vec<String> = partitions.iter().map(u32::to_string).collect();
        if listed.is_empty() { self.snapshots() } else { self.snapshots().join(listed.join("-")) }
    }

    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    pub fn agent(&self, name: &str) -> PathBuf {
        self.root.join("agents").join(name)
    }

    /// Reports as they were issued.
    pub fn reports(&self) -> PathBuf {
        self.root.join("reports")
    }

    /// What the alerter keeps between its lives.
    pub fn alerter(&self) -> PathBuf {
        self.root.join("alerter")
    }

    /// Models by name.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    pub fn demo(&self) -> PathBuf {
        self.root.join("demo.json")
    }
}
