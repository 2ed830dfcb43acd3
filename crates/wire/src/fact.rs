//! Facts: one table from what a fact says to how it is written, and one back.

use bytes::Bytes;
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{
    Amendment, Body, DeviceError, Fact, JournalState, Replacement, Sample, Sealed, Severity, Source, Stretch,
};
use medfleet_domain::human::{Binding, Retirement};
use medfleet_domain::time::Timestamp;
use pb::fact::Body as Wire;
use prost::Message;

use crate::limits::FACT_MAX_BYTES;
use crate::pb;
use crate::read::{decoded, instant, instant_if_said, present, seq_range, seq_range_if_said, text};
use crate::refusal::Refusal;
use crate::schema::upcast;
use crate::word::Word;

/// As in the domain: a fact is moved a dozen times.
const _: () = assert!(size_of::<Wire>() <= 136);

pub fn encode_fact(fact: &Fact) -> Vec<u8> {
    pb::Fact {
        at_us: fact.at.micros(),
        known_at_us: Some(fact.known_at.micros()),
        known_assumed: fact.known_assumed,
        clock: fact.clock.number(),
        source_kind: fact.source.kind.number(),
        source_name: fact.source.name.clone(),
        body: Some(write_body(&fact.body)),
    }
    .encode_to_vec()
}

/// Writes a fact down for life: from here on its bytes are what it is.
pub fn seal(fact: Fact) -> Sealed {
    let bytes = encode_fact(&fact).into();
    Sealed { fact, bytes }
}

/// Seals a fact that every reader will take, or says now why none would. For writers, before they promise to keep it.
pub fn accept(fact: Fact) -> Result<Sealed, Refusal> {
    unseal(encode_fact(&fact).into())
}

/// Reads a fact and keeps the bytes as they are, with fields that this version does not know.
pub fn decode_fact(bytes: &[u8]) -> Result<Sealed, Refusal> {
    Ok(Sealed { fact: read_fact(bytes)?, bytes: Bytes::copy_from_slice(bytes) })
}

/// [`decode_fact`] without a copy.
pub fn unseal(bytes: Bytes) -> Result<Sealed, Refusal> {
    Ok(Sealed { fact: read_fact(&bytes)?, bytes })
}

pub(crate) fn read_fact(bytes: &[u8]) -> Result<Fact, Refusal> {
    let mut wire: pb::Fact = decoded("fact", bytes, FACT_MAX_BYTES)?;
    upcast(&mut wire);
    let known_at = present("known_at_us", "fact", wire.known_at_us)?;
    let fact = Fact {
        at: instant("at_us", wire.at_us)?,
        known_at: instant("known_at_us", known_at)?,
        known_assumed: wire.known_assumed,
        clock: Clock::required("clock", "fact", wire.clock)?,
        source: Source { kind: SourceKind::required("source_kind", "fact", wire.source_kind)?, name: wire.source_name },
        body: read_body("fact", wire.body)?,
    };
    fact.check().map_err(Refusal::invalid(fact.body.name()))?;
    Ok(fact)
}

fn write_body(body: &Body) -> Wire {
    match body {
        Body::Opened { previous } => Wire::Opened(pb::Opened { previous: previous.map(Into::into) }),
        Body::Began { condition, degradation } => {
            Wire::Began(pb::Began { condition: condition.number(), degradation: degradation.number() })
        }
        Body::Stretch(stretch) => Wire::Stretch(stretch.into()),
        Body::Error(error) => Wire::Error(error.into()),
        Body::Usage(sample) => Wire::Usage(sample.into()),
        Body::Heartbeat(journal) => Wire::Heartbeat(pb::Heartbeat { journal: journal.as_deref().map(Into::into) }),
        Body::ClockStep { step_micros, last_agreement, suspect } => Wire::ClockStep(pb::ClockStep {
            step_us: *step_micros,
            last_agreement_us: last_agreement.map(Timestamp::micros),
            suspect: suspect.map(Into::into),
        }),
        Body::Tombstone { target, reason } => {
            Wire::Tombstone(pb::Tombstone { target: Some((*target).into()), reason: reason.clone() })
        }
        Body::Registered(registration) => Wire::Registered(Box::new((&**registration).into())),
        Body::Bound(binding) => Wire::Bound(pb::Bound { place: binding.place.clone() }),
        Body::Unbound(binding) => Wire::Unbound(pb::Unbound { place: binding.place.clone() }),
        Body::Moved(moved) => Wire::Moved(moved.into()),
        Body::Loaned(loan) => Wire::Loaned(loan.into()),
        Body::Returned => Wire::Returned(pb::Returned {}),
        Body::Retired(retirement) => Wire::Retired(pb::Retired { reason: retirement.reason.clone() }),
        Body::ComponentReplaced(replaced) => Wire::ComponentReplaced(replaced.into()),
        Body::Order(phase) => Wire::WorkOrder(phase.into()),
        Body::Asserted(asserted) => Wire::Asserted(asserted.into()),
        Body::PmDone(done) => Wire::PmDone(done.into()),
        Body::Amended(amendment) => write_amendment(amendment),
        Body::Requested(request) => Wire::Requested(Box::new((&**request).into())),
        Body::SiteDefined(site) => Wire::SiteDefined(site.into()),
        Body::CalendarDefined(calendar) => Wire::CalendarDefined(calendar.into()),
        Body::ContractDefined(contract) => Wire::ContractDefined(Box::new((&**contract).into())),
        Body::StatementIssued(issued) => Wire::StatementIssued(Box::new((&**issued).into())),
        Body::AlertAsked(asked) => Wire::AlertAsked(asked.into()),
        Body::Scored(scored) => Wire::Scored(Box::new((&**scored).into())),
    }
}

