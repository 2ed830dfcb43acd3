//! A line for each sort of part: what its own failures say of errors, age and use (ridge logistic regression). How long before a failure
//! a part begins to warn differs from sort to sort more than a forest can learn for each, and is what few figures can hold.

use serde::{Deserialize, Serialize};

use super::trees::Input;
use crate::calibration::{log_loss, logistic, logit};
use crate::column::Column;
use crate::frame::{Decided, Frame, PartSort};

/// A sort with fewer failures has no line: the forest speaks for it alone.
pub const FAILURES_MIN: usize = 5;
/// How strongly slopes are held to 0, in rows that say so.
const RIDGE: f64 = 10.0;
const NEWTON_STEPS_MAX: usize = 40;
const HALVINGS_MAX: u32 = 30;
/// Errors longer ago than that are in no column.
const FORGOTTEN_HOURS: f64 = 720.0;
/// Below that nothing is expected to fail, and nobody can say how much less.
const CHANCE_MIN: f64 = 1e-7;

/// Errors of the part within so many days.
const WITHIN: [(Column, f64); 6] = [
    (Column::PartErrors6h, 0.25),
    (Column::PartErrors1d, 1.0),
    (Column::PartErrors3d, 3.0),
    (Column::PartErrors7d, 7.0),
    (Column::PartErrors14d, 14.0),
    (Column::PartErrors30d, 30.0),
];
/// How many of those are a week.
const A_WEEK: usize = 4;
const BESIDE: [Column; 12] = [
    Column::PartMajorErrors1d,
    Column::PartMajorErrors3d,
    Column::PartMajorErrors7d,
    Column::LoudestFamilyErrors1d,
    Column::LoudestFamilyErrors7d,
    Column::AllErrors1d,
    Column::AllErrors7d,
    Column::MajorErrors7d,
    Column::DaysSincePartFailure,
    Column::DaysSinceFailure,
    Column::ProductiveHours7d,
    Column::Stops7d,
];
/// Windows; windows of this life, a week and all of it; the last error; the pooled hazard; what stands beside.
const WIDTH: usize = 2 * WITHIN.len() + 2 + 2 + BESIDE.len();
type Terms = [f64; WIDTH];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    sort: PartSort,
    intercept: f64,
    /// Of each term: its mean where it was learned, and its slope.
    terms: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lines(Vec<Line>);

/// What each term is made of, in their order.
fn inputs() -> impl Iterator<Item = Input> {
    let windows = || WITHIN.into_iter().map(|(column, _)| Input::Column(column));
    let life = [Column::PartErrors7d, Column::PartErrors30d, Column::HoursSincePartError].map(Input::Column);
    windows().chain(windows()).chain(life).chain([Input::Pooled]).chain(BESIDE.map(Input::Column))
}

/// What a line looks at in one row. Counts weigh less the more there are, so all but the hazard are logarithms of one more.
fn terms(frame: &Frame, pooled: f64, row: usize) -> Terms {
    let known = |column| Some(frame.value(row, column)).filter(|value| !value.is_nan());
    let log = |value: f64| value.max(0.0).ln_1p();
    let within = WITHIN.map(|(column, _)| known(column).unwrap_or(0.0));
    let began = [Column::DaysSincePartFailure, Column::DaysSinceReplaced].into_iter().filter_map(known);
    let alive_days = began.fold(f64::INFINITY, f64::min);
    let mut life = [0.0; WITHIN.len()];
    for window in 0..WITHIN.len() {
        let (before, from) = window.checked_sub(1).map_or((0.0, 0.0), |last| (within[last], WITHIN[last].1));
        let share = ((alive_days - from) / (WITHIN[window].1 - from)).clamp(0.0, 1.0);
        life[window] = (within[window] - before) * share;
    }
    let sums = [life[..A_WEEK].iter().sum(), life.iter().sum()];
    let last = known(Column::HoursSincePartError).unwrap_or(FORGOTTEN_HOURS).min(FORGOTTEN_HOURS);
    let beside = BESIDE.map(|column| known(column).unwrap_or(0.0));
    let counts = within.into_iter().chain(life).chain(sums).chain([last]).map(log);
    let mut terms = [0.0; WIDTH];
    let all = counts.chain([pooled.max(CHANCE_MIN).ln()]).chain(beside.into_iter().map(log));
    terms.iter_mut().zip(all).for_each(|(term, value)| *term = value);
    terms
}

