//! An agent that is asked to end has seen its devices up to that moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use medfleet_agent::Clocks;
use medfleet_agent::clock::{Reading, Steady};
use medfleet_domain::condition::Condition;
use medfleet_domain::fact::Body;
use medfleet_domain::time::{Day, MICROS_PER_SECOND};

use crate::given::{SMALL, end, in_condition, spooled, start_by};

/// Seconds since a noon, as the test sets them.
#[derive(Default)]
struct Hands(AtomicI64);

impl Clocks for Hands {
    fn read(&self) -> Reading {
        let since = self.0.load(Ordering::SeqCst) * MICROS_PER_SECOND;
        let wall = Day::from_civil(2026, 6, 1).start().plus_micros(12 * 3_600 * MICROS_PER_SECOND + since);
        Reading { wall, steady: Steady(since), synchronised: None }
    }
}

/// It once ended with the sign of life of its last turn, up to a second earlier: of an observation just before, nothing was said.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_life_says_what_was_seen_up_to_the_goodbye() {
    let (folder, hands) = (tempfile::tempdir().unwrap(), Arc::new(Hands::default()));
    let first = start_by(folder.path(), SMALL, Some(hands.clone())).await;
    let intake = first.0.intake().unwrap();
    intake.observe(in_condition("ct-1", Condition::Standby)).await.unwrap();
    // Nothing is called between this and the goodbye but the turns of the clock, and none has to come.
    hands.0.store(7, Ordering::SeqCst);
    drop(intake);
    end(first).await;

    end(start_by(folder.path(), SMALL, Some(hands)).await).await;
    let stretches = spooled(folder.path(), SMALL).into_iter().filter_map(|each| match each.fact.fact.body {
        Body::Stretch(stretch) => Some((stretch.until.0 - each.fact.fact.at.0) / MICROS_PER_SECOND),
        _ => None,
    });
    assert_eq!(stretches.collect::<Vec<_>>(), [7]);
}
