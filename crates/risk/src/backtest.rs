//! The backtest: every voice beside every baseline on a past that none of them learned from, by part, by device and day, and as
//! a service desk would have met it. Its result is data; pages and files are made from it.

use std::collections::BTreeMap;

use medfleet_domain::time::{MICROS_PER_DAY, Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fate::Failure;
use crate::figures::{AtBudget, Figures, Judged, at_budget};
use crate::frame::{Decided, Frame};
use crate::gate::Decision;
use crate::horizon::Horizon;
use crate::model::Model;
use crate::promotion::{Kept, judged, kept, said_by_all};
use crate::sipos::{self, DeviceDays, EventCurve, Events};
use crate::split::Split;
use crate::voice::Speaker;

/// Share of device-days that may alert: about one alert per device and three months.
pub const BUDGET_SHARE: f64 = 0.01;

/// What was said of the same rows, against what became of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// One row: one part of one device on one day.
    pub parts: Figures,
    /// One row: one device on one day; it fails if any of its parts does.
    pub device_days: Figures,
    pub at_budget: Option<AtBudget>,
    /// At the threshold of the budget.
    pub events: Option<Events>,
    pub curve: EventCurve,
}

/// One speaker's account, as if it spoke for every sort of part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spoken {
    pub speaker: Speaker,
    #[serde(flatten)]
    pub account: Account,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backtest {
    pub model: String,
    pub horizon: Horizon,
    pub seed: u64,
    pub split: Split,
    pub devices: usize,
    /// Simplest first.
    pub spoken: Vec<Spoken>,
    /// As the gate lets them speak: what a technician would have met.
    pub heard: Account,
    /// Made on the slice before the one that is reported.
    pub decisions: Vec<Decision>,
    /// The same decisions on the slice that is reported.
    pub kept: Vec<Kept>,
}

/// What happened to the devices, for the event figures: by device number, in order of onset.
pub type DeviceFailures = BTreeMap<u32, Vec<Failure>>;

/// Reports on the last slice of a model whose gate has decided on the one before.
pub fn judge(model: &Model, frame: &Frame, failures: &DeviceFailures) -> Result<Backtest, crate::Error> {
    let slice = model.split.judge.ok_or(crate::Error::NoRows { what: "the slice for judging" })?;
    let later = frame.decided(Split::rows(frame, slice), model.horizon);
    if later.rows.is_empty() {
        return Err(crate::Error::NoRows { what: "the slice for judging" });
    }
    let desk = Desk { days: DeviceDayRows::of(frame, &later), failures, slice };
    let scored = said_by_all(model, frame, &later);
    let spoken =
        scored.iter().map(|(speaker, parts)| Spoken { speaker: *speaker, account: desk.account(parts) }).collect();
    let heard = model.heard(frame, &later.rows);
    let heard = judged(frame, &later, heard.clone(), heard);
    Ok(Backtest {
        model: model.version()?,
        horizon: model.horizon,
        seed: model.seed,
        split: model.split,
        devices: desk.days.devices(),
        spoken,
        heard: desk.account(&heard),
        decisions: model.decisions.clone(),
        kept: kept(model, frame, &later, &scored),
    })
}

/// A service desk that lives through the slice.
struct Desk<'a> {
    days: DeviceDayRows,
    failures: &'a DeviceFailures,
    slice: Span,
}

impl Desk<'_> {
    fn account(&self, parts: &Judged) -> Account {
        let device_days = self.days.fold(parts);
        let budget = at_budget(&device_days.score, &device_days.failed, &device_days.weight, BUDGET_SHARE);
        let lived = self.lived(&device_days.score);
        Account {
            parts: Figures::of(parts),
            device_days: Figures::of(&device_days),
            at_budget: budget,
            events: budget.map(|budget| sipos::judge(&lived, budget.threshold)),
            curve: sipos::curve(&lived),
        }
    }

    fn lived(&self, score: &[f64]) -> Vec<DeviceDays> {
        let mut lived: BTreeMap<u32, DeviceDays> = BTreeMap::new();
        for ((device, at), score) in self.days.keys.iter().zip(score) {
            lived.entry(*device).or_default().scores.push((*at, *score));
        }
        let days_each = self.days.days_each();
        for (device, days) in &mut lived {
            let of_device = self.failures.get(device).into_iter().flatten();
            days.failures = of_device.clone().filter(|failure| self.slice.contains(failure.onset)).copied().collect();
            days.beyond = of_device.filter(|failure| self.slice.until <= failure.onset).copied().collect();
            days.days = days.scores.len() as f64 * days_each;
        }
        lived.into_values().collect()
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

    /// How many days each instant stands for: the middle distance between instants.
    fn days_each(&self) -> f64 {
        let mut instants: Vec<Timestamp> = self.keys.iter().map(|(_, at)| *at).collect();
        instants.sort_unstable();
        instants.dedup();
        let mut apart: Vec<i64> = instants.windows(2).map(|pair| pair[1].micros() - pair[0].micros()).collect();
        apart.sort_unstable();
        apart.get(apart.len() / 2).map_or(1.0, |micros| *micros as f64 / MICROS_PER_DAY as f64)
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
}
