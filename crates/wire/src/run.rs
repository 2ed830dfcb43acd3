//! Runs of facts, and the log record that carries one.

use bytes::Bytes;
use medfleet_domain::Invalid;
use medfleet_domain::fact::{Run, Sealed};
use medfleet_domain::id::{AgentId, Epoch, Seq, SeqRange, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use prost::Message;

use crate::fact::unseal;
use crate::limits::{BATCH_MAX_BYTES, RECORD_MAX_BYTES, RUN_MAX_FACTS, SEQ_MAX};
use crate::pb;
use crate::read::{decoded_shared, device_kind, few, instant, present, site, subject};
use crate::refusal::Refusal;
use crate::schema::SCHEMA_VERSION;
use crate::sound::SoundRun;

/// What a record of the log says: a run, and when ingest received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub run: Run,
    pub received_at: Timestamp,
    /// Seqs of the run whose time ingest could not believe: kept, never folded. Judged once, at the door.
    pub implausible: Vec<Seq>,
}

/// The value of a record in `medfleet.facts.v1` and `medfleet.fleet.v1`.
pub fn encode_record(record: &Record) -> Vec<u8> {
    pb::LogRecord {
        schema: SCHEMA_VERSION,
        run: Some((&record.run).into()),
        received_at_us: record.received_at.micros(),
        implausible: record.implausible.iter().map(|seq| seq.0).collect(),
    }
    .encode_to_vec()
}

/// `pb::LogRecord` with its run left as bytes.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(bytes = "bytes", tag = "2")]
    run: Bytes,
    #[prost(sfixed64, tag = "3")]
    received_at_us: i64,
    #[prost(uint64, repeated, tag = "4")]
    implausible: Vec<u64>,
}

impl SoundRun {
    /// The value of a record that holds this run, with the seqs whose time ingest could not believe.
    pub fn record(&self, received_at: Timestamp, implausible: &[Seq]) -> Vec<u8> {
        Envelope {
            schema: SCHEMA_VERSION,
            run: self.bytes.clone(),
            received_at_us: received_at.micros(),
            implausible: implausible.iter().map(|seq| seq.0).collect(),
        }
        .encode_to_vec()
    }
}

/// Reads a record whole or not at all: what stands in the log was taken in at a door of this or an older schema.
pub fn decode_record(bytes: &[u8]) -> Result<Record, Refusal> {
    let wire: pb::LogRecord = decoded_shared("record", bytes, RECORD_MAX_BYTES)?;
    let schema = wire.schema;
    read_record(wire).map_err(|refusal| refusal.under_schema(schema))
}

fn read_record(wire: pb::LogRecord) -> Result<Record, Refusal> {
    let run = read_run(present("run", "record", wire.run)?)?;
    let held = run.seqs().ok_or(Refusal::EmptyRun)?;
    few("implausible seqs in a record", wire.implausible.len(), run.facts.len())?;
    let implausible = wire.implausible.into_iter().map(|seq| within(held, seq)).collect::<Result<_, _>>()?;
    Ok(Record { run, received_at: instant("received_at_us", wire.received_at_us)?, implausible })
}

fn within(held: SeqRange, seq: u64) -> Result<Seq, Refusal> {
    if held.contains(held.epoch, Seq(seq)) {
        return Ok(Seq(seq));
    }
    let [value, low, high] = [seq, held.first.0, held.last.0].map(|seq| i64::try_from(seq).unwrap_or(i64::MAX));
    Err(Refusal::InvalidValue { field: "implausible", source: Invalid::Range { what: "seq", value, low, high } })
}

/// A run by itself: how single runs lie in quarantine.
pub fn encode_run(run: &Run) -> Vec<u8> {
    pb::Run::from(run).encode_to_vec()
}

pub fn decode_run(bytes: &[u8]) -> Result<Run, Refusal> {
    read_run(decoded_shared("run", bytes, BATCH_MAX_BYTES)?)
}

fn read_run(mut wire: pb::Run) -> Result<Run, Refusal> {
    let sealed = std::mem::take(&mut wire.facts);
    let header = Header::read(&wire, sealed.len())?;
    // Collected as a result, they would be moved again and again as they become more.
    let mut facts = Vec::with_capacity(sealed.len());
    for bytes in sealed {
        facts.push(unseal(bytes)?);
    }
    Ok(header.run(header.first_seq, facts))
}

/// Everything of a run but its facts.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub subject: Subject,
    pub epoch: Epoch,
    pub first_seq: Seq,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub agent: Option<AgentId>,
}

impl Header {
    /// Reads the header of a run of `count` facts. Refuses a run whose facts could not be numbered.
    pub fn read(wire: &pb::Run, count: usize) -> Result<Self, Refusal> {
        few("facts in a run", count, RUN_MAX_FACTS)?;
        seqs(wire, count)?;
        Ok(Self {
            subject: subject("run", wire.subject.clone())?,
            epoch: Epoch(wire.epoch),
            first_seq: Seq(wire.first_seq),
            site: site("run.site", &wire.site)?,
            kind: device_kind("run.kind", &wire.kind)?,
            agent: match wire.agent.as_str() {
                "" => None,
                name => Some(AgentId::new(name).map_err(Refusal::invalid("run.agent"))?),
            },
        })
    }

    /// These facts under this header, from `first_seq` on.
    pub fn run(&self, first_seq: Seq, facts: Vec<Sealed>) -> Run {
        Run {
            subject: self.subject.clone(),
            epoch: self.epoch,
            first_seq,
            site: self.site.clone(),
            kind: self.kind,
            agent: self.agent.clone(),
            facts,
        }
    }
}

/// The seqs of a run of `count` facts.
pub(crate) fn seqs(wire: &pb::Run, count: usize) -> Result<SeqRange, Refusal> {
    let first = wire.first_seq;
    let beyond_first = count.checked_sub(1).ok_or(Refusal::EmptyRun)? as u64;
    if first == 0 {
        return Err(Refusal::SeqZero);
    }
    match first.checked_add(beyond_first) {
        Some(last) if last <= SEQ_MAX => Ok(SeqRange { epoch: Epoch(wire.epoch), first: Seq(first), last: Seq(last) }),
        _ => Err(Refusal::SeqOverflow { first, count }),
    }
}

impl From<&Run> for pb::Run {
    fn from(run: &Run) -> Self {
        Self {
            subject: Some((&run.subject).into()),
            epoch: run.epoch.0,
            first_seq: run.first_seq.0,
            site: run.site.as_str().into(),
            kind: run.kind.as_str().into(),
            agent: run.agent.as_ref().map(|agent| agent.as_str().into()).unwrap_or_default(),
            facts: run.facts.iter().map(|sealed| sealed.bytes.clone()).collect(),
        }
    }
}