fn read_body(of: &'static str, body: Option<Wire>) -> Result<Body, Refusal> {
    Ok(match body.ok_or_else(|| Refusal::UnknownBody { what: of })? {
        Wire::Opened(opened) => Body::Opened { previous: seq_range_if_said("previous", opened.previous)? },
        Wire::Began(began) => Body::Began {
            condition: Condition::required("condition", "begin", began.condition)?,
            degradation: degradation(began.degradation)?,
        },
        Wire::Stretch(stretch) => Body::Stretch(stretch.try_into()?),
        Wire::Error(error) => Body::Error(error.try_into()?),
        Wire::Usage(usage) => Body::Usage(usage.into()),
        Wire::Heartbeat(beat) => Body::Heartbeat(beat.journal.map(JournalState::try_from).transpose()?.map(Box::new)),
        Wire::ClockStep(step) => Body::ClockStep {
            step_micros: step.step_us,
            last_agreement: instant_if_said("last_agreement_us", step.last_agreement_us)?,
            suspect: seq_range_if_said("suspect", step.suspect)?,
        },
        Wire::Tombstone(stone) => {
            Body::Tombstone { target: seq_range("target", "tombstone", stone.target)?, reason: stone.reason }
        }
        Wire::Registered(registered) => Body::Registered(Box::new((*registered).try_into()?)),
        Wire::Bound(bound) => Body::Bound(Binding { place: text("place", "binding", bound.place)? }),
        Wire::Unbound(unbound) => Body::Unbound(Binding { place: text("place", "binding", unbound.place)? }),
        Wire::Moved(moved) => Body::Moved(moved.try_into()?),
        Wire::Loaned(loaned) => Body::Loaned(loaned.try_into()?),
        Wire::Returned(pb::Returned {}) => Body::Returned,
        Wire::Retired(retired) => Body::Retired(Retirement { reason: retired.reason }),
        Wire::ComponentReplaced(replaced) => Body::ComponentReplaced(replaced.try_into()?),
        Wire::WorkOrder(order) => Body::Order(order.try_into()?),
        Wire::Asserted(asserted) => Body::Asserted(asserted.try_into()?),
        Wire::PmDone(done) => Body::PmDone(done.try_into()?),
        Wire::Corrected(corrected) => Body::Amended(Box::new(read_correction(*corrected)?)),
        Wire::Voided(voided) => Body::Amended(Box::new(Amendment {
            target: seq_range("target", "void", voided.target)?,
            replacement: None,
            author: voided.author,
            reason: voided.reason,
        })),
        Wire::Requested(requested) => Body::Requested(Box::new((*requested).try_into()?)),
        Wire::SiteDefined(site) => Body::SiteDefined(site.try_into()?),
        Wire::CalendarDefined(calendar) => Body::CalendarDefined(calendar.try_into()?),
        Wire::ContractDefined(contract) => Body::ContractDefined(Box::new((*contract).try_into()?)),
        Wire::StatementIssued(issued) => Body::StatementIssued(Box::new((*issued).try_into()?)),
        Wire::AlertAsked(asked) => Body::AlertAsked(asked.try_into()?),
        Wire::Scored(scored) => Body::Scored(Box::new((*scored).try_into()?)),
    })
}

