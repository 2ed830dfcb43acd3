//! Random histories against a model, with a crash at every write and sync: what was acknowledged is there, in order and
//! intact, and nothing is there that was not submitted.

#[path = "model/world.rs"]
mod world;

use proptest::prelude::*;
use world::{History, Op, Syncs};

fn op() -> impl Strategy<Value = Op> {
    let sizes = prop::collection::vec(prop_oneof![4 => 0..400usize, 1 => 3_000..9_000usize], 1..8);
    prop_oneof![
        8 => sizes.clone().prop_map(|sizes| Op::Append { sizes }),
        2 => (sizes, any::<bool>()).prop_map(|(sizes, power_fails)| Op::AppendWithFailingSync { sizes, power_fails }),
        2 => (0..=1_000u64, 1..6_000usize).prop_map(|(permille, max_bytes)| Op::Read { permille, max_bytes }),
        3 => (0..=1_000u64).prop_map(|permille| Op::Truncate { permille }),
        1 => Just(Op::Reopen),
        1 => Just(Op::ReopenWithFailingSync),
        1 => Just(Op::Kill),
        1 => Just(Op::CutPower),
    ]
}

/// Runs the history whole, then once for each of its steps with a crash there and a second one while recovering.
fn check_with_every_crash(history: &History) -> Result<(), String> {
    let steps = history.run(None)?;
    for step in 0..steps {
        history.run(Some(step)).map_err(|violation| format!("crash at step {step} of {steps}: {violation}"))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_acknowledged_record_survives_every_crash(ops in prop::collection::vec(op(), 1..14), seed in any::<u64>()) {
        let history = History { ops, seed, syncs: Syncs::Kept };
        if let Err(violation) = check_with_every_crash(&history) {
            return Err(TestCaseError::fail(violation));
        }
    }
}

fn plain_appends(syncs: Syncs, seed: u64) -> History {
    let ops = (1..=8).map(|n| Op::Append { sizes: vec![700 * n, 40, 5_000 / n] }).collect();
    History { ops, seed, syncs }
}

#[test]
fn a_missing_sync_is_caught() {
    for seed in 0..20 {
        check_with_every_crash(&plain_appends(Syncs::Kept, seed)).expect("the journal keeps its promise");
        check_with_every_crash(&plain_appends(Syncs::Swallowed, seed))
            .expect_err("a journal that does not sync cannot keep its promise, and the model must see it");
    }
}

#[test]
fn a_batch_that_survived_a_failed_sync_in_memory_only_is_written_anew_before_it_is_trusted() {
    for seed in 0..200 {
        let ops = vec![
            Op::Append { sizes: vec![100, 200] },
            Op::AppendWithFailingSync { sizes: vec![5_000, 50, 4_000], power_fails: false },
            Op::Append { sizes: vec![10] },
            Op::CutPower,
            Op::Append { sizes: vec![300] },
        ];
        check_with_every_crash(&History { ops, seed, syncs: Syncs::Kept }).expect("the journal keeps its promise");
    }
}
