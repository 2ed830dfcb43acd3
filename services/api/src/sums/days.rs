//! Sums by UTC day, kept in blocks that also know their own sum.

use std::collections::BTreeMap;

/// Days of one block.
pub const BLOCK_DAYS: i32 = 32;

/// Rows of `width` sums, one for each day.
#[derive(Debug)]
pub struct DaySums {
    width: usize,
    /// By block: the sums of the block, then those of each of its days.
    blocks: BTreeMap<i32, Vec<i64>>,
}

impl DaySums {
    pub const fn new(width: usize) -> Self {
        Self { width, blocks: BTreeMap::new() }
    }

    /// Changes the sums of one day; `change` is called for the block's sums as well.
    pub fn change(&mut self, day: i32, change: impl Fn(&mut [i64])) {
        let (block, at) = place(day);
        let width = self.width;
        let sums = self.blocks.entry(block).or_insert_with(|| vec![0; width * (1 + BLOCK_DAYS as usize)]);
        change(&mut sums[..width]);
        change(&mut sums[width * (1 + at)..width * (2 + at)]);
    }

    /// Adds the sums of the days `from..until` to `out`.
    pub fn add_range(&self, from: i32, until: i32, out: &mut [i64]) {
        if from >= until {
            return;
        }
        for (block, sums) in self.blocks.range(place(from).0..=place(until - 1).0) {
            let begins = block * BLOCK_DAYS;
            let (first, end) = ((from - begins).max(0), (until - begins).min(BLOCK_DAYS));
            let rows = if (first, end) == (0, BLOCK_DAYS) { 0..1 } else { 1 + first as usize..1 + end as usize };
            for row in sums[rows.start * self.width..rows.end * self.width].chunks_exact(self.width) {
                out.iter_mut().zip(row).for_each(|(sum, one)| *sum += one);
            }
        }
    }
}

/// The block of a day, and the day's place in it.
pub const fn place(day: i32) -> (i32, usize) {
    (day.div_euclid(BLOCK_DAYS), day.rem_euclid(BLOCK_DAYS) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_days_adds_up_whatever_blocks_it_crosses() {
        let mut days = DaySums::new(2);
        for day in -100..100 {
            days.change(day, |sums| {
                sums[0] += i64::from(day);
                sums[1] += 1;
            });
        }
        for (from, until) in [(-100, 100), (-64, 64), (0, 32), (5, 6), (31, 33), (-33, -31), (7, 7), (90, 500)] {
            let mut out = [0; 2];
            days.add_range(from, until, &mut out);
            let wanted = from.max(-100)..until.min(100);
            let sums: (i64, i64) = wanted.fold((0, 0), |(sum, count), day: i32| (sum + i64::from(day), count + 1));
            assert_eq!((out[0], out[1]), sums, "{from}..{until}");
        }
    }
}
