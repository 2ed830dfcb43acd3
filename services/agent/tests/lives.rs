//! One life after another: what a restart finds in the journal's records, and what it says about the time between.

use medfleet_agent::clock::{Reading, Steady};
use medfleet_agent::observation::{Observation, Refusal, Seen, Stated};
use medfleet_agent::recorder::Recorder;
use medfleet_agent::spool::{Checkpoint, Entry, Recovered, encode_fact};
use medfleet_agent::writer::Written;
use medfleet_domain::condition::{Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, JournalState, Source};
use medfleet_domain::id::{AgentId, DeviceId, Epoch, Seq, SeqRange, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};

const START: i64 = 1_772_000_000;
/// As many bytes as it can take.
const FULL: JournalState = JournalState {
    accepted_facts: i64::MAX.cast_unsigned(),
    waiting_facts: i64::MAX.cast_unsigned(),
    used_bytes: i64::MAX.cast_unsigned(),
    capacity_bytes: i64::MAX.cast_unsigned(),
    oldest_known_at: Some(Timestamp::from_seconds(START)),
};

fn device(name: &str) -> Subject {
    Subject::device(&DeviceId::new(name).unwrap())
}

fn reading(second: i64) -> Reading {
    Reading {
        wall: Timestamp::from_seconds(START + second),
        steady: Steady(second * MICROS_PER_SECOND),
        synchronised: None,
    }
}

fn seen(name: &str, condition: Condition) -> Observation {
    let source = Source { kind: SourceKind::Device, name: "test".into() };
    let seen = Seen::Condition { condition, degradation: Degradation::None };
    Observation { subject: device(name), kind: DeviceKind::Ct, source, stated: None, seen }
}

/// The records of a journal, written by one life after another.
#[derive(Default)]
struct Records(Vec<Vec<u8>>);

impl Records {
    fn take(&mut self, written: Vec<Written>) -> Vec<Written> {
        let site = SiteId::new("st-mary").unwrap();
        self.0.extend(written.iter().map(|each| encode_fact(each.clone(), &site)));
        written
    }

    fn recovered(&self) -> Recovered {
        let mut recovered = Recovered::default();
        for (index, bytes) in (0..).zip(&self.0) {
            recovered.take(index, Entry::decode(index, bytes).unwrap()).unwrap();
        }
        recovered
    }

    /// Begins a life over these records, as the keeper does, and says what it says of the one before.
    fn begin(&mut self, epoch: u64, second: i64) -> (Recorder, Vec<Written>) {
        let agent = AgentId::new("edge-1").unwrap();
        let (recorder, written) = Recorder::begin(&agent, Epoch(epoch), self.recovered(), reading(second));
        let said = self.take(written);
        self.checkpoint(&recorder);
        (recorder, said)
    }

    fn checkpoint(&mut self, recorder: &Recorder) {
        let checkpoint = Checkpoint::new(0, recorder.now(), recorder.marks(), recorder.open());
        self.0.extend(checkpoint.encode(1 << 20).unwrap());
    }
}

fn stretches(written: &[Written]) -> Vec<(i64, i64)> {
    let span = |each: &Written| match &each.fact.body {
        Body::Stretch(stretch) => Some((each.fact.at.second() - START, stretch.until.second() - START)),
        _ => None,
    };
    written.iter().filter_map(span).collect()
}

#[test]
fn a_killed_agent_knows_up_to_its_last_heartbeat_and_no_further() {
    let mut records = Records::default();
    let (mut first, _) = records.begin(1, 0);
    records.take(first.turn(reading(0)));
    records.take(first.observe(seen("ct-1", Condition::Standby)).unwrap());
    for second in 1..=100 {
        records.take(first.turn(reading(second)));
    }
    let (_, said) = records.begin(2, 5_000);
    assert_eq!(stretches(&said), [(0, 90)], "heartbeats were written at 0, 30, 60 and 90");
    assert_eq!(
        said[0].fact.body,
        Body::Opened { previous: Some(SeqRange { epoch: Epoch(1), first: Seq(1), last: Seq(2) }) }
    );
}

