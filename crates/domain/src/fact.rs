//! The fact: one thing that was observed or said, with the time it happened and the time it could be known.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::alert::Asked;
use crate::condition::{Clock, Condition, Degradation, SourceKind};
use crate::contract::{Contract, IssuedStatement};
use crate::fleet::{Calendar, Site};
use crate::human::{Asserted, Binding, ComponentReplaced, Loan, Move, OrderPhase, PmDone, Registration, Retirement};
use crate::id::{AgentId, Epoch, Seq, SeqRange, SiteId, Subject};
use crate::kind::DeviceKind;
use crate::order::Request;
use crate::risk::Scored;
use crate::time::{Span, Timestamp};

/// Facts of one subject, one epoch and contiguous seqs: what a log record carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub subject: Subject,
    pub epoch: Epoch,
    pub first_seq: Seq,
    /// Where the subject stood when the facts happened.
    pub site: SiteId,
    pub kind: DeviceKind,
    /// The agent that observed, if one did.
    pub agent: Option<AgentId>,
    pub facts: Vec<Sealed>,
}

impl Run {
    /// The seqs of this run, or None when it is empty.
    pub fn seqs(&self) -> Option<SeqRange> {
        let count = self.facts.len() as u64;
        let last = Seq(self.first_seq.0.checked_add(count.checked_sub(1)?)?);
        Some(SeqRange { epoch: self.epoch, first: self.first_seq, last })
    }
}

/// A fact beside the very bytes it was written in. Identity compares bytes, never meanings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub fact: Fact,
    /// Facts that were read together share what they were read from.
    pub bytes: Bytes,
}

impl Sealed {
    /// Hash of the original bytes: tells a duplicate from a conflict.
    pub fn digest(&self) -> u64 {
        digest(&self.bytes)
    }
}

/// [`Sealed::digest`] of bytes that need not be read.
pub fn digest(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    /// When it happened; a stretch's `from`.
    pub at: Timestamp,
    /// When it could first be known: append time, a mapped column, or `at` plus a declared delay.
    pub known_at: Timestamp,
    /// `known_at` was declared, not observed.
    pub known_assumed: bool,
    pub clock: Clock,
    pub source: Source,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    pub kind: SourceKind,
    /// Which witness of that kind, for people (`modbus`, `cmms`, `mpps`); never used in a decision.
    pub name: String,
}

/// What a fact says. The order of variants is part of no format.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Body {
    /// First fact of an epoch: which life came before, and its last durable seq.
    Opened {
        previous: Option<SeqRange>,
    },
    /// A condition began: for live views; the ledger waits for the stretch.
    Began {
        condition: Condition,
        degradation: Degradation,
    },
    /// In this condition from `Fact::at` until `until`, as observed.
    Stretch(Stretch),
    Error(DeviceError),
    Usage(Sample),
    /// A sign of life; an agent's own says what its journal held.
    Heartbeat(Option<Box<JournalState>>),
    /// The writer found its clock wrong: these seqs of this subject are suspect.
    ClockStep {
        step_micros: i64,
        last_agreement: Option<Timestamp>,
        suspect: Option<SeqRange>,
    },
    /// These facts were refused as poison and stand in quarantine.
    Tombstone {
        target: SeqRange,
        reason: String,
    },
    Registered(Box<Registration>),
    Bound(Binding),
    Unbound(Binding),
    Moved(Move),
    Loaned(Loan),
    Returned,
    Retired(Retirement),
    ComponentReplaced(ComponentReplaced),
    Order(OrderPhase),
    Asserted(Asserted),
    PmDone(PmDone),
    Amended(Box<Amendment>),
    Requested(Box<Request>),
    SiteDefined(Site),
    CalendarDefined(Calendar),
    ContractDefined(Box<Contract>),
    StatementIssued(Box<IssuedStatement>),
    AlertAsked(Asked),
    Scored(Box<Scored>),
}

/// Facts are moved a dozen times each on their way; what is large is rare, and lies in a box.
const _: () = assert!(size_of::<Body>() <= 128);

impl Body {
    /// Name of the fact type in tables, metrics and documents.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Began { .. } => "began",
            Self::Stretch(_) => "stretch",
            Self::Error(_) => "error",
            Self::Usage(_) => "usage",
            Self::Heartbeat(_) => "heartbeat",
            Self::ClockStep { .. } => "clock_step",
            Self::Tombstone { .. } => "tombstone",
            Self::Registered(_) => "registered",
            Self::Bound(_) => "bound",
            Self::Unbound(_) => "unbound",
            Self::Moved(_) => "moved",
            Self::Loaned(_) => "loaned",
            Self::Returned => "returned",
            Self::Retired(_) => "retired",
            Self::ComponentReplaced(_) => "component_replaced",
            Self::Order(_) => "order",
            Self::Asserted(_) => "asserted",
            Self::PmDone(_) => "pm_done",
            Self::Amended(amendment) if amendment.replacement.is_some() => "corrected",
            Self::Amended(_) => "voided",
            Self::Requested(_) => "requested",
            Self::SiteDefined(_) => "site_defined",
            Self::CalendarDefined(_) => "calendar_defined",
            Self::ContractDefined(_) => "contract_defined",
            Self::StatementIssued(_) => "statement_issued",
            Self::AlertAsked(_) => "alert_asked",
            Self::Scored(_) => "scored",
        }
    }

    /// The earlier facts of which it says something: it takes them back, or puts others in their place.
    pub const fn amended(&self) -> Option<SeqRange> {
        match self {
            Self::Amended(amendment) => Some(amendment.target),
            Self::ClockStep { suspect, .. } => *suspect,
            _ => None,
        }
    }

    /// Facts of these types belong to the day of their `at`; the others are few and stay with the subject.
    pub const fn is_daily(&self) -> bool {
        matches!(self, Self::Stretch(_) | Self::Error(_) | Self::Usage(_))
    }

    /// Facts of these types are rows as they are: nothing is folded, but an amendment takes them back.
    pub const fn is_noted(&self) -> bool {
        matches!(
            self,
            Self::Order(_)
                | Self::PmDone(_)
                | Self::ComponentReplaced(_)
                | Self::ContractDefined(_)
                | Self::StatementIssued(_)
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stretch {
    pub until: Timestamp,
    pub condition: Condition,
    pub degradation: Degradation,
}

/// An error as the device names it, and the family the catalogue puts it in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceError {
    pub code: String,
    pub family: String,
    pub severity: Severity,
    pub component: String,
    pub cause_domain: String,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    Info,
    Warning,
    Minor,
    Major,
    Critical,
}

impl Severity {
    pub const ALL: [Severity; 5] = [Self::Info, Self::Warning, Self::Minor, Self::Major, Self::Critical];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == text)
    }
}

