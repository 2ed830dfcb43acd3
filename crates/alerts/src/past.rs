//! How long what is over is remembered. The log keeps all of it for as long as it is kept itself.

use medfleet_domain::alert::life::Alert;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};

/// Days for which an alert that is over stays in memory. Then its problem, told again, is another incident.
pub const ENDED_KEPT_DAYS: i64 = 180;

/// Whether an alert has been over for too long to be remembered. It changes with the UTC day alone, so that the desk and whoever
/// follows it forget alike.
pub fn is_forgotten(alert: &Alert, now: Timestamp) -> bool {
    let floor = now.day().start().plus_micros(-ENDED_KEPT_DAYS * MICROS_PER_DAY);
    alert.over_since().is_some_and(|over| over < floor)
}
