//! Rows of the ledger and the weighted entries that add or take them back.

use serde::{Deserialize, Serialize};

use crate::condition::{Condition, Degradation, SourceKind};
use crate::fact::{Body, DeviceError, JournalState, Sample};
use crate::fleet::{Calendar, Site};
use crate::human::Registration;
use crate::id::{AgentId, Epoch, Seq, SiteId};
use crate::kind::DeviceKind;
use crate::order::Request;
use crate::risk::Scored;
use crate::time::{Span, Timestamp};

/// A row a subject contributes to a table. Ordered, so that entries of a record have one order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Row {
    Interval(IntervalRow),
    Usage(UsageRow),
    Error(ErrorRow),
    Head(HeadRow),
    Device(DeviceRow),
    Site(SiteRow),
    Calendar(CalendarRow),
    Verdict(VerdictRow),
    Note(NoteRow),
    Score(ScoreRow),
}

/// A row added (+1) or taken back (-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub weight: i64,
    pub row: Row,
}

/// The device was in this condition for this span, which lies within one UTC day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IntervalRow {
    pub span: Span,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub condition: Condition,
    pub degradation: Degradation,
    pub reason: Reason,
    pub source: SourceKind,
    /// A person's claim shaped this row.
    pub asserted: bool,
    /// Use was seen while the device was claimed down: widens the bounds.
    pub conflict: bool,
    pub author: String,
}

/// Why a row is not plainly what the device reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    Reported,
    Claimed,
    Contradiction,
    PartialInSilence,
    MaintenanceOverrun,
}

impl Reason {
    pub const ALL: [Reason; 5] =
        [Self::Reported, Self::Claimed, Self::Contradiction, Self::PartialInSilence, Self::MaintenanceOverrun];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Claimed => "claimed",
            Self::Contradiction => "contradiction",
            Self::PartialInSilence => "partial_in_silence",
            Self::MaintenanceOverrun => "maintenance_overrun",
        }
    }
}

/// What a counter gained between a sample and the one before it in its series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UsageRow {
    /// The later sample's time: the increment belongs to it.
    pub at: Timestamp,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub sample: Sample,
    pub source: String,
    pub increment_milli: i64,
    pub step: Step,
    pub epoch: Epoch,
    pub seq: Seq,
}

/// How the counter got from one sample to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    Counted,
    Wrapped,
    /// It started anew at zero: the increment is the value itself, a lower bound.
    Reset,
    /// The unit changed in between: the increment is not known and counts as zero.
    UnitChanged,
}

impl Step {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Wrapped => "wrapped",
            Self::Reset => "reset",
            Self::UnitChanged => "unit_changed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ErrorRow {
    pub at: Timestamp,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub error: DeviceError,
    pub epoch: Epoch,
    pub seq: Seq,
}

/// What is believed beyond the edge, until something is heard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeadRow {
    pub role: HeadRole,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub agent: Option<AgentId>,
    pub condition: Condition,
    pub degradation: Degradation,
    pub from: Timestamp,
    /// None: still open. Views clip a live head at its agent's last heartbeat.
    pub until: Option<Timestamp>,
    /// Up to here the ledger has rows.
    pub edge: Timestamp,
    pub author: String,
    /// Of an agent: what its journal held then, if it said so.
    pub journal: Option<Box<JournalState>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HeadRole {
    /// The condition the device was last heard in.
    Live,
    /// A claim that reaches beyond the edge: every KPI adds it up to the cut.
    Claim,
    /// An agent: `from` is its last sign of life, by its own time.
    Agent,
}

impl HeadRole {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Claim => "claim",
            Self::Agent => "agent",
        }
    }
}

/// The inventory's word on a device for a period.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceRow {
    pub valid_from: Timestamp,
    pub valid_until: Option<Timestamp>,
    pub site: SiteId,
    pub registration: Registration,
    pub on_loan_to: Option<SiteId>,
    pub retired: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SiteRow {
    pub valid_from: Timestamp,
    pub recorded_at: Timestamp,
    pub site: Site,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CalendarRow {
    pub recorded_at: Timestamp,
    pub calendar: Calendar,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VerdictRow {
    pub at: Timestamp,
    pub request: Request,
    pub granted: bool,
    /// What was decided, or why not and what to do.
    pub text: String,
}

/// A fact that is a row as it stands: a phase of an order, maintenance done, a part replaced, a contract, a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NoteRow {
    pub at: Timestamp,
    pub recorded_at: Timestamp,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub body: Body,
    pub epoch: Epoch,
    pub seq: Seq,
}

/// What a model said of a device. It only ever appears: nobody corrects what was said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScoreRow {
    pub at: Timestamp,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub scored: Box<Scored>,
    pub epoch: Epoch,
    pub seq: Seq,
}

/// The sum of what one record changes: rows after minus rows before.
#[derive(Debug, Default)]
pub struct Change {
    /// Unsummed: most records change a handful of rows, each once.
    entries: Vec<Entry>,
}

impl Change {
    pub fn add(&mut self, row: Row, weight: i64) {
        self.entries.push(Entry { weight, row });
    }

    /// Takes rows back and adds others. What both begin with, and what both end with, cancels before it is summed: a late fact
    /// changes a few of the many rows of its day.
    pub fn replace(&mut self, before: impl IntoIterator<Item = Row>, after: impl IntoIterator<Item = Row>) {
        let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
        while before.peek().is_some() && before.peek() == after.peek() {
            before.next();
            after.next();
        }
        let (mut before, mut after): (Vec<Row>, Vec<Row>) = (before.collect(), after.collect());
        while before.last().is_some() && before.last() == after.last() {
            before.pop();
            after.pop();
        }
        before.into_iter().for_each(|row| self.add(row, -1));
        after.into_iter().for_each(|row| self.add(row, 1));
    }

    /// The entries in the order of their rows, what is taken back before what is added.
    pub fn into_entries(mut self) -> Vec<Entry> {
        self.entries.sort_unstable_by(|a, b| a.row.cmp(&b.row));
        self.entries.dedup_by(|next, kept| {
            let same = next.row == kept.row;
            kept.weight += if same { next.weight } else { 0 };
            same
        });
        self.entries.retain(|entry| entry.weight != 0);
        self.entries.sort_by_key(|entry| entry.weight > 0);
        self.entries
    }
}
