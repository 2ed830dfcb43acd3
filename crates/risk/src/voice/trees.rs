//! The third voice: gradient-boosted trees over all columns, over the sort of the part, and over what the pooled hazard and the law of a
//! sort's warnings say. What trees and warnings say is weighed alike.

use std::collections::BTreeSet;

use forust_ml::Matrix;
use forust_ml::gradientbooster::GradientBooster;
use forust_ml::metric::Metric;
use serde::{Deserialize, Serialize};

use super::hazard::Hazards;
use super::warnings::{self, Warnings};
use crate::Error;
use crate::calibration::{logistic, logit};
use crate::column::Column;
use crate::frame::{Decided, Frame, Group, PartSort};
use crate::horizon::Horizon;

const ITERATIONS_MAX: usize = 800;
/// Trees after which nothing was gained on the later slice: the forest ends with the one that gained last.
const PATIENCE: usize = 50;
const LEARNING_RATE: f32 = 0.03;
/// Of the columns, so many a tree: trees that see the same lean on the same.
const COLUMNS_SHARE: f64 = 0.5;
const MAX_DEPTH: usize = 6;
const L2: f32 = 10.0;
/// Rows × rate of failure that a leaf must hold at least. One failure fails the rows of a whole horizon: a leaf that may hold less
/// than one learns the device by heart.
const MIN_LEAF_WEIGHT: f32 = 6.0;
const BINS: u16 = 128;
/// Ages in units that differ from sort to sort, and grow with the calendar: what they mean is in the pooled hazard.
const LEFT_TO_THE_HAZARD: [Column; 2] = [Column::PartAge, Column::PartPacePerDay];

/// What a tree looks at: a column, or what the pooled voice has learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    Column(Column),
    /// A column of more values than there are bins, of which most rows have 0. Trees are given that as nothing known: bins hold equally many of
    /// the rows that know something, and of 128 all but a few would lie in that one value. Columns of few values have a bin for each, and stay
    /// whole: what is unknown can be put beside values, never apart from all of them.
    Seldom(Column),
    /// The pooled hazard's probability.
    Pooled,
    /// The same, after what was heard of the part in this life.
    Warned,
    /// The place of the sort among all sorts by rate of failure.
    Sort,
}

#[derive(Serialize, Deserialize)]
pub struct Trees {
    booster: GradientBooster,
    /// Columns without variance say nothing and are left out.
    inputs: Vec<Input>,
    /// Sorts by rising rate.
    sorts: Vec<PartSort>,
    horizon: Horizon,
    /// None in models of before there were any.
    #[serde(default)]
    warnings: Warnings,
}

/// What simpler laws say of each row before a tree is asked.
struct Prior {
    pooled: Vec<f64>,
    /// In log odds.
    warned: Vec<f64>,
}

/// What trees grow on.
pub struct Grown<'a> {
    pub frame: &'a Frame,
    pub hazards: &'a Hazards,
    pub told: &'a Decided,
    /// A later slice that says when more trees learn nothing but noise: how large a forest the past can bear is its own affair.
    pub later: &'a Decided,
    pub horizon: Horizon,
    pub seed: u64,
}

impl Trees {
    /// Equal rows and seed give equal trees.
    pub fn grow(on: &Grown<'_>) -> Result<Self, Error> {
        let Grown { frame, hazards, told, later, .. } = *on;
        let pooled = pooled(frame, hazards, &told.rows, on.horizon);
        let mut trees = Self {
            booster: booster(on.seed),
            inputs: inputs(),
            sorts: by_rate(frame, told),
            horizon: on.horizon,
            warnings: Warnings::fit(frame, &pooled, told, on.horizon),
        };
        let prior = trees.after_warnings(frame, pooled, &told.rows);
        let columns = |input: &Input| trees.values(*input, frame, &prior, &told.rows);
        let full = trees.inputs.iter().map(|input| (*input, columns(input)));
        let telling = full.filter(|(_, values)| varies(values)).map(|(input, values)| spread(input, values));
        let (inputs, values): (Vec<Input>, Vec<Vec<f64>>) = telling.unzip();
        let data = values.concat();
        trees.inputs = inputs;
        let checked = trees.data(frame, &trees.prior(frame, hazards, &later.rows), &later.rows);
        let (outcome, weight) = outcomes(frame, told);
        let (outcome_later, weight_later) = outcomes(frame, later);
        let width = trees.inputs.len();
        let check = (Matrix::new(&checked, later.rows.len(), width), &outcome_later[..], &weight_later[..]);
        let matrix = Matrix::new(&data, told.rows.len(), width);
        trees.booster.fit(&matrix, &outcome, &weight, Some(vec![check])).map_err(Error::Trees)?;
        trees.prune();
        Ok(trees)
    }

