//! Imports from files to runs, without a log: given rows, these facts and these remarks.

mod fuzz;
mod lanl;
mod tables;

use std::collections::BTreeMap;

use medfleet_domain::condition::{Condition, SourceKind};
use medfleet_domain::fact::{Body, Fact, Run};
use medfleet_domain::human::Phase;
use medfleet_domain::id::Subject;
use medfleet_domain::time::{Day, MICROS_PER_SECOND, Span, Timestamp};

use crate::{Files, Mapping, Plan, Told, epoch};

/// What a test takes for the present.
const NOW: Timestamp = Day::from_civil(2026, 1, 1).start();
const FIRST: Timestamp = Day::from_civil(1990, 1, 1).start();

/// One import, told to a log that may have heard earlier ones.
struct Telling {
    runs: Vec<Run>,
    withdrawn: u64,
    remarks: Vec<(String, u64, &'static str, String)>,
    counts: BTreeMap<(&'static str, &'static str), u64>,
    imported: u64,
    refused: u64,
}

fn files(all: &[(&str, &str)]) -> Files {
    all.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

fn tell(mapping: &str, files: &Files, log: &[Run]) -> Telling {
    let mapping = Mapping::read(mapping).unwrap();
    let plan = Plan::of(files, &mapping, Span { from: FIRST, until: NOW }).unwrap();
    let mut told: BTreeMap<Subject, Told> = BTreeMap::new();
    for run in log {
        assert_eq!(run.epoch, epoch(&mapping.source.name, &run.subject));
        told.entry(run.subject.clone()).or_default().hear(run);
    }
    let mut telling = plan.telling(told);
    let mut runs = telling.sites(NOW);
    while let Some(window) = telling.next_window() {
        runs.extend(window);
    }
    let (_, withdrawn) = telling.before();
    runs.extend(telling.withdrawals(NOW));
    let tables = 0..mapping.tables.len();
    let mut counts = BTreeMap::new();
    let (mut imported, mut refused) = (0, 0);
    for table in tables {
        plan.remarks.counts(table).for_each(|(fate, code, count)| *counts.entry((fate, code)).or_default() += count);
        imported += plan.remarks.rows(table).0;
        refused += plan.remarks.rows(table).1;
    }
    let names: Vec<&str> = mapping.tables.iter().map(|table| table.file.as_str()).collect();
    let csv = plan.remarks.to_csv(&names).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let remarks = reader.records().map(|line| line.unwrap()).map(|line| {
        let fate = if &line[3] == "refused" { "refused" } else { "imported" };
        (line[0].to_owned(), line[1].parse().unwrap(), fate, line[4].to_owned())
    });
    Telling { remarks: remarks.collect(), runs, withdrawn, counts, imported, refused }
}

impl Telling {
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
        self.counts.get(&(fate, reason)).copied().unwrap_or(0)
    }

    fn facts(&self) -> usize {
        self.runs.iter().map(|run| run.facts.len()).sum()
    }
}
