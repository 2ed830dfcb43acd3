//! What a technician meets: of the alerts that the budget allows, how many were right, and how many failures they met.

use serde::{Deserialize, Serialize};

use super::ranking::rank;

/// Precision and recall when only the highest scores alert, as many as the budget allows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtBudget {
    /// Share of all rows that may alert.
    pub share: f64,
    /// The lowest score that still alerts.
    pub threshold: f64,
    pub precision: f64,
    pub recall: f64,
}

/// None where nothing failed or the budget allows nothing.
pub fn at_budget(score: &[f64], failed: &[bool], weight: &[f64], share: f64) -> Option<AtBudget> {
    let total: f64 = weight.iter().sum();
    let all: f64 = weight.iter().zip(failed).filter(|(_, failed)| **failed).map(|(weight, _)| weight).sum();
    let (mut spent, mut hit, mut threshold) = (0.0, 0.0, None);
    let order = rank(score);
    let mut place = 0;
    while place < order.len() {
        // Rows of equal score alert together or not at all.
        let level = score[order[place]];
        let alike = order[place..].iter().take_while(|row| score[**row] == level).count();
        let rows = &order[place..place + alike];
        let cost: f64 = rows.iter().map(|row| weight[*row]).sum();
        if spent + cost > total * share {
            break;
        }
        spent += cost;
        hit += rows.iter().filter(|row| failed[**row]).map(|row| weight[*row]).sum::<f64>();
        threshold = Some(level);
        place += alike;
    }
    let threshold = threshold.filter(|_| all > 0.0)?;
    Some(AtBudget { share, threshold, precision: hit / spent, recall: hit / all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_at_the_edge_of_the_budget_alerts_nobody() {
        let failed = [true, false, true, false];
        let met = at_budget(&[0.9, 0.5, 0.5, 0.1], &failed, &[1.0; 4], 0.5).expect("one alert fits");
        assert_eq!((met.threshold, met.precision, met.recall), (0.9, 1.0, 0.5));
        assert_eq!(at_budget(&[0.5; 4], &failed, &[1.0; 4], 0.5), None);
    }
}
