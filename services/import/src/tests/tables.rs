//! Several tables under one mapping: the invented maintenance export with every trap, and what becomes of it when it grows.

use std::collections::BTreeSet;

use super::*;

const MAPPING: &str = include_str!("../../../../tests/fixtures/cmms/mapping.toml");

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../tests/fixtures/cmms/", $name)))
    };
}

fn export() -> Files {
    files(&[
        fixture!("assets.csv"),
        fixture!("work_orders.csv"),
        fixture!("pm.csv"),
        fixture!("errors.csv"),
        fixture!("meters.csv"),
        fixture!("states.csv"),
    ])
}

/// The export after a change to the text of one file.
fn changed(file: &str, change: impl FnOnce(&str) -> String) -> Files {
    let mut all = export();
    let text = String::from_utf8(all[file].clone()).unwrap();
    all.insert(file.to_owned(), change(&text).into_bytes());
    all
}

fn rows(text: &str) -> u64 {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    reader.records().count() as u64
}

#[test]
fn the_rejects_are_exactly_the_planted_rows_and_every_row_is_counted() {
    let told = tell(MAPPING, &export(), &[]);
    let (_, planted) = fixture!("planted.csv");
    let mut reader = csv::Reader::from_reader(planted.as_bytes());
    let planted: BTreeSet<(String, u64, String, String)> = reader
        .records()
        .map(|line| line.unwrap())
        .map(|line| (line[0].to_owned(), line[1].parse().unwrap(), line[2].to_owned(), line[3].to_owned()))
        .collect();
    let found: BTreeSet<(String, u64, String, String)> = told
        .remarks
        .iter()
        .map(|(file, line, fate, code)| (file.clone(), *line, (*fate).to_owned(), code.clone()))
        .collect();
    let unexpected: Vec<_> = found.difference(&planted).collect();
    let missed: Vec<_> = planted.difference(&found).collect();
    assert!(unexpected.is_empty() && missed.is_empty(), "unexpected: {unexpected:#?}\nmissed: {missed:#?}");
    assert_eq!(told.remarks.len(), found.len(), "each is said once");
    let total: u64 = export().values().map(|bytes| rows(std::str::from_utf8(bytes).unwrap())).sum();
    assert_eq!(told.imported + told.refused, total);
}

#[test]
fn the_same_export_again_tells_nothing() {
    let first = tell(MAPPING, &export(), &[]);
    let again = tell(MAPPING, &export(), &first.runs);
    assert_eq!((again.facts(), again.withdrawn), (0, 0));
}

#[test]
fn a_grown_export_tells_its_new_rows_wherever_they_stand() {
    let first = tell(MAPPING, &export(), &[]);
    let row = "HX702,2025-10-05T10:00:00-04:00,E999,3,new";
    for at_end in [true, false] {
        let grown = changed("errors.csv", |text| match text.split_once('\n') {
            Some((header, rest)) if !at_end => format!("{header}\n{row}\n{rest}"),
            _ => format!("{text}{row}\n"),
        });
        let told = tell(MAPPING, &grown, &first.runs);
        assert_eq!((told.facts(), told.withdrawn), (1, 0), "at the end: {at_end}");
        let Body::Error(error) = &told.of("cmms-4102")[0].body else { panic!("an error") };
        assert_eq!(error.code, "E999");
    }
}

#[test]
fn an_order_that_was_open_and_is_closed_now_replaces_its_downtime() {
    let first = tell(MAPPING, &export(), &[]);
    let closed = changed("work_orders.csv", |text| {
        text.replace(
            "P0106,4106,Repair,Down,11/29/2025 20:15,,,,,",
            "P0106,4106,Repair,Down,11/29/2025 20:15,,,,11/29/2025 21:45,",
        )
    });
    let told = tell(MAPPING, &closed, &first.runs);
    let whole = tell(MAPPING, &closed, &[]);
    assert_eq!(first.down_seconds("cmms-4106") - whole.down_seconds("cmms-4106"), 72_900);
    assert!(told.withdrawn > 0 && told.runs.iter().all(|run| run.subject.name() == "cmms-4106"));
    let log = [first.runs, told.runs].concat();
    assert_eq!(tell(MAPPING, &closed, &log).facts(), 0, "the log holds what the closed export says, and nothing else");
}

