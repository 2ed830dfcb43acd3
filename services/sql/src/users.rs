//! Who may ask, and for which sites: one small file for each user, read at every login, so that a new or a removed user
//! needs no restart.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rand::RngCore as _;
use serde::{Deserialize, Serialize};

use crate::error::SqlError;
use crate::scram::{SALT_BYTES, Verifier};

const NAME_MAX_LETTERS: usize = 63;

/// Whose rows a user sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    All,
    Sites(BTreeSet<String>),
}

impl Scope {
    pub fn sites(names: impl IntoIterator<Item = String>) -> Result<Self, SqlError> {
        let names: BTreeSet<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
        if names.is_empty() { Err(SqlError::NoSites) } else { Ok(Self::Sites(names)) }
    }
}

#[derive(Debug, Clone)]
pub struct User {
    pub name: String,
    pub scope: Scope,
    pub verifier: Verifier,
}

/// A user as it stands in its file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(default)]
    all_sites: bool,
    #[serde(default)]
    sites: BTreeSet<String>,
    verifier: String,
}

/// The folder of users.
#[derive(Debug, Clone)]
pub struct Users {
    folder: PathBuf,
}

impl Users {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The user of this name. What is no name of a user is no user either.
    pub fn find(&self, name: &str) -> Result<Option<User>, SqlError> {
        let Ok(path) = self.path(name) else { return Ok(None) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SqlError::UserFile { path, source }),
        };
        let stored: Stored = match toml::from_str(&text) {
            Ok(stored) => stored,
            Err(source) => return Err(SqlError::UserText { path, source }),
        };
        let Some(verifier) = Verifier::parse(&stored.verifier) else { return Err(SqlError::Verifier { path }) };
        let scope = if stored.all_sites { Scope::All } else { Scope::sites(stored.sites)? };
        Ok(Some(User { name: name.to_owned(), scope, verifier }))
    }

    /// Writes a user, over an older one of the same name.
    pub fn write(&self, name: &str, scope: &Scope, password: &str) -> Result<PathBuf, SqlError> {
        let path = self.path(name)?;
        let mut salt = [0; SALT_BYTES];
        rand::rng().fill_bytes(&mut salt);
        let (all_sites, sites) = match scope {
            Scope::All => (true, BTreeSet::new()),
            Scope::Sites(names) => (false, names.clone()),
        };
        let stored = Stored { all_sites, sites, verifier: Verifier::new(password, &salt).to_string() };
        let failed = |source| SqlError::UserFile { path: path.clone(), source };
        let text = toml::to_string(&stored).map_err(|error| failed(std::io::Error::other(error)))?;
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed)?;
        let fresh = path.with_extension("new");
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&fresh, &path))
            .map_err(failed)?;
        Ok(path)
    }

    pub fn check_name(&self, name: &str) -> Result<(), SqlError> {
        self.path(name).map(|_| ())
    }

    fn path(&self, name: &str) -> Result<PathBuf, SqlError> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
        if name.is_empty() || name.len() > NAME_MAX_LETTERS || !name.bytes().all(plain) {
            return Err(SqlError::UserName { name: name.to_owned() });
        }
        Ok(self.folder.join(format!("{name}.toml")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_comes_back_with_its_sites_and_without_its_password() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::new(&folder.path().join("users"));
        assert!(users.find("ann").unwrap().is_none());
        let scope = Scope::sites(["north".to_owned(), "south".to_owned()]).unwrap();
        let path = users.write("ann", &scope, "a password").unwrap();
        assert_eq!(users.find("ann").unwrap().unwrap().scope, scope);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("a password"));
        users.write("ann", &Scope::All, "another").unwrap();
        assert_eq!(users.find("ann").unwrap().unwrap().scope, Scope::All);
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder_and_a_user_needs_sites() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::new(folder.path());
        for name in ["", "../ann", "a/b", "Ann", "a.b", &"a".repeat(64)] {
            assert!(users.find(name).unwrap().is_none(), "{name}");
            assert!(matches!(users.write(name, &Scope::All, "x"), Err(SqlError::UserName { .. })), "{name}");
        }
        assert!(matches!(Scope::sites([]), Err(SqlError::NoSites)));
        std::fs::write(folder.path().join("bob.toml"), "sites = []\nverifier = \"x\"").unwrap();
        assert!(users.find("bob").is_err());
    }
}
