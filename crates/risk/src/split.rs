//! Which past a voice learns from, on which it is calibrated, on which the gate decides, and on which all of it is reported:
//! slices of time in that order.

use medfleet_domain::time::{MICROS_PER_DAY, Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::frame::Frame;
use crate::horizon::Horizon;

/// Shares of the period of a backtest; the rest is reported.
pub const TRAIN_SHARE: f64 = 0.55;
pub const CALIBRATE_SHARE: f64 = 0.10;
pub const DECIDE_SHARE: f64 = 0.15;
/// Shares of the period of a model for use, which the days to come report on.
pub const USED_TRAIN_SHARE: f64 = 0.65;
pub const USED_CALIBRATE_SHARE: f64 = 0.15;

/// Instants of the slices. Before each border, and before the end, lies an embargo of one horizon: whatever is learned before a
/// border looks at no moment after it, and of the last days only failures would be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    pub train: Span,
    pub calibrate: Span,
    /// The gate's own past: no figure that is reported comes from it.
    pub decide: Span,
    /// None of a model for use.
    pub judge: Option<Span>,
}

impl Split {
    /// For a backtest: the last slice has been seen by nobody, the gate included.
    pub fn backtest(period: Span, horizon: Horizon) -> Result<Self, Error> {
        let first = TRAIN_SHARE + CALIBRATE_SHARE;
        let borders = Borders { period, horizon };
        Ok(Self {
            train: borders.slice(0.0, TRAIN_SHARE)?,
            calibrate: borders.slice(TRAIN_SHARE, first)?,
            decide: borders.slice(first, first + DECIDE_SHARE)?,
            judge: Some(borders.slice(first + DECIDE_SHARE, 1.0)?),
        })
    }

    /// For a model that is to speak from the end of the period on.
    pub fn used(period: Span, horizon: Horizon) -> Result<Self, Error> {
        let second = USED_TRAIN_SHARE + USED_CALIBRATE_SHARE;
        let borders = Borders { period, horizon };
        Ok(Self {
            train: borders.slice(0.0, USED_TRAIN_SHARE)?,
            calibrate: borders.slice(USED_TRAIN_SHARE, second)?,
            decide: borders.slice(second, 1.0)?,
            judge: None,
        })
    }

    /// Where slices follow each other. What became of a row is what was known at the next of these, and of the last slice all that is
    /// known: who learns, is calibrated or decides hears no word that was said later.
    pub fn borders(&self) -> Vec<Timestamp> {
        let slices = [Some(self.calibrate), Some(self.decide), self.judge];
        slices.into_iter().flatten().map(|slice| slice.from).collect()
    }

    /// The rows of one slice, in the order of the frame.
    pub fn rows(frame: &Frame, slice: Span) -> impl Iterator<Item = usize> + '_ {
        (0..frame.len()).filter(move |row| slice.contains(frame.row(*row).at))
    }
}

struct Borders {
    period: Span,
    horizon: Horizon,
}

impl Borders {
    fn at(&self, share: f64) -> Timestamp {
        self.period.from.plus_micros((self.period.micros() as f64 * share) as i64).day().start()
    }

    /// From one share of the period to another, less the embargo.
    fn slice(&self, from: f64, until: f64) -> Result<Span, Error> {
        let from = if from > 0.0 { self.at(from) } else { self.period.from };
        let until = if until < 1.0 { self.at(until) } else { self.period.until };
        Span::new(from, until.plus_micros(-self.horizon.micros())).map_err(|_| Error::Split {
            days: self.period.micros() / MICROS_PER_DAY,
            horizon_hours: self.horizon.hours(),
        })
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
            let apart = |one: Span, next: Span| assert!(one.until.plus_micros(horizon.micros()) <= next.from);
            let split = Split::backtest(period, horizon).expect("400 days are enough");
            apart(split.train, split.calibrate);
            apart(split.calibrate, split.decide);
            apart(split.decide, split.judge.expect("a backtest reports"));
            let until = period.until.plus_micros(-horizon.micros());
            assert_eq!(split.judge.map(|judge| judge.until), Some(until), "later than that only failures are known");
            let split = Split::used(period, horizon).expect("400 days are enough");
            apart(split.train, split.calibrate);
            apart(split.calibrate, split.decide);
            assert_eq!((split.decide.until, split.judge), (until, None));
            assert_eq!(split.borders(), [split.calibrate.from, split.decide.from]);
        }
    }

    #[test]
    fn a_period_too_short_is_named() {
        let short = Span { from: Day(0).start(), until: Day(9).start() };
        assert!(Split::backtest(short, Horizon::Week).unwrap_err().to_string().contains("9 days"));
    }
}
