//! A client of the MQTT doors that says what it likes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use medfleet_wire::{Receipt, decode_receipt};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::timeout;

use super::PATIENCE;

/// A client that says what it likes.
pub struct Client {
    client: AsyncClient,
    events: EventLoop,
}

pub fn client_tls(ca_file: &Path) -> Arc<ClientConfig> {
    let pem = std::fs::read(ca_file).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Client {
    pub fn new(ca_file: &Path, port: u16, client_id: &str, user: &str, password: &str) -> Self {
        let mut options = MqttOptions::new(client_id, "localhost", port);
        options.set_credentials(user, password);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(client_tls(ca_file))));
        options.set_keep_alive(Duration::from_secs(60));
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options.set_network_options(network);
        let (client, events) = AsyncClient::new(options, 16);
        Self { client, events }
    }

    pub async fn subscribe(&mut self, filter: &str) -> SubscribeReasonCode {
        self.client.try_subscribe(filter, QoS::AtLeastOnce).unwrap();
        self.until(|packet| match packet {
            Packet::SubAck(answer) => Some(answer.return_codes[0]),
            _ => None,
        })
        .await
    }

    pub async fn say(&mut self, topic: &str, payload: Vec<u8>) {
        self.client.try_publish(topic, QoS::AtLeastOnce, false, payload).unwrap();
    }

    pub async fn acknowledged(&mut self) -> PubAckReason {
        self.until(|packet| if let Packet::PubAck(answer) = packet { Some(answer.reason) } else { None }).await
    }

    pub async fn receipt(&mut self) -> Receipt {
        self.until(|packet| {
            if let Packet::Publish(publish) = packet { Some(decode_receipt(&publish.payload).unwrap()) } else { None }
        })
        .await
    }

    async fn until<T>(&mut self, mut wanted: impl FnMut(Packet) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Event::Incoming(packet) = self.events.poll().await.unwrap() {
                    if let Some(found) = wanted(packet) {
                        return found;
                    }
                }
            }
        };
        timeout(PATIENCE, found).await.expect("an answer from the door")
    }

    /// Why the connection ends.
    pub async fn end(&mut self) -> ConnectionError {
        let ended = async {
            loop {
                if let Err(error) = self.events.poll().await {
                    return error;
                }
            }
        };
        timeout(PATIENCE, ended).await.expect("the door ends the connection")
    }
}
