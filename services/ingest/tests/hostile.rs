//! Bad input at the MQTT door: refused, held or quarantined with a reason, and good facts unharmed.

mod support;

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::Body;
use medfleet_domain::id::{AgentId, SiteId};
use medfleet_domain::time::Timestamp;
use medfleet_ingest::IngestError;
use medfleet_ingest::quarantine::{self, Redriven};
use medfleet_log::{NewRecord, Topic};
use medfleet_wire::{Batch, BatchTopic, FateKind, encode_batch};
use rumqttc::v5::ConnectionError;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, PubAckReason, SubscribeReasonCode};
use support::client::Client;
use support::{PASSWORD, PATIENCE, SITE, Street, device, end, fact, now, run, seen, seqs_of, site};
use tokio::time::timeout;

/// Connected as the agent edge-9, hearing its receipts.
async fn edge_9(street: &Street) -> Client {
    let mut client = stranger(street, "edge-9", "edge-9", PASSWORD);
    let heard = client.subscribe(&topic().receipt().to_string()).await;
    assert_eq!(heard, SubscribeReasonCode::Success(QoS::AtLeastOnce));
    client
}

fn stranger(street: &Street, client_id: &str, user: &str, password: &str) -> Client {
    Client::new(&street.folder.path().join("server.crt"), street.port, client_id, user, password)
}

fn agent() -> AgentId {
    AgentId::new("edge-9").unwrap()
}

fn topic() -> BatchTopic {
    BatchTopic::new(site(), agent())
}

fn heartbeats(count: u64, first_seq: u64) -> medfleet_domain::fact::Run {
    run("ct-1", first_seq, (0..count).map(|_| fact(now(), Body::Heartbeat(None))).collect())
}

fn batch(number: u64, runs: Vec<medfleet_domain::fact::Run>) -> Batch {
    Batch { agent: agent(), site: site(), session: 5, number, runs }
}

