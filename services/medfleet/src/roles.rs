//! The roles one by one, each as a future that ends when asked or with the error that ended it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use medfleet_api::ApiConfig;
use medfleet_ingest::{Admitter, ExternalDoor};
use medfleet_lake::Lake;
use medfleet_log::EventLog;
use medfleet_processor::{BinderMeters, Binding, Meters, ProcessorConfig, Worker, upkeep};
use medfleet_runtime::{DRAIN_MAX_SECONDS, Health, Metrics, Shutdown, TlsFiles, drain, http};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};

use crate::cli::{ApiOptions, BrokerOptions, IngestOptions, Place, ProcessorOptions};
use crate::house::House;
use crate::people::PeoplesDoor;
use crate::secrets::Secrets;
use crate::{backing, disk, up};

/// Roles running beside each other; the first that fails ends them all.
pub type Crew = JoinSet<anyhow::Result<()>>;

/// Waits for every role. When one fails the others are asked to end, and its error is the answer. A role that does not end in
/// time is given up: a process that stands still must not look alive.
pub async fn see_through(crew: Crew, shutdown: &Shutdown) -> anyhow::Result<()> {
    see_through_within(Duration::from_secs(DRAIN_MAX_SECONDS), crew, shutdown).await
}

async fn see_through_within(drain_max: Duration, mut crew: Crew, shutdown: &Shutdown) -> anyhow::Result<()> {
    let mut seen = Ok(());
    while let Some(Some(ended)) = shutdown.unless_requested(crew.join_next()).await {
        seen = seen.and(noted(ended, shutdown));
    }
    let rest = async {
        while let Some(ended) = crew.join_next().await {
            seen = std::mem::replace(&mut seen, Ok(())).and(noted(ended, shutdown));
        }
    };
    let drained = drain(drain_max, rest).await;
    seen.and(drained.map_err(Into::into))
}

fn noted(ended: Result<anyhow::Result<()>, JoinError>, shutdown: &Shutdown) -> anyhow::Result<()> {
    let ended = ended.context("a role panicked").and_then(|result| result);
    ended.inspect_err(|error| {
        tracing::error!(error = format!("{error:#}"), "a role failed, ending");
        shutdown.request();
    })
}

pub async fn ingest(place: &Place, options: &IngestOptions) -> anyhow::Result<()> {
    let (house, shutdown) = (House::open(&place.data)?, Shutdown::on_signals()?);
    let (metrics, health) = (Metrics::new()?, Health::new());
    let log = backing::log(place, &house).await?;
    let mut crew = Crew::new();
    let meters = medfleet_ingest::Meters::new(&metrics)?;
    let admitter = Admitter::new(log, meters.clone());
    // Before the door opens: a batch of a site not known yet would be held and sent again.
    let learned = admitter.learn_sites().await?;
    crew.spawn(up::follow_sites(admitter.clone(), learned, shutdown.clone()));
    let door = external_door(&options.broker)?.context("ingest alone needs a broker: name it with --mqtt URL")?;
    let role = health.role("ingest");
    crew.spawn(external(door, admitter, meters, shutdown.clone()));
    role.ready();
    serve_status(&mut crew, options.status_listen, metrics, health, &shutdown).await?;
    see_through(crew, &shutdown).await
}

pub async fn processor(place: &Place, options: &ProcessorOptions) -> anyhow::Result<()> {
    let (house, shutdown) = (House::open(&place.data)?, Shutdown::on_signals()?);
    let (metrics, health) = (Metrics::new()?, Health::new());
    let (log, lake) = (backing::log(place, &house).await?, backing::lake(&house).await?);
    let mut crew = Crew::new();
    let config = if options.until_idle { ProcessorConfig::until_idle() } else { ProcessorConfig::default() };
    let config = options.keep.apply(ProcessorConfig { partitions: options.partitions.clone(), ..config });
    bind(&mut crew, Arc::clone(&log), lake.clone(), &config, &metrics, &shutdown)?;
    fold(&mut crew, &house, log, lake, config, &metrics, &health, &shutdown)?;
    serve_status(&mut crew, options.status_listen, metrics, health, &shutdown).await?;
    see_through(crew, &shutdown).await
}

