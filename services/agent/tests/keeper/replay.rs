//! A replayed file goes on in the next life where it stood: every row enters once, wherever the one before ended.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use medfleet_agent::Source as _;
use medfleet_agent::source::replay::{Replay, ReplayConfig};
use medfleet_domain::condition::Condition;
use medfleet_domain::fact::Body;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_runtime::now_micros;

use crate::given::{SMALL, codes, end, records, spooled, start, torn};

/// Of a chunk that found the journal full, a restart once took in again what had been accepted, as other facts.
#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_file_that_finds_the_journal_full_goes_on_in_the_next_life_where_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let at = Timestamp(now_micros()).plus_micros(-MICROS_PER_DAY).second();
    let rows = (0..3_000).map(|number| format!("ct-1,{},E{number},{}\n", at + number, "x".repeat(200)));
    std::fs::write(path("rows.csv"), format!("asset,at,code,text\n{}", rows.collect::<String>())).unwrap();
    let mapping = "format = 'csv'\ndevice = 'asset'\nkind = 'ct'\n[time]\ncolumn = 'at'\nformat = 'unix_seconds'\n\
                   [error]\ncode = 'code'\ntext = 'text'\nfamily = 'test'\nseverity = 'major'\n";
    std::fs::write(path("mapping.toml"), mapping).unwrap();
    let config = ReplayConfig { path: path("rows.csv"), mapping: path("mapping.toml"), progress: Some(path("taken")) };
    let mut said: Vec<String> = Vec::new();
    for life in 0..2 {
        let running = start(&path("journal"), SMALL).await;
        let replay = Box::new(Replay::open(&config).unwrap()).run(running.0.intake().unwrap());
        let replay = tokio::spawn(replay);
        while running.0.metrics().refused_full.get() == 0 {
            tokio::task::yield_now().await;
        }
        // It was told so a moment later, and has noted how far it came before it waits for a second.
        tokio::time::sleep(Duration::from_millis(500)).await;
        replay.abort();
        end(running).await;
        said = codes(&path("journal"));
        let taken: usize =
            std::fs::read_to_string(path("taken")).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        assert!(said.len() > 512, "{} rows fit", said.len());
        assert_eq!(taken, said.len(), "life {life} noted what is durable");
    }
    assert_eq!(BTreeSet::from_iter(&said).len(), said.len(), "no row is there twice");
}

/// Two devices, one of them late, with a row of the future, hours that end on a row, errors and samples.
const ROWS: [&str; 13] = [
    "ct-1,1772323500,busy,E0,10",
    "ct-2,1772323600,idle,,",
    "ct-1,1772327000,busy,,12",
    "ct-1,1772326800,idle,E1,",
    "ct-2,1772334000,gone,,7",
    "ct-1,1772334100,busy,,30",
    "ct-2,1772337600,busy,E2,9",
    "ct-1,1772337600,gone,E3,31",
    "ct-1,4070908800,busy,,",
    "ct-1,1772338000,idle,E4,",
    "ct-2,1772345000,idle,,15",
    "ct-1,1772346000,busy,E5,40",
    "ct-2,1772346001,gone,,",
];

/// A file and an agent that replays it.
struct Tape {
    folder: tempfile::TempDir,
}

/// What a journal says: stretches, errors and samples, in order.
#[derive(Debug, PartialEq, Default)]
struct Said {
    stretches: Vec<(String, i64, i64, Condition)>,
    errors: Vec<String>,
    samples: Vec<(String, i64, i64)>,
}

