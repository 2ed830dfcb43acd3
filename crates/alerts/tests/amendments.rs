//! What people take back or correct: the desk is then as if it had never been said so, in whatever order it hears of it.

use std::collections::BTreeSet;

use medfleet_alerts::desk::{Desk, Entry, Told};
use medfleet_alerts::rule::Rules;
use medfleet_domain::alert::Step;
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Amendment, Body, Fact, Replacement, Source};
use medfleet_domain::human::{Asserted, Claimed, OrderClass, OrderPhase, Phase, Retirement};
use medfleet_domain::id::{AgentId, Cause, Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use proptest::prelude::*;

const NINE: Timestamp = Timestamp::from_seconds(9 * 3_600);

/// A fact of the only device: its number, the second after nine of which it tells, and what it says.
type Saying = (u64, i64, Body);

fn minute(minute: i64) -> Timestamp {
    NINE.plus_seconds(minute * 60)
}

/// The desk hears it at this moment.
fn hear(desk: &mut Desk, heard: Timestamp, (number, second, body): &Saying) -> Vec<Step> {
    let at = NINE.plus_seconds(*second);
    let source = Source { kind: SourceKind::Device, name: "test".into() };
    let fact =
        Fact { at, known_at: heard, known_assumed: false, clock: Clock::Synchronised, source, body: body.clone() };
    let (subject, site) =
        (Subject::new(SubjectKind::Device, "ct-1").expect("a name"), SiteId::new("st-mary").expect("a name"));
    let (agent, kind) = (AgentId::new("edge-1").expect("a name"), DeviceKind::Ct);
    let (epoch, seq) = (Epoch(1), Seq(*number));
    let told = Told { subject: &subject, site: &site, kind, agent: Some(&agent), epoch, seq, fact: &fact };
    desk.admit(entry(heard), told)
}

fn entry(at: Timestamp) -> Entry {
    Entry { cause: Cause { partition: 0, offset: at.0.unsigned_abs() }, at }
}

fn shows(condition: Condition) -> Body {
    Body::Began { condition, degradation: Degradation::None }
}

fn claims(claim: Claimed) -> Body {
    Body::Asserted(Asserted { claim, until: None, author: "kim".into(), reason: "seen".into(), order: None })
}

fn order(order: &str, phase: Phase) -> Body {
    let (cause, text) = (String::new(), String::new());
    let class = OrderClass::Corrective;
    Body::Order(OrderPhase { order: order.into(), class, phase, waiting_for: None, planned: None, cause, text })
}

fn amends(target: u64, replacement: Option<(i64, Body)>) -> Body {
    let replacement = replacement.map(|(second, body)| Replacement { at: NINE.plus_seconds(second), body });
    let target = SeqRange::one(Epoch(1), Seq(target));
    Body::Amended(Box::new(Amendment { target, replacement, author: "kim".into(), reason: "mistaken".into() }))
}

fn desk() -> Desk {
    Desk::new(Rules::embedded().expect("sound"))
}

fn names(steps: &[Step]) -> Vec<&'static str> {
    steps.iter().map(|step| step.change.name()).collect()
}

#[test]
fn a_failure_whose_beginning_is_corrected_goes_on_under_the_same_alert() {
    let mut desk = desk();
    hear(&mut desk, minute(0), &(1, 0, shows(Condition::UnscheduledDown)));
    assert_eq!(names(&desk.tick(entry(minute(2)))), ["raised"]);
    let corrected = amends(1, Some((-1_800, shows(Condition::UnscheduledDown))));
    assert_eq!(names(&hear(&mut desk, minute(5), &(9, 300, corrected))), Vec::<&str>::new());
    assert_eq!(names(&hear(&mut desk, minute(6), &(2, 360, shows(Condition::Standby)))), ["resolved"]);
}

#[test]
fn a_repair_that_should_not_have_been_said_leaves_the_device_failed() {
    let mut desk = desk();
    hear(&mut desk, minute(0), &(1, 0, claims(Claimed::Down)));
    desk.tick(entry(minute(2)));
    assert_eq!(names(&hear(&mut desk, minute(3), &(2, 180, claims(Claimed::Usable)))), ["resolved"]);
    hear(&mut desk, minute(4), &(3, 240, amends(2, None)));
    desk.tick(entry(minute(7)));
    assert_eq!(desk.alerts().filter(|alert| alert.is_open()).count(), 1, "{:?}", desk.alerts().collect::<Vec<_>>());
}

#[test]
fn of_a_failure_that_two_have_told_one_word_may_be_taken_back() {
    let mut desk = desk();
    hear(&mut desk, minute(0), &(1, 0, claims(Claimed::Down)));
    hear(&mut desk, minute(1), &(2, 60, shows(Condition::UnscheduledDown)));
    desk.tick(entry(minute(2)));
    assert_eq!(names(&hear(&mut desk, minute(3), &(3, 180, amends(1, None)))), Vec::<&str>::new());
    assert_eq!(names(&hear(&mut desk, minute(4), &(4, 240, amends(2, None)))), ["resolved"]);
}

/// Statements with a second of their own each, then what takes some of them back or corrects them.
fn sayings() -> impl Strategy<Value = Vec<Saying>> {
    let body = prop_oneof![
        3 => Just(shows(Condition::UnscheduledDown)),
        2 => Just(shows(Condition::Standby)),
        3 => Just(claims(Claimed::Down)),
        2 => Just(claims(Claimed::Usable)),
        1 => Just(order("wo-1", Phase::Opened)),
        1 => Just(order("wo-1", Phase::ReturnedToService)),
        1 => Just(order("wo-2", Phase::Opened)),
        1 => Just(Body::Retired(Retirement { reason: "sold".into() })),
    ];
    let amended = prop::collection::vec((1..=8_u64, prop::option::of((0..8_i64, body.clone()))), 0..4);
    (prop::collection::vec(body, 1..8), amended).prop_map(|(bodies, amended)| {
        let said = (1..).zip(bodies).map(|(number, body)| (number, number as i64 * 5, body));
        // Two corrections of one moment would depend on who is asked first.
        let amended = (20..).zip(amended).map(|(number, (target, new))| {
            let new = new.map(|(second, body)| (second * 5 + 1 + number as i64 % 4, body));
            (number, number as i64 * 100, amends(target, new))
        });
        said.chain(amended).collect()
    })
}

/// The problems that are open some minutes after all of it was heard, in this order.
fn open_after(sayings: &[Saying]) -> BTreeSet<String> {
    let mut desk = desk();
    for saying in sayings {
        // All of it within the minutes that a failure must last first. The latest said wins, not the latest heard.
        hear(&mut desk, minute(1).plus_seconds(saying.0 as i64), saying);
    }
    desk.tick(entry(minute(5)));
    let open = desk.alerts().filter(|alert| alert.is_open());
    open.map(|alert| format!("{} {}", alert.about.rule, alert.about.subject)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_order_in_which_statements_and_amendments_arrive_does_not_matter(
        (told, shuffled) in sayings().prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle()))
    ) {
        let targets: BTreeSet<u64> = told.iter().map(|(number, ..)| *number).collect();
        let known = |saying: &&Saying| match &saying.2 {
            Body::Amended(one) => targets.contains(&one.target.first.0),
            _ => true,
        };
        let told: Vec<Saying> = told.iter().filter(known).cloned().collect();
        let shuffled: Vec<Saying> = shuffled.iter().filter(known).cloned().collect();
        prop_assert_eq!(open_after(&told), open_after(&shuffled));
    }
}
