//! One entry of the ledger as the sums see it: who, when, what, with which weight and from which record.

use std::sync::Arc;

use super::causes::CauseKey;
use super::hours::Steps;

/// Sums kept of told time, before those within base hours: five conditions, assumed, conflict.
pub const TOLD: usize = 7;
/// Sums kept within base hours for each state of a calendar: productive, up, down, conflict.
pub const BASED: usize = 4;
/// Of these, the conditions a device is known in; they come first.
pub const CONDITIONS: usize = 5;
const ASSUMED: usize = 5;
const CONFLICT: usize = 6;

/// The conditions in the order of their sums; what is not here is unknown and sums into nothing.
const NAMES: [&str; CONDITIONS] = ["productive", "standby", "engineering", "scheduled_down", "unscheduled_down"];
const UNKNOWN: u8 = 5;
const UP: std::ops::RangeInclusive<u8> = 0..=2;

/// What was told of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct What {
    condition: u8,
    assumed: bool,
    conflict: bool,
}

impl What {
    pub fn of(condition: &str, assumed: bool, conflict: bool) -> Self {
        let found = NAMES.iter().position(|one| *one == condition);
        Self { condition: found.map_or(UNKNOWN, |at| at as u8), assumed, conflict }
    }

    pub const fn is_known(self) -> bool {
        self.condition < UNKNOWN
    }

    pub const fn is_up(self) -> bool {
        self.condition <= *UP.end()
    }

    pub const fn is_productive(self) -> bool {
        self.condition == 0
    }

    pub const fn is_unscheduled_down(self) -> bool {
        self.condition == UNKNOWN - 1
    }
}

/// An interval or a claim with its weight: +1 appears, -1 is withdrawn.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub from: i64,
    pub until: i64,
    pub cause: CauseKey,
    /// Number of the device at its site and kind.
    pub seat: u32,
    /// Number of the site and kind.
    pub track: u32,
    pub weight: i32,
    pub what: What,
}

impl Entry {
    /// The part that lies in `[from, until)`.
    pub fn clip(&self, from: i64, until: i64) -> Option<Self> {
        let clipped = Self { from: self.from.max(from), until: self.until.min(until), ..*self };
        (clipped.from < clipped.until).then_some(clipped)
    }

    /// Microseconds that it tells a known condition of, by its weight.
    pub fn known_micros(&self) -> i64 {
        if self.what.is_known() { i64::from(self.weight) * (self.until - self.from) } else { 0 }
    }

    /// Adds what this entry tells to the sums of its site and kind, `sign` times.
    pub fn add_to(&self, sums: &mut [i64], sign: i64, states: &[Arc<Steps>]) {
        let weight = sign * i64::from(self.weight);
        let micros = weight * (self.until - self.from);
        let What { condition, assumed, conflict } = self.what;
        if condition < UNKNOWN {
            sums[usize::from(condition)] += micros;
        }
        sums[ASSUMED] += if assumed { micros } else { 0 };
        sums[CONFLICT] += if conflict { micros } else { 0 };
        if condition == UNKNOWN {
            return;
        }
        for (steps, based) in states.iter().zip(sums[TOLD..].chunks_exact_mut(BASED)) {
            let within = weight * steps.overlap(self.from, self.until);
            based[3] += if conflict { within } else { 0 };
            match condition {
                0 => {
                    based[0] += within;
                    based[1] += within;
                }
                up if UP.contains(&up) => based[1] += within,
                _ => based[2] += within,
            }
        }
    }
}