    /// Trees past the best one are never asked: they need not be kept.
    fn prune(&mut self) {
        if let Some(best) = self.booster.prediction_iteration.take() {
            self.booster.trees.truncate(best);
        }
        self.booster.evaluation_history = None;
    }

    pub fn count(&self) -> usize {
        self.booster.trees.len()
    }

    /// Probability of failing within the horizon, of each row.
    pub fn probabilities(&self, frame: &Frame, hazards: &Hazards, rows: &[usize]) -> Vec<f64> {
        let prior = self.prior(frame, hazards, rows);
        let data = self.data(frame, &prior, rows);
        let matrix = Matrix::new(&data, rows.len(), self.inputs.len());
        let share = self.share_of_warnings();
        let both = |(trees, warned): (f64, f64)| logistic(share * warned + (1.0 - share) * trees);
        self.booster.predict(&matrix, false).into_iter().zip(prior.warned).map(both).collect()
    }

    /// What each input adds to the log odds of one row, largest first.
    pub fn reasons(&self, frame: &Frame, hazards: &Hazards, row: usize) -> Vec<(Input, f64)> {
        let prior = self.prior(frame, hazards, &[row]);
        let data = self.data(frame, &prior, &[row]);
        let matrix = Matrix::new(&data, 1, self.inputs.len());
        let method = forust_ml::gradientbooster::ContributionsMethod::Shapley;
        let added = self.booster.predict_contributions(&matrix, method, false);
        let mut reasons: Vec<(Input, f64)> = self.inputs.iter().map(|input| input.whole()).zip(added).collect();
        let share = self.share_of_warnings();
        reasons.iter_mut().for_each(|(_, adds)| *adds *= 1.0 - share);
        let heard = share * (prior.warned[0] - logit(prior.pooled[0]));
        match reasons.iter_mut().find(|(input, _)| *input == Input::Warned) {
            Some((_, adds)) => *adds += heard,
            None => reasons.push((Input::Warned, heard)),
        }
        reasons.sort_by(|a, b| b.1.total_cmp(&a.1));
        reasons
    }

    /// How much of what is said, in log odds, is the warnings' own word.
    fn share_of_warnings(&self) -> f64 {
        if self.warnings.is_empty() { 0.0 } else { 0.5 }
    }

    fn prior(&self, frame: &Frame, hazards: &Hazards, rows: &[usize]) -> Prior {
        self.after_warnings(frame, pooled(frame, hazards, rows, self.horizon), rows)
    }

    fn after_warnings(&self, frame: &Frame, pooled: Vec<f64>, rows: &[usize]) -> Prior {
        let warned = self.warnings.log_odds(frame, &pooled, rows, self.horizon);
        Prior { pooled, warned }
    }

    /// Column after column.
    fn data(&self, frame: &Frame, prior: &Prior, rows: &[usize]) -> Vec<f64> {
        self.inputs.iter().flat_map(|input| self.values(*input, frame, prior, rows)).collect()
    }

    fn values(&self, input: Input, frame: &Frame, prior: &Prior, rows: &[usize]) -> Vec<f64> {
        match input {
            Input::Column(column) => rows.iter().map(|row| frame.value(*row, column)).collect(),
            Input::Seldom(column) => rows.iter().map(|row| seldom(frame.value(*row, column))).collect(),
            Input::Pooled => prior.pooled.clone(),
            Input::Warned => prior.warned.clone(),
            Input::Sort => {
                let place = |group: &Group| {
                    let sort = group.sort();
                    self.sorts.iter().position(|known| *known == sort).map_or(f64::NAN, |place| place as f64)
                };
                let places: Vec<f64> = frame.groups().iter().map(place).collect();
                rows.iter().map(|row| places[frame.row(*row).group as usize]).collect()
            }
        }
    }
}

impl Input {
    /// As people read it: with or without its noughts, a column is one reason.
    const fn whole(self) -> Self {
        match self {
            Self::Seldom(column) => Self::Column(column),
            _ => self,
        }
    }
}

