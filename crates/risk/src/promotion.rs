//! Promotion: the gate is asked for every sort of part, on a slice of the past that nobody learned from and no report uses.

use std::collections::BTreeMap;

use medfleet_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::figures::{Figures, Judged, brier, pr_auc};
use crate::frame::{Decided, Frame, PartSort};
use crate::gate::{Decision, Demands, Past, decide};
use crate::model::Model;
use crate::split::Split;
use crate::voice::Speaker;

/// How a decision fared on the slice after the one on which it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub sort: PartSort,
    pub speaks: Speaker,
    pub rows: usize,
    /// Rows that failed within the horizon.
    pub failed_rows: usize,
    /// Of the voice that speaks.
    pub pr_auc: Option<f64>,
    pub brier: f64,
    /// Of the rules, and of always saying the rate of the sort: what the voice claims to beat.
    pub rules_pr_auc: Option<f64>,
    pub class_rate_brier: f64,
}

impl Kept {
    /// Whether the voice still beats what it claimed to beat. None where nothing failed, or where the rules speak: they claim
    /// nothing.
    pub fn holds(&self) -> Option<bool> {
        let (own, rules) = (self.pr_auc?, self.rules_pr_auc?);
        (self.speaks != Speaker::Rules).then_some(own > rules && self.brier < self.class_rate_brier)
    }
}

/// Decides for every sort of part who speaks, and leaves that with the model. Answers what everybody was worth on that slice.
pub fn promote(model: &mut Model, frame: &Frame, demands: &Demands) -> Result<Vec<(Speaker, Figures)>, Error> {
    let slice = model.split.decide;
    let told = frame.decided(Split::rows(frame, slice), model.horizon);
    if told.rows.is_empty() {
        return Err(Error::NoRows { what: "the slice on which the gate decides" });
    }
    let scored = said_by_all(model, frame, &told);
    let mut failures = onsets(frame, slice.until);
    let calibrated_days = model.calibrated_days(frame);
    let past = |(sort, places): (PartSort, Vec<usize>)| Past {
        devices: places.iter().map(|place| frame.row(told.rows[*place]).device).collect(),
        calibrated_days,
        failures: failures.remove(&sort).unwrap_or_default(),
        scored: scored.iter().map(|(speaker, all)| (*speaker, picked(all, &places))).collect(),
        sort,
    };
    let pasts: Vec<Past> = by_sort(frame, &told).into_iter().map(past).collect();
    model.decisions = pasts.iter().map(|past| decide(past, model.horizon, demands, model.seed)).collect();
    Ok(scored.iter().map(|(speaker, judged)| (*speaker, Figures::of(judged))).collect())
}

/// What became of each decision on rows that the gate has not seen.
pub fn kept(model: &Model, frame: &Frame, later: &Decided, scored: &[(Speaker, Judged)]) -> Vec<Kept> {
    let places = by_sort(frame, later);
    let kept = |decision: &Decision| {
        let places = places.get(&decision.sort)?;
        let of = |speaker: Speaker| {
            let all = scored.iter().find(|(known, _)| *known == speaker)?;
            Some(picked(&all.1, places))
        };
        let (own, rules, rate) = (of(decision.speaks)?, of(Speaker::Rules)?, of(Speaker::ClassRate)?);
        let area = |judged: &Judged| pr_auc(&judged.score, &judged.failed, &judged.weight);
        let miss = |judged: &Judged| brier(&judged.probability, &judged.failed, &judged.weight);
        Some(Kept {
            sort: decision.sort.clone(),
            speaks: decision.speaks,
            rows: places.len(),
            failed_rows: own.failed.iter().filter(|failed| **failed).count(),
            pr_auc: area(&own),
            brier: miss(&own),
            rules_pr_auc: area(&rules),
            class_rate_brier: miss(&rate),
        })
    };
    model.decisions.iter().filter_map(kept).collect()
}

/// What everybody says of these rows.
pub fn said_by_all(model: &Model, frame: &Frame, told: &Decided) -> Vec<(Speaker, Judged)> {
    let said = |speaker: Speaker| {
        let score = model.scores(speaker, frame, &told.rows);
        let probability = score.iter().map(|score| model.probability(speaker, *score)).collect();
        (speaker, judged(frame, told, score, probability))
    };
    Speaker::ALL.into_iter().map(said).collect()
}

pub fn judged(frame: &Frame, told: &Decided, score: Vec<f64>, probability: Vec<f64>) -> Judged {
    let weight = told.rows.iter().map(|row| frame.row(*row).weight).collect();
    Judged { score, probability, failed: told.failed.clone(), weight }
}

/// Places of the rows of each sort of part.
fn by_sort(frame: &Frame, told: &Decided) -> BTreeMap<PartSort, Vec<usize>> {
    let mut places: BTreeMap<PartSort, Vec<usize>> = BTreeMap::new();
    for (place, row) in told.rows.iter().enumerate() {
        places.entry(frame.group(*row).sort()).or_default().push(place);
    }
    places
}

/// Failures of each sort before an instant, each once: rows before one failure all point to the same onset.
fn onsets(frame: &Frame, before: Timestamp) -> BTreeMap<PartSort, Vec<(u32, Timestamp)>> {
    let mut onsets: BTreeMap<PartSort, Vec<(u32, Timestamp)>> = BTreeMap::new();
    for row in frame.rows() {
        let onset = row.fate.failed_after.map(|after| row.at.plus_micros(after));
        if let Some(onset) = onset.filter(|onset| *onset < before) {
            let sort = frame.groups()[row.group as usize].sort();
            onsets.entry(sort).or_default().push((row.device, onset));
        }
    }
    for known in onsets.values_mut() {
        known.sort_unstable();
        known.dedup();
    }
    onsets
}

fn picked(all: &Judged, places: &[usize]) -> Judged {
    let pick = |values: &[f64]| places.iter().map(|place| values[*place]).collect();
    Judged {
        score: pick(&all.score),
        probability: pick(&all.probability),
        failed: places.iter().map(|place| all.failed[*place]).collect(),
        weight: pick(&all.weight),
    }
}
