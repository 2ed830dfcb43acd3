//! Golden cases of the desk. Case 2: a device fails and its agent falls silent; how that is worded is shown in
//! `services/api/src/pages/now.rs`, here, that its alert stays. Case 18: one switch dies and 200 devices of a site are silent. That nobody counts it as downtime
//! is shown in `crates/kpi/tests/kpi/scores.rs`; here, that it is one incident.

use std::collections::BTreeMap;

use medfleet_alerts::desk::{Desk, Entry, Told};
use medfleet_alerts::rule::Rules;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::{Change, Step};
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, Fact, Source, Stretch};
use medfleet_domain::id::{AgentId, Cause, Epoch, Seq, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;

const DEVICES: i64 = 200;
const DEVICES_PER_AGENT: i64 = 10;
const MINUTE: i64 = 60;
const NINE: Timestamp = Timestamp::from_seconds(9 * 60 * MINUTE);

/// A site behind one switch, as its desk hears it.
struct Site {
    desk: Desk,
    offset: u64,
}

impl Site {
    fn new() -> Self {
        Self { desk: Desk::new(Rules::embedded().expect("sound")), offset: 0 }
    }

    fn entry(&mut self, at: Timestamp) -> Entry {
        self.offset += 1;
        Entry { cause: Cause { partition: 0, offset: self.offset }, at }
    }

    fn told(&mut self, subject: &Subject, agent: i64, at: Timestamp, body: Body) -> Vec<Step> {
        let source = Source { kind: SourceKind::Device, name: "test".into() };
        let fact = Fact { at, known_at: at, known_assumed: false, clock: Clock::Synchronised, source, body };
        let (site, agent) =
            (SiteId::new("st-mary").expect("a name"), AgentId::new(&format!("edge-{agent}")).expect("a name"));
        let (kind, seq) = (DeviceKind::Ct, Seq(self.offset + 1));
        let told = Told { subject, site: &site, kind, agent: Some(&agent), epoch: Epoch(1), seq, fact: &fact };
        let entry = self.entry(at);
        self.desk.admit(entry, told)
    }

    /// Every agent and every device is heard, the agents one after the other within some minutes.
    fn lives(&mut self, from: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        for agent in 0..DEVICES / DEVICES_PER_AGENT {
            steps.extend(self.agent_lives(agent, from.plus_seconds(agent * 15)));
        }
        steps
    }

    /// One agent and its devices are heard.
    fn agent_lives(&mut self, agent: i64, at: Timestamp) -> Vec<Step> {
        let mut steps = self.beat(agent, at);
        for number in agent * DEVICES_PER_AGENT..(agent + 1) * DEVICES_PER_AGENT {
            let device = Subject::new(SubjectKind::Device, &format!("ct-{number}")).expect("a name");
            let began = Body::Began { condition: Condition::Productive, degradation: Degradation::None };
            steps.extend(self.told(&device, agent, at, began));
        }
        steps
    }

    fn beat(&mut self, agent: i64, at: Timestamp) -> Vec<Step> {
        let edge = AgentId::new(&format!("edge-{agent}")).expect("a name");
        self.told(&Subject::agent(&edge), agent, at, Body::Heartbeat(None))
    }

    /// Agents alone are heard, and the desk listens.
    fn beats(&mut self, from: Timestamp, minutes: i64) -> Vec<Step> {
        let mut steps = Vec::new();
        for minute in 0..minutes {
            let now = from.plus_seconds(minute * MINUTE);
            for agent in 0..DEVICES / DEVICES_PER_AGENT {
                steps.extend(self.beat(agent, now));
            }
            steps.extend(self.listens(now, 1));
        }
        steps
    }

    fn listens(&mut self, from: Timestamp, minutes: i64) -> Vec<Step> {
        let mut steps = Vec::new();
        for minute in 0..minutes {
            let entry = self.entry(from.plus_seconds(minute * MINUTE));
            steps.extend(self.desk.tick(entry));
        }
        steps
    }

    /// What was raised, by rule and subject.
    fn raised(&self, steps: &[Step]) -> BTreeMap<String, usize> {
        let mut raised = BTreeMap::new();
        for step in steps.iter().filter(|step| matches!(step.change, Change::Raised { .. } | Change::Reopened { .. })) {
            let about = &self.desk.alert(step.alert).expect("it was raised").about;
            *raised.entry(format!("{} {}", about.rule, about.subject.name())).or_default() += 1;
        }
        raised
    }
}

#[test]
fn golden_02_the_alert_of_a_device_that_failed_and_fell_silent_stays_open() {
    let mut site = Site::new();
    let device = Subject::new(SubjectKind::Device, "ct-0").expect("a name");
    let heard =
        |site: &mut Site, minute: i64, body: Body| site.told(&device, 0, NINE.plus_seconds(minute * MINUTE), body);
    let began = |condition| Body::Began { condition, degradation: Degradation::None };
    let mut steps = heard(&mut site, 0, began(Condition::Standby));
    steps.extend(heard(&mut site, 60, began(Condition::UnscheduledDown)));
    let stretch = Stretch {
        until: NINE.plus_seconds(80 * MINUTE),
        condition: Condition::UnscheduledDown,
        degradation: Degradation::None,
    };
    steps.extend(heard(&mut site, 60, Body::Stretch(stretch)));
    // Silent from 10:20; it is noon.
    steps.extend(site.listens(NINE.plus_seconds(80 * MINUTE), 100));
    let failed = |site: &Site| {
        let of_device = |alert: &&Alert| alert.about.subject == device && &*alert.about.rule == "device-failed";
        site.desk.alerts().filter(of_device).map(Alert::is_open).collect::<Vec<_>>()
    };
    assert_eq!(site.raised(&steps).get("device-failed ct-0"), Some(&1));
    assert_eq!(failed(&site), [true], "nobody has seen it work");
    // Seen to work at two.
    heard(&mut site, 5 * 60, began(Condition::Standby));
    site.listens(NINE.plus_seconds(5 * 60 * MINUTE), 30);
    assert_eq!(failed(&site), [false]);
}

#[test]
fn golden_18_one_dead_switch_is_one_incident_of_its_site() {
    let mut site = Site::new();
    let mut steps = site.lives(NINE);
    // Idle devices say nothing; their agents live for 50 minutes more.
    steps.extend(site.beats(NINE.plus_seconds(5 * MINUTE), 50));
    // The switch dies; nobody comes before the next morning.
    steps.extend(site.listens(NINE.plus_seconds(55 * MINUTE), 24 * 60));
    assert_eq!(site.raised(&steps), BTreeMap::from([("site-silent st-mary".to_owned(), 1)]));
    assert_eq!(site.desk.alerts().filter(|alert| alert.is_open()).count(), 1);
    // The switch lives again, and one agent after the other comes back, with its devices.
    let back = NINE.plus_seconds((24 * 60 + 56) * MINUTE);
    let mut after = Vec::new();
    for agent in 0..DEVICES / DEVICES_PER_AGENT {
        let at = back.plus_seconds(agent * MINUTE);
        after.extend(site.agent_lives(agent, at));
        after.extend(site.listens(at.plus_seconds(1), 1));
    }
    after.extend(site.beats(back.plus_seconds(20 * MINUTE), 5));
    assert_eq!(site.raised(&after), BTreeMap::new(), "nothing new is raised");
    assert_eq!(site.desk.alerts().filter(|alert| alert.is_open()).count(), 0);
}

#[test]
fn one_agent_that_dies_is_one_incident_whatever_its_devices_said_last() {
    let mut site = Site::new();
    let mut steps = site.lives(NINE);
    steps.extend(site.beats(NINE.plus_seconds(5 * MINUTE), 50));
    let dead = NINE.plus_seconds(55 * MINUTE);
    for minute in 0..10 * 60 {
        let now = dead.plus_seconds(minute * MINUTE);
        for agent in 1..DEVICES / DEVICES_PER_AGENT {
            steps.extend(site.agent_lives(agent, now));
        }
        steps.extend(site.listens(now, 1));
    }
    assert_eq!(site.raised(&steps), BTreeMap::from([("agent-silent edge-0".to_owned(), 1)]));
    // One that stays away when the site has come back is told of in its own time.
    let mut after = Vec::new();
    after.extend(site.listens(dead.plus_seconds(600 * MINUTE), 60));
    let back = dead.plus_seconds(660 * MINUTE);
    for minute in 0..60 {
        for agent in 2..DEVICES / DEVICES_PER_AGENT {
            after.extend(site.agent_lives(agent, back.plus_seconds(minute * MINUTE)));
        }
        after.extend(site.listens(back.plus_seconds(minute * MINUTE), 1));
    }
    let raised = site.raised(&after);
    assert_eq!(raised.get("site-silent st-mary"), Some(&1));
    assert_eq!(raised.get("agent-silent edge-1"), Some(&1), "silent by itself for long enough");
    assert_eq!(raised.keys().filter(|name| name.starts_with("device-silent")).count(), 0);
}
