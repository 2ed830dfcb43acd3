//! The simulator's ninety days, all kinds of equipment, as the demo tells them: in order, shuffled, everything twice, and with one agent a
//! month late. After the last fact every KPI is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use medfleet_api::Period;
use medfleet_domain::fact::Body;
use medfleet_domain::id::{AgentId, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_log::embedded::{EmbeddedConfig, EmbeddedLog};
use medfleet_log::topics::street;
use medfleet_log::{EventLog as _, Partition, Profile, Topic, read_to_end};

use crate::stories::{Compared, whatever_order};
use crate::story::{QUARTER, Told};

const DAYS: i64 = 90;
/// Of each kind, those that say the most.
const DEVICES_OF_A_KIND: usize = 2;
const KINDS: usize = 15;
const FLUSHES: usize = 8;
/// Nobody issues statements in a demo; `tests/as_of/story.rs` does.
const EMPTY: [&str; 1] = ["issued_statements"];

/// Ends a demo whatever happens.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has the built server tell its demo, and ends it once the past is in the log.
fn tell_demo(data: &Path) -> anyhow::Result<()> {
    let program = std::env::current_exe()?.ancestors().nth(2).map(|built| built.join("medfleet"));
    let program: PathBuf =
        program.filter(|path| path.exists()).context("build the server first: `cargo build --workspace`")?;
    let mut command = Command::new(program);
    command.args(["up", "--listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0", "--sql-listen", "127.0.0.1:0"]);
    command.args(["--demo-days", &DAYS.to_string(), "--data"]).arg(data);
    let mut demo = Demo(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?);
    let said = BufReader::new(demo.0.stderr.take().context("it says what it does")?);
    let mut last = String::new();
    for line in said.lines() {
        last = line?;
        if last.contains("demo history is in the log") {
            return Ok(());
        }
    }
    anyhow::bail!("the demo ended before its history was told: {last}")
}

/// What the log holds of sites and devices, in the order in which it was appended.
async fn told(data: &Path) -> anyhow::Result<Vec<Told>> {
    let log = EmbeddedLog::open(EmbeddedConfig::new(data.join("log")), &street(Profile::Dev)?).await?;
    let mut told = Vec::new();
    for topic in [Topic::FLEET, Topic::FACTS] {
        for partition in 0..log.partitions(topic)? {
            let home = Partition::new(topic, partition);
            let floor = log.bounds(home).await?.floor;
            read_to_end(&log, home.at(floor), |record| {
                let run = medfleet_wire::decode_record(&record.value)?.run;
                told.push(Told { run, appended_at: Timestamp(record.appended_at_micros), flush: false });
                anyhow::Ok(true)
            })
            .await?;
        }
    }
    told.sort_by_key(|one| one.appended_at);
    Ok(told)
}

/// The same of a few devices of each kind, flushed some times on the way.
fn of_a_few(mut told: Vec<Told>) -> Vec<Told> {
    let mut facts: BTreeMap<DeviceKind, BTreeMap<Subject, usize>> = BTreeMap::new();
    for one in told.iter().filter(|one| one.run.subject.kind == SubjectKind::Device) {
        *facts.entry(one.run.kind).or_default().entry(one.run.subject.clone()).or_default() += one.run.facts.len();
    }
    let most = |devices: BTreeMap<Subject, usize>| {
        let mut devices: Vec<_> = devices.into_iter().collect();
        devices.sort_by_key(|(_, facts)| std::cmp::Reverse(*facts));
        devices.into_iter().take(DEVICES_OF_A_KIND).map(|(device, _)| device)
    };
    let chosen: BTreeSet<Subject> = facts.into_values().flat_map(most).collect();
    told.retain(|one| one.run.subject.kind == SubjectKind::Site || chosen.contains(&one.run.subject));
    let between = told.len() / FLUSHES;
    told.iter_mut().enumerate().for_each(|(nth, one)| one.flush = nth % between == between - 1);
    told
}

/// The agent that says the most.
fn busiest(told: &[Told]) -> Option<String> {
    let mut facts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in told {
        let Some(agent) = &one.run.agent else { continue };
        *facts.entry(agent.as_str()).or_default() += one.run.facts.len();
    }
    facts.into_iter().max_by_key(|(_, facts)| *facts).map(|(agent, _)| agent.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: `make retold`"]
async fn the_simulators_ninety_days_give_the_same_kpis_in_whatever_order_facts_come() -> anyhow::Result<()> {
    let (began, data) = (Instant::now(), tempfile::tempdir()?);
    tell_demo(data.path())?;
    let told = of_a_few(told(data.path()).await?);
    let late = busiest(&told).context("an agent tells of devices")?;
    let kinds: BTreeSet<DeviceKind> =
        told.iter().map(|one| one.run.kind).filter(|kind| *kind != DeviceKind::Other).collect();
    ensure!(kinds.len() == KINDS, "the demo has {kinds:?}");
    let until = told.iter().map(|one| one.appended_at).max().context("facts")?;
    let end = Timestamp(until.0.div_euclid(QUARTER) * QUARTER);
    let period = Period { from: Timestamp(end.0 - DAYS * 96 * QUARTER), until: end };
    let (all, told_late) = (facts(&told, |_| true), facts(&told, |agent| agent == Some(late.as_str())));
    println!(
        "{all} facts of {KINDS} kinds over {DAYS} days, {told_late} of them by {late}, after {:.0} s",
        began.elapsed().as_secs_f64()
    );
    let mut compared = Compared::default();
    whatever_order(&told, &late, 90, &agreed(&told), period, &mut compared).await?;
    println!("rows compared: {:?}, after {:.0} s", compared.0, began.elapsed().as_secs_f64());
    compared.nothing_was_empty_but(&EMPTY);
    Ok(())
}

fn facts(told: &[Told], by: impl Fn(Option<&str>) -> bool) -> usize {
    told.iter().filter(|one| by(one.run.agent.as_ref().map(AgentId::as_str))).map(|one| one.run.facts.len()).sum()
}

/// The devices, each with every contract of its site.
fn agreed(told: &[Told]) -> Vec<(String, String)> {
    let of_site = |one: &Told| {
        let contracts = one.run.facts.iter().filter_map(|sealed| match &sealed.fact.body {
            Body::ContractDefined(contract) => Some((one.run.site.clone(), contract.number.clone())),
            _ => None,
        });
        contracts.collect::<Vec<_>>()
    };
    let contracts: BTreeSet<(SiteId, String)> = told.iter().flat_map(of_site).collect();
    let devices = told.iter().filter(|one| one.run.subject.kind == SubjectKind::Device);
    let devices: BTreeSet<(SiteId, String)> =
        devices.map(|one| (one.run.site.clone(), one.run.subject.name().to_owned())).collect();
    let of_device = |(site, device): &(SiteId, String)| {
        let own = contracts.iter().filter(|(of, _)| of == site);
        own.map(|(_, contract)| (device.clone(), contract.clone())).collect::<Vec<_>>()
    };
    devices.iter().flat_map(of_device).collect()
}
