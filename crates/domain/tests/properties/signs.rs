//! Heartbeats in any order, repeated and in any records: the row is that of the newest by its own time, and ties are decided.

use proptest::prelude::*;
use proptest::sample::Index;

use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::entry::Row;
use medfleet_domain::fact::{Body, Fact, JournalState, Run, Sealed, Source};
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;

use crate::archive::{Archived, Book};
use crate::cases;

/// Second, accepted, waiting; or nothing said of the journal.
type Beat = (i64, Option<(u64, u64)>);

/// So few values that many happen at once and some say the same.
fn beats() -> impl Strategy<Value = Vec<Beat>> {
    let journal = prop::option::weighted(0.8, (0..4u64).prop_flat_map(|accepted| (Just(accepted), 0..=accepted)));
    prop::collection::vec((0..6i64, journal), 1..12)
}

/// In which order they come, and which come again.
fn told(count: usize) -> impl Strategy<Value = Vec<usize>> {
    let all: Vec<usize> = (0..count).collect();
    (Just(all).prop_shuffle(), prop::collection::vec(any::<Index>(), 0..6)).prop_map(|(mut order, again)| {
        let repeated: Vec<usize> = again.iter().map(|which| order[which.index(order.len())]).collect();
        order.extend(repeated);
        order
    })
}

fn state((accepted_facts, waiting_facts): (u64, u64)) -> JournalState {
    JournalState { accepted_facts, waiting_facts, used_bytes: 64, capacity_bytes: 128, oldest_known_at: None }
}

/// Each of a life of its own or, named otherwise, of another.
fn run_of(nth: usize, (second, journal): Beat, salt: u64) -> Run {
    let agent = AgentId::new("edge-1").expect("a good name");
    let at = Timestamp::from_seconds(1_800_000_000 + second);
    let body = Body::Heartbeat(journal.map(|journal| Box::new(state(journal))));
    let source = Source { kind: SourceKind::Device, name: "agent".into() };
    let fact = Fact { at, known_at: at, known_assumed: false, clock: Clock::Holdover, source, body };
    Run {
        subject: Subject::agent(&agent),
        epoch: Epoch::derived(&[&salt.to_le_bytes(), &(nth / 3).to_le_bytes()]),
        first_seq: Seq(nth as u64 % 3 + 1),
        site: SiteId::new("north").expect("a good name"),
        kind: DeviceKind::Other,
        agent: Some(agent),
        facts: vec![Sealed { bytes: format!("{fact:?}").into(), fact }],
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_newest_heartbeat_is_the_row_in_any_order(
        (said, order, salt) in beats().prop_flat_map(|said| {
            let count = said.len();
            (Just(said), told(count), any::<u64>())
        }),
        whims in prop::collection::vec(any::<bool>(), 1..5),
    ) {
        let (mut keeps, mut forgets) = (Book::default(), Book::forgetful(Archived::Committed));
        for (nth, whim) in order.iter().zip(whims.iter().cycle()) {
            let run = run_of(*nth, said[*nth], salt);
            prop_assert_eq!(keeps.admit(&run), forgets.admit(&run));
            if *whim {
                forgets.commit();
                forgets.restart();
            }
        }
        let newest = said.iter().max().expect("one at least");
        let rows: Vec<_> = keeps.net.iter().collect();
        let [(Row::Head(head), 1)] = rows[..] else { return Err(TestCaseError::fail(format!("{rows:?}"))) };
        prop_assert_eq!(head.from, Timestamp::from_seconds(1_800_000_000 + newest.0));
        prop_assert_eq!(head.journal.as_deref().copied(), newest.1.map(state));
        prop_assert_eq!(&keeps.net, &forgets.net);
    }
}
