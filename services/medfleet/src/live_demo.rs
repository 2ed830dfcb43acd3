//! The demo fleet's present: real agents with journals of their own, over MQTT, until the process ends.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::PathBuf;
use std::time::Duration;

use medfleet_agent::config::{BatchConfig, ClockConfig, JournalConfig, MqttConfig};
use medfleet_agent::source::simulated::{Feed, Plug};
use medfleet_agent::{Agent, AgentConfig, AgentMetrics, Observation, Seen, Source, Surroundings};
use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::fact::{Body, Fact, Run};
use medfleet_domain::id::{AgentId, Epoch, Seq, Subject};
use medfleet_domain::time::Timestamp;
use medfleet_ingest::Admitter;
use medfleet_runtime::now_micros;
use medfleet_runtime::{Health, Metrics, Shutdown};
use medfleet_simulator::live::{LiveDevice, News};
use medfleet_simulator::plan::PlannedAgent;

use crate::demo::Fleet;
use crate::house::House;
use crate::roles::Crew;
use crate::secrets::Secrets;

/// A demo agent keeps a day of facts in far less than this.
const JOURNAL_CAPACITY_BYTES: u64 = 64 * 1024 * 1024;
const JOURNAL_SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Longest pause between two looks at the devices.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Where the demo agents connect.
pub struct Broker {
    pub host: String,
    pub port: u16,
    pub ca_file: Option<PathBuf>,
}

/// What the demo agents stand on.
pub struct Stage {
    pub house: House,
    pub secrets: Secrets,
    pub broker: Broker,
    pub metrics: Metrics,
    pub health: Health,
}

/// One agent's devices and the way to their agent.
struct Ward {
    feed: Option<Feed>,
    devices: Vec<LiveDevice>,
}

pub async fn play(fleet: Fleet, stage: Stage, admitter: Admitter, shutdown: Shutdown) -> anyhow::Result<()> {
    let Fleet { plan, devices } = fleet;
    let metrics = AgentMetrics::register(&stage.metrics)?;
    let mut wards: BTreeMap<Option<AgentId>, Ward> = BTreeMap::new();
    let mut crew = Crew::new();
    for planned in &plan.agents {
        let (feed, plug) = Plug::new(format!("demo-{}", planned.id));
        let surroundings = Surroundings { metrics: metrics.clone(), health: stage.health.role("agent"), clocks: None };
        let sources: Vec<Box<dyn Source>> = vec![Box::new(plug)];
        let agent = Agent::start(agent_config(planned, &stage)?, sources, surroundings, shutdown.clone()).await?;
        crew.spawn(async move { Ok(agent.join().await?) });
        wards.insert(Some(planned.id.clone()), Ward { feed: Some(feed), devices: Vec::new() });
    }
    let now = Timestamp(now_micros());
    let mut firsts: BTreeMap<Option<AgentId>, Vec<Observation>> = BTreeMap::new();
    for mut living in devices {
        tokio::task::block_in_place(|| living.live_to(now));
        let home = living.device().agent.clone();
        let (live, first) = LiveDevice::new(&plan, living, now);
        firsts.entry(home.clone()).or_default().extend(observed(&live, first));
        wards.entry(home).or_insert_with(|| Ward { feed: None, devices: Vec::new() }).devices.push(live);
    }
    for (home, ward) in wards {
        let first = firsts.remove(&home).unwrap_or_default();
        crew.spawn(attend(ward, first, admitter.clone(), shutdown.clone()));
    }
    crate::roles::see_through(crew, &shutdown).await
}

