//! What an alert may do to patients: hours that nothing stands in for, chance × repair time ÷ (1 + free equivalents).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use medfleet_alerts::voices::demotion_of;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::record::Demotion;
use medfleet_domain::id::SubjectKind;
use medfleet_domain::risk::CERTAIN_PPM;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_kpi::ask::{Repair, repairs};

use super::record::Record;
use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::kpi::question;
use crate::live::{LiveDevice, Standing};
use crate::pages::format::{decimal, plural};
use crate::period::Period;
use crate::query::{self, DeviceFilter, Scope, Score};

/// Repairs of so many days tell how long one takes.
const REPAIRS_DAYS: i64 = 180;
const MICROS_PER_HOUR: f64 = 3.6e9;

/// What devices there are, which of them are free, and how long repairs of a kind take.
pub struct Stock {
    live: Arc<Vec<LiveDevice>>,
    at: Timestamp,
    rooms: BTreeMap<String, String>,
    /// Of the last days, opened and finished or not.
    pub repairs: Vec<Repair>,
    repair_micros: BTreeMap<String, i64>,
    /// What the newest run of each horizon says of a device.
    scores: BTreeMap<(String, i64), Score>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impact {
    /// That it is right.
    pub chance: f64,
    /// Middle turnaround of finished repairs of the kind; None where none is known.
    pub repair_micros: Option<i64>,
    pub free: usize,
}

impl Stock {
    /// Around these alerts.
    pub async fn of(open: &OpenCut, alerts: &[Alert]) -> Result<Self, ApiError> {
        let devices = query::devices(open, &DeviceFilter::default()).await?;
        let rooms = devices.into_iter().filter_map(|device| Some((device.device, device.room?))).collect();
        let until = open.at();
        let period = Period { from: until.plus_micros(-REPAIRS_DAYS * MICROS_PER_DAY), until };
        let repairs = repairs(open.kpi().await?, &question(open, period, Scope::default())).await?;
        let repair_micros = middle_turnaround(&repairs);
        let foreseen = alerts.iter().filter(|alert| alert.is_open()).filter_map(|alert| alert.score.as_ref());
        let horizons: BTreeSet<i64> = foreseen.map(|spoken| i64::from(spoken.horizon_hours)).collect();
        let mut scores = BTreeMap::new();
        for hours in horizons {
            let newest = query::scores(open, hours, "", "").await?;
            scores.extend(newest.into_iter().map(|score| ((score.device.clone(), hours), score)));
        }
        Ok(Self { live: open.live().await?, at: open.made_at(), rooms, repairs, repair_micros, scores })
    }

    /// When the cut was made.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    pub fn room(&self, device: &str) -> Option<String> {
        self.rooms.get(device).cloned()
    }

    /// Devices of the same kind at the same site that are heard, up and not in use.
    pub fn free(&self, alert: &Alert) -> Vec<&LiveDevice> {
        if alert.about.subject.kind != SubjectKind::Device {
            return Vec::new();
        }
        let about = &alert.about;
        let stands_in = |one: &&LiveDevice| {
            (one.site.as_str(), one.kind.as_str()) == (about.site.as_str(), about.kind.as_str())
                && one.device != about.subject.name()
                && one.standing(self.at) == Standing::Up
                && one.condition.as_deref() == Some("standby")
        };
        self.live.iter().filter(stands_in).collect()
    }

    /// What the newest run says of the device of an open alert that a score raised, by a voice that is heard.
    fn newest(&self, alert: &Alert, demotions: &[Demotion]) -> Option<&Score> {
        let spoken = alert.score.as_ref().filter(|_| alert.is_open())?;
        let newest = self.scores.get(&(alert.about.subject.name().to_owned(), i64::from(spoken.horizon_hours)));
        newest.filter(|score| demotion_of(demotions, &score.model, &score.voice).is_none())
    }

    pub fn present(&self, device: &str) -> Option<&LiveDevice> {
        self.live.iter().find(|one| one.device == device)
    }

    pub fn impact(&self, alert: &Alert, record: &Record, demotions: &[Demotion]) -> Impact {
        let is_device = alert.about.subject.kind == SubjectKind::Device;
        Impact {
            chance: chance(alert, record, self.newest(alert, demotions)),
            repair_micros: self.repair_micros.get(alert.about.kind.as_str()).copied().filter(|_| is_device),
            free: self.free(alert).len(),
        }
    }
}