pub async fn api(place: &Place, options: &ApiOptions) -> anyhow::Result<()> {
    let (house, shutdown) = (House::open(&place.data)?, Shutdown::on_signals()?);
    let (metrics, health) = (Metrics::new()?, Health::new());
    let (log, lake) = (backing::log(place, &house).await?, backing::lake(&house).await?);
    let secrets = Secrets::open(&house.secrets(), &[options.listen])?;
    let admitter = Admitter::new(Arc::clone(&log), medfleet_ingest::Meters::new(&metrics)?);
    let learned = admitter.learn_sites().await?;
    let mut crew = Crew::new();
    crew.spawn(up::follow_sites(admitter.clone(), learned, shutdown.clone()));
    let config = api_config(options.listen, options.query_memory_mebibytes, &secrets);
    let door = Arc::new(PeoplesDoor { admitter, log: Arc::clone(&log) });
    crew.spawn(watch_disk(house, metrics.clone(), shutdown.clone()));
    let service = medfleet_api::Service::new(config, lake, log, door, metrics, health, shutdown.clone())?;
    println!("sign in at {}", service.login_link());
    crew.spawn(async move { Ok(service.run().await?) });
    see_through(crew, &shutdown).await
}

/// Folds everything in the log into the tables: for a command that owns the log. It ends when nothing is left, or when it is
/// asked to.
pub async fn fold_until_idle(
    house: &House,
    log: Arc<dyn EventLog>,
    lake: Lake,
    config: ProcessorConfig,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let (metrics, health, done) = (Metrics::new()?, Health::new(), Shutdown::new());
    let mut crew = Crew::new();
    fold(&mut crew, house, log, lake, config, &metrics, &health, &done)?;
    let folded = see_through(crew, &done);
    tokio::pin!(folded);
    match shutdown.unless_requested(&mut folded).await {
        Some(ended) => ended,
        None => {
            done.request();
            folded.await
        }
    }
}

/// Starts a worker, its watchdog and the upkeep of the tables.
#[expect(clippy::too_many_arguments, reason = "each is a different thing that the process lends to the role")]
pub fn fold(
    crew: &mut Crew,
    house: &House,
    log: Arc<dyn EventLog>,
    lake: Lake,
    config: ProcessorConfig,
    metrics: &Metrics,
    health: &Health,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let config = ProcessorConfig { snapshot_folder: house.snapshots_of(&config.partitions), ..config };
    let meters = Meters::new(metrics, &config)?;
    let (watchdog, role) = (meters.watchdog.clone(), health.role("processor"));
    let every = config.upkeep_after();
    if config.leads() {
        crew.spawn(keep_up(lake.clone(), every, meters.clone(), shutdown.clone()));
    }
    let worker = Worker::new(log, lake, config, meters);
    let (asked, watched) = (shutdown.clone(), shutdown.clone());
    crew.spawn(async move {
        role.ready();
        let ended = worker.run(&asked).await;
        match &ended {
            Err(error) => role.failed(error.to_string()),
            // It was asked to, or has nothing left to do: either way the process is over.
            Ok(()) => asked.request(),
        }
        ended.context("the processor failed")
    });
    crew.spawn(async move { Ok(watchdog.watch(&watched).await?) });
    Ok(())
}

pub async fn watch_disk(house: House, metrics: Metrics, shutdown: Shutdown) -> anyhow::Result<()> {
    disk::watch(house, &metrics, shutdown).await
}

/// Starts the binder beside the worker that leads.
pub fn bind(
    crew: &mut Crew,
    log: Arc<dyn EventLog>,
    lake: Lake,
    config: &ProcessorConfig,
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    if !config.leads() || config.stop_when_idle {
        return Ok(());
    }
    let meters = BinderMeters::new(metrics, config.stall_limit())?;
    let (watchdog, binding) = (meters.watchdog.clone(), Binding::new(log, lake, meters));
    let (asked, watched) = (shutdown.clone(), shutdown.clone());
    crew.spawn(async move { binding.run(&asked).await.context("the binder failed") });
    crew.spawn(async move { Ok(watchdog.watch(&watched).await?) });
    Ok(())
}

async fn keep_up(lake: Lake, every: std::time::Duration, meters: Meters, shutdown: Shutdown) -> anyhow::Result<()> {
    Ok(upkeep::keep_up(lake, every, meters, shutdown).await?)
}

