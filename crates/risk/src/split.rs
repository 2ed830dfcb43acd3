//! Which past a voice may learn from, on which it is calibrated, and on which it is judged: three slices of time in that order.

use medfleet_domain::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::frame::Frame;
use crate::horizon::Horizon;

/// Share of the period that is learned from, and share on which scores are calibrated; the rest is for judging.
pub const TRAIN_SHARE: f64 = 0.55;
pub const CALIBRATE_SHARE: f64 = 0.15;

/// Instants of the three slices. Before each border lies an embargo of one horizon: whatever is learned before it looks at
/// no moment after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    pub train: Span,
    pub calibrate: Span,
    pub judge: Span,
}

impl Split {
    pub fn of(period: Span, horizon: Horizon) -> Result<Self, Error> {
        let at = |share: f64| period.from.plus_micros((period.micros() as f64 * share) as i64).day().start();
        let (first, second) = (at(TRAIN_SHARE), at(TRAIN_SHARE + CALIBRATE_SHARE));
        let before = |border: Timestamp| border.plus_micros(-horizon.micros());
        let span = |from, until| {
            Span::new(from, until).map_err(|_| Error::Split {
                days: period.micros() / medfleet_domain::time::MICROS_PER_DAY,
                horizon_hours: horizon.hours(),
            })
        };
        Ok(Self {
            train: span(period.from, before(first))?,
            calibrate: span(first, before(second))?,
            judge: span(second, period.until)?,
        })
    }

    /// The rows of one slice, in the order of the frame.
    pub fn rows(frame: &Frame, slice: Span) -> impl Iterator<Item = usize> + '_ {
        (0..frame.len()).filter(move |row| slice.contains(frame.row(*row).at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::Day;

    #[test]
    fn no_slice_looks_into_the_next() {
        let period = Span { from: Day(0).start(), until: Day(400).start() };
        for horizon in Horizon::ALL {
            let split = Split::of(period, horizon).expect("400 days are enough");
            assert!(split.train.until.plus_micros(horizon.micros()) <= split.calibrate.from);
            assert!(split.calibrate.until.plus_micros(horizon.micros()) <= split.judge.from);
        }
        let short = Span { from: Day(0).start(), until: Day(9).start() };
        assert!(Split::of(short, Horizon::Week).unwrap_err().to_string().contains("9 days"));
    }
}
