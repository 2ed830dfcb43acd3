//! The scorer as a role: once a day the newest model of each horizon is asked about every device, and what it says enters the log.
//!
//! A run is told before its scores, with the offsets it looks at. So a run that was cut off is done again from the log alone, and
//! says the same under the same identities: what was told already is a duplicate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::prelude::SessionContext;
use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::fact::{Body, Fact, Run, Source};
use medfleet_domain::id::{DeviceId, Epoch, Seq, Subject};
use medfleet_domain::risk::{RiskNews, RiskRecord, ScoringBegun};
use medfleet_domain::time::Timestamp;
use medfleet_lake::{Cut, Lake, Reader, ReaderLimits, below_sql, narrow, run};
use medfleet_log::{EventLog, Position};
use medfleet_risk::horizon::Horizon;
use medfleet_runtime::{Metrics, RuntimeError, Shutdown, now_micros};
use prometheus::IntCounter;

use crate::archive::{Offsets, gather};
use crate::features::LifeLimits;
use crate::gather::Gatherer;
use crate::models::Models;
use crate::register::{self, Register};
use crate::scoring::{DeviceScore, score};
use crate::{Error, earlier};

/// Pause between looks at the newest cut.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pause after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// Runs handed to the log in one append.
const RUNS_PER_APPEND: usize = 500;

/// The way into the log: what is told is durable when it answers.
#[async_trait]
pub trait Door: Send + Sync {
    async fn tell(&self, runs: Vec<Run>) -> Result<Vec<Position>, Error>;
}

#[derive(Clone)]
pub struct Meters {
    pub runs: IntCounter,
    pub scores: IntCounter,
    pub failures: IntCounter,
}

impl Meters {
    pub fn new(metrics: &Metrics) -> Result<Self, RuntimeError> {
        let room = metrics.room("scorer");
        Ok(Self {
            runs: room.counter("runs_total", "Runs of scoring that were told, those done again included.")?,
            scores: room.counter("scores_total", "Scores told to the log.")?,
            failures: room.counter("failures_total", "Looks that failed and are tried again.")?,
        })
    }
}

pub struct Scorer {
    pub log: Arc<dyn EventLog>,
    pub lake: Lake,
    pub models: Models,
    pub door: Arc<dyn Door>,
    pub limits: LifeLimits,
    pub meters: Meters,
}

/// One look at the tables.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub cut: &'a Cut,
    /// Devices are scored as of the midnight before.
    pub at: Timestamp,
    /// From when on it is known what is told now.
    pub known_at: Timestamp,
}

/// What this process has read and done.
#[derive(Default)]
pub struct Done {
    register: Option<Register>,
    /// Runs told whole, by name.
    runs: BTreeSet<String>,
    /// By horizon, first offsets past all scores told: ordinals of the next run count them.
    past: BTreeMap<u32, Offsets>,
}

