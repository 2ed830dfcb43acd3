//! Whatever a writer may write comes back as it was, and bytes survive whole.

mod arbitrary;
mod samples;

use medfleet_domain::Invalid;
use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::{Body, Fact, JournalState, Run, Stretch};
use medfleet_domain::id::{Seq, SeqRange};
use medfleet_domain::time::Timestamp;
use medfleet_wire as wire;
use medfleet_wire::{Refusal, pb};
use proptest::prelude::*;
use prost::Message as _;

/// A field that no version knows: number 1000, a string of three bytes.
const UNKNOWN_FIELD: [u8; 6] = [0xc2, 0x3e, 3, b'n', b'e', b'w'];

proptest! {
    // A failing case is printed whole; there is no file of them to keep.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_fact_comes_back_as_it_was(fact in arbitrary::facts()) {
        prop_assert_eq!(fact.check(), Ok(()));
        let sealed = wire::seal(fact.clone());
        prop_assert_eq!(wire::decode_fact(&sealed.bytes), Ok(sealed.clone()));
        prop_assert_eq!(wire::accept(fact), Ok(sealed));
    }

    #[test]
    fn any_run_comes_back_through_batch_and_record(
        facts in prop::collection::vec(arbitrary::facts(), 1..8),
        first in 1..=u64::from(u32::MAX),
    ) {
        let run = Run { first_seq: Seq(first), facts: facts.into_iter().map(wire::seal).collect(), ..samples::run() };
        let batch = wire::Batch { runs: vec![run.clone()], ..samples::batch() };
        let sound = wire::decode_batch(wire::encode_batch(&batch).into()).unwrap().runs.remove(0).unwrap();
        let written = wire::encode_run(&run);
        prop_assert_eq!(&sound.bytes, &written, "what the log gets is what the agent wrote");
        prop_assert_eq!(wire::decode_run(&sound.bytes), Ok(run.clone()));
        let record = wire::Record { run, implausible: vec![Seq(first)], ..samples::record() };
        prop_assert_eq!(sound.record(record.received_at, &record.implausible), wire::encode_record(&record));
        prop_assert_eq!(wire::decode_record(&wire::encode_record(&record)), Ok(record));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    /// A door that does not read them takes the very facts that a reader takes, and refuses the others for the same reason: whole ones,
    /// damaged ones, and those of which a field stands twice or out of order.
    #[test]
    fn a_batch_takes_what_every_reader_takes(
        (fact, second) in (arbitrary::facts(), arbitrary::facts()),
        is_twice in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut bytes = wire::encode_fact(&fact);
        if is_twice {
            bytes.extend(wire::encode_fact(&second));
        }
        for (at, byte) in damage {
            *at.get_mut(&mut bytes[..]) = byte;
        }
        prop_assert_eq!(taken(&bytes), read(&bytes));
    }
}

/// What a door makes of a fact that is alone in its batch.
fn taken(fact: &[u8]) -> Result<wire::Spoken, Refusal> {
    let run = pb::Run { facts: vec![fact.to_vec().into()], ..(&samples::run()).into() };
    let batch = pb::Batch { runs: vec![run], ..pb::Batch::decode(&*wire::encode_batch(&samples::batch())).unwrap() };
    let taken = wire::decode_batch(batch.encode_to_vec().into()).unwrap().runs.remove(0);
    taken.map(|sound| sound.spoken).map_err(|bad| bad.refusal)
}

/// What a reader makes of it.
fn read(fact: &[u8]) -> Result<wire::Spoken, Refusal> {
    wire::decode_fact(fact).map(|sealed| (&sealed.fact).into())
}

#[test]
fn no_byte_of_a_fact_is_looked_at_with_less_care_than_it_is_read() {
    let mut refused = 0;
    for (name, fact) in samples::facts() {
        // All others are read in full.
        if !matches!(fact.body, Body::Began { .. } | Body::Stretch(_) | Body::Error(_) | Body::Usage(_)) {
            continue;
        }
        let whole = wire::encode_fact(&fact);
        for (at, value) in (0..whole.len()).flat_map(|at| (0..=u8::MAX).map(move |value| (at, value))) {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let read = read(&bytes);
            refused += usize::from(read.is_err());
            assert_eq!(taken(&bytes), read, "{name}, byte {at} is {value}");
        }
        (0..whole.len()).for_each(|end| assert_eq!(taken(&whole[..end]), read(&whole[..end]), "{name}, cut at {end}"));
    }
    assert!(refused > 10_000, "only {refused} were refused");
}

