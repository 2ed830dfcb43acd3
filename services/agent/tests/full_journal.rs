//! A journal that is full refuses loudly: what was accepted is there after a restart, what was refused is not, and nothing is dropped.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use medfleet_agent::spool::Entry;
use medfleet_agent::{Agent, AgentConfig, AgentMetrics, Observation, Refusal, Seen, Surroundings};
use medfleet_domain::condition::SourceKind;
use medfleet_domain::fact::{Body, DeviceError, Severity, Source};
use medfleet_domain::id::{Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_journal::{FsStorage, Journal, JournalId, Limits};
use medfleet_runtime::{Health, Metrics, Shutdown};

const CAPACITY_BYTES: u64 = 512 * 1024;
const SEGMENT_BYTES: u64 = 64 * 1024;
/// Observations that share a sync.
const CALL_OBSERVATIONS: usize = 50;
/// Long enough for a busy machine; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(60);

/// An agent whose broker is not there: nothing is ever freed.
async fn start(folder: &Path) -> (Agent, Shutdown) {
    let config: AgentConfig = toml::from_str(&format!(
        "id = 'edge-1'\nsite = 'st-mary'\n[journal]\nfolder = '{}'\ncapacity_bytes = {CAPACITY_BYTES}\n\
         segment_max_bytes = {SEGMENT_BYTES}\n[mqtt]\nhost = '127.0.0.1'\nport = 1\nplain = true\n",
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

fn error(number: usize) -> Observation {
    let body = Body::Error(DeviceError {
        code: format!("E{number}"),
        family: "test".into(),
        severity: Severity::Warning,
        component: String::new(),
        cause_domain: String::new(),
        text: "x".repeat(200),
    });
    Observation {
        subject: Subject::new(SubjectKind::Device, "ct-1").unwrap(),
        kind: DeviceKind::Ct,
        source: Source { kind: SourceKind::Device, name: "test".into() },
        stated: None,
        seen: Seen::Event(body),
    }
}

/// Codes of all errors that the journal holds.
fn kept(folder: &Path) -> BTreeSet<String> {
    let storage = Arc::new(FsStorage::open(folder).unwrap());
    let id: JournalId = Journal::id_of(&*storage).unwrap().unwrap();
    let limits = Limits { segment_max_bytes: SEGMENT_BYTES, capacity_bytes: CAPACITY_BYTES };
    let journal = Journal::open(storage, id, limits).unwrap();
    let mut codes = BTreeSet::new();
    let mut next = journal.first_index();
    loop {
        let records = journal.read(next, 1024 * 1024).unwrap();
        let Some((last, _)) = records.last() else { return codes };
        next = last + 1;
        for (index, bytes) in &records {
            let Entry::Fact { spooled, .. } = Entry::decode(*index, bytes).unwrap() else { continue };
            if let Body::Error(error) = spooled.fact.fact.body {
                codes.insert(error.code);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_refuses_loudly_and_drops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
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

    let again = start(folder.path()).await;
    let intake = again.0.intake().unwrap();
    assert!(matches!(intake.observe(error(99_999)).await, Err(Refusal::Full { .. })), "a restart makes no room");
    drop(intake);
    end(again).await;
    assert_eq!(kept(folder.path()), accepted);
}
