//! One installation without processes: records go straight into the processor's fold and tables, at append times that the
//! caller chooses.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
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
use medfleet_processor::clerk::{Clerk, Spans};
use medfleet_processor::told::Told;
use medfleet_processor::{Share, Shelves};

const FACT_PARTITIONS: u32 = 12;
/// Rows that wait at most while memory is folded from an archive.
const REPLAY_ROWS: usize = 500_000;

pub struct Install {
    pub lake: Lake,
    clerk: Clerk,
    /// Records that wait to be admitted.
    told: VecDeque<Told>,
    ends: BTreeMap<Partition, u64>,
    /// How far the archive reached when it was opened: what is appended below is in the tables.
    archived: BTreeMap<Partition, u64>,
}

impl Install {
    /// An installation in a folder: empty, or where an earlier one was left, with its memory folded from the archive. Whoever
    /// appends the same records from the first one goes on where it ended.
    pub async fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut install = Self::remembering(folder, &[Topic::FLEET, Topic::FACTS]).await?;
        install.ends.clear();
        Ok(install)
    }

    /// An installation that goes on behind what a lake has, and tells only of devices that were never told of: it remembers the sites.
    #[allow(dead_code, reason = "only the bench tells beside what it measures")]
    pub async fn beside(folder: &Path) -> anyhow::Result<Self> {
        let mut install = Self::remembering(folder, &[Topic::FLEET]).await?;
        // A cut is made once everything is reached that a table has.
        for (home, end) in &install.archived {
            install.clerk.book.next.entry(*home).or_insert(*end);
        }
        Ok(install)
    }

    /// With the memory of these topics, at the end of what the archive has.
    async fn remembering(folder: &Path, topics: &[Topic]) -> anyhow::Result<Self> {
        let lake = Lake::open_local(folder).await?;
        let origin = Origin { rules: "fold of the tests".to_owned(), log: "tests".to_owned() };
        let facts = (0..FACT_PARTITIONS).map(|partition| Partition::new(Topic::FACTS, partition));
        let owned: Vec<Partition> = facts.chain([Partition::new(Topic::FLEET, 0)]).collect();
        let reader = || Reader::new(lake.clone(), ReaderLimits::default());
        let shelves = Shelves::open(&lake, reader()?, &origin, &owned, Share::Whole).await?;
        let archived: BTreeMap<_, _> = owned.into_iter().map(|home| (home, shelves.archived(home))).collect();
        let mut clerk = Clerk::new(Book::default(), shelves, Archive::new(reader()?), None);
        // Sites first: rollups ask for their time zones.
        for topic in topics {
            let of_topic = archived.iter().filter(|(home, _)| home.topic == *topic);
            let spans: Spans = of_topic.map(|(home, end)| (*home, 0..*end)).collect();
            if !spans.values().all(Range::is_empty) {
                clerk.replay(&spans, REPLAY_ROWS, |_| {}).await?;
            }
        }
        Ok(Self { lake, clerk, told: VecDeque::new(), ends: archived.clone(), archived })
    }

    /// The sites it knows.
    #[allow(dead_code, reason = "only the bench tells beside what it measures")]
    pub fn sites(&self) -> anyhow::Result<Vec<SiteId>> {
        self.clerk.book.memory.zones.keys().map(|site| Ok(SiteId::new(site)?)).collect()
    }

    /// Whether all that was appended so far was in the tables before.
    #[allow(dead_code, reason = "only the bench goes on with what it left")]
    pub fn is_behind(&self) -> bool {
        self.ends.iter().all(|(home, end)| self.archived.get(home).is_some_and(|archived| end <= archived))
    }

    /// One record of the log, appended at this instant.
    pub fn append(&mut self, run: &Run, appended_at: Timestamp) -> anyhow::Result<()> {
        let key = run.subject.key();
        let home = match run.subject.kind {
            SubjectKind::Site => Partition::new(Topic::FLEET, 0),
            _ => Partition::new(Topic::FACTS, partition_of(key.as_bytes(), FACT_PARTITIONS)),
        };
        let end = self.ends.entry(home).or_default();
        let offset = *end;
        *end += 1;
        if offset < self.archived.get(&home).copied().unwrap_or(0) {
            return Ok(());
        }
        let record = medfleet_wire::Record { run: run.clone(), received_at: appended_at, implausible: Vec::new() };
        let value = medfleet_wire::encode_record(&record).into();
        let record = Record { offset, appended_at_micros: appended_at.0, key: key.into(), value };
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
