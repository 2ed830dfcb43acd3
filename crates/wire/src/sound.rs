//! Runs and facts that are only handed on: known to be such as every reader takes, and left as they were written.

use bytes::Bytes;
use medfleet_domain::condition::{Clock, Condition, SourceKind};
use medfleet_domain::fact::{Body, Fact, Severity, Stretch};
use medfleet_domain::id::{SeqRange, Subject};
use medfleet_domain::time::Timestamp;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use crate::fact::{degradation, read_fact};
use crate::limits::FACT_MAX_BYTES;
use crate::pb;
use crate::read::instant;
use crate::refusal::Refusal;
use crate::run::Header;
use crate::word::Word;

/// A run that every reader takes. Of its facts only what a door asks is known; [`crate::decode_run`] reads the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundRun {
    pub subject: Subject,
    pub seqs: SeqRange,
    /// Of all its facts.
    pub spoken: Spoken,
    /// A `Run` message.
    pub bytes: Bytes,
}

/// The times that facts speak of: the earliest, and the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Spoken {
    /// Both.
    pub fn and(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), until: self.until.max(other.until) }
    }
}

impl From<&Fact> for Spoken {
    fn from(fact: &Fact) -> Self {
        Self { from: fact.at, until: fact.span().map_or(fact.at, |span| span.until) }
    }
}

/// The header of a run, and of what times its facts speak, if it is written as every writer of today writes and all its facts are sound.
/// None says that it must be read, not that it is bad. What stands in a header that we do not write could hurt those who read it within a
/// record, or be read by the next version though no door has looked at it.
pub(crate) fn look_at_run(run: &[u8]) -> Option<(Header, SeqRange, Spoken)> {
    let (header, facts) = run.split_at(header_bytes(run)?);
    let mut count = 0;
    let mut spoken: Option<Spoken> = None;
    let mut rest = facts;
    while !rest.is_empty() {
        let (FACTS, WireType::LengthDelimited) = decode_key(&mut rest).ok()? else { return None };
        let of_fact = look(length_delimited(&mut rest)?).ok()?;
        spoken = Some(spoken.map_or(of_fact, |so_far| so_far.and(of_fact)));
        count += 1;
    }
    let wire = pb::Run::decode(header).ok()?;
    if wire.encode_to_vec() != header {
        return None;
    }
    Some((Header::read(&wire, count).ok()?, crate::run::seqs(&wire, count).ok()?, spoken?))
}

/// The tag of a run's facts, which come last.
const FACTS: u32 = 7;

/// Where the first fact of a run begins.
fn header_bytes(run: &[u8]) -> Option<usize> {
    let mut rest = run;
    loop {
        let before = run.len() - rest.len();
        let (tag, wire) = decode_key(&mut rest).ok()?;
        if tag == FACTS {
            return Some(before);
        }
        Value::take(wire, &mut rest)?;
    }
}

/// [`read_fact`] for whoever hands the fact on: the same refusals, and nothing is built of a fact of the usual shape.
pub(crate) fn look(bytes: &[u8]) -> Result<Spoken, Refusal> {
    usual(bytes).map_or_else(|| Ok((&read_fact(bytes)?).into()), Ok)
}

/// What a fact of the sorts that devices tell all day speaks of, if each of its fields stands once and in order.
/// None says that it must be read, not that it is bad.
fn usual(bytes: &[u8]) -> Option<Spoken> {
    let (mut at, mut known_at, mut clock, mut source_kind, mut body) = (0, None, 0, 0, None);
    if bytes.len() > FACT_MAX_BYTES {
        return None;
    }
    each_field(bytes, |tag, value| {
        match (tag, value) {
            (1, Value::Fixed(micros)) => at = micros,
            (2, Value::Fixed(micros)) => known_at = Some(micros),
            (3, Value::Varint(_)) => {}
            (4, Value::Varint(number)) => clock = word_number(number)?,
            (5, Value::Varint(number)) => source_kind = word_number(number)?,
            (6, Value::Bytes(name)) => drop(text(name)?),
            (BEGAN..=USAGE, Value::Bytes(of_body)) if body.is_none() => body = Some((tag, of_body)),
            _ => return None,
        }
        Some(())
    })?;
    let at = instant("at_us", at).ok()?;
    instant("known_at_us", known_at?).ok()?;
    Clock::required("clock", "fact", clock).ok()?;
    SourceKind::required("source_kind", "fact", source_kind).ok()?;
    let until = match body? {
        (BEGAN, body) => usual_begin(body).map(|()| at),
        (STRETCH, body) => usual_stretch(at, body),
        (ERROR, body) => usual_error(body).map(|()| at),
        (_, body) => usual_usage(body).map(|()| at),
    }?;
    Some(Spoken { from: at, until })
}

