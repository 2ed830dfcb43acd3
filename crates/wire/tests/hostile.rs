//! Bytes from a stranger: truncated, random, oversized, from another schema. None may panic, and none may spoil its neighbours.

mod samples;

use bytes::Bytes;
use medfleet_domain::fact::{Body, Run};
use medfleet_domain::id::{AgentId, Seq, SiteId};
use medfleet_wire as wire;
use medfleet_wire::limits::{BATCH_MAX_BYTES, BATCH_MAX_RUNS, FACT_MAX_BYTES, RUN_MAX_FACTS, SEQ_MAX};
use medfleet_wire::{BadRun, BatchTopic, DecodedBatch, Disposition, Refusal, SCHEMA_VERSION, SoundRun, pb};
use proptest::prelude::*;
use prost::Message;

/// Reads the bytes as everything they might claim to be.
fn read_as_anything(bytes: &[u8]) {
    let _ = wire::decode_fact(bytes);
    let _ = wire::decode_run(bytes);
    let _ = wire::decode_record(bytes);
    let _ = wire::decode_batch(Bytes::copy_from_slice(bytes));
    let _ = wire::decode_receipt(bytes);
    let _ = wire::decode_spooled(bytes);
    let _ = wire::decode_quarantined(bytes);
    let _ = wire::decode_verdict(bytes);
    let _ = wire::decode_alert_record(bytes);
    let _ = BatchTopic::parse(&String::from_utf8_lossy(bytes));
}

fn every_message() -> Vec<Vec<u8>> {
    let facts = samples::facts().into_iter().map(|(_, fact)| wire::encode_fact(&fact));
    let alerts = samples::alert_records().into_iter().map(|(_, record)| wire::encode_alert_record(&record));
    facts
        .chain(alerts)
        .chain([
            wire::encode_run(&samples::run()),
            wire::encode_record(&samples::record()),
            wire::encode_batch(&samples::batch()),
            wire::encode_receipt(&samples::receipt()),
            wire::encode_spooled(&samples::spooled()),
            wire::encode_quarantined(&samples::quarantined()),
            wire::encode_verdict(&samples::verdict()),
        ])
        .collect()
}

proptest! {
    // A failing case is printed whole; there is no file of them to keep.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_as_anything(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let messages = every_message();
        let mut bytes = which.get(&messages).clone();
        for (at, byte) in damage {
            *at.get_mut(&mut bytes[..]) = byte;
        }
        read_as_anything(&bytes);
    }
}

#[test]
fn truncation_at_any_length_never_panics() {
    for bytes in every_message() {
        (0..bytes.len()).for_each(|length| read_as_anything(&bytes[..length]));
    }
}

fn wire_batch() -> pb::Batch {
    pb::Batch::decode(wire::encode_batch(&samples::batch()).as_slice()).unwrap()
}

fn wire_fact() -> pb::Fact {
    pb::Fact::decode(wire::encode_fact(&samples::stretch()).as_slice()).unwrap()
}

fn read(batch: &pb::Batch) -> DecodedBatch {
    wire::decode_batch(batch.encode_to_vec().into()).expect("the envelope is sound")
}

fn run_of(taken: &Result<SoundRun, BadRun>) -> Run {
    wire::decode_run(&taken.as_ref().expect("it is sound").bytes).expect("what is sound is read")
}

/// What became of the first run of a batch in which something was changed.
fn first_after(change: impl FnOnce(&mut pb::Run)) -> Result<SoundRun, BadRun> {
    let mut batch = wire_batch();
    change(&mut batch.runs[0]);
    let mut runs = read(&batch).runs;
    assert!(runs.last().unwrap().is_ok(), "the neighbour is unharmed");
    runs.remove(0)
}

fn refused(change: impl FnOnce(&mut pb::Run)) -> &'static str {
    let bad = first_after(change).unwrap_err();
    assert_eq!(bad.refusal.disposition(), Disposition::Poison);
    bad.refusal.code()
}

