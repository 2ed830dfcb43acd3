//! Agent → TLS → door → log → receipt → journal freed, in one process.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use medfleet_agent::clock::{Reading, Steady};
use medfleet_agent::{AgentConfig, Clocks, Refusal};
use medfleet_domain::condition::Condition;
use medfleet_domain::fact::{Body, JournalState, Run};
use medfleet_domain::id::{Epoch, SubjectKind};
use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};
use medfleet_ingest::quarantine;
use medfleet_log::Topic;
use support::relay::relay;
use support::{PATIENCE, SITE, Street, device, end, now, seen, seqs_of, start_agent, start_agent_by};
use tokio::time::timeout;

/// Where an agent is moved to; as long as the site it comes from.
const MOVED: &str = "st-jane";
const CONDITIONS: [Condition; 2] = [Condition::Standby, Condition::Productive];

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_accepts_is_in_the_log_once_and_its_journal_is_freed() {
    let street = Street::open().await;
    let (agent, ending) = street.agent("edge-1").await;
    let intake = agent.intake().unwrap();
    for turn in 0..50 {
        let observations = (0..20).map(|number| seen(&format!("ct-{number}"), CONDITIONS[turn % 2])).collect();
        assert!(intake.observe_all(observations).await.iter().all(Result::is_ok));
    }
    timeout(PATIENCE, agent.drained()).await.expect("receipts for everything");

    let identities = street.identities().await;
    assert!(identities.values().all(|times| *times == 1), "nothing was sent twice");
    let mut last_seqs: Vec<u64> = Vec::new();
    for number in 0..20 {
        let seqs = seqs_of(&identities, &device(&format!("ct-{number}")));
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no gap");
        last_seqs.push(seqs.len() as u64);
    }
    // Opened, fifty beginnings, and a stretch for each change; two changes within a microsecond would have none.
    assert!(last_seqs.iter().all(|last| (51..=100).contains(last)), "{last_seqs:?}");
    assert_eq!(street.sums().appended, identities.len() as u64 + 1, "and the site");

    drop(intake);
    end(agent, ending).await;
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_life_has_a_new_epoch_and_loses_nothing_of_the_last() {
    let street = Street::open().await;
    let (first, ending) = street.agent("edge-1").await;
    let intake = first.intake().unwrap();
    intake.observe(seen("ct-1", Condition::Standby)).await.unwrap();
    drop(intake);
    let first_epoch = first.epoch();
    end(first, ending).await;

    let (second, ending) = street.agent("edge-1").await;
    assert_ne!(second.epoch(), first_epoch);
    let intake = second.intake().unwrap();
    intake.observe(seen("ct-1", Condition::Productive)).await.unwrap();
    timeout(PATIENCE, second.drained()).await.expect("receipts for both lives");
    let identities = street.identities().await;
    for epoch in [first_epoch, second.epoch()] {
        let seqs: Vec<u64> = identities
            .keys()
            .filter(|(subject, of, _)| *subject == device("ct-1") && *of == epoch.0)
            .map(|(.., seq)| *seq)
            .collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
        assert!(seqs.len() >= 2);
    }
    drop(intake);
    end(second, ending).await;
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_of_an_unknown_site_are_held_by_the_agent_until_the_site_is_defined() {
    let street = Street::open_without_site().await;
    let (agent, ending) = street.agent("edge-1").await;
    let intake = agent.intake().unwrap();
    intake.observe(seen("ct-1", Condition::Standby)).await.unwrap();
    let held = async {
        while street.fates().held == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, held).await.expect("the batch is held");
    assert!(street.values(Topic::FACTS).await.is_empty());
    assert!(street.values(Topic::QUARANTINE).await.is_empty());
    street.define_site(support::SITE).await;
    timeout(PATIENCE, agent.drained()).await.expect("the agent tries again");
    assert!(street.identities().await.contains_key(&(device("ct-1"), agent.epoch().0, 2)));
    street.sums();
    drop(intake);
    end(agent, ending).await;
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_refuses_loudly_and_takes_again_what_follows_the_first_receipts() {
    let mut street = Street::open().await;
    let open_port = std::mem::replace(&mut street.port, 1);
    let (agent, ending) = street.agent("edge-1").await;
    let intake = agent.intake().unwrap();
    let mut refused = None;
    for turn in 0..100_000_usize {
        let observations = (0..1_000).map(|number| seen(&format!("ct-{number}"), CONDITIONS[turn % 2])).collect();
        refused = intake.observe_all(observations).await.into_iter().find_map(Result::err);
        if refused.is_some() {
            break;
        }
    }
    assert!(matches!(refused, Some(Refusal::Full { .. })), "{refused:?}");
    let refused_count = agent.metrics().refused_full.get();
    assert!(refused_count > 0, "the refusal is counted");
    drop(intake);
    end(agent, ending).await;

    street.port = open_port;
    let (agent, ending) = street.agent("edge-1").await;
    timeout(PATIENCE, agent.drained()).await.expect("the backlog is delivered");
    let intake = agent.intake().unwrap();
    let taken = async {
        while intake.observe(seen("ct-1", Condition::Engineering)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, taken).await.expect("there is room again");
    drop(intake);
    end(agent, ending).await;
    street.close().await;
}

/// There was once no room for the next life's first words, and no other life to free any.
#[tokio::test(flavor = "multi_thread")]
async fn a_life_without_room_for_its_first_words_delivers_the_backlog_and_then_accepts() {
    let mut street = Street::open().await;
    let open_port = std::mem::replace(&mut street.port, 1);
    let mut config = street.agent_config("edge-1");
    (config.journal.capacity_bytes, config.journal.segment_max_bytes) = (1024 * 1024, 64 * 1024);
    let mut accepted = BTreeMap::new();
    for life in 0..80 {
        let (agent, ending) = start_agent(config.clone()).await;
        let intake = agent.intake().unwrap();
        for turn in 0..2_000 {
            let all: Vec<_> = (0..60).map(|number| format!("ct-{number}")).collect();
            let answers = intake.observe_all(all.iter().map(|name| seen(name, CONDITIONS[turn % 2])).collect()).await;
            let taken = all.into_iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
            taken.for_each(|(name, _)| *accepted.entry((name, agent.epoch())).or_insert(0) += 1);
            if answers.iter().any(Result::is_err) {
                break;
            }
        }
        assert!(agent.metrics().refused_full.get() > 0, "life {life} is full");
        drop(intake);
        end(agent, ending).await;
    }
    street.port = open_port;
    config.mqtt.port = open_port;
    let (agent, ending) = start_agent(config).await;
    let intake = agent.intake().unwrap();
    let taken = async {
        while intake.observe(seen("ct-1", Condition::Engineering)).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, taken).await.expect("there is room again");
    timeout(PATIENCE, agent.drained()).await.expect("the backlog is delivered");
    assert_eq!(agent.metrics().full.get(), 0);
    let mut began = BTreeMap::new();
    for Run { subject, epoch, facts, .. } in street.records(Topic::FACTS).await.into_iter().map(|record| record.run) {
        let said = facts.iter().filter(|sealed| matches!(sealed.fact.body, Body::Began { .. })).count();
        *began.entry((subject.name().to_owned(), epoch)).or_insert(0) += said;
    }
    for (life, count) in &accepted {
        assert_eq!(began.get(life), Some(count), "{life:?}");
    }
    assert!(street.identities().await.values().all(|times| *times == 1));
    drop(intake);
    end(agent, ending).await;
    street.close().await;
}

/// One life at a site that sees a device and reaches no broker.
async fn cut_off_at(street: &mut Street, site: &str) -> Epoch {
    let open_port = std::mem::replace(&mut street.port, 1);
    let (agent, ending) = start_agent(AgentConfig { site: site.into(), ..street.agent_config("edge-1") }).await;
    street.port = open_port;
    let (intake, epoch) = (agent.intake().unwrap(), agent.epoch());
    intake.observe(seen("ct-1", Condition::Standby)).await.unwrap();
    drop(intake);
    end(agent, ending).await;
    epoch
}

/// The next life, at another site: it delivers all there is, and all of it is taken.
async fn delivered_at(street: &Street, site: &str) {
    let (agent, ending) = start_agent(AgentConfig { site: site.into(), ..street.agent_config("edge-1") }).await;
    timeout(PATIENCE, agent.drained()).await.expect("receipts for both lives");
    assert_eq!(agent.metrics().poison.get(), 0);
    assert!(street.values(Topic::QUARANTINE).await.is_empty());
    end(agent, ending).await;
}

/// The sites under which the log has facts of this life, and that none of them is missing.
async fn sites_of(street: &Street, life: Epoch) -> BTreeSet<String> {
    let (mut sites, mut seqs) = (BTreeSet::new(), Vec::new());
    let runs = street.records(Topic::FACTS).await.into_iter().map(|record| record.run);
    for Run { subject, first_seq, site, facts, .. } in runs.filter(|run| run.epoch == life) {
        sites.insert(site.to_string());
        if subject == device("ct-1") {
            seqs.extend((first_seq.0..).take(facts.len()));
        }
    }
    assert_eq!(seqs, [1, 2], "opened and began, once each");
    sites
}

/// They were once quarantined: an agent spoke for its present site only.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_takes_along_to_another_site_comes_in_under_the_site_it_was_seen_at() {
    let mut street = Street::open().await;
    street.define_site(MOVED).await;
    let life = cut_off_at(&mut street, SITE).await;
    delivered_at(&street, MOVED).await;
    assert_eq!(sites_of(&street, life).await, BTreeSet::from([SITE.to_owned()]));
    street.sums();
    street.close().await;
}

/// The cure of the runbook for held facts once threw away what it was to save.
#[tokio::test(flavor = "multi_thread")]
async fn facts_of_a_misspelt_site_come_in_under_the_site_that_it_was_corrected_to() {
    let mut street = Street::open().await;
    let life = cut_off_at(&mut street, "st-marry").await;
    delivered_at(&street, SITE).await;
    assert_eq!(sites_of(&street, life).await, BTreeSet::from([SITE.to_owned()]));
    assert!(street.sums().held > 0, "they were offered under the site that was written");
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_leaves_a_tombstone_frees_the_journal_and_can_be_driven_in_again() {
    let mut street = Street::open().await;
    street.define_site(MOVED).await;
    let lost_epoch = cut_off_at(&mut street, SITE).await;

    // On its way a batch of the first life becomes one of another site than its runs.
    let mut config = street.agent_config("edge-1");
    let line = relay(&street.folder.path().join("server.crt"), street.port, SITE, MOVED).await;
    (config.mqtt.host, config.mqtt.port, config.mqtt.plain) = ("127.0.0.1".into(), line, true);
    config.site = MOVED.into();
    let (agent, ending) = start_agent(config).await;
    timeout(PATIENCE, agent.drained()).await.expect("poison frees the journal");
    timeout(PATIENCE, agent.drained()).await.expect("its tombstones are delivered");
    assert!(agent.metrics().poison.get() >= 2, "opened and began, at least");

    let mut refused = Vec::new();
    quarantine::scan(&*street.log, |entry| {
        refused.push(entry);
        true
    })
    .await
    .unwrap();
    assert!(refused.iter().all(|entry| entry.quarantined.reason == "foreign_run"));
    let mut buried = Vec::new();
    for record in street.records(Topic::FACTS).await {
        buried.extend(record.run.facts.into_iter().filter_map(|sealed| match sealed.fact.body {
            Body::Tombstone { target, reason } if record.run.subject == device("ct-1") => {
                Some((target.epoch, target.last.0, reason))
            }
            _ => None,
        }));
    }
    // The second life said under the first one's site how long the device was seen there.
    let refused_lives = [lost_epoch, agent.epoch()].map(|life| (life, 2, "foreign_run".to_owned()));
    assert_eq!(BTreeSet::from_iter(buried), BTreeSet::from(refused_lives));

    for entry in &refused {
        quarantine::redrive(&street.admitter, entry, now()).await.unwrap();
    }
    assert!(
        street.identities().await.contains_key(&(device("ct-1"), lost_epoch.0, 2)),
        "under the identity it always had"
    );
    end(agent, ending).await;
    street.close().await;
}

/// Seconds since a moment, as the test sets them.
struct Hands(Timestamp, AtomicI64);

impl Clocks for Hands {
    fn read(&self) -> Reading {
        let since = self.1.load(Ordering::SeqCst) * MICROS_PER_SECOND;
        Reading { wall: self.0.plus_micros(since), steady: Steady(since), synchronised: None }
    }
}

/// What the agent's heartbeats in the log say, by their time.
async fn heartbeats(street: &Street) -> BTreeMap<Timestamp, JournalState> {
    let records = street.records(Topic::FACTS).await.into_iter();
    let own = records.filter(|record| record.run.subject.kind == SubjectKind::Agent);
    let said = own.flat_map(|record| record.run.facts).filter_map(|sealed| match sealed.fact.body {
        Body::Heartbeat(journal) => Some((sealed.fact.at, *journal.expect("an agent says what it holds"))),
        _ => None,
    });
    said.collect()
}

async fn hears(street: &Street, at: Timestamp) {
    let said = async {
        while !heartbeats(street).await.contains_key(&at) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, said).await.expect("the next heartbeat");
}

/// The page shows it of agents wherever they run, so it must be what their journals hold.
#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_say_what_the_journal_holds_before_and_after_receipts_and_in_the_next_life() {
    let mut street = Street::open().await;
    let open_port = std::mem::replace(&mut street.port, 1);
    let hands = Arc::new(Hands(now().next_hour().plus_seconds(-3_600), AtomicI64::new(0)));
    let at = |second: i64| hands.0.plus_seconds(second);
    let start = |street: &Street| start_agent_by(street.agent_config("edge-1"), Some(hands.clone()));

    // Cut off. The goodbye says a heartbeat that is due.
    let (agent, ending) = start(&street).await;
    let intake = agent.intake().unwrap();
    for number in 0..10 {
        intake.observe(seen(&format!("ct-{number}"), Condition::Standby)).await.unwrap();
    }
    hands.1.store(40, Ordering::SeqCst);
    drop(intake);
    end(agent, ending).await;

    street.port = open_port;
    hands.1.store(50, Ordering::SeqCst);
    let (agent, ending) = start(&street).await;
    hears(&street, at(50)).await;
    timeout(PATIENCE, agent.drained()).await.expect("receipts for both lives");
    hands.1.store(90, Ordering::SeqCst);
    hears(&street, at(90)).await;
    timeout(PATIENCE, agent.drained()).await.expect("its receipt");
    let logged = street.identities().await.len() as u64;
    end(agent, ending).await;

    hands.1.store(100, Ordering::SeqCst);
    let (agent, ending) = start(&street).await;
    hears(&street, at(100)).await;
    end(agent, ending).await;

    let said = heartbeats(&street).await;
    assert_eq!(said.keys().copied().collect::<Vec<_>>(), [0, 40, 50, 90, 100].map(at));
    let counted = |second: i64| (said[&at(second)].accepted_facts, said[&at(second)].waiting_facts);
    assert_eq!(counted(0), (0, 0), "a heartbeat is no part of what it tells of");
    // An opening and a heartbeat of the agent, an opening and a beginning of each device.
    assert_eq!(counted(40), (22, 22));
    assert_eq!((said[&at(0)].oldest_known_at, said[&at(40)].oldest_known_at), (None, Some(at(0))));
    // The last heartbeat, and what the next life says first: an opening and a stretch of each device.
    assert_eq!(counted(50).0, 43);
    assert_eq!(counted(90), (logged - 1, 0), "all of it is in the log, this heartbeat too");
    assert_eq!(said[&at(90)].oldest_known_at, None);
    assert!(counted(100).0 > counted(90).0 && counted(100).0 - counted(100).1 >= logged - 1, "{said:?}");
    assert!(said.values().all(|held| held.used_bytes > 0 && held.capacity_bytes == 16 * 1024 * 1024), "{said:?}");
    street.close().await;
}
