//! The traps of the Los Alamos log, each given as rows: what is told, and what is remarked.

use std::collections::BTreeMap;

use super::*;
use crate::difference::RUN_MAX_FACTS;

pub const MAPPING: &str = include_str!("../../../../tests/fixtures/lanl/mapping.toml");
pub const FILE: &str = "LA-UR-05-7318-failure-data-1996-2005.csv";
pub const HEADER: &str = "System,machine type,nodenumz,node prod,node decom,purpose,Prob Started,Prob Fixed,Down Time,\
    Facilities,Hardware,Human Error,Network,Undetermined,Software\n";
const DAY_SECONDS: i64 = 86_400;

/// A row of node `node`: its months, its times, its stated minutes.
fn row(node: &str, prod: &str, decom: &str, from: &str, until: &str, stated: &str) -> String {
    format!("7,smp,{node},{prod},{decom},compute,{from},{until},{stated},,CPU,,,,\n")
}

fn import(rows: &[String]) -> Telling {
    tell(MAPPING, &files(&[(FILE, &format!("{HEADER}{}", rows.concat()))]), &[])
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
    let refused = ["ends_before_start", "time", "invalid", "outside_record", "cells"];
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
    let file = format!("{HEADER}{}", rows[0]);
    assert_eq!(tell(MAPPING, &files(&[(FILE, &file)]), &told.runs).facts(), 0, "told once, told for ever");
}
