//! The fleet page at full size: `grow` makes the lake once, `ask` measures the api over it, `time` single pages, `control` asks the same sums of
//! plain DataFusion and writes them out for PostgreSQL. See `run.sh` beside this file.

mod ask;
mod control;
mod extras;
mod grow;
mod install;

use std::path::PathBuf;

use anyhow::{Context as _, bail};

const USAGE: &str = "fleet grow FOLDER [DEVICES SITES DAYS] | fleet ask FOLDER [QUESTIONS USERS] | fleet time FOLDER PATH… | fleet control FOLDER [QUESTIONS USERS]";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_to_stderr();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, folder, numbers @ ..] = args.as_slice() else { bail!("{USAGE}") };
    let folder = PathBuf::from(folder);
    let number = |at: usize, otherwise: usize| match numbers.get(at) {
        Some(text) => text.parse().with_context(|| format!("`{text}` is no number: {USAGE}")),
        None => Ok(otherwise),
    };
    match what.as_str() {
        "grow" => {
            let days = i32::try_from(number(2, 396)?).context("days")?;
            grow::grow(&folder, grow::Size { devices: number(0, 50_000)?, sites: number(1, 40)?, days }).await
        }
        "ask" => ask::ask(&folder, number(0, 2_000)?, number(1, 8)?).await,
        "time" => ask::time(&folder, numbers).await,
        "control" => control::control(&folder, number(0, 40)?, number(1, 8)?).await,
        _ => bail!("{USAGE}"),
    }
}

fn tracing_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
