//! Figures of scores against what became of it: ranking, probability, and what a technician would meet.
//!
//! All take scores, outcomes and weights of equal length. They agree with scikit-learn (`tests/oracle/test_risk.py`).

mod budget;
mod probability;
mod ranking;

pub use budget::{AtBudget, at_budget};
pub use probability::{Reliability, ReliabilityBin, brier, reliability, slope};
pub use ranking::{pr_auc, pr_auc_of_order, rank, roc_auc};

use serde::{Deserialize, Serialize};

/// Scores beside what became of it. `score` ranks; `probability` is the calibrated one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    pub score: Vec<f64>,
    pub probability: Vec<f64>,
    pub failed: Vec<bool>,
    pub weight: Vec<f64>,
}

/// The figures of one voice or baseline on one set of rows. None where they are not defined: no failure, or nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub rows: usize,
    pub failures: usize,
    /// Share of rows that failed: what a blind guess gets as PR-AUC.
    pub base_rate: f64,
    pub roc_auc: Option<f64>,
    pub pr_auc: Option<f64>,
    pub brier: f64,
    /// 1 − Brier ÷ Brier of always saying the base rate.
    pub brier_skill: f64,
    /// Slope of the outcome's logit on the probability's logit; 1 is right, below 1 is too sure.
    pub slope: Option<f64>,
    pub reliability: Reliability,
}

impl Figures {
    pub fn of(judged: &Judged) -> Self {
        let Judged { score, probability, failed, weight } = judged;
        let total: f64 = weight.iter().sum();
        let bad: f64 = weight.iter().zip(failed).filter(|(_, failed)| **failed).map(|(weight, _)| weight).sum();
        let base_rate = if total > 0.0 { bad / total } else { 0.0 };
        let brier = brier(probability, failed, weight);
        let blind = base_rate * (1.0 - base_rate);
        Self {
            rows: failed.len(),
            failures: failed.iter().filter(|failed| **failed).count(),
            base_rate,
            roc_auc: roc_auc(score, failed, weight),
            pr_auc: pr_auc(score, failed, weight),
            brier,
            brier_skill: if blind > 0.0 { 1.0 - brier / blind } else { 0.0 },
            slope: slope(probability, failed, weight),
            reliability: reliability(probability, failed, weight),
        }
    }
}
