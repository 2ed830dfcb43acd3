//! Whatever arrives at the MQTT doors: judged with a reason and balanced sums, or its connection ends; good facts go on.

mod support;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown as Direction, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use medfleet_domain::condition::Condition;
use medfleet_domain::fact::{Body, Run};
use medfleet_domain::id::AgentId;
use medfleet_fuzz::{Bounds, Heap, fuzz};
use medfleet_ingest::judge;
use medfleet_wire::limits::{BATCH_MAX_BYTES, BATCH_MAX_RUNS};
use medfleet_wire::{Batch, BatchTopic, encode_batch};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Connect, Disconnect, DisconnectReasonCode, Filter, Login, PingReq, PubAckReason, Publish, Subscribe,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use support::broker::{AGENT, Broker, Ingest, OTHERS};
use support::client::{Client, client_tls};
use support::{PASSWORD, PATIENCE, Street, agent_config, embedded_log, end, fact, now, run, seen, site, start_agent};
use tokio::time::timeout;

#[global_allocator]
static HEAP: Heap = Heap;

/// What the process may have grown by after the first connections, logs on disk aside.
const GROWTH_MAX_BYTES: usize = 48 * 1024 * 1024;
const WARM_UP_CONNECTIONS: u64 = 100;
const ANSWER_WAIT: Duration = Duration::from_secs(20);

fn topic() -> BatchTopic {
    BatchTopic::new(site(), AgentId::new("edge-9").unwrap())
}

fn batch() -> Vec<u8> {
    batch_of("edge-9", 1)
}

fn batch_of(agent: &str, number: u64) -> Vec<u8> {
    let agent = AgentId::new(agent).unwrap();
    let facts = (0..3).map(|_| fact(now(), Body::Heartbeat(None))).collect();
    let runs =
        vec![run("ct-1", 1, facts), run("ct-2", 5, vec![fact(now().plus_seconds(86_400), Body::Heartbeat(None))])];
    let runs = runs.into_iter().map(|run| Run { agent: Some(agent.clone()), ..run }).collect();
    encode_batch(&Batch { agent, site: site(), session: 5, number, runs })
}

/// A run of nothing is two bytes, and is put into quarantine with its origin and its reason.
const REFUSED_RUN_BYTES: usize = 1_024;

#[test]
fn fuzz_batch_at_the_door() {
    let (topic, sites) = (topic().to_string(), BTreeSet::from([site()]));
    // What is judged is also written and read again here.
    let bounds = Bounds {
        input_max_bytes: BATCH_MAX_BYTES + 64,
        peak_times_input: 256,
        peak_base_bytes: Bounds::default().peak_base_bytes + BATCH_MAX_RUNS * REFUSED_RUN_BYTES,
        ..Bounds::default()
    };
    fuzz("batch at the door", vec![batch()], bounds, |payload| {
        let judged = judge::batch(&topic, &Bytes::copy_from_slice(payload), &sites, now());
        assert!(judged.tally.balances(), "{:?}", judged.tally);
        for admitted in &judged.append {
            let record =
                medfleet_wire::decode_record(&admitted.record()).expect("the processor reads what ingest writes");
            assert_eq!((&record.run.subject, record.run.seqs()), (&admitted.run.subject, Some(admitted.run.seqs)));
            assert_eq!(record.implausible, admitted.implausible);
        }
        for refused in &judged.quarantine {
            let bytes = medfleet_wire::encode_quarantined(refused);
            assert_eq!(medfleet_wire::decode_quarantined(&bytes).as_ref(), Ok(refused), "quarantine can be shown");
        }
        let reasons: BTreeSet<&str> = judged.quarantine.iter().map(|refused| &*refused.reason).collect();
        let stored = if judged.append.is_empty() { "" } else { "stored " };
        format!("{stored}{}", reasons.into_iter().collect::<Vec<_>>().join(" "))
    });
}

