//! Drives the window: reads batches from the journal, hands them to the link, takes receipts in, tells the keeper what may be freed.

use std::time::Duration;

use bytes::Bytes;
use medfleet_domain::time::MICROS_PER_SECOND;
use medfleet_journal::Reader;
use medfleet_runtime::Shutdown;
use medfleet_wire::BatchTopic;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::account::{Progress, oldest_known_at};
use crate::batch::Packer;
use crate::clock::Steady;
use crate::error::AgentError;
use crate::intake::Command;
use crate::link::{Link, LinkState};
use crate::metrics::OwnMetrics;
use crate::window::{Claim, Poisoned, Window};

/// Batches prepared before the loop looks at receipts again.
const SEND_BURST_BATCHES: usize = 8;
/// Tombstones of one request. The keeper makes them durable together, where a full journal has room for them.
const GRAVES_MAX: usize = 256;
const GAUGE_PERIOD: Duration = Duration::from_secs(5);

pub(crate) struct Delivery {
    pub window: Window,
    pub packer: Packer,
    pub reader: Reader,
    pub batch_max_bytes: usize,
    pub link: Link,
    pub link_state: watch::Receiver<LinkState>,
    pub receipts: mpsc::Receiver<Bytes>,
    pub durable: watch::Receiver<u64>,
    pub progress: watch::Sender<Progress>,
    pub commands: mpsc::Sender<Command>,
    pub metrics: OwnMetrics,
    pub start: Instant,
    /// Poisoned facts whose tombstones are still to be asked for.
    pub graves: Vec<Poisoned>,
    /// Tombstones asked for and not yet durable.
    pub burying: Option<oneshot::Receiver<Vec<u64>>>,
}

impl Delivery {
    /// Delivers until the request to end. What has no receipt then stays in the journal.
    pub async fn run(mut self, shutdown: Shutdown) -> Result<(), AgentError> {
        let mut gauges = tokio::time::interval(GAUGE_PERIOD);
        loop {
            let more = self.send_some().await?;
            self.ask_for_tombstones();
            let reached = self.window.progress();
            self.progress.send_if_modified(|progress| std::mem::replace(progress, reached) != reached);
            self.metrics.unreceipted.set(self.window.unreceipted_facts().cast_signed());
            let wake = self.wake_at(more);
            tokio::select! {
                () = shutdown.requested() => break,
                changed = self.durable.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let end = *self.durable.borrow_and_update();
                    self.window.appended(end, self.now());
                }
                Ok(()) = self.link_state.changed() => self.take_link_state(),
                Some(receipt) = self.receipts.recv() => self.take_receipt(&receipt),
                buried = buried(&mut self.burying) => {
                    self.burying = None;
                    self.window.buried(&buried);
                }
                () = tokio::time::sleep_until(wake) => {}
                _ = gauges.tick() => self.show(),
            }
        }
        self.show();
        self.link.disconnect();
        Ok(())
    }

    /// Sends what is due, and says whether there may be more.
    async fn send_some(&mut self) -> Result<bool, AgentError> {
        for _ in 0..SEND_BURST_BATCHES {
            let Some(claim) = self.window.next(self.now()) else { return Ok(false) };
            if !self.publish(claim).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn publish(&mut self, claim: Claim) -> Result<bool, AgentError> {
        let Claim { number, indices, again } = claim;
        let (reader, from, max_bytes) = (self.reader.clone(), indices.start, self.batch_max_bytes);
        let read = tokio::task::spawn_blocking(move || reader.read(from, max_bytes));
        let mut records = read.await.map_err(|source| AgentError::Panicked { source })??;
        records.retain(|(index, _)| indices.contains(index));
        let packed = self.packer.pack(number, from, &records)?;
        let facts = packed.runs.iter().map(|run| run.indices.len() as u64).sum::<u64>();
        let topic = BatchTopic::new(packed.batch.site.clone(), packed.batch.agent.clone());
        if facts > 0 && !self.link.publish(&topic, medfleet_wire::encode_batch(&packed.batch)) {
            self.window.unsent(number, self.now());
            return Ok(false);
        }
        self.window.sent(number, packed.covered, packed.runs, self.now());
        if facts > 0 {
            self.metrics.published.inc_by(facts);
            self.metrics.corrected.inc_by(packed.corrected);
            self.metrics.batches.inc();
            self.metrics.resent.inc_by(u64::from(again));
        }
        Ok(true)
    }

    fn take_link_state(&mut self) {
        let state = *self.link_state.borrow_and_update();
        if state.up {
            // Receipts of the connection before may still wait; they count as well as any.
            self.window.linked(self.now());
        } else {
            self.window.unlinked();
        }
    }

    fn take_receipt(&mut self, payload: &[u8]) {
        let receipt = match medfleet_wire::decode_receipt(payload) {
            Ok(receipt) => receipt,
            Err(error) => {
                tracing::warn!(%error, bytes = payload.len(), "receipt cannot be read");
                self.metrics.stale_receipts.inc();
                return;
            }
        };
        let receipted = self.window.receipt(&receipt, self.now());
        self.metrics.stale_receipts.inc_by(u64::from(receipted.stale));
        self.metrics.receipted.inc_by(receipted.stored_facts);
        self.metrics.held.inc_by(receipted.held_facts);
        for site in receipted.unknown_sites.iter().filter(|site| self.packer.correct(site)) {
            tracing::warn!(%site, "nobody has defined this earlier site of the agent: what was accepted under it goes under the present one");
        }
        for grave in &receipted.poisoned {
            let facts = grave.indices.len() as u64;
            self.metrics.poison.inc_by(facts);
            tracing::error!(subject = %grave.subject, epoch = %grave.seqs.epoch, first_seq = grave.seqs.first.0, facts, reason = grave.reason, "facts were refused for good, see the quarantine");
        }
        self.graves.extend(receipted.poisoned);
    }

    /// One request for tombstones at a time; the graves wait, their facts stay in the journal.
    fn ask_for_tombstones(&mut self) {
        if self.graves.is_empty() || self.burying.is_some() {
            return;
        }
        if let Ok(permit) = self.commands.try_reserve() {
            let (reply, answer) = oneshot::channel();
            let later = self.graves.split_off(self.graves.len().min(GRAVES_MAX));
            permit.send(Command::Bury { graves: std::mem::replace(&mut self.graves, later), reply });
            self.burying = Some(answer);
        }
    }

    /// What it takes a read of the journal to know.
    fn show(&self) {
        self.metrics.oldest_unreceipted.set(self.oldest_unreceipted_seconds().unwrap_or(0));
    }

    /// Age of the fact at the floor, by when it was known here.
    fn oldest_unreceipted_seconds(&self) -> Option<i64> {
        let known_at = oldest_known_at(&self.reader, self.window.floor())?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        Some((i64::try_from(now.as_secs()).ok()? - known_at.second()).max(0))
    }

    fn now(&self) -> Steady {
        Steady(i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    fn wake_at(&self, more: bool) -> Instant {
        let idle = Steady(self.now().0 + 60 * MICROS_PER_SECOND);
        let wake = if more { self.now() } else { self.window.wake_at().unwrap_or(idle).min(idle) };
        self.start + Duration::from_micros(u64::try_from(wake.0).unwrap_or(0))
    }
}

async fn buried(burying: &mut Option<oneshot::Receiver<Vec<u64>>>) -> Vec<u64> {
    match burying {
        // A keeper that is gone buries nothing; the facts stay in the journal.
        Some(answer) => answer.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}
