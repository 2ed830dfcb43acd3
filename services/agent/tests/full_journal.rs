//! A journal that is full refuses loudly: what was accepted is there after a restart, what was refused is not, and nothing is dropped.
//! However full it is and whatever it is told, an agent begins, ends and begins again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use medfleet_agent::config::MAX_SUBJECTS;
use medfleet_agent::source::replay::{Replay, ReplayConfig};
use medfleet_agent::spool::Entry;
use medfleet_agent::{Agent, AgentConfig, AgentMetrics, Observation, Refusal, Seen, Source as _, Stated, Surroundings};
use medfleet_domain::condition::{Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Severity, Source};
use medfleet_domain::id::{Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_journal::{FsStorage, Journal, JournalId, Limits};
use medfleet_runtime::{Health, Metrics, Shutdown, now_micros};
use medfleet_wire::Spooled;

const SMALL: Limits = Limits { segment_max_bytes: 64 * 1024, capacity_bytes: 512 * 1024 };
/// Observations that share a sync.
const CALL_OBSERVATIONS: usize = 50;
/// Long enough for a busy machine; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(60);

/// An agent whose broker is not there: nothing is ever freed.
async fn start(folder: &Path, limits: Limits) -> (Agent, Shutdown) {
    let Limits { segment_max_bytes, capacity_bytes } = limits;
    let config: AgentConfig = toml::from_str(&format!(
        "id = 'edge-1'\nsite = 'st-mary'\n[journal]\nfolder = '{}'\ncapacity_bytes = {capacity_bytes}\n\
         segment_max_bytes = {segment_max_bytes}\n[mqtt]\nhost = '127.0.0.1'\nport = 1\nplain = true\n",
        folder.display()
    ))
    .unwrap();
    let metrics = AgentMetrics::register(&Metrics::new().unwrap()).unwrap();
    let surroundings = Surroundings { metrics, health: Health::new().role("agent"), clocks: None };
    let shutdown = Shutdown::new();
    let agent = Agent::start(config, Vec::new(), surroundings, shutdown.clone()).await.unwrap();
    (agent, shutdown)
}

async fn end((agent, shutdown): (Agent, Shutdown)) {
    shutdown.request();
    tokio::time::timeout(PATIENCE, agent.join()).await.expect("the agent ends").unwrap();
}

fn device(name: &str) -> Subject {
    Subject::new(SubjectKind::Device, name).unwrap()
}

fn seen(name: &str, seen: Seen) -> Observation {
    let source = Source { kind: SourceKind::Device, name: "test".into() };
    Observation { subject: device(name), kind: DeviceKind::Ct, source, stated: None, seen }
}

fn in_condition(name: &str, condition: Condition) -> Observation {
    seen(name, Seen::Condition { condition, degradation: Degradation::None })
}

fn error(number: usize) -> Observation {
    let body = Body::Error(DeviceError {
        code: format!("E{number}"),
        family: "test".into(),
        severity: Severity::Warning,
        component: String::new(),
        cause_domain: String::new(),
        text: "x".repeat(200),
    });
    seen("ct-1", Seen::Event(body))
}

/// All facts that the journal holds.
fn spooled(folder: &Path, limits: Limits) -> Vec<Spooled> {
    let storage = Arc::new(FsStorage::open(folder).unwrap());
    let id: JournalId = Journal::id_of(&*storage).unwrap().unwrap();
    let journal = Journal::open(storage, id, limits).unwrap();
    let mut facts = Vec::new();
    let mut next = journal.first_index();
    loop {
        let records = journal.read(next, 1024 * 1024).unwrap();
        let Some((last, _)) = records.last() else { return facts };
        next = last + 1;
        for (index, bytes) in &records {
            let Entry::Fact { spooled, .. } = Entry::decode(*index, bytes).unwrap() else { continue };
            facts.push(spooled);
        }
    }
}

/// Codes of all errors that the journal holds.
fn kept(folder: &Path) -> BTreeSet<String> {
    codes(folder).into_iter().collect()
}

fn codes(folder: &Path) -> Vec<String> {
    let code = |spooled: Spooled| if let Body::Error(error) = spooled.fact.fact.body { Some(error.code) } else { None };
    spooled(folder, SMALL).into_iter().filter_map(code).collect()
}

/// Fills a journal until it refuses.
async fn fill(agent: &Agent, subjects: usize) {
    let intake = agent.intake().unwrap();
    for turn in 0..100_000 {
        let condition = if turn % 2 == 0 { Condition::Standby } else { Condition::Productive };
        let all = (0..subjects).map(|number| in_condition(&format!("ct-{number}"), condition)).collect();
        if intake.observe_all(all).await.iter().any(Result::is_err) {
            return;
        }
    }
    panic!("the journal has a limit");
}

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
        stated: Some(Stated { at, known_at: None }),
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

/// Of a chunk that found the journal full, a restart once took in again what had been accepted, as other facts.
#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_file_that_finds_the_journal_full_goes_on_in_the_next_life_where_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let at = Timestamp(now_micros()).plus_micros(-MICROS_PER_DAY).second();
    let rows = (0..3_000).map(|number| format!("ct-1,{},E{number},{}\n", at + number, "x".repeat(200)));
    std::fs::write(path("rows.csv"), format!("asset,at,code,text\n{}", rows.collect::<String>())).unwrap();
    let mapping = "format = 'csv'\ndevice = 'asset'\nkind = 'ct'\n[time]\ncolumn = 'at'\nformat = 'unix_seconds'\n\
                   [error]\ncode = 'code'\ntext = 'text'\nfamily = 'test'\nseverity = 'major'\n";
    std::fs::write(path("mapping.toml"), mapping).unwrap();
    let config = ReplayConfig { path: path("rows.csv"), mapping: path("mapping.toml"), progress: Some(path("taken")) };
    let mut said: Vec<String> = Vec::new();
    for life in 0..2 {
        let running = start(&path("journal"), SMALL).await;
        let replay = Box::new(Replay::open(&config).unwrap()).run(running.0.intake().unwrap());
        let replay = tokio::spawn(replay);
        while running.0.metrics().refused_full.get() == 0 {
            tokio::task::yield_now().await;
        }
        // It was told so a moment later, and has noted how far it came before it waits for a second.
        tokio::time::sleep(Duration::from_millis(500)).await;
        replay.abort();
        end(running).await;
        said = codes(&path("journal"));
        let taken: usize = std::fs::read_to_string(path("taken")).unwrap().trim().parse().unwrap();
        assert!(said.len() > 512, "{} rows fit", said.len());
        assert_eq!(taken, said.len(), "life {life} noted what is durable");
    }
    assert_eq!(BTreeSet::from_iter(&said).len(), said.len(), "no row is there twice");
}

