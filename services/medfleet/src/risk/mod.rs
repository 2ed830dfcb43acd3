//! Risk from the command line: what the tables hold of the past is gathered once, and models are made of it.

pub mod backtest;
pub mod forecast;
pub mod role;
pub mod train;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use medfleet_domain::kind::DeviceKind;
use medfleet_lake::{Lake, Reader, ReaderLimits, SessionContext};
use medfleet_risk::gate::Demands;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::voice::rules::Rules;
use medfleet_scorer::archive::{Offsets, gather};
use medfleet_scorer::features::LifeLimits;
use medfleet_scorer::gather::Gatherer;
use medfleet_scorer::learn::{Course, Learned, learn};
use medfleet_scorer::verdicts;
use medfleet_simulator::catalogue::Catalogue;

use crate::cli::Place;

/// What is to be learned, and what the gate demands of whoever wants to say it.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    pub horizon: Horizon,
    pub seed: u64,
    pub demands: Demands,
    /// The first voice.
    pub rules: &'a Rules,
}

/// All that the tables hold below some offsets.
pub struct Past {
    pub gatherer: Gatherer,
    session: SessionContext,
    pub cut: i64,
    pub offsets: Offsets,
    limits: LifeLimits,
}

impl Past {
    /// Gathers everything below the newest cut, or below older offsets.
    pub async fn read(place: &Place, lake: &Lake, below: Option<(i64, Offsets)>) -> anyhow::Result<Self> {
        let reader = Reader::new(lake.clone(), ReaderLimits::default())?;
        let newest = reader.newest_cut().await?.with_context(|| {
            format!("no data has reached the tables in {}: start `medfleet up` on it first", place.data.display())
        })?;
        let session = reader.open_cut(&newest).await?;
        // A cut names no offsets of alerts; what technicians found is learned as far as its table of steps reaches.
        let mut told = newest.offsets.clone();
        told.extend(verdicts::reached(&session).await?);
        let (cut, offsets) = below.unwrap_or_else(|| (newest.number, told.clone()));
        let reached = offsets.iter().all(|(home, next)| told.get(home) >= Some(next));
        ensure!(reached, "the tables end before cut {cut} does: let `medfleet up` catch up with the log first");
        let bar = ProgressBar::new_spinner()
            .with_style(ProgressStyle::with_template("{spinner} reading facts: {human_pos}")?);
        bar.enable_steady_tick(Duration::from_millis(200));
        let gatherer = gather(&session, &offsets, &|facts| bar.inc(facts)).await?;
        bar.finish_and_clear();
        Ok(Self { gatherer, session: reader.empty_session(), cut, offsets, limits: limits()? })
    }

    /// A model, with bars while it is made.
    pub async fn learn(&self, task: Task<'_>, reported: bool) -> Result<Learned, anyhow::Error> {
        let Task { horizon, seed, demands, rules } = task;
        let template = format!("{} features [{{bar:30}}] {{percent}} %, {{eta}} left", horizon.as_str());
        let bar = ProgressBar::new(1).with_style(ProgressStyle::with_template(&template)?);
        let done = |done: usize, of: usize| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
            if done == of {
                bar.set_style(ProgressStyle::with_template("{elapsed} learning…").unwrap_or_else(|_| bar.style()));
                bar.enable_steady_tick(Duration::from_millis(200));
            }
        };
        let rules = rules.clone();
        let course = Course { horizon, seed, limits: &self.limits, rules, reported, demands, done: &done };
        let learned = learn(&self.gatherer, &self.session, course).await;
        bar.finish_and_clear();
        Ok(learned?)
    }
}

/// The life limits of the catalogue's kinds.
pub fn limits() -> anyhow::Result<LifeLimits> {
    let catalogue = Catalogue::embedded()?;
    let kinds = DeviceKind::CATALOGUE.into_iter().filter_map(|kind| catalogue.kind(kind));
    let limits = kinds.flat_map(|kind| {
        kind.counters.iter().filter_map(|counter| Some(((kind.kind, counter.name.as_str().into()), counter.life?)))
    });
    Ok(limits.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_alerts::rule::{Rules as AlertRules, When};

    #[test]
    fn alert_rules_know_the_life_limits_of_the_catalogue_each_once_and_no_others() {
        let rules = AlertRules::embedded().unwrap();
        let of_kind = |kind: DeviceKind| {
            let watching = rules.watching(When::LifeNear, "any-site", kind).collect::<Vec<_>>();
            watching
                .into_iter()
                .flat_map(move |rule| rule.limits.iter().map(move |(name, life)| (kind, name.as_str(), *life)))
        };
        let mut watched: Vec<_> = DeviceKind::CATALOGUE.into_iter().flat_map(of_kind).collect();
        watched.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        let limits = limits().unwrap();
        let known: Vec<_> = limits.iter().map(|((kind, counter), life)| (*kind, &**counter, *life)).collect();
        assert_eq!(watched, known);
        assert_eq!(known.len(), 23);
    }
}
