//! Damaged tables: whatever the bytes, no panic, every row accounted for, and no fact that a reader would refuse.

use std::collections::BTreeMap;

use medfleet_domain::time::{Day, Span};
use medfleet_import::{Files, Mapping, Plan};
use proptest::prelude::*;

const LANL: &str = include_str!("../../../tests/fixtures/lanl/mapping.toml");
const LANL_FILE: &str = "LA-UR-05-7318-failure-data-1996-2005.csv";
const LANL_ROWS: &str = "System,machine type,nodenumz,node prod,node decom,purpose,Prob Started,Prob Fixed,Down Time,\
    Facilities,Hardware,Human Error,Network,Undetermined,Software\n\
    7,smp,0,3-Jan,current,compute,1/10/2003 8:00,1/10/2003 9:00,60,,CPU,,,,\n\
    7,smp,1,Nov-96,4-Feb,compute,10/26/2003 1:30,10/26/2003 3:00,150,,,,,,x\n\
    7,smp,,,,compute,1/10/2003 8:00,,60,,CPU,,,,\n";
const CMMS: &str = include_str!("../../../tests/fixtures/cmms/mapping.toml");

macro_rules! fixture {
    ($name:literal) => {
        ($name.to_owned(), include_bytes!(concat!("../../../tests/fixtures/cmms/", $name)).to_vec())
    };
}

fn export() -> Files {
    let tables = [fixture!("work_orders.csv"), fixture!("pm.csv"), fixture!("errors.csv"), fixture!("meters.csv")];
    let mut files = Files::from(tables);
    files.extend([fixture!("assets.csv"), fixture!("states.csv")]);
    // A few rows of each are enough for every kind of cell.
    files.values_mut().for_each(|bytes| {
        let end =
            bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(30).map_or(bytes.len(), |(at, _)| at + 1);
        bytes.truncate(end);
    });
    files
}

/// Imports and checks; answers how many rows were read, or None where the files were refused as a whole.
fn import(mapping: &str, files: &Files) -> Option<u64> {
    let mapping = Mapping::read(mapping).expect("the mapping is whole");
    let plausible = Span { from: Day::from_civil(1990, 1, 1).start(), until: Day::from_civil(2026, 1, 1).start() };
    let plan = Plan::of(files, &mapping, plausible).ok()?;
    let mut telling = plan.telling(BTreeMap::new());
    let mut runs = telling.sites(plausible.until);
    while let Some(window) = telling.next_window() {
        runs.extend(window);
    }
    for sealed in runs.iter().flat_map(|run| &run.facts) {
        assert!(sealed.fact.check().is_ok() && plausible.from <= sealed.fact.at && sealed.fact.at <= plausible.until);
        assert_eq!(medfleet_wire::decode_fact(&sealed.bytes).as_ref(), Ok(sealed));
    }
    let rows = |table| plan.remarks.rows(table);
    Some((0..mapping.tables.len()).map(|table| rows(table).0 + rows(table).1).sum())
}

/// Bytes put over others, at places given in thousandths of the file behind its header, and where it is cut off.
type Damage = (Vec<(u16, u8)>, u16);

fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b",\"\n\r0-/: 9".to_vec())];
    (prop::collection::vec((0..1_000_u16, byte), 0..12), prop_oneof![3 => Just(1_000_u16), 1 => 0..1_000_u16])
}

fn damaged(bytes: &[u8], (puts, cut): &Damage) -> Vec<u8> {
    let header = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
    let (mut all, body) = (bytes.to_vec(), bytes.len() - header);
    for (place, byte) in puts.iter().filter(|_| body > 0) {
        all[header + usize::from(*place) * body / 1_000] = *byte;
    }
    all.truncate(header + usize::from(*cut) * body / 1_000);
    all
}

/// Cases of each property in the committed tests; `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(300), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_damaged_table_costs_rows_and_nothing_else(damage in damage()) {
        let files = Files::from([(LANL_FILE.to_owned(), damaged(LANL_ROWS.as_bytes(), &damage))]);
        prop_assert!(import(LANL, &files).is_some(), "the header is whole");
    }

    #[test]
    fn a_damaged_export_costs_rows_and_nothing_else(damages in prop::collection::vec(damage(), 6)) {
        let files: Files =
            export().into_iter().zip(&damages).map(|((name, bytes), damage)| (name, damaged(&bytes, damage))).collect();
        prop_assert!(import(CMMS, &files).is_some(), "the headers are whole");
    }

    #[test]
    fn random_bytes_are_no_table(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let files = Files::from([(LANL_FILE.to_owned(), bytes)]);
        prop_assert_eq!(import(LANL, &files), None);
    }
}

#[test]
fn without_damage_every_row_is_read() {
    let files = Files::from([(LANL_FILE.to_owned(), LANL_ROWS.as_bytes().to_vec())]);
    assert_eq!(import(LANL, &files), Some(3));
    assert_eq!(import(CMMS, &export()), Some(30 * 6));
}
