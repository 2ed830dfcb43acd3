//! The external door at a real Mosquitto over TLS, which is killed while agents send. Runs when `MEDFLEET_TEST_MQTT_TLS` says that
//! brokers may be started; with `MEDFLEET_REQUIRE_BROKERS=1` their absence is a failure and not a pass.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::{Body, Run};
use medfleet_domain::id::{AgentId, SiteId};
use medfleet_domain::time::Timestamp;
use medfleet_ingest::quarantine;
use medfleet_wire::limits::BATCH_MAX_BYTES;
use medfleet_wire::{Batch, BatchTopic, FateKind, encode_batch, encode_fact, pb};
use prost::Message as _;
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use support::broker::{AGENT, Broker, Ingest, OTHERS};
use support::client::Client;
use support::{agent_config, device, embedded_log, end, fact, identities, now, run, seen, seqs_of, site, start_agent};
use tokio::time::timeout;

/// Two batches in a row may be lost with the broker's memory, and go again after 30 and then 60 seconds.
const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_and_a_new_ingest_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(folder.path()) else { return };
    let log = embedded_log(folder.path()).await;
    let mut ingest = Ingest::start(&broker, &log).await;
    let config = agent_config(folder.path(), AGENT, broker.port, &broker.ca(), &folder.path().join("password"));
    let (agent, ending) = start_agent(config).await;
    let intake = agent.intake().unwrap();
    for turn in 0..60 {
        let condition = if turn % 2 == 0 { Condition::Standby } else { Condition::Productive };
        intake.observe_all((0..50).map(|number| seen(&format!("ct-{number}"), condition)).collect()).await;
        match turn {
            20 => broker.kill_and_start(),
            40 => {
                ingest.end().await;
                ingest = Ingest::start(&broker, &log).await;
            }
            _ => {}
        }
    }
    timeout(PATIENCE, agent.drained()).await.expect("receipts for everything");
    let identities = identities(&*log).await;
    for number in 0..50 {
        let seqs = seqs_of(&identities, &device(&format!("ct-{number}")));
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "ct-{number} has a gap");
        assert!(seqs.len() > 60);
    }
    drop(intake);
    end(agent, ending).await;
    ingest.end().await;
}

/// More than what may wait between the door's reading and its answers: a broker may send all it has kept at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_kept_while_ingest_was_away_is_taken_in_whole() {
    const BATCHES: u64 = 3_000;
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(folder.path()) else { return };
    let log = embedded_log(folder.path()).await;
    let ingest = Ingest::start(&broker, &log).await;
    let mut client = Client::new(&broker.ca(), broker.port, AGENT, AGENT, &broker.password(AGENT));
    let topic = BatchTopic::new(site(), AgentId::new(AGENT).unwrap());
    client.subscribe(&topic.receipt().to_string()).await;
    let said = |number| encode_batch(&batch(number, vec![heartbeats(number, now(), 1)]));
    // The broker keeps batches for a subscriber that it has met.
    loop {
        client.say(&topic.to_string(), said(1)).await;
        if client.acknowledged().await != PubAckReason::NoMatchingSubscribers {
            break;
        }
    }
    ingest.end().await;
    for number in 2..=BATCHES {
        client.say(&topic.to_string(), said(number)).await;
        assert_eq!(client.acknowledged().await, PubAckReason::Success);
    }
    let ingest = Ingest::start(&broker, &log).await;
    let mut answered = BTreeSet::from([1]);
    while (answered.len() as u64) < BATCHES {
        answered.insert(client.receipt().await.number);
    }
    let identities = identities(&*log).await;
    assert_eq!(seqs_of(&identities, &device("ct-9")), (1..=BATCHES).collect::<Vec<_>>());
    ingest.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_own_a_half_of_the_shards_each_and_every_batch_is_admitted_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(folder.path()) else { return };
    let log = embedded_log(folder.path()).await;
    let halves = [Ingest::start_with(&broker, &log, 0..=31).await, Ingest::start_with(&broker, &log, 32..=63).await];
    let names = [AGENT, OTHERS[0], OTHERS[1], OTHERS[2]];
    let shard = |name: &str| BatchTopic::new(site(), AgentId::new(name).unwrap()).shard().number();
    let lower = names.iter().filter(|name| shard(name) <= 31).count();
    assert!((1..names.len()).contains(&lower), "both halves have agents: {:?}", names.map(shard));
    let mut agents = Vec::new();
    for name in names {
        let password = folder.path().join(format!("password-{name}"));
        std::fs::write(&password, broker.password(name)).unwrap();
        let own = folder.path().join(name);
        std::fs::create_dir(&own).unwrap();
        let (agent, ending) = start_agent(agent_config(&own, name, broker.port, &broker.ca(), &password)).await;
        agents.push((name, agent, ending));
    }
    let before: Vec<u64> = halves.iter().map(Ingest::appended).collect();
    for turn in 0..10 {
        let condition = if turn % 2 == 0 { Condition::Standby } else { Condition::Productive };
        for (name, agent, _) in &agents {
            let intake = agent.intake().unwrap();
            intake.observe_all((0..20).map(|number| seen(&format!("{name}-{number}"), condition)).collect()).await;
        }
    }
    for (_, agent, _) in &agents {
        timeout(PATIENCE, agent.drained()).await.expect("receipts for everything");
    }
    let identities = identities(&*log).await;
    for name in names {
        for number in 0..20 {
            let seqs = seqs_of(&identities, &device(&format!("{name}-{number}")));
            assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "{name}-{number} has a gap");
            assert!(seqs.len() >= 10, "{name}-{number}: {seqs:?}");
        }
    }
    assert!(identities.values().all(|count| *count == 1), "a batch was admitted twice");
    let told: Vec<u64> = halves.iter().zip(before).map(|(half, before)| half.appended() - before).collect();
    assert!(told.iter().all(|appended| *appended > 0), "one process did it all: {told:?}");
    for (_, agent, ending) in agents {
        end(agent, ending).await;
    }
    for half in halves {
        half.end().await;
    }
}

