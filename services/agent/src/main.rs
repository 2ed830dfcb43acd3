//! The agent as a small program of its own: one TOML file in, one journal, one broker.

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use medfleet_agent::{Agent, AgentConfig, AgentMetrics, Surroundings, source};
use medfleet_runtime::{Health, Layers, Metrics, Shutdown, http, logging};
use tokio::net::TcpListener;

/// Reports what medical devices do, durably, until it is in the event log.
#[derive(Parser)]
#[command(name = "medfleet-agent", version)]
struct Arguments {
    /// The agent's configuration; agent.example.toml explains it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    logging::start("info")?;
    let config: AgentConfig = Layers::new().file(Some(&arguments.config))?.environment(std::env::vars())?.build()?;
    let shutdown = Shutdown::on_signals()?;
    let (metrics, health) = (Metrics::new()?, Health::new());
    let surroundings =
        Surroundings { metrics: AgentMetrics::register(&metrics)?, health: health.role("agent"), clocks: None };
    let status = listen(config.status_listen.as_deref(), metrics, health, &shutdown).await?;
    let sources = source::build(&config.source)?;
    let agent = Agent::start(config, sources, surroundings, shutdown.clone()).await?;
    tracing::info!(epoch = %agent.epoch(), "agent began a new life");
    agent.join().await?;
    if let Some(status) = status {
        shutdown.request();
        status.await??;
    }
    Ok(())
}

type Status = tokio::task::JoinHandle<Result<(), medfleet_runtime::RuntimeError>>;

async fn listen(
    address: Option<&str>,
    metrics: Metrics,
    health: Health,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<Status>> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: set status_listen to a free port"))?;
    Ok(Some(tokio::spawn(http::serve(listener, metrics, health, shutdown.clone()))))
}
