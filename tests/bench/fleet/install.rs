//! One installation without processes: records go straight into the processor's fold and tables, at append times that the
//! caller chooses.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::fact::{Body, Fact, Run, Source};
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_lake::{Lake, Origin, Reader, ReaderLimits, UtcMicros};
use medfleet_log::{Partition, Record, Topic, partition_of};
use medfleet_processor::archive::Archive;
use medfleet_processor::book::Book;
use medfleet_processor::clerk::Clerk;
use medfleet_processor::told::Told;
use medfleet_processor::{Share, Shelves};

const FACT_PARTITIONS: u32 = 12;

pub struct Install {
    pub lake: Lake,
    clerk: Clerk,
    /// Records that wait to be admitted.
    told: VecDeque<Told>,
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
        let shelves = Shelves::open(&lake, reader()?, &origin, &owned, Share::Whole).await?;
        let clerk = Clerk::new(Book::default(), shelves, Archive::new(reader()?), None);
        Ok(Self { lake, clerk, told: VecDeque::new(), ends: BTreeMap::new() })
    }

    /// One record of the log, appended at this instant.
    pub fn append(&mut self, run: &Run, appended_at: Timestamp) -> anyhow::Result<()> {
        let key = run.subject.key();
        let home = match run.subject.kind {
            SubjectKind::Site => Partition::new(Topic::FLEET, 0),
            _ => Partition::new(Topic::FACTS, partition_of(key.as_bytes(), FACT_PARTITIONS)),
        };
        let end = self.ends.entry(home).or_default();
        let record = medfleet_wire::Record { run: run.clone(), received_at: appended_at, implausible: Vec::new() };
        let value = medfleet_wire::encode_record(&record).into();
        let record = Record { offset: *end, appended_at_micros: appended_at.0, key: key.into(), value };
        *end += 1;
        self.told.push_back(Told::by_log(home, &record)?);
        Ok(())
    }

    /// Admits and commits what waits and makes a cut. Answers how many facts were ever taken.
    pub async fn flush(&mut self, now: Timestamp) -> anyhow::Result<u64> {
        self.clerk.admit(&mut self.told, usize::MAX, |_| {}).await?;
        self.clerk.flush_at(false, UtcMicros(now.0)).await?;
        self.clerk.land().await?;
        Ok(self.clerk.book.counts.appended)
    }

    #[allow(dead_code, reason = "the bench reads with more memory")]
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