fn batch(number: u64, runs: Vec<Run>) -> Batch {
    Batch { agent: AgentId::new(AGENT).unwrap(), site: site(), session: 5, number, runs }
}

fn heartbeats(first_seq: u64, at: Timestamp, count: usize) -> Run {
    let facts = (0..count).map(|_| fact(at, Body::Heartbeat(None))).collect();
    Run { agent: Some(AgentId::new(AGENT).unwrap()), ..run("ct-9", first_seq, facts) }
}

/// A batch of a newer schema whose one fact has a body that this one does not know.
fn of_tomorrow() -> Vec<u8> {
    let unknown =
        pb::Fact { body: None, ..pb::Fact::decode(&*encode_fact(&fact(now(), Body::Heartbeat(None)))).unwrap() };
    let mut batch = pb::Batch::decode(&*encode_batch(&batch(6, vec![heartbeats(60, now(), 1)]))).unwrap();
    batch.schema += 1;
    batch.runs[0].facts = vec![unknown.encode_to_vec().into()];
    batch.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_says_through_a_real_broker_is_judged_like_at_the_embedded_door() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(folder.path()) else { return };
    let log = embedded_log(folder.path()).await;
    let ingest = Ingest::start(&broker, &log).await;
    let topic = BatchTopic::new(site(), AgentId::new(AGENT).unwrap());
    let mut client = Client::new(&broker.ca(), broker.port, AGENT, AGENT, &broker.password(AGENT));
    client.subscribe(&topic.receipt().to_string()).await;

    let whole = encode_batch(&batch(1, vec![heartbeats(10, now(), 5)]));
    let foreign = Run { site: SiteId::new("elsewhere").unwrap(), ..heartbeats(20, now(), 2) };
    let future = heartbeats(30, now().plus_seconds(86_400), 1);
    for payload in [whole[..whole.len() - 3].to_vec(), b"\x00\xff not a batch".to_vec(), vec![7; BATCH_MAX_BYTES + 1]] {
        // Until ingest has subscribed the broker drops what is said, and says that it does.
        loop {
            client.say(&topic.to_string(), payload.clone()).await;
            if client.acknowledged().await != PubAckReason::NoMatchingSubscribers {
                break;
            }
        }
    }
    client.say(&topic.to_string(), encode_batch(&batch(5, vec![foreign, future, heartbeats(40, now(), 1)]))).await;
    let fates: BTreeMap<u64, FateKind> =
        client.receipt().await.fates.iter().map(|fate| (fate.seqs.first.0, fate.kind)).collect();
    assert_eq!(fates, BTreeMap::from([(20, FateKind::Poison), (30, FateKind::Stored), (40, FateKind::Stored)]));
    let mut greedy = Client::new(&broker.ca(), broker.port, OTHERS[0], OTHERS[0], &broker.password(OTHERS[0]));
    let own = BatchTopic::new(site(), AgentId::new(OTHERS[0]).unwrap());
    greedy.say(&own.to_string(), vec![7; 2 * BATCH_MAX_BYTES]).await;
    greedy.end().await;

    client.say(&topic.to_string(), of_tomorrow()).await;
    let held = client.receipt().await.fates.remove(0);
    assert_eq!((held.seqs.first.0, held.kind), (60, FateKind::Held), "{held:?}");

    // The broker acknowledges before ingest has judged: what was refused is looked for until it is there.
    let reasons = timeout(PATIENCE, async {
        loop {
            let mut reasons = Vec::new();
            let keep = |entry: quarantine::Entry| {
                reasons.push(entry.quarantined.reason);
                true
            };
            quarantine::scan(&*log, keep).await.unwrap();
            if reasons.len() >= 4 {
                reasons.sort();
                break reasons;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("four refusals");
    assert_eq!(reasons, ["foreign_run", "oversized", "undecodable", "undecodable"]);
    assert_eq!(seqs_of(&identities(&*log).await, &device("ct-9")), [30, 40]);
    ingest.end().await;
}
