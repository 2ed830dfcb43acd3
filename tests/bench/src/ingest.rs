//! Ingest: simulated agents publish their batches at a real broker and wait for receipts. The role itself runs as its own process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use medfleet_log::kafka::{KafkaConfig, KafkaLog, apply_topics};
use medfleet_log::topics::street;
use medfleet_log::{EventLog, NewRecord, Profile};
use medfleet_wire::{Batch, BatchTopic, FateKind};
use rumqttc::NetworkOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use serde_json::json;

use crate::load::{self, AgentBatch, Load};
use crate::plain_produce;
use crate::rounds::{ROUNDS, Took, Turns, Watch};

/// As the agent keeps them.
const BATCHES_IN_FLIGHT: usize = medfleet_agent::window::MAX_BATCHES_IN_FLIGHT;
const SESSION: u64 = 1;
/// The two change so often within a round: one delivery is short beside the moods of a broker.
const CHANGES_PER_ROUND: usize = 4;
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// For ingest to have learnt the sites.
const WARM_UP_DEADLINE: Duration = Duration::from_secs(30);
const PACKET_MAX_BYTES: u32 = 2 * 1024 * 1024;

#[derive(Args)]
pub struct Options {
    /// Brokers of the log, `HOST:PORT`.
    #[arg(long)]
    kafka: String,
    /// The MQTT broker's door without TLS.
    #[arg(long, default_value = "127.0.0.1")]
    mqtt_host: String,
    #[arg(long)]
    mqtt_port: u16,
    /// `NAME:PASSWORD` lines.
    #[arg(long)]
    credentials: PathBuf,
    /// Only prepares the log and says which agents it takes, one name a line.
    #[arg(long)]
    prepare: bool,
    /// Only the product, so many times: for a profiler.
    #[arg(long)]
    product_only: Option<usize>,
    #[command(flatten)]
    load: load::Options,
}

/// What one agent has to say, in its own order.
#[derive(Clone)]
struct Share {
    agent: String,
    topic: BatchTopic,
    payloads: Vec<Bytes>,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let load = load::simulated(options.load)?;
    let shares = shares(&load.batches);
    if options.prepare {
        return prepare(&options, &load, &shares).await;
    }
    let (facts, records) = (load.batch_facts(), load::fact_records(load.batches.iter().flat_map(|batch| &batch.runs)));
    warm_up(&options, &shares).await?;
    if let Some(times) = options.product_only {
        for _ in 0..times {
            println!("{:.0} facts/s", facts as f64 / product(&options, &shares).await?.seconds);
        }
        return Ok(());
    }
    // Neither side begins with a broker that has not seen its like.
    control(&options, &records).await?;
    let mut turns = Turns::default();
    for _ in 0..ROUNDS {
        let (mut ours, mut plain) = (Took::default(), Took::default());
        for _ in 0..CHANGES_PER_ROUND {
            ours = ours + product(&options, &shares).await?;
            plain = plain + control(&options, &records).await?;
        }
        turns.product.push(ours);
        turns.control.push(plain);
    }
    let beside = json!({ "load": load.size(), "agents": shares.len(), "records": records.len() });
    turns.print("ingest", "batches published to receipts", CHANGES_PER_ROUND as u64 * facts, "facts/s", beside);
    Ok(())
}

async fn product(options: &Options, shares: &[Share]) -> anyhow::Result<Took> {
    let clients = connect(options, shares).await?;
    let watch = Watch::start()?;
    deliver(clients, shares).await?;
    watch.stop()
}

async fn control(options: &Options, records: &[NewRecord]) -> anyhow::Result<Took> {
    let (kafka, records) = (options.kafka.clone(), records.to_vec());
    tokio::task::spawn_blocking(move || plain_produce::produce(&kafka, &records)).await?
}

async fn prepare(options: &Options, load: &Load, shares: &[Share]) -> anyhow::Result<()> {
    let (config, topics) = (KafkaConfig::new(options.kafka.as_str()), street(Profile::Dev)?);
    apply_topics(&config, &topics).await?;
    KafkaLog::open(config, &topics).await?.append(load::fleet_records(load)).await?;
    shares.iter().for_each(|share| println!("{}", share.agent));
    Ok(())
}

