//! The endpoint as a process role: its door, its connections, its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use medfleet_lake::Lake;
use medfleet_runtime::{Health, Metrics, Shutdown, TlsFiles};
use rand::RngCore as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::SqlConfig;
use crate::connection;
use crate::desk::{Desk, Lag};
use crate::error::SqlError;
use crate::house::{House, Seats};
use crate::meters::Meters;
use crate::run::Registry;
use crate::users::Users;

/// How long open answers may take once the end was asked for.
const ANSWERS_DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// After an accept that failed for want of a file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An endpoint that is ready to run.
pub struct Service {
    house: Arc<House>,
    tls: Option<TlsAcceptor>,
    health: Health,
}

impl Service {
    pub fn new(
        config: SqlConfig,
        lake: Lake,
        lag: Arc<dyn Lag>,
        metrics: &Metrics,
        health: Health,
        shutdown: Shutdown,
    ) -> Result<Self, SqlError> {
        if config.tls.is_none() && !config.listen.ip().to_canonical().is_loopback() {
            return Err(SqlError::PlainText { address: config.listen });
        }
        let tls = config.tls.as_ref().map(TlsFiles::acceptor).transpose()?;
        let meters = Meters::new(metrics)?;
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        health.role("sql");
        let house = House {
            users: Users::new(&config.users_folder),
            desk: Desk::new(lake, &config.limits, lag, meters.cut_failures.clone())?,
            meters,
            parser: PostgresCompatibilityParser::new(),
            registry: Arc::new(Registry::default()),
            turns: Semaphore::new(config.limits.running_max),
            seats: Seats::default(),
            secret,
            shutdown,
            config,
        };
        Ok(Self { house: Arc::new(house), tls, health })
    }

    /// Opens the door: from here on the address is known and connections wait.
    pub async fn bind(self) -> Result<Bound, SqlError> {
        let address = self.house.config.listen;
        let failed = |source| SqlError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        tracing::info!(%address, tls = self.tls.is_some(), "sql is listening");
        Ok(Bound { service: self, listener, address })
    }

    pub async fn run(self) -> Result<(), SqlError> {
        self.bind().await?.serve().await
    }
}

/// An endpoint with an open door.
pub struct Bound {
    service: Service,
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the end is asked for; open statements are told so.
    pub async fn serve(self) -> Result<(), SqlError> {
        let Self { service: Service { house, tls, health }, listener, .. } = self;
        health.role("sql").ready();
        let mut open = JoinSet::new();
        while let Some(accepted) = house.shutdown.unless_requested(next(&listener, &mut open, &house)).await {
            let Some((stream, peer)) = accepted else { continue };
            if open.len() >= house.config.limits.connections_max {
                let house = Arc::clone(&house);
                tokio::spawn(async move { drop(connection::turn_away(&house, stream).await) });
                continue;
            }
            house.meters.connections.inc();
            open.spawn(connection::serve(Arc::clone(&house), tls.clone(), stream, peer));
        }
        let drained = async { while open.join_next().await.is_some() {} };
        if tokio::time::timeout(ANSWERS_DRAIN_LIMIT, drained).await.is_err() {
            tracing::warn!("some connections did not end in time, dropping them");
        }
        Ok(())
    }
}

/// The next peer. Connections that ended meanwhile are counted off.
async fn next(
    listener: &TcpListener,
    open: &mut JoinSet<std::io::Result<()>>,
    house: &House,
) -> Option<(TcpStream, SocketAddr)> {
    tokio::select! {
        Some(ended) = open.join_next() => {
            house.meters.connections.dec();
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    house.meters.broken_connections.inc();
                    tracing::debug!(%error, "a connection broke");
                }
                Err(error) => {
                    house.meters.broken_connections.inc();
                    tracing::error!(%error, "a connection ended in a panic; the others go on");
                }
            }
            None
        }
        accepted = listener.accept() => match accepted {
            Ok(accepted) => Some(accepted),
            Err(error) => {
                tracing::debug!(%error, "connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        },
    }
}