/// Bytes of MQTT as a client sends them.
fn conversation() -> Vec<Vec<u8>> {
    let mut bytes = BytesMut::new();
    let mut pieces = Vec::new();
    let connect = Connect { client_id: "edge-9".into(), keep_alive: 60, clean_start: true, properties: None };
    let login = Some(Login { username: "edge-9".into(), password: PASSWORD.into() });
    connect.write(&None, &login, &mut bytes).unwrap();
    let greeting = bytes.split().to_vec();
    let mut publish = Publish::new(topic().to_string(), QoS::AtLeastOnce, batch(), None);
    publish.pkid = 1;
    publish.write(&mut bytes).unwrap();
    pieces.push(bytes.split().to_vec());
    let mut subscribe = Subscribe::new(Filter::new(topic().receipt().to_string(), QoS::AtLeastOnce), None);
    subscribe.pkid = 2;
    subscribe.write(&mut bytes).unwrap();
    pieces.push(bytes.split().to_vec());
    PingReq::write(&mut bytes).unwrap();
    pieces.push(bytes.split().to_vec());
    Disconnect::new(DisconnectReasonCode::NormalDisconnection).write(&mut bytes).unwrap();
    pieces.push(bytes.split().to_vec());
    let with_greeting = pieces.iter().map(|piece| [&greeting[..], piece].concat());
    let whole = [&greeting[..], &pieces.concat()].concat();
    with_greeting.chain([whole, greeting.clone()]).collect()
}

/// Sends bytes over TLS, and names the kinds of packets that came back before the door hung up.
fn send(tls: &Arc<ClientConfig>, port: u16, bytes: &[u8]) -> String {
    let tcp = TcpStream::connect(("127.0.0.1", port)).expect("the door is open");
    tcp.set_read_timeout(Some(ANSWER_WAIT)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::clone(tls), name).unwrap(), tcp);
    // The door may hang up in the middle of it: that is an answer.
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
    stream.conn.send_close_notify();
    let _ = stream.flush();
    let _ = stream.sock.shutdown(Direction::Write);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let timed_out = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!timed_out, "the door neither answered nor hung up for {ANSWER_WAIT:?}");
    let kinds: BTreeSet<u8> = answer.first().map(|byte| byte >> 4).into_iter().collect();
    format!("{kinds:?} {}", answer.len().min(8))
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[tokio::test(flavor = "multi_thread")]
async fn fuzz_mqtt_door() {
    let street = Street::open().await;
    let (good, ending) = street.agent("edge-1").await;
    let intake = good.intake().unwrap();
    let (tls, port) = (client_tls(&street.folder.path().join("server.crt")), street.port);
    let grown = tokio::task::spawn_blocking(move || {
        let (mut connections, mut before) = (0, 0);
        // The heap of this thread says little of the door's; the whole process is looked at below.
        let bounds = Bounds { kept_max_bytes: usize::MAX, peak_base_bytes: 1024 * 1024, ..Bounds::default() };
        fuzz("MQTT door", conversation(), bounds, |bytes| {
            connections += 1;
            if connections == WARM_UP_CONNECTIONS {
                before = resident_bytes();
            }
            send(&tls, port, bytes)
        });
        if before == 0 { 0 } else { resident_bytes().saturating_sub(before) }
    })
    .await
    .unwrap();
    println!("fuzz MQTT door: the process has grown by {grown} bytes since connection {WARM_UP_CONNECTIONS}");
    assert!(grown <= GROWTH_MAX_BYTES, "the process has grown by {grown} bytes");
    intake.observe(seen("ct-2", Condition::Standby)).await.unwrap();
    timeout(PATIENCE, good.drained()).await.expect("good facts are unharmed");
    street.sums();
    drop(intake);
    end(good, ending).await;
    street.close().await;
}

