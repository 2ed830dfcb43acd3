//! The embedded MQTT door: a broker inside ingest that sends PUBACK only after the append.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use medfleet_domain::id::AgentId;
use medfleet_domain::time::Timestamp;
use medfleet_runtime::{Shutdown, now_micros};
use medfleet_wire::{BatchTopic, ReceiptTopic};
use mqtt5::QoS;
use mqtt5::broker::config::{BrokerConfig, StorageConfig, TlsConfig};
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::{AuthProvider, AuthResult, BrokerEventHandler, ClientPublishEvent, MqttBroker, PublishAction};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::packet::publish::PublishPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;
use tokio::sync::Semaphore;

use crate::admitter::Admitter;
use crate::error::IngestError;
use crate::meters::Meters;

/// Agents connected at once.
const CLIENTS_MAX: usize = 4_096;
/// Unacknowledged publishes per agent; the broker handles one at a time anyway.
const RECEIVE_MAXIMUM_MESSAGES: u16 = 64;
/// Batches being judged or appended at once, over all agents.
const IN_FLIGHT_MAX_BATCHES: usize = 256;
/// How long a publish may wait for its turn before it is let go without a receipt.
const TURN_WAIT_MAX: Duration = Duration::from_secs(20);
/// A packet is a batch, its topic and properties.
const PACKET_MAX_BYTES: usize = medfleet_wire::limits::BATCH_MAX_BYTES + 16 * 1024;
/// What the will of an agent is published on: a hint for people, never a fact.
const WILL_SUFFIX: &str = "/will";
/// Where a publish goes that must not be acknowledged. No filter that the rights allow matches it.
const REFUSED_TOPIC: &str = "medfleet/refused";

/// Where the door stands and who may pass.
#[derive(Debug, Clone)]
pub struct EmbeddedDoor {
    pub listen: SocketAddr,
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    pub passwords: Passwords,
}

/// Password of each agent, by name.
#[derive(Clone, Default)]
pub struct Passwords(Arc<BTreeMap<AgentId, String>>);

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Passwords({} agents)", self.0.len())
    }
}

impl Passwords {
    pub fn new(passwords: impl IntoIterator<Item = (AgentId, String)>) -> Self {
        Self(Arc::new(passwords.into_iter().collect()))
    }

    /// Reads `name:password` lines; empty lines and `#` comments are skipped.
    pub fn read(path: &std::path::Path) -> Result<Self, IngestError> {
        let shown = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| IngestError::Secrets { path: shown(), source })?;
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let parsed = lines.map(|(number, line)| {
            let pair = line.split_once(':').and_then(|(name, password)| Some((AgentId::new(name).ok()?, password)));
            let (name, password) = pair.ok_or_else(|| IngestError::SecretsLine { path: shown(), line: number })?;
            Ok((name, password.to_owned()))
        });
        Ok(Self::new(parsed.collect::<Result<Vec<_>, IngestError>>()?))
    }

    fn admits(&self, name: &str, password: &[u8]) -> bool {
        let known = AgentId::new(name).ok().and_then(|agent| self.0.get(&agent));
        known.is_some_and(|known| equal_in_constant_time(known.as_bytes(), password))
    }
}

fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (x, y)| differs | (x ^ y)) == 0
}

/// A broker that listens and is not yet running.
pub struct OpenDoor {
    broker: MqttBroker,
    address: SocketAddr,
}

impl EmbeddedDoor {
    /// Binds the port. Agents can connect once [`OpenDoor::run`] is polled.
    pub async fn open(&self, admitter: Admitter, meters: Meters) -> Result<OpenDoor, IngestError> {
        let router = Arc::new(OnceLock::new());
        let handler = Handler {
            admitter,
            meters: meters.clone(),
            router: Arc::clone(&router),
            turns: Semaphore::new(IN_FLIGHT_MAX_BATCHES),
        };
        let tls = TlsConfig::new(self.certificate_file.clone(), self.key_file.clone());
        let config = BrokerConfig::new()
            .with_bind_addresses(Vec::new())
            .with_tls(tls.with_bind_address(self.listen))
            .with_max_clients(CLIENTS_MAX)
            .with_max_packet_size(PACKET_MAX_BYTES)
            .with_maximum_qos(1)
            .with_retain_available(false)
            .with_sys_topics_enabled(false)
            .with_server_receive_maximum(RECEIVE_MAXIMUM_MESSAGES)
            .with_storage(StorageConfig::new().with_persistence(false))
            .with_event_handler(Arc::new(handler));
        let failed = |source| IngestError::Door { address: self.listen.to_string(), source: Box::new(source) };
        crate::crypto::name_provider();
        let broker = MqttBroker::with_config(config).await.map_err(failed)?;
        let broker = broker.with_auth_provider(Arc::new(Doorkeeper { passwords: self.passwords.clone(), meters }));
        // Set once, here; the handler cannot be called before the broker runs.
        let _ = router.set(broker.router());
        // A port that is taken only disables TLS in this broker, with a warning; for us it is the end.
        let taken = || failed(mqtt5::MqttError::Configuration("the port could not be bound".into()));
        let address = broker.tls_local_addr().ok_or_else(taken)?;
        Ok(OpenDoor { broker, address })
    }
}

