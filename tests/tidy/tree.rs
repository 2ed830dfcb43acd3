//! The files of the repository: those that git tracks, and those that it would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Tree {
    root: PathBuf,
    /// Paths from the root, with `/` between their parts, sorted.
    paths: Vec<String>,
}

impl Tree {
    pub fn open() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a room of the workspace");
        let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = Command::new("git").args(listing).current_dir(root).output().expect("git is installed");
        assert!(listed.status.success(), "git cannot list {}: run the tests in a clone", root.display());
        let names = String::from_utf8(listed.stdout).expect("names of files are UTF-8");
        let mut paths: Vec<String> = names.split_terminator('\0').map(str::to_owned).collect();
        // Git goes on listing a file that was deleted and not yet committed.
        paths.retain(|path| root.join(path).is_file());
        paths.sort();
        paths.dedup();
        assert!(
            paths.len() > 100,
            "only {} files found below {}: no rule would be tested",
            paths.len(),
            root.display()
        );
        Self { root: root.to_owned(), paths }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    pub fn with_extension(&self, extension: &str) -> Vec<&str> {
        self.paths().filter(|path| Path::new(path).extension().is_some_and(|found| found == extension)).collect()
    }

    pub fn contains(&self, path: &str) -> bool {
        self.paths.binary_search_by(|known| known.as_str().cmp(path)).is_ok()
    }

    /// The text of a file; None when it is not text.
    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.root.join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
        String::from_utf8(bytes).ok()
    }
}
