//! The server: `up` runs every role in one process, the other commands run one role or one job each.

mod alerter;
mod alerts;
mod backing;
mod cli;
mod demo;
mod disk;
mod house;
mod import;
mod inspect;
mod live_demo;
mod people;
mod report;
mod risk;
mod roles;
mod rules;
mod secrets;
mod sql;
mod up;

use std::time::Duration;

use clap::Parser as _;
use medfleet_runtime::logging;
use tokio::runtime::Builder;

use crate::cli::{Cli, Command, Place};

const WORKER_THREADS: usize = 4;
/// What work on blocking threads may still take once the command has ended; a thread that hangs must not keep the process.
const BLOCKING_MAX_SECONDS: u64 = 5;

/// Does what the command line asks for.
pub fn run() -> anyhow::Result<()> {
    let Cli { command, place } = Cli::parse();
    logging::start(
        "info,datafusion=warn,deltalake_core=warn,buoyant_kernel=warn,buoyant_kernel_engine=warn,mqtt5=warn,rumqttc=warn",
    )?;
    let runtime = Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build()?;
    let ended = runtime.block_on(obey(command, place));
    runtime.shutdown_timeout(Duration::from_secs(BLOCKING_MAX_SECONDS));
    ended
}

async fn obey(command: Command, place: Place) -> anyhow::Result<()> {
    match command {
        Command::Up(options) => up::run(&place, &options).await,
        Command::Ingest(options) => roles::ingest(&place, &options).await,
        Command::Processor(options) => roles::processor(&place, &options).await,
        Command::Api(options) => roles::api(&place, &options).await,
        Command::Scorer(options) => risk::role::run(&place, &options).await,
        Command::Sql(options) => sql::run(&place, &options).await,
        Command::SqlUser(options) => sql::user(&place, options),
        Command::Topics(options) => inspect::topics(&place, &options).await,
        Command::Quarantine(options) => inspect::quarantine(&place, options).await,
        Command::Site(options) => inspect::site(&place, &options).await,
        Command::AgentPassword { agent } => inspect::agent_password(&place, &agent),
        Command::Hash => inspect::hash(&place).await,
        Command::Rebuild(options) => inspect::rebuild(&place, &options).await,
        Command::Report(options) => report::run(&place, options).await,
        Command::Import(options) => import::run(&place, &options).await,
        Command::Alerter(options) => alerter::run(&place, &options).await,
        Command::Alerts(options) => alerts::run(&place, options).await,
        Command::Train(options) => risk::train::run(&place, &options).await,
        Command::Backtest(options) => risk::backtest::run(&place, &options).await,
        Command::Rules(options) => rules::run(&options),
    }
}