/// A column, or what is left of it where most rows have 0.
fn spread(input: Input, mut values: Vec<f64>) -> (Input, Vec<f64>) {
    match input {
        Input::Column(column) if is_mostly_nought(&values) && has_more_values_than(BINS.into(), &values) => {
            values.iter_mut().for_each(|value| *value = seldom(*value));
            (Input::Seldom(column), values)
        }
        _ => (input, values),
    }
}

fn is_mostly_nought(values: &[f64]) -> bool {
    values.iter().filter(|value| **value == 0.0).count() * 2 > values.len()
}

fn has_more_values_than(most: usize, values: &[f64]) -> bool {
    let mut seen = BTreeSet::new();
    values.iter().any(|value| !value.is_nan() && seen.insert(value.to_bits()) && seen.len() > most)
}

fn seldom(value: f64) -> f64 {
    if value == 0.0 { f64::NAN } else { value }
}

fn inputs() -> Vec<Input> {
    let columns =
        Column::ALL.into_iter().filter(|column| !LEFT_TO_THE_HAZARD.contains(column) && !warnings::hears(*column));
    columns.map(Input::Column).chain([Input::Pooled, Input::Warned, Input::Sort]).collect()
}

/// What the pooled voice says of each row; 0 of a sort of which it knows nothing.
pub fn pooled(frame: &Frame, hazards: &Hazards, rows: &[usize], horizon: Horizon) -> Vec<f64> {
    let known: Vec<_> = frame.groups().iter().map(|group| hazards.known(group)).collect();
    let (age, pace) = (frame.column(Column::PartAge), frame.column(Column::PartPacePerDay));
    let says = |row: &usize| {
        let known = known[frame.row(*row).group as usize];
        known.map_or(0.0, |known| known.probability(age[*row], pace[*row], horizon.days()))
    };
    rows.iter().map(says).collect()
}

fn booster(seed: u64) -> GradientBooster {
    GradientBooster::default()
        .set_iterations(ITERATIONS_MAX)
        .set_early_stopping_rounds(Some(PATIENCE))
        .set_evaluation_metric(Some(Metric::LogLoss))
        .set_learning_rate(LEARNING_RATE)
        .set_colsample_bytree(COLUMNS_SHARE)
        .set_max_depth(MAX_DEPTH)
        .set_l2(L2)
        .set_min_leaf_weight(MIN_LEAF_WEIGHT)
        .set_nbins(BINS)
        .set_seed(seed)
}

fn outcomes(frame: &Frame, told: &Decided) -> (Vec<f64>, Vec<f64>) {
    let outcome = told.failed.iter().map(|failed| f64::from(u8::from(*failed)));
    (outcome.collect(), told.rows.iter().map(|row| frame.row(*row).weight).collect())
}

fn varies(values: &[f64]) -> bool {
    let mut known = values.iter().filter(|value| !value.is_nan());
    known.next().is_some_and(|first| known.any(|value| value != first))
}

fn by_rate(frame: &Frame, told: &Decided) -> Vec<PartSort> {
    let mut seen: std::collections::BTreeMap<PartSort, (f64, f64)> = std::collections::BTreeMap::new();
    for (row, failed) in told.rows.iter().zip(&told.failed) {
        let (bad, all) = seen.entry(frame.group(*row).sort()).or_default();
        let weight = frame.row(*row).weight;
        *all += weight;
        *bad += if *failed { weight } else { 0.0 };
    }
    let mut sorts: Vec<(PartSort, f64)> = seen.into_iter().map(|(sort, (bad, all))| (sort, bad / all)).collect();
    sorts.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    sorts.into_iter().map(|(sort, _)| sort).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_columns_of_more_values_than_bins_are_given_without_their_noughts() {
        let of = |values: i32| (0..1_000).map(move |row| if row % 3 == 0 { f64::from(row % values) } else { 0.0 });
        let given = |values: Vec<f64>| spread(Input::Column(Column::DownHours30d), values);
        let (few, many) = (given(of(2).collect()), given(of(1_000).collect()));
        assert_eq!(few, (Input::Column(Column::DownHours30d), of(2).collect()));
        assert_eq!(many.0, Input::Seldom(Column::DownHours30d));
        assert!(many.1.iter().zip(of(1_000)).all(|(given, had)| given.is_nan() == (had == 0.0)));
        let dense: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert_eq!(given(dense.clone()), (Input::Column(Column::DownHours30d), dense));
    }
}