impl OpenDoor {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn run(mut self, shutdown: Shutdown) -> Result<(), IngestError> {
        let stop = self.broker.shutdown_handle();
        let address = self.address.to_string();
        let asked = async {
            shutdown.requested().await;
            stop.shutdown();
        };
        let (served, ()) = tokio::join!(self.broker.run(), asked);
        served.map_err(|source| IngestError::Door { address, source: Box::new(source) })
    }
}

/// Takes every publish before the broker acknowledges it, and routes none of them.
struct Handler {
    admitter: Admitter,
    meters: Meters,
    router: Arc<OnceLock<Arc<MessageRouter>>>,
    turns: Semaphore,
}

impl Handler {
    /// Append, then receipt; the caller's PUBACK comes last. False says that nothing may be acknowledged.
    async fn take(&self, event: &ClientPublishEvent) -> bool {
        // Anything else that the rights allow is a hint and goes nowhere.
        let Ok(topic) = BatchTopic::parse(&event.topic) else { return true };
        let Ok(Ok(_turn)) = tokio::time::timeout(TURN_WAIT_MAX, self.turns.acquire()).await else {
            self.meters.busy_refusals.inc();
            return false;
        };
        match self.admitter.batch(&event.topic, &event.payload, Timestamp(now_micros())).await {
            Ok(Some(receipt)) => {
                self.send(&topic, medfleet_wire::encode_receipt(&receipt)).await;
                true
            }
            Ok(None) => true,
            Err(error) => {
                tracing::error!(agent = %topic.agent(), %error, "batch not taken");
                false
            }
        }
    }

    async fn send(&self, topic: &BatchTopic, receipt: Vec<u8>) {
        let packet = PublishPacket::new(topic.receipt().to_string(), Bytes::from(receipt), QoS::AtLeastOnce);
        match self.router.get() {
            Some(router) => router.route_message(&packet, None).await,
            None => self.meters.receipts_unsent.inc(),
        }
    }

    /// Ends the connection instead of acknowledging: an unanswered publish would hold one of the agent's places in flight for ever.
    async fn turn_away(&self, client_id: &str) -> PublishAction {
        if let Some(router) = self.router.get() {
            router.disconnect_client(client_id).await;
        }
        // The broker knows no refusal of a publish; one of QoS 0 to a topic that nobody may hear is the same without PUBACK.
        PublishAction::Transform(PublishPacket::new(REFUSED_TOPIC, Bytes::new(), QoS::AtMostOnce))
    }
}

impl BrokerEventHandler for Handler {
    fn on_client_publish<'a>(
        &'a self,
        event: ClientPublishEvent,
    ) -> Pin<Box<dyn Future<Output = PublishAction> + Send + 'a>> {
        Box::pin(async move {
            match self.take(&event).await {
                true => PublishAction::Handled,
                false => self.turn_away(&event.client_id).await,
            }
        })
    }
}

/// An agent's name is its user name; it may say its own batches and hear its own receipts, nothing else.
struct Doorkeeper {
    passwords: Passwords,
    meters: Meters,
}

fn answer<'a, T: Send + 'a>(value: T) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(std::future::ready(value))
}

impl AuthProvider for Doorkeeper {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        client: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = mqtt5::Result<AuthResult>> + Send + 'a>> {
        let name = connect.username.as_deref().unwrap_or_default();
        let password = connect.password.as_deref().unwrap_or_default();
        // A session belongs to a client id: under another agent's one, it could end that agent's session and hear its receipts.
        if connect.client_id == name && self.passwords.admits(name, password) {
            return answer(Ok(AuthResult::success_with_user(name)));
        }
        self.meters.refused_clients.inc();
        tracing::warn!(%client, "connection with a wrong name or password");
        answer(Ok(AuthResult::fail(ReasonCode::BadUsernameOrPassword)))
    }

    fn authorize_publish<'a>(
        &'a self,
        _client_id: &str,
        user_id: Option<&'a str>,
        topic: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        let batch = topic.strip_suffix(WILL_SUFFIX).map(|stem| format!("{stem}/batch"));
        let said = BatchTopic::parse(batch.as_deref().unwrap_or(topic));
        answer(said.is_ok_and(|topic| Some(topic.agent().as_str()) == user_id))
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _client_id: &str,
        user_id: Option<&'a str>,
        topic_filter: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        let heard = ReceiptTopic::parse(topic_filter);
        answer(heard.is_ok_and(|topic| Some(topic.agent().as_str()) == user_id))
    }
}
