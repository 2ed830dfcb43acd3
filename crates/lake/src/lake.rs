//! The lake's folder: which tables there are, which generation of each is current, and how to swap it.
//!
//! ```text
//! <root>/<table>/CURRENT        the name of the current generation
//! <root>/<table>/g0001/         a Delta table; a rebuild makes g0002 and swaps the pointer
//! ```

use std::path::Path as FsPath;
use std::sync::Arc;

use deltalake_core::logstore::{StorageConfig, logstore_with};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use url::Url;

use crate::error::LakeError;
use crate::schema::TableDef;
use crate::store::DurableFileSystem;
use crate::table::{Origin, Table};

const POINTER: &str = "CURRENT";
const FIRST_GENERATION: &str = "g0001";

/// The root of all tables, on the local disk or in an object store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lake {
    root: Url,
    prefix: Path,
    store: Arc<dyn ObjectStore>,
    durable: Option<DurableFileSystem>,
}

impl Lake {
    /// The lake under `data_dir/lake`, with every put synced to disk.
    pub async fn open_local(data_dir: &FsPath) -> Result<Self, LakeError> {
        let folder = data_dir.join("lake");
        let failed = |source| LakeError::Folder { path: folder.display().to_string(), source };
        let durable = DurableFileSystem::open(&folder).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let root = Url::from_directory_path(&folder)
            .map_err(|()| failed(std::io::Error::other("the path is not absolute")))?;
        let lake = Self::new(root, Arc::new(durable.clone()), Some(durable))?;
        if let Some(durable) = &lake.durable {
            let swept = durable.sweep_staged(&lake.prefix).await;
            let swept = swept.map_err(LakeError::storage("sweep", &lake.prefix))?;
            if swept > 0 {
                tracing::info!(files = swept, "removed files staged by processes that died");
            }
        }
        Ok(lake)
    }

    /// A lake in any store; `root` must end with a slash and `store` must be rooted at its host.
    pub fn with_store(root: Url, store: Arc<dyn ObjectStore>) -> Result<Self, LakeError> {
        Self::new(root, store, None)
    }

    /// The same lake seen through another store, e.g. one that fails on purpose.
    pub fn through(&self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        Self { store: wrap(Arc::clone(&self.store)), ..self.clone() }
    }

    fn new(root: Url, store: Arc<dyn ObjectStore>, durable: Option<DurableFileSystem>) -> Result<Self, LakeError> {
        let prefix = Path::from_url_path(root.path()).map_err(|e| LakeError::Storage {
            doing: "use as lake root",
            path: root.to_string(),
            source: e.into(),
        })?;
        Ok(Self { root, prefix, store, durable })
    }

