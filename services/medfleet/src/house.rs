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

    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    pub fn agent(&self, name: &str) -> PathBuf {
        self.root.join("agents").join(name)
    }

    pub fn demo(&self) -> PathBuf {
        self.root.join("demo.json")
    }
}
