//! The backtest: every voice beside every baseline on a past that none of them learned from, by part, by device and day, and as
//! a service desk would have met it. Its result is data; pages and files are made from it.

use std::collections::BTreeMap;

use medfleet_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fate::Failure;
use crate::figures::{AtBudget, Figures, Judged, at_budget};
use crate::frame::{Decided, Frame, PartSort};
use crate::gate::{Decision, Demands, Past, decide};
use crate::horizon::Horizon;
use crate::model::Model;
use crate::sipos::{self, DeviceDays, EventCurve, Events};
use crate::split::Split;
use crate::voice::Speaker;

/// Share of device-days that may alert: about one alert per device and three months.
pub const BUDGET_SHARE: f64 = 0.01;

/// One speaker's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spoken {
    pub speaker: Speaker,
    /// One row: one part of one device on one day.
    pub parts: Figures,
    /// One row: one device on one day; it fails if any of its parts does.
    pub device_days: Figures,
    pub at_budget: Option<AtBudget>,
    /// At the threshold of the budget.
    pub events: Option<Events>,
    pub curve: EventCurve,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backtest {
    pub model: String,
    pub horizon: Horizon,
    pub split: Split,
    pub devices: usize,
    /// Simplest first.
    pub spoken: Vec<Spoken>,
    pub decisions: Vec<Decision>,
}

/// What happened to the devices, for the event figures: by device number, in order of onset.
pub type DeviceFailures = BTreeMap<u32, Vec<Failure>>;

/// Judges a model on its last slice, and lets the gate decide.
pub fn judge(
    model: &mut Model,
    frame: &Frame,
    failures: &DeviceFailures,
    demands: &Demands,
) -> Result<Backtest, crate::Error> {
    let judged = frame.decided(Split::rows(frame, model.split.judge), model.horizon);
    if judged.rows.is_empty() {
        return Err(crate::Error::NoRows { what: "the slice for judging" });
    }
    let scored: Vec<(Speaker, Judged)> =
        Speaker::ALL.into_iter().map(|speaker| (speaker, said(model, speaker, frame, &judged))).collect();
    let days = DeviceDayRows::of(frame, &judged);
    let spoken = scored.iter().map(|(speaker, parts)| {
        let device_days = days.fold(parts);
        let budget = at_budget(&device_days.score, &device_days.failed, &device_days.weight, BUDGET_SHARE);
        let desk = days.desk(&device_days.score, failures, model);
        Spoken {
            speaker: *speaker,
            parts: Figures::of(parts),
            device_days: Figures::of(&device_days),
            at_budget: budget,
            events: budget.map(|budget| sipos::judge(&desk, budget.threshold)),
            curve: sipos::curve(&desk),
        }
    });
    let spoken = spoken.collect();
    model.decisions =
        pasts(frame, &judged, &scored).iter().map(|past| decide(past, model.horizon, demands, model.seed)).collect();
    Ok(Backtest {
        model: model.version()?,
        horizon: model.horizon,
        split: model.split,
        devices: days.devices(),
        spoken,
        decisions: model.decisions.clone(),
    })
}

fn said(model: &Model, speaker: Speaker, frame: &Frame, judged: &Decided) -> Judged {
    let score = model.scores(speaker, frame, &judged.rows);
    Judged {
        probability: score.iter().map(|score| model.probability(speaker, *score)).collect(),
        score,
        failed: judged.failed.clone(),
        weight: judged.rows.iter().map(|row| frame.row(*row).weight).collect(),
    }
}

/// Which judged rows make one device on one day.
struct DeviceDayRows {
    keys: Vec<(u32, Timestamp)>,
    /// Places in the judged rows.
    rows: Vec<Vec<usize>>,
}

impl DeviceDayRows {
    fn of(frame: &Frame, judged: &Decided) -> Self {
        let mut days: BTreeMap<(u32, Timestamp), Vec<usize>> = BTreeMap::new();
        for (place, row) in judged.rows.iter().enumerate() {
            let row = frame.row(*row);
            days.entry((row.device, row.at)).or_default().push(place);
        }
        let (keys, rows) = days.into_iter().unzip();
        Self { keys, rows }
    }

    fn devices(&self) -> usize {
        let mut devices: Vec<u32> = self.keys.iter().map(|(device, _)| *device).collect();
        devices.dedup();
        devices.len()
    }

    /// A device fails if any part does: 1 − the chance that none does. Its rank is the same figure, so that parts add up.
    fn fold(&self, parts: &Judged) -> Judged {
        let mut folded = Judged::default();
        for rows in &self.rows {
            let none: f64 = rows.iter().map(|place| 1.0 - parts.probability[*place]).product();
            folded.score.push(1.0 - none);
            folded.probability.push(1.0 - none);
            folded.failed.push(rows.iter().any(|place| parts.failed[*place]));
            folded.weight.push(rows.iter().map(|place| parts.weight[*place]).fold(0.0, f64::max));
        }
        folded
    }

    fn desk(&self, score: &[f64], failures: &DeviceFailures, model: &Model) -> Vec<DeviceDays> {
        let mut desk: BTreeMap<u32, DeviceDays> = BTreeMap::new();
        for ((device, at), score) in self.keys.iter().zip(score) {
            desk.entry(*device).or_default().scores.push((*at, *score));
        }
        for (device, days) in &mut desk {
            let of_device = failures.get(device).into_iter().flatten();
            days.failures = of_device.filter(|failure| model.split.judge.contains(failure.onset)).copied().collect();
        }
        desk.into_values().collect()
    }
}

/// The judged rows of each sort of part.
fn pasts(frame: &Frame, judged: &Decided, scored: &[(Speaker, Judged)]) -> Vec<Past> {
    let mut places: BTreeMap<PartSort, Vec<usize>> = BTreeMap::new();
    for (place, row) in judged.rows.iter().enumerate() {
        places.entry(frame.group(*row).sort()).or_default().push(place);
    }
    let mut failures = onsets(frame);
    let past = |(sort, places): (PartSort, Vec<usize>)| Past {
        devices: places.iter().map(|place| frame.row(judged.rows[*place]).device).collect(),
        failures: failures.remove(&sort).unwrap_or_default(),
        scored: scored.iter().map(|(speaker, all)| (*speaker, picked(all, &places))).collect(),
        sort,
    };
    places.into_iter().map(past).collect()
}

/// Failures of each sort over the whole frame, each once: rows before one failure all point to the same onset.
fn onsets(frame: &Frame) -> BTreeMap<PartSort, Vec<(u32, Timestamp)>> {
    let mut onsets: BTreeMap<PartSort, Vec<(u32, Timestamp)>> = BTreeMap::new();
    for row in frame.rows() {
        if let Some(after) = row.fate.failed_after {
            let sort = frame.groups()[row.group as usize].sort();
            onsets.entry(sort).or_default().push((row.device, row.at.plus_micros(after)));
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
