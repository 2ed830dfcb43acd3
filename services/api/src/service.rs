//! The api as a process role: its state, its routes, its life.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use medfleet_lake::{Lake, Reader, ReaderLimits};
use medfleet_log::EventLog;
use medfleet_runtime::{Health, Metrics, Shutdown};
use tokio::sync::Semaphore;
use tower_http::compression::CompressionLayer;

use crate::alerts::{self, AlertBoard};
use crate::auth::{Gate, Token};
use crate::config::ApiConfig;
use crate::cuts::{self, Cuts};
use crate::door::{Door, Peer};
use crate::error::ApiError;
use crate::human::{Answers, HumanDoor};
use crate::live::{self, LiveHub};
use crate::meters::Meters;
use crate::{assets, guard, openapi, pages, rest};

/// Event streams open at one time; one more is told to come back later.
pub const STREAMS_MAX: usize = 256;
/// How long open answers may take once the end was asked for.
const ANSWERS_DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// What every handler may use. Clones share it.
#[derive(Clone)]
pub struct App {
    pub cuts: Arc<Cuts>,
    pub hub: Arc<LiveHub>,
    pub door: Arc<dyn HumanDoor>,
    pub answers: Arc<Answers>,
    pub alerts: Arc<AlertBoard>,
    pub log: Arc<dyn EventLog>,
    pub gate: Arc<Gate>,
    pub meters: Meters,
    pub metrics: Metrics,
    pub health: Health,
    pub streams: Arc<Semaphore>,
    pub shutdown: Shutdown,
}

impl FromRef<App> for Arc<Gate> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.gate)
    }
}

/// An api that is ready to run.
pub struct Service {
    config: ApiConfig,
    app: App,
    token: Token,
}

impl Service {
    pub fn new(
        config: ApiConfig,
        lake: Lake,
        log: Arc<dyn EventLog>,
        door: Arc<dyn HumanDoor>,
        metrics: Metrics,
        health: Health,
        shutdown: Shutdown,
    ) -> Result<Self, ApiError> {
        let limits = ReaderLimits { memory_mebibytes: config.query_memory_mebibytes, ..ReaderLimits::default() };
        let token = Token::read_or_make(&config.token_file)?;
        health.role("api");
        let app = App {
            cuts: Arc::new(Cuts::new(Reader::new(lake, limits)?)),
            hub: Arc::new(live::hub()),
            door,
            answers: Arc::default(),
            alerts: Arc::default(),
            log,
            gate: Arc::new(Gate::new(token.clone(), config.tls.is_some())),
            meters: Meters::new(&metrics)?,
            metrics,
            health,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            shutdown,
        };
        Ok(Self { config, app, token })
    }

    /// The link that signs in, for the person who started the server.
    pub fn login_link(&self) -> String {
        self.config.url(&self.token.login_path())
    }

    /// Every route behind its guards.
    pub fn router(&self) -> Router {
        router(self.app.clone())
    }

    /// Looks for the newest cut now, without waiting for the follower.
    pub async fn advance(&self) -> Result<(), ApiError> {
        self.app.cuts.advance().await
    }

    /// Opens the door: from here on the address is known and connections wait.
    pub async fn bind(self) -> Result<Bound, ApiError> {
        let door = Door::open(self.config.listen, self.config.tls.as_ref(), self.app.meters.clone()).await?;
        tracing::info!(address = %door.address(), tls = self.config.tls.is_some(), "api is listening");
        Ok(Bound { service: self, door })
    }

    /// Serves until the end is asked for.
    pub async fn run(self) -> Result<(), ApiError> {
        self.bind().await?.serve().await
    }
}

/// An api with an open door.
pub struct Bound {
    service: Service,
    door: Door,
}

impl Bound {
    pub const fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// Serves until the end is asked for.
    pub async fn serve(self) -> Result<(), ApiError> {
        let Self { service, door } = self;
        let app = &service.app;
        let every = Duration::from_millis(service.config.cut_poll_milliseconds.max(1));
        let (cuts, log) = (Arc::clone(&app.cuts), Arc::clone(&app.log));
        let follower = tokio::spawn(cuts::follow(cuts, log, every, app.meters.clone(), app.shutdown.clone()));
        let watcher = tokio::spawn(live::watch(Arc::clone(&app.hub), Arc::clone(&app.cuts), app.shutdown.clone()));
        let (board, log) = (Arc::clone(&app.alerts), Arc::clone(&app.log));
        let listener = tokio::spawn(alerts::follow(board, log, app.shutdown.clone()));
        app.health.role("api").ready();
        let (shutdown, asked) = (app.shutdown.clone(), app.shutdown.clone());
        let server = axum::serve(door, service.router().into_make_service_with_connect_info::<Peer>())
            .with_graceful_shutdown(async move { shutdown.requested().await });
        let late = async move {
            asked.requested().await;
            tokio::time::sleep(ANSWERS_DRAIN_LIMIT).await;
        };
        let served = tokio::select! {
            served = std::future::IntoFuture::into_future(server) => served,
            () = late => Ok(()),
        };
        follower.abort();
        watcher.abort();
        listener.abort();
        served.map_err(ApiError::Serve)
    }
}

/// Serves pages and API over the tables of a lake until the end is asked for.
pub async fn serve(
    config: ApiConfig,
    lake: Lake,
    log: Arc<dyn EventLog>,
    door: Arc<dyn HumanDoor>,
    metrics: Metrics,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), ApiError> {
    Service::new(config, lake, log, door, metrics, health, shutdown)?.run().await
}

fn router(app: App) -> Router {
    let (api, _) = openapi::routes();
    let guarded = Router::new()
        .merge(pages::routes())
        .merge(api)
        .route("/api/openapi.json", get(openapi::serve))
        .layer(from_fn_with_state(Arc::clone(&app.gate), guard::admit));
    let near = rest::probes::metrics_route().layer(from_fn_with_state(Arc::clone(&app.gate), guard::admit_loopback));
    let open = Router::new().merge(pages::login::routes()).merge(assets::routes());
    guarded
        .merge(near)
        .merge(open)
        .fallback(pages::nowhere)
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(app.meters.clone(), guard::count))
        .layer(from_fn(guard::strict))
        .with_state(app)
}
