//! What each device adds up to on each UTC day: a page of one site asks for all of its devices at once, over any days.
//!
//! One server may hold twenty million days of devices, and of a day's sums most are nothing: a mask says which are not.

use std::ops::Range;
use std::sync::Arc;

use medfleet_domain::time::Day;

use super::days::{BLOCK_DAYS, place};
use super::entry::{BASED, CONDITIONS, Entry, TOLD};
use super::hours::Steps;

/// States of a site's calendar whose base hours are kept by device: the newest.
pub const STATES_KEPT: usize = 3;
/// Sums of one device: what was told, and that within base hours by each state kept.
pub const SEAT_SUMS: usize = TOLD + BASED * STATES_KEPT;
/// Of these, the conditions in which a device works; they come first.
const UP: usize = 3;
/// Room for so many sums at a time: lists that double would stand half empty.
const ROOM_SUMS: usize = 16;

pub type SeatSums = [i64; SEAT_SUMS];

/// The sums of one device while it is of one kind at one site.
#[derive(Debug, Default)]
pub struct Seat {
    blocks: Vec<Block>,
    /// All days told of lie within.
    told: Range<i32>,
}

#[derive(Debug)]
struct Block {
    number: i32,
    whole: SeatSums,
    /// By day, which of its sums are there.
    masks: [u32; BLOCK_DAYS as usize],
    /// Those that are, day after day.
    sums: Vec<i64>,
}

impl Seat {
    /// Adds what an interval tells of its day; answers whether the device was heard on that day, as far as is told.
    pub fn tell(&mut self, day: Day, entry: &Entry, states: &[Arc<Steps>]) -> bool {
        let mut change = [0; SEAT_SUMS];
        entry.add_to(&mut change, 1, states);
        let (first, end) = if self.told.is_empty() { (day.0, day.0) } else { (self.told.start, self.told.end) };
        self.told = first.min(day.0)..end.max(day.0 + 1);
        let (number, at) = place(day.0);
        let found = self.blocks.partition_point(|block| block.number < number);
        if self.blocks.get(found).is_none_or(|block| block.number != number) {
            self.blocks.insert(found, Block::new(number));
        }
        self.blocks[found].change(at, &change)
    }

    /// Days of which anything was told lie within these.
    pub const fn told(&self) -> &Range<i32> {
        &self.told
    }

    pub fn forget_told(&mut self) {
        *self = Self::default();
    }

    /// Microseconds of a day in which its condition is known.
    pub fn known(&self, day: i32) -> i64 {
        known(&self.of_day(day))
    }

    fn of_day(&self, day: i32) -> SeatSums {
        let (number, at) = place(day);
        let mut sums = [0; SEAT_SUMS];
        if let Ok(found) = self.blocks.binary_search_by_key(&number, |block| block.number) {
            self.blocks[found].add_days(at..at + 1, &mut sums);
        }
        sums
    }

    /// Days of `from..until` on which it worked, as far as is told.
    pub fn worked_on(&self, from: i32, until: i32) -> impl Iterator<Item = i32> {
        let first = self.blocks.partition_point(|block| block.number < place(from).0);
        let blocks = self.blocks[first..].iter().take_while(move |block| block.number * BLOCK_DAYS < until);
        // A block in which nothing was up has no such day: no sum of a day is less than nothing.
        let days = blocks.filter(|block| block.whole[..UP].iter().any(|sum| *sum != 0)).flat_map(|block| {
            let is_up = |mask: &u32| mask & ((1 << UP) - 1) != 0;
            let masks = block.masks.iter().enumerate().filter(move |(_, mask)| is_up(mask));
            masks.map(|(at, _)| block.number * BLOCK_DAYS + at as i32)
        });
        days.filter(move |day| (from..until).contains(day))
    }

    /// Microseconds of a day in which it worked.
    pub fn up(&self, day: i32) -> i64 {
        self.of_day(day)[..UP].iter().sum()
    }