#[test]
fn a_bad_run_is_refused_by_its_reason_and_spoils_no_other() {
    assert_eq!(refused(|run| run.facts.clear()), "empty_run");
    assert_eq!(refused(|run| run.first_seq = 0), "seq_zero");
    assert_eq!(refused(|run| run.first_seq = u64::MAX), "seq_overflow");
    assert_eq!(refused(|run| run.first_seq = SEQ_MAX - 1), "seq_overflow");
    assert!(first_after(|run| run.first_seq = SEQ_MAX - 2).is_ok());
    assert_eq!(refused(|run| run.facts = vec![Default::default(); RUN_MAX_FACTS + 1]), "too_many");
    assert_eq!(refused(|run| run.subject = None), "missing_field");
    assert_eq!(refused(|run| run.subject.as_mut().unwrap().name = "ct/7".into()), "invalid_value");
    assert_eq!(refused(|run| run.subject.as_mut().unwrap().kind = 99), "unknown_value");
    assert_eq!(refused(|run| run.kind = "time_machine".into()), "unknown_value");
    assert_eq!(refused(|run| run.site = "st-elsewhere".into()), "foreign_run");
    assert_eq!(refused(|run| run.agent = "edge-2".into()), "foreign_run");
    let of_its_batch = first_after(|run| run.agent.clear()).unwrap();
    assert_eq!(wire::decode_run(&of_its_batch.bytes).unwrap().agent, Some(samples::agent()));
}

#[test]
fn a_run_that_cannot_be_decoded_is_kept_as_it_came() {
    let garbage = [0xff; 9];
    let mut bytes = pb::Batch { runs: Vec::new(), ..wire_batch() }.encode_to_vec();
    bytes.extend([6 << 3 | 2, garbage.len() as u8]);
    bytes.extend(garbage);
    prost::encoding::message::encode(6, &wire_batch().runs[0], &mut bytes);
    let runs = wire::decode_batch(bytes.into()).unwrap().runs;
    let bad = runs[0].as_ref().unwrap_err();
    assert_eq!((bad.refusal.code(), &*bad.bytes), ("undecodable", &garbage[..]));
    assert_eq!((&bad.subject, bad.seqs), (&None, None));
    assert_eq!(run_of(&runs[1]), samples::run());
}

#[test]
fn a_bad_fact_is_cut_out_of_its_run() {
    let mut batch = wire_batch();
    let good = batch.runs[0].facts[0].clone();
    let bad = Bytes::from_static(&[0xff; 3]);
    batch.runs.truncate(1);
    batch.runs[0].facts = vec![bad.clone(), good.clone(), good.clone(), bad.clone(), bad.clone(), good];
    let runs = read(&batch).runs;
    let seqs = runs.iter().map(|run| match run {
        Ok(sound) => (true, sound.seqs),
        Err(bad) => (false, bad.seqs.unwrap()),
    });
    let expected = [(false, 41, 41), (true, 42, 43), (false, 44, 45), (true, 46, 46)];
    assert!(seqs.eq(expected.map(|(good, first, last)| (good, samples::seqs(first, last)))), "{runs:?}");

    let piece = runs[2].as_ref().unwrap_err();
    assert_eq!(piece.subject, Some(samples::subject()));
    let kept = pb::Run::decode(&*piece.bytes).unwrap();
    assert_eq!((kept.first_seq, kept.facts), (44, vec![bad.clone(), bad]));
    assert_eq!(wire::decode_run(&piece.bytes).unwrap_err().code(), "undecodable");
}

