//! The cuts that questions are asked of: the newest, followed as it moves, and those a page has pinned.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::prelude::SessionContext;
use medfleet_domain::time::Timestamp;
use medfleet_lake::{Cut, Reader};
use medfleet_log::{EventLog, Partition, Topic};
use medfleet_runtime::Shutdown;
use tokio::sync::{OnceCell, watch};

use crate::error::ApiError;
use crate::live::LiveDevice;
use crate::meters::Meters;
use crate::problem::Problem;
use crate::query::{self, local_minute};

/// Cuts kept open, newest last: a page and its drill-downs ask the same one for a while.
const CUTS_KEPT: usize = 64;

/// One cut with its tables open.
pub struct OpenCut {
    pub cut: Cut,
    pub session: SessionContext,
    live: OnceCell<Arc<Vec<LiveDevice>>>,
}

impl OpenCut {
    pub fn new(cut: Cut, session: SessionContext) -> Self {
        local_minute::register(&session);
        Self { cut, session, live: OnceCell::new() }
    }

    pub fn at(&self) -> Timestamp {
        Timestamp(self.cut.made_at.0)
    }

    /// Greatest append time of anything the cut contains.
    pub fn newest_appended(&self) -> Option<Timestamp> {
        self.cut.appended_max.values().map(|at| Timestamp(at.0)).max()
    }

    /// Every device as it is now, as this cut knows it. Asked once per cut.
    pub async fn live(&self) -> Result<Arc<Vec<LiveDevice>>, ApiError> {
        let ask = || async { query::live(self).await.map(Arc::new) };
        self.live.get_or_try_init(ask).await.cloned()
    }
}

/// The newest cut and the ones that came before.
pub struct Cuts {
    reader: Reader,
    newest: watch::Sender<Option<Arc<OpenCut>>>,
    kept: Mutex<VecDeque<Arc<OpenCut>>>,
}

impl Cuts {
    pub fn new(reader: Reader) -> Self {
        Self { reader, newest: watch::Sender::new(None), kept: Mutex::default() }
    }

    pub fn newest(&self) -> Option<Arc<OpenCut>> {
        self.newest.borrow().clone()
    }

    /// Hears of every newer cut; may skip some when they come fast.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<OpenCut>>> {
        self.newest.subscribe()
    }

    /// The cut with this number, or the newest.
    pub async fn find(&self, number: Option<i64>) -> Result<Arc<OpenCut>, Problem> {
        let Some(number) = number else { return self.newest().ok_or_else(Problem::no_cut) };
        if let Some(open) = self.kept().iter().find(|open| open.cut.number == number) {
            return Ok(Arc::clone(open));
        }
        let cure = "leave `cut` out for the newest; a cut opens by number for one hour";
        let gone = || Problem::not_found("cut", &number.to_string(), cure);
        let cut = self.reader.cut(number).await.map_err(ApiError::from)?.ok_or_else(gone)?;
        let session = self.reader.open_cut(&cut).await.map_err(|error| {
            tracing::debug!(cut = number, %error, "an old cut cannot be opened");
            gone()
        })?;
        Ok(self.keep(OpenCut::new(cut, session)))
    }

    /// Looks for a newer cut and opens it.
    pub async fn advance(&self) -> Result<(), ApiError> {
        let Some(cut) = self.reader.newest_cut().await? else { return Ok(()) };
        if self.newest().is_some_and(|open| open.cut.number >= cut.number) {
            return Ok(());
        }
        let session = self.reader.open_cut(&cut).await?;
        let open = self.keep(OpenCut::new(cut, session));
        self.newest.send_replace(Some(open));
        Ok(())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<OpenCut>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, open: OpenCut) -> Arc<OpenCut> {
        let open = Arc::new(open);
        let mut kept = self.kept();
        kept.push_back(Arc::clone(&open));
        if kept.len() > CUTS_KEPT {
            kept.pop_front();
        }
        open
    }
}

/// Follows the newest cut until the end. A look that fails is counted and tried again: pages go on with the last cut.
pub async fn follow(cuts: Arc<Cuts>, log: Arc<dyn EventLog>, every: Duration, meters: Meters, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while shutdown.unless_requested(ticks.tick()).await.is_some() {
        if let Err(error) = cuts.advance().await {
            meters.cut_failures.inc();
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot look for a newer cut, keeping the last");
        }
        let Some(open) = cuts.newest() else { continue };
        meters.cut_age_seconds.set((query::now().0 - open.at().0) / 1_000_000);
        match lag_records(&open.cut, log.as_ref()).await {
            Ok(lag) => meters.log_lag_records.set(lag),
            Err(error) => tracing::debug!(%error, "the log does not say how far it reaches"),
        }
    }
}

/// Records in the log that a cut does not contain.
pub async fn lag_records(cut: &Cut, log: &dyn EventLog) -> Result<i64, ApiError> {
    let mut lag = 0;
    for topic in [Topic::FACTS, Topic::FLEET] {
        for partition in 0..log.partitions(topic)? {
            let home = Partition::new(topic, partition);
            let bounds = log.bounds(home).await?;
            let contained = cut.offsets.get(&home.to_string()).copied().unwrap_or(bounds.floor.cast_signed());
            lag += (bounds.end.cast_signed() - contained).max(0);
        }
    }
    Ok(lag)
}
