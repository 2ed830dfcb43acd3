//! The controls: the same seconds by site, kind and condition, asked of plain DataFusion over the lake's own Parquet files, and
//! of a table of day sums that PostgreSQL gets as well. They know neither base hours nor bounds nor `as_of`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use medfleet_lake::{Lake, Reader, ReaderLimits, SessionContext, run};

use crate::ask::{Dice, period, report};

const CSV: &str = "day_sums.csv";
const PARQUET: &str = "day_sums";
const PGBENCH: &str = "/usr/lib/postgresql/15/bin/pgbench";
/// So that no two rounds ask the same.
const SEEDS_APART: u64 = 1_000;
const QUARTERS: &str = "SELECT site, kind, condition, SUM(micros) AS micros FROM rollup_quarter \
    WHERE month >= {month} AND quarter_at >= {from} AND quarter_at < {until} GROUP BY site, kind, condition";
const DAYS: &str = "SELECT site, kind, condition, SUM(micros) AS micros FROM day_sums \
    WHERE day >= {from_day} AND day < {until_day} GROUP BY site, kind, condition";
/// One row: site, kind and condition on one UTC day.
const DAY_SUMS: &str = "SELECT site, kind, condition, CAST(quarter_at AS DATE) AS day, SUM(micros) AS micros \
    FROM rollup_quarter GROUP BY site, kind, condition, CAST(quarter_at AS DATE) ORDER BY day, site, kind";

/// Writes the day sums beside the lake, once: as Parquet for DataFusion, as CSV for PostgreSQL.
pub async fn sums(folder: &Path) -> anyhow::Result<()> {
    if !folder.join(CSV).exists() {
        let (session, _) = opened(folder).await?;
        let sums = session.sql(DAY_SUMS).await?;
        sums.clone().write_parquet(&folder.join(PARQUET).to_string_lossy(), Default::default(), None).await?;
        write_csv(&folder.join(CSV), &sums.collect().await?)?;
    }
    Ok(())
}

async fn opened(folder: &Path) -> anyhow::Result<(SessionContext, Reader)> {
    let reader = Reader::new(Lake::open_local(folder).await?, ReaderLimits::default())?;
    let cut = reader.newest_cut().await?.ok_or_else(|| anyhow::anyhow!("no cut: run `fleet grow` first"))?;
    Ok((reader.open_cut(&cut).await?, reader))
}

/// One control: a name and what it was asked so far.
pub struct Control {
    name: &'static str,
    of: Of,
    times: Vec<Duration>,
    rounds: u64,
}

enum Of {
    DataFusion { session: Arc<SessionContext>, sql: &'static str },
    PostgreSql { script: PathBuf },
}

impl Control {
    /// Both of DataFusion, and PostgreSQL where a script of pgbench is named; the environment says where it listens.
    pub async fn all(folder: &Path, script: Option<PathBuf>) -> anyhow::Result<Vec<Self>> {
        sums(folder).await?;
        let (session, _) = opened(folder).await?;
        session.register_parquet("day_sums", &folder.join(PARQUET).to_string_lossy(), Default::default()).await?;
        let session = Arc::new(session);
        let of = |name, of| Self { name, of, times: Vec::new(), rounds: 0 };
        let fusion = |sql| Of::DataFusion { session: Arc::clone(&session), sql };
        let mut all = vec![
            of("plain DataFusion, quarter-hours", fusion(QUARTERS)),
            of("plain DataFusion, day sums", fusion(DAYS)),
        ];
        all.extend(script.map(|script| of("PostgreSQL 15, day sums", Of::PostgreSql { script })));
        Ok(all)
    }

