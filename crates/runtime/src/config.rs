//! Configuration in layers: flags over `MEDFLEET_*` over a TOML file over the defaults of the type itself.
//!
//! `MEDFLEET_INGEST__LISTEN` sets `ingest.listen`: two underscores go one table down. A value that reads as a TOML
//! boolean, number, array or inline table is one; everything else is a string. Quote it (`'"42"'`) where a string looks
//! like a number.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::error::RuntimeError;

const PREFIX: &str = "MEDFLEET_";
/// Variables with the prefix that are not configuration: the log filter, and switches of the tests.
const ASIDE: [&str; 3] = ["MEDFLEET_LOG", "MEDFLEET_TEST_", "MEDFLEET_REQUIRE_"];

/// Layers laid one over the other; the last one to say something wins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layers {
    merged: Table,
}

impl Layers {
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays a TOML file over what is there. No path, no layer.
    pub fn file(mut self, path: Option<&Path>) -> Result<Self, RuntimeError> {
        let Some(path) = path else { return Ok(self) };
        let text =
            fs::read_to_string(path).map_err(|source| RuntimeError::ConfigFile { path: path.to_owned(), source })?;
        let table = text.parse().map_err(|source| RuntimeError::ConfigSyntax { path: path.to_owned(), source })?;
        merge(&mut self.merged, table);
        Ok(self)
    }

    /// Lays the variables that begin with `MEDFLEET_` over what is there; usually those of `std::env::vars()`.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, RuntimeError> {
        for (name, text) in variables {
            let Some(key) = name.strip_prefix(PREFIX).filter(|_| !ASIDE.iter().any(|aside| name.starts_with(aside)))
            else {
                continue;
            };
            let key = key.to_ascii_lowercase().replace("__", ".");
            self.set(&key, read_value(&text))?;
        }
        Ok(self)
    }

    /// Lays one flag over what is there, if it was given. The key is dotted, as in `ingest.listen`.
    pub fn flag(mut self, key: &str, value: Option<impl Into<Value>>) -> Result<Self, RuntimeError> {
        if let Some(value) = value {
            self.set(key, value.into())?;
        }
        Ok(self)
    }

    /// The configuration. Let `T` deny unknown fields: a misspelt key is then an error and not a default.
    pub fn build<T: DeserializeOwned>(self) -> Result<T, RuntimeError> {
        self.merged.try_into().map_err(|source| RuntimeError::ConfigValue { source })
    }

    fn set(&mut self, key: &str, value: Value) -> Result<(), RuntimeError> {
        let mut table = &mut self.merged;
        let mut words: Vec<&str> = key.split('.').collect();
        if words.iter().any(|word| word.is_empty()) {
            return Err(RuntimeError::ConfigKey { key: key.to_owned() });
        }
        let last = words.pop().unwrap_or_default();
        for word in words {
            let entry = table.entry(word).or_insert_with(|| Value::Table(Table::new()));
            table = entry.as_table_mut().ok_or_else(|| RuntimeError::ConfigShape { key: key.to_owned() })?;
        }
        table.insert(last.to_owned(), value);
        Ok(())
    }
}

fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

fn read_value(text: &str) -> Value {
    let read = || {
        let mut table: Table = format!("value = {text}").parse().ok()?;
        let value = table.remove("value")?;
        (table.is_empty() && !value.is_datetime()).then_some(value)
    };
    read().unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::io::Write;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        ingest: Ingest,
        data_dir: String,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Ingest {
        listen: String,
        shards: Vec<u32>,
        tls: bool,
    }

    impl Default for Settings {
        fn default() -> Self {
            Self { ingest: Ingest::default(), data_dir: "data".into() }
        }
    }

    impl Default for Ingest {
        fn default() -> Self {
            Self { listen: "127.0.0.1:8883".into(), shards: vec![], tls: true }
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_layer_wins_over_the_one_below() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "data_dir = 'from-file'\n[ingest]\nlisten = 'from-file'\nshards = [1]").unwrap();
        let settings: Settings = Layers::new()
            .file(Some(file.path()))
            .unwrap()
            .environment(variables(&[
                ("MEDFLEET_INGEST__LISTEN", "from-env"),
                ("MEDFLEET_INGEST__SHARDS", "[2, 3]"),
                ("HOME", "x"),
            ]))
            .unwrap()
            .flag("ingest.listen", Some("from-flag"))
            .unwrap()
            .flag("data_dir", None::<String>)
            .unwrap()
            .build()
            .unwrap();
        let ingest = Ingest { listen: "from-flag".into(), shards: vec![2, 3], tls: true };
        assert_eq!(settings, Settings { ingest, data_dir: "from-file".into() });
    }

    #[test]
    fn no_layer_leaves_the_defaults() {
        assert_eq!(Layers::new().build::<Settings>().unwrap(), Settings::default());
    }

    #[test]
    fn a_misspelt_variable_is_an_error_and_a_test_switch_is_not() {
        let build = |name| Layers::new().environment(variables(&[(name, "1")])).unwrap().build::<Settings>();
        let error = build("MEDFLEET_INGEST__LISTNE").unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("listne"));
        assert!(build("MEDFLEET_TEST_KAFKA").is_ok());
    }

    #[test]
    fn values_read_as_toml_where_they_are_toml() {
        assert_eq!(read_value("true"), Value::Boolean(true));
        assert_eq!(read_value("42"), Value::Integer(42));
        assert_eq!(read_value("\"42\""), Value::String("42".into()));
        assert_eq!(read_value("127.0.0.1:1883"), Value::String("127.0.0.1:1883".into()));
        assert_eq!(read_value("1\nother = 2"), Value::String("1\nother = 2".into()));
    }

    #[test]
    fn a_key_beneath_a_plain_value_is_refused() {
        let layers = Layers::new().flag("ingest", Some("plain")).unwrap();
        assert!(matches!(layers.clone().flag("ingest.listen", Some("x")), Err(RuntimeError::ConfigShape { .. })));
        assert!(matches!(layers.flag("a..b", Some("x")), Err(RuntimeError::ConfigKey { .. })));
    }
}
