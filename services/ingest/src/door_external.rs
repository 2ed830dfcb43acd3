//! The external MQTT door: a subscriber at Mosquitto or EMQX that acknowledges by hand, after the append.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use medfleet_domain::time::Timestamp;
use medfleet_runtime::{Backoff, Shutdown, now_micros};
use medfleet_wire::{BatchTopic, SHARD_COUNT, Shard};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Filter, Packet, Publish};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::admitter::Admitter;
use crate::error::IngestError;
use crate::meters::Meters;

/// Publishes the broker may send before the first is acknowledged. Not every broker keeps to it: Mosquitto 2.0.11 sends all it has.
const RECEIVE_MAXIMUM_MESSAGES: u16 = 128;
/// Batches judged and appended at once: as many as our configuration of a broker lets it send unacknowledged, since a record waits
/// in Kafka for those before it and the next batch need not.
const WORKERS: usize = 64;
const PACKET_MAX_BYTES: u32 = medfleet_wire::limits::BATCH_MAX_BYTES as u32 + 16 * 1024;
/// Arrivals that wait for a worker: those of a connection that has just ended, and those of the next.
const ARRIVAL_QUEUE_MESSAGES: usize = 2 * RECEIVE_MAXIMUM_MESSAGES as usize;
/// How long the connection is not read while that queue is full, so that the broker keeps what we cannot take. Well below the
/// keep-alive, and past it the connection ends: workers that wait for the network would wait for each other.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(5);
/// Receipts and acknowledgements that wait for the network: two for each batch that our configuration lets a broker keep, and more. Our
/// client sends one of them for ten packets that it reads, so that all of a flood may wait here. Were there less room, workers would
/// wait for it, arrivals for workers, and the client, which alone makes room, for arrivals.
const REQUEST_QUEUE_REQUESTS: usize = 262_144;
/// Receipts that wait for the network or for the broker's word. Nobody waits for room here, for the same reason: a receipt that has none is
/// let go and counted, and its agent sends the batch again.
const RECEIPTS_MAX_BYTES: usize = 128 * 1024 * 1024;
/// What the client keeps of a receipt besides its payload.
const RECEIPT_BESIDES_BYTES: usize = 512;
const RECONNECT_FIRST: Duration = Duration::from_millis(200);
const RECONNECT_MAX: Duration = Duration::from_secs(10);
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

/// The client, and which connection it is on.
struct Connection {
    client: AsyncClient,
    /// Bytes that receipts may still take.
    room: Arc<Semaphore>,
    generation: RwLock<u64>,
    /// This connection is to end.
    is_over: AtomicBool,
    over: Notify,
}

/// A receipt and its room, which is free again when the client has let go of it.
struct Waiting {
    receipt: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Waiting {
    fn as_ref(&self) -> &[u8] {
        &self.receipt
    }
}

impl Connection {
    fn new(client: AsyncClient) -> Self {
        let room = Arc::new(Semaphore::new(RECEIPTS_MAX_BYTES));
        Self { client, room, generation: RwLock::default(), is_over: AtomicBool::default(), over: Notify::new() }
    }

    /// Hands a receipt to the client. A worker may wait for a place in its queue. False says that it was let go.
    async fn answer(&self, topic: String, receipt: Vec<u8>) -> bool {
        let bytes = u32::try_from(receipt.len() + RECEIPT_BESIDES_BYTES).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else { return false };
        let payload = Bytes::from_owner(Waiting { receipt, _room: room });
        self.client.publish_bytes(topic, QoS::AtLeastOnce, false, payload).await.is_ok()
    }

