//! Replay: a table built anew from what is archived and logged, with nobody writing meanwhile.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use medfleet_lake::Lake;
use medfleet_log::EventLog;
use medfleet_processor::rebuild::rebuild;
use medfleet_processor::{Meters, ProcessorConfig, Worker};
use medfleet_runtime::{Metrics, Shutdown};
use serde_json::json;

use crate::load;
use crate::plain_replay;
use crate::rounds::{ROUNDS, Turns, Watch};

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long, default_value = "intervals")]
    table: String,
    #[command(flatten)]
    load: load::Options,
    /// Only the product, once: for a profiler.
    #[arg(long)]
    product_only: bool,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let load = load::simulated(options.load)?;
    let log: Arc<dyn EventLog> = Arc::new(load::fill(&options.folder.join("log"), &load).await?);
    let lake = Lake::open_local(&options.folder).await?;
    let config = ProcessorConfig {
        snapshot_folder: options.folder.join("snapshots"),
        stop_when_idle: true,
        ..ProcessorConfig::default()
    };
    let meters = Meters::new(&Metrics::new()?, &config)?;
    Worker::new(Arc::clone(&log), lake.clone(), config, meters).run(&Shutdown::new()).await?;
    let mut turns = Turns::default();
    let mut rows = 0;
    let mut folded = plain_replay::Folded::default();
    for _ in 0..if options.product_only { 1 } else { ROUNDS } {
        let watch = Watch::start()?;
        let rebuilt = rebuild(Arc::clone(&log), &lake, &[options.table.as_str()], |_| {}).await?;
        rows = rebuilt.values().map(|done| done.rows).sum();
        turns.product.push(watch.stop()?);
        if options.product_only {
            break;
        }
        let watch = Watch::start()?;
        folded = plain_replay::fold(&*log).await?;
        turns.control.push(watch.stop()?);
    }
    let beside =
        json!({ "load": load.size(), "rows": rows, "table": options.table, "control_folded": folded.to_string() });
    turns.print("replay", format!("rebuild of {}", options.table), load.facts(), "facts/s", beside);
    Ok(())
}
