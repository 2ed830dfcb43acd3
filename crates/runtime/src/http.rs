//! The smallest server that answers /metrics, /live and /ready, for roles without a web server of their own.
//!
//! One GET per connection, a limit on everything a stranger could make grow, and no parsing beyond the first line.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::RuntimeError;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// Connections answered at one time; more wait in the system's backlog.
pub const MAX_CONNECTIONS: usize = 16;
/// The head of a request, as long as it may be.
pub const MAX_REQUEST_BYTES: usize = 4 * 1024;
/// From accept to the last byte of the answer.
pub const CONNECTION_LIMIT: Duration = Duration::from_secs(5);

/// Answers until the process is asked to end.
pub async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), RuntimeError> {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let next = async || {
        let permit = Arc::clone(&room).acquire_owned().await;
        (listener.accept().await, permit)
    };
    while let Some((accepted, permit)) = shutdown.unless_requested(next()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(source) if is_the_peers(&source) => continue,
            Err(source) => return Err(RuntimeError::StatusListener { source }),
        };
        let (metrics, health) = (metrics.clone(), health.clone());
        tokio::spawn(async move {
            if !matches!(timeout(CONNECTION_LIMIT, converse(stream, &metrics, &health)).await, Ok(Ok(()))) {
                tracing::debug!("status request was not finished");
            }
            drop(permit);
        });
    }
    Ok(())
}

/// The connection broke before it was taken: no trouble of ours.
fn is_the_peers(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

async fn converse(mut stream: TcpStream, metrics: &Metrics, health: &Health) -> std::io::Result<()> {
    let head = read_head(&mut stream).await?;
    let answer = answer(&head, metrics, health).to_text();
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Reads up to the empty line, the limit or the end, whichever comes first.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    let mut window = stream.take(MAX_REQUEST_BYTES as u64);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if window.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    Ok(head)
}

struct Answer {
    status: &'static str,
    body: String,
}

impl Answer {
    fn new(status: &'static str, body: impl Into<String>) -> Self {
        Self { status, body: body.into() }
    }

    fn to_text(&self) -> String {
        let Self { status, body } = self;
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }
}

fn answer(head: &[u8], metrics: &Metrics, health: &Health) -> Answer {
    let first_line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = std::str::from_utf8(first_line).unwrap_or_default().split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    match (method, target, version) {
        (Some("GET"), Some(target), Some("HTTP/1.1" | "HTTP/1.0")) => match target {
            "/metrics" => metrics.encode().map_or_else(
                |error| Answer::new("500 Internal Server Error", error.to_string()),
                |text| Answer::new("200 OK", text),
            ),
            "/live" => probe(health.is_live(), health),
            "/ready" => probe(health.is_ready(), health),
            _ => Answer::new("404 Not Found", "there are /metrics, /live and /ready\n"),
        },
        (Some(_), Some(_), Some("HTTP/1.1" | "HTTP/1.0")) => {
            Answer::new("405 Method Not Allowed", "only GET is answered\n")
        }
        _ => Answer::new("400 Bad Request", "this is no HTTP request\n"),
    }
}

fn probe(good: bool, health: &Health) -> Answer {
    Answer::new(if good { "200 OK" } else { "503 Service Unavailable" }, health.report())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(request: &[u8], health: &Health) -> &'static str {
        answer(request, &Metrics::default(), health).status
    }

    #[test]
    fn probes_follow_the_health_of_the_roles() {
        let health = Health::new();
        let agent = health.role("agent");
        assert_eq!(status_of(b"GET /ready HTTP/1.1\r\n\r\n", &health), "503 Service Unavailable");
        agent.ready();
        assert_eq!(status_of(b"GET /ready HTTP/1.1\r\n\r\n", &health), "200 OK");
        agent.failed("journal");
        assert_eq!(status_of(b"GET /live HTTP/1.0\r\n\r\n", &health), "503 Service Unavailable");
    }

    #[test]
    fn what_is_not_a_get_is_refused_without_panic() {
        let health = Health::new();
        assert_eq!(status_of(b"POST /metrics HTTP/1.1\r\n\r\n", &health), "405 Method Not Allowed");
        assert_eq!(status_of(b"GET /secret HTTP/1.1\r\n\r\n", &health), "404 Not Found");
        for nonsense in [&b""[..], b"\r\n\r\n", b"GET", b"GET /metrics", b"\xff\xfe\x00 / HTTP/1.1", &[b'A'; 9_000]] {
            assert_eq!(status_of(nonsense, &health), "400 Bad Request");
        }
    }

    #[tokio::test]
    async fn metrics_are_served_over_tcp_until_the_end() {
        let metrics = Metrics::default();
        metrics.room("agent").counter("facts_total", "Facts.").unwrap().inc_by(5);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let server = tokio::spawn(serve(listener, metrics, Health::new(), shutdown.clone()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("medfleet_agent_facts_total 5\n"), "{text}");
        shutdown.request();
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_endless_request_is_cut_at_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        client.write_all(&vec![b'A'; 4 * MAX_REQUEST_BYTES]).await.unwrap();
        assert_eq!(read_head(&mut stream).await.unwrap().len(), MAX_REQUEST_BYTES);
    }
}
