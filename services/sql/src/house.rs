//! What all connections share: users, cuts, the parser, and the places there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use medfleet_runtime::Shutdown;
use tokio::sync::Semaphore;

use crate::config::SqlConfig;
use crate::desk::Desk;
use crate::meters::Meters;
use crate::refusal::Refusal;
use crate::refusal::sqlstate::TOO_MANY_CONNECTIONS;
use crate::run::Registry;
use crate::users::Users;

pub struct House {
    pub config: SqlConfig,
    pub users: Users,
    pub desk: Desk,
    pub meters: Meters,
    pub parser: PostgresCompatibilityParser,
    pub registry: Arc<Registry>,
    /// Statements that may run at one time.
    pub turns: Semaphore,
    pub seats: Seats,
    /// Makes the salt of users who do not exist; new at every start.
    pub secret: [u8; 32],
    pub shutdown: Shutdown,
}

/// Connections by user.
#[derive(Debug, Clone, Default)]
pub struct Seats {
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

impl Seats {
    pub fn take(&self, user: &str, most: usize) -> Result<Seat, Refusal> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(user.to_owned()).or_default();
        if *count >= most {
            let message = format!("{user} has {most} connections already");
            return Err(Refusal::fatal(TOO_MANY_CONNECTIONS, message, "close one of them, or use a smaller pool"));
        }
        *count += 1;
        Ok(Seat { user: user.to_owned(), seats: self.clone() })
    }
}

/// One user's connection, given back when it ends.
#[derive(Debug)]
pub struct Seat {
    user: String,
    seats: Seats,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_comes_back_and_others_have_their_own() {
        let seats = Seats::default();
        let one = seats.take("ann", 1).unwrap();
        assert_eq!(seats.take("ann", 1).unwrap_err().sqlstate, "53300");
        let _bob = seats.take("bob", 1).unwrap();
        drop(one);
        assert!(seats.take("ann", 1).is_ok());
    }
}