/// Passes on what a ward's devices show, at the moment they show it.
async fn attend(mut ward: Ward, first: Vec<Observation>, admitter: Admitter, shutdown: Shutdown) -> anyhow::Result<()> {
    offer(&ward.feed, first).await;
    let mut agenda: BinaryHeap<_> =
        ward.devices.iter_mut().enumerate().map(|(index, device)| Reverse((device.next_at(), index))).collect();
    while !shutdown.is_requested() {
        let now = Timestamp(now_micros());
        let mut shown = Vec::new();
        while let Some(Reverse((at, index))) = agenda.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            agenda.pop();
            let device = &mut ward.devices[index];
            while let Some((_, news)) = device.next_before(now.plus_micros(1)) {
                match news {
                    News::Said { of, body } => state(&admitter, device, of, now, body).await?,
                    news => shown.extend(observed(device, news)),
                }
            }
            agenda.push(Reverse((device.next_at().max(at.plus_micros(1)), index)));
        }
        offer(&ward.feed, shown).await;
        let next = agenda.peek().map_or(LOOK_AFTER, |Reverse((at, _))| {
            Duration::from_micros((at.0 - now_micros()).max(1_000).unsigned_abs()).min(LOOK_AFTER)
        });
        if shutdown.unless_requested(tokio::time::sleep(next)).await.is_none() {
            break;
        }
    }
    Ok(())
}

async fn offer(feed: &Option<Feed>, shown: Vec<Observation>) {
    if let Some(feed) = feed.as_ref().filter(|_| !shown.is_empty()) {
        // A closed feed means that the agent is ending, and its own error says why.
        let _ = feed.send(shown).await;
    }
}

fn observed(device: &LiveDevice, news: News) -> Option<Observation> {
    let seen = match news {
        News::Seen { condition, degradation } => Seen::Condition { condition, degradation },
        News::Lost => Seen::Lost,
        News::Reported(body) => Seen::Event(body),
        News::Said { .. } => return None,
    };
    let planned = device.living().device();
    Some(Observation {
        subject: Subject::device(&planned.id),
        kind: planned.registration.kind,
        source: witness(SourceKind::Device, "simulator"),
        stated: None,
        seen,
    })
}

/// What people say goes the way of people, under an identity that a repeat would share.
async fn state(
    admitter: &Admitter,
    device: &LiveDevice,
    of: Timestamp,
    now: Timestamp,
    body: Body,
) -> anyhow::Result<()> {
    let planned = device.living().device();
    let fact = Fact {
        at: of,
        known_at: now,
        known_assumed: false,
        clock: Clock::Synchronised,
        source: witness(SourceKind::Person, "demo staff"),
        body,
    };
    let sealed = medfleet_wire::accept(fact)?;
    let subject = Subject::device(&planned.id);
    let run = Run {
        epoch: Epoch::derived(&[b"demo staff", subject.key().as_bytes(), &sealed.bytes]),
        subject,
        first_seq: Seq(1),
        site: planned.site.clone(),
        kind: planned.registration.kind,
        agent: None,
        facts: vec![sealed],
    };
    admitter.run(run, now).await?;
    Ok(())
}

fn witness(kind: SourceKind, name: &str) -> medfleet_domain::fact::Source {
    medfleet_domain::fact::Source { kind, name: name.to_owned() }
}

fn agent_config(planned: &PlannedAgent, stage: &Stage) -> anyhow::Result<AgentConfig> {
    Ok(AgentConfig {
        id: planned.id.to_string(),
        site: planned.site.to_string(),
        journal: JournalConfig {
            folder: stage.house.agent(planned.id.as_str()),
            capacity_bytes: JOURNAL_CAPACITY_BYTES,
            segment_max_bytes: JOURNAL_SEGMENT_BYTES,
        },
        mqtt: MqttConfig {
            host: stage.broker.host.clone(),
            port: stage.broker.port,
            plain: stage.broker.ca_file.is_none(),
            ca_file: stage.broker.ca_file.clone(),
            password_file: Some(stage.secrets.agent_password(&planned.id)?),
            keep_alive_seconds: 30,
            reconnect_max_seconds: 30,
        },
        batch: BatchConfig::default(),
        clock: ClockConfig::default(),
        status_listen: None,
        source: Vec::new(),
    })
}