impl Scorer {
    /// Works until asked to end. What fails is tried again.
    pub async fn run(&self, shutdown: &Shutdown) -> Result<(), Error> {
        let reader = Reader::new(self.lake.clone(), ReaderLimits::default())?;
        let mut done = Done::default();
        while !shutdown.is_requested() {
            // A run that is cut off is done again.
            let pause = match shutdown.unless_requested(self.look_now(&reader, &mut done)).await {
                None => break,
                Some(Ok(_)) => LOOK_EVERY,
                Some(Err(error)) => {
                    self.meters.failures.inc();
                    tracing::warn!(error = &error as &dyn std::error::Error, "scoring failed, trying again");
                    AFTER_FAILURE
                }
            };
            if shutdown.unless_requested(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn look_now(&self, reader: &Reader, done: &mut Done) -> Result<bool, Error> {
        let Some(cut) = reader.newest_cut().await? else { return Ok(false) };
        let look = Look { cut: &cut, at: Timestamp(cut.made_at.0), known_at: Timestamp(now_micros()) };
        self.look(reader, look, done).await
    }

    /// Tells the runs that are due; answers whether there was any. A run waits until the cut holds the scores of its horizon
    /// before it.
    pub async fn look(&self, reader: &Reader, look: Look<'_>, done: &mut Done) -> Result<bool, Error> {
        match &mut done.register {
            Some(register) => register.follow(&*self.log).await?,
            None => done.register = Some(Register::read(&*self.log).await?),
        }
        let (mut any, mut known) = (false, None);
        for horizon in Horizon::ALL {
            if let Some((told_at, begun)) = self.due(look, horizon, done).await? {
                let offsets = register::offsets(&begun.pins);
                let known = match known.take().filter(|known: &Known| known.offsets == offsets) {
                    Some(same) => known.insert(same),
                    None => known.insert(Known::read(reader, look.cut, offsets).await?),
                };
                self.score(reader, known, told_at, &begun, done).await?;
                any = true;
            }
        }
        Ok(any)
    }

    /// The run that is to be told now: the last one if this process has not told it, else that of a new day.
    async fn due(
        &self,
        look: Look<'_>,
        horizon: Horizon,
        done: &Done,
    ) -> Result<Option<(Timestamp, ScoringBegun)>, Error> {
        let Look { cut, at, known_at } = look;
        let (hours, Some(register)) = (hours(horizon), &done.register) else { return Ok(None) };
        let last = register.last_run(hours);
        if let Some((at, run)) = last.filter(|(_, run)| !done.runs.contains(&run.run)) {
            let reached = register::offsets(&run.pins).iter().all(|(home, next)| cut.offsets.get(home) >= Some(next));
            return Ok(reached.then(|| (*at, run.clone())));
        }
        let Some(model) = register.newest(hours) else { return Ok(None) };
        let instant = at.day().start();
        let is_new = last.is_none_or(|(_, run)| run.instant < instant);
        let mut past = done.past.get(&hours).into_iter().flatten();
        if !is_new || past.any(|(home, next)| cut.offsets.get(home) < Some(next)) {
            return Ok(None);
        }
        let run = format!("{}/{}/{}", instant.day(), horizon.as_str(), model.model);
        let begun = ScoringBegun {
            run,
            model: model.model.clone(),
            horizon_hours: hours,
            instant,
            cut: cut.number,
            pins: register::pins(&cut.offsets),
        };
        let record = RiskRecord { at: known_at, news: RiskNews::Scoring(begun.clone()) };
        register::tell(&*self.log, &record).await?;
        Ok(Some((known_at, begun)))
    }

    async fn score(
        &self,
        reader: &Reader,
        known: &Known,
        told_at: Timestamp,
        begun: &ScoringBegun,
        done: &mut Done,
    ) -> Result<(), Error> {
        let model = Arc::new(self.models.read(&begun.model)?);
        let before = known.told_before(begun.horizon_hours).await?;
        let session = reader.empty_session();
        let scores = score(&session, &known.gatherer, &model, &self.limits, &[begun.instant]).await?;
        let told = scores.iter().filter_map(|score| {
            let ordinal = 1 + before.get(score.device.as_str()).copied().unwrap_or(0);
            said(&known.gatherer, score, begun, told_at, ordinal)
        });
        let runs: Vec<Run> = told.collect();
        let own = done.past.entry(begun.horizon_hours).or_default();
        for some in runs.chunks(RUNS_PER_APPEND) {
            for position in self.door.tell(some.to_vec()).await? {
                let past = own.entry(position.home().to_string()).or_default();
                *past = (*past).max(position.offset.cast_signed() + 1);
            }
        }
        self.meters.runs.inc();
        self.meters.scores.inc_by(runs.len() as u64);
        tracing::info!(run = begun.run, devices = runs.len(), "devices scored");
        done.runs.insert(begun.run.clone());
        Ok(())
    }
}

pub const fn hours(horizon: Horizon) -> u32 {
    horizon.hours() as u32
}

/// All that the log said of devices below some offsets. Runs of both horizons look at it.
struct Known {
    offsets: Offsets,
    session: SessionContext,
    gatherer: Gatherer,
}

impl Known {
    async fn read(reader: &Reader, cut: &Cut, offsets: Offsets) -> Result<Self, Error> {
        let session = reader.open_cut(cut).await?;
        let gatherer = gather(&session, &offsets, &|_| {}).await?;
        if session.table_exist("scores").map_err(Error::Query)? {
            narrow(&session, "scores", &below_sql(&offsets)).await?;
        }
        Ok(Self { offsets, session, gatherer })
    }

    /// How many scores of this horizon each device has there.
    async fn told_before(&self, horizon_hours: u32) -> Result<BTreeMap<String, u64>, Error> {
        if !self.session.table_exist("scores").map_err(Error::Query)? {
            return Ok(BTreeMap::new());
        }
        let sql = format!(
            "SELECT device, count(*) AS scores FROM scores WHERE horizon_hours = {horizon_hours} GROUP BY device"
        );
        earlier::counts(&run(&self.session, &sql, &[]).await?)
    }
}

/// A score as a fact of its device. Its epoch is the scorer's for this horizon, its seq says how many it has told.
fn said(
    gatherer: &Gatherer,
    score: &DeviceScore,
    begun: &ScoringBegun,
    told_at: Timestamp,
    ordinal: u64,
) -> Option<Run> {
    let device = gatherer.device(&score.device)?;
    let body = Body::Scored(Box::new(score.scored(&begun.run, &begun.model, begun.horizon_hours)));
    let source = Source { kind: SourceKind::Derived, name: "scorer".into() };
    let fact =
        Fact { at: begun.instant, known_at: told_at, known_assumed: false, clock: Clock::Synchronised, source, body };
    let subject = Subject::device(&score.device);
    Some(Run {
        epoch: epoch(&score.device, begun.horizon_hours),
        subject,
        first_seq: Seq(ordinal),
        site: device.site.clone(),
        kind: device.kind,
        agent: None,
        facts: vec![medfleet_wire::seal(fact)],
    })
}

fn epoch(device: &DeviceId, horizon_hours: u32) -> Epoch {
    let writer = format!("scorer/{horizon_hours}/{}", device.as_str());
    Epoch(twox_hash::XxHash3_64::oneshot(writer.as_bytes()))
}
