//! What each device adds up to, in blocks of eight UTC days: a page of one site asks for all of its devices at once.

use std::ops::Range;
use std::sync::Arc;

use medfleet_domain::time::{Day, MICROS_PER_DAY, Timestamp};

use super::entry::{BASED, Entry, TOLD};
use super::hours::Steps;
use crate::period::Period;

const BLOCK_DAYS: i32 = 8;
const BLOCK_MICROS: i64 = BLOCK_DAYS as i64 * MICROS_PER_DAY;
/// Sums of one device: what was told, and that within base hours as the newest calendar has them.
pub const SEAT_SUMS: usize = TOLD + BASED;

/// The sums of one device while it is of one kind at one site.
#[derive(Debug, Default)]
pub struct Seat(Vec<Block>);

#[derive(Debug)]
struct Block {
    number: i32,
    /// By day: how many intervals in which the device was heard.
    heard: [i32; BLOCK_DAYS as usize],
    told: [i64; SEAT_SUMS],
}

impl Seat {
    fn block(&mut self, day: Day) -> &mut Block {
        let number = day.0.div_euclid(BLOCK_DAYS);
        let at = self.0.partition_point(|block| block.number < number);
        if self.0.get(at).is_none_or(|block| block.number != number) {
            self.0.insert(at, Block { number, heard: [0; BLOCK_DAYS as usize], told: [0; SEAT_SUMS] });
        }
        &mut self.0[at]
    }

    pub fn hear(&mut self, day: Day, weight: i32) {
        self.block(day).heard[day.0.rem_euclid(BLOCK_DAYS) as usize] += weight;
    }

    pub fn tell(&mut self, day: Day, entry: &Entry, hours: &[Arc<Steps>]) {
        entry.add_to(&mut self.block(day).told, 1, hours);
    }

    pub fn forget_told(&mut self) {
        self.0.iter_mut().for_each(|block| block.told = [0; SEAT_SUMS]);
    }

    /// Adds the sums of whole blocks.
    pub fn add_blocks(&self, numbers: &Range<i32>, out: &mut [i64; SEAT_SUMS]) {
        let first = self.0.partition_point(|block| block.number < numbers.start);
        for block in self.0[first..].iter().take_while(|block| block.number < numbers.end) {
            out.iter_mut().zip(block.told).for_each(|(sum, one)| *sum += one);
        }
    }

    /// Whether the device was heard on some of these days, where `less(day)` intervals do not count.
    pub fn is_heard(&self, days: &Range<i32>, less: impl Fn(i32) -> i64) -> bool {
        let first = self.0.partition_point(|block| (block.number + 1) * BLOCK_DAYS <= days.start);
        let blocks = self.0[first..].iter().take_while(|block| block.number * BLOCK_DAYS < days.end);
        blocks.into_iter().any(|block| {
            let day = |at: usize| block.number * BLOCK_DAYS + at as i32;
            let heard = |(at, count): (usize, &i32)| days.contains(&day(at)) && i64::from(*count) > less(day(at));
            block.heard.iter().enumerate().any(heard)
        })
    }
}

/// A part of one day whose entries are added, or taken away from whole blocks that reach past the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub day: Day,
    pub from: i64,
    pub until: i64,
    /// +1 or -1.
    pub sign: i64,
}

/// How a period is put together for devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub blocks: Range<i32>,
    /// What the blocks contribute, after the pieces that are taken from them.
    pub from: i64,
    pub until: i64,
    pub pieces: Vec<Piece>,
}

impl Plan {
    /// Whole blocks as far as days are settled; the rest, and whatever the blocks have too little or too much, by pieces.
    /// `told_until` is the end of all that was ever told.
    pub fn of(period: Period, settled_until: Timestamp, told_until: Timestamp) -> Self {
        let (from, until) = (period.from.0, period.until.0);
        let end = until.min(settled_until.0).max(from);
        let block = |at: i64| at.div_euclid(BLOCK_MICROS);
        let begins = |number: i64| number * BLOCK_MICROS;
        let (mut added, mut taken) = (Vec::new(), Vec::new());
        let mut first = block(from);
        if begins(first) < from {
            if from - begins(first) <= begins(first + 1) - from {
                taken.push((begins(first), from));
            } else {
                first += 1;
                added.push((from, begins(first).min(end)));
            }
        }
        let mut last = block(end);
        if begins(last) < end {
            let past = begins(last + 1).min(told_until.0.max(end));
            if past - end <= end - begins(last) {
                taken.push((end, past));
                last += 1;
            } else {
                added.push((begins(last).max(from), end));
            }
        }
        if first >= last {
            (first, last) = (0, 0);
            (added, taken) = (vec![(from, end)], Vec::new());
        }
        added.push((end, until));
        let (plus, minus) = (added.into_iter().map(|span| (span, 1)), taken.into_iter().map(|span| (span, -1)));
        let pieces = plus.chain(minus).flat_map(|((from, until), sign)| by_day(from, until, sign)).collect();
        let (from, until) = (begins(first).max(from), begins(last).min(end));
        Self { blocks: first as i32..last as i32, from, until, pieces }
    }
}

fn by_day(from: i64, until: i64, sign: i64) -> impl Iterator<Item = Piece> {
    let days = from.div_euclid(MICROS_PER_DAY)..(until + MICROS_PER_DAY - 1).div_euclid(MICROS_PER_DAY);
    let piece = move |day: i64| Piece {
        day: Day(day as i32),
        from: from.max(day * MICROS_PER_DAY),
        until: until.min((day + 1) * MICROS_PER_DAY),
        sign,
    };
    days.map(piece).filter(|piece| piece.from < piece.until)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds a plan up over a world in which every microsecond up to `told_until` is told once.
    fn measured(plan: &Plan, told_until: i64) -> i64 {
        let told = |from: i64, until: i64| until.min(told_until) - from.min(told_until);
        let blocks = told(i64::from(plan.blocks.start) * BLOCK_MICROS, i64::from(plan.blocks.end) * BLOCK_MICROS);
        blocks + plan.pieces.iter().map(|piece| piece.sign * told(piece.from, piece.until)).sum::<i64>()
    }

    #[test]
    fn every_period_is_put_together_without_a_gap_or_an_overlap() {
        let hour = 3_600_000_000;
        for from in (0..40 * 24).step_by(7) {
            for length in (1..40 * 24).step_by(13) {
                for settled in [0, 300, 600, 5_000] {
                    let (from, until) = (from * hour, (from + length) * hour);
                    let told_until = 50 * MICROS_PER_DAY;
                    let period = Period { from: Timestamp(from), until: Timestamp(until) };
                    let plan = Plan::of(period, Timestamp(settled * hour), Timestamp(told_until));
                    let told = until.min(told_until) - from.min(told_until);
                    assert_eq!(measured(&plan, told_until), told, "{period:?} {plan:?}");
                    assert!(plan.pieces.iter().filter(|piece| piece.until <= settled * hour).count() <= 10, "{plan:?}");
                }
            }
        }
    }

    #[test]
    fn a_period_up_to_the_newest_day_reads_nothing_at_its_end() {
        let day = MICROS_PER_DAY;
        let period = Period { from: Timestamp(16 * day), until: Timestamp(29 * day) };
        let plan = Plan::of(period, Timestamp(i64::MAX), Timestamp(29 * day));
        assert_eq!((plan.blocks, plan.pieces), (2..4, Vec::new()));
    }
}
