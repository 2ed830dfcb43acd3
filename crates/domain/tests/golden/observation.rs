//! Golden cases about what devices and agents report: silence, precedence, contradiction, clocks, addresses.

use medfleet_domain::condition::Degradation;
use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::entry::{HeadRole, Reason, Row};
use medfleet_domain::fact::{Body, JournalState};
use medfleet_domain::human::{Claimed, OrderClass, OrderPhase, Phase};

use crate::given::{Device, E, P, S, Seconds, UD, Writer, at, stretch};

fn case_one() -> Device {
    let mut device = Device::new();
    device.hears(S, "09:00", "10:00");
    device.hears(S, "12:00", "13:00");
    device
}

#[test]
fn golden_01_an_agent_outage_is_not_device_downtime() {
    let seconds = case_one().view().seconds("09:00", "13:00");
    assert_eq!(seconds, Seconds { standby: 7_200, up: 7_200, silent: 7_200, ..Seconds::default() });
}

#[test]
fn golden_02_a_device_that_failed_and_fell_silent_is_unknown_after_its_last_word() {
    let mut device = Device::new();
    device.hears(S, "09:00", "10:00");
    device.says(Writer::Agent, "10:00", "10:00", Body::Began { condition: UD, degradation: Degradation::None });
    device.hears(UD, "10:00", "10:20");
    let at_noon = device.view();
    let [live] = at_noon.heads(HeadRole::Live)[..] else { panic!("one live head") };
    assert_eq!((live.condition, live.edge), (UD, at("10:20")), "failed when last heard at 10:20");
    device.hears(S, "14:00", "15:00");
    let seconds = device.view().seconds("09:00", "15:00");
    let expected = Seconds { standby: 7_200, up: 7_200, unscheduled_down: 1_200, silent: 13_200, ..Seconds::default() };
    assert_eq!(seconds, expected);
}

#[test]
fn golden_05_a_backlog_fills_the_gap_and_the_evening_before_keeps_its_answer() {
    let mut device = case_one();
    let evening_before = device.view();
    device.says(Writer::Agent, "10:00", "+1 08:00", stretch(S, at("11:00")));
    device.says(Writer::Agent, "11:00", "+1 08:00", stretch(S, at("12:00")));
    assert_eq!(device.view().seconds("09:00", "13:00").silent, 0);
    assert_eq!(evening_before.seconds("09:00", "13:00").silent, 7_200);
    assert!(device.last.iter().any(|entry| matches!(&entry.row, Row::Interval(row) if row.span.from == at("11:00"))));
}

#[test]
fn golden_06_a_source_of_higher_precedence_cuts_into_a_lower_one() {
    let mut device = Device::new();
    device.hears_from(Writer::Gateway, P, "10:00", "11:00");
    let interval_weights = |device: &Device| -> Vec<i64> {
        let intervals = device.last.iter().filter(|entry| matches!(entry.row, Row::Interval(_)));
        intervals.map(|entry| entry.weight).collect()
    };
    assert_eq!(interval_weights(&device), [1]);
    assert_eq!(device.view().seconds("10:00", "11:00").productive, 3_600);
    device.hears_from(Writer::Agent, E, "10:15", "10:45");
    assert_eq!(interval_weights(&device), [-1, 1, 1, 1]);
    let seconds = device.view().seconds("10:00", "11:00");
    assert_eq!((seconds.productive, seconds.engineering), (1_800, 1_800));
}

#[test]
fn golden_07_up_against_down_of_equal_precedence_is_a_contradiction() {
    let mut device = Device::new();
    device.hears_from(Writer::Gateway, S, "10:00", "11:00");
    device.hears_from(Writer::Server, UD, "10:30", "11:00");
    let view = device.view();
    let seconds = view.seconds("10:00", "11:00");
    assert_eq!((seconds.standby, seconds.doubtful, seconds.silent), (1_800, 1_800, 0));
    let reasons: Vec<Reason> = view.intervals().iter().map(|row| row.reason).collect();
    assert_eq!(reasons, [Reason::Reported, Reason::Contradiction]);
}

#[test]
fn golden_10_facts_of_a_clock_known_to_be_wrong_overwrite_nothing() {
    let mut device = Device::new();
    device.hears(S, "09:00", "10:00");
    let before = device.view();
    device.fact(Writer::Agent, "09:00", "10:30", Clock::Suspect, stretch(UD, at("09:30")));
    device.fact(Writer::Agent, "2000 09:00", "10:30", Clock::Suspect, stretch(UD, at("2000 09:30")));
    assert_eq!(device.view(), before, "kept, and never folded");
    device.hears(S, "10:30", "11:00");
    let seconds = device.view().seconds("09:00", "11:00");
    assert_eq!((seconds.standby, seconds.unscheduled_down, seconds.silent), (5_400, 0, 1_800));
}

