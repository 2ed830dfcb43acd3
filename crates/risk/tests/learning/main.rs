//! Voices learn from a world whose hazards are known, and the gate lets them speak where that helps and nowhere else.

mod world;

use std::sync::LazyLock;

use medfleet_risk::Error;
use medfleet_risk::backtest::{Backtest, judge};
use medfleet_risk::figures::{pr_auc, roc_auc};
use medfleet_risk::gate::Demands;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::model::{Lesson, Model};
use medfleet_risk::promotion::promote;
use medfleet_risk::split::Split;
use medfleet_risk::voice::Speaker;
use medfleet_risk::voice::rules::Rules;
use world::{MEMORYLESS, TELLING, World};

fn train(world: &World) -> Result<Model, Error> {
    let (frame, lives, rules) = (&world.frame, &world.lives[..], Rules::embedded()?);
    let split = Split::backtest(world.period, Horizon::Week)?;
    Model::train(Lesson { frame, lives, rules, split, horizon: Horizon::Week, seed: 7 })
}

fn backtest(world: &World) -> Result<(Model, Backtest), Error> {
    let mut model = train(world)?;
    promote(&mut model, &world.frame, &Demands::default())?;
    let told = judge(&model, &world.frame, &world.failures)?;
    Ok((model, told))
}

/// The first world, and what was learnt of it and judged: two tests look at it.
fn first() -> &'static (World, Model, Backtest) {
    static FIRST: LazyLock<(World, Model, Backtest)> = LazyLock::new(|| {
        let world = World::new(1, 260, 420);
        let (model, told) = backtest(&world).expect("the first world can be learnt");
        (world, model, told)
    });
    &FIRST
}

#[test]
fn the_trees_come_close_to_an_oracle_and_speak_where_there_is_something_to_see() -> Result<(), Error> {
    let (world, model, told) = first();
    let judged = world.frame.decided(Split::rows(&world.frame, model.split.judge.expect("a backtest")), Horizon::Week);
    let telling = |row: &usize| world.frame.group(*row).component.as_ref() == TELLING;
    let (rows, failed): (Vec<usize>, Vec<bool>) =
        judged.rows.iter().zip(&judged.failed).filter(|(row, _)| telling(row)).unzip();
    let even = vec![1.0; rows.len()];
    let area = |scores: &[f64]| pr_auc(scores, &failed, &even).unwrap_or_default();
    let oracle = area(&rows.iter().map(|row| world.oracle[*row]).collect::<Vec<_>>());
    let trees = area(&model.scores(Speaker::Trees, &world.frame, &rows));
    println!("PR-AUC: oracle {oracle:.3}, trees {trees:.3}");
    assert!(trees >= 0.9 * oracle, "oracle {oracle}, trees {trees}");

    let speaks = |part: &str| told.decisions.iter().find(|one| &*one.sort.component == part).map(|one| one.speaks);
    assert_eq!(speaks(TELLING), Some(Speaker::Trees), "{:#?}", told.decisions);
    assert_ne!(speaks(MEMORYLESS), Some(Speaker::Trees), "{:#?}", told.decisions);

    let spoken = told.spoken.iter().find(|one| one.speaker == Speaker::Trees).expect("judged");
    let (parts, slope) = (&spoken.account.parts, spoken.account.parts.slope.unwrap_or_default());
    println!("calibration error {:.4}, slope {slope:.3}, skill {:.3}", parts.reliability.error, parts.brier_skill);
    assert!(parts.reliability.error < 0.03 && (0.8..1.2).contains(&slope) && parts.brier_skill > 0.0);
    let events = spoken.account.events.as_ref().expect("the budget allows alerts");
    println!("{events:?}");
    // One device-day in a hundred may alert, and six in a hundred come before a failure.
    assert!(events.recall > 0.15 && events.precision > 0.6);
    Ok(())
}

#[test]
fn what_the_gate_decides_does_not_depend_on_the_slice_that_reports_it() -> Result<(), Error> {
    let (world, model, told) = first();
    let reported = Split::backtest(world.period, Horizon::Week)?.judge.expect("a backtest");
    assert!(told.decisions.iter().any(|one| one.speaks != Speaker::Rules), "{:#?}", told.decisions);
    let (other, told_other) = backtest(&world.clone().fateless_from(reported.from))?;
    assert_eq!(model.decisions, other.decisions);
    assert_ne!(told.kept, told_other.kept, "the slice that reports was changed");
    Ok(())
}

#[test]
fn shuffled_fates_teach_nothing() -> Result<(), Error> {
    let world = World::new(2, 260, 420).shuffled();
    let model = train(&world)?;
    let judged = world.frame.decided(Split::rows(&world.frame, model.split.judge.expect("a backtest")), Horizon::Week);
    let scores = model.scores(Speaker::Trees, &world.frame, &judged.rows);
    let area = roc_auc(&scores, &judged.failed, &vec![1.0; scores.len()]).expect("both outcomes");
    println!("ROC-AUC on shuffled fates: {area:.4}");
    assert!((area - 0.5).abs() <= 0.02, "{area}");
    Ok(())
}

#[test]
fn a_model_is_a_function_of_its_lesson_and_reads_back_to_the_same_scores() -> Result<(), Error> {
    let world = World::new(3, 60, 300);
    let (model, again) = (train(&world)?, train(&world)?);
    assert_eq!(model.version()?, again.version()?);
    let read = Model::from_json(&model.to_json()?)?;
    let rows: Vec<usize> = (0..world.frame.len()).collect();
    for speaker in Speaker::ALL {
        let pairs =
            model.scores(speaker, &world.frame, &rows).into_iter().zip(read.scores(speaker, &world.frame, &rows));
        let worst = pairs.map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
        assert!(worst <= 1e-6, "{}: {worst}", speaker.as_str());
    }
    Ok(())
}

#[test]
fn one_row_is_scored_as_a_thousand_are() -> Result<(), Error> {
    let world = World::new(3, 60, 300);
    let model = train(&world)?;
    let rows: Vec<usize> = (0..1_000).collect();
    let batch = model.scores(Speaker::Trees, &world.frame, &rows);
    for row in rows {
        assert_eq!(model.scores(Speaker::Trees, &world.frame, &[row]), [batch[row]]);
    }
    let reasons = model.trees.reasons(&world.frame, &model.hazards, 5);
    assert!(reasons.len() > 3 && reasons.is_sorted_by(|a, b| a.1 >= b.1));
    Ok(())
}