#[test]
fn a_second_restart_says_nothing_twice() {
    let mut records = Records::default();
    let (mut first, _) = records.begin(1, 0);
    records.take(first.observe(seen("ct-1", Condition::Standby)).unwrap());
    for second in 0..=60 {
        records.take(first.turn(reading(second)));
    }
    let (mut second_life, said) = records.begin(2, 1_000);
    assert_eq!(stretches(&said), [(0, 60)]);
    for second in 1_000..=1_100 {
        records.take(second_life.turn(reading(second)));
    }
    let (_, said) = records.begin(3, 2_000);
    assert_eq!(stretches(&said), [], "nobody has seen the device since");
}

#[test]
fn a_life_torn_off_in_its_first_words_is_repeated_by_the_next() {
    let mut records = Records::default();
    let (mut first, _) = records.begin(1, 0);
    records.take(first.observe(seen("ct-1", Condition::Standby)).unwrap());
    for second in 0..=60 {
        records.take(first.turn(reading(second)));
    }
    let whole = records.0.len();
    records.begin(2, 1_000);
    for kept in 0..3 {
        let mut torn = Records(records.0[..whole + kept].to_vec());
        let (_, said) = torn.begin(3, 2_000);
        let already = if kept >= 2 { vec![] } else { vec![(0, 60)] };
        assert_eq!(stretches(&said), already, "{kept} records of the torn life survived");
    }
}

#[test]
fn a_checkpoint_replaces_all_records_before_it() {
    let mut records = Records::default();
    let (mut recorder, _) = records.begin(1, 0);
    for name in ["ct-1", "ct-2"] {
        records.take(recorder.observe(seen(name, Condition::Productive)).unwrap());
    }
    for second in 0..=4_000 {
        records.take(recorder.turn(reading(second)));
    }
    records.checkpoint(&recorder);
    let whole = records.recovered();
    let alone = Records(vec![records.0.last().unwrap().clone()]).recovered();
    assert_eq!((&alone.marks, &alone.open), (&whole.marks, &whole.open));
    assert_eq!(alone.open[&device("ct-1")].from, Timestamp::from_seconds(START).next_hour(), "cut on the hour");
}

#[test]
fn conditions_are_cut_on_the_hour_and_closed_at_a_change() {
    let mut records = Records::default();
    let (mut recorder, _) = records.begin(1, 0);
    recorder.turn(reading(0));
    recorder.observe(seen("ct-1", Condition::Standby)).unwrap();
    let to_hour = Timestamp::from_seconds(START).next_hour().second() - START;
    let mut written = recorder.turn(reading(to_hour + 7_205));
    recorder.turn(reading(to_hour + 7_210));
    written.extend(recorder.observe(seen("ct-1", Condition::UnscheduledDown)).unwrap());
    assert_eq!(
        stretches(&written),
        [
            (0, to_hour),
            (to_hour, to_hour + 3_600),
            (to_hour + 3_600, to_hour + 7_200),
            (to_hour + 7_200, to_hour + 7_210)
        ]
    );
    assert!(matches!(written.last().unwrap().fact.body, Body::Began { condition: Condition::UnscheduledDown, .. }));
}

#[test]
fn a_lost_device_is_silent_and_a_repeated_condition_says_nothing() {
    let mut records = Records::default();
    let (mut recorder, _) = records.begin(1, 0);
    recorder.turn(reading(0));
    recorder.observe(seen("ct-1", Condition::Standby)).unwrap();
    recorder.turn(reading(10));
    assert_eq!(recorder.observe(seen("ct-1", Condition::Standby)).unwrap(), []);
    recorder.turn(reading(20));
    let lost = Observation { seen: Seen::Lost, ..seen("ct-1", Condition::Standby) };
    assert_eq!(stretches(&recorder.observe(lost).unwrap()), [(0, 20)]);
    assert_eq!(stretches(&recorder.turn(reading(9_000))), []);
}

#[test]
fn a_refused_change_ends_the_stretch_where_it_was_refused() {
    let mut records = Records::default();
    let (mut recorder, _) = records.begin(1, 0);
    recorder.turn(reading(0));
    recorder.observe(seen("ct-1", Condition::Standby)).unwrap();
    recorder.refuse(&seen("ct-1", Condition::UnscheduledDown), Timestamp::from_seconds(START + 50));
    assert_eq!(stretches(&recorder.turn(reading(90))), [(0, 50)], "what came after nobody could record");
}