/// What a model says of this very alert now, or said last, where one raised it; else how often such alerts were right. A score names the part
/// that is most at risk, so any other has that chance at most.
fn chance(alert: &Alert, record: &Record, newest: Option<&Score>) -> f64 {
    let Some(spoken) = &alert.score else { return record.chance() };
    let said = i64::from(spoken.ppm);
    let ppm = newest.map_or(said, |score| match score.component.as_deref() {
        Some(part) if part == alert.about.part => score.component_ppm,
        _ => said.min(score.component_ppm),
    });
    ppm as f64 / f64::from(CERTAIN_PPM)
}

/// Of each kind the middle of its finished repairs.
fn middle_turnaround(repairs: &[Repair]) -> BTreeMap<String, i64> {
    let mut by_kind: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for repair in repairs.iter().filter(|repair| repair.finished.is_some()) {
        by_kind.entry(repair.kind.clone()).or_default().push(repair.turnaround.micros);
    }
    let middle = |mut all: Vec<i64>| {
        all.sort_unstable();
        all[all.len() / 2]
    };
    by_kind.into_iter().map(|(kind, all)| (kind, middle(all))).collect()
}

impl Impact {
    /// Nothing where it is not known: such an alert stands behind others of its urgency.
    pub fn hours(&self) -> f64 {
        self.known_hours().unwrap_or_default()
    }

    pub fn known_hours(&self) -> Option<f64> {
        let hours = self.repair_micros? as f64 / MICROS_PER_HOUR;
        Some(self.chance * hours / (1 + self.free) as f64)
    }

    pub fn words(&self) -> String {
        let free = match self.free {
            0 => "no equivalent free".to_owned(),
            free => format!("{} free", plural(free, "equivalent")),
        };
        match self.known_hours() {
            Some(hours) => {
                let hours = decimal(hours, if hours < 9.95 { 1 } else { 0 });
                format!("{hours} h at stake by a chance of {} %, {free}", decimal(self.chance * 100.0, 0))
            }
            None => free,
        }
    }

    #[cfg(test)]
    pub fn of_hours(hours: Option<f64>) -> Self {
        Self { chance: 1.0, repair_micros: hours.map(|hours| (hours * MICROS_PER_HOUR) as i64), free: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::alerts::record::tests::alert;
    use medfleet_domain::alert::Spoken;

    #[test]
    fn what_a_model_said_of_an_alert_counts_and_verdicts_only_where_no_model_spoke() {
        let record = Record { raised: 8, right: 7, wrong: 1 };
        let foreseen = |ppm| {
            let score = Spoken { model: "m".into(), voice: "trees".into(), horizon_hours: 168, ppm };
            Alert { score: Some(score), ..alert(1) }
        };
        assert_eq!((chance(&foreseen(310_000), &record, None), chance(&foreseen(900_000), &record, None)), (0.31, 0.9));
        assert_eq!(chance(&alert(1), &record, None), 0.8);
    }

    #[test]
    fn the_newest_score_counts_and_not_the_one_that_raised_the_alert() {
        let score = Spoken { model: "m".into(), voice: "trees".into(), horizon_hours: 168, ppm: 310_000 };
        let mut foreseen = Alert { score: Some(score), ..alert(1) };
        foreseen.about.part = "tube".into();
        let newest = |part: &str, component_ppm| Score {
            device: "ct-1".into(),
            site: "north".into(),
            kind: "ct".into(),
            at: Timestamp(0),
            horizon_hours: 168,
            risk_ppm: component_ppm,
            component: Some(part.into()),
            component_ppm,
            voice: "trees".into(),
            grounds: "[]".into(),
            model: "m".into(),
            run: "r".into(),
        };
        let now = |part: &str, ppm| chance(&foreseen, &Record::default(), Some(&newest(part, ppm)));
        assert_eq!([now("tube", 900_000), now("tube", 160_000)], [0.9, 0.16]);
        assert_eq!([now("table", 900_000), now("table", 160_000)], [0.31, 0.16], "at most that of the worst part");
    }

    #[test]
    fn a_free_equivalent_halves_what_is_at_stake_and_verdicts_weigh() {
        let day = Impact { chance: 1.0, repair_micros: Some(24 * 3_600_000_000), free: 0 };
        assert_eq!((day.hours(), Impact { free: 1, ..day }.hours()), (24.0, 12.0));
        assert_eq!(Impact { chance: 0.25, ..day }.words(), "6.0 h at stake by a chance of 25 %, no equivalent free");
        assert_eq!(Impact { repair_micros: None, free: 2, ..day }.words(), "2 equivalents free");
    }
}
