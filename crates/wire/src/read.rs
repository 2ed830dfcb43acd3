//! Values that stand in many messages, and the checks that make them safe for every later reader.

use bytes::Bytes;
use medfleet_domain::Invalid;
use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, Span, Timestamp};

use crate::limits::SEQ_MAX;
use crate::pb;
use crate::refusal::Refusal;
use crate::word::Word;

/// Days that have a calendar date of four digits: beyond them day arithmetic would overflow.
const FIRST_DAY: Day = Day::from_civil(1, 1, 1);
const LAST_DAY: Day = Day::from_civil(9999, 12, 31);

pub(crate) fn decoded<M: prost::Message + Default>(
    what: &'static str,
    bytes: &[u8],
    limit: usize,
) -> Result<M, Refusal> {
    M::decode(bounded(what, bytes, limit)?).map_err(|source| Refusal::Undecodable { what, source })
}

/// [`decoded`] for messages that hold facts, whose bytes then are parts of one copy.
pub(crate) fn decoded_shared<M: prost::Message + Default>(
    what: &'static str,
    bytes: &[u8],
    limit: usize,
) -> Result<M, Refusal> {
    bounded(what, bytes, limit)?;
    decoded_whole(what, Bytes::copy_from_slice(bytes), limit)
}

/// [`decoded_shared`] without the copy: what is kept of a message keeps it whole.
pub(crate) fn decoded_whole<M: prost::Message + Default>(
    what: &'static str,
    bytes: Bytes,
    limit: usize,
) -> Result<M, Refusal> {
    bounded(what, &bytes, limit)?;
    M::decode(bytes).map_err(|source| Refusal::Undecodable { what, source })
}

fn bounded<'a>(what: &'static str, bytes: &'a [u8], limit: usize) -> Result<&'a [u8], Refusal> {
    if bytes.len() > limit { Err(Refusal::Oversized { what, bytes: bytes.len(), limit }) } else { Ok(bytes) }
}

pub(crate) fn few(what: &'static str, count: usize, limit: usize) -> Result<(), Refusal> {
    if count <= limit { Ok(()) } else { Err(Refusal::TooMany { what, count, limit }) }
}

pub(crate) fn present<T>(field: &'static str, of: &'static str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::MissingField { field, of })
}

pub(crate) fn text(field: &'static str, of: &'static str, value: String) -> Result<String, Refusal> {
    if value.is_empty() { Err(Refusal::MissingField { field, of }) } else { Ok(value) }
}

/// A time with a calendar date. Implausible ones are taken in; only what no calendar can name is refused.
pub(crate) fn instant(field: &'static str, micros: i64) -> Result<Timestamp, Refusal> {
    let (low, high) = (FIRST_DAY.start().micros(), LAST_DAY.end().micros() - 1);
    if (low..=high).contains(&micros) {
        return Ok(Timestamp(micros));
    }
    Err(Refusal::InvalidValue {
        field,
        source: Invalid::Range { what: "time in microseconds", value: micros, low, high },
    })
}

pub(crate) fn instant_if_said(field: &'static str, micros: Option<i64>) -> Result<Option<Timestamp>, Refusal> {
    micros.map(|micros| instant(field, micros)).transpose()
}

pub(crate) fn day(field: &'static str, number: i32) -> Result<Day, Refusal> {
    if (FIRST_DAY.0..=LAST_DAY.0).contains(&number) {
        return Ok(Day(number));
    }
    let (low, high) = (i64::from(FIRST_DAY.0), i64::from(LAST_DAY.0));
    Err(Refusal::InvalidValue { field, source: Invalid::Range { what: "day", value: i64::from(number), low, high } })
}

/// A window of which both ends are said, or neither.
pub(crate) fn window(field: &'static str, from: Option<i64>, until: Option<i64>) -> Result<Option<Span>, Refusal> {
    match (from, until) {
        (None, None) => Ok(None),
        (Some(from), Some(until)) => {
            Span::new(instant(field, from)?, instant(field, until)?).map(Some).map_err(Refusal::invalid(field))
        }
        _ => Err(Refusal::MissingField { field, of: "planned window" }),
    }
}

pub(crate) fn site(field: &'static str, name: &str) -> Result<SiteId, Refusal> {
    SiteId::new(name).map_err(Refusal::invalid(field))
}

/// A kind that is not in the catalogue may be one of a newer catalogue.
pub(crate) fn device_kind(field: &'static str, name: &str) -> Result<DeviceKind, Refusal> {
    DeviceKind::parse(name).map_err(|source| match source {
        Invalid::Name { value, .. } => Refusal::UnknownValue { field, value },
        source => Refusal::InvalidValue { field, source },
    })
}

pub(crate) fn subject(of: &'static str, subject: Option<pb::Subject>) -> Result<Subject, Refusal> {
    let subject = present("subject", of, subject)?;
    let kind = SubjectKind::required("subject.kind", of, subject.kind)?;
    Subject::new(kind, &subject.name).map_err(Refusal::invalid("subject.name"))
}

pub(crate) fn seq_range(
    field: &'static str,
    of: &'static str,
    range: Option<pb::SeqRange>,
) -> Result<SeqRange, Refusal> {
    let pb::SeqRange { epoch, first, last } = present(field, of, range)?;
    if first == 0 {
        return Err(Refusal::SeqZero);
    }
    if first > last || last > SEQ_MAX {
        let value = i64::try_from(last).unwrap_or(i64::MAX);
        let low = i64::try_from(first).unwrap_or(i64::MAX);
        return Err(Refusal::InvalidValue {
            field,
            source: Invalid::Range { what: "last seq", value, low, high: i64::MAX },
        });
    }
    Ok(SeqRange { epoch: Epoch(epoch), first: Seq(first), last: Seq(last) })
}

pub(crate) fn seq_range_if_said(field: &'static str, range: Option<pb::SeqRange>) -> Result<Option<SeqRange>, Refusal> {
    range.map(|range| seq_range(field, "range of seqs", Some(range))).transpose()
}

impl From<&Subject> for pb::Subject {
    fn from(subject: &Subject) -> Self {
        Self { kind: subject.kind.number(), name: subject.name().into() }
    }
}

impl From<SeqRange> for pb::SeqRange {
    fn from(range: SeqRange) -> Self {
        Self { epoch: range.epoch.0, first: range.first.0, last: range.last.0 }
    }
}

/// A number that fits a smaller type.
pub(crate) fn narrow<T: TryFrom<u32>>(field: &'static str, value: u32, high: i64) -> Result<T, Refusal> {
    let out_of_range =
        |_| Refusal::InvalidValue { field, source: Invalid::Range { what: field, value: value.into(), low: 0, high } };
    T::try_from(value).map_err(out_of_range)
}
