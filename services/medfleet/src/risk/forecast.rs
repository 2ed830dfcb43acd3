//! What a scorer would have said of the demo's past, had there been one: history stops at a midnight, a model learns from what the
//! log holds by then, and the scorer looks as it does every day. Nothing that is told later can be known to it.

use std::sync::Arc;
use std::time::Duration;

use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_lake::{Cut, Reader, ReaderLimits};
use medfleet_log::{Partition, Topic};
use medfleet_risk::gate::Demands;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::voice::rules::Rules;
use medfleet_runtime::Shutdown;
use medfleet_scorer::register::Register;
use medfleet_scorer::service::{Done, Look, Scorer, hours};

use super::train::{Lesson, make};
use super::{Past, Task};
use crate::cli::Place;

/// Pause between looks at the newest cut, while the processor folds what was told.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The scorer of a past.
pub struct Forecast {
    place: Place,
    scorer: Arc<Scorer>,
    reader: Reader,
    /// The first midnight at which it scores.
    from: Timestamp,
    seed: u64,
    done: Done,
}

impl Forecast {
    /// Of the last days before `until`.
    pub fn new(place: Place, scorer: Arc<Scorer>, days: u16, until: Timestamp, seed: u64) -> anyhow::Result<Self> {
        let reader = Reader::new(scorer.lake.clone(), ReaderLimits::default())?;
        let from = until.day().start().plus_micros(-i64::from(days) * MICROS_PER_DAY);
        Ok(Self { place, scorer, reader, from, seed, done: Done::default() })
    }

    /// All of the past before this midnight is in the log: a model is made if there is none, and what is due is told.
    pub async fn midnight(&mut self, at: Timestamp, shutdown: &Shutdown) -> anyhow::Result<()> {
        if at < self.from {
            return Ok(());
        }
        while let Some(cut) = self.folded(shutdown).await? {
            self.learn(&cut, at).await?;
            let look = Look { cut: &cut, at, known_at: at };
            if !self.scorer.look(&self.reader, look, &mut self.done).await? {
                break;
            }
        }
        Ok(())
    }

    /// The first cut that holds all that is in the log; None when asked to end.
    async fn folded(&self, shutdown: &Shutdown) -> anyhow::Result<Option<Cut>> {
        let mut ends = Vec::new();
        for partition in 0..self.scorer.log.partitions(Topic::FACTS)? {
            let home = Partition::new(Topic::FACTS, partition);
            ends.push((home.to_string(), self.scorer.log.bounds(home).await?.end.cast_signed()));
        }
        loop {
            let cut = self.reader.newest_cut().await?;
            let holds = |cut: &Cut| ends.iter().all(|(home, end)| cut.offsets.get(home).copied().unwrap_or(0) >= *end);
            if cut.as_ref().is_some_and(holds) {
                return Ok(cut);
            }
            if shutdown.unless_requested(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
                return Ok(None);
            }
        }
    }

    /// A model for each horizon for which the past is long enough.
    async fn learn(&self, cut: &Cut, at: Timestamp) -> anyhow::Result<()> {
        if at > self.from {
            return Ok(());
        }
        let known = Register::read(&*self.scorer.log).await?;
        let missing = |horizon: &Horizon| known.newest(hours(*horizon)).is_none();
        if !Horizon::ALL.iter().any(missing) {
            return Ok(());
        }
        let past = Past::read(&self.place, &self.scorer.lake, Some((cut.number, cut.offsets.clone()))).await?;
        let rules = Rules::embedded()?;
        for horizon in Horizon::ALL.into_iter().filter(missing) {
            let task = Task { horizon, seed: self.seed, demands: Demands::default(), rules: &rules };
            let lesson = Lesson { task, at, judged: false };
            if let Err(error) = make(&*self.scorer.log, &self.scorer.models, &known, &past, lesson).await {
                tracing::info!(horizon = horizon.as_str(), "the demo's past gives no model: {error:#}");
            }
        }
        Ok(())
    }
}
