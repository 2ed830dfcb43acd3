//! The link to the broker: MQTT 5 over TLS, QoS 1, one session without memory per connection.
//!
//! The broker keeps nothing for us: every connection starts clean, subscribes to the agent's own receipts, and what had no receipt is
//! sent again. The polling task never waits for anything but the network; what it has to tell goes through a watch and a `try_send`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use medfleet_runtime::{Backoff, Shutdown};
use medfleet_wire::BatchTopic;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Filter, LastWill, Packet, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{mpsc, watch};

use crate::config::MqttConfig;
use crate::error::AgentError;
use crate::metrics::OwnMetrics;
use crate::window::MAX_BATCHES_IN_FLIGHT;

/// Receipts that may wait for the delivery loop; a lost one costs a repeated batch.
pub const RECEIPT_QUEUE_RECEIPTS: usize = 2 * MAX_BATCHES_IN_FLIGHT;
/// The largest packet taken from the broker: a receipt.
pub const MAX_INCOMING_PACKET_BYTES: u32 = medfleet_wire::limits::RECEIPT_MAX_BYTES as u32 + 4 * 1024;
const RECONNECT_FIRST: Duration = Duration::from_millis(200);
const CONNECT_TIMEOUT_SECONDS: u64 = 10;

/// Whether receipts reach us, and which connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkState {
    pub up: bool,
    pub generation: u64,
}

/// The publishing half.
#[derive(Clone)]
pub struct Link {
    client: AsyncClient,
}

impl Link {
    /// Hands a batch to the polling task. True says that it is queued, not that it was sent.
    pub fn publish(&self, topic: &BatchTopic, payload: Vec<u8>) -> bool {
        self.client.try_publish(topic.to_string(), QoS::AtLeastOnce, false, payload).is_ok()
    }

    pub fn disconnect(&self) {
        // Without room for it the connection ends with the process, which is as good.
        let _ = self.client.try_disconnect();
    }
}

/// The polling half.
pub struct Poller {
    events: EventLoop,
    client: AsyncClient,
    /// That of the agent's own site comes first.
    receipt_topics: Vec<String>,
    reconnect_max: Duration,
    state: watch::Sender<LinkState>,
    receipts: mpsc::Sender<Bytes>,
    metrics: OwnMetrics,
}

/// Prepares the link; nothing is connected before [`Poller::run`]. `others` are the topics of sites where the agent stood earlier.
pub fn prepare(
    config: &MqttConfig,
    topic: &BatchTopic,
    others: &[BatchTopic],
    state: watch::Sender<LinkState>,
    receipts: mpsc::Sender<Bytes>,
    metrics: OwnMetrics,
) -> Result<(Link, Poller), AgentError> {
    let (client, events) = AsyncClient::new(options(config, topic)?, 2 * MAX_BATCHES_IN_FLIGHT);
    let receipt_topics = [topic].into_iter().chain(others).map(|topic| topic.receipt().to_string()).collect();
    let reconnect_max = Duration::from_secs(config.reconnect_max_seconds.max(1));
    let link = Link { client: client.clone() };
    Ok((link, Poller { events, client, receipt_topics, reconnect_max, state, receipts, metrics }))
}

impl Poller {
    pub async fn run(mut self, shutdown: Shutdown) {
        let mut backoff = Backoff::new(RECONNECT_FIRST, self.reconnect_max, SmallRng::from_os_rng());
        loop {
            match shutdown.unless_requested(self.events.poll()).await {
                None => break,
                Some(Ok(event)) => {
                    if self.take(event) {
                        backoff.reset();
                    }
                }
                Some(Err(error)) => {
                    self.set_up(false);
                    self.metrics.reconnects.inc();
                    let wait = backoff.next().unwrap_or(self.reconnect_max);
                    tracing::info!(%error, wait_ms = wait.as_millis() as u64, "broker cannot be reached");
                    if shutdown.unless_requested(tokio::time::sleep(wait)).await.is_none() {
                        break;
                    }
                }
            }
        }
        self.say_goodbye().await;
    }

