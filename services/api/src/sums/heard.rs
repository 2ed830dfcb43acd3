//! Which devices were heard on which UTC days, a bit each: how many of a fleet are monitored is asked by every page. Pure.

use std::collections::BTreeMap;

/// By day, a bit for each seat.
#[derive(Debug, Default)]
pub struct Heard(BTreeMap<i32, Vec<u64>>);

/// Devices by their bits.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seats(Vec<u64>);

impl Heard {
    pub fn set(&mut self, day: i32, seat: u32, is_heard: bool) {
        let bits = self.0.entry(day).or_default();
        let (word, bit) = place(seat);
        if bits.len() <= word {
            bits.resize(word + 1, 0);
        }
        if is_heard {
            bits[word] |= bit;
        } else {
            bits[word] &= !bit;
        }
    }

    pub fn holds(&self, day: i32, seat: u32) -> bool {
        let (word, bit) = place(seat);
        self.0.get(&day).and_then(|bits| bits.get(word)).is_some_and(|bits| bits & bit != 0)
    }

    /// Those heard on any of these days, where `silent` are seats that do not count on a day.
    pub fn on_any(&self, days: impl Iterator<Item = i32>, silent: &BTreeMap<i32, Vec<u32>>) -> Seats {
        let mut found = Vec::new();
        for (day, bits) in days.filter_map(|day| Some((day, self.0.get(&day)?))) {
            match silent.get(&day) {
                None => unite(&mut found, bits),
                Some(silent) => {
                    let mut bits = bits.clone();
                    for (word, bit) in silent.iter().copied().map(place) {
                        if let Some(word) = bits.get_mut(word) {
                            *word &= !bit;
                        }
                    }
                    unite(&mut found, &bits);
                }
            }
        }
        Seats(found)
    }
}

impl Seats {
    pub fn holds(&self, seat: u32) -> bool {
        let (word, bit) = place(seat);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }
}

fn unite(found: &mut Vec<u64>, bits: &[u64]) {
    if found.len() < bits.len() {
        found.resize(bits.len(), 0);
    }
    found.iter_mut().zip(bits).for_each(|(one, more)| *one |= more);
}

const fn place(seat: u32) -> (usize, u64) {
    ((seat / 64) as usize, 1 << (seat % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_heard_on_any_day_is_found_less_those_that_do_not_count() {
        let mut heard = Heard::default();
        for (day, seat, is_heard) in [(1, 0, true), (1, 200, true), (2, 63, true), (3, 64, true), (3, 64, false)] {
            heard.set(day, seat, is_heard);
        }
        let found = |days: std::ops::Range<i32>, silent: &[(i32, u32)]| {
            let silent = silent.iter().map(|(day, seat)| (*day, vec![*seat])).collect();
            let seats = heard.on_any(days, &silent);
            (0..300).filter(|seat| seats.holds(*seat)).collect::<Vec<u32>>()
        };
        assert_eq!(found(0..9, &[]), [0, 63, 200]);
        assert_eq!(found(2..3, &[]), [63]);
        assert_eq!(found(0..9, &[(1, 200), (2, 0)]), [0, 63]);
        assert_eq!(found(5..5, &[]), [] as [u32; 0]);
    }
}