/// A reading of a counter. Values are thousandths of the unit, so that sums are exact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sample {
    pub counter: String,
    /// The part the counter belongs to; empty for the device as a whole.
    pub component: String,
    pub unit: String,
    pub value_milli: i64,
    /// The counter restarts at zero when it reaches this, if it ever wraps.
    pub modulus_milli: Option<i64>,
}

/// An agent's journal at the moment of its heartbeat, which is no part of it yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JournalState {
    /// Since the journal began.
    pub accepted_facts: u64,
    /// Of these, the ones whose fate the agent does not know; all others have their receipt.
    pub waiting_facts: u64,
    pub used_bytes: u64,
    pub capacity_bytes: u64,
    /// When the oldest of the waiting facts was known.
    pub oldest_known_at: Option<Timestamp>,
}

/// A later statement about earlier facts of the same subject: corrected (with a body) or voided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Amendment {
    pub target: SeqRange,
    /// What should have been said, at its own time; None voids. A correction names exactly one seq.
    pub replacement: Option<Replacement>,
    pub author: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Replacement {
    pub at: Timestamp,
    pub body: Body,
}

impl Fact {
    /// Checks what no reader should have to check again: spans run forward and stay within a day.
    pub fn check(&self) -> Result<(), Invalid> {
        self.body.check(self.at)
    }

    pub fn span(&self) -> Option<Span> {
        match &self.body {
            Body::Stretch(stretch) => Span::new(self.at, stretch.until).ok(),
            _ => None,
        }
    }
}

impl Body {
    /// Of a fact that happened then.
    pub fn check(&self, at: Timestamp) -> Result<(), Invalid> {
        match self {
            Body::Stretch(stretch) => {
                let span = Span::new(at, stretch.until)?;
                if span.until > span.from.day().end() {
                    return Err(Invalid::CrossesMidnight { from: span.from, until: span.until });
                }
                Ok(())
            }
            Body::Usage(sample) => check_sample(sample),
            Body::Heartbeat(Some(journal)) => check_journal(journal),
            Body::Asserted(asserted) => asserted.check(at),
            Body::Amended(amendment) => {
                check_range(&amendment.target)?;
                match &amendment.replacement {
                    Some(_) if amendment.target.first != amendment.target.last => {
                        Err(Invalid::Missing { what: "a single target seq", of: "correction" })
                    }
                    Some(new) if matches!(new.body, Body::Amended(_)) => {
                        Err(Invalid::Missing { what: "a body other than an amendment", of: "correction" })
                    }
                    Some(new) => new.body.check(new.at),
                    None => Ok(()),
                }
            }
            Body::Tombstone { target, .. } => check_range(target),
            Body::ClockStep { suspect: Some(range), .. } => check_range(range),
            Body::CalendarDefined(calendar) => calendar.check(),
            Body::ContractDefined(contract) => contract.check(),
            Body::StatementIssued(statement) => statement.check(),
            Body::Scored(scored) => scored.check(),
            _ => Ok(()),
        }
    }
}

fn check_range(range: &SeqRange) -> Result<(), Invalid> {
    if range.first.0 >= 1 && range.first <= range.last {
        return Ok(());
    }
    Err(Invalid::Range { what: "first seq", value: range.first.0 as i64, low: 1, high: range.last.0 as i64 })
}

fn check_journal(journal: &JournalState) -> Result<(), Invalid> {
    let limits = [
        ("accepted facts", journal.accepted_facts, i64::MAX.cast_unsigned()),
        ("waiting facts", journal.waiting_facts, journal.accepted_facts),
        ("used bytes", journal.used_bytes, i64::MAX.cast_unsigned()),
        ("capacity bytes", journal.capacity_bytes, i64::MAX.cast_unsigned()),
    ];
    match limits.into_iter().find(|(_, value, most)| value > most) {
        None => Ok(()),
        Some((what, value, most)) => {
            let shown = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            Err(Invalid::Range { what, value: shown(value), low: 0, high: shown(most) })
        }
    }
}

fn check_sample(sample: &Sample) -> Result<(), Invalid> {
    if sample.counter.is_empty() {
        return Err(Invalid::Missing { what: "counter name", of: "usage sample" });
    }
    match sample.modulus_milli {
        Some(modulus) if modulus <= 0 => {
            Err(Invalid::Range { what: "modulus_milli", value: modulus, low: 1, high: i64::MAX })
        }
        _ if sample.value_milli < 0 => {
            Err(Invalid::Range { what: "value_milli", value: sample.value_milli, low: 0, high: i64::MAX })
        }
        _ => Ok(()),
    }
}
