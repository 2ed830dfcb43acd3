//! One POST to a guarded address: no redirect is followed, no name is looked up twice, nothing is waited for without end.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use medfleet_domain::alert::message::Outcome;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::guard::Allowed;
use crate::error::AlerterError;

/// So much of an answer is read, to say why something failed.
const ANSWER_MAX_BYTES: usize = 2_048;
const AGENT: &str = concat!("medfleet/", env!("CARGO_PKG_VERSION"));

#[derive(Clone)]
pub struct Http {
    tls: TlsConnector,
    allowed: Allowed,
}

impl Http {
    /// Trusts what the machine trusts.
    pub fn new(allowed: Allowed) -> Result<Self, AlerterError> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(AlerterError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), allowed })
    }

    /// Posts JSON. Anything but an answer of 2xx is a failure; a redirect and `410 Gone` are refusals.
    pub async fn post(&self, url: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> Outcome {
        match self.attempt(url, headers, body).await {
            Ok((status, _)) if status.is_success() => Outcome::Delivered,
            Ok((status, _)) if status.is_redirection() => {
                Outcome::Refused { reason: format!("{status}: redirects are not followed, name the final address") }
            }
            Ok((status, text)) if status == StatusCode::GONE => {
                Outcome::Refused { reason: format!("{status}: {text}") }
            }
            Ok((status, text)) => Outcome::Failed { reason: format!("{status}: {text}") },
            Err(outcome) => outcome,
        }
    }

    async fn attempt(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<(StatusCode, String), Outcome> {
        let refused = |reason: String| Outcome::Refused { reason };
        let url = Url::parse(url).map_err(|error| refused(format!("`{url}` is no address: {error}")))?;
        let host = url.host_str().ok_or_else(|| refused(format!("`{url}` names no host")))?.to_owned();
        let port = url.port_or_known_default().ok_or_else(|| refused(format!("`{url}` names no port")))?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(refused(format!("`{other}` is not spoken: use https"))),
        };
        let address = self.judged(&host, port, secure).await?;
        let request = request(&url, &host, headers, body).map_err(|error| refused(error.to_string()))?;
        let stream = TcpStream::connect(address).await.map_err(|error| failed("connect", &error))?;
        if !secure {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| refused(format!("`{host}` cannot be certified: {error}")))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| failed("shake hands", &error))?;
        exchange(stream, request).await
    }

    /// The first address of a name that may be reached. Without TLS only those that an operator has named.
    async fn judged(&self, host: &str, port: u16, secure: bool) -> Result<SocketAddr, Outcome> {
        let name = host.trim_matches(['[', ']']);
        let found = tokio::net::lookup_host((name, port)).await.map_err(|error| failed("look the name up", &error))?;
        let may = |address: &SocketAddr| match secure {
            true => self.allowed.reaches(address.ip()),
            false => self.allowed.names(address.ip()),
        };
        let addresses: Vec<SocketAddr> = found.collect();
        addresses.iter().copied().find(may).ok_or_else(|| {
            let cure = if secure { "name its network with --deliver-to" } else { "use https, or name its network" };
            Outcome::Refused { reason: format!("`{host}` leads to {addresses:?}, which may not be reached: {cure}") }
        })
    }
}

fn request(
    url: &Url,
    host: &str,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut request = Request::post(path).header(HOST, host).header(USER_AGENT, AGENT);
    request = request.header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(Full::new(Bytes::from(body)))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, String), Outcome> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed("begin", &error))?;
    // Ends with the sender, which is dropped below.
    tokio::spawn(async move { drop(connection.await) });
    let answer = sender.send_request(request).await.map_err(|error| failed("be answered", &error))?;
    let (status, body) = (answer.status(), Limited::new(answer.into_body(), ANSWER_MAX_BYTES));
    // The status is the answer; a longer body, or one that breaks off, only explains it.
    let text = body.collect().await.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    let plain = |text: String| text.chars().filter(|c| !c.is_control()).take(200).collect();
    Ok((status, text.map_or_else(|_| String::new(), plain)))
}

fn failed(what: &str, error: &dyn std::error::Error) -> Outcome {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    Outcome::Failed { reason: format!("could not {what}: {}", causes.join(": ")) }
}