    /// Says whether the link has just come up.
    fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                // The queue was emptied by the reconnect, so there is room; without it the connection would stay silent and be resent.
                let filters = self.receipt_topics.iter().map(|topic| Filter::new(topic.clone(), QoS::AtLeastOnce));
                if self.client.try_subscribe_many(filters).is_err() {
                    tracing::warn!(topics = ?self.receipt_topics, "receipts could not be subscribed, reconnecting");
                    let _ = self.client.try_disconnect();
                }
                false
            }
            Event::Incoming(Packet::SubAck(answer)) => {
                let is_granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
                if !answer.return_codes.iter().all(is_granted) {
                    tracing::error!(topics = ?self.receipt_topics, codes = ?answer.return_codes, "broker refuses the receipts of this agent: check its rights");
                }
                // What is kept of another site then waits; it must not keep the agent's own from travelling.
                let granted = answer.return_codes.first().is_some_and(is_granted);
                self.set_up(granted);
                granted
            }
            Event::Incoming(Packet::Publish(publish)) => {
                if self.receipts.try_send(publish.payload).is_err() {
                    self.metrics.dropped_receipts.inc();
                }
                false
            }
            _ => false,
        }
    }

    fn set_up(&self, up: bool) {
        self.metrics.linked.set(i64::from(up));
        self.state.send_if_modified(|state| {
            let changed = state.up != up || up;
            *state = LinkState { up, generation: state.generation + u64::from(up) };
            changed
        });
    }

    /// Lets what is queued, a goodbye at least, reach the network: without it the broker would publish the last will.
    async fn say_goodbye(&mut self) {
        let _ = self.client.try_disconnect();
        let last_words = async { while self.events.poll().await.is_ok() {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), last_words).await;
    }
}

fn options(config: &MqttConfig, topic: &BatchTopic) -> Result<MqttOptions, AgentError> {
    let agent = topic.agent().as_str();
    let mut options = MqttOptions::new(agent, config.host.clone(), config.port);
    options.set_keep_alive(Duration::from_secs(config.keep_alive_seconds));
    options.set_connection_timeout(CONNECT_TIMEOUT_SECONDS);
    options.set_clean_start(true);
    options.set_outgoing_inflight_upper_limit(MAX_BATCHES_IN_FLIGHT as u16);
    // Small packets go at once: an acknowledgement held back for more to go with it is a batch that waits.
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    let mut properties = ConnectProperties::new();
    properties.max_packet_size = Some(MAX_INCOMING_PACKET_BYTES);
    properties.session_expiry_interval = Some(0);
    options.set_connect_properties(properties);
    // A hint for people who watch the broker. Facts are said by the agent's silence alone.
    let said = topic.to_string();
    let will_topic = format!("{}/will", said.strip_suffix("/batch").unwrap_or(&said));
    options.set_last_will(LastWill::new(will_topic, "lost", QoS::AtMostOnce, false, None));
    if let Some(path) = &config.password_file {
        options.set_credentials(agent, password(path)?);
    }
    if !config.plain {
        let ca_file = config.ca_file.as_deref().unwrap_or(Path::new(""));
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls(ca_file)?))));
    }
    Ok(options)
}

fn password(path: &Path) -> Result<String, AgentError> {
    let file = |source| AgentError::File { what: "password file", path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(file)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Trusts one authority and no other. The crypto provider is named, because a process may hold several.
fn tls(ca_file: &Path) -> Result<ClientConfig, AgentError> {
    let unusable = |source| AgentError::Certificates { path: ca_file.to_owned(), source };
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(ca_file).map_err(|source| AgentError::File {
        what: "ca file",
        path: ca_file.to_owned(),
        source,
    })?;
    for certificate in CertificateDer::pem_slice_iter(&pem).flatten() {
        roots.add(certificate).map_err(unusable)?;
    }
    if roots.is_empty() {
        return Err(AgentError::NoCertificate { path: ca_file.to_owned() });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(unusable)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
