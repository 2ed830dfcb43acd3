//! The external MQTT door: a subscriber at Mosquitto or EMQX that acknowledges by hand, after the append.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use medfleet_runtime::Shutdown;
use medfleet_wire::{BatchTopic, SHARD_COUNT, Shard};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Filter, Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::admitter::Admitter;
use crate::clock::now;
use crate::error::IngestError;
use crate::meters::Meters;

/// Publishes the broker may send before the first is acknowledged; the queue below never holds more.
const RECEIVE_MAXIMUM_MESSAGES: u16 = 128;
/// Batches judged and appended at once.
const WORKERS: usize = 16;
const PACKET_MAX_BYTES: u32 = medfleet_wire::limits::BATCH_MAX_BYTES as u32 + 16 * 1024;
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// The broker keeps our session so long: a short absence loses no place in the queue.
const SESSION_EXPIRY_SECONDS: u32 = 3_600;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where the broker is, and which shards this process owns.
#[derive(Debug, Clone)]
pub struct ExternalDoor {
    pub host: String,
    pub port: u16,
    /// The authority that signed the broker's certificate; none for a plain connection.
    pub ca_pem: Option<Vec<u8>>,
    pub user: Option<(String, String)>,
    pub first_shard: u8,
    pub last_shard: u8,
}

/// A publish with the connection it came on: its packet id means nothing on another.
struct Arrived {
    generation: u64,
    publish: Publish,
}

impl ExternalDoor {
    pub async fn run(self, admitter: Admitter, meters: Meters, shutdown: Shutdown) -> Result<(), IngestError> {
        let (first, last) = (self.first_shard, self.last_shard);
        if first > last || last >= SHARD_COUNT {
            return Err(IngestError::Shards { first, last });
        }
        let (client, events) = AsyncClient::new(self.options(), usize::from(RECEIVE_MAXIMUM_MESSAGES) * 4);
        let (queue, arrivals) = mpsc::channel(usize::from(RECEIVE_MAXIMUM_MESSAGES));
        let generation = Arc::new(AtomicU64::new(0));
        let arrivals = Arc::new(Mutex::new(arrivals));
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let (admitter, meters) = (admitter.clone(), meters.clone());
            let (client, arrivals, generation) = (client.clone(), Arc::clone(&arrivals), Arc::clone(&generation));
            workers.spawn(async move { work(&admitter, &meters, &client, &arrivals, &generation).await });
        }
        let filters: Vec<Filter> = Shard::all()
            .filter(|shard| (first..=last).contains(&shard.number()))
            .map(|shard| Filter::new(shard.batch_filter(), QoS::AtLeastOnce))
            .collect();
        poll(events, &client, filters, &queue, &generation, &meters, &shutdown).await;
        workers.abort_all();
        Ok(())
    }

    fn options(&self) -> MqttOptions {
        let name = format!("medfleet-ingest-{}-{}", self.first_shard, self.last_shard);
        let mut options = MqttOptions::new(name, self.host.clone(), self.port);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_clean_start(false);
        options.set_manual_acks(true);
        let mut properties = ConnectProperties::new();
        properties.receive_maximum = Some(RECEIVE_MAXIMUM_MESSAGES);
        properties.max_packet_size = Some(PACKET_MAX_BYTES);
        properties.session_expiry_interval = Some(SESSION_EXPIRY_SECONDS);
        options.set_connect_properties(properties);
        if let Some((name, password)) = &self.user {
            options.set_credentials(name, password);
        }
        if let Some(ca) = &self.ca_pem {
            let tls = TlsConfiguration::Simple { ca: ca.clone(), alpn: None, client_auth: None };
            options.set_transport(Transport::tls_with_config(tls));
        }
        options
    }
}

/// Drives the connection and never waits for anything but the network.
async fn poll(
    mut events: EventLoop,
    client: &AsyncClient,
    filters: Vec<Filter>,
    queue: &mpsc::Sender<Arrived>,
    generation: &AtomicU64,
    meters: &Meters,
    shutdown: &Shutdown,
) {
    loop {
        match shutdown.unless_requested(events.poll()).await {
            None => return,
            Some(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                generation.fetch_add(1, Ordering::SeqCst);
                // Subscribing again is harmless where the session was kept, and needed where it was not.
                if client.try_subscribe_many(filters.clone()).is_err() {
                    tracing::warn!("subscription could not be queued, reconnecting");
                    let _ = client.try_disconnect();
                }
            }
            Some(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                let arrived = Arrived { generation: generation.load(Ordering::SeqCst), publish };
                if queue.try_send(arrived).is_err() {
                    // Left without acknowledgement: the agent's own timer sends it again.
                    meters.busy_refusals.inc();
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::warn!(%error, "broker cannot be reached");
                if shutdown.unless_requested(tokio::time::sleep(RECONNECT_PAUSE)).await.is_none() {
                    return;
                }
            }
        }
    }
}

async fn work(
    admitter: &Admitter,
    meters: &Meters,
    client: &AsyncClient,
    arrivals: &Mutex<mpsc::Receiver<Arrived>>,
    generation: &AtomicU64,
) {
    loop {
        let next = arrivals.lock().await.recv().await;
        let Some(Arrived { generation: arrived_on, publish }) = next else { return };
        if !take(admitter, meters, client, &publish).await {
            continue;
        }
        if generation.load(Ordering::SeqCst) == arrived_on && client.try_ack(&publish).is_err() {
            meters.receipts_unsent.inc();
        }
    }
}

/// Append, then receipt. False leaves the publish unacknowledged.
async fn take(admitter: &Admitter, meters: &Meters, client: &AsyncClient, publish: &Publish) -> bool {
    let topic = String::from_utf8_lossy(&publish.topic);
    match admitter.batch(&topic, &publish.payload, now()).await {
        Ok(Some(receipt)) => {
            let Ok(parsed) = BatchTopic::parse(&topic) else { return true };
            let payload = medfleet_wire::encode_receipt(&receipt);
            if client.try_publish(parsed.receipt().to_string(), QoS::AtLeastOnce, false, payload).is_err() {
                meters.receipts_unsent.inc();
                return false;
            }
            true
        }
        Ok(None) => true,
        Err(error) => {
            tracing::error!(%topic, %error, "batch not taken");
            false
        }
    }
}
