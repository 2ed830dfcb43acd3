//! A journal that is full refuses loudly: what was accepted is there after a restart, what was refused is not, and nothing is dropped.
//! However full it is and whatever it is told, an agent begins, ends and begins again.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_agent::config::MAX_SUBJECTS;
use medfleet_agent::{Observation, Refusal, Stated};
use medfleet_domain::condition::Condition;
use medfleet_domain::fact::Body;
use medfleet_domain::id::Subject;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_journal::Limits;
use medfleet_runtime::now_micros;

use crate::given::{CALL_OBSERVATIONS, SMALL, end, error, fill, in_condition, kept, spooled, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_refuses_loudly_and_drops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path(), SMALL).await;
    let intake = running.0.intake().unwrap();
    let (mut accepted, mut refusals) = (BTreeSet::new(), Vec::new());
    for call in (0..10_000).step_by(CALL_OBSERVATIONS) {
        let numbers = call..call + CALL_OBSERVATIONS;
        let answers = intake.observe_all(numbers.clone().map(error).collect()).await;
        for (number, answer) in numbers.zip(answers) {
            match answer {
                Ok(()) => drop(accepted.insert(format!("E{number}"))),
                Err(refusal) => refusals.push(refusal),
            }
        }
        if !refusals.is_empty() {
            break;
        }
    }
    let refusal = refusals.first().expect("the journal has a limit");
    assert!(matches!(refusal, Refusal::Full { .. }), "{refusal}");
    assert!(refusal.to_string().contains("nothing was dropped"), "{refusal}");
    assert!(accepted.len() > 100, "{} were accepted", accepted.len());
    assert!(matches!(intake.observe(error(99_999)).await, Err(Refusal::Full { .. })), "and goes on refusing");
    assert_eq!(running.0.metrics().refused_full.get(), refusals.len() as u64 + 1, "each refusal is counted");
    drop(intake);
    end(running).await;
    assert_eq!(kept(folder.path()), accepted, "exactly what was accepted is kept");

    let again = start(folder.path(), SMALL).await;
    let intake = again.0.intake().unwrap();
    assert!(matches!(intake.observe(error(99_999)).await, Err(Refusal::Full { .. })), "a restart makes no room");
    drop(intake);
    end(again).await;
    assert_eq!(kept(folder.path()), accepted);
}

/// Every life once began and ended with a checkpoint out of the reserve, until none began any more.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_restarts_with_a_full_journal_leave_the_room_that_frees_it() {
    let limits = Limits { capacity_bytes: 1024 * 1024, ..SMALL };
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path(), limits).await;
    fill(&running.0, 60).await;
    end(running).await;
    let accepted = spooled(folder.path(), limits);
    for _ in 0..50 {
        let again = start(folder.path(), limits).await;
        let intake = again.0.intake().unwrap();
        assert!(matches!(intake.observe(error(0)).await, Err(Refusal::Full { .. })));
        assert_eq!((again.0.metrics().refused_full.get(), again.0.metrics().full.get()), (1, 1), "counted and shown");
        drop(intake);
        end(again).await;
    }
    assert!(spooled(folder.path(), limits).starts_with(&accepted), "nothing is lost");
    let used: u64 = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(used < limits.capacity_bytes * 7 / 8, "{used} bytes are in use");
}

/// A checkpoint of all subjects ever seen once grew past the largest record, and the agent ended for good.
#[tokio::test(flavor = "multi_thread")]
async fn more_subjects_than_an_agent_follows_are_refused_and_those_it_follows_are_known_to_the_next_life() {
    let limits = Limits { segment_max_bytes: 4 * 1024 * 1024, capacity_bytes: 256 * 1024 * 1024 };
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path(), limits).await;
    let intake = running.0.intake().unwrap();
    // Names as long as they may be, so that one checkpoint of all of them is larger than a record.
    let name = |number: usize| format!("{number:x>96}");
    let observations = (0..20_000).map(|number| in_condition(&name(number), Condition::Standby)).collect();
    let answers = intake.observe_all(observations).await;
    let taken = answers.iter().take_while(|answer| answer.is_ok()).count();
    assert_eq!(taken, MAX_SUBJECTS - 1, "beside the agent itself");
    assert!(answers[taken..].iter().all(|answer| matches!(answer, Err(Refusal::TooManySubjects { .. }))));
    assert_eq!(running.0.metrics().refused_subjects.get(), (20_000 - taken) as u64, "counted");
    let first_life = running.0.epoch();
    drop(intake);
    end(running).await;

    let again = start(folder.path(), limits).await;
    again.0.intake().unwrap().observe(in_condition(&name(7), Condition::Productive)).await.unwrap();
    let second_life = again.0.epoch();
    end(again).await;
    let openings = spooled(folder.path(), limits).into_iter().filter(|each| each.epoch == second_life);
    let previous = openings.filter_map(|each| match each.fact.fact.body {
        Body::Opened { previous } => Some((each.subject, previous.map(|range| range.epoch))),
        _ => None,
    });
    let previous: BTreeMap<_, _> = previous.collect();
    assert_eq!(previous.len(), MAX_SUBJECTS, "each was seen up to the last sign of life");
    assert!(previous.values().all(|epoch| *epoch == Some(first_life)), "and its stream goes on");
}

/// Many days of each of many devices were once one group: it overran the reserve, the agent ended, and began again with the same rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_says_more_than_the_journal_holds_is_accepted_as_far_as_there_is_room() {
    const DAYS: i64 = 100;
    let limits = Limits { segment_max_bytes: 256 * 1024, capacity_bytes: 8 * 1024 * 1024 };
    let folder = tempfile::tempdir().unwrap();
    let now = Timestamp(now_micros());
    let told = |name: &str, at: Timestamp, condition| Observation {
        stated: Some(Stated::at(at)),
        ..in_condition(name, condition)
    };
    let long_ago = now.plus_micros(-DAYS * MICROS_PER_DAY);
    let rows = (0..100)
        .map(|number| format!("ct-{number}"))
        .flat_map(|name| [told(&name, long_ago, Condition::Standby), told(&name, now, Condition::Productive)]);
    let mut rows: Vec<Observation> = rows.collect();
    let (mut accepted, mut offered_from) = (0, 0);
    for life in 0..3 {
        let running = start(folder.path(), limits).await;
        let intake = running.0.intake().unwrap();
        let answers = intake.observe_all(rows.clone()).await;
        let taken = answers.iter().take_while(|answer| answer.is_ok()).count();
        assert!(answers[taken..].iter().all(|answer| matches!(answer, Err(Refusal::Full { .. }))), "life {life}");
        assert!(if life == 0 { taken > 10 } else { taken <= 2 }, "life {life} takes {taken} rows");
        // A condition whose end came in another life is unknown in between.
        accepted += ((offered_from + taken) / 2).saturating_sub(offered_from.div_ceil(2));
        (offered_from, rows) = (offered_from + taken, rows.split_off(taken));
        drop(intake);
        end(running).await;
    }
    let (mut stretches, mut seen_from): (BTreeMap<Subject, i64>, BTreeSet<_>) = Default::default();
    for each in spooled(folder.path(), limits) {
        if let Some(span) = each.fact.fact.span() {
            assert!(seen_from.insert((each.subject.clone(), span.from)), "{} says a stretch twice", each.subject);
            *stretches.entry(each.subject).or_default() += span.until.0 - span.from.0;
        }
    }
    let whole = stretches.values().filter(|micros| **micros == DAYS * MICROS_PER_DAY).count();
    assert_eq!(whole, accepted, "what was accepted is there");
}
