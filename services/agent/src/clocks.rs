//! The port to the machine's clocks: wall time, steady time, and whether anyone vouches for the first.

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use medfleet_domain::time::Timestamp;

use crate::clock::{Reading, Steady};

/// Read together and as closely as possible. Tests set them at will.
pub trait Clocks: Send + Sync {
    fn read(&self) -> Reading;
}

/// The clocks of this machine.
pub struct SystemClocks {
    start: Instant,
    synchronised_file: Option<PathBuf>,
}

impl SystemClocks {
    /// `synchronised_file` exists exactly while the clock is synchronised, as systemd-timesyncd keeps one.
    pub fn new(synchronised_file: Option<PathBuf>) -> Self {
        Self { start: Instant::now(), synchronised_file }
    }
}

impl Clocks for SystemClocks {
    fn read(&self) -> Reading {
        let steady = Steady(i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX));
        let synchronised = self.synchronised_file.as_ref().map(|file| file.exists());
        Reading { wall: wall_now(), steady, synchronised }
    }
}

fn wall_now() -> Timestamp {
    let micros = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    Timestamp(micros)
}
