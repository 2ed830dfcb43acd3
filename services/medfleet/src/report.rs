//! Reports: printable pages over the newest cut, and which of them were issued.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use chrono::{Datelike as _, NaiveDate};
use medfleet_api::board::{Board, Issue};
use medfleet_api::{Cuts, OpenCut, Period, read_instant};
use medfleet_domain::time::{Day, MICROS_PER_DAY, Timestamp};
use medfleet_lake::{Reader, ReaderLimits};

use crate::backing;
use crate::cli::{BoardOptions, Place, Report, ReportOptions};
use crate::house::House;

/// More is no reporting period: the same bound as pages have.
const PERIOD_DAYS_MAX: i64 = 400;

pub async fn run(place: &Place, options: ReportOptions) -> anyhow::Result<()> {
    let Report::Board(options) = options.report;
    board(place, &options).await
}

async fn board(place: &Place, options: &BoardOptions) -> anyhow::Result<()> {
    ensure!(
        (0.0..=100.0).contains(&options.target_percent),
        "--target-percent is {}: use a percentage from 0 to 100",
        options.target_percent
    );
    let house = House::open(&place.data)?;
    let cuts = Cuts::new(Reader::new(backing::lake(&house).await?, ReaderLimits::default())?);
    cuts.advance().await?;
    let newest = cuts.newest().with_context(|| {
        format!("no data has reached the tables in {}: start `medfleet up` on it first", place.data.display())
    })?;
    let as_of = options.as_of.as_deref().map(|text| instant("--as-of", text)).transpose()?;
    let at = options.at.as_deref().map(|text| instant("--at", text)).transpose()?;
    let open = cuts.seen(newest, as_of, at).await?;
    let is_draft = options.draft || as_of.is_some() || at.is_some();
    let period = period(options, &open)?;
    let issues = house.reports().join("board.json");
    let mut told = read_issues(&issues)?;
    let target = options.target_percent / 100.0;
    let issued = Board { period, target, last: told.last().cloned() }.issue(&open).await?;
    let path = options.out.clone().unwrap_or_else(|| house.reports().join(file_name(period, is_draft)));
    write(&path, issued.html.as_bytes())?;
    if !is_draft {
        told.push(issued.issue);
        write(&issues, &serde_json::to_vec_pretty(&told)?)?;
    }
    println!("{}", path.display());
    Ok(())
}

/// The days asked for, else the last whole month before the cut; never past the cut, or the instant it is asked about.
fn period(options: &BoardOptions, open: &OpenCut) -> anyhow::Result<Period> {
    let (from, until) = match (&options.from, &options.until) {
        (Some(from), Some(until)) => (day("--from", from)?, day("--until", until)?),
        _ => last_month(open.at().day()),
    };
    let period = Period { from: from.start(), until: until.start().min(quarter_before(open.at())) };
    ensure!(
        period.from < period.until,
        "the period from {from} to {until} is empty, or begins after {}, up to which is asked",
        open.at()
    );
    ensure!(
        period.micros() <= PERIOD_DAYS_MAX * MICROS_PER_DAY,
        "the period from {from} to {until} is longer than {PERIOD_DAYS_MAX} days"
    );
    Ok(period)
}

fn quarter_before(at: Timestamp) -> Timestamp {
    const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;
    Timestamp(at.0.div_euclid(QUARTER_MICROS) * QUARTER_MICROS)
}

fn last_month(today: Day) -> (Day, Day) {
    let (year, month, _) = today.civil();
    let (before, last) = if month == 1 { (year - 1, 12) } else { (year, month - 1) };
    (Day::from_civil(before, last, 1), Day::from_civil(year, month, 1))
}

fn day(flag: &str, text: &str) -> anyhow::Result<Day> {
    let read = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    let read = read.with_context(|| format!("{flag} is `{text}`: write a day as 2026-10-01"))?;
    Ok(Day::from_civil(read.year(), read.month(), read.day()))
}

fn instant(flag: &str, text: &str) -> anyhow::Result<Timestamp> {
    read_instant(text)
        .with_context(|| format!("{flag} is `{text}`: write a day as 2026-10-01, or 2026-10-01T06:00:00Z"))
}

/// A draft never takes the place of a report.
fn file_name(period: Period, is_draft: bool) -> String {
    let draft = if is_draft { "-draft" } else { "" };
    format!("board-{}-{}{draft}.html", period.from.day(), Timestamp(period.until.0 - 1).day())
}

fn read_issues(path: &Path) -> anyhow::Result<Vec<Issue>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .with_context(|| format!("{} cannot be read: restore it, or remove it to begin anew", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}: choose another with --out", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_month_is_meant_when_nothing_is_said() {
        let of = |year, month, date| last_month(Day::from_civil(year, month, date));
        assert_eq!(of(2026, 1, 3), (Day::from_civil(2025, 12, 1), Day::from_civil(2026, 1, 1)));
        assert_eq!(of(2026, 11, 27), (Day::from_civil(2026, 10, 1), Day::from_civil(2026, 11, 1)));
    }

    #[test]
    fn a_day_that_is_none_is_named() {
        let error = day("--from", "October").expect_err("no day").to_string();
        assert!(error.contains("--from") && error.contains("`October`"), "{error}");
        let error = instant("--as-of", "yesterday").expect_err("no instant").to_string();
        assert!(error.contains("--as-of") && error.contains("`yesterday`"), "{error}");
    }
}
