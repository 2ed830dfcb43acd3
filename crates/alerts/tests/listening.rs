//! Silence is told from a desk that was away.

use medfleet_alerts::desk::{Desk, Entry, Told};
use medfleet_alerts::rule::Rules;
use medfleet_domain::alert::Step;
use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::fact::{Body, Fact, Source};
use medfleet_domain::id::{AgentId, Cause, Epoch, Seq, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;

const MINUTE: i64 = 60;

fn entry(at: Timestamp) -> Entry {
    Entry { cause: Cause { partition: 0, offset: at.0.unsigned_abs() }, at }
}

/// The only agent of its site is heard.
fn lives(desk: &mut Desk, at: Timestamp) -> Vec<Step> {
    let source = Source { kind: SourceKind::Device, name: "test".into() };
    let fact =
        Fact { at, known_at: at, known_assumed: false, clock: Clock::Synchronised, source, body: Body::Heartbeat };
    let agent = AgentId::new("edge-1").expect("a name");
    let (subject, site) = (Subject::agent(&agent), SiteId::new("st-mary").expect("a name"));
    let kind = DeviceKind::Other;
    let told = Told { subject: &subject, site: &site, kind, agent: None, epoch: Epoch(1), seq: Seq(1), fact: &fact };
    desk.admit(entry(at), told)
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
    assert_eq!(listen(&mut desk, back, 1), ["escalated"], "still open, and nobody has taken it");
    let heard: Vec<_> =
        lives(&mut desk, back.plus_seconds(MINUTE)).into_iter().map(|step| step.change.name()).collect();
    assert_eq!(heard, ["resolved"]);
}