    pub fn root(&self) -> &Url {
        &self.root
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The current generation of a table, if there is one.
    pub async fn current(&self, def: &'static TableDef) -> Result<Option<Table>, LakeError> {
        match self.read_pointer(def).await? {
            Some(generation) => self.generation(def, &generation).map(Some),
            None => Ok(None),
        }
    }

    /// The current generation of a table, created with this origin where there is none.
    pub async fn current_or_create(&self, def: &'static TableDef, origin: &Origin) -> Result<Table, LakeError> {
        if let Some(table) = self.current(def).await? {
            return Ok(table);
        }
        let table = self.generation(def, FIRST_GENERATION)?;
        table.create_if_absent(origin).await?;
        self.write_pointer(def, FIRST_GENERATION, PutMode::Create).await?;
        Ok(table)
    }

    /// A new, empty generation beside the current one; readers do not see it until [`Self::swap`].
    pub async fn create_generation(&self, def: &'static TableDef, origin: &Origin) -> Result<Table, LakeError> {
        let newest = self.generations(def).await?.pop();
        let number = newest.as_deref().and_then(generation_number).unwrap_or(0);
        let table = self.generation(def, &format!("g{:04}", number + 1))?;
        table.create_if_absent(origin).await?;
        Ok(table)
    }

    /// The generation after this one, begun empty and made the current one. However many do it at once, it is one.
    pub async fn succeed(&self, table: &Table, origin: &Origin) -> Result<Table, LakeError> {
        let number = generation_number(table.generation()).unwrap_or(0) + 1;
        let next = self.generation(table.def(), &format!("g{number:04}"))?;
        next.create_if_absent(origin).await?;
        self.swap(&next).await?;
        Ok(next)
    }

    /// Makes a generation the current one. Durable when it returns.
    pub async fn swap(&self, table: &Table) -> Result<(), LakeError> {
        self.write_pointer(table.def(), table.generation(), PutMode::Overwrite).await
    }

    /// Names of all generations, oldest first.
    pub async fn generations(&self, def: &'static TableDef) -> Result<Vec<String>, LakeError> {
        let folder = self.folder(def);
        let listed = self.store.list_with_delimiter(Some(&folder)).await;
        let listed = match listed {
            Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
            other => other.map_err(LakeError::storage("list", &folder))?,
        };
        let names = listed.common_prefixes.iter().filter_map(|path| path.filename());
        let mut names: Vec<String> =
            names.filter(|name| generation_number(name).is_some()).map(str::to_owned).collect();
        names.sort_by_key(|name| generation_number(name));
        Ok(names)
    }

    /// Deletes every file of a generation that is not the current one; returns how many.
    pub async fn remove_generation(&self, table: &Table) -> Result<usize, LakeError> {
        let def = table.def();
        if self.read_pointer(def).await?.as_deref() == Some(table.generation()) {
            return Err(LakeError::RemoveCurrent { table: def.name.into(), generation: table.generation().into() });
        }
        let folder = self.folder(def).join(table.generation());
        let files = self.store.list(Some(&folder)).map_ok(|meta| meta.location).boxed();
        let removed: Vec<Path> =
            self.store.delete_stream(files).try_collect().await.map_err(LakeError::storage("delete", &folder))?;
        Ok(removed.len())
    }

    /// A handle on one generation; nothing is read yet.
    pub fn generation(&self, def: &'static TableDef, generation: &str) -> Result<Table, LakeError> {
        let failed = |text: &str| LakeError::BadPointer {
            path: self.folder(def).join(POINTER).to_string(),
            text: text.to_owned(),
        };
        generation_number(generation).ok_or_else(|| failed(generation))?;
        let url = self.root.join(&format!("{}/{generation}/", def.name)).map_err(|_| failed(generation))?;
        let log_store = logstore_with(Arc::clone(&self.store), &url, StorageConfig::default())
            .map_err(LakeError::delta("locate", def.name))?;
        let folder = self.folder(def).join(generation);
        Ok(Table::new(def, generation.to_owned(), folder, log_store, self.durable.clone()))
    }

    fn folder(&self, def: &TableDef) -> Path {
        self.prefix.clone().join(def.name)
    }

    async fn read_pointer(&self, def: &TableDef) -> Result<Option<String>, LakeError> {
        let path = self.folder(def).join(POINTER);
        let bytes = match self.store.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(LakeError::storage("read", &path)(source)),
            Ok(found) => found.bytes().await.map_err(LakeError::storage("read", &path))?,
        };
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        match generation_number(&text) {
            Some(_) => Ok(Some(text)),
            None => Err(LakeError::BadPointer { path: path.to_string(), text }),
        }
    }

    async fn write_pointer(&self, def: &TableDef, generation: &str, mode: PutMode) -> Result<(), LakeError> {
        let path = self.folder(def).join(POINTER);
        let text = format!("{generation}\n");
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&path, text.into(), options).await {
            // Two processes created the first generation together: both point to the same folder.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(source) => Err(LakeError::storage("write", &path)(source)),
        }
    }
}

/// `g0007` is 7; anything else is no generation.
fn generation_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix('g')?;
    (digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_g_and_four_digits_name_a_generation() {
        assert_eq!(generation_number("g0001"), Some(1));
        assert_eq!(generation_number("g12345"), Some(12_345));
        for wrong in ["", "g1", "0001", "g00x1", "../g0001", "g0001/.."] {
            assert_eq!(generation_number(wrong), None, "{wrong}");
        }
    }
}