/// What ingest has counted of facts by fate, and the reasons that it has given.
fn judged(ingest: &Ingest) -> (Vec<u64>, BTreeSet<String>) {
    let text = ingest.metrics.encode().unwrap();
    let of = |name: &str, label: &str| -> u64 {
        let line = format!("medfleet_ingest_{name}{{{label}}} ");
        text.lines().find_map(|each| each.strip_prefix(&line)).map_or(0, |number| number.parse().unwrap())
    };
    let fates = ["received", "appended", "quarantined", "held"];
    let counts = fates.map(|fate| of("facts_total", &format!("fate=\"{fate}\""))).to_vec();
    let given = |code: &&&str| of("quarantined_total", &format!("reason=\"{code}\"")) > 0;
    (counts, medfleet_wire::Refusal::CODES.iter().filter(given).map(|code| (*code).to_owned()).collect())
}

/// A real broker hands on whatever an agent publishes on its topic; the door's connection to it must outlive all of that.
#[tokio::test(flavor = "multi_thread")]
async fn fuzz_external_mqtt_door() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(folder.path()) else { return };
    let ingest = Ingest::start(&broker, &embedded_log(folder.path()).await).await;
    let config = agent_config(folder.path(), AGENT, broker.port, &broker.ca(), &folder.path().join("password"));
    let (good, ending) = start_agent(config).await;
    let intake = good.intake().unwrap();
    let stranger = OTHERS[0];
    let topic = BatchTopic::new(site(), AgentId::new(stranger).unwrap());
    let mut client = Client::new(&broker.ca(), broker.port, stranger, stranger, &broker.password(stranger));
    // Until ingest has subscribed the broker drops what is said, and says that it does.
    loop {
        client.say(&topic.to_string(), batch_of(stranger, 1)).await;
        if client.acknowledged().await != PubAckReason::NoMatchingSubscribers {
            break;
        }
    }
    let runtime = tokio::runtime::Handle::current();
    let (mut client, ingest, grown) = tokio::task::spawn_blocking(move || {
        let (mut messages, mut before) = (0, 0);
        // The heap of this thread says little of the door's; the whole process is looked at below.
        let bounds = Bounds {
            input_max_bytes: BATCH_MAX_BYTES + 64,
            kept_max_bytes: usize::MAX,
            peak_base_bytes: 1024 * 1024,
            ..Bounds::default()
        };
        fuzz("external MQTT door", vec![batch_of(stranger, 2)], bounds, |payload| {
            messages += 1;
            if messages == WARM_UP_CONNECTIONS {
                before = resident_bytes();
            }
            let acknowledged = runtime.block_on(async {
                client.say(&topic.to_string(), payload.to_vec()).await;
                client.acknowledged().await
            });
            format!("{acknowledged:?} {:?}", judged(&ingest).1)
        });
        let grown = if before == 0 { 0 } else { resident_bytes().saturating_sub(before) };
        (client, ingest, grown)
    })
    .await
    .unwrap();
    println!("fuzz external MQTT door: the process has grown by {grown} bytes since message {WARM_UP_CONNECTIONS}");
    assert!(grown <= GROWTH_MAX_BYTES, "the process has grown by {grown} bytes");
    // The same connection answers the stranger when it says something sound, and others all along.
    client.subscribe(&BatchTopic::new(site(), AgentId::new(stranger).unwrap()).receipt().to_string()).await;
    client.say(&BatchTopic::new(site(), AgentId::new(stranger).unwrap()).to_string(), batch_of(stranger, 77_777)).await;
    while client.receipt().await.number != 77_777 {}
    intake.observe(seen("ct-2", Condition::Standby)).await.unwrap();
    timeout(PATIENCE, good.drained()).await.expect("good facts are unharmed");
    let balanced = async {
        loop {
            let (counts, reasons) = judged(&ingest);
            if counts[0] == counts[1] + counts[2] + counts[3] && !reasons.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, balanced).await.expect("the sums balance, and something was refused");
    drop(intake);
    end(good, ending).await;
    ingest.end().await;
}
