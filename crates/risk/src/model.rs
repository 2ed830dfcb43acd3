//! A model: the three voices and the baselines for one horizon, calibrated, with what the gate decided. Made from a frame
//! and a seed alone, so that the log can make it again.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::calibration::Calibration;
use crate::column::Column;
use crate::frame::{Decided, Frame, PartSort};
use crate::gate::Decision;
use crate::horizon::Horizon;
use crate::split::Split;
use crate::voice::Speaker;
use crate::voice::hazard::{Hazards, PartLife};
use crate::voice::rules::Rules;
use crate::voice::trees::{Grown, Trees, pooled};

/// Everything a model is made from.
pub struct Lesson<'a> {
    pub frame: &'a Frame,
    /// Lives as known at the end of the training slice.
    pub lives: &'a [PartLife],
    pub rules: Rules,
    pub split: Split,
    pub horizon: Horizon,
    pub seed: u64,
}

#[derive(Serialize, Deserialize)]
pub struct Model {
    pub horizon: Horizon,
    pub seed: u64,
    pub split: Split,
    pub rules: Rules,
    pub hazards: Hazards,
    pub trees: Trees,
    /// Share of rows of a sort that failed, in the training slice.
    rates: Vec<(PartSort, f64)>,
    calibrations: BTreeMap<Speaker, Calibration>,
    /// What the gate decided on its slice of this model's past. Empty until it was asked: then only rules speak.
    pub decisions: Vec<Decision>,
}

impl Model {
    pub fn train(lesson: Lesson<'_>) -> Result<Self, Error> {
        let Lesson { frame, lives, rules, split, horizon, seed } = lesson;
        let told = learned(frame, split.train, horizon, "the training slice")?;
        let later = learned(frame, split.calibrate, horizon, "the calibration slice")?;
        let hazards = Hazards::fit(frame.groups(), lives);
        let trees = Trees::grow(&Grown { frame, hazards: &hazards, told: &told, later: &later, horizon, seed })?;
        let rates = rates(frame, &told);
        let mut model = Self {
            horizon,
            seed,
            split,
            rules,
            hazards,
            trees,
            rates,
            calibrations: BTreeMap::new(),
            decisions: Vec::new(),
        };
        let weight: Vec<f64> = later.rows.iter().map(|row| frame.row(*row).weight).collect();
        for speaker in Speaker::ALL {
            let scores = model.scores(speaker, frame, &later.rows);
            let fitted = Calibration::fit(&scores, &later.failed, &weight, speaker.says_probabilities());
            model.calibrations.insert(speaker, fitted);
        }
        Ok(model)
    }

    /// Instants on which scores were calibrated: midnights, of a long past not all.
    pub fn calibrated_days(&self, frame: &Frame) -> usize {
        let days: BTreeSet<Timestamp> = Split::rows(frame, self.split.calibrate).map(|row| frame.row(row).at).collect();
        days.len()
    }

    /// What ranks rows for this speaker.
    pub fn scores(&self, speaker: Speaker, frame: &Frame, rows: &[usize]) -> Vec<f64> {
        // A query that knows nothing gives NaN; to a ranking that is "nothing seen".
        let column = |column: Column| rows.iter().map(|row| frame.value(*row, column).max(0.0)).collect();
        match speaker {
            Speaker::ClassRate => {
                let rate =
                    |sort: PartSort| self.rates.iter().find(|(known, _)| *known == sort).map_or(0.0, |known| known.1);
                let by_group: Vec<f64> = frame.groups().iter().map(|group| rate(group.sort())).collect();
                rows.iter().map(|row| by_group[frame.row(*row).group as usize]).collect()
            }
            Speaker::DeviceAge => column(Column::DeviceAgeDays),
            Speaker::Alarms24h => column(Column::AllErrors1d),
            Speaker::Alarms7d => column(Column::AllErrors7d),
            Speaker::Rules => rows.iter().map(|row| self.rules.score(frame, *row)).collect(),
            Speaker::Hazard => pooled(frame, &self.hazards, rows, self.horizon),
            Speaker::Trees => self.trees.probabilities(frame, &self.hazards, rows),
        }
    }

    /// The calibrated probability of a score of this speaker.
    pub fn probability(&self, speaker: Speaker, score: f64) -> f64 {
        self.calibrations.get(&speaker).map_or(0.0, |fitted| fitted.probability(score))
    }

    /// What the voice that may speak for each row's sort says: the probability that counts.
    pub fn heard(&self, frame: &Frame, rows: &[usize]) -> Vec<f64> {
        let by_group: Vec<Speaker> = frame.groups().iter().map(|group| self.speaker(&group.sort())).collect();
        let mut heard = vec![0.0; rows.len()];
        for voice in Speaker::VOICES {
            let own: Vec<usize> =
                (0..rows.len()).filter(|place| by_group[frame.row(rows[*place]).group as usize] == voice).collect();
            let asked: Vec<usize> = own.iter().map(|place| rows[*place]).collect();
            for (place, score) in own.into_iter().zip(self.scores(voice, frame, &asked)) {
                heard[place] = self.probability(voice, score);
            }
        }
        heard
    }

    /// Who speaks for a sort of part: the rules, unless the gate has decided otherwise.
    pub fn speaker(&self, sort: &PartSort) -> Speaker {
        self.decisions.iter().find(|decision| decision.sort == *sort).map_or(Speaker::Rules, |decision| decision.speaks)
    }

    /// All sorts of parts of which it can speak.
    pub fn sorts(&self) -> impl Iterator<Item = &PartSort> {
        self.rates.iter().map(|(sort, _)| sort)
    }

    /// The words of a model file.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(Error::ModelUnreadable)
    }

    pub fn from_json(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(Error::ModelUnreadable)
    }

    /// The name of this very model: a hash of all it is.
    pub fn version(&self) -> Result<String, Error> {
        Ok(Self::name_of(&self.to_json()?))
    }

    /// The name of the model with these words.
    pub fn name_of(words: &str) -> String {
        format!("{:016x}", twox_hash::XxHash3_64::oneshot(words.as_bytes()))
    }
}

fn learned(frame: &Frame, slice: Span, horizon: Horizon, name: &'static str) -> Result<Decided, Error> {
    let told = frame.decided(Split::rows(frame, slice), horizon);
    match (told.rows.len(), told.failures()) {
        (0, _) => Err(Error::NoRows { what: name }),
        (rows, failures) if failures == 0 || failures == rows => Err(Error::OneSided { slice: name, failures }),
        _ => Ok(told),
    }
}

fn rates(frame: &Frame, told: &Decided) -> Vec<(PartSort, f64)> {
    let mut seen: BTreeMap<PartSort, (f64, f64)> = BTreeMap::new();
    let mut by_group = vec![(0.0, 0.0); frame.groups().len()];
    for (row, failed) in told.rows.iter().zip(&told.failed) {
        let row = frame.row(*row);
        let (bad, all) = &mut by_group[row.group as usize];
        *all += row.weight;
        *bad += if *failed { row.weight } else { 0.0 };
    }
    for (group, (bad, all)) in frame.groups().iter().zip(by_group) {
        let sum = seen.entry(group.sort()).or_default();
        *sum = (sum.0 + bad, sum.1 + all);
    }
    seen.into_iter().filter(|(_, (_, all))| *all > 0.0).map(|(sort, (bad, all))| (sort, bad / all)).collect()
}
