//! What the bench writes down: rows to learn from and rows that were judged, as little-endian doubles, and what all said of them.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_risk::column::Column;
use medfleet_risk::figures::Judged;
use medfleet_risk::frame::{Decided, Frame};
use medfleet_risk::gate::{Decision, Demands, Past, decide};
use medfleet_risk::model::Model;
use medfleet_risk::split::Split;
use medfleet_risk::voice::Speaker;
use medfleet_scorer::gather::Gatherer;
use medfleet_simulator::catalogue::Failure;
use medfleet_simulator::plan::Plan;
use serde_json::json;

use crate::oracle;

pub struct Told<'a> {
    pub plan: &'a Plan,
    pub gatherer: &'a Gatherer,
    pub frame: &'a Frame,
    pub model: &'a Model,
    pub days: i64,
}

impl Told<'_> {
    pub fn write(&self, out: &Path) -> Result<()> {
        let learned = self.frame.decided(Split::rows(self.frame, self.model.split.train), self.model.horizon);
        let later = self.frame.decided(Split::rows(self.frame, self.model.split.calibrate), self.model.horizon);
        let slice = self.model.split.judge.context("the model was split for use: split it for a backtest")?;
        let judged = self.frame.decided(Split::rows(self.frame, slice), self.model.horizon);
        self.rows(&learned, &out.join("learned.f64"))?;
        self.rows(&later, &out.join("later.f64"))?;
        self.rows(&judged, &out.join("judged.f64"))?;
        let oracle = self.oracle(&judged)?;
        let began = Instant::now();
        let trees = self.model.scores(Speaker::Trees, self.frame, &judged.rows);
        let seconds = began.elapsed().as_secs_f64();
        let read = Model::from_json(&self.model.to_json()?)?;
        let again = read.scores(Speaker::Trees, self.frame, &judged.rows);
        let worst = trees.iter().zip(&again).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
        let rules = self.model.scores(Speaker::Rules, self.frame, &judged.rows);
        let hazard = self.model.scores(Speaker::Hazard, self.frame, &judged.rows);
        let said = [&oracle, &trees, &hazard, &rules];
        doubles(&out.join("said.f64"), judged.rows.len(), |row, line| line.extend(said.map(|scores| scores[row])))?;
        let summary = json!({
            "columns": Column::ALL.map(Column::as_str).to_vec(),
            "inputs": ["pooled", "sort"],
            "learned_rows": learned.rows.len(),
            "judged_rows": judged.rows.len(),
            "devices": self.plan.devices.len(),
            "scored_rows_per_second": judged.rows.len() as f64 / seconds,
            "reloaded_model_differs_by": worst,
            "sorts": self.sorts(),
            "fifty_failures_of_one_device": self.of_one_device(),
        });
        std::fs::write(out.join("summary.json"), serde_json::to_vec_pretty(&summary)?)?;
        Ok(())
    }

    /// What the gate says where all failures of a sort are those of one device, whatever the trees see.
    fn of_one_device(&self) -> Option<Decision> {
        let sort = self.model.sorts().next()?.clone();
        let failed: Vec<bool> = (0..500).map(|row| row % 10 == 0).collect();
        let seen = failed.iter().map(|failed| if *failed { 0.9 } else { 0.1 }).collect();
        let judged = |score: Vec<f64>| {
            let weight = vec![1.0; failed.len()];
            Judged { probability: score.clone(), score, failed: failed.clone(), weight }
        };
        let past = Past {
            sort,
            calibrated_days: Demands::default().calibrated_days_min,
            devices: vec![7; failed.len()],
            failures: (0..50).map(|nth| (7, Timestamp(nth))).collect(),
            scored: vec![(Speaker::Rules, judged(vec![0.1; failed.len()])), (Speaker::Trees, judged(seen))],
        };
        Some(decide(&past, self.model.horizon, &Demands::default(), self.model.seed))
    }

    /// Device, day, sort, outcome, weight, what the pooled voice says, and all columns.
    fn rows(&self, told: &Decided, path: &Path) -> Result<()> {
        let pooled = self.model.scores(Speaker::Hazard, self.frame, &told.rows);
        doubles(path, told.rows.len(), |place, line| {
            let row = told.rows[place];
            let key = self.frame.row(row);
            let sort = self.sort(row);
            let day = key.at.micros() / MICROS_PER_DAY;
            line.extend([
                f64::from(key.device),
                day as f64,
                sort as f64,
                f64::from(u8::from(told.failed[place])),
                key.weight,
            ]);
            line.push(pooled[place]);
            line.extend(Column::ALL.map(|column| self.frame.value(row, column)));
        })
    }

    fn sort(&self, row: usize) -> usize {
        let sort = self.frame.group(row).sort();
        self.frame.groups().iter().position(|group| group.sort() == sort).unwrap_or_default()
    }

    /// Every sort by the number it has in the rows, and whether its law has any memory or precursor.
    fn sorts(&self) -> serde_json::Value {
        let of = |(number, group): (usize, &medfleet_risk::frame::Group)| {
            let kinds = self.plan.devices.iter().map(|device| &device.kind);
            let component = kinds
                .filter(|kind| kind.kind == group.kind)
                .find_map(|kind| kind.components.iter().find(|component| component.name == *group.component));
            let memoryless = component.is_some_and(|component| {
                component.precursor.is_none() && matches!(component.failure, Failure::Exponential { .. })
            });
            json!({ "number": number, "kind": group.kind.as_str(), "component": &*group.component, "memoryless": memoryless })
        };
        self.frame.groups().iter().enumerate().map(of).collect()
    }

    /// The oracle's word on every judged row.
    fn oracle(&self, judged: &Decided) -> Result<Vec<f64>> {
        let mut said = vec![0.0; judged.rows.len()];
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); self.plan.devices.len()];
        for (place, row) in judged.rows.iter().enumerate() {
            places[self.frame.row(*row).device as usize].push(place);
        }
        let names: Vec<_> = self.gatherer.devices().map(|(name, _)| name.clone()).collect();
        for device in &self.plan.devices {
            let Ok(number) = names.binary_search(&device.id) else { continue };
            if places[number].is_empty() {
                continue;
            }
            let heard = oracle::listen(self.plan, device, self.days, self.model.horizon.days());
            for place in &places[number] {
                let row = judged.rows[*place];
                let day = (self.frame.row(row).at.micros() - self.plan.start.micros()) / MICROS_PER_DAY;
                let component = &self.frame.group(row).component;
                let index = device.kind.components.iter().position(|one| one.name == **component);
                said[*place] = index.map_or(0.0, |index| heard.by_day[day as usize - 1][index]);
            }
        }
        Ok(said)
    }
}

fn doubles(path: &Path, rows: usize, fill: impl Fn(usize, &mut Vec<f64>)) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut line = Vec::new();
    for row in 0..rows {
        line.clear();
        fill(row, &mut line);
        for value in &line {
            file.write_all(&value.to_le_bytes())?;
        }
    }
    file.flush()?;
    Ok(())
}