#[test]
fn a_corrected_mapping_corrects_what_was_told() {
    let first = tell(MAPPING, &export(), &[]);
    let corrected = MAPPING.replace("time_zone = \"America/Denver\"", "time_zone = \"America/Phoenix\"");
    let told = tell(&corrected, &export(), &first.runs);
    let log = [first.runs, told.runs].concat();
    assert!(told.withdrawn > 0);
    assert_eq!(tell(&corrected, &export(), &log).facts(), 0);
    assert!(tell(MAPPING, &export(), &log).withdrawn > 0, "and back");
}

#[test]
fn of_a_part_nothing_is_withdrawn() {
    let part = MAPPING.replace("export = \"whole\"", "export = \"part\"");
    let first = tell(&part, &export(), &[]);
    let fewer = changed("errors.csv", |text| text.lines().take(40).collect::<Vec<_>>().join("\n"));
    let told = tell(&part, &fewer, &first.runs);
    assert_eq!(told.facts(), 0);
    assert!(told.withdrawn > 0, "what the part does not say is counted");
    let whole = tell(MAPPING, &fewer, &first.runs);
    assert!(whole.facts() > 0, "a whole export withdraws it");
}

#[test]
fn a_device_is_found_by_its_alias_and_rows_are_known_when_they_were_entered() {
    let told = tell(MAPPING, &export(), &[]);
    let subjects: BTreeSet<&str> = told.runs.iter().map(|run| run.subject.name()).collect();
    assert!(subjects.iter().all(|name| !name.contains("HX")), "tags are no devices: {subjects:?}");
    let orders: Vec<&Fact> = told.runs.iter().flat_map(|run| &run.facts).map(|sealed| &sealed.fact).collect();
    let entered = |fact: &&&Fact| matches!(&fact.body, Body::Order(order) if order.order.starts_with('W'));
    assert!(orders.iter().filter(entered).all(|fact| !fact.known_assumed && fact.known_at >= fact.at));
    let errors = |fact: &&&Fact| matches!(fact.body, Body::Error(_));
    assert!(orders.iter().filter(errors).all(|fact| fact.known_assumed && fact.source.kind == SourceKind::Device));
}

#[test]
fn the_cause_is_told_with_the_last_phase_of_its_order() {
    let told = tell(MAPPING, &export(), &[]);
    let phases = told.of("cmms-4112");
    let phase = |wanted: Phase| {
        phases.iter().find_map(|fact| match &fact.body {
            Body::Order(order) if order.order == "P0109" && order.phase == wanted => Some(order.clone()),
            _ => None,
        })
    };
    assert_eq!(
        phase(Phase::Opened).map(|order| (order.cause, order.text)),
        Some((String::new(), "called by phone first".into()))
    );
    assert_eq!(phase(Phase::ReturnedToService).map(|order| order.cause), Some("Cable".into()));
}

#[test]
fn a_mapping_that_cannot_be_meant_is_refused_before_the_first_row() {
    let refused = |mapping: &str| {
        let read = Mapping::read(mapping);
        read.map_err(|error| error.to_string()).and_then(|mapping| {
            let plan = Plan::of(&export(), &mapping, Span { from: FIRST, until: NOW });
            plan.map(|_| ()).map_err(|error| error.to_string())
        })
    };
    let cases = [
        ("version = 2", "version = 3", "version 3"),
        (
            "opened = \"Reported\"",
            "opened = \"Reportd\"",
            "`Reportd` of the mapping is not in the header of work_orders.csv",
        ),
        ("code = \"{Code}\"", "code = \"{Code\"", "cannot be read"),
        ("\"Down\" = \"down\"", "\"Down\" = \"dwn\"", "cannot be read"),
        ("file = \"pm.csv\"", "file = \"errors.csv\"", "two tables for errors.csv"),
        ("file = \"pm.csv\"", "file = \"lost.csv\"", "lost.csv is not among the files"),
        ("2025-12-01T00:00:00Z", "2035-12-01T00:00:00Z", "lies ahead"),
        ("zone = \"site\"", "zone = \"Chicago\"", "`Chicago` is no time zone"),
        ("export = \"whole\"", "", "cannot be read"),
    ];
    assert_eq!(refused(MAPPING), Ok(()));
    for (from, to, said) in cases {
        let error = refused(&MAPPING.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(said), "{to}: {error}");
    }
}