    /// Adds the sums of the days `from..until`.
    pub fn add_range(&self, from: i32, until: i32, out: &mut SeatSums) {
        let first = self.blocks.partition_point(|block| block.number < place(from).0);
        for block in &self.blocks[first..] {
            let begins = block.number * BLOCK_DAYS;
            if begins >= until {
                break;
            }
            let within = |day: i32| (day - begins).clamp(0, BLOCK_DAYS) as usize;
            block.add_days(within(from)..within(until), out);
        }
    }
}

impl Block {
    const fn new(number: i32) -> Self {
        Self { number, whole: [0; SEAT_SUMS], masks: [0; BLOCK_DAYS as usize], sums: Vec::new() }
    }

    /// Where the sums of a day begin. Days are mostly added at the end, so they are counted from there.
    fn begin(&self, at: usize) -> usize {
        self.sums.len() - self.masks[at..].iter().map(|mask| mask.count_ones() as usize).sum::<usize>()
    }

    fn change(&mut self, at: usize, change: &SeatSums) -> bool {
        let mut sums = *change;
        self.add_days(at..at + 1, &mut sums);
        let there = self.begin(at)..self.begin(at) + self.masks[at].count_ones() as usize;
        let mask = (0..SEAT_SUMS).filter(|one| sums[*one] != 0).fold(0, |mask, one| mask | 1 << one);
        if self.sums.len() + SEAT_SUMS > self.sums.capacity() {
            self.sums.reserve_exact(ROOM_SUMS);
        }
        self.sums.splice(there, sums.into_iter().filter(|sum| *sum != 0));
        self.masks[at] = mask;
        self.whole.iter_mut().zip(change).for_each(|(sum, one)| *sum += one);
        known(&sums) > 0
    }

    fn add_days(&self, days: Range<usize>, out: &mut SeatSums) {
        if days == (0..BLOCK_DAYS as usize) {
            out.iter_mut().zip(self.whole).for_each(|(sum, one)| *sum += one);
            return;
        }
        let mut sums = self.sums[self.begin(days.start)..].iter();
        for mask in &self.masks[days] {
            let mut left = *mask;
            while left != 0 {
                out[left.trailing_zeros() as usize] += sums.next().copied().unwrap_or(0);
                left &= left - 1;
            }
        }
    }
}

fn known(sums: &SeatSums) -> i64 {
    sums[..CONDITIONS].iter().sum()
}

#[cfg(test)]
mod tests {
    use medfleet_domain::time::MICROS_PER_DAY;
    use proptest::prelude::*;

    use super::*;
    use crate::sums::causes::CauseKey;
    use crate::sums::entry::What;

    fn entry(day: i32, (condition, weight, length): (usize, i32, i64)) -> Entry {
        let what = What::of(["productive", "standby", "unscheduled_down", "unknown"][condition], condition == 1, false);
        let from = i64::from(day) * MICROS_PER_DAY;
        Entry { from, until: from + length, cause: CauseKey::new(0, 0, 0), seat: 0, track: 0, weight, what }
    }

    proptest! {
        #[test]
        fn any_days_told_in_any_order_add_up_to_what_was_told(
            told in prop::collection::vec((-40_i32..90, (0_usize..4, -2_i32..3, 1_i64..9)), 0..120),
            from in -70_i32..100,
            length in 0_i32..120,
        ) {
            let mut seat = Seat::default();
            for (day, one) in &told {
                let heard = seat.tell(Day(*day), &entry(*day, *one), &[]);
                prop_assert_eq!(heard, seat.known(*day) > 0);
            }
            let (mut out, mut wanted) = ([0; SEAT_SUMS], [0; SEAT_SUMS]);
            seat.add_range(from, from + length, &mut out);
            let within = told.iter().filter(|(day, _)| (from..from + length).contains(day));
            within.for_each(|(day, one)| entry(*day, *one).add_to(&mut wanted, 1, &[]));
            prop_assert_eq!(out, wanted);
        }
    }
}