impl Lines {
    /// One for each sort with enough failures; `pooled` is what the hazard says of each row that is told.
    pub fn fit(frame: &Frame, pooled: &[f64], told: &Decided) -> Self {
        let mut places: std::collections::BTreeMap<PartSort, Vec<usize>> = std::collections::BTreeMap::new();
        let by_group: Vec<PartSort> = frame.groups().iter().map(|group| group.sort()).collect();
        for (place, row) in told.rows.iter().enumerate() {
            places.entry(by_group[frame.row(*row).group as usize].clone()).or_default().push(place);
        }
        let enough = |places: &Vec<usize>| {
            let failures = places.iter().filter(|place| told.failed[**place]).count();
            failures >= FAILURES_MIN && failures < places.len()
        };
        let lines = places.into_iter().filter(|(_, places)| enough(places)).map(|(sort, places)| {
            let example = |place: &usize| Example {
                terms: terms(frame, pooled[*place], told.rows[*place]),
                failed: told.failed[*place],
                weight: frame.row(told.rows[*place]).weight,
            };
            Line::fit(sort, places.iter().map(example).collect())
        });
        Self(lines.collect())
    }

    fn of(&self, sort: &PartSort) -> Option<&Line> {
        self.0.binary_search_by(|line| line.sort.cmp(sort)).ok().map(|place| &self.0[place])
    }

    /// Log odds of each row; None of a sort without a line.
    pub fn log_odds(&self, frame: &Frame, pooled: &[f64], rows: &[usize]) -> Vec<Option<f64>> {
        let by_group: Vec<Option<&Line>> = frame.groups().iter().map(|group| self.of(&group.sort())).collect();
        let says = |(row, pooled): (&usize, &f64)| {
            let line = by_group[frame.row(*row).group as usize]?;
            Some(line.log_odds(&terms(frame, *pooled, *row)))
        };
        rows.iter().zip(pooled).map(says).collect()
    }

    /// What each input adds to the log odds of one row; empty of a sort without a line.
    pub fn reasons(&self, frame: &Frame, pooled: f64, row: usize) -> Vec<(Input, f64)> {
        let Some(line) = self.of(&frame.group(row).sort()) else { return Vec::new() };
        let terms = terms(frame, pooled, row);
        let added = line.terms.iter().zip(terms).map(|((mean, slope), term)| slope * (term - mean));
        inputs().zip(added).collect()
    }
}

struct Example {
    terms: Terms,
    failed: bool,
    weight: f64,
}

impl Line {
    /// Newton's method on the weighted logistic likelihood, over terms of one spread.
    fn fit(sort: PartSort, mut examples: Vec<Example>) -> Self {
        let all: f64 = examples.iter().map(|one| one.weight).sum();
        let mean_of = |term: usize| examples.iter().map(|one| one.weight * one.terms[term]).sum::<f64>() / all;
        let mean: Terms = std::array::from_fn(mean_of);
        let square = |one: &Example, term: usize| one.weight * (one.terms[term] - mean[term]).powi(2);
        let spread: Terms = std::array::from_fn(|term| {
            let variance = examples.iter().map(|one| square(one, term)).sum::<f64>() / all;
            if variance > f64::EPSILON { variance.sqrt() } else { f64::INFINITY }
        });
        for one in &mut examples {
            one.terms = std::array::from_fn(|term| (one.terms[term] - mean[term]) / spread[term]);
        }
        let bad: f64 = examples.iter().filter(|one| one.failed).map(|one| one.weight).sum();
        let mut fitted = Fitted { intercept: logit(bad / all), slopes: [0.0; WIDTH] };
        let mut before = fitted.loss(&examples);
        for _ in 0..NEWTON_STEPS_MAX {
            let step = fitted.newton_step(&examples);
            let sizes = (0..HALVINGS_MAX).map(|halved| 0.5_f64.powi(halved as i32));
            let better = sizes.map(|size| fitted.moved(&step, size)).find_map(|next| {
                let loss = next.loss(&examples);
                (loss < before).then_some((next, loss))
            });
            let Some((next, loss)) = better else { break };
            let gained = before - loss;
            (fitted, before) = (next, loss);
            if gained <= 1e-9 * before {
                break;
            }
        }
        let terms = (0..WIDTH).map(|term| (mean[term], fitted.slopes[term] / spread[term])).collect();
        Self { sort, intercept: fitted.intercept, terms }
    }

    fn log_odds(&self, terms: &Terms) -> f64 {
        self.intercept + self.terms.iter().zip(terms).map(|((mean, slope), term)| slope * (term - mean)).sum::<f64>()
    }
}

#[derive(Clone, Copy)]
struct Fitted {
    intercept: f64,
    slopes: Terms,
}

/// Intercept first.
const SIZE: usize = WIDTH + 1;

impl Fitted {
    fn log_odds(&self, terms: &Terms) -> f64 {
        self.intercept + self.slopes.iter().zip(terms).map(|(slope, term)| slope * term).sum::<f64>()
    }

