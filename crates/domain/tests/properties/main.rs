//! Properties of the ledger that hold for every history: one truth, whatever the order, batching and forgetting.

#[path = "../archive/mod.rs"]
mod archive;
mod binding;
mod history;
mod reference;
mod signs;
#[path = "../street/mod.rs"]
mod street;

use proptest::prelude::*;
use std::collections::BTreeMap;

use archive::{Archived, Book, Kinds};
use history::{Story, histories, shuffles};
use medfleet_domain::entry::{Entry, IntervalRow, Row};
use medfleet_domain::fact::Run;
use medfleet_domain::id::{Epoch, Seq};
use medfleet_domain::ledger::{Ledger, Passing};
use medfleet_domain::time::{MICROS_PER_HOUR, MICROS_PER_SECOND, Timestamp};

/// Cases of each property in the committed tests; `PROPTEST_CASES` asks for more.
const CASES: u32 = 400;

type Sums = BTreeMap<Row, i64>;

fn told(records: &[Run]) -> Book {
    let mut book = Book::default();
    for run in records {
        book.admit(run);
    }
    book
}

/// Sums without what an arrival order or a renaming may change: identities of usage and error rows.
fn nameless(sums: &Sums) -> Sums {
    let mut net = Sums::new();
    for (row, weight) in sums {
        *net.entry(without_identity(row.clone())).or_default() += weight;
    }
    net.retain(|_, weight| *weight != 0);
    net
}

fn without_identity(mut row: Row) -> Row {
    match &mut row {
        Row::Usage(usage) => (usage.epoch, usage.seq) = (Epoch(0), Seq(0)),
        Row::Error(error) => (error.epoch, error.seq) = (Epoch(0), Seq(0)),
        Row::Note(note) => (note.epoch, note.seq) = (Epoch(0), Seq(0)),
        _ => {}
    }
    row
}

/// Only what the reference fold makes: intervals, usage, errors and notes.
fn folded(sums: &Sums) -> Sums {
    let made = |row: &Row| matches!(row, Row::Interval(_) | Row::Usage(_) | Row::Error(_) | Row::Note(_));
    nameless(sums).into_iter().filter(|(row, _)| made(row)).collect()
}

fn intervals(sums: &Sums) -> Vec<&IntervalRow> {
    sums.keys().filter_map(|row| if let Row::Interval(one) = row { Some(one) } else { None }).collect()
}

fn no_second_twice(sums: &Sums) -> Result<(), TestCaseError> {
    let rows = intervals(sums);
    let mut known: BTreeMap<i64, i64> = BTreeMap::new();
    for pair in rows.windows(2) {
        prop_assert!(pair[0].span.until <= pair[1].span.from, "overlap: {pair:#?}");
    }
    for row in rows {
        prop_assert_eq!(row.span.from.day(), Timestamp(row.span.until.0 - 1).day(), "a row lies within one day");
        let mut at = row.span.from;
        while at < row.span.until {
            let until = at.next_hour().min(row.span.until);
            *known.entry(at.0.div_euclid(MICROS_PER_HOUR)).or_default() += until.0 - at.0;
            at = until;
        }
    }
    prop_assert!(known.values().all(|micros| *micros <= 3_600 * MICROS_PER_SECOND));
    Ok(())
}

fn takes_back_only_what_stands(standing: &mut Sums, entries: &[Entry]) -> Result<(), TestCaseError> {
    for entry in entries {
        let weight = standing.entry(entry.row.clone()).or_default();
        *weight += entry.weight;
        let single = matches!(entry.row, Row::Interval(_) | Row::Usage(_) | Row::Error(_));
        let fits = if single { (0..=1).contains(weight) } else { *weight >= 0 };
        prop_assert!(fits, "stands {weight} times after {entry:#?}");
    }
    Ok(())
}

fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(CASES), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn after_every_record_the_sums_are_what_a_fold_from_scratch_says(story in histories()) {
        let mut book = Book::default();
        let mut standing = Sums::new();
        for told in 1..=story.records.len() {
            let entries = book.admit(&story.records[told - 1]);
            takes_back_only_what_stands(&mut standing, &entries)?;
            no_second_twice(&book.net)?;
            let expected = nameless(&reference::rows(&story.records[..told]));
            prop_assert_eq!(folded(&book.net), expected, "after record {}", told);
        }
    }

    #[test]
    fn any_order_duplication_and_batching_gives_equal_sums((story, other) in shuffles()) {
        prop_assert_eq!(nameless(&told(&story.records).net), nameless(&told(&other.records).net));
    }

    #[test]
    fn renaming_every_epoch_changes_no_number(history in history::any_history(), salt in any::<u64>()) {
        let renamed = history.renamed(salt);
        let order: Vec<usize> = (0..history.facts.len()).collect();
        let (story, other) = (history.told(&order, &[]), renamed.told(&order, &[]));
        prop_assert_eq!(nameless(&told(&story.records).net), nameless(&told(&other.records).net));
    }

    #[test]
    fn forgetting_and_restarting_changes_no_byte(story in histories(), whims in prop::collection::vec(0..4u8, 1..9)) {
        let (mut keeps, mut forgets, mut wavers) = (Book::default(), Book::forgetful(Archived::Committed), Book::default());
        for (run, whim) in story.records.iter().zip(whims.iter().cycle()) {
            let entries = keeps.admit(run);
            prop_assert_eq!(&entries, &forgets.admit(run));
            prop_assert_eq!(&entries, &wavers.admit(run));
            forgets.commit();
            if whim & 1 == 1 {
                wavers.commit();
            }
            if whim & 2 == 2 {
                wavers.restart();
            }
        }
        prop_assert_eq!(keeps.verdicts, forgets.verdicts);
        let Kinds { days, epochs, digests, .. } = keeps.asked_for;
        prop_assert_eq!((days, epochs, digests), (0, 0, 0), "what was never committed is never asked for");
    }

    #[test]
    fn looking_ahead_changes_no_byte(story in histories(), whims in prop::collection::vec(0..16usize, 1..9)) {
        let (mut keeps, mut seer) = (Book::default(), Book::forgetful(Archived::Committed));
        for (at, whim) in (0..story.records.len()).zip(whims.iter().cycle()) {
            let ahead = (at + whim / 4).min(story.records.len());
            seer.look_ahead(&story.records[at..ahead]);
            prop_assert_eq!(&keeps.admit(&story.records[at]), &seer.admit(&story.records[at]));
            if whim & 1 == 1 {
                seer.commit();
            }
            if whim & 3 == 3 {
                seer.restart();
            }
        }
        prop_assert_eq!(keeps.verdicts, seer.verdicts);
    }

    #[test]
    fn an_archive_ahead_of_memory_changes_no_byte(story in histories(), whims in prop::collection::vec(0..4u8, 1..9)) {
        let (mut keeps, mut relapses) = (Book::default(), Book::forgetful(Archived::Everything));
        for (at, whim) in (0..story.records.len()).zip(whims.iter().cycle()) {
            prop_assert_eq!(&keeps.admit(&story.records[at]), &relapses.admit(&story.records[at]));
            if whim & 1 == 1 {
                relapses.commit();
            }
            if whim & 2 == 2 {
                relapses.look_ahead(&story.records[at..]);
            }
        }
    }

    #[test]
    fn what_a_ledger_passes_over_changes_no_other_row(
        story in histories(),
        (usage, errors) in any::<(bool, bool)>(),
        whims in prop::collection::vec(0..4u8, 1..9),
    ) {
        let mut keeps = Book::default();
        let mut passes = Book::forgetful(Archived::Everything);
        passes.ledger = Ledger::passing(Passing::over(usage, errors));
        let others = |entries: Vec<Entry>| {
            let is_other = |row: &Row| match row {
                Row::Usage(_) => !usage,
                Row::Error(_) => !errors,
                _ => true,
            };
            entries.into_iter().filter(|entry| is_other(&entry.row)).collect::<Vec<_>>()
        };
        for (run, whim) in story.records.iter().zip(whims.iter().cycle()) {
            let entries = keeps.admit(run);
            let passed = match whim & 2 {
                0 => passes.admit(run),
                _ => passes.admit_archived(run, &keeps.last_filed),
            };
            prop_assert_eq!(others(entries), others(passed));
            if whim & 1 == 1 {
                passes.commit();
            }
        }
    }

    #[test]
    fn records_told_again_from_the_archive_change_no_byte(story in histories(), whims in prop::collection::vec(0..2u8, 1..9)) {
        let (mut first, mut replay) = (Book::default(), Book::forgetful(Archived::Committed));
        for (run, whim) in story.records.iter().zip(whims.iter().cycle()) {
            let entries = first.admit(run);
            prop_assert_eq!(&entries, &replay.admit_archived(run, &first.last_filed));
            if whim & 1 == 1 {
                replay.commit();
                first.commit();
            }
        }
    }
}

/// The properties mean little if histories stay tame: this counts what they hold.
#[test]
fn histories_are_wild_enough_to_ask_the_archive_and_to_take_rows_back() {
    use proptest::strategy::{Strategy, ValueTree};
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut questions, mut taken_back, mut duplicates, mut conflicts) = (Kinds::default(), 0, 0, 0);
    for _ in 0..100 {
        let story: Story = histories().new_tree(&mut runner).expect("a history").current();
        let mut book = Book::forgetful(Archived::Committed);
        for run in &story.records {
            taken_back += book.admit(run).iter().filter(|entry| entry.weight < 0).count();
            book.commit();
        }
        questions += book.asked_for;
        duplicates += book.verdicts[1];
        conflicts += book.verdicts[2];
    }
    let Kinds { days, located, epochs, digests } = questions;
    assert!(days > 300 && epochs > 100, "asked for {days} days and {epochs} epochs");
    assert!(located > 50 && digests > 30, "asked for {located} amended ranges and {digests} ranges of digests");
    assert!(taken_back > 400, "{taken_back} rows taken back");
    assert!(duplicates > 50 && conflicts > 20, "{duplicates} duplicates, {conflicts} conflicts");
}