const BEGAN: u32 = 17;
const STRETCH: u32 = 18;
const ERROR: u32 = 19;
const USAGE: u32 = 20;

fn usual_begin(body: &[u8]) -> Option<()> {
    let (mut condition, mut degraded) = (0, 0);
    each_field(body, |tag, value| {
        match (tag, value) {
            (1, Value::Varint(number)) => condition = word_number(number)?,
            (2, Value::Varint(number)) => degraded = word_number(number)?,
            _ => return None,
        }
        Some(())
    })?;
    Condition::required("condition", "begin", condition).ok()?;
    degradation(degraded).map(drop).ok()
}

fn usual_stretch(at: Timestamp, body: &[u8]) -> Option<Timestamp> {
    let (mut until, mut condition, mut degraded) = (0, 0, 0);
    each_field(body, |tag, value| {
        match (tag, value) {
            (1, Value::Fixed(micros)) => until = micros,
            (2, Value::Varint(number)) => condition = word_number(number)?,
            (3, Value::Varint(number)) => degraded = word_number(number)?,
            _ => return None,
        }
        Some(())
    })?;
    let until = instant("until_us", until).ok()?;
    let condition = Condition::required("condition", "stretch", condition).ok()?;
    let degradation = degradation(degraded).ok()?;
    Body::Stretch(Stretch { until, condition, degradation }).check(at).ok()?;
    Some(until)
}

fn usual_error(body: &[u8]) -> Option<()> {
    let (mut code, mut severity) = ("", 0);
    each_field(body, |tag, value| {
        match (tag, value) {
            (1, Value::Bytes(bytes)) => code = text(bytes)?,
            (3, Value::Varint(number)) => severity = word_number(number)?,
            (2 | 4..=6, Value::Bytes(bytes)) => drop(text(bytes)?),
            _ => return None,
        }
        Some(())
    })?;
    Severity::required("severity", "error", severity).ok()?;
    (!code.is_empty()).then_some(())
}

fn usual_usage(body: &[u8]) -> Option<()> {
    let (mut counter, mut value_milli, mut modulus_milli) = ("", 0, None);
    each_field(body, |tag, value| {
        match (tag, value) {
            (1, Value::Bytes(bytes)) => counter = text(bytes)?,
            (2 | 3, Value::Bytes(bytes)) => drop(text(bytes)?),
            (4, Value::Varint(number)) => value_milli = signed(number),
            (5, Value::Varint(number)) => modulus_milli = Some(signed(number)),
            _ => return None,
        }
        Some(())
    })?;
    (!counter.is_empty() && value_milli >= 0 && modulus_milli.is_none_or(|modulus| modulus > 0)).then_some(())
}

/// What stands under a tag, as far as it is of use here.
enum Value<'a> {
    Varint(u64),
    Fixed(i64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn take(wire: WireType, rest: &mut &'a [u8]) -> Option<Self> {
        match wire {
            WireType::Varint => decode_varint(rest).ok().map(Self::Varint),
            WireType::SixtyFourBit => {
                let (number, after) = rest.split_first_chunk()?;
                *rest = after;
                Some(Self::Fixed(i64::from_le_bytes(*number)))
            }
            WireType::LengthDelimited => length_delimited(rest).map(Self::Bytes),
            _ => None,
        }
    }
}

/// Hands over the fields of a message, each of which stands once and in the order of its tag.
fn each_field<'a>(message: &'a [u8], mut take: impl FnMut(u32, Value<'a>) -> Option<()>) -> Option<()> {
    let (mut rest, mut last) = (message, 0);
    while !rest.is_empty() {
        let (tag, wire) = decode_key(&mut rest).ok()?;
        if tag <= last {
            return None;
        }
        last = tag;
        take(tag, Value::take(wire, &mut rest)?)?;
    }
    Some(())
}

fn length_delimited<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn word_number(number: u64) -> Option<i32> {
    i32::try_from(number).ok()
}

/// Protobuf's `sint64`.
const fn signed(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}
