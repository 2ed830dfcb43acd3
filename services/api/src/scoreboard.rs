//! The scoreboard: what models said while they were in use, against what came of it, by model, kind and site.

use std::collections::BTreeMap;

use medfleet_domain::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};
use medfleet_kpi::ask::{EpisodeClass, failures};
use medfleet_risk::backtest::BUDGET_SHARE;
use medfleet_risk::figures::rank;
use medfleet_risk::scoreboard::{Live, Settled};

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::kpi::question;
use crate::period::Period;
use crate::query::{self, Said, Scope};

/// How far back is looked.
const DAYS: i64 = 90;

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    Model,
    Kind(String),
    Site(String),
}

/// One model on one part of the fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub model: String,
    pub about: About,
    /// The score from which on the budget lets the model alert, the same on all its lines.
    pub threshold: f64,
    pub live: Live,
}

/// All lines of one horizon, by model; those of no settled score are left out.
pub async fn scoreboard(open: &OpenCut, horizon_hours: i64) -> Result<Vec<Line>, ApiError> {
    let until = open.at().plus_micros(-horizon_hours * MICROS_PER_HOUR);
    let period = Period { from: until.plus_micros(-DAYS * MICROS_PER_DAY), until };
    let said = query::said(open, horizon_hours, period).await?;
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let looked = question(open, Period { until: open.at(), ..period }, Scope::default());
    let mut onsets: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for episode in failures(open.kpi().await?, &looked).await? {
        if episode.class != EpisodeClass::Interrupt {
            onsets.entry(episode.device).or_default().push(episode.onset);
        }
    }
    onsets.values_mut().for_each(|onsets| onsets.sort_unstable());
    Ok(lines(&said, &onsets, horizon_hours))
}

fn lines(said: &[Said], onsets: &BTreeMap<String, Vec<Timestamp>>, horizon_hours: i64) -> Vec<Line> {
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut by_line: BTreeMap<(&str, About), Vec<Settled>> = BTreeMap::new();
    for one in said {
        let next = numbers.len() as u32;
        let device = *numbers.entry(&one.device).or_insert(next);
        let end = one.at.plus_micros(horizon_hours * MICROS_PER_HOUR);
        let own = onsets.get(&one.device).map_or(&[][..], Vec::as_slice);
        let failed_at = own.iter().copied().find(|onset| *onset > one.at && *onset <= end);
        let settled = Settled { device, at: one.at, risk: one.risk_ppm as f64 / 1e6, failed_at };
        for about in [About::Model, About::Kind(one.kind.clone()), About::Site(one.site.clone())] {
            by_line.entry((&one.model, about)).or_default().push(settled.clone());
        }
    }
    let mut thresholds: BTreeMap<&str, f64> = BTreeMap::new();
    for ((model, about), settled) in &by_line {
        if *about == About::Model {
            thresholds.insert(model, threshold(settled));
        }
    }
    let line = |((model, about), settled): ((&str, About), Vec<Settled>)| {
        let threshold = thresholds.get(model).copied().unwrap_or(f64::INFINITY);
        Line { model: model.to_owned(), about, threshold, live: Live::of(&settled, threshold) }
    };
    by_line.into_iter().map(line).collect()
}

/// The score that the budget's share of all scores of a model reaches.
fn threshold(settled: &[Settled]) -> f64 {
    let risks: Vec<f64> = settled.iter().map(|one| one.risk).collect();
    let allowed = (risks.len() as f64 * BUDGET_SHARE).ceil() as usize;
    let order = rank(&risks);
    order.get(allowed.saturating_sub(1)).map_or(f64::INFINITY, |worst| risks[*worst])
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::Day;

    fn said(device: &str, kind: &str, day: i32, risk_ppm: i64) -> Said {
        let (site, model) = ("st-mary".to_owned(), "m".to_owned());
        Said { device: device.into(), site, kind: kind.into(), model, at: Day(day).start(), risk_ppm }
    }

    #[test]
    fn a_failure_counts_for_the_scores_whose_horizon_it_lies_in() {
        let scores = [said("a", "ct", 1, 100_000), said("a", "ct", 4, 900_000), said("b", "mri", 4, 50_000)];
        let onsets = BTreeMap::from([("a".to_owned(), vec![Day(9).start()])]);
        let lines = lines(&scores, &onsets, 168);
        let live = |about: About| &lines.iter().find(|line| line.about == about).expect("a line").live;
        let (all, ct, mri) = (live(About::Model), live(About::Kind("ct".into())), live(About::Kind("mri".into())));
        assert_eq!((all.figures.rows, all.figures.failures, all.alerts, all.alerts_right), (3, 1, 1, 1));
        assert_eq!((ct.failures, ct.announced, ct.lead_days_median), (1, 1, Some(5.0)));
        assert_eq!((mri.failures, mri.alerts), (0, 0));
        assert!((all.promised - 1.05).abs() < 1e-9);
    }
}