pub async fn external(
    door: ExternalDoor,
    admitter: Admitter,
    meters: medfleet_ingest::Meters,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    Ok(door.run(admitter, meters, shutdown).await?)
}

/// Plain HTTP suits loopback, where nothing leaves the machine; any other address is served with TLS.
pub fn api_config(listen: SocketAddr, query_memory_mebibytes: usize, secrets: &Secrets) -> ApiConfig {
    let files = || TlsFiles { certificate: secrets.certificate(), key: secrets.key() };
    let tls = (!listen.ip().is_loopback()).then(files);
    ApiConfig { listen, token_file: secrets.token(), tls, query_memory_mebibytes, ..ApiConfig::default() }
}

/// The door that the flags name, if they name a broker.
pub fn external_door(options: &BrokerOptions) -> anyhow::Result<Option<ExternalDoor>> {
    let Some(url) = &options.mqtt else { return Ok(None) };
    let (tls, rest) = match url.split_once("://") {
        Some(("mqtts", rest)) => (true, rest),
        Some(("mqtt", rest)) => (false, rest),
        _ => anyhow::bail!("`{url}` is no broker: write mqtt://HOST:PORT or mqtts://HOST:PORT"),
    };
    let (host, port) = rest.trim_end_matches('/').rsplit_once(':').with_context(|| format!("`{url}` names no port"))?;
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let ca_pem = match (&options.mqtt_ca, tls) {
        (Some(path), true) => Some(read(path)?),
        (None, true) => {
            anyhow::bail!("an mqtts broker needs --mqtt-ca FILE, the authority that signed its certificate")
        }
        (_, false) => None,
    };
    let password = options.mqtt_password_file.as_deref().map(read).transpose()?;
    let user = password.map(|bytes| {
        let text = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
        (options.mqtt_user.clone(), text)
    });
    Ok(Some(ExternalDoor {
        host: host.to_owned(),
        port: port.parse().with_context(|| format!("`{url}` has no usable port"))?,
        ca_pem,
        user,
        first_shard: options.first_shard,
        last_shard: options.last_shard,
    }))
}

pub async fn serve_status(
    crew: &mut Crew,
    listen: SocketAddr,
    metrics: Metrics,
    health: Health,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}: choose a free port with --status-listen"))?;
    let shutdown = shutdown.clone();
    crew.spawn(async move { Ok(http::serve(listener, metrics, health, shutdown).await?) });
    Ok(())
}

/// Ends everybody, with an error, once the log takes nothing more until it is opened anew.
pub fn watch_log(crew: &mut Crew, log: &Arc<dyn EventLog>, shutdown: &Shutdown) {
    let (log, shutdown) = (Arc::clone(log), shutdown.clone());
    crew.spawn(async move { shutdown.unless_requested(log.broken()).await.map_or(Ok(()), |why| Err(why.into())) });
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    fn crew(roles: impl IntoIterator<Item = anyhow::Result<()>>) -> Crew {
        let mut crew = Crew::new();
        crew.spawn(pending());
        for ended in roles {
            crew.spawn(async { ended });
        }
        crew
    }

    #[tokio::test]
    async fn one_that_stands_still_is_given_up_and_the_error_that_ended_the_others_is_the_answer() {
        let shutdown = Shutdown::new();
        let stalled = Err(anyhow::anyhow!("the processor makes no progress"));
        let ended = see_through_within(SOON, crew([stalled]), &shutdown).await.unwrap_err().to_string();
        assert_eq!(ended, "the processor makes no progress");
        assert!(shutdown.is_requested(), "the others were asked to end");
    }

    #[tokio::test]
    async fn an_end_that_was_asked_for_and_takes_too_long_is_an_error() {
        let shutdown = Shutdown::new();
        shutdown.request();
        let ended = see_through_within(SOON, crew([]), &shutdown).await.unwrap_err().to_string();
        assert!(ended.contains("did not finish"), "{ended}");
    }

    #[tokio::test]
    async fn roles_that_all_end_are_no_error() {
        let mut crew = Crew::new();
        crew.spawn(async { Ok(()) });
        see_through_within(SOON, crew, &Shutdown::new()).await.unwrap();
    }
}
