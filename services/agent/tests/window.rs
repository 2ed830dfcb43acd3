//! Delivery under any order, loss and repetition of receipts: everything is receipted in the end, and nothing is freed without.

use std::collections::BTreeSet;

use medfleet_agent::clock::Steady;
use medfleet_agent::window::{BatchLimits, Claim, MAX_BATCHES_IN_FLIGHT, SentRun, Window};
use medfleet_domain::id::{DeviceId, Epoch, Seq, SeqRange, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::MICROS_PER_SECOND;
use medfleet_wire::{Fate, FateKind, Receipt};
use proptest::prelude::*;

const SESSION: u64 = 42;
const LIMITS: BatchLimits = BatchLimits { max_facts: 4, max_age_micros: 200_000 };

fn subject() -> Subject {
    Subject::device(&DeviceId::new("ct-1").unwrap())
}

/// The journal of the test: every seventh record is no fact, and index and seq are the same number.
fn is_fact(index: u64) -> bool {
    index % 7 != 6
}

fn runs(indices: std::ops::Range<u64>) -> Vec<SentRun> {
    let mut runs: Vec<SentRun> = Vec::new();
    for index in indices.filter(|index| is_fact(*index)) {
        match runs.last_mut() {
            Some(run) if run.first_seq.0 + run.indices.len() as u64 == index + 1 => run.indices.push(index),
            _ => runs.push(SentRun {
                subject: subject(),
                kind: DeviceKind::Ct,
                site: SiteId::new("st-mary").unwrap(),
                epoch: Epoch(1),
                first_seq: Seq(index + 1),
                indices: vec![index],
            }),
        }
    }
    runs
}

fn receipt(number: u64, runs: &[SentRun], kind: FateKind) -> Receipt {
    let seqs = |run: &SentRun| SeqRange {
        epoch: run.epoch,
        first: run.first_seq,
        last: Seq(run.first_seq.0 + run.indices.len() as u64 - 1),
    };
    let reason = if kind == FateKind::Stored { String::new() } else { "because".into() };
    let fate = |run: &SentRun| Fate { subject: run.subject.clone(), seqs: seqs(run), kind, reason: reason.clone() };
    Receipt { session: SESSION, number, fates: runs.iter().map(fate).collect() }
}

#[derive(Debug, Clone)]
enum Step {
    Append(u64),
    Link,
    Unlink,
    Send,
    /// The link takes no more.
    Refuse,
    /// A sent batch is answered so; the answer may come late or twice, because batches stay answerable.
    Answer(usize, FateKind),
    Stale(u64),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![6 => Just(FateKind::Stored), 1 => Just(FateKind::Held), 1 => Just(FateKind::Poison)];
    prop_oneof![
        4 => (1u64..9).prop_map(Step::Append),
        1 => Just(Step::Link),
        1 => Just(Step::Unlink),
        6 => Just(Step::Send),
        1 => Just(Step::Refuse),
        5 => (any::<usize>(), fate).prop_map(|(which, kind)| Step::Answer(which, kind)),
        1 => any::<u64>().prop_map(Step::Stale),
        3 => (1i64..100).prop_map(|seconds| Step::Wait(seconds * MICROS_PER_SECOND)),
    ]
}

struct World {
    window: Window,
    now: Steady,
    end: u64,
    /// Every batch ever sent, for late and repeated answers.
    sent: Vec<(u64, Vec<SentRun>)>,
    /// Indices that were answered as stored, or buried.
    answered: BTreeSet<u64>,
    linked: bool,
}

impl World {
    fn new() -> Self {
        let window = Window::new(SESSION, LIMITS, 0..0);
        Self { window, now: Steady(0), end: 0, sent: Vec::new(), answered: BTreeSet::new(), linked: false }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Append(count) => {
                self.end += count;
                self.window.appended(self.end, self.now);
            }
            Step::Link => {
                self.linked = true;
                self.window.linked(self.now);
            }
            Step::Unlink => {
                self.linked = false;
                self.window.unlinked();
            }
            Step::Send => {
                self.send();
            }
            Step::Refuse => {
                if let Some(claim) = self.window.next(self.now) {
                    self.window.unsent(claim.number, self.now);
                }
            }
            Step::Answer(which, kind) => self.answer(which, kind),
            Step::Stale(number) => {
                let other_life = Receipt { session: SESSION + 1, number, fates: Vec::new() };
                assert!(self.window.receipt(&other_life, self.now).stale);
            }
            Step::Wait(micros) => self.now = self.now.plus_micros(micros),
        }
    }

    fn send(&mut self) -> bool {
        let Some(Claim { number, indices, .. }) = self.window.next(self.now) else { return false };
        assert!(
            indices.start >= self.window.floor(),
            "the journal may have given up what a batch that goes again began with"
        );
        // A batch may be full before its claim ends.
        let covered = indices.start..indices.end.min(indices.start + 3);
        let runs = runs(covered.clone());
        self.sent.push((number, runs.clone()));
        self.window.sent(number, covered, runs, self.now);
        true
    }

    fn answer(&mut self, which: usize, kind: FateKind) {
        if self.sent.is_empty() {
            return;
        }
        let (number, runs) = self.sent[which % self.sent.len()].clone();
        let receipted = self.window.receipt(&receipt(number, &runs, kind), self.now);
        if receipted.stale {
            return;
        }
        if kind == FateKind::Stored {
            self.answered.extend(runs.iter().flat_map(|run| run.indices.clone()));
        }
        for grave in receipted.poisoned {
            self.answered.extend(&grave.indices);
            self.window.buried(&grave.indices);
        }
    }

    fn check(&self) {
        let missing = (0..self.window.floor()).find(|index| is_fact(*index) && !self.answered.contains(index));
        assert_eq!(missing, None, "freed without a receipt");
        assert!(self.window.batches_in_flight() <= MAX_BATCHES_IN_FLIGHT);
        assert_eq!(self.window.progress().settled_facts, self.answered.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn everything_is_receipted_in_the_end_and_nothing_is_freed_without(steps in prop::collection::vec(step(), 1..200)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check();
        }
        // The fault ends: the link holds, every batch is answered. A link that held all along gets no new session.
        if !world.linked {
            world.window.linked(world.now);
        }
        for _ in 0..10_000 {
            if world.window.floor() == world.end {
                break;
            }
            while world.send() {
                let newest = world.sent.len() - 1;
                world.answer(newest, FateKind::Stored);
                world.check();
            }
            if let Some(wake) = world.window.wake_at() {
                world.now = world.now.max(wake);
            }
        }
        prop_assert_eq!(world.window.floor(), world.end);
        prop_assert_eq!(world.window.unreceipted_facts(), 0);
        prop_assert_eq!(world.window.batches_in_flight(), 0);
    }
}

#[test]
fn backlog_goes_newest_first_and_leaves_room_for_live_facts() {
    let mut window = Window::new(SESSION, LIMITS, 0..1_000);
    window.linked(Steady(0));
    let mut claims = Vec::new();
    while let Some(claim) = window.next(Steady(0)) {
        window.sent(claim.number, claim.indices.clone(), runs(claim.indices.clone()), Steady(0));
        claims.push(claim.indices);
    }
    assert_eq!(claims[..2], [996..1_000, 992..996]);
    assert_eq!(claims.len(), MAX_BATCHES_IN_FLIGHT - medfleet_agent::window::BATCHES_KEPT_FOR_LIVE);
    window.appended(1_004, Steady(1));
    assert_eq!(window.next(Steady(1)).map(|claim| claim.indices), Some(1_000..1_004), "live facts pass the backlog");
}

#[test]
fn a_batch_goes_when_it_is_full_or_old() {
    let mut window = Window::new(SESSION, LIMITS, 0..0);
    window.linked(Steady(0));
    window.appended(3, Steady(10));
    assert_eq!(window.next(Steady(11)), None);
    assert_eq!(window.wake_at(), Some(Steady(200_010)));
    assert_eq!(window.next(Steady(200_010)).map(|claim| claim.indices), Some(0..3));
    window.appended(9, Steady(200_011));
    assert_eq!(window.next(Steady(200_012)).map(|claim| claim.indices), Some(3..7));
}

#[test]
fn without_a_receipt_a_batch_goes_again_after_thirty_seconds_then_sixty() {
    let mut window = Window::new(SESSION, LIMITS, 0..0);
    window.linked(Steady(0));
    window.appended(4, Steady(0));
    let mut at = 0;
    for wait in [0, 30, 60, 120] {
        at += wait * MICROS_PER_SECOND;
        assert!(wait == 0 || window.next(Steady(at - 1)).is_none());
        let claim = window.next(Steady(at)).unwrap_or_else(|| panic!("nothing after {wait} s"));
        assert_eq!((claim.number, claim.again), (1, wait > 0));
        window.sent(claim.number, claim.indices.clone(), runs(claim.indices), Steady(at));
    }
}

/// Each receipt once doubled the pause, so that eight held batches waited for ten minutes.
#[test]
fn what_is_held_is_tried_again_after_five_seconds_then_ten_however_many_batches_it_is() {
    let mut window = Window::new(SESSION, LIMITS, 0..32);
    window.linked(Steady(0));
    let mut at = 0;
    for wait in [5, 10, 20] {
        let mut sent = Vec::new();
        while let Some(claim) = window.next(Steady(at)) {
            let runs = runs(claim.indices.clone());
            window.sent(claim.number, claim.indices, runs.clone(), Steady(at));
            sent.push((claim.number, runs));
        }
        let facts: usize = sent.iter().flat_map(|(_, runs)| runs).map(|run| run.indices.len()).sum();
        assert!(facts == 28 && sent.len() >= 8, "all go together: {facts} facts in {} batches", sent.len());
        for (number, runs) in sent {
            window.receipt(&receipt(number, &runs, FateKind::Held), Steady(at));
        }
        at += wait * MICROS_PER_SECOND - 1;
        assert_eq!(window.next(Steady(at)), None, "before {wait} s have passed");
        at += 1;
        assert_eq!(window.wake_at(), Some(Steady(at)), "after {wait} s");
    }
}

#[test]
fn poison_is_freed_only_when_its_tombstone_is_durable() {
    let mut window = Window::new(SESSION, LIMITS, 0..0);
    window.linked(Steady(0));
    window.appended(4, Steady(0));
    let claim = window.next(Steady(0)).unwrap();
    let runs = runs(claim.indices.clone());
    window.sent(claim.number, claim.indices, runs.clone(), Steady(0));
    let mut fates = receipt(1, &runs, FateKind::Stored);
    fates.fates = vec![
        Fate { seqs: SeqRange { epoch: Epoch(1), first: Seq(1), last: Seq(1) }, ..fates.fates[0].clone() },
        Fate {
            seqs: SeqRange { epoch: Epoch(1), first: Seq(2), last: Seq(3) },
            kind: FateKind::Poison,
            reason: "bad".into(),
            subject: subject(),
        },
        Fate { seqs: SeqRange { epoch: Epoch(1), first: Seq(4), last: Seq(4) }, ..fates.fates[0].clone() },
    ];
    let receipted = window.receipt(&fates, Steady(1));
    assert_eq!((receipted.stored_facts, receipted.poisoned.len()), (2, 1));
    assert_eq!(receipted.poisoned[0].seqs, SeqRange { epoch: Epoch(1), first: Seq(2), last: Seq(3) });
    assert_eq!(window.floor(), 1);
    window.buried(&receipted.poisoned[0].indices);
    assert_eq!(window.floor(), 4);
}
