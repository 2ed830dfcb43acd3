//! Files for import, and mappings that say what they mean: every row told or remarked, memory within what the rows are worth.

use std::collections::BTreeMap;

use medfleet_domain::time::Span;
use medfleet_fuzz::{Bounds, Heap, fuzz};

use super::lanl::{FILE, HEADER, MAPPING};
use super::{FIRST, NOW};
use crate::{Files, Mapping, Plan};

#[global_allocator]
static HEAP: Heap = Heap;

const ROWS: [&str; 5] = [
    "7,smp,3,5-Apr,current,compute,6/21/2005 10:54,6/21/2005 11:00,6,,CPU,,,,\n",
    "7,smp,3,Nov-96,current,compute,6/22/2005 10:54,6/22/2005 11:00,7,,,\"Human, error\",,,\n",
    "7,smp,,5-Apr,current,compute,6/21/2005 10:54,,6,,,,,,\n",
    "7,smp,4,before tracking,5-May,compute,10/26/2003 1:30,10/26/2003 2:30,60,,,,,Undetermined,\n",
    "20,cluster,5,3-Jan,current,compute,4/6/2003 2:30,4/6/2003 3:00,30,,,,Network,,\n",
];

/// What an import says of a file, told to its end.
fn told(file: &[u8], mapping: &Mapping) -> String {
    let files: Files = [(FILE.to_owned(), file.to_vec())].into_iter().collect();
    let plan = match Plan::of(&files, mapping, Span { from: FIRST, until: NOW }) {
        Ok(plan) => plan,
        Err(error) => return variant(&error),
    };
    let mut telling = plan.telling(BTreeMap::new());
    let mut facts = 0;
    while let Some(runs) = telling.next_window() {
        for sealed in runs.iter().flat_map(|run| &run.facts) {
            facts += 1;
            medfleet_wire::decode_fact(&sealed.bytes).expect("what is imported can be read");
        }
    }
    let tables = 0..mapping.tables.len();
    let reasons: Vec<&str> =
        tables.flat_map(|table| plan.remarks.counts(table).map(|(_, reason, _)| reason).collect::<Vec<_>>()).collect();
    format!("{} {}", facts > 0, reasons.join(" "))
}

fn variant(error: &impl std::fmt::Debug) -> String {
    format!("{error:?}").split(['(', ' ']).next().unwrap_or_default().to_owned()
}

#[test]
fn fuzz_import_rows() {
    let mapping = Mapping::read(MAPPING).expect("the mapping of Los Alamos");
    let mut corpus: Vec<Vec<u8>> = ROWS.iter().map(|row| format!("{HEADER}{row}").into_bytes()).collect();
    corpus.push(format!("{HEADER}{}", ROWS.concat()).into_bytes());
    // A subject in service for years is told by the day.
    let bounds = Bounds { peak_base_bytes: 64 * 1024 * 1024, input_max_bytes: 4 * 1024, ..Bounds::default() };
    fuzz("import rows", corpus, bounds, |bytes| told(bytes, &mapping));
}

#[test]
fn fuzz_import_mapping() {
    let file = format!("{HEADER}{}", ROWS.concat());
    let bounds = Bounds {
        peak_base_bytes: 64 * 1024 * 1024,
        peak_times_input: 1_024,
        input_max_bytes: 16 * 1024,
        ..Bounds::default()
    };
    fuzz("import mapping", vec![MAPPING.as_bytes().to_vec()], bounds, |bytes| {
        match Mapping::read(&String::from_utf8_lossy(bytes)) {
            Ok(mapping) => told(file.as_bytes(), &mapping),
            Err(error) => variant(&error),
        }
    });
}
