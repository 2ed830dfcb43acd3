//! Reads `score,probability,failed,weight` lines and prints their figures as JSON: what the oracle compares with scikit-learn.

use std::error::Error;
use std::io;

use medfleet_risk::calibration::{Isotonic, Platt};
use medfleet_risk::figures::{Figures, Judged};
use serde::Serialize;

#[derive(Serialize)]
struct Told {
    figures: Figures,
    /// Isotonic probabilities of the scores.
    isotonic: Vec<f64>,
    /// Intercept and slope of a logistic regression on the logit of the probabilities.
    platt: Option<Platt>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut judged = Judged::default();
    for line in csv::Reader::from_reader(io::stdin()).deserialize() {
        let (score, probability, failed, weight): (f64, f64, u8, f64) = line?;
        judged.score.push(score);
        judged.probability.push(probability);
        judged.failed.push(failed == 1);
        judged.weight.push(weight);
    }
    let fitted = Isotonic::fit(&judged.score, &judged.failed, &judged.weight);
    let isotonic =
        fitted.map_or(Vec::new(), |fitted| judged.score.iter().map(|score| fitted.probability(*score)).collect());
    let platt = Platt::fit(&judged.probability, &judged.failed, &judged.weight);
    serde_json::to_writer(io::stdout(), &Told { figures: Figures::of(&judged), isotonic, platt })?;
    Ok(())
}
