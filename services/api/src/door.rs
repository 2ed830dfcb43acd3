//! The listening socket: a limit on connections, and TLS where a certificate is given.
//!
//! Handshakes run in tasks of their own, so that a peer who never finishes one keeps nobody else waiting.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use medfleet_runtime::TlsFiles;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::ApiError;
use crate::meters::Meters;

/// Connections open at one time; more wait in the system's backlog.
pub const CONNECTIONS_MAX: usize = 1_024;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Connections that shook hands and wait to be served.
const GREETED_MAX: usize = 16;
/// After an accept that failed for want of a file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Hands out connections that are ready to be served.
pub struct Door {
    greeted: mpsc::Receiver<(Stream, SocketAddr)>,
    address: SocketAddr,
}

impl Door {
    pub async fn open(address: SocketAddr, tls: Option<&TlsFiles>, meters: Meters) -> Result<Self, ApiError> {
        let acceptor = tls.map(TlsFiles::acceptor).transpose()?;
        let failed = |source| ApiError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (sender, greeted) = mpsc::channel(GREETED_MAX);
        tokio::spawn(receive(listener, acceptor, meters, sender));
        Ok(Self { greeted, address })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listener for Door {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self.greeted.recv().await {
            Some(connection) => connection,
            // The receiver ends only with the runtime.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn receive(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    meters: Meters,
    greeted: mpsc::Sender<(Stream, SocketAddr)>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = greeted.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, greeted, meters) = (acceptor.clone(), greeted.clone(), meters.clone());
        tokio::spawn(async move {
            match greet(stream, acceptor).await {
                Ok(wire) => drop(greeted.send((Stream { wire, _permit: permit }, peer)).await),
                Err(error) => {
                    meters.refused_connections.inc();
                    tracing::debug!(%error, "handshake failed");
                }
            }
        });
    }
}

async fn greet(stream: TcpStream, acceptor: Option<TlsAcceptor>) -> io::Result<Wire> {
    stream.set_nodelay(true)?;
    let Some(acceptor) = acceptor else { return Ok(Wire::Plain(stream)) };
    let greeted = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await;
    greeted.map_err(io::Error::from)?.map(|tls| Wire::Tls(Box::new(tls)))
}

/// A connection, plain or encrypted, that gives its place back when it ends.
pub struct Stream {
    wire: Wire,
    _permit: OwnedSemaphorePermit,
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Calls the same method on whichever stream this is.
macro_rules! on_wire {
    ($self:ident, $wire:ident => $call:expr) => {
        match &mut $self.get_mut().wire {
            Wire::Plain($wire) => {
                let $wire = Pin::new($wire);
                $call
            }
            Wire::Tls($wire) => {
                let $wire = Pin::new($wire.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_wire!(self, wire => wire.poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        on_wire!(self, wire => wire.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_wire!(self, wire => wire.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_wire!(self, wire => wire.poll_shutdown(cx))
    }
}
