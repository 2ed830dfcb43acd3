//! One connection from its first byte to its last: TLS or the refusal of plain text, then message after message, each
//! with its time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{SinkExt as _, StreamExt as _};
use pgwire::api::{DefaultClient, NoopHandler, PgWireConnectionState};
use pgwire::error::{ErrorInfo, PgWireError};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::{PgWireMessageServerCodec, process_error, process_message};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::codec::Framed;

use crate::config::LOGIN_MESSAGE_MAX_BYTES;
use crate::frames::Bounded;
use crate::house::House;
use crate::prepared::Prepared;
use crate::refusal::Refusal;
use crate::refusal::sqlstate::{
    IDLE_IN_TRANSACTION, IDLE_SESSION, PROTOCOL_VIOLATION, TLS_REQUIRED, TOO_MANY_CONNECTIONS,
};
use crate::run::{Run, ending};
use crate::session::Session;

const HEAD_BYTES: usize = 8;
const CANCEL_CODE: u32 = 80_877_102;
const TLS_CODE: u32 = 80_877_103;
const GSS_CODE: u32 = 80_877_104;
/// A client asks for encryption of both sorts at most.
const ASKS_MAX: usize = 4;
/// For an answer's rest to leave, after its statement was stopped.
const FAREWELL: Duration = Duration::from_secs(5);

type Wire<S> = Framed<Bounded<S>, PgWireMessageServerCodec<Arc<Prepared>>>;

/// Serves one peer.
pub async fn serve(house: Arc<House>, tls: Option<TlsAcceptor>, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let login_ends = Instant::now() + Duration::from_secs(house.config.limits.login_seconds);
    let (head, mut stream, secure) = timeout_at(login_ends, greet(stream, tls.as_ref())).await??;
    match stream {
        Peer::Tls(stream) => converse(house, wire_of(*stream, head, peer, true), login_ends).await,
        Peer::Plain(ref mut plain) if tls.is_some() && code_of(&head) != CANCEL_CODE => {
            assert!(!secure, "a plain stream has no TLS");
            let refusal =
                Refusal::fatal(TLS_REQUIRED, "this endpoint speaks TLS only", "connect with sslmode=verify-full");
            refuse(&house, plain, refusal).await
        }
        Peer::Plain(stream) => converse(house, wire_of(stream, head, peer, false), login_ends).await,
    }
}

/// Turns a peer away before anything was said.
pub async fn turn_away(house: &House, mut stream: TcpStream) -> io::Result<()> {
    let most = house.config.limits.connections_max;
    let message = format!("{most} connections are open already");
    let refusal = Refusal::fatal(TOO_MANY_CONNECTIONS, message, "close some, or use a smaller pool");
    timeout(FAREWELL, refuse(house, &mut stream, refusal)).await?
}

