//! Agent → TLS → door → log → receipt → journal freed, in one process.

mod support;

use medfleet_agent::Refusal;
use medfleet_domain::condition::Condition;
use medfleet_domain::fact::Body;
use medfleet_ingest::quarantine;
use medfleet_log::Topic;
use support::{PATIENCE, Street, device, end, now, seen, seqs_of, start_agent};
use tokio::time::timeout;

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

#[tokio::test(flavor = "multi_thread")]
async fn poison_leaves_a_tombstone_frees_the_journal_and_can_be_driven_in_again() {
    let mut street = Street::open().await;
    street.define_site("elsewhere").await;
    let open_port = std::mem::replace(&mut street.port, 1);
    let (agent, ending) = street.agent("edge-1").await;
    let (intake, lost_epoch) = (agent.intake().unwrap(), agent.epoch());
    intake.observe(seen("ct-1", Condition::Standby)).await.unwrap();
    drop(intake);
    end(agent, ending).await;

    // Moved to another site with facts on board that it may no longer speak for.
    street.port = open_port;
    let mut config = street.agent_config("edge-1");
    config.site = "elsewhere".into();
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
    assert_eq!(buried, [(lost_epoch, 2, "foreign_run".to_owned())]);

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