    fn generation(&self) -> u64 {
        *self.generation.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection, or the end of one: acknowledgements of the last are void.
    fn begin(&self) {
        let mut generation = self.generation.write().unwrap_or_else(PoisonError::into_inner);
        *generation += 1;
        self.is_over.store(false, Relaxed);
    }

    /// Acknowledges only on the connection the publish came on. The lock keeps that connection from ending in between.
    fn acknowledge(&self, arrived: &Arrived) {
        let generation = self.generation.read().unwrap_or_else(PoisonError::into_inner);
        let refused = *generation == arrived.generation && self.client.try_ack(&arrived.publish).is_err();
        drop(generation);
        if refused {
            self.start_over(arrived.generation);
        }
    }

    /// An unacknowledged publish holds one of our places at the broker until the connection ends; then the broker sends it again.
    /// Nothing is asked of the queue to the broker, which may be why.
    fn start_over(&self, from: u64) {
        let generation = self.generation.read().unwrap_or_else(PoisonError::into_inner);
        if *generation == from {
            self.is_over.store(true, Relaxed);
            self.over.notify_one();
        }
    }

    /// Waits until this connection is to end.
    async fn over(&self) {
        while !self.is_over.load(Relaxed) {
            self.over.notified().await;
        }
    }
}

impl ExternalDoor {
    pub async fn run(self, admitter: Admitter, meters: Meters, shutdown: Shutdown) -> Result<(), IngestError> {
        let (first, last) = (self.first_shard, self.last_shard);
        if first > last || last >= SHARD_COUNT {
            return Err(IngestError::Shards { first, last });
        }
        crate::crypto::name_provider();
        let (client, events) = AsyncClient::new(self.options(), REQUEST_QUEUE_REQUESTS);
        let (queue, arrivals) = mpsc::channel(ARRIVAL_QUEUE_MESSAGES);
        let connection = Arc::new(Connection::new(client));
        let arrivals = Arc::new(Mutex::new(arrivals));
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let (admitter, meters) = (admitter.clone(), meters.clone());
            let (connection, arrivals) = (Arc::clone(&connection), Arc::clone(&arrivals));
            workers.spawn(async move { work(&admitter, &meters, &connection, &arrivals).await });
        }
        Poller { events, filters: self.filters(), connection, queue, meters }.run(&shutdown).await;
        workers.abort_all();
        Ok(())
    }

    fn filters(&self) -> Vec<Filter> {
        let owned = |shard: &Shard| (self.first_shard..=self.last_shard).contains(&shard.number());
        Shard::all().filter(owned).map(|shard| Filter::new(shard.batch_filter(), QoS::AtLeastOnce)).collect()
    }

