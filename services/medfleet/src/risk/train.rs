//! `medfleet train`: a model for each horizon, kept as a file and told to the log with what makes it again.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use medfleet_api::backtest::Recorded;
use medfleet_domain::risk::{ModelTrained, ModelWithdrawn, RiskNews, RiskRecord};
use medfleet_domain::time::{Span, Timestamp};
use medfleet_log::EventLog;
use medfleet_risk::backtest::Backtest;
use medfleet_risk::gate::{Decision, Demands};
use medfleet_risk::horizon::Horizon;
use medfleet_risk::model::Model;
use medfleet_risk::report::Report;
use medfleet_risk::voice::Speaker;
use medfleet_risk::voice::rules::Rules;
use medfleet_runtime::now_micros;
use medfleet_scorer::learn::Learned;
use medfleet_scorer::models::Models;
use medfleet_scorer::register::{self, Register};
use medfleet_scorer::service::hours;

use super::backtest::judged;
use super::{Past, Task};
use crate::backing;
use crate::cli::{Place, TrainOptions};
use crate::house::House;

pub async fn run(place: &Place, options: &TrainOptions) -> anyhow::Result<()> {
    let (house, rules) = (House::open(&place.data)?, options.rules.read()?);
    let (log, lake) = (backing::log(place, &house).await?, backing::lake(&house).await?);
    let models = Models::new(house.models());
    let known = Register::read(&*log).await?;
    if let (Some(name), Some(because)) = (&options.withdraw, &options.because) {
        return withdraw(&*log, &known, name, &options.by, because).await;
    }
    if let Some(name) = &options.again {
        let (_, told) = known.models().find(|(_, told)| told.model == *name).with_context(|| {
            format!("the log tells of no model {name}: `medfleet train` without --again makes one of today's past")
        })?;
        return again(place, &lake, &models, told, &rules).await;
    }
    let past = Past::read(place, &lake, None).await?;
    let mut made = 0;
    for horizon in options.horizon.horizons() {
        let demands = Demands { failures_min: options.failures_min, ..Demands::default() };
        let task = Task { horizon, seed: options.seed, demands, rules: &rules };
        let lesson = Lesson { task, at: Timestamp(now_micros()), judged: true };
        match make(&*log, &models, &known, &past, lesson).await {
            Ok(made) => show(&made, &models.file(&made.name)),
            // One of both horizons may ask for more past than there is.
            Err(error) if options.horizon.is_any() => {
                println!("{}: no model, {error:#}", horizon.as_str());
                continue;
            }
            Err(error) => return Err(error),
        }
        made += 1;
    }
    if made == 0 {
        bail!("no model was made");
    }
    println!("scores follow: `medfleet up` asks these models about every device once a day");
    Ok(())
}

/// Which model is to be made, and when.
pub struct Lesson<'a> {
    pub task: Task<'a>,
    pub at: Timestamp,
    /// Another is made alike of a shorter past and judged on the rest: its backtest travels with the record of this one.
    pub judged: bool,
}

/// A model, how it was made, and its name. What it was made of is not kept: that is as large as the past.
pub struct Made {
    pub model: Model,
    pub report: Report,
    pub name: String,
}

impl Made {
    fn of(learned: Learned) -> anyhow::Result<Self> {
        let name = learned.model.version()?;
        Ok(Self { model: learned.model, report: learned.report, name })
    }
}

/// Learns, keeps the model as a file, and tells the log of it unless that knows it already.
pub async fn make(
    log: &dyn EventLog,
    models: &Models,
    known: &Register,
    past: &Past,
    lesson: Lesson<'_>,
) -> anyhow::Result<Made> {
    let made = Made::of(past.learn(lesson.task, false).await?)?;
    models.keep(&made.model)?;
    if !known.models().any(|(_, told)| told.model == made.name) {
        let backtest = if lesson.judged { worth(past, lesson.task).await } else { None };
        tell(log, past, &made, backtest, lesson.at).await?;
    }
    Ok(made)
}

/// The backtest that is told with a model. It asks for more past than the model does: without one the model is told all the same.
async fn worth(past: &Past, task: Task<'_>) -> Option<Backtest> {
    match judged(past, task).await {
        Ok((_, backtest)) => Some(backtest),
        Err(error) => {
            println!("{}: no backtest, {error:#}", task.horizon.as_str());
            None
        }
    }
}

/// Takes a model back by a record of the log.
async fn withdraw(log: &dyn EventLog, known: &Register, name: &str, by: &str, because: &str) -> anyhow::Result<()> {
    if !known.models().any(|(_, told)| told.model == name) {
        bail!("the log tells of no model {name}: the page Risk names those it knows");
    }
    let withdrawn = ModelWithdrawn { model: name.to_owned(), by: by.to_owned(), reason: because.to_owned() };
    let record = RiskRecord { at: Timestamp(now_micros()), news: RiskNews::Withdrawn(withdrawn) };
    register::tell(log, &record).await?;
    println!("model {name} is withdrawn: `medfleet up` hears it no more");
    Ok(())
}

