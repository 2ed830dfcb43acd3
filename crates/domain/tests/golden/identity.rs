//! Golden cases about identity: what is said twice counts once, and one name for two facts loses neither.

use medfleet_domain::dedup::EPOCHS_KEPT;
use medfleet_domain::fact::{Amendment, Body, Run};
use medfleet_domain::id::{Epoch, Seq, SeqRange};
use medfleet_domain::time::Day;

use crate::archive::Book;
use crate::given::{Device, P, S, TODAY, UD, Writer, at, run, sample, seal, stretch};

fn morning() -> Device {
    let mut device = Device::new();
    device.hears(S, "08:00", "09:00");
    device.hears(P, "09:00", "10:30");
    device.hears_from(Writer::Gateway, UD, "09:30", "10:00");
    device.reads("10:00", 1_000);
    device.reads("10:30", 1_010);
    device.hears(S, "+1 08:00", "+1 09:00");
    device
}

/// The facts of the agent in as few records as there can be, and then the others.
fn gathered(records: &[Run]) -> Vec<Run> {
    let mut gathered: Vec<Run> = Vec::new();
    for record in records {
        match gathered.iter_mut().find(|run| run.epoch == record.epoch) {
            Some(run) => run.facts.extend(record.facts.iter().cloned()),
            None => gathered.push(record.clone()),
        }
    }
    gathered
}

#[test]
fn golden_09_records_told_three_times_in_any_order_and_cut_give_the_same_sums() {
    let device = morning();
    let new = device.records.len() as u64;
    let same = |epoch: Epoch| epoch;
    let thrice = device.records.iter().chain(device.records.iter().rev()).chain(&device.records);
    let again = Device::retold(thrice, same);
    assert_eq!(again.view(), device.view());
    assert_eq!(again.verdicts(), [new, 2 * new, 0]);
    let cut_otherwise = gathered(&device.records);
    assert!(cut_otherwise.len() < device.records.len());
    assert_eq!(Device::retold(cut_otherwise.iter().rev(), same).view(), device.view());
}

#[test]
fn golden_09_an_identity_with_other_bytes_is_kept_flagged_and_folded() {
    let mut device = morning();
    let mut other = device.records[0].clone();
    other.facts[0].fact.at = at("07:00");
    other.facts[0] = seal(medfleet_domain::fact::Fact { body: stretch(P, at("08:00")), ..other.facts[0].fact.clone() });
    device.admit(other.clone());
    assert_eq!(device.verdicts()[2], 1);
    assert_eq!(device.view().seconds("07:00", "09:00").productive, 3_600, "folded like any fact");
    assert_eq!(device.view().seconds("07:00", "09:00").standby, 3_600, "the first keeps its place");
    let before = device.view();
    device.admit(other);
    assert_eq!((device.view(), device.verdicts()), (before, [device.records.len() as u64 - 2, 1, 1]));
}

#[test]
fn golden_09_equal_conflicts_under_two_epochs_are_two_facts() {
    let reads = |value| {
        Body::Usage(match sample(value, None) {
            Body::Usage(one) => one,
            _ => unreachable!("a sample is a usage body"),
        })
    };
    let error = |code: &str| {
        let mut fact = morning().records[0].facts[0].fact.clone();
        fact.body = reads(code.len() as i64);
        seal(fact)
    };
    let mut book = Book::default();
    for epoch in [Epoch(71), Epoch(72)] {
        for code in ["a", "bb"] {
            book.admit(&run(epoch, Seq(5), vec![error(code)]));
        }
    }
    assert_eq!(book.verdicts, [2, 0, 2], "neither conflict passes for a repeat of the other");
    assert_eq!(book.ledger.missing_facts(), 8, "a conflict's seq stands for no gap of its own");
}

#[test]
fn golden_09_a_life_long_forgotten_is_looked_up_before_it_is_judged() {
    let days = 2 * EPOCHS_KEPT as i32;
    let heard = |day: i32| {
        let mut fact = morning().records[0].facts[0].fact.clone();
        fact.at = Day(TODAY.0 + day).start();
        fact.body = stretch(S, fact.at.plus_seconds(3_600));
        run(Epoch(1_000 + day as u64), Seq(1), vec![seal(fact)])
    };
    let mut book = Book::default();
    for day in 0..days {
        book.admit(&heard(day));
        book.commit();
    }
    book.admit(&heard(0));
    assert_eq!(book.verdicts, [days as u64, 1, 0]);
    let amendment = Amendment {
        target: SeqRange::one(Epoch(1_001), Seq(1)),
        replacement: None,
        author: "lee".into(),
        reason: "wrong asset".into(),
    };
    let mut void = morning().records[0].facts[0].fact.clone();
    void.body = Body::Amended(Box::new(amendment));
    let entries = book.admit(&run(Epoch(7), Seq(1), vec![seal(void)]));
    let [taken_back] = &entries[..] else { panic!("one row: {entries:#?}") };
    assert_eq!(taken_back.weight, -1);
}