    fn options(&self) -> MqttOptions {
        let name = format!("medfleet-ingest-{}-{}", self.first_shard, self.last_shard);
        let mut options = MqttOptions::new(name, self.host.clone(), self.port);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_clean_start(false);
        options.set_manual_acks(true);
        // The client keeps a place for every packet it may have in flight.
        options.set_outgoing_inflight_upper_limit(RECEIVE_MAXIMUM_MESSAGES);
        // Small packets go at once: a receipt held back for more to go with it is a batch that waits.
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options.set_network_options(network);
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

/// Drives the connection. It waits for the network, and for room where a broker sends more than we asked for.
struct Poller {
    events: EventLoop,
    filters: Vec<Filter>,
    connection: Arc<Connection>,
    queue: mpsc::Sender<Arrived>,
    meters: Meters,
}

impl Poller {
    async fn run(mut self, shutdown: &Shutdown) {
        let mut pauses = Backoff::new(RECONNECT_FIRST, RECONNECT_MAX, SmallRng::from_os_rng());
        while let Some(polled) = shutdown.unless_requested(self.next_event()).await {
            match polled {
                Ok(Some(event)) => {
                    if self.take(event).await {
                        pauses.reset();
                    }
                }
                Ok(None) => {
                    tracing::warn!("starting over, so that the broker sends again what was not acknowledged");
                    self.end_connection();
                }
                Err(error) => {
                    tracing::warn!(%error, "broker cannot be reached");
                    self.end_connection();
                    let pause = pauses.next().unwrap_or(RECONNECT_MAX);
                    if shutdown.unless_requested(tokio::time::sleep(pause)).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// None when the connection is to end. What the client is in the middle of then ends with it.
    async fn next_event(&mut self) -> Result<Option<Event>, ConnectionError> {
        tokio::select! {
            biased;
            () = self.connection.over() => Ok(None),
            event = self.events.poll() => event.map(Some),
        }
    }

    /// Receipts that wait go out on the next connection. Acknowledgements do not: there they would answer other messages.
    fn end_connection(&mut self) {
        self.meters.broker_reconnects.inc();
        self.connection.begin();
        self.events.clean();
    }

    /// Says whether a connection has just begun.
    async fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                self.connection.begin();
                // Subscribing again is harmless where the session was kept, and needed where it was not.
                if self.connection.client.try_subscribe_many(self.filters.clone()).is_err() {
                    self.connection.start_over(self.connection.generation());
                }
                true
            }
            Event::Incoming(Packet::Publish(publish)) => {
                let generation = self.connection.generation();
                if self.queue.send_timeout(Arrived { generation, publish }, ROOM_WAIT_MAX).await.is_err() {
                    self.meters.busy_refusals.inc();
                    self.connection.start_over(generation);
                }
                false
            }
            _ => false,
        }
    }
}

async fn work(
    admitter: &Admitter,
    meters: &Meters,
    connection: &Connection,
    arrivals: &Mutex<mpsc::Receiver<Arrived>>,
) {
    loop {
        let next = arrivals.lock().await.recv().await;
        let Some(arrived) = next else { return };
        if arrived.generation != connection.generation() {
            meters.stale_arrivals.inc();
            continue;
        }
        match take(admitter, meters, connection, &arrived.publish).await {
            true => connection.acknowledge(&arrived),
            false => connection.start_over(arrived.generation),
        }
    }
}

/// Append, then receipt. False says that nothing may be acknowledged.
async fn take(admitter: &Admitter, meters: &Meters, connection: &Connection, publish: &Publish) -> bool {
    let topic = String::from_utf8_lossy(&publish.topic);
    match admitter.batch(&topic, &publish.payload, Timestamp(now_micros())).await {
        Ok(Some(receipt)) => {
            let Ok(parsed) = BatchTopic::parse(&topic) else { return true };
            let payload = medfleet_wire::encode_receipt(&receipt);
            // A receipt that gets lost costs a repeated batch.
            let is_on_its_way = connection.answer(parsed.receipt().to_string(), payload).await;
            meters.receipts_unsent.inc_by(u64::from(!is_on_its_way));
            true
        }
        Ok(None) => true,
        Err(error) => {
            tracing::error!(%topic, %error, "batch not taken");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use medfleet_wire::limits::RECEIPT_MAX_BYTES;

    use super::*;

    /// Their number alone was limited once, and let a quarter of a terabyte wait.
    #[tokio::test]
    async fn receipts_that_wait_take_no_more_memory_than_this_and_give_it_back() {
        let (client, events) = AsyncClient::new(MqttOptions::new("ingest", "localhost", 1), REQUEST_QUEUE_REQUESTS);
        let connection = Connection::new(client);
        let fit = RECEIPTS_MAX_BYTES / (RECEIPT_MAX_BYTES + RECEIPT_BESIDES_BYTES);
        for number in 0..2 * fit {
            let on_its_way = connection.answer("medfleet/v1/a/0/b/receipt".into(), vec![0; RECEIPT_MAX_BYTES]).await;
            assert_eq!(on_its_way, number < fit, "receipt {number}");
        }
        assert!(connection.answer("medfleet/v1/a/0/b/receipt".into(), vec![0; 100]).await, "a small one has room");
        let room = Arc::clone(&connection.room);
        drop((events, connection));
        assert_eq!(room.available_permits(), RECEIPTS_MAX_BYTES);
    }
}
