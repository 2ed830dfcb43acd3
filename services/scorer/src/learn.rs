//! Learning: from everything a gatherer heard to a model whose gate has decided.

use datafusion::prelude::SessionContext;
use medfleet_domain::time::{Day, MICROS_PER_DAY, Span, Timestamp};
use medfleet_risk::backtest::DeviceFailures;
use medfleet_risk::frame::Frame;
use medfleet_risk::gate::Demands;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::model::{Lesson, Model};
use medfleet_risk::promotion::promote;
use medfleet_risk::report::{Report, Settings, Shown};
use medfleet_risk::split::Split;
use medfleet_risk::voice::rules::Rules;

use crate::Error;
use crate::features::{Asked, LifeLimits, Question, Roll, Tense};
use crate::gather::Gatherer;

/// Before that, what is counted over 30 days is not whole; of a short past a fifth must do.
const WARM_UP_DAYS: i64 = 30;
/// Rows asked for, at most; of a longer past not every day is looked at.
pub const ROWS_ASKED_MAX: usize = 4_000_000;
/// Of training rows that do not fail within a week, one in so many teaches, and stands for the others; all of a short past do.
const THINNING: u64 = 4;
const THINNED_FROM_ROWS: usize = 400_000;

/// Of parts of which fewer failed while voices learn, nothing is said.
const SORT_FAILURES_MIN: usize = 3;

/// How a model is made.
pub struct Course<'a> {
    pub horizon: Horizon,
    pub seed: u64,
    pub limits: &'a LifeLimits,
    pub rules: Rules,
    /// Whether the last slice is kept for a report, or the model is to speak from its end on.
    pub reported: bool,
    pub demands: Demands,
    pub done: &'a (dyn Fn(usize, usize) + Sync),
}

pub struct Learned {
    pub model: Model,
    pub frame: Frame,
    pub failures: DeviceFailures,
    pub report: Report,
}

/// Learns from all that was gathered.
pub async fn learn(gatherer: &Gatherer, session: &SessionContext, course: Course<'_>) -> Result<Learned, Error> {
    let period = period(gatherer.watched().ok_or(Error::NothingTold)?)?;
    let split =
        if course.reported { Split::backtest(period, course.horizon) } else { Split::used(period, course.horizon) }?;
    let roll = Roll::of(gatherer, split.train.until, SORT_FAILURES_MIN).closed_at(split.borders());
    if roll.count() == 0 {
        return Err(Error::NothingFailed { until: split.train.until });
    }
    let (instants, every_days) = instants(period, roll.count());
    let thinning = if instants.len() * roll.count() > THINNED_FROM_ROWS { THINNING } else { 1 };
    let keep = |asked: &Asked| thinned(asked, split.train, thinning);
    let question =
        Question { instants: &instants, limits: course.limits, keep: &keep, tense: Tense::Past, done: course.done };
    let frame = roll.frame(session, &question).await?;
    let lives = roll.lives(split.train.until);
    let (horizon, seed, rules) = (course.horizon, course.seed, course.rules);
    let mut model = Model::train(Lesson { frame: &frame, lives: &lives, rules, split, horizon, seed })?;
    let shown = promote(&mut model, &frame, &course.demands)?;
    let settings = Settings {
        split,
        devices: gatherer.devices().count(),
        rows: frame.len(),
        every_days,
        thinning,
        trees: model.trees.count(),
        calibrated_days: model.calibrated_days(&frame),
        verdicts: gatherer.devices().map(|(_, device)| device.labelled()).sum(),
        demands: course.demands,
    };
    let speakers = shown.into_iter().map(|(speaker, parts)| Shown { speaker, parts }).collect();
    let report = Report { settings, speakers, decisions: model.decisions.clone() };
    Ok(Learned { model, failures: roll.failures(), frame, report })
}

/// Whole days that are looked at.
fn period(watched: Span) -> Result<Span, Error> {
    let days = watched.micros() / MICROS_PER_DAY;
    let first = watched.from.plus_micros(MICROS_PER_DAY * (1 + WARM_UP_DAYS.min(days / 5))).day();
    Span::new(first.start(), watched.until.day().start()).map_err(|_| Error::TooShort { days })
}

/// Midnights, no more than rows allow, and of every weekday as many.
fn instants(period: Span, parts: usize) -> (Vec<Timestamp>, i64) {
    let days = period.micros() / MICROS_PER_DAY;
    let mut every = (days.unsigned_abs() as usize * parts).div_ceil(ROWS_ASKED_MAX).max(1);
    every += usize::from(every % 7 == 0);
    let first = i64::from(period.from.day().0);
    let at = |day: i64| Day(i32::try_from(first + day).unwrap_or(i32::MAX)).start();
    ((0..days).step_by(every).map(at).collect(), every as i64)
}

/// Whoever fails teaches; of the others some stand for all.
pub fn thinned(asked: &Asked, train: Span, thinning: u64) -> f64 {
    let teaches = asked.fate.within(Horizon::Week) == Some(true);
    if teaches || thinning == 1 || !train.contains(asked.at) {
        return 1.0;
    }
    let drawn = u64::from(asked.device) * 31 + u64::from(asked.group) * 17 + asked.at.day().0.unsigned_abs() as u64;
    if drawn % thinning == 0 { thinning as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i32, until: i32) -> Span {
        Span { from: Day(from).start(), until: Day(until).start() }
    }

    #[test]
    fn a_short_past_is_looked_at_day_by_day_and_a_long_one_on_all_weekdays() {
        let (few, every) = instants(span(0, 500), 1_000);
        assert_eq!((few.len(), every), (500, 1));
        let (many, every) = instants(span(0, 3_300), 8_400);
        assert_eq!(every, 8, "every seventh day is one weekday");
        assert!(many.len() * 8_400 <= ROWS_ASKED_MAX);
    }

    #[test]
    fn a_fifth_of_a_short_past_warms_up() {
        assert_eq!(period(span(0, 20)).unwrap(), span(5, 20));
        assert_eq!(period(span(0, 600)).unwrap(), span(31, 600));
        assert!(period(span(0, 1)).unwrap_err().to_string().contains("1 day"));
    }
}
