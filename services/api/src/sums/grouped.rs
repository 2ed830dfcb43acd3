//! Rows by the number of what they are about. Those of one lie side by side, and those of its neighbours beside them: a question
//! that walks all of them walks through memory in one direction. Pure.

/// Numbers whose rows share a piece of memory: what a cut adds moves no more than the rows of those beside it.
const BLOCK: u32 = 32;
/// Rows that wait for their places before all there are take them; beyond that, half as many as there are.
const FRESH_MAX: usize = 65_536;

#[derive(Debug)]
pub struct Grouped<T> {
    blocks: Vec<Block<T>>,
    rows: usize,
    /// Added and not in their places yet.
    fresh: Vec<(u32, T)>,
}

#[derive(Debug)]
struct Block<T> {
    rows: Vec<T>,
    /// By number: where its rows end.
    ends: [u32; BLOCK as usize],
}

impl<T> Default for Grouped<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), rows: 0, fresh: Vec::new() }
    }
}

impl<T> Default for Block<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), ends: [0; BLOCK as usize] }
    }
}

impl<T> Grouped<T> {
    /// Adds a row, which is seen once they are arranged.
    pub fn add(&mut self, number: u32, row: T) {
        self.fresh.push((number, row));
        if self.fresh.len() > FRESH_MAX + self.rows / 2 {
            self.arrange();
        }
    }

    /// Puts what was added into its places, after what was there before.
    pub fn arrange(&mut self) {
        self.fresh.sort_by_key(|(number, _)| *number);
        self.rows += self.fresh.len();
        let mut fresh = std::mem::take(&mut self.fresh).into_iter().peekable();
        while let Some((number, _)) = fresh.peek() {
            let at = (number / BLOCK) as usize;
            if self.blocks.len() <= at {
                self.blocks.resize_with(at + 1, Block::default);
            }
            let own = std::iter::from_fn(|| fresh.next_if(|(number, _)| (number / BLOCK) as usize == at));
            self.blocks[at].take_in(own.map(|(number, row)| (number % BLOCK, row)));
        }
    }

    /// The rows of one.
    pub fn of(&self, number: u32) -> &[T] {
        let block = self.blocks.get((number / BLOCK) as usize);
        block.map_or(&[], |block| block.of((number % BLOCK) as usize))
    }

    /// All that are in their places.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flat_map(|block| &block.rows)
    }
}

impl<T> Block<T> {
    /// `fresh` comes in ascending order of numbers.
    fn take_in(&mut self, fresh: impl Iterator<Item = (u32, T)>) {
        let mut fresh = fresh.peekable();
        let mut old = std::mem::take(&mut self.rows).into_iter();
        let mut before = 0;
        for (number, end) in (0..).zip(&mut self.ends) {
            self.rows.extend(old.by_ref().take((*end - before) as usize));
            before = *end;
            while let Some((_, row)) = fresh.next_if(|(of, _)| *of == number) {
                self.rows.push(row);
            }
            *end = self.rows.len() as u32;
        }
    }

    fn of(&self, at: usize) -> &[T] {
        let begin = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.rows[begin as usize..self.ends[at] as usize]
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
            rounds in prop::collection::vec(prop::collection::vec((0_u32..90, 0_u8..9), 0..40), 0..5),
        ) {
            let mut grouped = Grouped::default();
            for round in &rounds {
                round.iter().for_each(|(number, row)| grouped.add(*number, *row));
                grouped.arrange();
            }
            let all: Vec<(u32, u8)> = rounds.concat();
            for number in 0..200 {
                let wanted: Vec<u8> = all.iter().filter(|(of, _)| *of == number).map(|(_, row)| *row).collect();
                prop_assert_eq!(grouped.of(number), wanted);
            }
            prop_assert_eq!(grouped.all().count(), all.len());
        }
    }
}
