//! How the parts of a sort announce their end, and what their errors therefore say (a doubly stochastic Poisson process). Errors come at a
//! rate of the sort's own whatever becomes of the part. Before an announced end more of them come, the denser the nearer it is. Bayes'
//! rule weighs every time at which this life may end; the pooled hazard says how likely each was before anything was heard.
//!
//! Five figures describe a sort, where a forest must learn dozens from the same failures. What sorts have in common is learned first, and
//! a sort of few failures is held to it (empirical Bayes).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::linear::solve;
use crate::calibration::{log_loss, logistic, logit};
use crate::column::Column;
use crate::frame::{Decided, Frame, PartSort};
use crate::horizon::Horizon;

/// A sort with fewer failures has no law of its own: the pooled hazard speaks for it.
const FAILURES_MIN: usize = 5;
/// Errors of this life, and within how many days before now they came.
const HEARD: [(Column, f64); 11] = [
    (Column::LifeErrors6h, 0.25),
    (Column::LifeErrors12h, 0.5),
    (Column::LifeErrors1d, 1.0),
    (Column::LifeErrors2d, 2.0),
    (Column::LifeErrors3d, 3.0),
    (Column::LifeErrors5d, 5.0),
    (Column::LifeErrors7d, 7.0),
    (Column::LifeErrors10d, 10.0),
    (Column::LifeErrors14d, 14.0),
    (Column::LifeErrors20d, 20.0),
    (Column::LifeErrors30d, 30.0),
];
const SPANS: usize = HEARD.len();
/// In days from now: between each two of these a life may end. Both horizons are among them.
const ENDS: [f64; 17] = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.5, 7.0, 9.0, 11.0, 15.0, 20.0, 30.0, 45.0];
const CELLS: usize = ENDS.len() - 1;
/// A life may always last longer than all of these.
const LONGER_MIN: f64 = 0.01;
const HAZARD_RANGE: (f64, f64) = (1e-7, 0.5);
/// Logarithm of how much likelier an end can become by what was heard.
const RATIO_LN_MAX: f64 = 60.0;

const STEPS_MAX: usize = 40;
const HALVINGS_MAX: u32 = 20;
/// Gain in log likelihood, as a share of all of it, below which nothing more is learned.
const GAIN_MIN: f64 = 1e-7;
/// For a slope, by how much a figure is moved.
const NUDGE: f64 = 1e-5;

/// Logarithms of noise (errors a day), of warnings, of lead (days) and of thickening; and the log odds that an end is announced.
type Figures = [f64; FIGURES];
const FIGURES: usize = 5;
const NOISE: usize = 0;
const LEAD: usize = 2;
const ANNOUNCED: usize = 3;

/// What is believed of a sort before its own failures are looked at: each figure is normal. Noise is told against what was counted.
#[derive(Debug, Clone, Copy)]
struct Belief {
    centre: Figures,
    spread: Figures,
}

/// Before anything is learned: eight warnings within a week, of two ends in three, or nearly anything else.
const AT_FIRST: Belief = Belief { centre: [-0.3, 2.1, 1.9, 0.85, 0.4], spread: [1.0, 1.0, 1.0, 0.7, 0.5] };
/// So many failures of other sorts count as much as that.
const AT_FIRST_FAILURES: f64 = 30.0;
/// What sorts have in common is never believed more narrowly.
const SPREAD_MIN: f64 = 0.15;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Law(Figures);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Warnings(Vec<(PartSort, Law)>);

/// What was heard of a part, and how likely it was to fail before.
struct Heard {
    errors: [f64; SPANS],
    /// Which share of each span lies in this life.
    lived: [f64; SPANS],
    hazard_per_day: f64,
}

struct Example {
    heard: Heard,
    failed: bool,
    weight: f64,
}

