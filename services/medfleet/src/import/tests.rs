//! An import from file to runs, without a log: given rows, these facts and these rejects.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::condition::{Condition, SourceKind};
use medfleet_domain::fact::{Body, Fact, Run};
use medfleet_domain::human::Phase;
use medfleet_domain::time::MICROS_PER_SECOND;

use super::mapping::Mapping;
use super::plan::Plan;
use super::runs::{Import, RUN_MAX_FACTS};

pub const MAPPING: &str = include_str!("../../../../tests/fixtures/lanl/mapping.toml");
pub const HEADER: &str = "System,machine type,nodenumz,node prod,node decom,purpose,Prob Started,Prob Fixed,Down Time,\
    Facilities,Hardware,Human Error,Network,Undetermined,Software\n";
const DAY_SECONDS: i64 = 86_400;

/// A row of node `node`: its months, its times, its stated minutes.
fn row(node: &str, prod: &str, decom: &str, from: &str, until: &str, stated: &str) -> String {
    format!("7,smp,{node},{prod},{decom},compute,{from},{until},{stated},,CPU,,,,\n")
}

struct Told {
    runs: Vec<Run>,
    reasons: BTreeMap<(&'static str, &'static str), u64>,
    imported: u64,
    refused: u64,
}

fn import(rows: &[String]) -> Told {
    import_bytes(format!("{HEADER}{}", rows.concat()).as_bytes())
}

fn import_bytes(file: &[u8]) -> Told {
    let mapping = Mapping::read(MAPPING).unwrap();
    let mut plan = Plan::of(file, &mapping, Import::of(file, MAPPING)).unwrap();
    let mut runs = std::mem::take(&mut plan.sites);
    while let Some(window) = plan.next_window() {
        runs.extend(window);
    }
    let reasons = plan.rejects.counts().map(|(fate, reason, count)| ((fate, reason), count)).collect();
    Told { runs, reasons, imported: plan.rejects.imported, refused: plan.rejects.refused }
}

impl Told {
    fn of(&self, subject: &str) -> Vec<&Fact> {
        let runs = self.runs.iter().filter(|run| run.subject.name() == subject);
        runs.flat_map(|run| &run.facts).map(|sealed| &sealed.fact).collect()
    }

    fn seconds(&self, subject: &str, wanted: Condition, source: SourceKind) -> i64 {
        let seconds = |fact: &&Fact| match (&fact.body, fact.span()) {
            (Body::Stretch(stretch), Some(span)) if stretch.condition == wanted && fact.source.kind == source => {
                span.micros() / MICROS_PER_SECOND
            }
            _ => 0,
        };
        self.of(subject).iter().map(seconds).sum()
    }

    fn down_seconds(&self, subject: &str) -> i64 {
        self.seconds(subject, Condition::UnscheduledDown, SourceKind::Record)
    }

    fn assumed_seconds(&self, subject: &str) -> i64 {
        self.seconds(subject, Condition::Standby, SourceKind::Assumed)
    }

    fn phases(&self, subject: &str, wanted: Phase) -> usize {
        let is = |fact: &&&Fact| matches!(&fact.body, Body::Order(order) if order.phase == wanted);
        self.of(subject).iter().filter(is).count()
    }

    fn count(&self, fate: &'static str, reason: &'static str) -> u64 {
        self.reasons.get(&(fate, reason)).copied().unwrap_or(0)
    }
}

#[test]
fn up_and_down_add_up_to_the_service_and_no_day_is_told_twice() {
    let told = import(&[
        row("0", "3-Jan", "3-Feb", "1/10/2003 22:00", "1/12/2003 2:00", "1680"),
        row("0", "3-Jan", "3-Feb", "1/20/2003 8:00", "1/20/2003 9:00", "60"),
    ]);
    assert_eq!(told.down_seconds("lanl-7-0"), 29 * 3_600);
    assert_eq!(told.down_seconds("lanl-7-0") + told.assumed_seconds("lanl-7-0"), (31 + 28) * DAY_SECONDS);
    let mut spans: Vec<_> = told.of("lanl-7-0").iter().filter_map(|fact| fact.span()).collect();
    assert!(spans.is_sorted_by_key(|span| span.from), "facts come in the order of time");
    spans.sort_by_key(|span| span.from);
    assert!(spans.windows(2).all(|pair| pair[0].until <= pair[1].from), "stretches do not overlap");
    assert!(told.of("lanl-7-0").iter().any(|fact| matches!(fact.body, Body::Retired(_))));
}

#[test]
fn overlapping_repairs_are_one_downtime_and_two_orders() {
    let told = import(&[
        row("0", "3-Jan", "current", "1/10/2003 8:00", "1/10/2003 12:00", "240"),
        row("0", "3-Jan", "current", "1/10/2003 10:00", "1/10/2003 11:00", "60"),
        row("0", "3-Jan", "current", "1/10/2003 12:00", "1/10/2003 13:00", "60"),
    ]);
    assert_eq!(told.down_seconds("lanl-7-0"), 5 * 3_600);
    assert_eq!((told.phases("lanl-7-0", Phase::Opened), told.phases("lanl-7-0", Phase::ReturnedToService)), (3, 3));
    assert_eq!(told.count("imported", "united"), 2);
}

