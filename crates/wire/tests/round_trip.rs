//! Whatever a writer may write comes back as it was, and bytes survive whole.

mod arbitrary;
mod samples;

use medfleet_domain::Invalid;
use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::{Body, Fact, JournalState, Run, Stretch};
use medfleet_domain::id::{Seq, SeqRange};
use medfleet_domain::time::Timestamp;
use medfleet_wire as wire;
use medfleet_wire::Refusal;
use proptest::prelude::*;

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
        prop_assert_eq!(wire::decode_batch(&wire::encode_batch(&batch)).unwrap().runs, vec![Ok(run.clone())]);
        let record = wire::Record { run, implausible: vec![Seq(first)], ..samples::record() };
        prop_assert_eq!(wire::decode_record(&wire::encode_record(&record)), Ok(record));
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
    let run = wire::decode_batch(&wire::encode_batch(&batch)).unwrap().runs.remove(0).unwrap();
    let record = wire::Record { run, implausible: Vec::new(), ..samples::record() };
    assert_eq!(wire::decode_record(&wire::encode_record(&record)).unwrap().run.facts[0].bytes, bytes);
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
