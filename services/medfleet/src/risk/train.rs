//! `medfleet train`: a model for each horizon, kept as a file and told to the log with what makes it again.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use medfleet_domain::risk::{ModelTrained, ModelWithdrawn, RiskNews, RiskRecord};
use medfleet_domain::time::{Span, Timestamp};
use medfleet_log::EventLog;
use medfleet_risk::gate::Decision;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::voice::Speaker;
use medfleet_runtime::now_micros;
use medfleet_scorer::learn::Learned;
use medfleet_scorer::models::Models;
use medfleet_scorer::register::{self, Register};
use medfleet_scorer::service::hours;

use super::Past;
use crate::backing;
use crate::cli::{Place, TrainOptions};
use crate::house::House;

pub async fn run(place: &Place, options: &TrainOptions) -> anyhow::Result<()> {
    let house = House::open(&place.data)?;
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
        return again(place, &lake, &models, told).await;
    }
    let past = Past::read(place, &lake, None).await?;
    let mut made = 0;
    for horizon in options.horizon.horizons() {
        let lesson = Lesson { horizon, seed: options.seed, at: Timestamp(now_micros()) };
        match make(&*log, &models, &known, &past, lesson).await {
            Ok((learned, name)) => show(&learned, &name, &models.file(&name)),
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
pub struct Lesson {
    pub horizon: Horizon,
    pub seed: u64,
    pub at: Timestamp,
}

/// Learns, keeps the model as a file and tells the log of it; answers its name too.
pub async fn make(
    log: &dyn EventLog,
    models: &Models,
    known: &Register,
    past: &Past,
    lesson: Lesson,
) -> anyhow::Result<(Learned, String)> {
    let learned = past.learn(lesson.horizon, lesson.seed, false).await?;
    let name = models.keep(&learned.model)?;
    tell(log, known, past, &learned, &name, lesson.at).await?;
    Ok((learned, name))
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
async fn again(place: &Place, lake: &medfleet_lake::Lake, models: &Models, told: &ModelTrained) -> anyhow::Result<()> {
    let past = Past::read(place, lake, Some((told.cut, register::offsets(&told.pins)))).await?;
    let horizon = Horizon::ALL.into_iter().find(|horizon| hours(*horizon) == told.horizon_hours);
    let horizon = horizon.with_context(|| format!("a horizon of {} h is none of ours", told.horizon_hours))?;
    let learned = past.learn(horizon, told.seed, false).await?;
    let name = learned.model.version()?;
    if name != told.model {
        bail!(
            "made {name} and not {}: this version of medfleet learns otherwise than the one that made it",
            told.model
        );
    }
    models.keep(&learned.model)?;
    show(&learned, &name, &models.file(&name));
    Ok(())
}

async fn tell(
    log: &dyn EventLog,
    known: &Register,
    past: &Past,
    learned: &Learned,
    name: &str,
    at: Timestamp,
) -> anyhow::Result<()> {
    let model = &learned.model;
    if known.models().any(|(_, told)| told.model == name) {
        return Ok(());
    }
    let trained = ModelTrained {
        model: name.to_owned(),
        horizon_hours: hours(model.horizon),
        seed: model.seed,
        cut: past.cut,
        pins: register::pins(&past.offsets),
        period: Span::new(model.split.train.from, model.split.decide.until)?,
        report: serde_json::to_string(&learned.report)?,
    };
    let record = RiskRecord { at, news: RiskNews::Trained(trained) };
    Ok(register::tell(log, &record).await?)
}

fn show(learned: &Learned, name: &str, file: &Path) {
    let (model, settings) = (&learned.model, &learned.report.settings);
    println!("{}: model {name} in {}", model.horizon.as_str(), file.display());
    println!("  {} devices, {} rows, {} trees, seed {}", settings.devices, settings.rows, settings.trees, model.seed);
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