fn shares(batches: &[AgentBatch]) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for AgentBatch { agent, site, runs, .. } in batches {
        let place = shares.iter().position(|share| share.agent == agent.as_str()).unwrap_or_else(|| {
            let topic = BatchTopic::new(site.clone(), agent.clone());
            shares.push(Share { agent: agent.as_str().to_owned(), topic, payloads: Vec::new() });
            shares.len() - 1
        });
        let number = shares[place].payloads.len() as u64;
        let (agent, site, runs) = (agent.clone(), site.clone(), runs.clone());
        let batch = Batch { agent, site, session: SESSION, number, runs };
        shares[place].payloads.push(medfleet_wire::encode_batch(&batch).into());
    }
    shares
}

struct Client {
    client: AsyncClient,
    events: EventLoop,
}

/// All agents connected and listening to their receipts.
async fn connect(options: &Options, shares: &[Share]) -> anyhow::Result<Vec<Client>> {
    let credentials = std::fs::read_to_string(&options.credentials)?;
    let mut clients = Vec::new();
    for Share { agent, topic, .. } in shares {
        let password = credentials.lines().find_map(|line| line.strip_prefix(agent)?.strip_prefix(':'));
        let mut mqtt = MqttOptions::new(agent, options.mqtt_host.clone(), options.mqtt_port);
        mqtt.set_credentials(agent, password.with_context(|| format!("{agent} has no password"))?);
        // As the agent does: the client keeps a place for every packet it may have in flight.
        mqtt.set_outgoing_inflight_upper_limit(BATCHES_IN_FLIGHT as u16);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        mqtt.set_network_options(network);
        mqtt.set_keep_alive(KEEP_ALIVE).set_clean_start(true).set_max_packet_size(Some(PACKET_MAX_BYTES));
        let (client, mut events) = AsyncClient::new(mqtt, 2 * BATCHES_IN_FLIGHT);
        client.try_subscribe(topic.receipt().to_string(), QoS::AtLeastOnce)?;
        while !matches!(events.poll().await?, Event::Incoming(Packet::SubAck(_))) {}
        clients.push(Client { client, events });
    }
    Ok(clients)
}

/// Publishes everything; answers how many facts are held once every batch has its receipt.
async fn deliver(clients: Vec<Client>, shares: &[Share]) -> anyhow::Result<usize> {
    let tasks: Vec<_> =
        clients.into_iter().zip(shares.to_vec()).map(|(client, share)| tokio::spawn(client.deliver(share))).collect();
    let mut held = 0;
    for task in tasks {
        held += task.await??;
    }
    Ok(held)
}

impl Client {
    async fn deliver(mut self, share: Share) -> anyhow::Result<usize> {
        let topic = share.topic.to_string();
        let mut waiting = share.payloads.into_iter();
        let (mut in_flight, mut held) = (0, 0);
        loop {
            while in_flight < BATCHES_IN_FLIGHT {
                let Some(payload) = waiting.next() else { break };
                self.client.try_publish(topic.clone(), QoS::AtLeastOnce, false, payload)?;
                in_flight += 1;
            }
            if in_flight == 0 {
                break;
            }
            let Event::Incoming(Packet::Publish(publish)) = self.events.poll().await? else { continue };
            let receipt = medfleet_wire::decode_receipt(&publish.payload)?;
            held += receipt.fates.iter().filter(|fate| fate.kind == FateKind::Held).count();
            let poison = receipt.fates.iter().find(|fate| fate.kind == FateKind::Poison);
            anyhow::ensure!(poison.is_none(), "{} had facts refused: {poison:?}", share.agent);
            in_flight -= 1;
        }
        self.client.try_disconnect()?;
        // The last receipts are acknowledged and the goodbye is sent before the connection is dropped.
        while self.events.poll().await.is_ok() {}
        Ok(held)
    }
}

/// One whole delivery that is not counted, once ingest knows every site.
async fn warm_up(options: &Options, shares: &[Share]) -> anyhow::Result<()> {
    let began = Instant::now();
    while deliver(connect(options, shares).await?, shares).await? > 0 {
        anyhow::ensure!(began.elapsed() < WARM_UP_DEADLINE, "ingest still does not know every site");
    }
    Ok(())
}
