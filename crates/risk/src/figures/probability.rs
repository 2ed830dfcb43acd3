//! Probability: whether what is said to happen in one case of ten happens in one of ten.

use serde::{Deserialize, Serialize};

use crate::calibration::Platt;

const BINS: usize = 10;

/// Mean squared distance between what was said and what happened.
pub fn brier(probability: &[f64], failed: &[bool], weight: &[f64]) -> f64 {
    let total: f64 = weight.iter().sum();
    let miss = |((said, failed), weight): ((&f64, &bool), &f64)| weight * (said - f64::from(u8::from(*failed))).powi(2);
    let sum: f64 = probability.iter().zip(failed).zip(weight).map(miss).sum();
    if total > 0.0 { sum / total } else { 0.0 }
}

/// Slope of a logistic regression of the outcome on the logit of what was said. None without both outcomes.
pub fn slope(probability: &[f64], failed: &[bool], weight: &[f64]) -> Option<f64> {
    Platt::fit(probability, failed, weight).map(|fitted| fitted.slope)
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    pub said: f64,
    pub happened: f64,
    /// Share of all weight that lies in the bin.
    pub share: f64,
}

/// What was said against what happened, in bins of equal weight, lowest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    pub bins: Vec<ReliabilityBin>,
    /// Expected calibration error: mean distance of the bins, by weight.
    pub error: f64,
}

pub fn reliability(probability: &[f64], failed: &[bool], weight: &[f64]) -> Reliability {
    let mut order: Vec<usize> = (0..probability.len()).collect();
    order.sort_by(|a, b| probability[*a].total_cmp(&probability[*b]));
    let total: f64 = weight.iter().sum();
    let mut bins = Vec::new();
    let (mut open, mut passed) = ((0.0, 0.0, 0.0), 0.0);
    for (place, &row) in order.iter().enumerate() {
        let hit = if failed[row] { weight[row] } else { 0.0 };
        open = (open.0 + weight[row], open.1 + weight[row] * probability[row], open.2 + hit);
        let full = passed + open.0 >= total * (bins.len() + 1) as f64 / BINS as f64;
        // What was said with one word stays in one bin.
        let splits = order.get(place + 1).is_none_or(|next| probability[*next] != probability[row]);
        let last = place + 1 == order.len();
        if (full && splits || last) && open.0 > 0.0 {
            passed += open.0;
            bins.push(ReliabilityBin { said: open.1 / open.0, happened: open.2 / open.0, share: open.0 / total });
            open = (0.0, 0.0, 0.0);
        }
    }
    let error = bins.iter().map(|bin: &ReliabilityBin| bin.share * (bin.said - bin.happened).abs()).sum();
    Reliability { bins, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_three_tenths_and_is_right_three_times_in_ten_has_no_error() {
        let failed: Vec<bool> = (0..1000).map(|n| n % 10 < 3).collect();
        let (said, even) = (vec![0.3; 1000], vec![1.0; 1000]);
        let seen = reliability(&said, &failed, &even);
        assert!((seen.bins.len(), seen.error < 1e-12) == (1, true), "{seen:?}");
        assert!((brier(&said, &failed, &even) - 0.21).abs() < 1e-12);
        assert!(reliability(&vec![0.6; 1000], &failed, &even).error > 0.29);
    }
}