#[test]
fn golden_10_a_correction_of_the_clock_voids_all_since_the_last_agreement() {
    let mut device = Device::new();
    device.hears(S, "07:00", "08:00");
    let wrong = device.hears(P, "08:00", "10:00");
    let began = Body::Began { condition: P, degradation: Degradation::None };
    let sign = device.says(Writer::Agent, "10:00", "10:00", began);
    let suspect = Some(medfleet_domain::id::SeqRange { last: sign.last, ..wrong });
    let step = Body::ClockStep { step_micros: -3_600_000_000, last_agreement: Some(at("08:00")), suspect };
    device.says(Writer::Agent, "10:00", "10:00", step);
    let view = device.view();
    let seconds = view.seconds("07:00", "10:00");
    assert_eq!((seconds.standby, seconds.productive, seconds.silent), (3_600, 0, 7_200));
    let [live] = view.heads(HeadRole::Live)[..] else { panic!("one live head") };
    assert_eq!((live.condition, live.edge), (S, at("08:00")), "the edge recedes, and what began is forgotten");
}

#[test]
fn golden_10_a_clock_step_across_midnight_voids_on_both_days() {
    let mut device = Device::new();
    device.hears(S, "22:00", "23:00");
    let wrong = device.hears(P, "23:00", "+1 01:00");
    device.hears(S, "+1 01:00", "+1 02:00");
    device.hears(S, "+5 01:00", "+5 02:00");
    let step = Body::ClockStep { step_micros: -3_600_000_000, last_agreement: None, suspect: Some(wrong) };
    device.says(Writer::Agent, "+5 02:00", "+5 02:00", step);
    let seconds = device.view().seconds("22:00", "+1 02:00");
    assert_eq!((seconds.standby, seconds.productive, seconds.silent), (7_200, 0, 7_200));
}

#[test]
fn golden_11_facts_of_an_address_count_for_the_device_it_names_and_never_end_a_claim() {
    let mut seven = Device::new();
    seven.hears(P, "09:00", "10:30");
    seven.claims("10:30", Claimed::Down, "10:30", None);
    seven.hears_from(Writer::Binder, S, "11:00", "12:00");
    let seconds = seven.view().seconds("10:30", "12:00");
    assert_eq!((seconds.unscheduled_down, seconds.conflict), (5_400, 3_600));
    assert_eq!(seven.view().head_seconds(UD, "14:00"), 7_200, "stays down");
    let mut nine = Device::new();
    nine.hears_from(Writer::Binder, S, "13:00", "14:00");
    let seconds = nine.view().seconds("11:00", "14:00");
    assert_eq!((seconds.standby, seconds.silent), (3_600, 7_200));
    let derived = nine.view().intervals().iter().all(|row| row.source == SourceKind::Derived);
    assert!(derived, "an address bears witness for a device");
}

#[test]
fn golden_16_an_order_alone_is_no_downtime() {
    let mut device = Device::new();
    let opened = OrderPhase {
        order: "wo-1".into(),
        class: OrderClass::Corrective,
        phase: Phase::Opened,
        waiting_for: None,
        planned: None,
        cause: String::new(),
        text: "noisy gantry".into(),
    };
    device.says(Writer::Person, "09:30", "09:30", Body::Order(opened));
    assert!(device.last.iter().all(|entry| matches!(entry.row, Row::Note(_))), "an order is noted and changes no time");
    device.hears(P, "09:00", "11:00");
    let seconds = device.view().seconds("09:00", "11:00");
    assert_eq!((seconds.productive, seconds.unscheduled_down), (7_200, 0));
}

#[test]
fn golden_17_a_device_never_heard_has_no_rows_beside_one_heard_all_day() {
    let mut heard = Device::new();
    heard.hears(S, "00:00", "+1 00:00");
    let silent = Device::new();
    let covered = |device: &Device| 86_400 - device.view().seconds("00:00", "+1 00:00").silent;
    assert_eq!((covered(&heard), covered(&silent)), (86_400, 0), "coverage of the pair is one half");
}

/// The newest by its own time, whenever it came; of two of one moment, the one that counted more.
#[test]
fn the_newest_sign_of_life_says_what_the_journal_held_in_any_order_and_however_often() {
    let held = |accepted_facts, waiting_facts| JournalState {
        accepted_facts,
        waiting_facts,
        used_bytes: 1_000,
        capacity_bytes: 9_000,
        oldest_known_at: Some(at("09:59")),
    };
    let said = [
        ("10:00", Some(held(7, 0))),
        ("10:30", Some(held(40, 30))),
        ("10:30", Some(held(41, 2))),
        ("10:29", Some(held(900, 900))),
        ("09:00", None),
    ];
    let mut told = Device::new();
    for (happened, journal) in said {
        told.says(Writer::Agent, happened, "11:00", Body::Heartbeat(journal.map(Box::new)));
    }
    let last = |device: &Device| {
        let view = device.view();
        let [agent] = view.heads(HeadRole::Agent)[..] else { panic!("one head of an agent") };
        (agent.from, agent.journal.as_deref().copied())
    };
    for turned in 0..said.len() {
        let mut order = told.records.clone();
        order.rotate_left(turned);
        let back: Vec<_> = order.iter().rev().cloned().collect();
        for twice in [order.iter().chain(&back), back.iter().chain(&order)] {
            assert_eq!(last(&Device::retold(twice, |epoch| epoch)), (at("10:30"), Some(held(41, 2))));
        }
    }
    told.says(Writer::Agent, "10:45", "11:00", Body::Heartbeat(None));
    assert_eq!(last(&told), (at("10:45"), None), "what was said before is not said again");
}
