//! A set of journal indices, kept as ranges: a day of backlog is one entry.

use std::collections::BTreeMap;
use std::ops::Range;

/// Half-open ranges that neither touch nor overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Start to end.
    ends: BTreeMap<u64, u64>,
}

impl Ranges {
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let Range { mut start, mut end } = range;
        let touching: Vec<u64> =
            self.ends.range(..=end).rev().take_while(|(_, each)| **each >= start).map(|(each, _)| *each).collect();
        for each in touching {
            start = start.min(each);
            end = end.max(self.ends.remove(&each).unwrap_or(end));
        }
        self.ends.insert(start, end);
    }

    pub fn insert_all(&mut self, others: Self) {
        others.ends.into_iter().for_each(|(start, end)| self.insert(start..end));
    }

    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let cut: Vec<(u64, u64)> = self
            .ends
            .range(..range.end)
            .rev()
            .take_while(|(_, end)| **end > range.start)
            .map(|(start, end)| (*start, *end))
            .collect();
        for (start, end) in cut {
            self.ends.remove(&start);
            self.insert(start..range.start.max(start).min(end));
            self.insert(range.end.min(end).max(start)..end);
        }
    }

    pub fn contains(&self, index: u64) -> bool {
        self.ends.range(..=index).next_back().is_some_and(|(_, end)| index < *end)
    }

    /// The lowest range.
    pub fn first(&self) -> Option<Range<u64>> {
        self.ends.iter().next().map(|(start, end)| *start..*end)
    }

    /// The highest range.
    pub fn last(&self) -> Option<Range<u64>> {
        self.ends.iter().next_back().map(|(start, end)| *start..*end)
    }

    /// The lowest range at or above an index, cut there.
    pub fn first_from(&self, index: u64) -> Option<Range<u64>> {
        if self.contains(index) {
            let end = self.ends.range(..=index).next_back().map(|(_, end)| *end)?;
            return Some(index..end);
        }
        self.ends.range(index..).next().map(|(start, end)| *start..*end)
    }

    /// The highest range below an index, cut there.
    pub fn last_below(&self, index: u64) -> Option<Range<u64>> {
        let (start, end) = self.ends.range(..index).next_back()?;
        Some(*start..(*end).min(index))
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn len(&self) -> u64 {
        self.ends.iter().map(|(start, end)| end - start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranges_are_a_set_of_numbers(steps in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..12), 1..60)) {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for (insert, start, len) in steps {
                let range = start..start + len;
                if insert {
                    ranges.insert(range.clone());
                    model.extend(range);
                } else {
                    ranges.remove(range.clone());
                    model.retain(|each| !range.contains(each));
                }
                prop_assert_eq!(ranges.len(), model.len() as u64);
                for index in 0..60 {
                    prop_assert_eq!(ranges.contains(index), model.contains(&index));
                    let above = model.range(index..).next().copied();
                    prop_assert_eq!(ranges.first_from(index).map(|range| range.start), above);
                    let below = model.range(..index).next_back().map(|each| each + 1);
                    prop_assert_eq!(ranges.last_below(index).map(|range| range.end), below);
                }
                prop_assert_eq!(ranges.first().map(|range| range.start), model.first().copied());
                prop_assert_eq!(ranges.last().map(|range| range.end), model.last().map(|each| each + 1));
            }
        }
    }
}
