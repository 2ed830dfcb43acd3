//! The judgement over any bytes: it never panics, every fact has one fate, and the sums balance (INV-4).

mod support;

use std::collections::BTreeSet;

use medfleet_domain::fact::Body;
use medfleet_domain::id::{AgentId, SiteId};
use medfleet_domain::time::Timestamp;
use medfleet_ingest::judge;
use medfleet_wire::{Batch, BatchTopic, FateKind, encode_batch};
use proptest::prelude::*;
use support::{fact, run, site};

const NOW: Timestamp = Timestamp::from_seconds(1_772_000_000);

fn topic() -> String {
    BatchTopic::new(site(), AgentId::new("edge-9").unwrap()).to_string()
}

fn payload(runs: &[(u8, u64)]) -> Vec<u8> {
    let mut next_seq = 1;
    let mut numbered = |(device, count): &(u8, u64)| {
        let facts = (0..*count).map(|_| fact(NOW, Body::Heartbeat(None))).collect();
        let numbered = run(&format!("ct-{device}"), next_seq, facts);
        next_seq += count;
        numbered
    };
    let runs = runs.iter().map(&mut numbered).collect();
    encode_batch(&Batch { agent: AgentId::new("edge-9").unwrap(), site: site(), session: 5, number: 1, runs })
}

fn known(sites: &[&str]) -> BTreeSet<SiteId> {
    sites.iter().map(|name| SiteId::new(name).unwrap()).collect()
}

proptest! {
    #[test]
    fn whatever_comes_the_sums_balance(
        runs in prop::collection::vec((0u8..4, 1u64..6), 0..6),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
        site_is_known in any::<bool>(),
    ) {
        let mut bytes = payload(&runs);
        for (place, value) in &damage {
            let place = place.index(bytes.len());
            bytes[place] = *value;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let sites = if site_is_known { known(&[support::SITE]) } else { known(&[]) };
        let judged = judge::batch(&topic(), &bytes.into(), &sites, NOW);
        prop_assert!(judged.tally.balances(), "{:?}", judged.tally);
        let appended: u64 = judged.append.iter().map(|admitted| admitted.run.seqs.count()).sum();
        prop_assert_eq!(judged.tally.appended, appended);
        prop_assert_eq!(judged.tally.quarantined > 0, !judged.quarantine.is_empty());
        // A receipt promises exactly what is appended: no fact is called stored that is not.
        let stored = judged.receipt.iter().flat_map(|receipt| &receipt.fates).filter(|fate| fate.kind == FateKind::Stored);
        let promised: u64 = stored.map(|fate| fate.seqs.count()).sum();
        prop_assert_eq!(promised, judged.tally.appended);
    }

    #[test]
    fn noise_is_quarantined_whole(noise in prop::collection::vec(any::<u8>(), 0..400), topic in "\\PC{0,60}") {
        let judged = judge::batch(&topic, &noise.clone().into(), &known(&[support::SITE]), NOW);
        prop_assert!(judged.append.is_empty() && judged.receipt.is_none());
        prop_assert_eq!(&judged.quarantine[0].payload, &noise);
        prop_assert!(judged.tally.balances());
    }
}

#[test]
fn an_unknown_site_holds_everything_and_quarantines_nothing() {
    let judged = judge::batch(&topic(), &payload(&[(1, 3), (2, 2)]).into(), &known(&[]), NOW);
    assert_eq!((judged.tally.held, judged.append.len(), judged.quarantine.len()), (5, 0, 0));
    let fates = judged.receipt.unwrap().fates;
    assert!(fates.iter().all(|fate| (fate.kind, fate.reason.as_str()) == (FateKind::Held, "unknown_site")));
}

#[test]
fn a_stretch_that_ends_in_the_future_is_implausible_though_it_began_in_time() {
    use medfleet_domain::condition::{Condition, Degradation};
    use medfleet_domain::fact::Stretch;
    let until = |seconds| {
        Body::Stretch(Stretch {
            until: NOW.plus_seconds(seconds),
            condition: Condition::Standby,
            degradation: Degradation::None,
        })
    };
    let facts = vec![fact(NOW, until(60)), fact(NOW, until(7_200))];
    let record = judge::run(run("ct-1", 1, facts), &known(&[support::SITE]), NOW).unwrap();
    assert_eq!(record.implausible.iter().map(|seq| seq.0).collect::<Vec<_>>(), [2]);
}
