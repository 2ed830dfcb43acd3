//! Silence is told from a desk that was away.

use medfleet_alerts::desk::{Desk, Entry, Told};
use medfleet_alerts::rule::Rules;
use medfleet_domain::alert::{Ending, Step, Wish};
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, Fact, Source};
use medfleet_domain::id::{AgentId, Cause, Epoch, Seq, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;

const MINUTE: i64 = 60;

fn entry(at: Timestamp) -> Entry {
    Entry { cause: Cause { partition: 0, offset: at.0.unsigned_abs() }, at }
}

/// The only agent of its site is heard.
fn lives(desk: &mut Desk, at: Timestamp) -> Vec<Step> {
    hears(desk, at, &Subject::agent(&edge("edge-1")), (at, Body::Heartbeat(None)))
}

fn edge(name: &str) -> AgentId {
    AgentId::new(name).expect("a name")
}

fn device() -> Subject {
    Subject::new(SubjectKind::Device, "ct-1").expect("a name")
}

fn shows(condition: Condition) -> Body {
    Body::Began { condition, degradation: Degradation::None }
}

/// What a subject behind `edge-1` says of a moment reaches the log.
fn hears(desk: &mut Desk, heard: Timestamp, subject: &Subject, (at, body): (Timestamp, Body)) -> Vec<Step> {
    let source = Source { kind: SourceKind::Device, name: "test".into() };
    let fact = Fact { at, known_at: at, known_assumed: false, clock: Clock::Synchronised, source, body };
    let (site, agent) = (SiteId::new("st-mary").expect("a name"), edge("edge-1"));
    let (kind, epoch, seq) = (DeviceKind::Ct, Epoch(1), Seq(at.0.unsigned_abs()));
    desk.admit(entry(heard), Told { subject, site: &site, kind, agent: Some(&agent), epoch, seq, fact: &fact })
}

/// The clock is told every minute for so long.
fn listen(desk: &mut Desk, from: Timestamp, minutes: i64) -> Vec<&'static str> {
    let ticks = (0..minutes).flat_map(|minute| desk.tick(entry(from.plus_seconds(minute * MINUTE))));
    ticks.map(|step| step.change.name()).collect()
}

#[test]
fn a_desk_that_was_away_for_a_day_takes_no_site_for_silent_before_it_has_listened() {
    let mut desk = Desk::new(Rules::embedded().expect("sound"));
    let start = Timestamp::from_seconds(1_000_000);
    lives(&mut desk, start);
    assert_eq!(listen(&mut desk, start, 10), Vec::<&str>::new());
    let back = start.plus_seconds(24 * 60 * MINUTE);
    assert_eq!(listen(&mut desk, back, 10), Vec::<&str>::new(), "nobody knows yet");
    assert_eq!(
        listen(&mut desk, back.plus_seconds(10 * MINUTE), 10),
        ["raised"],
        "now it has listened and heard nothing"
    );
}

#[test]
fn what_was_silent_before_the_desk_was_away_ends_when_it_is_heard_and_not_before() {
    let mut desk = Desk::new(Rules::embedded().expect("sound"));
    let start = Timestamp::from_seconds(1_000_000);
    lives(&mut desk, start);
    assert_eq!(listen(&mut desk, start, 25), ["raised"]);
    let back = start.plus_seconds(24 * 60 * MINUTE);
    assert_eq!(listen(&mut desk, back, 1), Vec::<&str>::new(), "nobody could take it while the desk was away");
    let heard: Vec<_> =
        lives(&mut desk, back.plus_seconds(MINUTE)).into_iter().map(|step| step.change.name()).collect();
    assert_eq!(heard, ["resolved"]);
}

#[test]
fn after_a_sleep_levels_are_counted_from_its_end() {
    let mut desk = Desk::new(Rules::embedded().expect("sound"));
    let start = Timestamp::from_seconds(1_000_000);
    hears(&mut desk, start, &device(), (start, shows(Condition::UnscheduledDown)));
    assert_eq!(listen(&mut desk, start, 5), ["raised"]);
    let id = desk.alerts().next().expect("it was raised").id;
    let until = start.plus_seconds(120 * MINUTE);
    desk.ask(entry(start.plus_seconds(5 * MINUTE)), id, &Wish::Snooze { until }, "kim").expect("granted");
    assert_eq!(listen(&mut desk, start.plus_seconds(6 * MINUTE), 128), Vec::<&str>::new(), "it has just woken");
    assert_eq!(listen(&mut desk, start.plus_seconds(134 * MINUTE), 2), ["escalated"]);
    assert_eq!(listen(&mut desk, start.plus_seconds(136 * MINUTE), 28), Vec::<&str>::new(), "one level, not two");
    assert_eq!(listen(&mut desk, start.plus_seconds(164 * MINUTE), 2), ["escalated"]);
}

#[test]
fn levels_are_counted_from_when_a_late_alert_was_seen_to_go_on() {
    let mut desk = Desk::new(Rules::embedded().expect("sound"));
    let start = Timestamp::from_seconds(1_000_000);
    let heard = start.plus_seconds(120 * MINUTE);
    hears(&mut desk, heard, &device(), (start, shows(Condition::UnscheduledDown)));
    assert_eq!(listen(&mut desk, heard, 60), Vec::<&str>::new(), "late, and it is not heard");
    let seen = heard.plus_seconds(60 * MINUTE);
    hears(&mut desk, seen, &device(), (seen, Body::Heartbeat(None)));
    assert_eq!(listen(&mut desk, seen, 14), Vec::<&str>::new());
    assert_eq!(listen(&mut desk, seen.plus_seconds(14 * MINUTE), 2), ["escalated"]);
}

