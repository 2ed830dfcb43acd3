//! Simulated devices: a plug for a simulator in the same process, and one small device of its own for a first look.

use std::time::Duration;

use async_trait::async_trait;
use medfleet_domain::condition::{Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Sample, Severity, Source as Witness};
use medfleet_domain::id::{DeviceId, Subject};
use medfleet_domain::kind::DeviceKind;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::error::AgentError;
use crate::intake::Intake;
use crate::observation::{Observation, Refusal, Seen};
use crate::source::Source;

/// Lists that may wait between a simulator and its agent; more make the simulator wait.
pub const FEED_QUEUE_LISTS: usize = 64;
/// What a full journal has refused is offered again after this.
const RETRY_FULL: Duration = Duration::from_secs(1);

/// Where a simulator puts what its devices show.
pub type Feed = mpsc::Sender<Vec<Observation>>;

/// Passes on what a simulator in this process shows.
pub struct Plug {
    name: String,
    shown: mpsc::Receiver<Vec<Observation>>,
}

impl Plug {
    /// A plug and the feed that goes into it. Dropping the feed ends the source.
    pub fn new(name: impl Into<String>) -> (Feed, Self) {
        let (feed, shown) = mpsc::channel(FEED_QUEUE_LISTS);
        (feed, Self { name: name.into(), shown })
    }
}

#[async_trait]
impl Source for Plug {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(mut self: Box<Self>, intake: Intake) -> Result<(), AgentError> {
        while let Some(observations) = self.shown.recv().await {
            offer(&intake, &self.name, observations).await;
        }
        Ok(())
    }
}

/// Offers observations until each is accepted or refused for its own sake. A full journal makes the source wait, in order.
pub(crate) async fn offer(intake: &Intake, source: &str, observations: Vec<Observation>) {
    offer_in_order(intake, source, observations, |_| Ok(())).await.unwrap_or_default();
}

/// The same, and `settled` hears after each try how many of them, from the first on, need not be offered again. Of an agent that ends it
/// hears nothing more, and what is left is for the next life. Answers whether all are settled.
pub(crate) async fn offer_in_order(
    intake: &Intake,
    source: &str,
    observations: Vec<Observation>,
    mut settled: impl FnMut(usize) -> Result<(), AgentError> + Send,
) -> Result<bool, AgentError> {
    let (count, mut waiting) = (observations.len(), observations);
    while !waiting.is_empty() {
        let answers = intake.observe_all(waiting.clone()).await;
        let is_left = |answer: &Result<(), Refusal>| matches!(answer, Err(Refusal::Full { .. } | Refusal::Closed));
        let closed = answers.contains(&Err(Refusal::Closed));
        let first_left = answers.iter().position(is_left).unwrap_or(waiting.len());
        for (observation, answer) in waiting.iter().zip(&answers[..first_left]) {
            if let Err(refusal) = answer {
                tracing::warn!(source, subject = %observation.subject, %refusal, "observation was refused");
            }
        }
        waiting.drain(..first_left);
        settled(count - waiting.len())?;
        if closed {
            return Ok(false);
        }
        if !waiting.is_empty() {
            tracing::warn!(source, observations = waiting.len(), "journal is full, the source waits");
            tokio::time::sleep(RETRY_FULL).await;
        }
    }
    Ok(true)
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedConfig {
    pub device: String,
    #[serde(deserialize_with = "super::device_kind")]
    pub kind: DeviceKind,
    /// Mean time between two changes.
    #[serde(default = "default_change_seconds")]
    pub change_seconds: u64,
    #[serde(default)]
    pub seed: u64,
}

fn default_change_seconds() -> u64 {
    60
}

/// A device that works, rests, and fails now and then. It proves an installation and stands for no statistics.
pub struct SimulatedDevice {
    subject: Subject,
    kind: DeviceKind,
    change: Duration,
    rng: SmallRng,
    cycles: i64,
}

impl SimulatedDevice {
    pub fn new(config: &SimulatedConfig) -> Result<Self, AgentError> {
        Ok(Self {
            subject: Subject::device(&DeviceId::new(&config.device)?),
            kind: config.kind,
            change: Duration::from_secs(config.change_seconds.max(1)),
            rng: SmallRng::seed_from_u64(config.seed),
            cycles: 0,
        })
    }

    /// The next change and what goes with it.
    fn step(&mut self) -> Vec<Observation> {
        let in_condition = |condition| Seen::Condition { condition, degradation: Degradation::None };
        let mut seen = match self.rng.random_range(0..100) {
            0..48 => vec![in_condition(Condition::Standby)],
            48..96 => {
                self.cycles += 1;
                vec![in_condition(Condition::Productive), Seen::Event(self.cycle_counter())]
            }
            _ => vec![Seen::Event(failure()), in_condition(Condition::UnscheduledDown)],
        };
        seen.drain(..).map(|seen| self.observation(seen)).collect()
    }

    fn observation(&self, seen: Seen) -> Observation {
        let source = Witness { kind: SourceKind::Device, name: "simulated".into() };
        Observation { subject: self.subject.clone(), kind: self.kind, source, stated: None, seen }
    }

    fn cycle_counter(&self) -> Body {
        let (counter, unit) = ("cycles".into(), "cycle".into());
        Body::Usage(Sample {
            counter,
            component: String::new(),
            unit,
            value_milli: self.cycles * 1_000,
            modulus_milli: None,
        })
    }
}

fn failure() -> Body {
    Body::Error(DeviceError {
        code: "SIM-1".into(),
        family: "simulated".into(),
        severity: Severity::Critical,
        component: String::new(),
        cause_domain: "device".into(),
        text: "simulated failure".into(),
    })
}

#[async_trait]
impl Source for SimulatedDevice {
    fn name(&self) -> &str {
        self.subject.name()
    }

    async fn run(mut self: Box<Self>, intake: Intake) -> Result<(), AgentError> {
        loop {
            let observations = self.step();
            offer(&intake, self.subject.name(), observations).await;
            let wait = self.change.mul_f64(self.rng.random_range(0.5..1.5));
            tokio::time::sleep(wait).await;
        }
    }
}
