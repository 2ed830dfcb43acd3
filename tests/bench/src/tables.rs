//! Log to tables: a worker over a filled log until it is idle, its tables empty at every turn.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use medfleet_lake::Lake;
use medfleet_log::EventLog;
use medfleet_processor::{Meters, ProcessorConfig, Worker};
use medfleet_runtime::{Metrics, Shutdown};
use serde_json::json;

use crate::load;
use crate::plain_tables;
use crate::rounds::{ROUNDS, Took, Turns, Watch};

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    folder: PathBuf,
    #[command(flatten)]
    load: load::Options,
    /// Only the product, once: for a profiler.
    #[arg(long)]
    product_only: bool,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let load = load::simulated(options.load)?;
    let log: Arc<dyn EventLog> = Arc::new(load::fill(&options.folder.join("log"), &load).await?);
    let mut turns = Turns::default();
    if options.product_only {
        let took = product(&log, &options.folder.join("product")).await?;
        println!("{:.0} facts/s, {took:?}", load.facts() as f64 / took.seconds);
        return Ok(());
    }
    let mut rows = (0, 0);
    for _ in 0..ROUNDS {
        let folder = options.folder.join("product");
        turns.product.push(product(&log, &folder).await?);
        rows.0 = parquet_rows(&folder.join("lake/facts"))?;
        std::fs::remove_dir_all(&folder)?;
        let folder = options.folder.join("plain");
        let watch = Watch::start()?;
        rows.1 = plain_tables::write(&*log, &folder, ProcessorConfig::default().flush_rows).await?;
        turns.control.push(watch.stop()?);
        std::fs::remove_dir_all(&folder)?;
    }
    anyhow::ensure!(rows.0 == load.facts() + load.fleet_facts(), "the product archived {} rows", rows.0);
    anyhow::ensure!(rows.0 == rows.1, "product and control archived {rows:?} rows");
    turns.print("tables", "worker until idle", load.facts(), "facts/s", json!({ "load": load.size() }));
    Ok(())
}

async fn product(log: &Arc<dyn EventLog>, folder: &Path) -> anyhow::Result<Took> {
    std::fs::create_dir_all(folder)?;
    let lake = Lake::open_local(folder).await?;
    let config = ProcessorConfig {
        snapshot_folder: folder.join("snapshots"),
        stop_when_idle: true,
        ..ProcessorConfig::default()
    };
    let meters = Meters::new(&Metrics::new()?, &config)?;
    let watch = Watch::start()?;
    Worker::new(Arc::clone(log), lake, config, meters).run(&Shutdown::new()).await?;
    watch.stop()
}

/// Rows of all Parquet files below a folder, by their footers.
pub fn parquet_rows(folder: &Path) -> anyhow::Result<u64> {
    use datafusion::parquet::file::reader::FileReader as _;
    use datafusion::parquet::file::serialized_reader::SerializedFileReader;
    let mut rows = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rows += parquet_rows(&path)?;
        } else if path.extension().is_some_and(|end| end == "parquet") {
            let file = SerializedFileReader::new(std::fs::File::open(&path)?)?;
            rows += file.metadata().file_metadata().num_rows().cast_unsigned();
        }
    }
    Ok(rows)
}
