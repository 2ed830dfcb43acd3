//! Real agents in one process under a paced load: what a fleet's edge does to the servers, without the cost of reading files.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use medfleet_agent::{Agent, AgentConfig, AgentMetrics, Intake, Observation, Seen, Surroundings};
use medfleet_domain::condition::{Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Sample, Severity, Source};
use medfleet_domain::id::{DeviceId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_runtime::{Health, Layers, Metrics, Shutdown};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

/// Observations are handed over this often.
const PACE: Duration = Duration::from_millis(100);
/// One sweep over a device's rounds: a change of condition (its end and the next beginning) each time, a reading each second time,
/// an error each tenth.
const FACTS_PER_ROUND: f64 = 2.0 + 0.5 + 0.1;

#[derive(Args)]
pub struct Options {
    /// Configuration files, one agent each.
    #[arg(long, required = true, num_args = 1..)]
    config: Vec<PathBuf>,
    /// Over all agents.
    #[arg(long)]
    facts_per_second: f64,
    #[arg(long)]
    seconds: u64,
    /// Over all agents.
    #[arg(long, default_value_t = 20_000)]
    devices: usize,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals()?;
    let (metrics, health) = (AgentMetrics::register(&Metrics::new()?)?, Health::new());
    let count = options.config.len();
    let mut agents = Vec::new();
    let mut herds = Vec::new();
    for (number, path) in options.config.iter().enumerate() {
        let config: AgentConfig = Layers::new().file(Some(path))?.build()?;
        let surroundings = Surroundings { metrics: metrics.clone(), health: health.role("agent"), clocks: None };
        let agent = Agent::start(config, Vec::new(), surroundings, shutdown.clone()).await?;
        let intake = agent.intake();
        agents.push(agent);
        let Some(intake) = intake else { continue };
        let herd = Herd::new(number, options.devices / count)?;
        let rounds_per_second = options.facts_per_second / FACTS_PER_ROUND / count as f64;
        let limit = Duration::from_secs(options.seconds);
        herds.push(tokio::spawn(herd.live(intake, rounds_per_second, limit, shutdown.clone())));
    }
    let began = Instant::now();
    let mut refused = 0;
    for herd in herds {
        refused += herd.await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let accepted: u64 = agents.iter().map(|agent| agent.metrics().accepted.get()).sum();
    println!("{}", json!({ "said": "load ends", "accepted": accepted, "seconds": seconds, "refused": refused }));
    for agent in &agents {
        agent.drained().await;
    }
    println!("{}", json!({ "said": "drained", "seconds": began.elapsed().as_secs_f64() }));
    shutdown.request();
    for agent in agents {
        agent.join().await?;
    }
    Ok(())
}

/// The devices of one agent.
struct Herd {
    devices: Vec<Subject>,
    round: usize,
}

impl Herd {
    fn new(agent: usize, devices: usize) -> anyhow::Result<Self> {
        let named = |number| Ok(Subject::device(&DeviceId::new(&format!("bench-{agent:02}-{number:05}"))?));
        Ok(Self { devices: (0..devices).map(named).collect::<anyhow::Result<_>>()?, round: 0 })
    }

    /// Answers how many observations were refused.
    async fn live(mut self, intake: Intake, rounds_per_second: f64, limit: Duration, shutdown: Shutdown) -> usize {
        let began = Instant::now();
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut refused = 0;
        while began.elapsed() < limit && !shutdown.is_requested() {
            ticks.tick().await;
            let due = (began.elapsed().as_secs_f64() * rounds_per_second) as usize;
            let mut observations = Vec::new();
            while self.round < due {
                self.next_round(&mut observations);
            }
            let answers = intake.observe_all(observations).await;
            refused += answers.iter().filter(|answer| answer.is_err()).count();
        }
        refused
    }

    /// The next device does what is its turn.
    fn next_round(&mut self, into: &mut Vec<Observation>) {
        let (device, turn) = (self.round % self.devices.len(), self.round / self.devices.len());
        let condition = [Condition::Standby, Condition::Productive][turn % 2];
        let mut see = |seen| into.push(observation(&self.devices[device], seen));
        see(Seen::Condition { condition, degradation: Degradation::None });
        if (device + turn).is_multiple_of(2) {
            see(Seen::Event(reading(turn)));
        }
        if (device + turn).is_multiple_of(10) {
            see(Seen::Event(failure()));
        }
        self.round += 1;
    }
}

fn observation(subject: &Subject, seen: Seen) -> Observation {
    let source = Source { kind: SourceKind::Device, name: "modbus".into() };
    Observation { subject: subject.clone(), kind: DeviceKind::Ventilator, source, stated: None, seen }
}

fn reading(turn: usize) -> Body {
    let value_milli = turn as i64 * 12_000;
    let (counter, unit) = ("breaths".into(), "breath".into());
    Body::Usage(Sample { counter, component: String::new(), unit, value_milli, modulus_milli: None })
}

fn failure() -> Body {
    Body::Error(DeviceError {
        code: "E-417".into(),
        family: "pressure".into(),
        severity: Severity::Minor,
        component: "valve".into(),
        cause_domain: "hardware".into(),
        text: "pressure out of range".into(),
    })
}
