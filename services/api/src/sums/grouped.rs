//! Rows by the number of what they are about. Those of one lie side by side, so that a question which walks all of them
//! walks through memory in one direction. Pure.

#[derive(Debug)]
pub struct Grouped<T> {
    rows: Vec<T>,
    /// By number: where its rows end.
    ends: Vec<u32>,
    /// Added and not in their places yet.
    fresh: Vec<(u32, T)>,
}

impl<T> Default for Grouped<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), ends: Vec::new(), fresh: Vec::new() }
    }
}

impl<T> Grouped<T> {
    /// Adds a row, which is seen once they are arranged.
    pub fn add(&mut self, number: u32, row: T) {
        self.fresh.push((number, row));
    }

    /// Puts what was added into its places, after what was there before.
    pub fn arrange(&mut self) {
        self.fresh.sort_by_key(|(number, _)| *number);
        let Some((last, _)) = self.fresh.last() else { return };
        let numbers = self.ends.len().max(*last as usize + 1);
        let mut rows = Vec::with_capacity(self.rows.len() + self.fresh.len());
        let mut old = std::mem::take(&mut self.rows).into_iter();
        let mut fresh = std::mem::take(&mut self.fresh).into_iter().peekable();
        let mut before = 0;
        self.ends.resize(numbers, self.ends.last().copied().unwrap_or(0));
        for (number, end) in (0..).zip(&mut self.ends) {
            rows.extend(old.by_ref().take((*end - before) as usize));
            before = *end;
            while let Some((_, row)) = fresh.next_if(|(of, _)| *of == number) {
                rows.push(row);
            }
            *end = rows.len() as u32;
        }
        self.rows = rows;
    }

    /// The rows of one.
    pub fn of(&self, number: u32) -> &[T] {
        let end = |number: usize| self.ends.get(number).copied();
        let begin = (number as usize).checked_sub(1).map_or(0, |before| end(before).unwrap_or(0));
        &self.rows[begin as usize..end(number as usize).unwrap_or(begin) as usize]
    }

    /// All that are in their places.
    pub fn all(&self) -> &[T] {
        &self.rows
    }
}

/// Leaves what stands of rows with weights, in ascending order: each once, with the sum of its weights.
pub fn stand<K: Ord>(weighted: &mut Vec<(K, i64)>) {
    weighted.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    weighted.dedup_by(|(next, more), (kept, weight)| {
        let same = next == kept;
        *weight += if same { *more } else { 0 };
        same
    });
    weighted.retain(|(_, weight)| *weight > 0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_withdrawn_does_not_stand() {
        let mut weighted = vec![("b", 1), ("a", 1), ("b", -1), ("c", 2), ("a", 1), ("c", -1), ("d", -1)];
        stand(&mut weighted);
        assert_eq!(weighted, [("a", 2), ("c", 1)]);
    }

    proptest! {
        #[test]
        fn rows_of_one_are_those_added_to_it_in_their_order(
            rounds in prop::collection::vec(prop::collection::vec((0_u32..12, 0_u8..9), 0..20), 0..5),
        ) {
            let mut grouped = Grouped::default();
            for round in &rounds {
                round.iter().for_each(|(number, row)| grouped.add(*number, *row));
                grouped.arrange();
            }
            let all: Vec<(u32, u8)> = rounds.concat();
            for number in 0..15 {
                let wanted: Vec<u8> = all.iter().filter(|(of, _)| *of == number).map(|(_, row)| *row).collect();
                prop_assert_eq!(grouped.of(number), wanted);
            }
            prop_assert_eq!(grouped.all().len(), all.len());
        }
    }
}
