//! How much of the log one turn takes: what can be folded while freshness lasts. Pure: time comes in as an argument.
//!
//! Facts past the edge fold some hundred times faster than those that arrive a day late, so no number of bytes suits both:
//! one poll full of late facts would keep everybody's live facts from the tables until all of it is folded.

use std::time::Duration;

/// A turn never takes less, and the first one takes so much. What a turn asks of the archive costs nearly the same for few
/// facts as for many: smaller bites than this make a slow past slower still, and freshness with it.
const LEAST_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub struct Appetite {
    bytes: usize,
    most_bytes: usize,
    turn: Duration,
}

impl Appetite {
    /// A turn is to take about so long, and never more than `most_bytes`.
    pub fn new(most_bytes: usize, turn: Duration) -> Self {
        Self { bytes: LEAST_BYTES.min(most_bytes), most_bytes, turn }
    }

    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Learns from a turn: how much it took, and how long that was folded.
    pub fn took(&mut self, bytes: usize, time: Duration) {
        let was_full = bytes >= self.bytes / 2;
        if time > self.turn {
            self.bytes = (self.bytes / 2).max(LEAST_BYTES).min(self.most_bytes);
        } else if was_full && time < self.turn / 4 {
            self.bytes = (self.bytes * 2).min(self.most_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 8 * 1024 * 1024;
    const TURN: Duration = Duration::from_secs(1);

    /// The longest of some turns over a log that is folded at this speed.
    fn longest_turn(appetite: &mut Appetite, bytes_per_second: usize) -> Duration {
        let turn = |_| {
            let bytes = appetite.bytes();
            let time = Duration::from_secs_f64(bytes as f64 / bytes_per_second as f64);
            appetite.took(bytes, time);
            time
        };
        (0..20).map(turn).max().expect("there were turns")
    }

    #[test]
    fn a_quick_past_is_taken_in_large_bites_and_a_slow_one_in_small() {
        let mut appetite = Appetite::new(MOST, TURN);
        longest_turn(&mut appetite, 100 * MOST);
        assert_eq!(appetite.bytes(), MOST);
        longest_turn(&mut appetite, 2 * LEAST_BYTES);
        assert!((LEAST_BYTES..=2 * LEAST_BYTES).contains(&appetite.bytes()), "{}", appetite.bytes());
    }

    #[test]
    fn late_facts_after_a_quiet_night_do_not_fill_a_long_turn() {
        let mut appetite = Appetite::new(MOST, TURN);
        for _ in 0..1_000 {
            appetite.took(2_000, Duration::from_millis(3));
        }
        assert!(longest_turn(&mut appetite, LEAST_BYTES) < 2 * TURN);
    }

    #[test]
    fn the_limits_hold_whatever_the_machine() {
        let mut appetite = Appetite::new(1_000, TURN);
        assert_eq!(appetite.bytes(), 1_000);
        appetite.took(1_000, 10 * TURN);
        assert_eq!(appetite.bytes(), 1_000, "less than the least was asked for");
        let mut appetite = Appetite::new(MOST, TURN);
        longest_turn(&mut appetite, 1);
        assert_eq!(appetite.bytes(), LEAST_BYTES);
    }
}