impl Warnings {
    /// `pooled` is what the hazard says of each row that is told.
    pub fn fit(frame: &Frame, pooled: &[f64], told: &Decided, horizon: Horizon) -> Self {
        let sorts = examples(frame, pooled, told, horizon);
        let learn = |common: Belief| {
            sorts.iter().map(move |(sort, examples)| (sort, Law::learn(examples, &common.of(examples), horizon)))
        };
        let alone = learn(AT_FIRST).zip(sorts.values());
        let seen: Vec<(f64, Figures)> = alone
            .map(|((_, Law(mut figures)), examples)| {
                figures[NOISE] -= counted_noise(examples);
                (failures(examples) as f64, figures)
            })
            .collect();
        Self(learn(AT_FIRST.after(&seen)).map(|(sort, law)| (sort.clone(), law)).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Log odds of failing within the horizon, of each row; `pooled` is what the hazard says of them.
    pub fn log_odds(&self, frame: &Frame, pooled: &[f64], rows: &[usize], horizon: Horizon) -> Vec<f64> {
        let groups: BTreeSet<u32> = rows.iter().map(|row| frame.row(*row).group).collect();
        let known = |sort: &PartSort| self.0.binary_search_by(|(known, _)| known.cmp(sort)).ok();
        let law = |group: u32| Some(Expected::of(&self.0[known(&frame.groups()[group as usize].sort())?].1));
        let laws: BTreeMap<u32, Option<Expected>> = groups.into_iter().map(|group| (group, law(group))).collect();
        let says = |(row, pooled): (&usize, &f64)| {
            let heard = |law: &Expected| law.log_odds(&Heard::of(frame, *row, *pooled, horizon), horizon);
            laws[&frame.row(*row).group].as_ref().map_or_else(|| logit(*pooled), heard)
        };
        rows.iter().zip(pooled).map(says).collect()
    }
}

/// Whether it is among what the laws are about: a count that means little without them.
pub fn hears(column: Column) -> bool {
    HEARD.iter().any(|(heard, _)| *heard == column)
}

/// Of each sort that has failed often enough.
fn examples(frame: &Frame, pooled: &[f64], told: &Decided, horizon: Horizon) -> BTreeMap<PartSort, Vec<Example>> {
    let sorts: Vec<PartSort> = frame.groups().iter().map(|group| group.sort()).collect();
    let mut examples: BTreeMap<PartSort, Vec<Example>> = BTreeMap::new();
    for ((row, failed), pooled) in told.rows.iter().zip(&told.failed).zip(pooled) {
        let key = frame.row(*row);
        let example = Example { heard: Heard::of(frame, *row, *pooled, horizon), failed: *failed, weight: key.weight };
        examples.entry(sorts[key.group as usize].clone()).or_default().push(example);
    }
    examples.retain(|_, examples| (FAILURES_MIN..examples.len()).contains(&failures(examples)));
    examples
}

fn failures(examples: &[Example]) -> usize {
    examples.iter().filter(|one| one.failed).count()
}

/// From and until how many days before now.
fn span(nth: usize) -> (f64, f64) {
    (nth.checked_sub(1).map_or(0.0, |before| HEARD[before].1), HEARD[nth].1)
}

fn days(nth: usize) -> f64 {
    let (from, until) = span(nth);
    until - from
}

/// Logarithm of the errors a day that were counted.
fn counted_noise(examples: &[Example]) -> f64 {
    let lived = |one: &Example| (0..SPANS).map(|nth| one.heard.lived[nth] * days(nth)).sum::<f64>();
    let errors: f64 = examples.iter().map(|one| one.weight * one.heard.errors.iter().sum::<f64>()).sum();
    let all: f64 = examples.iter().map(|one| one.weight * lived(one)).sum();
    ((errors + 0.5) / all.max(1.0)).ln()
}

impl Heard {
    fn of(frame: &Frame, row: usize, pooled: f64, horizon: Horizon) -> Self {
        let known = |column| Some(frame.value(row, column)).filter(|value| !value.is_nan());
        let began = [Column::DaysSincePartFailure, Column::DaysSinceReplaced].into_iter().filter_map(known);
        let age_days = began.fold(f64::INFINITY, f64::min);
        let within = HEARD.map(|(column, _)| known(column).unwrap_or(0.0));
        let share = |nth: usize| ((age_days - span(nth).0) / days(nth)).clamp(0.0, 1.0);
        let before = |nth: usize| nth.checked_sub(1).map_or(0.0, |before| within[before]);
        Self {
            errors: std::array::from_fn(|nth| within[nth] - before(nth)),
            lived: std::array::from_fn(share),
            hazard_per_day: -(-pooled.clamp(HAZARD_RANGE.0, HAZARD_RANGE.1)).ln_1p() / horizon.days(),
        }
    }
}

impl Belief {
    /// The same, of the noise that was counted in these.
    fn of(mut self, examples: &[Example]) -> Self {
        self.centre[NOISE] += counted_noise(examples);
        self
    }

    /// What sorts have in common by their failures. Those that seem to announce nothing say nothing of how it is done.
    fn after(self, seen: &[(f64, Figures)]) -> Self {
        let telling = || seen.iter().filter(|(_, figures)| figures[ANNOUNCED] > 0.0);
        let all = telling().map(|(failures, _)| failures).sum::<f64>() + AT_FIRST_FAILURES;
        let mean = |nth: usize| {
            let own = telling().map(|(failures, figures)| failures * figures[nth]).sum::<f64>();
            (own + AT_FIRST_FAILURES * self.centre[nth]) / all
        };
        let mut centre: Figures = std::array::from_fn(mean);
        let spread = |nth: usize| {
            let own = telling().map(|(failures, figures)| failures * (figures[nth] - centre[nth]).powi(2)).sum::<f64>();
            ((own + AT_FIRST_FAILURES * self.spread[nth].powi(2)) / all).sqrt().max(SPREAD_MIN)
        };
        let mut spread: Figures = std::array::from_fn(spread);
        (centre[NOISE], spread[NOISE]) = (0.0, self.spread[NOISE]);
        Self { centre, spread }
    }

    fn against(&self, figures: &Figures) -> f64 {
        let off = |nth: usize| ((figures[nth] - self.centre[nth]) / self.spread[nth]).powi(2);
        (0..FIGURES).map(off).sum::<f64>() / 2.0
    }
}

impl Law {
    /// The likeliest figures for what came, and for what is believed. From a lead far from the true one no step is a gain, so it begins at
    /// three.
    fn learn(examples: &[Example], belief: &Belief, horizon: Horizon) -> Self {
        let begin = |off: f64| {
            let mut figures = belief.centre;
            figures[LEAD] += off * belief.spread[LEAD];
            Self(figures).climb(examples, belief, horizon)
        };
        let ends = [0.0, -1.0, 1.0].map(begin);
        ends.into_iter().min_by(|one, other| one.1.total_cmp(&other.1)).map_or(Self(belief.centre), |(law, _)| law)
    }

    /// Fisher scoring, and the loss where it ends.
    fn climb(mut self, examples: &[Example], belief: &Belief, horizon: Horizon) -> (Self, f64) {
        let mut before = self.loss(examples, belief, horizon);
        for _ in 0..STEPS_MAX {
            let step = self.step(examples, belief, horizon);
            let sizes = (0..HALVINGS_MAX).map(|halved| 0.5_f64.powi(halved as i32));
            let moved = |size: f64| Self(std::array::from_fn(|nth| self.0[nth] - size * step[nth]));
            let lost = |next: Self| (next, next.loss(examples, belief, horizon));
            let Some((next, now)) = sizes.map(moved).map(lost).find(|(_, now)| *now < before) else { break };
            let gained = before - now;
            (self, before) = (next, now);
            if gained <= GAIN_MIN * before {
                break;
            }
        }
        (self, before)
    }

    fn loss(&self, examples: &[Example], belief: &Belief, horizon: Horizon) -> f64 {
        let expected = Expected::of(self);
        let of = |one: &Example| one.weight * log_loss(expected.log_odds(&one.heard, horizon), one.failed);
        examples.iter().map(of).sum::<f64>() + belief.against(&self.0)
    }

    fn step(&self, examples: &[Example], belief: &Belief, horizon: Horizon) -> Figures {
        let here = Expected::of(self);
        let beside: [Expected; FIGURES] = std::array::from_fn(|nth| {
            let mut figures = self.0;
            figures[nth] += NUDGE;
            Expected::of(&Self(figures))
        });
        let held = |nth: usize| belief.spread[nth].powi(-2);
        let mut gradient: Figures = std::array::from_fn(|nth| held(nth) * (self.0[nth] - belief.centre[nth]));
        let mut curve = [[0.0; FIGURES]; FIGURES];
        (0..FIGURES).for_each(|nth| curve[nth][nth] = held(nth));
        for one in examples {
            let log_odds = here.log_odds(&one.heard, horizon);
            let said = logistic(log_odds);
            let slope = |nth: usize| (beside[nth].log_odds(&one.heard, horizon) - log_odds) / NUDGE;
            let slopes: Figures = std::array::from_fn(slope);
            let miss = one.weight * (said - f64::from(u8::from(one.failed)));
            let bend = one.weight * said * (1.0 - said);
            for row in 0..FIGURES {
                gradient[row] += miss * slopes[row];
                for column in 0..=row {
                    curve[row][column] += bend * slopes[row] * slopes[column];
                }
            }
        }
        solve(&mut curve, gradient)
    }
}

/// What a law expects to be heard before an end in each cell.
struct Expected {
    announced: f64,
    cells: [Cell; CELLS],
}

#[derive(Clone, Copy)]
struct Cell {
    days: f64,
    until: f64,
    /// Of each span: the warnings that are expected in it.
    warnings: [f64; SPANS],
    /// Of each span: by how much every error there makes such an end likelier, as a logarithm.
    gains: [f64; SPANS],
    /// How much likelier such an end is where nothing was heard in a long life.
    of_silence: f64,
}

impl Expected {
    fn of(law: &Law) -> Self {
        let [noise, warnings, lead, _, thickening] = law.0.map(f64::exp);
        let within = |days: f64| (days / lead).min(1.0).powf(1.0 / thickening);
        let cell = |nth: usize| {
            let (from, until) = (ENDS[nth], ENDS[nth + 1]);
            let end = f64::midpoint(from, until);
            let expected = |nth: usize| warnings * (within(end + span(nth).1) - within(end + span(nth).0));
            let warnings: [f64; SPANS] = std::array::from_fn(expected);
            let gain = |nth: usize| (warnings[nth] / (noise * days(nth))).ln_1p();
            let of_silence = (-warnings.iter().sum::<f64>()).exp();
            Cell { days: until - from, until, warnings, gains: std::array::from_fn(gain), of_silence }
        };
        Self { announced: logistic(law.0[ANNOUNCED]), cells: std::array::from_fn(cell) }
    }

    fn log_odds(&self, heard: &Heard, horizon: Horizon) -> f64 {
        let silent = heard.lived[SPANS - 1] == 1.0 && heard.errors.iter().all(|errors| *errors == 0.0);
        let (mut within, mut beyond) = (0.0, (1.0 - heard.hazard_per_day * ENDS[CELLS]).max(LONGER_MIN));
        for cell in &self.cells {
            let ratio = if silent { cell.of_silence } else { cell.ratio(heard) };
            let chance = heard.hazard_per_day * cell.days * (self.announced * ratio + 1.0 - self.announced);
            *if cell.until <= horizon.days() { &mut within } else { &mut beyond } += chance;
        }
        (within / beyond).ln()
    }
}

impl Cell {
    /// How much likelier what was heard is before an announced end than if all of it is noise.
    fn ratio(&self, heard: &Heard) -> f64 {
        let of = |nth: usize| heard.errors[nth] * self.gains[nth] - heard.lived[nth] * self.warnings[nth];
        (0..SPANS).map(of).sum::<f64>().min(RATIO_LN_MAX).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fate::Fate;
    use crate::frame::{Group, Row};
    use medfleet_domain::kind::DeviceKind;
    use medfleet_domain::time::{Day, MICROS_PER_DAY};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    const LIFE_DAYS: f64 = 60.0;
    const LEAD_DAYS: f64 = 6.0;
    const NOISE_PER_DAY: f64 = 0.05;

    /// Parts that fail once in 60 days; of one sort two in three announce it by eight warnings within six days, of the other none does.
    fn world(lives: usize) -> (Frame, Vec<f64>) {
        let group =
            |component: &str| Group { kind: DeviceKind::Ct, make_model: "a".into(), component: component.into() };
        let mut frame = Frame::new(vec![group("announces"), group("silent")]);
        let mut chance = StdRng::seed_from_u64(5);
        for life in 0..2 * lives {
            let silent = life % 2 == 1;
            let end = -LIFE_DAYS * (1.0 - chance.random::<f64>()).ln();
            let announced = !silent && chance.random::<f64>() < 2.0 / 3.0;
            let mut errors: Vec<f64> =
                (0..(end * NOISE_PER_DAY).round() as usize).map(|_| chance.random_range(0.0..end)).collect();
            if announced {
                errors.extend((0..8).map(|_| end - LEAD_DAYS * chance.random::<f64>().powi(2)));
            }
            for day in 0..=end.floor() as i32 {
                let now = f64::from(day);
                let within = |days: f64| {
                    errors.iter().filter(|at| (0.0..days).contains(&(now - **at)) && **at > 0.0).count() as f64
                };
                let mut values = vec![f64::NAN; Column::COUNT];
                HEARD.iter().for_each(|(column, days)| values[column.index()] = within(*days));
                values[Column::DaysSincePartFailure.index()] = now;
                let failed_after = Some(((end - now) * MICROS_PER_DAY as f64) as i64);
                let fate = Fate { failed_after, watched_for: 0 };
                let row =
                    Row { device: life as u32, group: u32::from(silent), at: Day(day).start(), fate, weight: 1.0 };
                frame.push(row, &values).expect("as wide as all columns");
            }
        }
        let pooled = vec![-(-Horizon::Day.days() / LIFE_DAYS).exp_m1(); frame.len()];
        (frame, pooled)
    }

    #[test]
    fn a_sort_that_announces_its_end_is_heard_and_one_that_does_not_is_left_to_its_hazard() {
        let (frame, pooled) = world(300);
        let told = frame.decided(0..frame.len(), Horizon::Day);
        let warnings = Warnings::fit(&frame, &pooled, &told, Horizon::Day);
        let said = warnings.log_odds(&frame, &pooled, &told.rows, Horizon::Day);
        let of = |group: u32, errors: std::ops::Range<f64>| {
            let rows = told.rows.iter().zip(&said).zip(&told.failed).filter(|((row, _), _)| {
                frame.row(**row).group == group && errors.contains(&frame.value(**row, Column::LifeErrors3d))
            });
            let (said, failed): (Vec<f64>, Vec<f64>) =
                rows.map(|((_, said), failed)| (logistic(*said), f64::from(u8::from(*failed)))).unzip();
            (said.iter().sum::<f64>() / said.len() as f64, failed.iter().sum::<f64>() / failed.len() as f64)
        };
        for errors in [0.0..1.0, 1.0..3.0, 3.0..99.0] {
            let (said, came) = of(0, errors.clone());
            assert!((said / came - 1.0).abs() < 0.35, "{errors:?} errors: {said} said, {came} came");
        }
        assert!(of(0, 3.0..99.0).0 > 10.0 * of(0, 0.0..1.0).0);
        let (loud, quiet) = (of(1, 1.0..99.0).0, of(1, 0.0..1.0).0);
        assert!(loud < 2.0 * quiet, "noise says nothing of a silent sort: {loud} against {quiet}");
    }

    #[test]
    fn a_sort_of_few_failures_has_no_law_and_says_what_its_hazard_says() {
        let (frame, pooled) = world(2);
        let told = frame.decided(0..frame.len(), Horizon::Day);
        let warnings = Warnings::fit(&frame, &pooled, &told, Horizon::Day);
        assert!(warnings.is_empty());
        let said = warnings.log_odds(&frame, &pooled, &told.rows, Horizon::Day);
        assert!(said.iter().all(|said| (logistic(*said) / pooled[0] - 1.0).abs() < 1e-9));
    }
}
