//! A line between an agent and a door on which batches of one site are said to be another's. Their runs are left as they are.

use std::path::Path;

use rumqttc::tokio_rustls::TlsConnector;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};

use super::client::client_tls;

/// Listens without TLS for one connection at a time, and says where. Both names must be equally long.
pub async fn relay(ca_file: &Path, door_port: u16, site: &'static str, said: &'static str) -> u16 {
    assert_eq!(site.len(), said.len());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connector = TlsConnector::from(client_tls(ca_file));
    tokio::spawn(async move {
        while let Ok((agent, _)) = listener.accept().await {
            let door = TcpStream::connect(("127.0.0.1", door_port)).await.unwrap();
            let door = connector.connect(ServerName::try_from("localhost").unwrap(), door).await.unwrap();
            let ((mut from_agent, mut to_agent), (mut from_door, mut to_door)) = (split(agent), split(door));
            tokio::select! {
                () = pass(&mut from_agent, &mut to_door, site, said) => {}
                _ = copy(&mut from_door, &mut to_agent) => {}
            }
        }
    });
    port
}

async fn pass(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin), site: &str, said: &str) {
    let topic = |site: &str| format!("medfleet/v1/{site}/").into_bytes();
    // Field 3 of a batch is its site; that of a run is field 4.
    let field = |site: &str| [&[3 << 3 | 2, site.len() as u8], site.as_bytes()].concat();
    let mut piece = vec![0; 1 << 20];
    while let Ok(bytes @ 1..) = from.read(&mut piece).await {
        replace(&mut piece[..bytes], &topic(site), &topic(said));
        replace(&mut piece[..bytes], &field(site), &field(said));
        if to.write_all(&piece[..bytes]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    for at in 0..bytes.len().saturating_sub(old.len() - 1) {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    }
}