/// An agent that came back after a day once woke people with the first word of each stream, which says nothing of the device.
#[test]
fn a_stream_that_is_opened_does_not_make_yesterday_go_on() {
    let mut desk = Desk::new(Rules::embedded().expect("sound"));
    let start = Timestamp::from_seconds(1_000_000);
    let back = start.plus_seconds(24 * 60 * MINUTE);
    hears(&mut desk, back, &device(), (start, shows(Condition::UnscheduledDown)));
    let steps = hears(&mut desk, back, &device(), (back, Body::Opened { previous: None }));
    assert_eq!(steps, []);
    assert_eq!(listen(&mut desk, back, 60), Vec::<&str>::new(), "it has not been heard since");
    let later = back.plus_seconds(60 * MINUTE);
    let steps = hears(&mut desk, later, &device(), (later, shows(Condition::UnscheduledDown)));
    assert_eq!(steps.iter().map(|step| step.change.name()).collect::<Vec<_>>(), ["goes_on"]);
}

const SILENCE: &str = "rules:
  - { name: device-silent, when: device_silent, urgency: inbox, says: '{subject}', after_minutes: 10 }
  - { name: agent-silent, when: agent_silent, urgency: soon, says: '{subject}', after_minutes: 30 }
  - { name: site-silent, when: site_silent, urgency: page, says: '{subject}', after_minutes: 30 }
";

/// Minute by minute; these agents are heard in every one of them.
fn pass(desk: &mut Desk, start: Timestamp, minutes: std::ops::Range<i64>, heard: &[&str]) -> Vec<Step> {
    let mut steps = Vec::new();
    for minute in minutes {
        let now = start.plus_seconds(minute * MINUTE);
        for agent in heard {
            steps.extend(hears(desk, now, &Subject::agent(&edge(agent)), (now, Body::Heartbeat(None))));
        }
        steps.extend(desk.tick(entry(now)));
    }
    steps
}

#[test]
fn a_silent_device_whose_agent_falls_silent_too_becomes_part_of_the_agents_incident() {
    let mut desk = Desk::new(Rules::read(SILENCE).expect("sound"));
    let start = Timestamp::from_seconds(1_000_000);
    hears(&mut desk, start, &device(), (start, shows(Condition::Standby)));
    pass(&mut desk, start, 0..20, &["edge-1", "edge-2"]);
    pass(&mut desk, start, 20..60, &["edge-2"]);
    let of = |rule: &str| desk.alerts().find(|alert| alert.about.rule == rule).expect("it was raised");
    let (alone, incident) = (of("device-silent"), of("agent-silent"));
    assert!(incident.is_open());
    assert_eq!(alone.ended.as_ref().map(|(_, because)| because), Some(&Ending::PartOf(incident.id)));
}

#[test]
fn a_silent_site_whose_incident_was_closed_by_hand_still_speaks_for_its_agents() {
    let mut desk = Desk::new(Rules::read(SILENCE).expect("sound"));
    let start = Timestamp::from_seconds(1_000_000);
    pass(&mut desk, start, 0..1, &["edge-1", "edge-2"]);
    pass(&mut desk, start, 1..40, &[]);
    let id = desk.alerts().find(|alert| alert.about.rule == "site-silent").expect("it was raised").id;
    let wish = Wish::Resolve { reason: "the line is cut, they know".into() };
    desk.ask(entry(start.plus_seconds(40 * MINUTE)), id, &wish, "kim").expect("granted");
    assert_eq!(pass(&mut desk, start, 41..120, &[]), []);
    assert_eq!(pass(&mut desk, start, 120..130, &["edge-1", "edge-2"]), []);
    let again: Vec<_> = pass(&mut desk, start, 130..170, &[]).into_iter().map(|step| step.change.name()).collect();
    assert_eq!(again, ["reopened"]);
}

#[test]
fn what_the_log_held_for_hours_while_the_desk_was_away_wakes_nobody_unless_it_goes_on() {
    let mut desk = Desk::new(Rules::embedded().expect("sound"));
    let (two, eight) = (Timestamp::from_seconds(2 * 3_600), Timestamp::from_seconds(8 * 3_600));
    let other = Subject::new(SubjectKind::Device, "ct-2").expect("a name");
    desk.reads_at(eight);
    let over = two.plus_seconds(40 * MINUTE);
    hears(&mut desk, two, &device(), (two, shows(Condition::UnscheduledDown)));
    hears(&mut desk, two, &other, (two, shows(Condition::UnscheduledDown)));
    let ended: Vec<_> = hears(&mut desk, over, &device(), (over, shows(Condition::Standby)))
        .iter()
        .map(|one| one.change.name())
        .collect();
    assert_eq!(ended, ["raised", "resolved"], "it is in the inbox");
    assert_eq!(listen(&mut desk, eight, 1), ["raised"]);
    assert!(desk.alerts().all(|alert| alert.late && !alert.wants_attention(eight)));
    let now = eight.plus_seconds(2 * MINUTE);
    desk.reads_at(now);
    let on: Vec<_> =
        hears(&mut desk, now, &other, (now, Body::Heartbeat(None))).iter().map(|one| one.change.name()).collect();
    assert_eq!(on, ["goes_on"]);
}