#[test]
fn a_source_with_its_own_time_is_neither_cut_nor_resumed_by_the_agents_clock() {
    let mut records = Records::default();
    let (mut recorder, _) = records.begin(1, 0);
    recorder.turn(reading(0));
    let at = |second: i64, condition| {
        let stated = Some(Stated::at(Timestamp::from_seconds(second)));
        Observation { stated, ..seen("ct-1", condition) }
    };
    records.take(recorder.observe(at(100, Condition::Standby)).unwrap());
    assert_eq!(stretches(&records.take(recorder.turn(reading(8_000)))), []);
    let closed = recorder.observe(at(160, Condition::Productive)).unwrap();
    assert_eq!(stretches(&closed), [(100 - START, 160 - START)]);
    let late = recorder.observe(at(150, Condition::Standby)).unwrap_err();
    assert!(matches!(late, Refusal::OutOfOrder { .. }), "{late}");
    records.take(closed);
    assert_eq!(stretches(&records.begin(2, 20_000).1), []);
}

/// Of a file whose later rows go back in time, the last of all that were refused once ended what had begun before the first of them.
#[test]
fn what_a_full_journal_refuses_ends_a_condition_at_the_first_of_it() {
    for out_of_order_first in [false, true] {
        let (mut life, _) = Records::default().begin(1, 0);
        life.observe(told(START - 900, Condition::Standby)).unwrap();
        let mut refused = vec![told(START - 600, Condition::Productive), told(START - 3_000, Condition::Standby)];
        if out_of_order_first {
            refused.rotate_left(1);
        }
        for observation in &refused {
            life.refuse(observation, Timestamp::from_seconds(START));
        }
        let mut written = life.turn(reading(1));
        refused.retain(|observation| observation.stated.unwrap().at.second() > START - 900);
        written.extend(life.observe(refused.remove(0)).unwrap());
        written.extend(life.observe(told(START - 300, Condition::Standby)).unwrap());
        assert_eq!(
            stretches(&written),
            [(-900, -800), (-800, -600), (-600, -300)],
            "cut on the hour; {out_of_order_first}"
        );
    }
}

#[test]
fn what_only_the_agent_may_say_is_refused() {
    let (mut recorder, _) = Records::default().begin(1, 0);
    let forged = Observation { seen: Seen::Event(Body::Opened { previous: None }), ..seen("ct-1", Condition::Standby) };
    assert!(matches!(recorder.observe(forged), Err(Refusal::NotForSources { .. })));
}

fn told(second: i64, condition: Condition) -> Observation {
    let stated = Some(Stated::at(Timestamp::from_seconds(second)));
    Observation { stated, ..seen("ct-1", condition) }
}

#[test]
fn a_row_of_the_future_is_refused_and_the_rows_after_it_are_taken() {
    let (mut life, _) = Records::default().begin(1, 0);
    life.observe(told(START - 3_600, Condition::Standby)).unwrap();
    let ahead = life.observe(told(START + 36 * 365 * 86_400, Condition::Productive));
    assert!(matches!(ahead, Err(Refusal::Ahead { .. })), "{ahead:?}");
    let written = life.observe(told(START - 1_800, Condition::Productive)).unwrap();
    assert_eq!(stretches(&written), [(-3_600, -1_800)]);
}

#[test]
fn a_time_without_a_calendar_date_never_reaches_the_journal() {
    let (mut life, _) = Records::default().begin(1, 0);
    for at in [Timestamp::MIN, Timestamp::from_seconds(-70_000_000_000), Timestamp::MAX] {
        let stated = Some(Stated::at(at));
        let refused = life.observe(Observation { stated, ..seen("ct-1", Condition::Standby) });
        assert!(matches!(refused, Err(Refusal::Unfit { .. } | Refusal::Ahead { .. })), "{at:?}: {refused:?}");
    }
}

#[test]
fn years_that_no_row_speaks_of_are_unknown_and_cost_nothing() {
    let (mut life, _) = Records::default().begin(1, 0);
    life.observe(told(0, Condition::Standby)).unwrap();
    let written = life.observe(told(START - 60, Condition::Standby)).unwrap();
    assert_eq!(stretches(&written), []);
    assert_eq!(written.len(), 1, "it is seen to begin anew");
    let written = life.observe(told(START, Condition::Productive)).unwrap();
    assert_eq!(stretches(&written), [(-60, 0)]);
}