#[test]
fn a_repair_of_no_length_is_an_order_without_downtime() {
    let told = import(&[row("0", "3-Jan", "current", "1/10/2003 8:00", "1/10/2003 8:00", "0")]);
    assert_eq!((told.down_seconds("lanl-7-0"), told.phases("lanl-7-0", Phase::ReturnedToService)), (0, 1));
    assert_eq!(told.count("imported", "no_length"), 1);
}

#[test]
fn a_repair_over_a_change_of_clocks_takes_the_hours_that_passed() {
    let spring = import(&[row("0", "3-Jan", "current", "4/6/2003 1:00", "4/6/2003 4:00", "120")]);
    assert_eq!((spring.down_seconds("lanl-7-0"), spring.count("imported", "stated_disagrees")), (2 * 3_600, 0));
    let skipped = import(&[row("0", "3-Jan", "current", "4/6/2003 2:30", "4/6/2003 4:00", "30")]);
    assert_eq!((skipped.imported, skipped.count("refused", "skipped_hour")), (0, 1));
}

#[test]
fn rows_without_a_node_are_kept_apart_and_never_in_service() {
    let told = import(&[row("", "", "", "1/10/2003 8:00", "1/10/2003 9:00", "60")]);
    assert_eq!((told.down_seconds("lanl-7-unassigned"), told.assumed_seconds("lanl-7-unassigned")), (3_600, 0));
    assert_eq!(told.count("imported", "unassigned"), 1);
}

#[test]
fn before_tracking_begins_with_the_day_of_the_first_repair_and_current_ends_with_the_record() {
    let told = import(&[row("0", "before tracking", "current", "9/8/2005 8:00", "9/8/2005 9:00", "60")]);
    assert_eq!(told.assumed_seconds("lanl-7-0"), 2 * DAY_SECONDS - 3_600);
    assert_eq!(told.count("imported", "service_unknown"), 1);
    assert!(!told.of("lanl-7-0").iter().any(|fact| matches!(fact.body, Body::Retired(_))));
}

#[test]
fn every_row_is_imported_or_refused_with_a_reason() {
    let told = import(&[
        row("0", "3-Jan", "current", "1/10/2003 8:00", "1/10/2003 9:00", "61"),
        row("0", "3-Jan", "4-Jan", "1/11/2003 8:00", "1/11/2003 9:00", "60"),
        row("0", "3-Jan", "current", "1/10/2003 8:00", "1/10/2003 7:00", "60"),
        row("0", "3-Jan", "current", "10.1.2003", "1/10/2003 7:00", "60"),
        row("0", "Whenever", "current", "1/10/2003 8:00", "1/10/2003 9:00", "60"),
        row("a/b", "3-Jan", "current", "1/10/2003 8:00", "1/10/2003 9:00", "60"),
        row("0", "3-Jan", "current", "1/10/1903 8:00", "1/10/2003 9:00", "60"),
        row("0", "3-Jan", "current", "1/10/2003 8:00", "1/10/9999 9:00", "60"),
        row("0", "3-Jan", "current", "9/1/2005 8:00", "", ""),
        "7,too,few\n".to_owned(),
    ]);
    assert_eq!((told.imported, told.refused), (3, 7));
    let refused = ["ends_before_start", "time", "name", "outside_record", "cells"];
    assert_eq!(refused.map(|reason| told.count("refused", reason)), [1, 2, 1, 2, 1]);
    let noted = ["stated_disagrees", "says_otherwise", "no_end"];
    assert_eq!(noted.map(|reason| told.count("imported", reason)), [1, 1, 1]);
}

#[test]
fn seqs_are_contiguous_runs_are_small_and_the_same_file_says_the_same_again() {
    let rows = [row("0", "96-Nov", "current", "1/10/2003 8:00", "1/10/2003 9:00", "60")];
    let (told, again) = (import(&rows), import(&rows));
    assert_eq!(told.runs, again.runs);
    let mut next = BTreeMap::new();
    for run in &told.runs {
        assert!(run.facts.len() <= RUN_MAX_FACTS);
        let next = next.entry(&run.subject).or_insert(1);
        assert_eq!(run.first_seq.0, *next);
        *next += run.facts.len() as u64;
        for sealed in &run.facts {
            assert_eq!(medfleet_wire::accept(sealed.fact.clone()).unwrap().bytes, sealed.bytes);
        }
    }
    let others = import(&[rows[0].clone(), row("1", "3-Jan", "current", "1/10/2003 8:00", "1/10/2003 9:00", "60")]);
    let epochs = |told: &Told| told.runs.iter().map(|run| run.epoch).collect::<BTreeSet<_>>();
    assert!(epochs(&told).is_disjoint(&epochs(&others)), "another file is another import");
}

#[test]
fn hostile_bytes_are_refused_row_by_row_and_never_panic() {
    let mut state = 7_u64;
    let mut draw = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let good = row("0", "3-Jan", "current", "1/10/2003 8:00", "1/10/2003 9:00", "60");
    for _ in 0..2_000 {
        let mut file = format!("{HEADER}{good}{good}{good}").into_bytes();
        for _ in 0..=draw() % 8 {
            let place = HEADER.len() + draw() % (file.len() - HEADER.len());
            file[place] = draw() as u8;
        }
        file.truncate(HEADER.len() + draw() % (file.len() - HEADER.len() + 1));
        let told = import_bytes(&file);
        assert!(told.runs.iter().flat_map(|run| &run.facts).all(|sealed| sealed.fact.check().is_ok()));
    }
}