/// What a device did between two rows was once lost when the agent was started again between them.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_replayed_by_two_lives_says_what_it_says_to_one_wherever_the_first_one_ends() {
    let rows = [
        "ct-1,1772323500,busy",
        "ct-2,1772323600,idle",
        "ct-1,1772327000,busy",
        "ct-1,1772326800,idle",
        "ct-2,1772334000,gone",
        "ct-1,1772334100,busy",
        "ct-2,1772337600,busy",
        "ct-1,1772337600,gone",
        "ct-1,4070908800,busy",
        "ct-1,1772338000,idle",
        "ct-2,1772345000,idle",
        "ct-1,1772346000,busy",
        "ct-2,1772346001,gone",
    ];
    let whole = stretches_of_lives(&rows, &[rows.len()]).await;
    assert_eq!(whole.len(), 15, "{whole:?}");
    for first in 0..rows.len() {
        assert_eq!(stretches_of_lives(&rows, &[first, rows.len()]).await, whole, "the first life takes {first} rows");
    }
}

/// All stretches that lives of an agent say of a file which each of them finds with so many rows.
async fn stretches_of_lives(rows: &[&str], lives: &[usize]) -> Vec<(String, i64, i64, Condition)> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mapping = "format = 'csv'\ndevice = 'asset'\nkind = 'ct'\n[time]\ncolumn = 'at'\nformat = 'unix_seconds'\n\
                   [condition]\ncolumn = 'state'\nwords = { busy = 'productive', idle = 'standby', gone = 'lost' }\n";
    std::fs::write(path("mapping.toml"), mapping).unwrap();
    let config = ReplayConfig { path: path("rows.csv"), mapping: path("mapping.toml"), progress: Some(path("taken")) };
    for count in lives {
        std::fs::write(path("rows.csv"), format!("asset,at,state\n{}\n", rows[..*count].join("\n"))).unwrap();
        let running = start(&path("journal"), SMALL).await;
        Box::new(Replay::open(&config).unwrap()).run(running.0.intake().unwrap()).await.unwrap();
        end(running).await;
    }
    let stretches = spooled(&path("journal"), SMALL).into_iter().filter_map(|each| {
        let Body::Stretch(stretch) = each.fact.fact.body else { return None };
        Some((each.subject.name().to_owned(), each.fact.fact.at.second(), stretch.until.second(), stretch.condition))
    });
    let mut stretches: Vec<_> = stretches.collect();
    stretches.sort();
    stretches
}
