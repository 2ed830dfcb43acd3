//! The demo fleet: its past goes through the log like any import, once, whatever is killed on the way.

use std::fs;
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use medfleet_domain::fact::Run;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_ingest::Admitter;
use medfleet_runtime::Shutdown;
use medfleet_runtime::now_micros;
use medfleet_scorer::service::Scorer;
use medfleet_simulator::history::History;
use medfleet_simulator::plan::Plan;
use medfleet_simulator::truth::{Living, TruthSummary};
use serde::{Deserialize, Serialize};

use crate::cli::Place;
use crate::house::House;
use crate::risk::forecast::Forecast;
use crate::secrets::Secrets;

/// Fixed, so that every installation shows the same fleet and a second telling of its past is all duplicates.
const SEED: u64 = 7;
/// Runs handed to the log in one append.
const APPEND_MAX_RUNS: usize = 2_000;

/// What has to be the same at every start: the past is told between these two instants.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    seed: u64,
    start_us: i64,
    until_us: i64,
    done: bool,
}

pub struct Demo {
    house: House,
    told: Told,
    plan: Plan,
}

/// The fleet where its history ends.
pub struct Fleet {
    pub plan: Plan,
    pub devices: Vec<Living>,
}

impl Demo {
    pub fn open(house: &House, days: u16) -> anyhow::Result<Self> {
        let path = house.demo();
        let told = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| {
                format!("{} cannot be read: remove the data folder or use --no-demo", path.display())
            })?,
            Err(_) => {
                let until = Timestamp(now_micros());
                let start = until.day().start().plus_micros(-i64::from(days) * MICROS_PER_DAY);
                let told = Told { seed: SEED, start_us: start.0, until_us: until.second() * 1_000_000, done: false };
                save(house, &told)?;
                told
            }
        };
        let plan = Plan::demo(told.seed, Timestamp(told.start_us))?;
        Ok(Self { house: house.clone(), told, plan })
    }

    /// What a scorer would have said over the last days of the past.
    pub fn forecast(&self, place: &Place, scorer: Arc<Scorer>, days: u16) -> anyhow::Result<Forecast> {
        Forecast::new(place.clone(), scorer, days, Timestamp(self.told.until_us), self.told.seed)
    }

    pub fn make_passwords(&self, secrets: &Secrets) -> anyhow::Result<()> {
        for agent in &self.plan.agents {
            secrets.agent_password(&agent.id)?;
        }
        Ok(())
    }

    /// Tells the past through the log, unless that was done; returns the fleet as it stands then.
    /// With a forecast, what a scorer would have said stands between the days.
    pub async fn tell_history(
        mut self,
        admitter: &Admitter,
        mut forecast: Option<Forecast>,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Fleet> {
        let until = Timestamp(self.told.until_us);
        if self.told.done {
            let plan = self.plan;
            let devices = plan.devices.iter().map(|device| Living::new(&plan, device)).collect();
            return Ok(Fleet { plan, devices });
        }
        let mut history = History::new(self.plan.clone(), until, medfleet_wire::seal);
        let days = (self.told.until_us - self.told.start_us) / MICROS_PER_DAY + 1;
        let bar = ProgressBar::new(days.unsigned_abs()).with_style(style()?).with_message("demo history");
        let mut facts = 0;
        while let Some(day) = tokio::task::block_in_place(|| history.next_day()) {
            if shutdown.is_requested() {
                break;
            }
            facts += append(admitter, day.fleet).await?;
            facts += append(admitter, day.facts).await?;
            if let Some(forecast) = forecast.as_mut().filter(|_| day.span.until < until) {
                forecast.midnight(day.span.until, shutdown).await?;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if !shutdown.is_requested() {
            self.told.done = true;
            save(&self.house, &self.told)?;
            self.keep_truth(until)?;
            tracing::info!(facts, "demo history is in the log");
        }
        Ok(Fleet { devices: history.into_living(), plan: self.plan })
    }

    /// What really happened, kept aside: no role reads it.
    fn keep_truth(&self, until: Timestamp) -> anyhow::Result<()> {
        let truth = tokio::task::block_in_place(|| TruthSummary::of(&self.plan, until));
        let path = self.house.root().join("demo_truth.json");
        let text = serde_json::to_vec(&truth)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

async fn append(admitter: &Admitter, mut runs: Vec<Run>) -> anyhow::Result<u64> {
    let mut facts = 0;
    while !runs.is_empty() {
        let rest = runs.split_off(runs.len().min(APPEND_MAX_RUNS));
        let part = std::mem::replace(&mut runs, rest);
        facts += part.iter().map(|run| run.facts.len() as u64).sum::<u64>();
        admitter.runs(part, Timestamp(now_micros())).await.context("the demo history was refused")?;
    }
    Ok(facts)
}

fn save(house: &House, told: &Told) -> anyhow::Result<()> {
    let path = house.demo();
    fs::write(&path, serde_json::to_vec_pretty(told)?).with_context(|| format!("cannot write {}", path.display()))
}

fn style() -> anyhow::Result<ProgressStyle> {
    Ok(ProgressStyle::with_template("{msg} [{bar:30}] day {pos} of {len}, {eta} left")?)
}
