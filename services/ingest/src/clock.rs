//! The one place where ingest looks at the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use medfleet_domain::time::Timestamp;

pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_micros() as i64))
}