/// A replacement brings its time and its body; who says so and when stands in the correction around it.
fn write_amendment(amendment: &Amendment) -> Wire {
    let target = Some(amendment.target.into());
    let (author, reason) = (amendment.author.clone(), amendment.reason.clone());
    match &amendment.replacement {
        None => Wire::Voided(pb::Voided { target, author, reason }),
        Some(new) => {
            let body = Some(write_body(&new.body));
            let replacement = Some(Box::new(pb::Fact { at_us: new.at.micros(), body, ..pb::Fact::default() }));
            Wire::Corrected(Box::new(pb::Corrected { target, replacement, author, reason }))
        }
    }
}

fn read_correction(corrected: pb::Corrected) -> Result<Amendment, Refusal> {
    let new = present("replacement", "correction", corrected.replacement)?;
    if matches!(new.body, Some(Wire::Corrected(_) | Wire::Voided(_))) {
        return Err(Refusal::NestedAmendment);
    }
    let replacement =
        Replacement { at: instant("replacement.at_us", new.at_us)?, body: read_body("replacement", new.body)? };
    Ok(Amendment {
        target: seq_range("target", "correction", corrected.target)?,
        replacement: Some(replacement),
        author: corrected.author,
        reason: corrected.reason,
    })
}

/// Nothing said is nothing lost: fully capable.
pub(crate) fn degradation(number: i32) -> Result<Degradation, Refusal> {
    Ok(Degradation::read("degradation", number)?.unwrap_or_default())
}

impl From<&Stretch> for pb::Stretch {
    fn from(stretch: &Stretch) -> Self {
        Self {
            until_us: stretch.until.micros(),
            condition: stretch.condition.number(),
            degradation: stretch.degradation.number(),
        }
    }
}

impl TryFrom<pb::Stretch> for Stretch {
    type Error = Refusal;

    fn try_from(wire: pb::Stretch) -> Result<Self, Refusal> {
        Ok(Self {
            until: instant("until_us", wire.until_us)?,
            condition: Condition::required("condition", "stretch", wire.condition)?,
            degradation: degradation(wire.degradation)?,
        })
    }
}

impl From<&JournalState> for pb::JournalState {
    fn from(journal: &JournalState) -> Self {
        Self {
            accepted_facts: journal.accepted_facts,
            waiting_facts: journal.waiting_facts,
            used_bytes: journal.used_bytes,
            capacity_bytes: journal.capacity_bytes,
            oldest_known_at_us: journal.oldest_known_at.map(Timestamp::micros),
        }
    }
}

impl TryFrom<pb::JournalState> for JournalState {
    type Error = Refusal;

    fn try_from(wire: pb::JournalState) -> Result<Self, Refusal> {
        Ok(Self {
            accepted_facts: wire.accepted_facts,
            waiting_facts: wire.waiting_facts,
            used_bytes: wire.used_bytes,
            capacity_bytes: wire.capacity_bytes,
            oldest_known_at: instant_if_said("oldest_known_at_us", wire.oldest_known_at_us)?,
        })
    }
}

impl From<&DeviceError> for pb::DeviceError {
    fn from(error: &DeviceError) -> Self {
        Self {
            code: error.code.clone(),
            family: error.family.clone(),
            severity: error.severity.number(),
            component: error.component.clone(),
            cause_domain: error.cause_domain.clone(),
            text: error.text.clone(),
        }
    }
}

impl TryFrom<pb::DeviceError> for DeviceError {
    type Error = Refusal;

    fn try_from(wire: pb::DeviceError) -> Result<Self, Refusal> {
        Ok(Self {
            code: text("code", "error", wire.code)?,
            family: wire.family,
            severity: Severity::required("severity", "error", wire.severity)?,
            component: wire.component,
            cause_domain: wire.cause_domain,
            text: wire.text,
        })
    }
}

impl From<&Sample> for pb::Usage {
    fn from(sample: &Sample) -> Self {
        Self {
            counter: sample.counter.clone(),
            component: sample.component.clone(),
            unit: sample.unit.clone(),
            value_milli: sample.value_milli,
            modulus_milli: sample.modulus_milli,
        }
    }
}

impl From<pb::Usage> for Sample {
    fn from(wire: pb::Usage) -> Self {
        Self {
            counter: wire.counter,
            component: wire.component,
            unit: wire.unit,
            value_milli: wire.value_milli,
            modulus_milli: wire.modulus_milli,
        }
    }
}
