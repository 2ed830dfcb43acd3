//! The scorer beside the other roles of a process.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use medfleet_domain::fact::Run;
use medfleet_domain::time::Timestamp;
use medfleet_ingest::Admitter;
use medfleet_lake::Lake;
use medfleet_log::{EventLog, Position};
use medfleet_runtime::{Health, Metrics, Shutdown, now_micros};
use medfleet_scorer::models::Models;
use medfleet_scorer::service::{Door, Meters, Scorer};

use crate::cli::{Place, ScorerOptions};
use crate::house::House;
use crate::roles::{self, Crew};
use crate::{backing, up};

struct Admitted(Admitter);

#[async_trait]
impl Door for Admitted {
    async fn tell(&self, runs: Vec<Run>) -> Result<Vec<Position>, medfleet_scorer::Error> {
        let told = self.0.runs(runs, Timestamp(now_micros())).await;
        told.map_err(|error| medfleet_scorer::Error::Door(Box::new(error)))
    }
}

/// The scorer alone.
pub async fn run(place: &Place, options: &ScorerOptions) -> anyhow::Result<()> {
    let (house, shutdown) = (House::open(&place.data)?, Shutdown::on_signals()?);
    let (metrics, health) = (Metrics::new()?, Health::new());
    let (log, lake) = (backing::log(place, &house).await?, backing::lake(&house).await?);
    let admitter = Admitter::new(Arc::clone(&log), medfleet_ingest::Meters::new(&metrics)?);
    let learned = admitter.learn_sites().await?;
    let mut crew = Crew::new();
    crew.spawn(up::follow_sites(admitter.clone(), learned, shutdown.clone()));
    crew.spawn(score(scorer(&house, log, lake, admitter, &metrics)?, shutdown.clone()));
    health.role("scorer").ready();
    roles::serve_status(&mut crew, options.status_listen, metrics, health, &shutdown).await?;
    roles::see_through(crew, &shutdown).await
}

/// The scorer, on what a process has.
pub fn scorer(
    house: &House,
    log: Arc<dyn EventLog>,
    lake: Lake,
    admitter: Admitter,
    metrics: &Metrics,
) -> anyhow::Result<Arc<Scorer>> {
    Ok(Arc::new(Scorer {
        log,
        lake,
        models: Models::new(house.models()),
        door: Arc::new(Admitted(admitter)),
        limits: super::limits()?,
        meters: Meters::new(metrics)?,
    }))
}

/// Scores until asked to end. Without a model in the log it only looks.
pub async fn score(scorer: Arc<Scorer>, shutdown: Shutdown) -> anyhow::Result<()> {
    scorer.run(&shutdown).await.context("the scorer failed")
}
