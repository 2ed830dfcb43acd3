//! Serves a temporary lake with a made-up fleet, to look at the pages: `cargo run -p medfleet-api --example sample`.
//! Prints the login link and serves until interrupted.

#[path = "../tests/api/fleet.rs"]
mod fleet;

use std::sync::Arc;

use anyhow::Context as _;
use medfleet_api::{ApiConfig, Service};
use medfleet_runtime::{Health, Metrics, Shutdown};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals()?;
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let now = medfleet_api::query::now();
    let rig = fleet::Rig::open(folder.path()).await?;
    rig.fill(&fleet::six_hospitals(now), now).await?;
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let config = ApiConfig {
        listen: listen.parse().context("an address such as 127.0.0.1:8090")?,
        token_file: folder.path().join("login.token"),
        ..ApiConfig::default()
    };
    let door = Arc::new(fleet::OpenDoor::default());
    let log = Arc::new(fleet::EmptyLog);
    let service = Service::new(config, rig.lake.clone(), log, door, Metrics::new()?, Health::new(), shutdown)?;
    println!("{}", service.login_link());
    service.run().await?;
    Ok(())
}
