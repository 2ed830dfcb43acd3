//! What holds for every log: one incident per problem, lives in order, no sleep lost over the past, the same alerts from the same log.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_alerts::desk::{Desk, Entry, Told};
use medfleet_alerts::rule::Rules;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::record::Demotion;
use medfleet_domain::alert::{AlertId, Change, Finding, Step, Wish};
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Fact, Severity, Source};
use medfleet_domain::human::{Asserted, Claimed, OrderClass, OrderPhase, Phase};
use medfleet_domain::id::{AgentId, Cause, Epoch, Seq, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::risk::{Scored, View};
use medfleet_domain::time::Timestamp;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Happens {
    Says { device: u8, body: Body },
    Lives { agent: u8 },
    Tick,
    Asks { nth: usize, wish: Wish },
    Scores { device: u8, part: &'static str, ppm: u32 },
}

/// What happens, how many minutes after what came before, and how many minutes late it is heard.
type Story = Vec<(Happens, i64, i64)>;

fn critical(component: &str) -> Body {
    Body::Error(DeviceError {
        code: "E1".into(),
        family: "f".into(),
        severity: Severity::Critical,
        component: component.into(),
        cause_domain: "device".into(),
        text: String::new(),
    })
}

fn body() -> impl Strategy<Value = Body> {
    let shows = |condition| Body::Began { condition, degradation: Degradation::None };
    let order = |phase| {
        let (order, class, text) = ("wo".to_owned(), OrderClass::Corrective, String::new());
        Body::Order(OrderPhase { order, class, phase, waiting_for: None, planned: None, cause: String::new(), text })
    };
    let claim = |claim| {
        Body::Asserted(Asserted { claim, until: None, author: "kim".into(), reason: "seen".into(), order: None })
    };
    prop_oneof![
        3 => Just(shows(Condition::UnscheduledDown)),
        3 => Just(shows(Condition::Standby)),
        1 => Just(shows(Condition::ScheduledDown)),
        2 => Just(critical("tube")),
        1 => Just(critical("table")),
        1 => Just(claim(Claimed::Down)),
        1 => Just(claim(Claimed::Usable)),
        1 => Just(order(Phase::Opened)),
        1 => Just(order(Phase::ReturnedToService)),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        Just(Wish::Acknowledge),
        Just(Wish::Resolve { reason: "done".into() }),
        Just(Wish::Reopen),
        Just(Wish::Snooze { until: Timestamp::MAX }),
        Just(Wish::Judge { finding: Finding::NothingFound }),
    ]
}

fn story() -> impl Strategy<Value = Story> {
    let happens = prop_oneof![
        6 => (0..3_u8, body()).prop_map(|(device, body)| Happens::Says { device, body }),
        2 => (0..2_u8).prop_map(|agent| Happens::Lives { agent }),
        4 => Just(Happens::Tick),
        2 => (any::<usize>(), wish()).prop_map(|(nth, wish)| Happens::Asks { nth, wish }),
        3 => (0..3_u8, prop::sample::select(vec!["tube", "table"]), 0..=1_000_000_u32)
            .prop_map(|(device, part, ppm)| Happens::Scores { device, part, ppm }),
    ];
    let late = prop_oneof![4 => Just(0_i64), 1 => 0..600_i64];
    prop::collection::vec((happens, 0..90_i64, late), 1..120)
}

fn fact(at: Timestamp, body: Body) -> Fact {
    let source = Source { kind: SourceKind::Device, name: "test".into() };
    Fact { at, known_at: at, known_assumed: false, clock: Clock::Synchronised, source, body }
}

fn tell(desk: &mut Desk, entry: Entry, subject: Subject, fact: &Fact) -> Vec<Step> {
    let site = SiteId::new("st-mary").expect("a name");
    let agent = AgentId::new("edge-0").expect("a name");
    let (epoch, seq) = (Epoch(1), Seq(entry.cause.offset + 1));
    desk.admit(
        entry,
        Told { subject: &subject, site: &site, kind: DeviceKind::Ct, agent: Some(&agent), epoch, seq, fact },
    )
}

fn scored(part: &str, ppm: u32) -> Body {
    let view = |voice: &str, ppm| View { voice: voice.into(), ppm };
    Body::Scored(Box::new(Scored {
        run: "r".into(),
        model: "m".into(),
        horizon_hours: 168,
        risk_ppm: ppm,
        component: part.into(),
        component_ppm: ppm,
        voice: "trees".into(),
        grounds: Vec::new(),
        views: vec![view("rules", ppm / 2), view("trees", ppm)],
    }))
}

fn device(nth: u8) -> Subject {
    Subject::new(SubjectKind::Device, &format!("ct-{nth}")).expect("a name")
}

/// One thing happens, and this comes of it.
fn happen(desk: &mut Desk, offset: u64, now: Timestamp, (happens, _, late): &(Happens, i64, i64)) -> Vec<Step> {
    let entry = Entry { cause: Cause { partition: 0, offset }, at: now };
    let at = now.plus_seconds(-late * 60);
    match happens {
        Happens::Says { device: nth, body } => tell(desk, entry, device(*nth), &fact(at, body.clone())),
        Happens::Lives { agent } => {
            let subject = Subject::new(SubjectKind::Agent, &format!("edge-{agent}")).expect("a name");
            tell(desk, entry, subject, &fact(at, Body::Heartbeat(None)))
        }
        Happens::Tick => desk.tick(entry),
        Happens::Asks { nth, wish } => {
            let ids: Vec<AlertId> = desk.alerts().map(|alert| alert.id).collect();
            let asked = ids.get(nth % ids.len().max(1)).map(|id| desk.ask(entry, *id, wish, "kim"));
            asked.and_then(Result::ok).map(|granted| granted.steps).unwrap_or_default()
        }
        Happens::Scores { device: nth, part, ppm } => tell(desk, entry, device(*nth), &fact(at, scored(part, *ppm))),
    }
}

/// Everything that came of a story, and the desk as it stands. `each` sees the desk after every record.
fn play(story: &Story, mut each: impl FnMut(&Desk, &[Step], Timestamp)) -> (Desk, Vec<Step>) {
    let mut desk = Desk::new(Rules::embedded().expect("sound"));
    let (mut now, mut all) = (Timestamp::from_seconds(1_000_000), Vec::new());
    for (offset, step) in (0..).zip(story) {
        now = now.plus_seconds(step.1 * 60);
        let steps = happen(&mut desk, offset, now, step);
        each(&desk, &steps, now);
        all.extend(steps);
    }
    (desk, all)
}

fn problem(alert: &Alert) -> (&str, &Subject, &str) {
    (&alert.about.rule, &alert.about.subject, &alert.about.part)
}

/// A problem has one open alert at most, and what goes with a failure is part of it, unless the failure alone is told of the past.
fn one_incident_each(desk: &Desk) {
    let open: Vec<&Alert> = desk.alerts().filter(|alert| alert.is_open()).collect();
    let mut problems = BTreeSet::new();
    for alert in &open {
        assert!(problems.insert(problem(alert)), "two open alerts for {:?}", problem(alert));
    }
    for failure in open.iter().filter(|alert| alert.about.rule == "device-failed") {
        let beside = |alert: &&&Alert| {
            let goes_with_it = ["device-error", "at-risk"].contains(&alert.about.rule.as_str());
            goes_with_it && alert.about.subject == failure.about.subject && (alert.late || !failure.late)
        };
        assert_eq!(open.iter().find(beside), None, "beside {failure:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_problem_has_one_open_alert_at_most_and_a_failure_takes_what_goes_with_it(story in story()) {
        play(&story, |desk, _, _| one_incident_each(desk));
    }

    #[test]
    fn an_error_a_risk_and_a_failure_are_one_incident_in_whatever_order_they_are_heard(
        heard in Just(vec![(0_i64, 0_usize), (1, 1), (2, 2), (3, 3)]).prop_shuffle(), ticks in prop::collection::vec(any::<bool>(), 4)
    ) {
        let says = |nth: usize| match nth {
            0 => Happens::Says { device: 0, body: Body::Began { condition: Condition::UnscheduledDown, degradation: Degradation::None } },
            1 => Happens::Says { device: 0, body: critical("tube") },
            2 => Happens::Says { device: 0, body: critical("table") },
            _ => Happens::Scores { device: 0, part: "tube", ppm: 900_000 },
        };
        let mut story: Story = Vec::new();
        for ((_, nth), tick) in heard.into_iter().zip(ticks) {
            story.push((says(nth), 1, 0));
            story.extend(tick.then_some((Happens::Tick, 0, 0)));
        }
        story.push((Happens::Tick, 5, 0));
        let open = |desk: &Desk| desk.alerts().filter(|alert| alert.is_open()).map(|alert| alert.about.rule.clone()).collect::<Vec<_>>();
        prop_assert_eq!(open(&play(&story, |_, _, _| {}).0), ["device-failed"]);
        story.push((Happens::Says { device: 0, body: Body::Began { condition: Condition::Standby, degradation: Degradation::None } }, 5, 0));
        story.push((Happens::Tick, 1, 0));
        prop_assert_eq!(open(&play(&story, |_, _, _| {}).0), Vec::<String>::new());
    }

    #[test]
    fn the_same_log_gives_the_same_alerts(story in story()) {
        let (one, other) = (play(&story, |_, _, _| {}), play(&story, |_, _, _| {}));
        prop_assert_eq!(one.1, other.1);
        prop_assert!(one.0 == other.0);
    }

    #[test]
    fn the_steps_alone_tell_every_alert(story in story()) {
        let (desk, steps) = play(&story, |_, _, _| {});
        let mut told: BTreeMap<AlertId, Alert> = BTreeMap::new();
        for step in &steps {
            match told.get_mut(&step.alert) {
                Some(alert) => alert.evolve(&step.change, step.at),
                None => {
                    let alert = Alert::begin(step.alert, &step.change, step.at);
                    told.insert(step.alert, alert.expect("a life begins with `raised`"));
                }
            }
        }
        prop_assert_eq!(told.values().cloned().collect::<Vec<_>>(), desk.alerts().cloned().collect::<Vec<_>>());
    }

    #[test]
    fn a_desk_that_forgot_everything_goes_on_from_what_was_recorded(story in story(), cut in any::<prop::sample::Index>()) {
        let (before, after) = story.split_at(cut.index(story.len()));
        let (desk, _) = play(&before.to_vec(), |_, _, _| {});
        let recorded: BTreeMap<AlertId, Alert> = desk.alerts().map(|alert| (alert.id, alert.clone())).collect();
        // Of the past it is told the facts alone, as at a start without a memory: no tick, and no person.
        let mut again = Desk::new(Rules::embedded().expect("sound"));
        again.know_demotions(&desk.demotions().cloned().collect::<Vec<Demotion>>());
        let mut now = Timestamp::from_seconds(1_000_000);
        for (offset, step) in (0..).zip(before) {
            now = now.plus_seconds(step.1 * 60);
            if matches!(step.0, Happens::Says { .. } | Happens::Lives { .. } | Happens::Scores { .. }) {
                happen(&mut again, offset, now, step);
            }
        }
        again.reconcile(recorded.clone());
        prop_assert_eq!(again.alerts().cloned().collect::<Vec<_>>(), recorded.values().cloned().collect::<Vec<_>>());
        prop_assert_eq!(again.reconcile(recorded), 0);
        for (offset, step) in (before.len() as u64..).zip(after) {
            now = now.plus_seconds(step.1 * 60);
            for step in happen(&mut again, offset, now, step) {
                prop_assert!(again.alert(step.alert).is_some());
            }
            one_incident_each(&again);
        }
    }

    #[test]
    fn what_has_ended_is_silent_until_it_is_reopened(story in story()) {
        let mut ended: BTreeSet<AlertId> = BTreeSet::new();
        play(&story, |_, steps, _| {
            for step in steps {
                let quiet = !ended.contains(&step.alert);
                match step.change {
                    Change::Resolved { .. } => assert!(ended.insert(step.alert), "resolved twice"),
                    Change::Reopened { .. } => assert!(ended.remove(&step.alert), "reopened while open"),
                    Change::Judged { .. } | Change::CauseWithdrawn { .. } => {}
                    _ => assert!(quiet, "{} after the end", step.change.name()),
                }
            }
        });
    }

    #[test]
    fn nobody_is_woken_by_what_was_known_long_before_it_was_heard(story in story()) {
        // All is heard hours late, and nothing tells of the present.
        let late: Story = story.into_iter().map(|(happens, after, _)| (happens, after, 600)).collect();
        play(&late, |desk, _, now| {
            let told_late =
                |alert: &&Alert| ["device-failed", "device-error", "at-risk"].contains(&alert.about.rule.as_str());
            for alert in desk.alerts().filter(told_late) {
                assert!(!alert.wants_attention(now) || alert.reopened > 0, "{alert:?}");
            }
        });
    }
}

#[test]
fn ten_thousand_errors_of_one_storm_are_one_incident() {
    let story: Story =
        (0..10_000).map(|nth| (Happens::Says { device: 0, body: critical("slip_ring") }, nth % 2, 0)).collect();
    let (desk, steps) = play(&story, |_, _, _| {});
    assert_eq!((desk.alerts().count(), steps.len()), (1, 1));
}