#[test]
fn a_header_that_no_writer_writes_reaches_no_record() {
    // Groups nested as deep as the decoder of a run follows: within a record that is one too deep.
    let groups = [[0x1b; 99], [0x1c; 99]].concat();
    let run = samples::run();
    let mut subject = pb::Subject::from(&run.subject).encode_to_vec();
    subject.extend(groups);
    let header = pb::Run { subject: None, facts: Vec::new(), ..(&run).into() }.encode_to_vec();
    for unknown in [UNKNOWN_FIELD.to_vec(), Vec::new()] {
        let mut bytes = Vec::new();
        prost::encoding::bytes::encode(1, &subject, &mut bytes);
        bytes.extend([&header[..], &unknown].concat());
        for sealed in &run.facts {
            prost::encoding::bytes::encode(7, &sealed.bytes, &mut bytes);
        }
        assert_eq!(wire::decode_run(&bytes).as_ref(), Ok(&run));
        let mut batch =
            pb::Batch { runs: Vec::new(), ..pb::Batch::decode(&*wire::encode_batch(&samples::batch())).unwrap() }
                .encode_to_vec();
        prost::encoding::bytes::encode(6, &bytes, &mut batch);
        let sound = wire::decode_batch(batch.into()).unwrap().runs.remove(0).unwrap();
        assert_eq!(sound.bytes, wire::encode_run(&run), "what is not ours is left out");
        let record = wire::decode_record(&sound.record(samples::MORNING, &[])).expect("what was taken can be read");
        assert_eq!(record.run, run);
    }
}

#[test]
fn a_field_that_nobody_knows_survives_every_hop() {
    let mut bytes = wire::encode_fact(&samples::stretch());
    bytes.extend(UNKNOWN_FIELD);
    let sealed = wire::decode_fact(&bytes).unwrap();
    assert_eq!(sealed.fact, samples::stretch());
    let run = Run { facts: vec![sealed.clone()], ..samples::run() };

    let spooled = wire::Spooled { fact: sealed, ..samples::spooled() };
    assert_eq!(wire::decode_spooled(&wire::encode_spooled(&spooled)).unwrap().fact.bytes, bytes);
    let batch = wire::Batch { runs: vec![run], ..samples::batch() };
    let sound = wire::decode_batch(wire::encode_batch(&batch).into()).unwrap().runs.remove(0).unwrap();
    let record = sound.record(samples::record().received_at, &[]);
    assert_eq!(wire::decode_record(&record).unwrap().run.facts[0].bytes, bytes);
}

#[test]
fn a_writer_is_told_at_once_what_no_reader_would_take() {
    let stretch = |until, condition| {
        let body = Body::Stretch(Stretch { until, condition, degradation: Degradation::None });
        wire::accept(samples::fact(body)).map_err(|refusal| refusal.code())
    };
    let hour = samples::MORNING.plus_seconds(3_600);
    assert!(stretch(hour, Condition::Standby).is_ok());
    assert_eq!(stretch(hour, Condition::Unknown), Err("missing_field"));
    assert_eq!(stretch(samples::MORNING, Condition::Standby), Err("invalid_value"));
    assert_eq!(stretch(hour.plus_seconds(86_400), Condition::Standby), Err("crosses_midnight"));
    assert_eq!(stretch(Timestamp::MAX, Condition::Standby), Err("invalid_value"));
    let long = Body::Retired(medfleet_domain::human::Retirement { reason: "x".repeat(wire::limits::FACT_MAX_BYTES) });
    assert_eq!(wire::accept(samples::fact(long)).unwrap_err().code(), "oversized");
}

#[test]
fn only_times_without_a_calendar_date_are_refused() {
    let at = |at| wire::accept(Fact { at, ..samples::fact(Body::Heartbeat(None)) }).map_err(|refusal| refusal.code());
    for implausible in [0, -1, samples::MORNING.plus_seconds(1_000_000_000).micros()] {
        assert!(
            at(Timestamp(implausible)).is_ok(),
            "{implausible} is admitted; its clock is suspect, which ingest says"
        );
    }
    assert_eq!(at(Timestamp::MIN), Err("invalid_value"));
    assert_eq!(at(Timestamp::MAX), Err("invalid_value"));
}

#[test]
fn a_journal_does_not_hold_more_than_was_accepted() {
    let held = |accepted_facts, waiting_facts| {
        let journal = JournalState { accepted_facts, waiting_facts, ..JournalState::default() };
        wire::accept(samples::fact(Body::Heartbeat(Some(Box::new(journal))))).map_err(|refusal| refusal.code())
    };
    assert!(held(0, 0).is_ok() && held(7, 7).is_ok());
    assert_eq!(held(7, 8), Err("invalid_value"));
    assert_eq!(held(u64::MAX, 0), Err("invalid_value"));
}

#[test]
fn a_record_doubts_its_own_facts_only() {
    let doubting = |seq| {
        let record = wire::Record { implausible: vec![Seq(seq)], ..samples::record() };
        wire::decode_record(&wire::encode_record(&record)).map_err(|refusal| refusal.code())
    };
    assert!(doubting(41).is_ok() && doubting(43).is_ok());
    assert_eq!(doubting(40), Err("invalid_value"));
    assert_eq!(doubting(44), Err("invalid_value"));
}

#[test]
fn a_refusal_of_the_domain_keeps_its_cause() {
    let backwards = SeqRange { first: Seq(5), ..samples::seqs(1, 4) };
    let refusal =
        wire::accept(samples::fact(Body::Tombstone { target: backwards, reason: String::new() })).unwrap_err();
    assert!(matches!(refusal, Refusal::InvalidValue { field: "target", source: Invalid::Range { .. } }), "{refusal:?}");
    let cause = std::error::Error::source(&refusal).expect("the domain's own words").to_string();
    assert!(!refusal.to_string().contains(&cause), "said once, not twice");
}