#[test]
fn words_of_a_newer_schema_are_held_and_words_of_none_are_poison() {
    let mut unknown_enum = wire_fact();
    let Some(pb::fact::Body::Stretch(stretch)) = &mut unknown_enum.body else { panic!("the sample is a stretch") };
    stretch.condition = 17;
    let unknown_body = pb::Fact { body: None, ..wire_fact() };
    for fact in [unknown_enum, unknown_body] {
        for (schema, expected) in [(SCHEMA_VERSION, Disposition::Poison), (SCHEMA_VERSION + 1, Disposition::Held)] {
            let mut batch = pb::Batch { schema, ..wire_batch() };
            batch.runs[0].facts.push(fact.encode_to_vec().into());
            let runs = read(&batch).runs;
            assert_eq!(run_of(&runs[0]), samples::run(), "known words are taken in whatever the schema");
            let bad = runs[1].as_ref().unwrap_err();
            assert_eq!(bad.refusal.disposition(), expected, "{:?}", bad.refusal);
            assert_eq!(bad.seqs, Some(samples::seqs(44, 44)));
        }
    }
}

#[test]
fn an_envelope_that_cannot_be_read_refuses_the_batch() {
    let code = |batch: pb::Batch| {
        wire::decode_batch(batch.encode_to_vec().into()).map(|_| ()).map_err(|refusal| refusal.code())
    };
    assert_eq!(code(wire_batch()), Ok(()));
    assert_eq!(code(pb::Batch { schema: 0, ..wire_batch() }), Err("missing_field"));
    assert_eq!(code(pb::Batch { agent: "a/b".into(), ..wire_batch() }), Err("invalid_value"));
    assert_eq!(code(pb::Batch { site: String::new(), ..wire_batch() }), Err("invalid_value"));
    assert_eq!(code(pb::Batch { runs: vec![pb::Run::default(); BATCH_MAX_RUNS + 1], ..wire_batch() }), Err("too_many"));
    let oversized = wire::decode_batch(vec![0; BATCH_MAX_BYTES + 1].into()).unwrap_err();
    assert_eq!(oversized, Refusal::Oversized { what: "batch", bytes: BATCH_MAX_BYTES + 1, limit: BATCH_MAX_BYTES });
    assert_eq!(wire::decode_fact(&vec![0; FACT_MAX_BYTES + 1]).unwrap_err().code(), "oversized");
}

#[test]
fn a_correction_of_a_correction_is_refused_at_any_depth() {
    let target = Some(samples::seqs(3, 3).into());
    let mut fact = wire_fact();
    for depth in 0..60 {
        let corrected = pb::Corrected { target, replacement: Some(Box::new(fact)), ..pb::Corrected::default() };
        fact = pb::Fact { body: Some(pb::fact::Body::Corrected(Box::new(corrected))), ..wire_fact() };
        let code = wire::decode_fact(&fact.encode_to_vec()).map(|_| ()).map_err(|refusal| refusal.code());
        match depth {
            0 => assert_eq!(code, Ok(())),
            // Far down, the decoder itself stops following.
            _ => assert!(matches!(code, Err("nested_amendment" | "undecodable")), "{depth}: {code:?}"),
        }
    }
}

#[test]
fn the_topic_vouches_for_the_batch() {
    let batch = read(&wire_batch());
    let topic = |site: &str, agent: &str| BatchTopic::new(SiteId::new(site).unwrap(), AgentId::new(agent).unwrap());
    assert_eq!(topic("st-mary", "edge-1").check(&batch), Ok(()));
    for foreign in [topic("st-mary", "edge-2"), topic("st-elsewhere", "edge-1")] {
        assert_eq!(foreign.check(&batch).unwrap_err().code(), "topic_disagrees");
    }
}

#[test]
fn every_code_is_listed_once() {
    let distinct: std::collections::BTreeSet<_> = Refusal::CODES.into_iter().collect();
    assert_eq!(distinct.len(), Refusal::CODES.len());
    let heartbeat =
        Run { first_seq: Seq(0), facts: vec![wire::seal(samples::fact(Body::Heartbeat(None)))], ..samples::run() };
    let refusal = wire::decode_run(&wire::encode_run(&heartbeat)).unwrap_err();
    assert!(Refusal::CODES.contains(&refusal.code()));
}
