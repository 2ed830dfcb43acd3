//! The fleet page at full size: `grow` makes the lake once, `sums` writes its day sums out for the controls, `ask` measures the api over it and
//! the controls in turns (plain DataFusion, and PostgreSQL where a script of pgbench is named), `time` single pages. See `run.sh` beside this file.

mod ask;
mod control;
mod extras;
mod grow;
mod install;
mod rounds;
mod teller;

use std::path::PathBuf;

use anyhow::{Context as _, bail};

const USAGE: &str = "fleet grow FOLDER [DEVICES SITES DAYS] | fleet sums FOLDER | fleet ask FOLDER [QUESTIONS USERS ROUNDS [SCRIPT]] | fleet time FOLDER PATH…";

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        "sums" => control::sums(&folder).await,
        "ask" => {
            let (questions, users, rounds) = (number(0, 2_000)?, number(1, 8)?, number(2, 8)?.max(1));
            rounds::rounds(&folder, questions, users, rounds, numbers.get(3).map(PathBuf::from)).await
        }
        "time" => ask::time(&folder, numbers).await,
        _ => bail!("{USAGE}"),
    }
}

fn tracing_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
