//! Files for import, and mappings that say what they mean: every row imported or refused, memory within what the rows are worth.

use medfleet_fuzz::{Bounds, Heap, fuzz};

use super::mapping::Mapping;
use super::plan::Plan;
use super::runs::Import;
use super::tests::{HEADER, MAPPING};

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
fn told(file: &[u8], mapping: &Mapping, text: &str) -> String {
    let mut plan = match Plan::of(file, mapping, Import::of(file, text)) {
        Ok(plan) => plan,
        Err(error) => return format!("{error:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
    };
    let mut facts = 0;
    while let Some(runs) = plan.next_window() {
        for run in &runs {
            facts += run.facts.len();
            for sealed in &run.facts {
                medfleet_wire::decode_fact(&sealed.bytes).expect("what is imported can be read");
            }
        }
    }
    let reasons: Vec<&str> = plan.rejects.counts().map(|(_, reason, _)| reason).collect();
    format!("{} {}", facts > 0, reasons.join(" "))
}

#[test]
fn fuzz_import_rows() {
    let mapping = Mapping::read(MAPPING).expect("the mapping of Los Alamos");
    let mut corpus: Vec<Vec<u8>> = ROWS.iter().map(|row| format!("{HEADER}{row}").into_bytes()).collect();
    corpus.push(format!("{HEADER}{}", ROWS.concat()).into_bytes());
    // A subject in service for years is told by the day.
    let bounds = Bounds { peak_base_bytes: 64 * 1024 * 1024, input_max_bytes: 4 * 1024, ..Bounds::default() };
    fuzz("import rows", corpus, bounds, |bytes| told(bytes, &mapping, MAPPING));
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
        let text = String::from_utf8_lossy(bytes);
        match Mapping::read(&text) {
            Ok(mapping) => told(file.as_bytes(), &mapping, &text),
            Err(error) => format!("{error:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
        }
    });
}
