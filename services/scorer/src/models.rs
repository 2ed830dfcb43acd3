//! Models as files: a file's name is the hash of its words, so none is ever taken for another. The log and the seed can make each
//! again.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use medfleet_risk::model::Model;

use crate::Error;

#[derive(Debug, Clone)]
pub struct Models {
    folder: PathBuf,
}

impl Models {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    pub fn file(&self, version: &str) -> PathBuf {
        self.folder.join(format!("{version}.json"))
    }

    /// Keeps a model; it is on disk when this answers. Answers its name.
    pub fn keep(&self, model: &Model) -> Result<String, Error> {
        let (words, version) = (model.to_json()?, model.version()?);
        let path = self.file(&version);
        let failed = |source| Error::ModelFile { path: path.clone(), source };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let unnamed = path.with_extension("new");
        let mut file = fs::File::create(&unnamed).map_err(failed)?;
        file.write_all(words.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&unnamed, &path).map_err(failed)?;
        sync_folder(&self.folder).map_err(failed)?;
        Ok(version)
    }

    /// Reads a model, and refuses words that are not those of its name.
    pub fn read(&self, version: &str) -> Result<Model, Error> {
        let path = self.file(version);
        let words = fs::read_to_string(&path).map_err(|source| Error::ModelFile { path: path.clone(), source })?;
        let model = Model::from_json(&words)?;
        let found = Model::name_of(&words);
        if found == version { Ok(model) } else { Err(Error::OtherModel { path, found }) }
    }
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    fs::File::open(folder)?.sync_all()
}
