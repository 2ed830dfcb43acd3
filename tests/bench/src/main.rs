//! Measures one job of the product beside its control, in turns, and prints a line of JSON for each figure.
//!
//! ```text
//! main ─► load (what flows) ─► job (product) · plain (control) ─► rounds (turns, seconds) ─► JSON ─► measure.py
//! ```

mod agents;
mod compact;
mod ingest;
mod journal;
mod load;
mod plain_produce;
mod plain_replay;
mod plain_tables;
mod replay;
mod rounds;
mod tables;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "One job of the product beside its control, in turns")]
struct Cli {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Group-commit appends beside raw appends with as many syncs.
    Journal(journal::Options),
    /// MQTT batches to Kafka, receipt after acks=all, beside raw librdkafka with the same records.
    Ingest(ingest::Options),
    /// Log to tables beside decoding the same records and writing the same Parquet.
    Tables(tables::Options),
    /// Rebuilding a table beside a naive fold of the same bytes on one thread.
    Replay(replay::Options),
    /// Real agents under a paced load.
    Agents(agents::Options),
    /// Fills a data folder's log with the simulated load.
    Fill {
        #[arg(long)]
        data: PathBuf,
        #[command(flatten)]
        load: load::Options,
    },
    /// Merges the files of every table, as upkeep does once they are quiet.
    Compact {
        #[arg(long)]
        data: PathBuf,
    },
}

/// As in the product; the controls have it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().job {
        Job::Journal(options) => journal::run(&options).await,
        Job::Ingest(options) => ingest::run(options).await,
        Job::Tables(options) => tables::run(options).await,
        Job::Replay(options) => replay::run(options).await,
        Job::Agents(options) => agents::run(options).await,
        Job::Fill { data, load } => {
            let load = load::simulated(load)?;
            load::fill(&data.join("log"), &load).await?;
            println!("{}", load.size());
            Ok(())
        }
        Job::Compact { data } => compact::run(&data).await,
    }
}
