//! The controls: the same seconds by site, kind and condition, asked of plain DataFusion over the lake's own Parquet files, and
//! of a table of day sums that PostgreSQL gets as well. They know neither base hours nor bounds nor `as_of`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use medfleet_lake::{Lake, Reader, ReaderLimits, SessionContext, run};

use crate::ask::{Dice, period, report};
use crate::grow::FIRST;

const QUARTERS: &str = "SELECT site, kind, condition, SUM(micros) AS micros FROM rollup_quarter \
    WHERE month >= {month} AND quarter_at >= {from} AND quarter_at < {until} GROUP BY site, kind, condition";
const DAYS: &str = "SELECT site, kind, condition, SUM(micros) AS micros FROM day_sums \
    WHERE day >= {from_day} AND day < {until_day} GROUP BY site, kind, condition";
/// One row: site, kind and condition on one UTC day.
const DAY_SUMS: &str = "SELECT site, kind, condition, CAST(quarter_at AS DATE) AS day, SUM(micros) AS micros \
    FROM rollup_quarter GROUP BY site, kind, condition, CAST(quarter_at AS DATE) ORDER BY day, site, kind";

pub async fn control(folder: &Path, questions: usize, users: usize) -> anyhow::Result<()> {
    let lake = Lake::open_local(folder).await?;
    let reader = Reader::new(lake, ReaderLimits::default())?;
    let cut = reader.newest_cut().await?.ok_or_else(|| anyhow::anyhow!("no cut: run `fleet grow` first"))?;
    let session = reader.open_cut(&cut).await?;
    let csv = folder.join("day_sums.csv");
    let parquet = folder.join("day_sums");
    if !csv.exists() {
        let sums = session.sql(DAY_SUMS).await?;
        sums.clone().write_parquet(&parquet.to_string_lossy(), Default::default(), None).await?;
        write_csv(&csv, &sums.collect().await?)?;
    }
    session.register_parquet("day_sums", &parquet.to_string_lossy(), Default::default()).await?;
    let days = medfleet_domain::time::Timestamp(cut.made_at.0).day().0 - FIRST.0;
    let session = Arc::new(session);
    for (name, sql, questions) in
        [("plain DataFusion, quarter-hours", QUARTERS, questions), ("plain DataFusion, day sums", DAYS, questions * 5)]
    {
        let mut times = asked(&session, sql, questions, users, days).await?;
        report(name, &mut times);
    }
    Ok(())
}

async fn asked(
    session: &Arc<SessionContext>,
    sql: &'static str,
    questions: usize,
    users: usize,
    days: i32,
) -> anyhow::Result<Vec<Duration>> {
    let asked = Arc::new(AtomicUsize::new(0));
    let user = |user: usize| {
        let (session, asked) = (Arc::clone(session), Arc::clone(&asked));
        tokio::spawn(async move {
            let mut dice = Dice::new(user as u64 + 1);
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
