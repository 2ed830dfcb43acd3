//! How far the desk has read: up to which moment it has been told all that the log held. Pure.

use std::collections::BTreeMap;

use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};
use medfleet_log::{Partition, Position};

/// Behind by more than this, the desk does not know how things are now, and lets no time pass.
const ABREAST_MICROS: i64 = 15 * MICROS_PER_SECOND;

#[derive(Default)]
pub struct Reach {
    /// All that was in the log by then has been read.
    read_until: Option<Timestamp>,
    /// The ends that were seen at a moment, and are to be reached.
    goal: Option<(Timestamp, BTreeMap<Partition, u64>)>,
}

impl Reach {
    /// Notes where reading stands and where the log ends.
    pub fn look(&mut self, at: Timestamp, cursors: &[Position], ends: &BTreeMap<Partition, u64>) {
        if let Some((seen, _)) = self.goal.take_if(|(_, goal)| lag(cursors, goal) == 0) {
            self.read_until = Some(seen);
        }
        if lag(cursors, ends) == 0 {
            self.read_until = Some(at);
        }
        self.goal.get_or_insert_with(|| (at, ends.clone()));
    }

    pub fn is_abreast(&self, at: Timestamp) -> bool {
        self.read_until.is_some_and(|read| at.micros() - read.micros() <= ABREAST_MICROS)
    }
}

/// Records still to be read.
pub fn lag(cursors: &[Position], ends: &BTreeMap<Partition, u64>) -> u64 {
    cursors.iter().map(|at| ends.get(&at.home()).map_or(0, |end| end.saturating_sub(at.offset))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_log::Topic;

    const HOME: Partition = Partition::new(Topic::FACTS, 0);

    /// What is said of being abreast, second by second, where reading stands and the log ends.
    fn abreast(seconds: &[(u64, u64)]) -> Vec<bool> {
        let mut reach = Reach::default();
        let look = |(second, (read, end)): (i64, &(u64, u64))| {
            let at = Timestamp::from_seconds(second);
            reach.look(at, &[HOME.at(*read)], &BTreeMap::from([(HOME, *end)]));
            reach.is_abreast(at)
        };
        (0..).zip(seconds).map(look).collect()
    }

    #[test]
    fn a_desk_that_reads_a_backlog_is_not_abreast_before_it_has_read_all_of_it() {
        assert_eq!(abreast(&[(0, 100), (50, 100), (99, 101), (100, 102)]), [false, false, false, true]);
        assert_eq!(abreast(&[(0, 0), (0, 0)]), [true, true]);
    }

    #[test]
    fn under_a_stream_that_never_pauses_it_is_abreast_a_moment_behind_the_end() {
        let seconds: Vec<(u64, u64)> = (0..60).map(|second| (second * 10, second * 10 + 3)).collect();
        assert!(abreast(&seconds)[1..].iter().all(|abreast| *abreast));
        let falling_behind: Vec<(u64, u64)> = (0..200).map(|second| (second, second * 10)).collect();
        assert!(!abreast(&falling_behind)[199]);
    }
}
