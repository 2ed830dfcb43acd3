//! How each role of the process is: the answers to /live and /ready.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a role says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleState {
    Starting,
    Ready,
    /// Alive but of no use now, as without its broker. It expects to recover.
    Waiting(String),
    /// It will not recover: the process should be started again.
    Failed(String),
}

impl fmt::Display for RoleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Ready => f.write_str("ready"),
            Self::Waiting(why) => write!(f, "waiting: {why}"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

/// The roles of this process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health {
    roles: Arc<Mutex<BTreeMap<&'static str, RoleState>>>,
}

impl Health {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a role, or finds it: it is starting until it says otherwise.
    pub fn role(&self, name: &'static str) -> RoleHealth {
        self.lock().entry(name).or_insert(RoleState::Starting);
        RoleHealth { name, health: self.clone() }
    }

    /// No role has failed.
    pub fn is_live(&self) -> bool {
        !self.lock().values().any(|state| matches!(state, RoleState::Failed(_)))
    }

    /// There are roles, and all are ready.
    pub fn is_ready(&self) -> bool {
        let roles = self.lock();
        !roles.is_empty() && roles.values().all(|state| *state == RoleState::Ready)
    }

    pub fn states(&self) -> BTreeMap<&'static str, RoleState> {
        self.lock().clone()
    }

    /// One line for each role, for people.
    pub fn report(&self) -> String {
        self.lock().iter().fold(String::new(), |mut text, (name, state)| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} {state}");
            text
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, RoleState>> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hand of one role on its own state.
#[derive(Debug, Clone)]
pub struct RoleHealth {
    name: &'static str,
    health: Health,
}

impl RoleHealth {
    pub fn ready(&self) {
        self.set(RoleState::Ready);
    }

    pub fn waiting(&self, why: impl Into<String>) {
        self.set(RoleState::Waiting(why.into()));
    }

    pub fn failed(&self, why: impl Into<String>) {
        self.set(RoleState::Failed(why.into()));
    }

    fn set(&self, state: RoleState) {
        self.health.lock().insert(self.name, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_every_role_and_at_least_one() {
        let health = Health::new();
        assert!(!health.is_ready() && health.is_live());
        let (ingest, api) = (health.role("ingest"), health.role("api"));
        ingest.ready();
        assert!(!health.is_ready(), "api is still starting");
        api.ready();
        assert!(health.is_ready());
    }

    #[test]
    fn a_waiting_role_is_alive_and_a_failed_one_is_not() {
        let health = Health::new();
        let ingest = health.role("ingest");
        ingest.waiting("no broker");
        assert!(health.is_live() && !health.is_ready());
        ingest.failed("log is not ours");
        assert!(!health.is_live());
        assert_eq!(health.report(), "ingest failed: log is not ours\n");
    }
}
