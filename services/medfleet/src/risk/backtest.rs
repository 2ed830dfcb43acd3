//! `medfleet backtest`: what models would have said, judged on a past that neither they nor their gate have seen.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use medfleet_domain::contract::Pin;
use medfleet_risk::backtest::{Account, Backtest, judge};
use medfleet_risk::gate::Demands;
use medfleet_risk::report::Report;
use medfleet_scorer::register;
use serde::Serialize;

use super::train::speakers;
use super::{Past, Task};
use crate::backing;
use crate::cli::{BacktestOptions, Place};
use crate::house::House;

/// The file: what was made from what, and how it fared.
#[derive(Serialize)]
struct Written<'a> {
    cut: i64,
    offsets: Vec<String>,
    report: &'a Report,
    backtest: &'a Backtest,
}

pub async fn run(place: &Place, options: &BacktestOptions) -> anyhow::Result<()> {
    let (house, rules) = (House::open(&place.data)?, options.rules.read()?);
    let past = Past::read(place, &backing::lake(&house).await?, None).await?;
    let folder = options.out.clone().unwrap_or_else(|| house.reports());
    let mut made = 0;
    for horizon in options.horizon.horizons() {
        let demands = Demands { failures_min: options.failures_min, ..Demands::default() };
        let task = Task { horizon, seed: options.seed, demands, rules: &rules };
        let (report, backtest) = match judged(&past, task).await {
            Ok(judged) => judged,
            Err(error) if options.horizon.is_any() => {
                println!("{}: no backtest, {error:#}", horizon.as_str());
                continue;
            }
            Err(error) => return Err(error),
        };
        let pin = |pin: Pin| format!("{}/{}:{}", pin.topic, pin.partition, pin.next_offset);
        let offsets = register::pins(&past.offsets).into_iter().map(pin).collect();
        let written = Written { cut: past.cut, offsets, report: &report, backtest: &backtest };
        let stem = folder.join(format!("backtest-{}-cut-{}", horizon.as_str(), past.cut));
        write(&stem.with_extension("json"), &serde_json::to_vec_pretty(&written)?)?;
        let page = medfleet_api::backtest::page(&backtest, past.cut, &report.settings.demands)?;
        write(&stem.with_extension("html"), page.as_bytes())?;
        show(&backtest);
        println!("  {}", stem.with_extension("html").display());
        made += 1;
    }
    if made == 0 {
        bail!("no backtest was made");
    }
    Ok(())
}

/// What a model is worth on the last slice of the past, which neither it nor its gate has seen, and how it was made.
pub async fn judged(past: &Past, task: Task<'_>) -> anyhow::Result<(Report, Backtest)> {
    let learned = past.learn(task, true).await?;
    let backtest = judge(&learned.model, &learned.frame, &learned.failures)?;
    Ok((learned.report, backtest))
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}: choose another folder with --out", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(path, bytes).with_context(failed)
}

fn show(told: &Backtest) {
    let heard = &told.heard.device_days;
    println!(
        "{}: {} devices, {} device-days of which {} fail within the horizon ({:.2} %)",
        told.horizon.as_str(),
        told.devices,
        heard.rows,
        heard.failures,
        heard.base_rate * 100.0
    );
    println!(
        "  {:12}{:>9}{:>9}{:>9}{:>8}{:>9}{:>11}{:>10}",
        "", "ROC-AUC", "PR-AUC", "skill", "slope", "recall", "precision", "lead d"
    );
    for one in &told.spoken {
        line(one.speaker.as_str(), &one.account);
    }
    line("as decided", &told.heard);
    speakers(&told.decisions);
    let (held, claimed) = told
        .kept
        .iter()
        .filter_map(|kept| kept.holds())
        .fold((0, 0), |(held, claimed), holds| (held + usize::from(holds), claimed + 1));
    println!("  {held} of {claimed} claims of voices beyond the rules held on the days that followed");
}

fn line(name: &str, account: &Account) {
    let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    let (day, events) = (&account.device_days, account.events.as_ref());
    let lead = events.and_then(|events| events.lead_days_median);
    println!(
        "  {name:12}{:>9}{:>9}{:>9}{:>8}{:>9}{:>11}{:>10}",
        shown(day.roc_auc),
        shown(day.pr_auc),
        shown(Some(day.brier_skill)),
        shown(day.slope),
        shown(events.map(|events| events.recall)),
        shown(events.map(|events| events.precision)),
        shown(lead)
    );
}