async fn quarantined_reasons(street: &Street) -> Vec<String> {
    let mut reasons = Vec::new();
    quarantine::scan(&*street.log, |entry| {
        reasons.push(entry.quarantined.reason);
        true
    })
    .await
    .unwrap();
    reasons
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_batch_is_receipted_every_time() {
    let street = Street::open().await;
    let mut client = edge_9(&street).await;
    for _ in 0..3 {
        client.say(&topic().to_string(), encode_batch(&batch(1, vec![heartbeats(5, 1)]))).await;
        let receipt = client.receipt().await;
        assert_eq!((receipt.session, receipt.number), (5, 1));
        assert!(receipt.fates.iter().all(|fate| fate.kind == FateKind::Stored));
    }
    // Ingest knows no identities: the copies are in the log, and dedup behind it removes them.
    assert!(street.identities().await.values().all(|times| *times == 3));
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_foreign_words_are_quarantined_and_spoil_nothing_beside_them() {
    let street = Street::open().await;
    let (good, ending) = street.agent("edge-1").await;
    let intake = good.intake().unwrap();
    let mut client = edge_9(&street).await;
    let foreign = medfleet_domain::fact::Run { site: SiteId::new("elsewhere").unwrap(), ..heartbeats(2, 10) };
    let mut broken = heartbeats(3, 20);
    broken.facts[1].bytes = vec![0xff; 9].into();
    let whole = encode_batch(&batch(1, vec![heartbeats(5, 1)]));
    let other_agent = Batch { agent: AgentId::new("edge-1").unwrap(), ..batch(2, vec![heartbeats(1, 40)]) };
    let payloads = [
        whole[..whole.len() - 3].to_vec(),
        b"\x00\xff not a batch at all".to_vec(),
        Vec::new(),
        encode_batch(&other_agent),
        encode_batch(&batch(3, vec![foreign, broken, heartbeats(1, 30)])),
    ];
    for payload in payloads {
        client.say(&topic().to_string(), payload).await;
        assert_eq!(client.acknowledged().await, PubAckReason::Success);
    }
    intake.observe(seen("ct-2", Condition::Standby)).await.unwrap();
    timeout(PATIENCE, good.drained()).await.expect("good facts are unharmed");

    let mut reasons = quarantined_reasons(&street).await;
    reasons.sort();
    assert!(reasons.iter().filter(|reason| *reason == "undecodable").count() >= 2, "{reasons:?}");
    assert!(
        reasons.contains(&"topic_disagrees".to_owned()) && reasons.contains(&"foreign_run".to_owned()),
        "{reasons:?}"
    );
    let kept = seqs_of(&street.identities().await, &device("ct-1"));
    assert_eq!(kept, [20, 22, 30], "the bad fact was cut out of its run");
    let sums = street.sums();
    assert_eq!(sums.quarantined, 4 + 2 + 1, "four whole messages, two foreign facts, one broken one");
    drop(intake);
    end(good, ending).await;
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_named_in_the_receipt_with_its_reason() {
    let street = Street::open().await;
    let mut client = edge_9(&street).await;
    let mut broken = heartbeats(3, 1);
    broken.facts[1].bytes = vec![0xff; 9].into();
    client.say(&topic().to_string(), encode_batch(&batch(1, vec![broken]))).await;
    let fates: Vec<_> =
        client.receipt().await.fates.into_iter().map(|fate| (fate.seqs.first.0, fate.kind, fate.reason)).collect();
    assert_eq!(
        fates,
        [
            (1, FateKind::Stored, String::new()),
            (2, FateKind::Poison, "undecodable".into()),
            (3, FateKind::Stored, String::new())
        ]
    );
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn implausible_times_are_kept_and_marked() {
    let street = Street::open().await;
    let mut client = edge_9(&street).await;
    let future = now().plus_seconds(3_600);
    let times = [Timestamp::from_seconds(0), now(), future];
    let facts = times.map(|at| fact(at, Body::Heartbeat(None))).to_vec();
    client.say(&topic().to_string(), encode_batch(&batch(1, vec![run("ct-1", 1, facts)]))).await;
    assert!(client.receipt().await.fates.iter().all(|fate| fate.kind == FateKind::Stored));
    let records = street.records(Topic::FACTS).await;
    let implausible: Vec<u64> = records[0].implausible.iter().map(|seq| seq.0).collect();
    assert_eq!(implausible, [1, 3]);
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_message_ends_the_connection_and_nothing_else() {
    let street = Street::open().await;
    let mut client = edge_9(&street).await;
    client.say(&topic().to_string(), vec![0; 2 * medfleet_wire::limits::BATCH_MAX_BYTES]).await;
    client.end().await;
    let mut again = edge_9(&street).await;
    again.say(&topic().to_string(), encode_batch(&batch(1, vec![heartbeats(1, 1)]))).await;
    assert_eq!(again.receipt().await.number, 1);
    assert_eq!(street.sums().received, 1 + 1, "the site and one heartbeat");
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_speaks_and_hears_for_itself_only() {
    let street = Street::open().await;
    let mut client = edge_9(&street).await;
    let others = BatchTopic::new(site(), AgentId::new("edge-1").unwrap());
    client.say(&others.to_string(), encode_batch(&batch(1, vec![heartbeats(1, 1)]))).await;
    assert_eq!(client.acknowledged().await, PubAckReason::NotAuthorized);
    client.say("medfleet/v1/any/thing", Vec::new()).await;
    assert_eq!(client.acknowledged().await, PubAckReason::NotAuthorized);
    for filter in ["#", "medfleet/#", &format!("medfleet/v1/{SITE}/+/+/receipt"), &others.receipt().to_string()] {
        assert_ne!(client.subscribe(filter).await, SubscribeReasonCode::Success(QoS::AtLeastOnce), "{filter}");
    }
    assert_eq!(street.sums().received, 1, "only the site");
    for (client_id, user, password) in
        [("edge-9", "edge-9", "guess"), ("edge-9", "nobody", PASSWORD), ("edge-1", "edge-9", PASSWORD)]
    {
        let refused = stranger(&street, client_id, user, password).end().await;
        assert!(
            matches!(refused, ConnectionError::ConnectionRefused(ConnectReturnCode::BadUserNamePassword)),
            "{refused:?}"
        );
    }
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_run_is_driven_in_again_under_its_own_identity() {
    let street = Street::open().await;
    let good = heartbeats(2, 50);
    // Refused once for a reason that has gone since; its bytes are whole.
    let refused = medfleet_wire::Quarantined {
        origin: topic().to_string(),
        reason: "foreign_run".into(),
        payload: medfleet_wire::encode_run(&good),
        received_at: now(),
        subject: Some(good.subject.clone()),
        seqs: good.seqs(),
    };
    let record = NewRecord {
        topic: Topic::QUARANTINE,
        key: good.subject.key().into(),
        value: medfleet_wire::encode_quarantined(&refused).into(),
    };
    let position = street.log.append(vec![record]).await.unwrap()[0];
    let entry = quarantine::find(&*street.log, position.partition, position.offset).await.unwrap();
    for _ in 0..2 {
        let redriven = quarantine::redrive(&street.admitter, &entry, now()).await.unwrap();
        assert!(matches!(redriven, Redriven::Admitted { .. }), "{redriven:?}");
    }
    let identities = street.identities().await;
    assert_eq!(identities.get(&(device("ct-1"), 7, 50)), Some(&2), "the same identity twice: dedup keeps one");
    for (partition, offset) in [(position.partition, position.offset + 1), (9_999, 0)] {
        let absent = quarantine::find(&*street.log, partition, offset).await;
        assert!(matches!(absent, Err(IngestError::NotQuarantined { .. })), "{partition}:{offset} {absent:?}");
    }
    street.close().await;
}