enum Peer {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

/// Agrees on encryption. The first eight bytes of what comes after it.
async fn greet(mut stream: TcpStream, tls: Option<&TlsAcceptor>) -> io::Result<(Bytes, Peer, bool)> {
    for _ in 0..ASKS_MAX {
        let head = head_of(&mut stream).await?;
        match (code_of(&head), tls) {
            (TLS_CODE, Some(acceptor)) => {
                stream.write_all(b"S").await?;
                let mut stream = Box::new(acceptor.accept(stream).await?);
                let head = head_of(&mut stream).await?;
                return Ok((head, Peer::Tls(stream), true));
            }
            (TLS_CODE | GSS_CODE, _) => stream.write_all(b"N").await?,
            _ => return Ok((head, Peer::Plain(stream), false)),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "asked for encryption again and again"))
}

async fn head_of(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let mut head = [0; HEAD_BYTES];
    stream.read_exact(&mut head).await?;
    Ok(Bytes::copy_from_slice(&head))
}

fn code_of(head: &Bytes) -> u32 {
    use bytes::Buf as _;
    (&head[4..HEAD_BYTES]).get_u32()
}

struct Spoken<S> {
    wire: Wire<S>,
    message_limit: Arc<AtomicUsize>,
}

fn wire_of<S: AsyncRead + AsyncWrite + Unpin>(stream: S, head: Bytes, peer: SocketAddr, secure: bool) -> Spoken<S> {
    let message_limit = Arc::new(AtomicUsize::new(LOGIN_MESSAGE_MAX_BYTES));
    let bounded = Bounded::new(stream, head, Arc::clone(&message_limit));
    let mut codec = PgWireMessageServerCodec::new(DefaultClient::new(peer, secure));
    codec.client_info.state = PgWireConnectionState::AwaitingStartup;
    Spoken { wire: Framed::new(bounded, codec), message_limit }
}

async fn refuse(house: &House, stream: &mut (impl AsyncWrite + Unpin), refusal: Refusal) -> io::Result<()> {
    count(house, refusal.sqlstate);
    let mut bytes = BytesMut::new();
    let info: ErrorInfo = PgWireError::from(refusal).into();
    PgWireBackendMessage::ErrorResponse(info.into()).encode(&mut bytes)?;
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

fn count(house: &House, sqlstate: &str) {
    house.meters.refusals.with_label_values(&[sqlstate]).inc();
}

async fn converse<S>(house: Arc<House>, spoken: Spoken<S>, login_ends: Instant) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static,
{
    let Spoken { mut wire, message_limit } = spoken;
    let session = Arc::new(Session {
        run: Arc::new(Run::new(house.shutdown.clone())),
        message_limit,
        exchange: Mutex::new(None),
        place: OnceLock::new(),
        house,
    });
    loop {
        let message = match next(&mut wire, &session, login_ends).await {
            Ok(Some(PgWireFrontendMessage::Terminate(_)) | None) => return Ok(()),
            Ok(Some(message)) => message,
            Err(refusal) => {
                count(&session.house, refusal.sqlstate);
                let info: ErrorInfo = PgWireError::from(refusal).into();
                return timeout(FAREWELL, wire.send(PgWireBackendMessage::ErrorResponse(info.into()))).await?;
            }
        };
        let is_cancel = matches!(message, PgWireFrontendMessage::CancelRequest(_));
        if answer(&mut wire, &session, message).await? == Then::Close || is_cancel {
            return Ok(());
        }
    }
}

/// The next message, unless the connection has been silent for too long or the process ends.
async fn next<S>(
    wire: &mut Wire<S>,
    session: &Session,
    login_ends: Instant,
) -> Result<Option<PgWireFrontendMessage>, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &session.house.config.limits;
    let (until, late) = match session.place.get() {
        None => (login_ends, Refusal::fatal(PROTOCOL_VIOLATION, "the login took too long", "connect again")),
        Some(place) if place.in_transaction() => {
            let seconds = limits.idle_in_transaction_seconds;
            let message = format!("the transaction was idle for {seconds} s");
            let refusal = Refusal::fatal(IDLE_IN_TRANSACTION, message, "end transactions at once: each holds a cut");
            (Instant::now() + Duration::from_secs(seconds), refusal)
        }
        Some(_) => {
            let message = format!("the connection was idle for {} s", limits.idle_seconds);
            let refusal = Refusal::fatal(IDLE_SESSION, message, "connect again");
            (Instant::now() + Duration::from_secs(limits.idle_seconds), refusal)
        }
    };
    let heard = tokio::select! {
        biased;
        () = session.house.shutdown.requested() => return Err(ending()),
        heard = timeout_at(until, wire.next()) => heard.map_err(|_| late)?,
    };
    match heard {
        None => Ok(None),
        Some(Ok(message)) => Ok(Some(message)),
        Some(Err(PgWireError::IoError(error))) if error.kind() != io::ErrorKind::InvalidData => Ok(None),
        Some(Err(error)) => Err(Refusal::fatal(PROTOCOL_VIOLATION, error.to_string(), "")),
    }
}

#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    Close,
}

/// Answers one message within its time.
async fn answer<S>(wire: &mut Wire<S>, session: &Arc<Session>, message: PgWireFrontendMessage) -> io::Result<Then>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static,
{
    let (extended, limit) = (message.is_extended_query(), session.statement_limit());
    session.run.begin(limit);
    let answered = process_message(
        message,
        wire,
        Arc::clone(session),
        Arc::clone(session),
        Arc::clone(session),
        Arc::new(NoopHandler),
        Arc::clone(&session.house.registry),
    );
    // A statement is stopped in good order by its own limit; this one is for a peer who does not take its answer.
    let answered = timeout(limit + FAREWELL, answered).await;
    session.run.end();
    let Ok(answered) = answered else { return Err(io::Error::new(io::ErrorKind::TimedOut, "the answer is not taken")) };
    let Err(error) = answered else { return Ok(Then::GoOn) };
    if let PgWireError::IoError(error) = error {
        return Err(error);
    }
    let info: ErrorInfo = error.into();
    count(&session.house, &info.code);
    tracing::debug!(sqlstate = info.code, message = info.message, "refused");
    let fatal = info.is_fatal();
    timeout(FAREWELL, process_error(wire, PgWireError::UserError(Box::new(info)), extended)).await??;
    Ok(if fatal { Then::Close } else { Then::GoOn })
}
