//! Calibration: from a score to a probability, fitted on a later slice than the one the voice learned from.

use serde::{Deserialize, Serialize};

/// With fewer failures than this a curve of steps fits the noise: two figures are all that can be learned.
pub const ISOTONIC_MIN_FAILURES: usize = 200;
/// Probabilities are kept this far from 0 and 1: a logit must be finite.
const EDGE: f64 = 1e-9;
const NEWTON_STEPS_MAX: usize = 50;
/// Weight of the prior that the score is right as it stands, in rows; it decides only where almost nothing failed.
const RIDGE: f64 = 1e-6;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// Every score means the same: nothing was learned but the rate.
    Rate(f64),
    Platt(Platt),
    Isotonic(Isotonic),
}

impl Calibration {
    /// Fits what the failures allow. Scores that are probabilities already may take the logit; others are steps.
    pub fn fit(score: &[f64], failed: &[bool], weight: &[f64], is_probability: bool) -> Self {
        let failures = failed.iter().filter(|failed| **failed).count();
        let steps = || Isotonic::fit(score, failed, weight).map(Self::Isotonic);
        let line = || Platt::fit(score, failed, weight).filter(|fitted| fitted.slope > 0.0).map(Self::Platt);
        let fitted = match (is_probability, failures >= ISOTONIC_MIN_FAILURES) {
            (true, _) => line(),
            (false, true) => steps(),
            (false, false) => steps().filter(|_| failures > 0),
        };
        fitted.unwrap_or_else(|| Self::Rate(rate(failed, weight)))
    }

    pub fn probability(&self, score: f64) -> f64 {
        match self {
            Self::Rate(rate) => *rate,
            Self::Platt(platt) => platt.probability(score),
            Self::Isotonic(isotonic) => isotonic.probability(score),
        }
    }
}

fn rate(failed: &[bool], weight: &[f64]) -> f64 {
    let bad: f64 = weight.iter().zip(failed).filter(|(_, failed)| **failed).map(|(weight, _)| weight).sum();
    bad / weight.iter().sum::<f64>().max(f64::MIN_POSITIVE)
}

pub fn logit(probability: f64) -> f64 {
    let inside = probability.clamp(EDGE, 1.0 - EDGE);
    (inside / (1.0 - inside)).ln()
}

pub fn logistic(value: f64) -> f64 {
    1.0 / (1.0 + (-value).exp())
}

/// Minus the logarithm of the chance that log odds give to what came: ln(1 + e^x) without overflow.
pub fn log_loss(log_odds: f64, failed: bool) -> f64 {
    let against = if failed { -log_odds } else { log_odds };
    against.max(0.0) + (-against.abs()).exp().ln_1p()
}

/// Platt's line on the logit of a probability (Platt 1999, as calibration intercept and slope).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Platt {
    pub intercept: f64,
    pub slope: f64,
}

impl Platt {
    /// Newton's method on the weighted logistic likelihood. None without both outcomes or without two scores.
    pub fn fit(probability: &[f64], failed: &[bool], weight: &[f64]) -> Option<Self> {
        let both = failed.iter().any(|failed| *failed) && failed.iter().any(|failed| !failed);
        let first = *probability.first()?;
        if !both || probability.iter().all(|said| *said == first) {
            return None;
        }
        let at: Vec<f64> = probability.iter().map(|said| logit(*said)).collect();
        let mut fitted = Self { intercept: 0.0, slope: 1.0 };
        let mut before = fitted.loss(&at, failed, weight);
        for _ in 0..NEWTON_STEPS_MAX {
            let step = fitted.newton_step(&at, failed, weight);
            let mut size = 1.0;
            let (next, loss) = loop {
                let next = Self { intercept: fitted.intercept - size * step.0, slope: fitted.slope - size * step.1 };
                let loss = next.loss(&at, failed, weight);
                if loss <= before || size < EDGE {
                    break (next, loss);
                }
                size /= 2.0;
            };
            let gained = before - loss;
            (fitted, before) = (next, loss);
            if gained.abs() <= 1e-12 * before.abs() {
                break;
            }
        }
        Some(fitted)
    }

    pub fn probability(self, score: f64) -> f64 {
        logistic(self.intercept + self.slope * logit(score))
    }

    fn loss(self, at: &[f64], failed: &[bool], weight: &[f64]) -> f64 {
        let of = |((at, failed), weight): ((&f64, &bool), &f64)| {
            weight * log_loss(self.intercept + self.slope * at, *failed)
        };
        let sum: f64 = at.iter().zip(failed).zip(weight).map(of).sum();
        sum + RIDGE * (self.intercept.powi(2) + (self.slope - 1.0).powi(2)) / 2.0
    }

