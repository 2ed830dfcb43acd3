//! Where the endpoint listens, who its users are, and what one connection, one statement and all of them may use.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use medfleet_runtime::TlsFiles;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqlConfig {
    /// Loopback unless told otherwise.
    pub listen: SocketAddr,
    /// One file for each user: sites and verifier, never a password.
    pub users_folder: PathBuf,
    /// Without them the endpoint speaks plain text, which it does on loopback only.
    pub tls: Option<TlsFiles>,
    pub limits: Limits,
}

/// Every bound of the endpoint. Reaching one is counted and refused with the value and the cure.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub connections_max: usize,
    pub connections_per_user_max: usize,
    /// From the first byte to the end of the login.
    pub login_seconds: u64,
    /// A connection that says nothing.
    pub idle_seconds: u64,
    /// The same within a transaction, which holds a cut.
    pub idle_in_transaction_seconds: u64,
    /// Statements that run at one time; others wait.
    pub running_max: usize,
    pub wait_for_turn_milliseconds: u64,
    /// Planning, execution and fetching together, for each message that runs something.
    pub statement_milliseconds: u64,
    /// Rows and bytes of one answer.
    pub rows_max: u64,
    pub answer_mebibytes: usize,
    /// What the operators of one connection may hold.
    pub connection_memory_mebibytes: usize,
    /// The same over all connections.
    pub memory_mebibytes: usize,
    /// Disk for sorts and groupings past their memory, over all connections.
    pub spill_mebibytes: usize,
    /// One message of a client: a statement, or the parameters of one.
    pub message_max_bytes: usize,
    /// Prepared statements and open portals of one connection, each.
    pub prepared_max: usize,
}

/// One message before the login.
pub const LOGIN_MESSAGE_MAX_BYTES: usize = 10_000;

impl Default for SqlConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 5433)),
            users_folder: PathBuf::from("sql-users"),
            tls: None,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 64,
            connections_per_user_max: 32,
            login_seconds: 10,
            idle_seconds: 1_800,
            idle_in_transaction_seconds: 60,
            running_max: 4,
            wait_for_turn_milliseconds: 10_000,
            statement_milliseconds: 30_000,
            rows_max: 1_000_000,
            answer_mebibytes: 256,
            connection_memory_mebibytes: 256,
            memory_mebibytes: 512,
            spill_mebibytes: 2_048,
            message_max_bytes: 1 << 18,
            prepared_max: 256,
        }
    }
}
