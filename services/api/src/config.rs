//! Where the api listens, and what it needs to know of the machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use medfleet_runtime::TlsFiles;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Loopback unless told otherwise.
    pub listen: SocketAddr,
    /// Holds the login token; made at the first start, readable by the owner alone.
    pub token_file: PathBuf,
    /// Without them the api speaks plain HTTP, which suits loopback only.
    pub tls: Option<TlsFiles>,
    /// How often the newest cut is looked for.
    pub cut_poll_milliseconds: u64,
    /// Memory of all running queries together.
    pub query_memory_mebibytes: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            token_file: PathBuf::from("login.token"),
            tls: None,
            cut_poll_milliseconds: 500,
            query_memory_mebibytes: 512,
        }
    }
}

impl ApiConfig {
    /// The address of a page, as a person would type it.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.listen)
    }
}
