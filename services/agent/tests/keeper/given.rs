//! An agent in a folder without a broker: what it accepts stays in its journal.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use medfleet_agent::spool::Entry;
use medfleet_agent::{Agent, AgentConfig, AgentMetrics, Clocks, Observation, Seen, Surroundings};
use medfleet_domain::condition::{Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Severity, Source};
use medfleet_domain::id::{Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_journal::{Batch, FsStorage, Journal, JournalId, Limits};
use medfleet_runtime::{Health, Metrics, Shutdown};
use medfleet_wire::Spooled;

pub const SMALL: Limits = Limits { segment_max_bytes: 64 * 1024, capacity_bytes: 512 * 1024 };
/// Observations that share a sync.
pub const CALL_OBSERVATIONS: usize = 50;
/// Long enough for a busy machine; no test waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An agent whose broker is not there: nothing is ever freed.
pub async fn start(folder: &Path, limits: Limits) -> (Agent, Shutdown) {
    start_by(folder, limits, None).await
}

/// The same by clocks of the test.
pub async fn start_by(folder: &Path, limits: Limits, clocks: Option<Arc<dyn Clocks>>) -> (Agent, Shutdown) {
    let Limits { segment_max_bytes, capacity_bytes } = limits;
    let config: AgentConfig = toml::from_str(&format!(
        "id = 'edge-1'\nsite = 'st-mary'\n[journal]\nfolder = '{}'\ncapacity_bytes = {capacity_bytes}\n\
         segment_max_bytes = {segment_max_bytes}\n[mqtt]\nhost = '127.0.0.1'\nport = 1\nplain = true\n",
        folder.display()
    ))
    .unwrap();
    let metrics = AgentMetrics::register(&Metrics::new().unwrap()).unwrap();
    let surroundings = Surroundings { metrics, health: Health::new().role("agent"), clocks };
    let shutdown = Shutdown::new();
    let agent = Agent::start(config, Vec::new(), surroundings, shutdown.clone()).await.unwrap();
    (agent, shutdown)
}

pub async fn end((agent, shutdown): (Agent, Shutdown)) {
    shutdown.request();
    tokio::time::timeout(PATIENCE, agent.join()).await.expect("the agent ends").unwrap();
}

pub fn device(name: &str) -> Subject {
    Subject::new(SubjectKind::Device, name).unwrap()
}

pub fn seen(name: &str, seen: Seen) -> Observation {
    let source = Source { kind: SourceKind::Device, name: "test".into() };
    Observation { subject: device(name), kind: DeviceKind::Ct, source, stated: None, seen }
}

pub fn in_condition(name: &str, condition: Condition) -> Observation {
    seen(name, Seen::Condition { condition, degradation: Degradation::None })
}

pub fn error(number: usize) -> Observation {
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
pub fn spooled(folder: &Path, limits: Limits) -> Vec<Spooled> {
    let fact = |(index, bytes): (u64, Vec<u8>)| match Entry::decode(index, &bytes).unwrap() {
        Entry::Fact { spooled, .. } => Some(spooled),
        _ => None,
    };
    records(folder, limits).into_iter().filter_map(fact).collect()
}

/// All that the journal holds, with its index.
pub fn records(folder: &Path, limits: Limits) -> Vec<(u64, Vec<u8>)> {
    let storage = Arc::new(FsStorage::open(folder).unwrap());
    let id: JournalId = Journal::id_of(&*storage).unwrap().unwrap();
    let journal = Journal::open(storage, id, limits).unwrap();
    let mut all = Vec::new();
    let mut next = journal.first_index();
    loop {
        let records = journal.read(next, 1024 * 1024).unwrap();
        let Some((last, _)) = records.last() else { return all };
        next = last + 1;
        all.extend(records.into_iter().map(|(index, bytes)| (index, bytes.to_vec())));
    }
}

/// A journal that holds these records and nothing else: what an agent that was killed behind them leaves.
pub fn torn(folder: &Path, limits: Limits, records: &[(u64, Vec<u8>)]) {
    std::fs::create_dir_all(folder).unwrap();
    let storage = Arc::new(FsStorage::open(folder).unwrap());
    let mut journal = Journal::open(storage, JournalId(rand::random()), limits).unwrap();
    for (index, bytes) in records {
        let batch: Batch = [bytes.clone()].into_iter().collect();
        assert_eq!(journal.append_batch(batch).unwrap().start, *index);
    }
}

/// Codes of all errors that the journal holds.
pub fn kept(folder: &Path) -> BTreeSet<String> {
    codes(folder).into_iter().collect()
}

pub fn codes(folder: &Path) -> Vec<String> {
    let code = |spooled: Spooled| if let Body::Error(error) = spooled.fact.fact.body { Some(error.code) } else { None };
    spooled(folder, SMALL).into_iter().filter_map(code).collect()
}

/// Fills a journal until it refuses.
pub async fn fill(agent: &Agent, subjects: usize) {
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