impl Tape {
    fn new() -> Self {
        let tape = Self { folder: tempfile::tempdir().unwrap() };
        let mapping = "format = 'csv'\ndevice = 'asset'\nkind = 'ct'\n[time]\ncolumn = 'at'\nformat = 'unix_seconds'\n\
                       [condition]\ncolumn = 'state'\nwords = { busy = 'productive', idle = 'standby', gone = 'lost' }\n\
                       [error]\ncode = 'code'\nfamily = 'test'\n\
                       [[usage]]\ncolumn = 'cycles'\ncounter = 'cycles'\nunit = 'cycle'\n";
        std::fs::write(tape.path("mapping.toml"), mapping).unwrap();
        tape
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn journal(&self) -> PathBuf {
        self.path("journal")
    }

    /// A life that finds so many rows, and takes them all in.
    async fn life(&self, rows: &[&str]) {
        std::fs::write(self.path("rows.csv"), format!("asset,at,state,code,cycles\n{}\n", rows.join("\n"))).unwrap();
        let config = ReplayConfig {
            path: self.path("rows.csv"),
            mapping: self.path("mapping.toml"),
            progress: Some(self.path("taken")),
        };
        let running = start(&self.journal(), SMALL).await;
        Box::new(Replay::open(&config).unwrap()).run(running.0.intake().unwrap()).await.unwrap();
        end(running).await;
    }

    fn said(&self) -> Said {
        said(&self.journal())
    }
}

fn said(journal: &Path) -> Said {
    let mut said = Said::default();
    for each in spooled(journal, SMALL) {
        let (device, at) = (each.subject.name().to_owned(), each.fact.fact.at.second());
        match each.fact.fact.body {
            Body::Stretch(stretch) => said.stretches.push((device, at, stretch.until.second(), stretch.condition)),
            Body::Error(error) => said.errors.push(error.code),
            Body::Usage(sample) => said.samples.push((device, at, sample.value_milli)),
            _ => {}
        }
    }
    said.stretches.sort();
    said.errors.sort();
    said.samples.sort();
    said
}

/// What a device did between two rows was once lost when the agent was started again between them.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_replayed_by_two_lives_says_what_it_says_to_one_wherever_the_first_one_ends() {
    let whole = Tape::new();
    whole.life(&ROWS).await;
    let whole = whole.said();
    assert_eq!((whole.stretches.len(), whole.errors.len(), whole.samples.len()), (15, 6, 8), "{whole:?}");
    for first in 0..ROWS.len() {
        let tape = Tape::new();
        tape.life(&ROWS[..first]).await;
        tape.life(&ROWS).await;
        assert_eq!(tape.said(), whole, "the first life takes {first} rows");
    }
}

/// An agent killed within a chunk once said its errors and samples again, as other facts.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_behind_any_record_says_no_row_twice_and_none_too_few() {
    let tape = Tape::new();
    std::fs::write(tape.path("taken"), "0 00000000000000aa\n").unwrap();
    tape.life(&ROWS).await;
    let (whole, left) = (tape.said(), records(&tape.journal(), SMALL));
    for kept in 0..=left.len() {
        let killed = Tape::new();
        std::fs::write(killed.path("taken"), "0 00000000000000aa\n").unwrap();
        torn(&killed.journal(), SMALL, &left[..kept]);
        killed.life(&ROWS).await;
        let mut said = killed.said();
        let told = said.stretches.len();
        said.stretches.dedup();
        assert!(
            told - said.stretches.len() <= 3,
            "the last change alone may be said again, killed behind {kept} records"
        );
        assert_eq!(said, whole, "killed behind {kept} of {} records", left.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_replayed_from_its_beginning_where_its_progress_is_deleted_and_not_where_it_is_damaged() {
    let tape = Tape::new();
    tape.life(&ROWS).await;
    tape.life(&ROWS).await;
    let once = tape.said().errors.len();
    std::fs::remove_file(tape.path("taken")).unwrap();
    tape.life(&ROWS).await;
    assert_eq!(tape.said().errors.len(), 2 * once);
    // As an agent wrote it before it kept places in the journal.
    std::fs::write(tape.path("taken"), "9\n").unwrap();
    tape.life(&ROWS).await;
    assert_eq!(tape.said().errors.len(), 2 * once + 2);
    std::fs::write(tape.path("taken"), "many\n").unwrap();
    let config = ReplayConfig {
        path: tape.path("rows.csv"),
        mapping: tape.path("mapping.toml"),
        progress: Some(tape.path("taken")),
    };
    let running = start(&tape.journal(), SMALL).await;
    let refused = Box::new(Replay::open(&config).unwrap()).run(running.0.intake().unwrap()).await.unwrap_err();
    end(running).await;
    assert!(refused.to_string().contains("`many`") && refused.to_string().contains("delete it"), "{refused}");
}
