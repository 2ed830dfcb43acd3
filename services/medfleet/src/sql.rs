//! The SQL endpoint as a role, and its users.
//!
//! It runs on threads of its own: a statement that computes for half a minute must not hold up the ledger.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use medfleet_lake::{Cut, Lake};
use medfleet_log::{EventLog, Partition, Topic};
use medfleet_runtime::{Health, Metrics, Shutdown, TlsFiles};
use medfleet_sql::{Lag, Scope, Service, SqlConfig, Users};

use crate::backing;
use crate::cli::{Place, SqlOptions, SqlUserOptions};
use crate::house::House;
use crate::roles::{self, Crew};
use crate::secrets::Secrets;

const THREADS: usize = 2;
/// Planning follows the nesting of a statement.
const STACK_BYTES: usize = 8 << 20;

pub async fn run(place: &Place, options: &SqlOptions) -> anyhow::Result<()> {
    let (house, shutdown) = (House::open(&place.data)?, Shutdown::on_signals()?);
    let (metrics, health) = (Metrics::new()?, Health::new());
    let (log, lake) = (backing::log(place, &house).await?, backing::lake(&house).await?);
    let secrets = Secrets::open(&house.secrets(), &[options.sql_listen])?;
    let mut crew = Crew::new();
    serve(&mut crew, options.sql_listen, &secrets, lake, log, &metrics, &health, &shutdown)?;
    roles::serve_status(&mut crew, options.status_listen, metrics, health, &shutdown).await?;
    roles::see_through(crew, &shutdown).await
}

/// Makes a user, or gives one new sites and a new password.
pub fn user(place: &Place, options: SqlUserOptions) -> anyhow::Result<()> {
    let house = House::open(&place.data)?;
    let secrets = Secrets::open(&house.secrets(), &[])?;
    let scope = if options.all { Scope::All } else { Scope::sites(options.sites)? };
    let users = Users::new(&secrets.sql_users());
    users.check_name(&options.name)?;
    let (path, password) = secrets.sql_password(&options.name)?;
    users.write(&options.name, &scope, &password)?;
    println!("{}", path.display());
    Ok(())
}

/// Plain text suits loopback, where nothing leaves the machine; any other address is served with TLS.
#[expect(clippy::too_many_arguments, reason = "each is a different thing that the process lends to the role")]
pub fn serve(
    crew: &mut Crew,
    listen: SocketAddr,
    secrets: &Secrets,
    lake: Lake,
    log: Arc<dyn EventLog>,
    metrics: &Metrics,
    health: &Health,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let files = || TlsFiles { certificate: secrets.certificate(), key: secrets.key() };
    let tls = (!listen.ip().is_loopback()).then(files);
    let config = SqlConfig { listen, users_folder: secrets.sql_users(), tls, ..SqlConfig::default() };
    let service = Service::new(config, lake, Arc::new(OfLog(log)), metrics, health.clone(), shutdown.clone())?;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_stack_size(STACK_BYTES)
        .thread_name("sql")
        .enable_all()
        .build()
        .context("cannot start the threads of the SQL endpoint")?;
    crew.spawn_blocking(move || {
        let ended = threads.block_on(service.run()).context("the SQL endpoint failed");
        // A statement that does not yield would hold the end up.
        threads.shutdown_background();
        ended
    });
    Ok(())
}

/// How far the log is ahead of a cut.
struct OfLog(Arc<dyn EventLog>);

#[async_trait]
impl Lag for OfLog {
    async fn records(&self, cut: &Cut) -> Option<i64> {
        let mut lag = 0;
        for topic in [Topic::FACTS, Topic::FLEET] {
            for partition in 0..self.0.partitions(topic).ok()? {
                let home = Partition::new(topic, partition);
                let bounds = self.0.bounds(home).await.ok()?;
                let contained = cut.offsets.get(&home.to_string()).copied();
                lag += (bounds.end.cast_signed() - contained.unwrap_or(bounds.floor.cast_signed())).max(0);
            }
        }
        Some(lag)
    }
}
