//! One agent from start to end: sources, keeper, delivery and link as plain tasks around one journal.

use std::sync::Arc;

use medfleet_domain::id::Epoch;
use medfleet_journal::Journal;
use medfleet_runtime::{RoleHealth, Shutdown};
use medfleet_wire::BatchTopic;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::account::Progress;
use crate::batch::Packer;
use crate::clocks::{Clocks, SystemClocks};
use crate::config::AgentConfig;
use crate::delivery::Delivery;
use crate::error::AgentError;
use crate::intake::{INTAKE_QUEUE_CALLS, Intake};
use crate::keeper::{Desk, Keeper, recover};
use crate::link::{self, LinkState, Poller, RECEIPT_QUEUE_RECEIPTS};
use crate::metrics::{AgentMetrics, OwnMetrics};
use crate::source::Source;
use crate::spool::Recovered;
use crate::window::Window;

/// What the process lends to an agent.
#[derive(Clone)]
pub struct Surroundings {
    pub metrics: AgentMetrics,
    pub health: RoleHealth,
    /// None: the clocks of this machine.
    pub clocks: Option<Arc<dyn Clocks>>,
}

/// A running agent.
pub struct Agent {
    intake: Option<Intake>,
    epoch: Epoch,
    metrics: OwnMetrics,
    durable: watch::Receiver<u64>,
    progress: watch::Receiver<Progress>,
    tasks: JoinSet<Result<(), AgentError>>,
}

impl Agent {
    /// Opens the journal, begins a new life in it, and starts sources and delivery. Observations are taken from then on, whether a
    /// broker can be reached or not.
    pub async fn start(
        config: AgentConfig,
        sources: Vec<Box<dyn Source>>,
        surroundings: Surroundings,
        shutdown: Shutdown,
    ) -> Result<Self, AgentError> {
        config.check()?;
        let (agent, site) = (config.agent_id()?, config.site_id()?);
        let metrics = surroundings.metrics.of(&agent);
        let own_clocks = || Arc::new(SystemClocks::new(config.clock.synchronised_file.clone())) as Arc<dyn Clocks>;
        let clocks = surroundings.clocks.unwrap_or_else(own_clocks);
        let (journal, recovered) = open(&config).await?;
        let (backlog, taken) = (recovered.freed_below..journal.next_index(), recovered.taken.clone());

        let (command_sender, commands) = mpsc::channel(INTAKE_QUEUE_CALLS);
        let (durable_sender, durable) = watch::channel(backlog.end);
        let begins = Progress { freed_below: backlog.start, settled_facts: 0 };
        let (progress_sender, progress) = watch::channel(begins);
        let (state_sender, link_state) = watch::channel(LinkState::default());
        let (receipt_sender, receipts) = mpsc::channel(RECEIPT_QUEUE_RECEIPTS);
        let topic = BatchTopic::new(site.clone(), agent.clone());
        let elsewhere = recovered.sites.iter().filter(|earlier| **earlier != site);
        let others: Vec<_> = elsewhere.map(|earlier| BatchTopic::new(earlier.clone(), agent.clone())).collect();
        let (link, poller) =
            link::prepare(&config.mqtt, &topic, &others, state_sender, receipt_sender, metrics.clone())?;

        let followed = (durable.clone(), progress.clone());
        let desk =
            Desk { site: site.clone(), clocks, commands, durable: durable_sender, progress, metrics: metrics.clone() };
        let keeper = Keeper::begin(&agent, config.journal.clone(), journal, recovered, desk).await?;
        let epoch = keeper.epoch();
        let durable_end = *durable.borrow();
        let delivery = Delivery {
            window: window(&config, epoch, backlog, durable_end),
            packer: Packer::new(agent, site, epoch.0),
            reader: keeper.reader(),
            batch_max_bytes: config.batch.max_bytes,
            link,
            link_state: link_state.clone(),
            receipts,
            durable,
            progress: progress_sender,
            commands: command_sender.clone(),
            metrics: metrics.clone(),
            start: Instant::now(),
            graves: Vec::new(),
            burying: None,
        };
        let intake = Intake::new(command_sender, taken);
        let tasks = spawn(keeper, delivery, poller, sources, &intake, &shutdown);
        tokio::spawn(show_link(link_state, surroundings.health, shutdown));
        let (durable, progress) = followed;
        Ok(Self { intake: Some(intake), epoch, metrics, durable, progress, tasks })
    }

    /// The way in for sources that live outside.
    pub fn intake(&self) -> Option<Intake> {
        self.intake.clone()
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn metrics(&self) -> &OwnMetrics {
        &self.metrics
    }

    /// Waits until everything accepted so far has its receipt. Returns early when the agent ends.
    pub async fn drained(&self) {
        let accepted = *self.durable.borrow();
        let _ = self.progress.clone().wait_for(|progress| progress.freed_below >= accepted).await;
    }

    /// Waits for the end: after the request to end and when every intake is dropped, or at the first error of a task.
    pub async fn join(mut self) -> Result<(), AgentError> {
        self.intake = None;
        while let Some(ended) = self.tasks.join_next().await {
            ended.map_err(|source| AgentError::Panicked { source })??;
        }
        Ok(())
    }
}

async fn open(config: &AgentConfig) -> Result<(Journal, Recovered), AgentError> {
    let journal = config.journal.clone();
    tokio::task::spawn_blocking(move || recover(&journal)).await.map_err(|source| AgentError::Panicked { source })?
}

fn window(config: &AgentConfig, epoch: Epoch, backlog: std::ops::Range<u64>, durable_end: u64) -> Window {
    let mut window = Window::new(epoch.0, config.batch.limits(), backlog);
    window.appended(durable_end, crate::clock::Steady(0));
    window
}

fn spawn(
    keeper: Keeper,
    delivery: Delivery,
    poller: Poller,
    sources: Vec<Box<dyn Source>>,
    intake: &Intake,
    shutdown: &Shutdown,
) -> JoinSet<Result<(), AgentError>> {
    let mut tasks = JoinSet::new();
    tasks.spawn(keeper.run());
    tasks.spawn(delivery.run(shutdown.clone()));
    let ending = shutdown.clone();
    tasks.spawn(async move {
        poller.run(ending).await;
        Ok(())
    });
    for source in sources {
        tasks.spawn(follow(source, intake.clone(), shutdown.clone()));
    }
    tasks
}

/// A source that fails ends alone: the others still have something to say.
async fn follow(source: Box<dyn Source>, intake: Intake, shutdown: Shutdown) -> Result<(), AgentError> {
    let name = source.name().to_owned();
    if let Some(Err(error)) = shutdown.unless_requested(source.run(intake)).await {
        tracing::error!(source = name, %error, cause = ?std::error::Error::source(&error), "source has ended");
    }
    Ok(())
}

/// An agent without its broker still accepts, so it is alive and waiting.
async fn show_link(mut state: watch::Receiver<LinkState>, health: RoleHealth, shutdown: Shutdown) {
    loop {
        match state.borrow_and_update().up {
            true => health.ready(),
            false => health.waiting("no broker; observations are kept in the journal"),
        }
        match shutdown.unless_requested(state.changed()).await {
            Some(Ok(())) => {}
            _ => return,
        }
    }
}