    fn newton_step(self, at: &[f64], failed: &[bool], weight: &[f64]) -> (f64, f64) {
        let (mut g0, mut g1) = (RIDGE * self.intercept, RIDGE * (self.slope - 1.0));
        let (mut h00, mut h01, mut h11) = (RIDGE, 0.0, RIDGE);
        for ((at, failed), weight) in at.iter().zip(failed).zip(weight) {
            let said = logistic(self.intercept + self.slope * at);
            let miss = weight * (said - f64::from(u8::from(*failed)));
            let curve = weight * said * (1.0 - said);
            (g0, g1) = (g0 + miss, g1 + miss * at);
            (h00, h01, h11) = (h00 + curve, h01 + curve * at, h11 + curve * at * at);
        }
        let determinant = h00 * h11 - h01 * h01;
        if determinant.abs() < f64::MIN_POSITIVE {
            return (g0 / h00, 0.0);
        }
        ((h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant)
    }
}

/// The best rising curve of steps (pool adjacent violators), with straight lines between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// Scores and probabilities at the edges of the steps, rising.
    knots: Vec<(f64, f64)>,
}

/// Rows pooled into one step.
struct Step {
    from: f64,
    until: f64,
    weight: f64,
    failed: f64,
}

impl Step {
    fn mean(&self) -> f64 {
        self.failed / self.weight
    }
}

impl Isotonic {
    pub fn fit(score: &[f64], failed: &[bool], weight: &[f64]) -> Option<Self> {
        let mut order: Vec<usize> = (0..score.len()).filter(|row| weight[*row] > 0.0).collect();
        order.sort_by(|a, b| score[*a].total_cmp(&score[*b]));
        let mut steps: Vec<Step> = Vec::new();
        for row in order {
            let hit = if failed[row] { weight[row] } else { 0.0 };
            match steps.last_mut().filter(|last| last.until == score[row]) {
                Some(same) => (same.weight, same.failed) = (same.weight + weight[row], same.failed + hit),
                None => steps.push(Step { from: score[row], until: score[row], weight: weight[row], failed: hit }),
            }
        }
        let mut pooled: Vec<Step> = Vec::new();
        for mut step in steps {
            while let Some(last) = pooled.pop_if(|last| last.mean() >= step.mean()) {
                step = Step {
                    from: last.from,
                    until: step.until,
                    weight: last.weight + step.weight,
                    failed: last.failed + step.failed,
                };
            }
            pooled.push(step);
        }
        let edges = |step: &Step| {
            let ends = if step.from == step.until { vec![step.from] } else { vec![step.from, step.until] };
            let mean = step.mean();
            ends.into_iter().map(move |score| (score, mean))
        };
        let knots: Vec<(f64, f64)> = pooled.iter().flat_map(edges).collect();
        (!knots.is_empty()).then_some(Self { knots })
    }

    pub fn probability(&self, score: f64) -> f64 {
        let after = self.knots.partition_point(|(knot, _)| *knot < score);
        match (after.checked_sub(1).and_then(|before| self.knots.get(before)), self.knots.get(after)) {
            (Some(low), Some(high)) => low.1 + (high.1 - low.1) * (score - low.0) / (high.0 - low.0),
            (Some(edge), None) | (None, Some(edge)) => edge.1,
            (None, None) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_voice_that_is_twice_too_sure_is_brought_back() {
        // Says a logit of 2 where 1 is true.
        let mut rows = (Vec::new(), Vec::new());
        for (said, of_thousand) in [(logistic(2.0), 731), (logistic(-2.0), 269), (logistic(0.0), 500)] {
            rows.0.extend(std::iter::repeat_n(said, 1000));
            rows.1.extend((0..1000).map(|n| n < of_thousand));
        }
        let fitted = Platt::fit(&rows.0, &rows.1, &vec![1.0; 3000]).expect("both outcomes are there");
        assert!((fitted.slope - 0.5).abs() < 0.01 && fitted.intercept.abs() < 0.01, "{fitted:?}");
    }

    #[test]
    fn steps_that_fall_are_pooled() {
        let fitted = Isotonic::fit(&[1.0, 2.0, 3.0, 4.0], &[false, true, false, true], &[1.0; 4]).expect("rows");
        assert_eq!(fitted.knots, [(1.0, 0.0), (2.0, 0.5), (3.0, 0.5), (4.0, 1.0)]);
        assert_eq!(fitted.probability(3.5), 0.75);
        assert_eq!((fitted.probability(-9.0), fitted.probability(9.0)), (0.0, 1.0));
    }

    proptest! {
        #[test]
        fn calibration_never_turns_two_scores_around(
            rows in prop::collection::vec((0.0..1.0_f64, any::<bool>()), 2..80),
            probes in prop::collection::vec(-0.5..1.5_f64, 2),
            is_probability in any::<bool>(),
        ) {
            let (score, failed): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
            let fitted = Calibration::fit(&score, &failed, &vec![1.0; score.len()], is_probability);
            let (low, high) = (probes[0].min(probes[1]), probes[0].max(probes[1]));
            let (low, high) = (fitted.probability(low), fitted.probability(high));
            prop_assert!(low <= high + 1e-12 && (0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
        }
    }
}
