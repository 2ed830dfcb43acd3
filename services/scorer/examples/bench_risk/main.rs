//! The risk bench: a simulated fleet whose hazards are known, learned from and judged. Writes the judged rows beside the oracle's
//! word, and rows for other learners, into a folder; `tests/bench/risk.py` sets them side by side.

mod oracle;
mod told;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use datafusion::prelude::{SessionConfig, SessionContext};
use medfleet_domain::fact::{Fact, Sealed};
use medfleet_domain::id::{DeviceId, Seq, SubjectKind};
use medfleet_domain::time::{Day, MICROS_PER_DAY, Span, Timestamp};
use medfleet_risk::backtest::judge;
use medfleet_risk::gate::Demands;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::model::{Lesson, Model};
use medfleet_risk::promotion::promote;
use medfleet_risk::split::Split;
use medfleet_risk::voice::rules::Rules;
use medfleet_scorer::features::{Asked, LifeLimits, Question, Roll, SILENTLY, Tense};
use medfleet_scorer::gather::Gatherer;
use medfleet_simulator::catalogue::Catalogue;
use medfleet_simulator::fleet::Fleet;
use medfleet_simulator::history::History;
use medfleet_simulator::plan::Plan;

/// Of rows that do not fail within the horizon, one in so many teaches.
const THINNING: u64 = 4;
/// Before that nothing is known of the last 30 days.
const FIRST_DAY: i64 = 30;

/// What the bench is asked for: `--horizon 7d --copies 6 --days 548 --seed 1 --out folder`.
struct Wanted {
    horizon: Horizon,
    copies: u32,
    days: i64,
    seed: u64,
    out: PathBuf,
}

fn wanted() -> Result<Wanted> {
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    let mut words = std::env::args().skip(1);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        given.insert(name.trim_start_matches("--").to_owned(), value);
    }
    let number = |name: &str, default: u64| given.get(name).map_or(Ok(default), |text| text.parse());
    let horizon = given.get("horizon").map_or("7d", String::as_str);
    let known = Horizon::ALL.into_iter().find(|known| known.as_str() == horizon);
    Ok(Wanted {
        horizon: known
            .with_context(|| format!("horizon `{horizon}` is not one of {:?}", Horizon::ALL.map(Horizon::as_str)))?,
        copies: number("copies", 6)? as u32,
        days: number("days", 548)? as i64,
        seed: number("seed", 1)?,
        out: given.get("out").context("say --out FOLDER")?.into(),
    })
}

#[tokio::main]
async fn main() -> Result<()> {
    let Wanted { horizon, copies, days, seed, out } = wanted()?;
    std::fs::create_dir_all(&out)?;
    let clock = Instant::now();
    let say = |what: &str| eprintln!("{:6.1} s  {what}", clock.elapsed().as_secs_f64());

    let plan = fleet(copies, seed)?;
    let until = plan.start.plus_micros(days * MICROS_PER_DAY);
    say(&format!("{} devices in {} hospitals, {days} days", plan.devices.len(), plan.sites.len()));
    let gatherer = gather(&plan, until);
    say("histories told");

    let period = Span::new(plan.start.plus_micros(FIRST_DAY * MICROS_PER_DAY), until)?;
    let split = Split::backtest(period, horizon)?;
    let roll = Roll::of(&gatherer, split.train.until, 1).closed_at(split.borders());
    let instants: Vec<Timestamp> = (FIRST_DAY..days).map(|day| plan.start.plus_micros(day * MICROS_PER_DAY)).collect();
    let keep = |asked: &Asked| thinned(asked, split.train, horizon);
    let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    let limits = limits()?;
    let frame = roll
        .frame(
            &session,
            &Question { instants: &instants, limits: &limits, keep: &keep, tense: Tense::Past, done: SILENTLY },
        )
        .await?;
    say(&format!("{} rows of {} sorts of parts", frame.len(), roll.sorts().len()));

    let (lives, rules) = (roll.lives(split.train.until), Rules::embedded()?);
    let began = Instant::now();
    let mut model = Model::train(Lesson { frame: &frame, lives: &lives, rules, split, horizon, seed })?;
    say(&format!("trained in {:.1} s, {} trees", began.elapsed().as_secs_f64(), model.trees.count()));
    promote(&mut model, &frame, &Demands::default())?;
    say("the gate has decided");
    let backtest = judge(&model, &frame, &roll.failures())?;
    say("judged");
    std::fs::write(out.join("backtest.json"), serde_json::to_vec_pretty(&backtest)?)?;
    std::fs::write(out.join("model.json"), model.to_json()?)?;

    let told = told::Told { plan: &plan, gatherer: &gatherer, frame: &frame, model: &model, days };
    told.write(&out)?;
    say("written");
    Ok(())
}

/// The demo fleet, several times over, under names of its own.
fn fleet(copies: u32, seed: u64) -> Result<Plan> {
    let mut fleet = Fleet::embedded()?;
    let hospitals = std::mem::take(&mut fleet.hospitals);
    for copy in 0..copies {
        fleet.hospitals.extend(hospitals.iter().cloned().map(|mut hospital| {
            hospital.id = format!("{}-{copy}", hospital.id);
            hospital
        }));
    }
    Ok(Plan::draw(&fleet, &Catalogue::embedded()?, seed, Day::from_civil(2024, 1, 1).start())?)
}

/// Tells the whole past, as agents and people would have.
fn gather(plan: &Plan, until: Timestamp) -> Gatherer {
    let unsealed = |fact: Fact| Sealed { fact, bytes: Default::default() };
    let mut history = History::new(plan.clone(), until, unsealed);
    let mut gatherer = Gatherer::default();
    while let Some(day) = history.next_day() {
        for run in day.facts.iter().filter(|run| run.subject.kind == SubjectKind::Device) {
            let Ok(device) = DeviceId::new(run.subject.name()) else { continue };
            for (seq, sealed) in (run.first_seq.0..).zip(&run.facts) {
                gatherer.tell(&device, &run.site, run.kind, (run.epoch, Seq(seq)), &sealed.fact);
            }
        }
    }
    gatherer.settle();
    gatherer
}

fn limits() -> Result<LifeLimits> {
    let catalogue = Catalogue::embedded()?;
    let kinds = medfleet_domain::kind::DeviceKind::CATALOGUE.into_iter().filter_map(|kind| catalogue.kind(kind));
    let limits = kinds.flat_map(|kind| {
        kind.counters.iter().filter_map(|counter| Some(((kind.kind, counter.name.as_str().into()), counter.life?)))
    });
    Ok(limits.collect())
}

/// Whoever fails teaches; of the others some stand for all.
fn thinned(asked: &Asked, train: Span, horizon: Horizon) -> f64 {
    let teaches = asked.fate.within(horizon) == Some(true);
    if teaches || !train.contains(asked.at) {
        return 1.0;
    }
    let drawn = u64::from(asked.device) * 31 + u64::from(asked.group) * 17 + asked.at.day().0.unsigned_abs() as u64;
    if drawn % THINNING == 0 { THINNING as f64 } else { 0.0 }
}
