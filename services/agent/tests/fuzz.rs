//! Files that an agent replays, and mappings that say what they mean: a reason for every row, and no more memory than a row is worth.

use medfleet_agent::clock::{Reading, Steady};
use medfleet_agent::recorder::Recorder;
use medfleet_agent::source::replay_file::{BadRow, Rows};
use medfleet_agent::source::replay_row::Mapping;
use medfleet_agent::spool::{Entry, Recovered, encode_fact};
use medfleet_domain::id::{AgentId, Epoch, SiteId};
use medfleet_domain::time::Timestamp;
use medfleet_fuzz::{Bounds, Heap, fuzz};

#[global_allocator]
static HEAP: Heap = Heap;

const MAPPING: &str = r#"
format = "FORMAT"
device = "asset"
kind = "ct"
[time]
column = "at"
[known_at]
column = "known"
format = "unix_millis"
[condition]
column = "state"
words = { idle = "standby", busy = "productive", gone = "lost" }
[error]
code = "code"
text = "text"
family = "f"
severity = "major"
[[usage]]
column = "scans"
counter = "scans"
unit = "scan"
modulus = 1000
"#;
const JSON_LINES: &str = r#"{"asset":"ct-1","at":"2026-03-08T09:00:00Z","known":1772960400000,"state":"idle","scans":7}
{"asset":"ct-1","at":"2026-03-08 11:30:00.25+01:00","state":"busy","scans":"8.125","code":"E1","text":"hot"}
{"asset":"ct-1","at":"2026-03-08T13:00:00Z","state":"gone"}
"#;
const CSV: &str = "asset,at,known,state,scans,code,text\nct-1,2026-03-08T09:00:00Z,1772960400000,idle,7,,\n\
    ct-1,2026-03-08 11:30:00.25+01:00,,busy,8.125,E1,\"hot, very\"\nct-1,2026-03-08T13:00:00Z,,gone,,,\n";

fn now() -> Timestamp {
    Timestamp::from_seconds(1_772_980_000)
}

fn reading() -> Reading {
    Reading { wall: now(), steady: Steady(1_000_000), synchronised: None }
}

fn recorder() -> Recorder {
    Recorder::begin(&AgentId::new("edge-1").unwrap(), Epoch(7), Recovered::default(), reading()).0
}

/// Everything a row goes through until it is in the journal.
fn replay(mapping: &Mapping, bytes: &[u8]) -> String {
    let mut recorder = recorder();
    let site = SiteId::new("st-mary").unwrap();
    let mut told = std::collections::BTreeSet::new();
    for row in Rows::new(bytes, mapping) {
        let (_, row) = match row {
            Ok(row) => row,
            Err(BadRow::Refused { .. }) => {
                told.insert("unreadable row");
                continue;
            }
            Err(BadRow::Input(_)) => {
                told.insert("unreadable file");
                continue;
            }
        };
        let Ok(observations) = mapping.observe(&row) else {
            told.insert("row without meaning");
            continue;
        };
        for observation in observations {
            match recorder.observe(observation) {
                Ok(written) => {
                    told.insert("written");
                    for each in written {
                        let entry = encode_fact(each, &site);
                        Entry::decode(0, &entry).expect("what is written can be read");
                    }
                }
                Err(_) => {
                    told.insert("refused");
                }
            }
        }
    }
    told.into_iter().collect::<Vec<_>>().join(", ")
}

fn fuzz_rows(name: &str, format: &str, corpus: &str) {
    let mapping = Mapping::parse(&MAPPING.replace("FORMAT", format)).unwrap();
    // A condition of a year is some thousand stretches.
    let bounds = Bounds { peak_base_bytes: 32 * 1024 * 1024, input_max_bytes: 8 * 1024, ..Bounds::default() };
    fuzz(name, vec![corpus.as_bytes().to_vec()], bounds, |bytes| replay(&mapping, bytes));
}

#[test]
fn fuzz_replayed_json_lines() {
    fuzz_rows("replayed JSON lines", "json_lines", JSON_LINES);
}

#[test]
fn fuzz_replayed_csv() {
    fuzz_rows("replayed CSV", "csv", CSV);
}

#[test]
fn fuzz_replay_mapping() {
    let corpus = ["csv", "json_lines"].map(|format| MAPPING.replace("FORMAT", format).into_bytes()).to_vec();
    let bounds = Bounds {
        peak_base_bytes: 32 * 1024 * 1024,
        input_max_bytes: 4 * 1024,
        peak_times_input: 1_024,
        ..Bounds::default()
    };
    fuzz("replay mapping", corpus, bounds, |bytes| match Mapping::parse(&String::from_utf8_lossy(bytes)) {
        Ok(mapping) => replay(&mapping, if mapping.is_json() { JSON_LINES.as_bytes() } else { CSV.as_bytes() }),
        Err(_) => "refused".into(),
    });
}

#[test]
fn fuzz_journal_entry() {
    let mut recorder = recorder();
    let site = SiteId::new("st-mary").unwrap();
    let written = recorder.turn(Reading { steady: Steady(60_000_000), ..reading() });
    let mut corpus: Vec<Vec<u8>> = written.into_iter().map(|each| encode_fact(each, &site)).collect();
    let checkpoint = medfleet_agent::spool::Checkpoint::new(0, now(), recorder.marks(), recorder.open());
    corpus.extend(checkpoint.encode(1 << 20).unwrap());
    corpus.extend(checkpoint.encode(64).unwrap());
    fuzz("agent's journal entry", corpus, Bounds::default(), |bytes| match Entry::decode(3, bytes) {
        Ok(entry) => {
            let mut recovered = Recovered::default();
            if recovered.take(3, entry).is_err() {
                return "no whole checkpoint";
            }
            Recorder::begin(&AgentId::new("edge-1").unwrap(), Epoch(9), recovered, reading());
            "read"
        }
        Err(_) => "refused",
    });
}