    fn loss(&self, examples: &[Example]) -> f64 {
        let of = |one: &Example| one.weight * log_loss(self.log_odds(&one.terms), one.failed);
        let held: f64 = self.slopes.iter().map(|slope| slope * slope).sum();
        examples.iter().map(of).sum::<f64>() + RIDGE * held / 2.0
    }

    fn newton_step(&self, examples: &[Example]) -> [f64; SIZE] {
        let mut gradient = [0.0; SIZE];
        let mut curve = [[0.0; SIZE]; SIZE];
        for term in 0..WIDTH {
            gradient[term + 1] = RIDGE * self.slopes[term];
            curve[term + 1][term + 1] = RIDGE;
        }
        for one in examples {
            let said = logistic(self.log_odds(&one.terms));
            let miss = one.weight * (said - f64::from(u8::from(one.failed)));
            let bend = one.weight * said * (1.0 - said);
            let at = |place: usize| if place == 0 { 1.0 } else { one.terms[place - 1] };
            for place in 0..SIZE {
                gradient[place] += miss * at(place);
                let bent = bend * at(place);
                for other in 0..=place {
                    curve[place][other] += bent * at(other);
                }
            }
        }
        solve(&mut curve, gradient)
    }

    fn moved(&self, step: &[f64; SIZE], size: f64) -> Self {
        let slopes = std::array::from_fn(|term| self.slopes[term] - size * step[term + 1]);
        Self { intercept: self.intercept - size * step[0], slopes }
    }
}

/// Cholesky's method: `of` is symmetric and positive, and its lower half is given.
fn solve(of: &mut [[f64; SIZE]; SIZE], right: [f64; SIZE]) -> [f64; SIZE] {
    for row in 0..SIZE {
        for column in 0..=row {
            let sum: f64 = (0..column).map(|before| of[row][before] * of[column][before]).sum();
            let left = of[row][column] - sum;
            of[row][column] =
                if row == column { left.max(f64::MIN_POSITIVE).sqrt() } else { left / of[column][column] };
        }
    }
    let mut solved = right;
    for row in 0..SIZE {
        let sum: f64 = (0..row).map(|before| of[row][before] * solved[before]).sum();
        solved[row] = (solved[row] - sum) / of[row][row];
    }
    for row in (0..SIZE).rev() {
        let sum: f64 = (row + 1..SIZE).map(|after| of[after][row] * solved[after]).sum();
        solved[row] = (solved[row] - sum) / of[row][row];
    }
    solved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(terms: [f64; 2], failed: bool) -> Example {
        let mut all = [0.0; WIDTH];
        all[..2].copy_from_slice(&terms);
        Example { terms: all, failed, weight: 1.0 }
    }

    fn sort() -> PartSort {
        PartSort { kind: medfleet_domain::kind::DeviceKind::Ct, component: "tube".into() }
    }

    #[test]
    fn every_term_has_an_input() {
        assert_eq!(inputs().count(), WIDTH);
    }

    /// Of 400 rows with the first term 1 half fail, of 400 with 0 a tenth: the log odds are 0 and ln(1/9), but for the ridge.
    #[test]
    fn a_line_says_what_its_rows_said() {
        let of = |term: f64, failed: usize| (0..400).map(move |nth| example([term, 3.0], nth < failed));
        let line = Line::fit(sort(), of(1.0, 200).chain(of(0.0, 40)).collect());
        let mut at = [0.0; WIDTH];
        at[1] = 3.0;
        let low = line.log_odds(&at);
        at[0] = 1.0;
        let high = line.log_odds(&at);
        assert!((high - 0.0).abs() < 0.15 && (low - (1.0_f64 / 9.0).ln()).abs() < 0.15, "{high} {low}");
        assert_eq!(line.terms[1].1, 0.0, "a term that never varies says nothing");
    }

    #[test]
    fn a_term_that_parts_all_rows_has_a_slope_that_the_ridge_holds() {
        let rows = (0..100).map(|nth| example([f64::from(nth), 0.0], nth >= 50));
        let line = Line::fit(sort(), rows.collect());
        assert!(line.terms[0].1.is_finite() && line.terms[0].1 > 0.0 && line.intercept.is_finite());
    }

    #[test]
    fn a_system_is_solved() {
        let mut of = [[0.0; SIZE]; SIZE];
        (0..SIZE).for_each(|place| of[place][place] = 4.0);
        (1..SIZE).for_each(|place| of[place][place - 1] = 1.0);
        let wanted: [f64; SIZE] = std::array::from_fn(|place| place as f64 - 3.0);
        let right = std::array::from_fn(|place| {
            let before = place.checked_sub(1).map_or(0.0, |before| wanted[before]);
            4.0 * wanted[place] + before + wanted.get(place + 1).copied().unwrap_or(0.0)
        });
        let solved = solve(&mut of, right);
        assert!(solved.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-9));
    }
}