/// Makes a model that the log tells of once more; equal to the byte, or the reason why not.
async fn again(
    place: &Place,
    lake: &medfleet_lake::Lake,
    models: &Models,
    told: &ModelTrained,
    rules: &Rules,
) -> anyhow::Result<()> {
    let past = Past::read(place, lake, Some((told.cut, register::offsets(&told.pins)))).await?;
    let horizon = Horizon::ALL.into_iter().find(|horizon| hours(*horizon) == told.horizon_hours);
    let horizon = horizon.with_context(|| format!("a horizon of {} h is none of ours", told.horizon_hours))?;
    let task = Task { horizon, seed: told.seed, demands: demands(told), rules };
    let made = Made::of(past.learn(task, false).await?)?;
    if made.name != told.model {
        bail!(
            "made {} and not {}: it was made with other rules, which `--rules` can name, or by a version of medfleet that learns otherwise",
            made.name,
            told.model
        );
    }
    models.keep(&made.model)?;
    show(&made, &models.file(&made.name));
    Ok(())
}

/// What the gate demanded when a model was made; its decisions are part of the model.
fn demands(told: &ModelTrained) -> Demands {
    let report: Option<Report> = serde_json::from_str(&told.report).ok();
    report.map_or_else(Demands::default, |report| report.settings.demands)
}

async fn tell(
    log: &dyn EventLog,
    past: &Past,
    made: &Made,
    backtest: Option<Backtest>,
    at: Timestamp,
) -> anyhow::Result<()> {
    let model = &made.model;
    let trained = ModelTrained {
        model: made.name.clone(),
        horizon_hours: hours(model.horizon),
        seed: model.seed,
        cut: past.cut,
        pins: register::pins(&past.offsets),
        period: Span::new(model.split.train.from, model.split.decide.until)?,
        report: serde_json::to_string(&Recorded::new(made.report.clone(), backtest))?,
    };
    let record = RiskRecord { at, news: RiskNews::Trained(trained) };
    Ok(register::tell(log, &record).await?)
}

fn show(made: &Made, file: &Path) {
    let (model, settings, name) = (&made.model, &made.report.settings, &made.name);
    println!("{}: model {name} in {}", model.horizon.as_str(), file.display());
    println!("  {} devices, {} rows, {} trees, seed {}", settings.devices, settings.rows, settings.trees, model.seed);
    let Demands { failures_min, devices_min, .. } = settings.demands;
    println!("  more than the rules may speak from {failures_min} failures on {devices_min} devices on");
    speakers(&model.decisions);
}

/// Who speaks for how many sorts of parts, and one reason each.
pub fn speakers(decisions: &[Decision]) {
    let mut by_voice: BTreeMap<Speaker, Vec<&Decision>> = BTreeMap::new();
    decisions.iter().for_each(|one| by_voice.entry(one.speaks).or_default().push(one));
    for (voice, ones) in by_voice {
        let first = ones[0];
        let sort = format!("{} {}", first.sort.kind.as_str(), first.sort.component);
        println!("  {} speak for {} sorts of parts, e.g. {sort}: {}", voice.as_str(), ones.len(), first.because);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::Day;
    use medfleet_risk::report::Settings;
    use medfleet_risk::split::Split;

    fn told(report: String) -> ModelTrained {
        let period = Span { from: Day(0).start(), until: Day(1).start() };
        ModelTrained { model: "00aa".into(), horizon_hours: 24, seed: 1, cut: 1, pins: Vec::new(), period, report }
    }

    #[test]
    fn a_model_is_made_again_by_the_demands_of_its_time() {
        let span = |from, until| Span { from: Day(from).start(), until: Day(until).start() };
        let split = Split { train: span(0, 50), calibrate: span(50, 60), decide: span(60, 80), judge: None };
        let strict = Demands { failures_min: 77, ..Demands::default() };
        let settings = Settings {
            split,
            devices: 2,
            rows: 9,
            every_days: 1,
            thinning: 1,
            trees: 3,
            calibrated_days: 9,
            verdicts: 0,
            demands: strict,
        };
        let report = Report { settings, speakers: Vec::new(), decisions: Vec::new() };
        let record = serde_json::to_string(&Recorded::new(report, None)).unwrap();
        assert_eq!(demands(&told(record)), strict);
        assert_eq!(demands(&told("of another version".into())), Demands::default());
    }
}
