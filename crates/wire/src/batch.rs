//! Batches: one MQTT message of an agent. What is bad in one spoils nothing beside it.

use bytes::Bytes;
use medfleet_domain::fact::Run;
use medfleet_domain::id::{AgentId, Seq, SeqRange, SiteId, Subject};
use prost::Message;

use crate::limits::{BATCH_MAX_BYTES, BATCH_MAX_RUNS};
use crate::pb;
use crate::read::{decoded_whole, few, present, site, subject};
use crate::refusal::Refusal;
use crate::run::{Header, seqs};
use crate::schema::SCHEMA_VERSION;
use crate::sound::{SoundRun, Spoken, look, look_at_run};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub agent: AgentId,
    pub site: SiteId,
    /// One life of the agent process, and the number of this batch in it.
    pub session: u64,
    pub number: u64,
    pub runs: Vec<Run>,
}

/// A batch as far as it could be read. Runs stand in the order they came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedBatch {
    /// The vocabulary of its writer.
    pub schema: u32,
    pub agent: AgentId,
    pub site: SiteId,
    pub session: u64,
    pub number: u64,
    pub runs: Vec<Result<SoundRun, BadRun>>,
}

/// Facts of one run that are refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRun {
    /// Whose facts these are, if that could be read. Without it no receipt can name them.
    pub subject: Option<Subject>,
    pub seqs: Option<SeqRange>,
    /// A `Run` message with these facts, or what stood in its place: [`crate::decode_run`] tries it again.
    pub bytes: Bytes,
    pub refusal: Refusal,
}

/// `pb::Batch` with its runs left as bytes, so that a run that cannot be decoded spoils only itself.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(string, tag = "2")]
    agent: String,
    #[prost(string, tag = "3")]
    site: String,
    #[prost(fixed64, tag = "4")]
    session: u64,
    #[prost(uint64, tag = "5")]
    number: u64,
    #[prost(bytes = "bytes", repeated, tag = "6")]
    runs: Vec<Bytes>,
}

pub fn encode_batch(batch: &Batch) -> Vec<u8> {
    pb::Batch {
        schema: SCHEMA_VERSION,
        agent: batch.agent.as_str().into(),
        site: batch.site.as_str().into(),
        session: batch.session,
        number: batch.number,
        runs: batch.runs.iter().map(Into::into).collect(),
    }
    .encode_to_vec()
}

/// Reads a batch. Only an envelope that cannot be read refuses it whole; a bad run, and a bad fact inside a good run, is cut out
/// and named. A newer schema refuses nothing by itself: words that are known are taken in, unknown ones are held.
pub fn decode_batch(bytes: Bytes) -> Result<DecodedBatch, Refusal> {
    let envelope: Envelope = decoded_whole("batch", bytes, BATCH_MAX_BYTES)?;
    few("runs in a batch", envelope.runs.len(), BATCH_MAX_RUNS)?;
    let schema = present("schema", "batch", (envelope.schema > 0).then_some(envelope.schema))?;
    let mut batch = DecodedBatch {
        schema,
        agent: AgentId::new(&envelope.agent).map_err(Refusal::invalid("batch.agent"))?,
        site: site("batch.site", &envelope.site)?,
        session: envelope.session,
        number: envelope.number,
        runs: Vec::with_capacity(envelope.runs.len()),
    };
    for bytes in envelope.runs {
        batch.take(bytes);
    }
    Ok(batch)
}

impl DecodedBatch {
    fn take(&mut self, bytes: Bytes) {
        if let Some(run) = self.as_written(&bytes) {
            return self.runs.push(Ok(run));
        }
        let mut wire = match pb::Run::decode(bytes.clone()) {
            Ok(wire) => wire,
            Err(source) => {
                let refusal = Refusal::Undecodable { what: "run", source };
                return self.runs.push(Err(BadRun { subject: None, seqs: None, bytes, refusal }));
            }
        };
        let facts = std::mem::take(&mut wire.facts);
        match Header::read(&wire, facts.len()).and_then(|header| self.own(header)) {
            Ok(header) => self.runs.extend(cut(&header, facts, self.schema)),
            Err(refusal) => self.runs.push(Err(BadRun {
                seqs: seqs(&wire, facts.len()).ok(),
                subject: subject("run", wire.subject).ok(),
                bytes,
                refusal: refusal.under_schema(self.schema),
            })),
        }
    }

    /// A run without fault that names its agent stays the bytes it is. None of any other.
    fn as_written(&self, bytes: &Bytes) -> Option<SoundRun> {
        let (header, seqs, spoken) = look_at_run(bytes)?;
        let is_own = header.site == self.site && header.agent.as_ref() == Some(&self.agent);
        is_own.then(|| SoundRun { subject: header.subject, seqs, spoken, bytes: bytes.clone() })
    }

    /// An agent speaks for itself and its own site; a run that names no agent is its batch's.
    fn own(&self, header: Header) -> Result<Header, Refusal> {
        let foreign = |what, run: &str, batch: &str| Refusal::ForeignRun { what, run: run.into(), batch: batch.into() };
        if header.site != self.site {
            return Err(foreign("site", header.site.as_str(), self.site.as_str()));
        }
        match &header.agent {
            Some(agent) if *agent != self.agent => Err(foreign("agent", agent.as_str(), self.agent.as_str())),
            _ => Ok(Header { agent: Some(self.agent.clone()), ..header }),
        }
    }
}

/// Cuts a run where its facts cannot be read, so that a bad fact spoils only itself.
fn cut(header: &Header, facts: Vec<Bytes>, schema: u32) -> Vec<Result<SoundRun, BadRun>> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (seq, bytes) in (header.first_seq.0..).map(Seq).zip(facts) {
        let fate = look(&bytes).map_err(|refusal| refusal.under_schema(schema));
        match pieces.last_mut() {
            Some(piece) if piece.shares(&fate) => piece.add(bytes, fate),
            _ => pieces.push(Piece { first: seq, facts: vec![bytes], fate }),
        }
    }
    pieces.into_iter().map(|piece| piece.under(header)).collect()
}

/// Neighbours in a run that share one fate.
struct Piece {
    first: Seq,
    facts: Vec<Bytes>,
    fate: Result<Spoken, Refusal>,
}

impl Piece {
    fn shares(&self, fate: &Result<Spoken, Refusal>) -> bool {
        match (&self.fate, fate) {
            (Ok(_), Ok(_)) => true,
            (Err(refusal), Err(new)) => refusal.code() == new.code(),
            _ => false,
        }
    }

    fn add(&mut self, fact: Bytes, fate: Result<Spoken, Refusal>) {
        self.facts.push(fact);
        if let (Ok(spoken), Ok(of_fact)) = (&mut self.fate, fate) {
            *spoken = spoken.and(of_fact);
        }
    }

    fn under(self, header: &Header) -> Result<SoundRun, BadRun> {
        let last = Seq(self.first.0 + self.facts.len() as u64 - 1);
        let (subject, seqs) = (header.subject.clone(), SeqRange { epoch: header.epoch, first: self.first, last });
        let wire = pb::Run { facts: self.facts, ..(&header.run(self.first, Vec::new())).into() };
        let bytes = wire.encode_to_vec().into();
        match self.fate {
            Ok(spoken) => Ok(SoundRun { subject, seqs, spoken, bytes }),
            Err(refusal) => Err(BadRun { subject: Some(subject), seqs: Some(seqs), bytes, refusal }),
        }
    }
}
