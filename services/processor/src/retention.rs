//! How much of the log is kept behind the tables, and how the worker knows without asking the log. Pure.
//!
//! A mark says where a partition stood at some moment. The floor moves only to marks, never past what every table holds
//! and every kept snapshot needs (INV-13).

use std::collections::{BTreeMap, VecDeque};

use medfleet_log::Partition;
use serde::{Deserialize, Serialize};

/// Marks of one partition; when there are so many, every second one goes, and the rest lie twice as far apart.
const MARKS_MAX: usize = 512;
const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// What is kept of the log although every table has it. With both at 0 nothing is ever trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Records younger than this stay; 0: age is no reason to trim.
    pub hours: u64,
    /// The newest of a partition stay, so many bytes of them; 0: size is no reason to trim.
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Everything below was read.
    offset: u64,
    /// The newest record below was appended then.
    appended_at_micros: i64,
    /// Bytes read of the partition since its first mark.
    bytes: u64,
}

/// Marks of every partition read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    of: BTreeMap<(String, u32), VecDeque<Mark>>,
    bytes: BTreeMap<(String, u32), u64>,
}

impl Marks {
    pub fn read(&mut self, home: Partition, bytes: u64) {
        *self.bytes.entry(key(home)).or_default() += bytes;
    }

    /// Marks where a partition stands now.
    pub fn set(&mut self, home: Partition, offset: u64, appended_at_micros: i64) {
        let bytes = self.bytes.get(&key(home)).copied().unwrap_or(0);
        let marks = self.of.entry(key(home)).or_default();
        if marks.back().is_some_and(|last| last.offset >= offset) {
            return;
        }
        if marks.len() >= MARKS_MAX {
            let mut nth = 0..;
            marks.retain(|_| nth.next().is_some_and(|nth: usize| nth % 2 == 1));
        }
        marks.push_back(Mark { offset, appended_at_micros, bytes });
    }

    /// Below this offset a partition may be trimmed: the furthest mark that is old or far enough behind and lies nowhere
    /// past `limit`.
    pub fn floor(&self, home: Partition, keep: Keep, limit: u64, now_micros: i64) -> Option<u64> {
        let marks = self.of.get(&key(home))?;
        let read = self.bytes.get(&key(home)).copied().unwrap_or(0);
        let hours = i64::try_from(keep.hours).unwrap_or(i64::MAX);
        let oldest = now_micros.saturating_sub(hours.saturating_mul(MICROS_PER_HOUR));
        let may_go = |mark: &&Mark| {
            let old = keep.hours > 0 && mark.appended_at_micros <= oldest;
            let behind = keep.bytes > 0 && read - mark.bytes >= keep.bytes;
            mark.offset <= limit && (old || behind)
        };
        marks.iter().rev().find(may_go).map(|mark| mark.offset)
    }

    /// Forgets marks below a floor: they will not be needed again.
    pub fn trimmed(&mut self, home: Partition, floor: u64) {
        if let Some(marks) = self.of.get_mut(&key(home)) {
            marks.retain(|mark| mark.offset > floor);
        }
    }
}

fn key(home: Partition) -> (String, u32) {
    (home.topic.name().to_owned(), home.partition)
}

#[cfg(test)]
mod tests {
    use medfleet_log::Topic;

    use super::*;

    const HOME: Partition = Partition::new(Topic::FACTS, 2);

    /// One record of 100 bytes an hour, a mark after each.
    fn hourly(hours: u64) -> Marks {
        let mut marks = Marks::default();
        for hour in 1..=hours {
            marks.read(HOME, 100);
            marks.set(HOME, hour, hour.cast_signed() * MICROS_PER_HOUR);
        }
        marks
    }

    fn floor(marks: &Marks, keep: Keep, limit: u64) -> Option<u64> {
        marks.floor(HOME, keep, limit, 100 * MICROS_PER_HOUR)
    }

    #[test]
    fn zero_hours_and_zero_bytes_trim_nothing() {
        assert_eq!(floor(&hourly(100), Keep { hours: 0, bytes: 0 }, u64::MAX), None);
    }

    #[test]
    fn what_is_younger_than_asked_stays() {
        assert_eq!(floor(&hourly(100), Keep { hours: 24, bytes: 0 }, u64::MAX), Some(76));
        assert_eq!(floor(&hourly(100), Keep { hours: 101, bytes: 0 }, u64::MAX), None);
    }

    #[test]
    fn the_newest_bytes_stay_whatever_their_age() {
        assert_eq!(floor(&hourly(100), Keep { hours: 0, bytes: 1_000 }, u64::MAX), Some(90));
        assert_eq!(floor(&hourly(100), Keep { hours: 0, bytes: 1_050 }, u64::MAX), Some(89));
        assert_eq!(floor(&hourly(100), Keep { hours: 24, bytes: 1_000 }, u64::MAX), Some(90), "one reason is enough");
    }

    #[test]
    fn nothing_goes_that_a_table_or_a_snapshot_still_needs() {
        assert_eq!(floor(&hourly(100), Keep { hours: 1, bytes: 1 }, 40), Some(40));
        assert_eq!(floor(&hourly(100), Keep { hours: 1, bytes: 1 }, 0), None);
    }

    #[test]
    fn many_marks_thin_out_and_stay_true() {
        let marks = hourly(10 * MARKS_MAX as u64);
        assert!(marks.of[&key(HOME)].len() <= MARKS_MAX);
        let last = 10 * MARKS_MAX as u64;
        let floor = marks.floor(HOME, Keep { hours: 0, bytes: 100 * 1_000 }, u64::MAX, 0).unwrap();
        assert!(floor <= last - 1_000 && floor > last - 1_100, "{floor} of {last}");
    }

    #[test]
    fn a_partition_never_marked_has_no_floor_and_a_trimmed_mark_is_gone() {
        let mut marks = hourly(100);
        assert_eq!(floor(&Marks::default(), Keep { hours: 1, bytes: 1 }, u64::MAX), None);
        marks.trimmed(HOME, 76);
        assert_eq!(floor(&marks, Keep { hours: 24, bytes: 0 }, u64::MAX), None);
        assert_eq!(floor(&marks, Keep { hours: 23, bytes: 0 }, u64::MAX), Some(77));
    }
}
