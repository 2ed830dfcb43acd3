//! Ranking: how well a score sorts what fails before what does not. Equal scores share a threshold.

/// Rows by falling score.
pub fn rank(score: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|a, b| score[*b].total_cmp(&score[*a]));
    order
}

/// Sums of weights above and at each threshold: (failed, survived), cumulative, thresholds falling.
fn steps(score: &[f64], failed: &[bool], weight: &[f64], order: &[usize]) -> Vec<(f64, f64)> {
    let mut steps: Vec<(f64, f64)> = Vec::new();
    let (mut bad, mut good) = (0.0, 0.0);
    for (place, &row) in order.iter().enumerate() {
        if failed[row] {
            bad += weight[row];
        } else {
            good += weight[row];
        }
        let last_of_its_score = order.get(place + 1).is_none_or(|next| score[*next] != score[row]);
        if last_of_its_score {
            steps.push((bad, good));
        }
    }
    steps
}

/// Chance that a row that failed scores above one that did not; a tie counts one half.
pub fn roc_auc(score: &[f64], failed: &[bool], weight: &[f64]) -> Option<f64> {
    let steps = steps(score, failed, weight, &rank(score));
    let &(bad, good) = steps.last()?;
    if bad <= 0.0 || good <= 0.0 {
        return None;
    }
    let (mut area, mut before) = (0.0, (0.0, 0.0));
    for step in steps {
        area += (step.1 - before.1) * (step.0 + before.0) / 2.0;
        before = step;
    }
    Some(area / (bad * good))
}

/// Average precision: precision at each threshold, weighted by the recall it adds.
pub fn pr_auc(score: &[f64], failed: &[bool], weight: &[f64]) -> Option<f64> {
    pr_auc_of_order(score, failed, weight, &rank(score))
}

/// The same, of rows already ranked: a bootstrap changes weights and never the order.
pub fn pr_auc_of_order(score: &[f64], failed: &[bool], weight: &[f64], order: &[usize]) -> Option<f64> {
    let steps = steps(score, failed, weight, order);
    let bad = steps.last()?.0;
    if bad <= 0.0 {
        return None;
    }
    let (mut area, mut before) = (0.0, 0.0);
    for (hit, missed) in steps {
        if hit > before {
            area += (hit - before) * hit / (hit + missed);
        }
        before = hit;
    }
    Some(area / bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_a_reversed_and_a_blind_score() {
        let failed = [false, false, true, true];
        let even = [1.0; 4];
        assert_eq!(roc_auc(&[0.1, 0.2, 0.8, 0.9], &failed, &even), Some(1.0));
        assert_eq!(roc_auc(&[0.9, 0.8, 0.2, 0.1], &failed, &even), Some(0.0));
        assert_eq!(roc_auc(&[0.5; 4], &failed, &even), Some(0.5));
        assert_eq!(pr_auc(&[0.5; 4], &failed, &even), Some(0.5));
        assert_eq!(pr_auc(&[0.1, 0.2, 0.8, 0.9], &failed, &even), Some(1.0));
        assert_eq!(roc_auc(&[0.5; 2], &[true, true], &even[..2]), None);
    }

    #[test]
    fn a_weight_of_two_is_the_row_twice() {
        let (once, twice) = ([0.3, 0.7, 0.5], [0.3, 0.7, 0.7, 0.5]);
        let failed = [true, false, true];
        let told = [true, false, false, true];
        assert_eq!(roc_auc(&once, &failed, &[1.0, 2.0, 1.0]), roc_auc(&twice, &told, &[1.0; 4]));
        assert_eq!(pr_auc(&once, &failed, &[1.0, 2.0, 1.0]), pr_auc(&twice, &told, &[1.0; 4]));
    }
}
