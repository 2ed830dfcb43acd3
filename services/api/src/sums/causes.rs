//! Up to where the log was read, and the instant at which each record was appended. Pure.

use std::collections::BTreeMap;

use medfleet_domain::time::{MICROS_PER_HOUR, Timestamp};
use medfleet_log::Topic;

/// The record that made an entry appear: topic, partition and offset in one comparable number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CauseKey(u64);

const OFFSET_BITS: u32 = 48;
const TOPIC_BIT: u64 = 1 << 63;

impl CauseKey {
    /// `topic` is 0 for facts about devices, 1 for facts about the fleet.
    pub const fn new(topic: i64, partition: i64, offset: i64) -> Self {
        let topic = if topic == 0 { 0 } else { TOPIC_BIT };
        Self(topic | partition.cast_unsigned() << OFFSET_BITS | offset.cast_unsigned())
    }

    const fn home(self) -> Home {
        ((self.0 >> 63) as usize, ((self.0 & !TOPIC_BIT) >> OFFSET_BITS) as usize)
    }

    const fn offset(self) -> i64 {
        (self.0 & ((1 << OFFSET_BITS) - 1)).cast_signed()
    }
}

/// Topic and partition.
type Home = (usize, usize);

/// First offset of every partition that is not known; of a partition without one, nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known([Vec<i64>; 2]);

impl Known {
    /// From the offsets of a cut, keyed `topic/partition`.
    pub fn of(offsets: &BTreeMap<String, i64>) -> Self {
        let mut known = Self::default();
        for (home, next) in offsets {
            let Some((topic, partition)) = home.rsplit_once('/') else { continue };
            if let Ok(partition) = partition.parse() {
                known.set((usize::from(topic == Topic::FLEET.name()), partition), *next);
            }
        }
        known
    }

    fn set(&mut self, (topic, partition): Home, next: i64) {
        let partitions = &mut self.0[topic];
        if partitions.len() <= partition {
            partitions.resize(partition + 1, 0);
        }
        partitions[partition] = next;
    }

    fn get(&self, (topic, partition): Home) -> i64 {
        self.0[topic].get(partition).copied().unwrap_or(0)
    }

    pub fn holds(&self, cause: CauseKey) -> bool {
        cause.offset() < self.get(cause.home())
    }

    /// Whether nothing is known here that is not known there.
    pub fn within(&self, other: &Self) -> bool {
        self.homes().all(|(home, next)| next <= other.get(home))
    }

    /// What both know.
    pub fn meet(&self, other: &Self) -> Self {
        let mut met = self.clone();
        for (home, next) in self.homes() {
            met.set(home, next.min(other.get(home)));
        }
        met
    }

    /// Lowers the limit of one partition to an offset.
    pub fn stop_at(&mut self, cause: CauseKey) {
        let limit = self.get(cause.home()).min(cause.offset());
        self.set(cause.home(), limit);
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    fn homes(&self) -> impl Iterator<Item = (Home, i64)> {
        let of = |(topic, partitions)| {
            let next = move |(at, next): (usize, &i64)| ((topic, at), *next);
            <[i64]>::iter(partitions).enumerate().map(next)
        };
        self.0.iter().map(Vec::as_slice).enumerate().flat_map(of)
    }

    /// The same as a condition on the columns of a table, with a plain bound that lets whole files be skipped.
    pub fn to_sql(&self) -> String {
        condition("<", &self.homes().collect::<Vec<_>>(), |limits| limits.max())
    }

    /// What of `all` is not known, as a condition on the columns of a table.
    pub fn beyond_sql(&self, all: &Self) -> String {
        let limits: Vec<_> = all.homes().map(|(home, _)| (home, self.get(home))).collect();
        condition(">=", &limits, |limits| limits.min())
    }
}

fn condition(
    compare: &str,
    limits: &[(Home, i64)],
    bound: impl Fn(&mut dyn Iterator<Item = i64>) -> Option<i64>,
) -> String {
    let case = |((topic, partition), next): &(Home, i64)| {
        format!(" WHEN cause_topic = {topic} AND cause_partition = {partition} THEN {next}")
    };
    let cases: String = limits.iter().map(case).collect();
    match bound(&mut limits.iter().map(|(_, next)| *next)) {
        Some(bound) => format!("cause_offset {compare} {bound} AND cause_offset {compare} CASE{cases} ELSE 0 END"),
        None => format!("cause_offset {compare} 0"),
    }
}

/// When the log took its records: the first offset of every partition in every hour of appending.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// By hour since 1970.
    first: BTreeMap<i64, Vec<CauseKey>>,
    /// By hour, what was appended before it began. Hours without records are not here.
    before: BTreeMap<i64, Known>,
}

impl Clock {
    /// The least cause that was appended in an hour in its partition.
    pub fn note(&mut self, hour: i64, cause: CauseKey) {
        let firsts = self.first.entry(hour).or_default();
        match firsts.iter_mut().find(|first| first.home() == cause.home()) {
            Some(first) => *first = cause.min(*first),
            None => firsts.push(cause),
        }
    }

    /// Ends a round of notes about a log that is known up to `all`. Append times may step back: a record counts as appended
    /// when the latest before it was.
    pub fn settle(&mut self, all: &Known) {
        let mut before = all.clone();
        self.before.clear();
        for (hour, firsts) in self.first.iter().rev() {
            for first in firsts {
                before.stop_at(*first);
            }
            self.before.insert(*hour, before.clone());
        }
    }

    /// What was appended before a full hour; None when that is everything.
    pub fn before(&self, at: Timestamp) -> Option<&Known> {
        self.before.range(at.0.div_euclid(MICROS_PER_HOUR)..).next().map(|(_, known)| known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(partitions: &[i64]) -> Known {
        Known([partitions.to_vec(), vec![7]])
    }

    #[test]
    fn a_cause_is_known_below_the_limit_of_its_partition() {
        let offsets = BTreeMap::from([("medfleet.facts.v1/1".to_owned(), 5), ("medfleet.fleet.v1/0".to_owned(), 2)]);
        let known = Known::of(&offsets);
        let holds = |topic, partition, offset| known.holds(CauseKey::new(topic, partition, offset));
        assert!(holds(0, 1, 4) && !holds(0, 1, 5) && !holds(0, 0, 0) && !holds(0, 9, 0));
        assert!(holds(1, 0, 1) && !holds(1, 0, 2));
    }

    #[test]
    fn a_record_counts_as_appended_when_the_latest_before_it_was() {
        let mut clock = Clock::default();
        // The clock of the log stepped back: offset 3 says hour 12, offset 6 says hour 11.
        for (hour, offset) in [(10, 0), (12, 3), (11, 6), (13, 9)] {
            clock.note(hour, CauseKey::new(0, 0, offset));
        }
        clock.settle(&known(&[20]));
        let before = |hour: i64| clock.before(Timestamp(hour * MICROS_PER_HOUR));
        assert_eq!(before(10), Some(&known(&[0])));
        assert_eq!(before(11), Some(&known(&[3])));
        assert_eq!(before(12), Some(&known(&[3])));
        assert_eq!(before(13), Some(&known(&[9])));
        assert_eq!(before(14), None);
    }

    #[test]
    fn knowing_less_lies_within_knowing_more() {
        assert!(known(&[3, 4]).within(&known(&[3, 5])) && !known(&[3, 4]).within(&known(&[4, 3])));
        assert_eq!(known(&[3, 4]).meet(&known(&[4, 3])), known(&[3, 3]));
    }
}