#[test]
fn a_checkpoint_of_many_records_is_taken_whole_or_not_at_all() {
    let mut records = Records::default();
    let (mut recorder, _) = records.begin(1, 0);
    for number in 0..40 {
        records.take(recorder.observe(seen(&format!("ct-{number}"), Condition::Productive)).unwrap());
    }
    records.take(recorder.turn(reading(100)));
    let before = records.recovered();
    let parts = Checkpoint::new(7, recorder.now(), recorder.marks(), recorder.open()).encode(1_000).unwrap();
    assert!(parts.len() > 5 && parts.iter().all(|part| part.len() <= 1_000));
    let first_part = records.0.len() as u64;
    for kept in 0..=parts.len() {
        let mut torn = Records([&records.0[..], &parts[..kept]].concat());
        let recovered = torn.recovered();
        assert_eq!((&recovered.marks, &recovered.open), (&before.marks, &before.open), "{kept} parts");
        let is_whole = kept == parts.len();
        assert_eq!(recovered.freed_below, if is_whole { 7 } else { 0 });
        assert_eq!(recovered.checkpoint_at == Some(first_part), is_whole);
        // The next life writes its own, whatever was left of this one.
        torn.0.extend(parts.clone());
        assert_eq!(torn.recovered().freed_below, 7);
    }
}

/// A checkpoint is no fact, and stands for those that are gone. Earlier programs wrote it without their number.
#[test]
fn what_was_accepted_is_counted_from_the_beginning_and_what_waits_from_what_is_left() {
    let mut records = Records::default();
    let (mut recorder, _) = records.begin(1, 0);
    records.take(recorder.observe(seen("ct-1", Condition::Standby)).unwrap());
    let counted = |records: &Records| {
        let recovered = records.recovered();
        (recovered.accepted_facts, recovered.waiting_facts(records.0.len() as u64))
    };
    assert_eq!(counted(&records), (2, 2));
    let checkpoint = Checkpoint::new(2, recorder.now(), recorder.marks(), recorder.open());
    records.0.extend(checkpoint.with_accepted(700).encode(1 << 20).unwrap());
    records.take(recorder.observe(seen("ct-2", Condition::Standby)).unwrap());
    assert_eq!(counted(&records), (702, 3), "one before the checkpoint has no receipt, nor those after it");
}

/// The journal is asked for room before anything is said.
#[test]
fn nothing_takes_more_of_the_journal_than_was_asked_for() {
    let site = SiteId::new("st-mary").unwrap();
    let in_journal = |written: &[Written]| -> u64 {
        let bytes = |each: &Written| encode_fact(each.clone(), &site).len() + medfleet_journal::RECORD_HEADER_BYTES;
        written.iter().map(bytes).sum::<usize>() as u64
    };
    let (mut recorder, _) = Records::default().begin(1, 0);
    let (long, mut said) = ("x".repeat(96), 0);
    let steps =
        [(0, 0), (30, 30), (40_000, 40_000), (40_010, 4_000), (40_020, 40_020), (40_030, 80_000), (41_000, 80_970)];
    for (steady, wall) in steps {
        let clock = Reading { steady: Steady(steady * MICROS_PER_SECOND), ..reading(wall) };
        // Hours that are cut have their own room, one after the other.
        let (bound, written) = (recorder.turn_bound_bytes(clock, &site), recorder.turn_within(clock, 0, || Some(FULL)));
        assert!(in_journal(&written) <= bound, "{bound} bytes at {steady} s: {written:?}");
        said += written.len();
        let told_at = |days: i64| Some(Stated::at(Timestamp::from_seconds(START + days * 86_400)));
        let observations = [
            seen("ct-1", if steady % 20 == 0 { Condition::Standby } else { Condition::Productive }),
            seen(&long, if steady % 20 == 0 { Condition::Productive } else { Condition::Standby }),
            Observation { stated: told_at(-300 + steady / 1_000), ..seen("told", Condition::Standby) },
            Observation {
                seen: Seen::Event(Body::Unbound(medfleet_domain::human::Binding { place: "p".repeat(9_000) })),
                ..seen("ct-3", Condition::Standby)
            },
            Observation { seen: Seen::Lost, ..seen("ct-1", Condition::Standby) },
        ];
        for observation in observations {
            let bound = recorder.observe_bound_bytes(&observation, &site);
            let Ok(written) = recorder.observe(observation.clone()) else { continue };
            assert!(in_journal(&written) <= bound, "{bound} bytes for {observation:?}: {written:?}");
            said += written.len();
        }
    }
    assert!(said > 1_000, "{said} facts");
}
