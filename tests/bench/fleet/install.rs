//! One installation without processes: records go straight into the processor's fold and tables, at append times that the
//! caller chooses.

use std::collections::BTreeMap;
use std::path::Path;

use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::fact::{Body, Fact, Run, Source};
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_lake::{Lake, Origin, Reader, ReaderLimits, UtcMicros};
use medfleet_log::{Partition, Topic, partition_of};
use medfleet_processor::Shelves;
use medfleet_processor::archive::{Archive, Past};
use medfleet_processor::book::{Book, Place};

const FACT_PARTITIONS: u32 = 12;

pub struct Install {
    pub lake: Lake,
    book: Book,
    shelves: Shelves,
    archive: Archive,
    ends: BTreeMap<Partition, u64>,
}

impl Install {
    /// An empty installation in a folder.
    pub async fn open(folder: &Path) -> anyhow::Result<Self> {
        let lake = Lake::open_local(folder).await?;
        let origin = Origin { rules: "fold of the tests".to_owned(), log: "tests".to_owned() };
        let facts = (0..FACT_PARTITIONS).map(|partition| Partition::new(Topic::FACTS, partition));
        let owned: Vec<Partition> = facts.chain([Partition::new(Topic::FLEET, 0)]).collect();
        let reader = || Reader::new(lake.clone(), ReaderLimits::default());
        let shelves = Shelves::open(&lake, reader()?, &origin, &owned).await?;
        let archive = Archive::new(reader()?);
        Ok(Self { lake, book: Book::default(), shelves, archive, ends: BTreeMap::new() })
    }

    /// One record of the log, appended at this instant.
    pub async fn append(&mut self, run: &Run, appended_at: Timestamp) -> anyhow::Result<()> {
        let fleet = matches!(run.subject.kind, medfleet_domain::id::SubjectKind::Site);
        let home = match fleet {
            true => Partition::new(Topic::FLEET, 0),
            false => Partition::new(Topic::FACTS, partition_of(run.subject.key().as_bytes(), FACT_PARTITIONS)),
        };
        let end = self.ends.entry(home).or_default();
        let place = Place { home, offset: *end, appended_at_micros: appended_at.0 };
        *end += 1;
        while let Err(need) = self.book.admit(run, &[], place) {
            let Book { memory, pending, .. } = &mut self.book;
            let ledger = memory.ledgers.entry(run.subject.clone()).or_default();
            let version = self.shelves.version("facts").ok_or_else(|| anyhow::anyhow!("no archive"))?;
            let past = Past { facts: &version, pending: &pending.facts, below: place.offset };
            self.archive.answer(&run.subject, need, past, ledger).await?;
        }
        Ok(())
    }

    /// Commits what waits and makes a cut. Answers how many facts were ever taken.
    pub async fn flush(&mut self, now: Timestamp) -> anyhow::Result<u64> {
        self.shelves.flush(&self.book, false, UtcMicros(now.0)).await?;
        self.book.committed();
        Ok(self.book.counts.appended)
    }

    pub fn reader(&self) -> anyhow::Result<Reader> {
        Ok(Reader::new(self.lake.clone(), ReaderLimits::default())?)
    }
}

/// Writes one subject's facts under seqs without a gap.
pub struct Writer {
    pub subject: Subject,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub agent: Option<AgentId>,
    pub epoch: Epoch,
    next: u64,
}

impl Writer {
    pub fn new(subject: Subject, site: SiteId, kind: DeviceKind, agent: Option<AgentId>) -> Self {
        let word: &[u8] = if agent.is_some() { b"agent" } else { b"person" };
        let epoch = Epoch::derived(&[word, subject.key().as_bytes()]);
        Self { subject, site, kind, agent, epoch, next: 1 }
    }

    /// How many facts were written so far.
    #[allow(dead_code, reason = "the bench does not ask")]
    pub const fn written(&self) -> u64 {
        self.next - 1
    }

    /// One record with these bodies, each at its own instant, said at `said`.
    pub fn record(&mut self, bodies: Vec<(Timestamp, Body)>, said: Timestamp) -> Run {
        let first_seq = Seq(self.next);
        self.next += bodies.len() as u64;
        let kind = if self.agent.is_some() { SourceKind::Device } else { SourceKind::Person };
        let source = Source { kind, name: if self.agent.is_some() { "agent" } else { "person" }.to_owned() };
        let fact = |(at, body): (Timestamp, Body)| {
            let known_at = said.max(at);
            medfleet_wire::seal(Fact {
                at,
                known_at,
                known_assumed: false,
                clock: Clock::Synchronised,
                source: source.clone(),
                body,
            })
        };
        Run {
            subject: self.subject.clone(),
            epoch: self.epoch,
            first_seq,
            site: self.site.clone(),
            kind: self.kind,
            agent: self.agent.clone(),
            facts: bodies.into_iter().map(fact).collect(),
        }
    }
}