    /// Questions over quarter-hours are slow: of the others five times as many are asked.
    pub async fn ask(&mut self, questions: usize, users: usize, days: i32) -> anyhow::Result<()> {
        self.rounds += 1;
        let times = match &self.of {
            Of::DataFusion { session, sql } => {
                let questions = if *sql == QUARTERS { questions } else { questions * 5 };
                asked(session, sql, questions, users, days, self.rounds * SEEDS_APART).await?
            }
            Of::PostgreSql { script } => pgbench(script, questions * 5, users, self.rounds)?,
        };
        self.times.extend(times);
        Ok(())
    }

    pub fn report(&mut self) {
        report(self.name, &mut self.times);
    }
}

/// Clients of PostgreSQL's own bench, each with its share of the questions.
fn pgbench(script: &Path, questions: usize, users: usize, seed: u64) -> anyhow::Result<Vec<Duration>> {
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("times");
    let said = Command::new(PGBENCH)
        .args(["-n", "-c", &users.to_string(), "-j", "2", "-t", &questions.div_ceil(users).to_string()])
        .arg(format!("--random-seed={seed}"))
        .arg("-f")
        .arg(script)
        .args(["--log", "--log-prefix"])
        .arg(&prefix)
        .output()?;
    anyhow::ensure!(said.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&said.stderr));
    let mut times = Vec::new();
    for file in std::fs::read_dir(folder.path())? {
        for line in std::fs::read_to_string(file?.path())?.lines() {
            let micros = line.split_whitespace().nth(2).and_then(|text| text.parse().ok());
            times.push(Duration::from_micros(micros.ok_or_else(|| anyhow::anyhow!("`{line}` is no line of pgbench"))?));
        }
    }
    Ok(times)
}

async fn asked(
    session: &Arc<SessionContext>,
    sql: &'static str,
    questions: usize,
    users: usize,
    days: i32,
    seed: u64,
) -> anyhow::Result<Vec<Duration>> {
    let asked = Arc::new(AtomicUsize::new(0));
    let user = |user: usize| {
        let (session, asked) = (Arc::clone(session), Arc::clone(&asked));
        tokio::spawn(async move {
            let mut dice = Dice::new(seed + user as u64 + 1);
            let mut times = Vec::new();
            while asked.fetch_add(1, Ordering::Relaxed) < questions {
                let (_, from, until) = period(&mut dice, days);
                let (year, month, _) = from.civil();
                let month = medfleet_domain::time::Day::from_civil(year, month, 1);
                let words = BTreeMap::from([
                    ("{month}", format!("DATE '{month}'")),
                    ("{from}", instant(from)),
                    ("{until}", instant(until)),
                    ("{from_day}", format!("DATE '{from}'")),
                    ("{until_day}", format!("DATE '{until}'")),
                ]);
                let sql = words.iter().fold(sql.to_owned(), |sql, (word, value)| sql.replace(word, value));
                let started = Instant::now();
                anyhow::ensure!(
                    run(&session, &sql, &[]).await?.iter().any(|batch| batch.num_rows() > 0),
                    "{sql}: no rows"
                );
                times.push(started.elapsed());
            }
            Ok::<Vec<Duration>, anyhow::Error>(times)
        })
    };
    let mut times = Vec::new();
    for user in (0..users).map(user).collect::<Vec<_>>() {
        times.extend(user.await??);
    }
    Ok(times)
}

fn instant(day: medfleet_domain::time::Day) -> String {
    format!("arrow_cast({}, 'Timestamp(Microsecond, Some(\"UTC\"))')", day.start().0)
}

fn write_csv(path: &Path, batches: &[medfleet_lake::RecordBatch]) -> anyhow::Result<()> {
    use arrow::array::AsArray as _;
    use std::io::Write as _;
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    for batch in batches {
        let text = |at: usize| arrow::compute::cast(batch.column(at), &arrow::datatypes::DataType::Utf8);
        let columns = (0..batch.num_columns()).map(text).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells: Vec<&str> = columns.iter().map(|column| column.as_string::<i32>().value(row)).collect();
            writeln!(out, "{}", cells.join(","))?;
        }
    }
    Ok(out.flush()?)
}
