//! What flows: the facts of simulated hospitals as their agents would batch them, nothing late and nothing twice.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use clap::Args;
use medfleet_domain::fact::{Run, Sealed};
use medfleet_domain::id::{AgentId, Seq, SiteId, Subject};
use medfleet_domain::time::{Day, MICROS_PER_DAY, Timestamp};
use medfleet_log::embedded::{EmbeddedConfig, EmbeddedLog};
use medfleet_log::topics::street;
use medfleet_log::{EventLog, NewRecord, Profile, Topic};
use medfleet_simulator::catalogue::Catalogue;
use medfleet_simulator::fleet::{Fleet, OutageLaw};
use medfleet_simulator::history::History;
use medfleet_simulator::plan::Plan;
use medfleet_wire::Record;

const SEED: u64 = 11;
const FIRST_DAY: Day = Day::from_civil(2026, 3, 2);
/// An outage law under which nothing happens within a bench.
const NEVER_DAYS: f64 = 1e6;
const APPEND_RECORDS: usize = 2_000;

#[derive(Debug, Clone, Copy, Args)]
#[group(skip)]
pub struct Options {
    /// How often the demo's six hospitals are repeated; each repetition has about 370 devices.
    #[arg(long, default_value_t = 8)]
    pub copies: u32,
    #[arg(long, default_value_t = 2)]
    pub days: u32,
    /// Facts of one batch, as the agent's configuration limits them.
    #[arg(long, default_value_t = 1_000)]
    pub batch_facts: usize,
}

/// Facts of one agent in the order of its journal, packed as it packs them.
pub struct AgentBatch {
    pub agent: AgentId,
    pub site: SiteId,
    /// When its last fact was known.
    until: Timestamp,
    pub runs: Vec<Run>,
}

pub struct Load {
    pub fleet: Vec<Run>,
    /// What people and their systems say.
    pub people: Vec<Run>,
    pub batches: Vec<AgentBatch>,
}

impl Load {
    pub fn facts(&self) -> u64 {
        self.runs().map(|run| run.facts.len() as u64).sum()
    }

    pub fn fleet_facts(&self) -> u64 {
        self.fleet.iter().map(|run| run.facts.len() as u64).sum()
    }

    pub fn batch_facts(&self) -> u64 {
        self.batches.iter().flat_map(|batch| &batch.runs).map(|run| run.facts.len() as u64).sum()
    }

    /// All but the fleet's, in the order of the log.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.people.iter().chain(self.batches.iter().flat_map(|batch| &batch.runs))
    }

    pub fn size(&self) -> String {
        let records = self.runs().count() as u64;
        let bytes: usize = self.runs().flat_map(|run| &run.facts).map(|sealed| sealed.bytes.len()).sum();
        let (facts, batches) = (self.facts(), self.batches.len());
        let (run, mean) = (facts as f64 / records as f64, bytes as f64 / facts as f64);
        format!("{facts} facts of {mean:.0} bytes in {records} records of {run:.1} facts, {batches} batches")
    }
}

/// Tells the past of a fleet without outages of links, so that every fact arrives in its order.
pub fn simulated(options: Options) -> anyhow::Result<Load> {
    let mut fleet = Fleet::embedded()?;
    let demo = std::mem::take(&mut fleet.hospitals);
    for copy in 0..options.copies {
        fleet.hospitals.extend(demo.iter().cloned().map(|mut hospital| {
            hospital.id = format!("{}-{copy}", hospital.id);
            hospital
        }));
    }
    fleet.outages.wan_down = OutageLaw { mean_gap_days: NEVER_DAYS, ..fleet.outages.wan_down };
    let start = FIRST_DAY.start();
    let plan = Plan::draw(&fleet, &Catalogue::embedded()?, SEED, start)?;
    let until = start.plus_micros(i64::from(options.days) * MICROS_PER_DAY);
    let mut history = History::new(plan, until, medfleet_wire::seal);
    let mut load = Load { fleet: Vec::new(), people: Vec::new(), batches: Vec::new() };
    let mut journals: BTreeMap<(AgentId, SiteId), Vec<(Run, Seq, Sealed)>> = BTreeMap::new();
    while let Some(day) = history.next_day() {
        load.fleet.extend(day.fleet);
        for mut run in day.facts {
            let Some(agent) = run.agent.clone() else {
                load.people.push(run);
                continue;
            };
            let journal = journals.entry((agent, run.site.clone())).or_default();
            let facts = std::mem::take(&mut run.facts);
            journal.extend((run.first_seq.0..).zip(facts).map(|(seq, sealed)| (run.clone(), Seq(seq), sealed)));
        }
    }
    for ((agent, site), mut journal) in journals {
        journal.sort_by_key(|(_, _, sealed)| sealed.fact.known_at);
        load.batches.extend(journal.chunks(options.batch_facts).map(|facts| pack(&agent, &site, facts)));
    }
    load.batches.sort_by_key(|batch| batch.until);
    Ok(load)
}

/// Runs of contiguous seqs, one for each subject.
fn pack(agent: &AgentId, site: &SiteId, facts: &[(Run, Seq, Sealed)]) -> AgentBatch {
    let mut runs: BTreeMap<(Subject, u64), Run> = BTreeMap::new();
    for (header, seq, sealed) in facts {
        let fresh = || Run { first_seq: *seq, ..header.clone() };
        runs.entry((header.subject.clone(), header.epoch.0)).or_insert_with(fresh).facts.push(sealed.clone());
    }
    let until = facts.last().map_or(Timestamp::MIN, |(_, _, sealed)| sealed.fact.known_at);
    AgentBatch { agent: agent.clone(), site: site.clone(), until, runs: runs.into_values().collect() }
}

/// The record that ingest makes of a run.
pub fn record(run: &Run, topic: Topic) -> NewRecord {
    let record = Record { run: run.clone(), received_at: FIRST_DAY.start(), implausible: Vec::new() };
    NewRecord { topic, key: run.subject.key().into(), value: Bytes::from(medfleet_wire::encode_record(&record)) }
}

pub fn fleet_records(load: &Load) -> Vec<NewRecord> {
    load.fleet.iter().map(|run| record(run, Topic::FLEET)).collect()
}

pub fn fact_records<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<NewRecord> {
    runs.map(|run| record(run, Topic::FACTS)).collect()
}

/// An embedded log that holds the load.
pub async fn fill(folder: &Path, load: &Load) -> anyhow::Result<EmbeddedLog> {
    let log = EmbeddedLog::open(EmbeddedConfig::new(folder), &street(Profile::Dev)?).await?;
    log.append(fleet_records(load)).await?;
    for part in fact_records(load.runs()).chunks(APPEND_RECORDS) {
        log.append(part.to_vec()).await?;
    }
    Ok(log)
}
