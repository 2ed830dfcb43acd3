//! What can go wrong while a simulated fleet is set up: only its data files.

/// A data file of the demo fleet that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("catalogue file {file} cannot be read as TOML of the catalogue")]
    Unreadable {
        file: String,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("catalogue file {file}: {flaw}")]
    Flawed { file: String, flaw: String },
    #[error("fleet file {file} holds a value the domain refuses")]
    Refused {
        file: String,
        #[source]
        source: medfleet_domain::Invalid,
    },
}

impl Error {
    pub(crate) fn unreadable(file: &str, source: toml::de::Error) -> Self {
        Self::Unreadable { file: file.into(), source: Box::new(source) }
    }

    pub(crate) fn flawed(file: &str, flaw: String) -> Self {
        Self::Flawed { file: file.into(), flaw }
    }

    pub(crate) fn refused(file: &str, source: medfleet_domain::Invalid) -> Self {
        Self::Refused { file: file.into(), source }
    }
}
