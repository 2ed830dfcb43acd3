//! From one row to what it says: facts at an instant, spans in a condition, and what was special about reading it. Pure.

mod cells;
mod inventory;
mod maintenance;
mod observations;
mod orders;

use medfleet_domain::condition::{Clock, Condition, SourceKind};
use medfleet_domain::fact::{Body, Fact, Source};
use medfleet_domain::human::ComponentReplaced;
use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};

pub use cells::Cells;
pub use inventory::{Inventory, machine, site, unlisted};

use crate::mapping::{Prevents, Shown, SourceText, Table};
use crate::remarks::{Reason, Refusal};
use crate::unite::Spoken;

/// A fact at one instant, as the bytes it will travel in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub at: Timestamp,
    pub bytes: Box<[u8]>,
}

/// A part that was replaced; whether that prevented anything may depend on other rows.
#[derive(Debug, Clone)]
pub struct Replaced {
    pub at: Timestamp,
    pub known: Option<Timestamp>,
    pub part: ComponentReplaced,
    pub prevents: Prevents,
}

/// A condition that lasts until the device's next row of the same table.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub spoken: Spoken,
    pub shown: Shown,
    /// The latest end, if no next row comes before.
    pub at_most_until: Timestamp,
}

/// Everything one row says, whatever the device.
#[derive(Debug, Default)]
pub struct Said {
    pub points: Vec<Point>,
    pub spans: Vec<(Condition, Spoken)>,
    pub changes: Vec<Change>,
    pub replaced: Vec<Replaced>,
    /// The part that failed, and when.
    pub failed: Option<(Timestamp, String)>,
    pub order: Option<String>,
}

/// Who speaks in the facts of an import.
#[derive(Debug, Clone, Copy)]
pub struct Voice<'a> {
    pub source: &'a SourceText,
    pub kind: SourceKind,
}

impl Voice<'_> {
    /// A fact that speaks of time up to `over`: known when its row was entered, else some time after that, which is assumed.
    pub fn fact(&self, at: Timestamp, over: Timestamp, known: Option<Timestamp>, body: Body) -> Fact {
        let delay_micros = i64::from(self.source.known_after_minutes) * 60 * MICROS_PER_SECOND;
        Fact {
            at,
            // Nothing is known before it has happened, whatever a cell says.
            known_at: known.map_or_else(|| over.plus_micros(delay_micros), |known| known.max(at)),
            known_assumed: known.is_none(),
            clock: Clock::Holdover,
            source: Source { kind: self.kind, name: self.source.name.clone() },
            body,
        }
    }
}

/// A fact in its bytes, or why no reader would take it.
pub fn point(fact: Fact) -> Result<Point, Refusal> {
    let at = fact.at;
    let sealed = medfleet_wire::accept(fact).map_err(|refused| Refusal::from(Reason::NotAFact(refused.to_string())))?;
    Ok(Point { at, bytes: (&*sealed.bytes).into() })
}

/// Reads what a row says of its device, or says why it cannot be read. A row is taken whole or not at all.
pub fn read(table: &Table, voice: Voice<'_>, cells: &mut Cells<'_>) -> Result<Said, Refusal> {
    let mut said = Said::default();
    let known = cells.instant_if(table.known.as_ref().map(|known| &known.column))?;
    if let Some(part) = &table.order {
        orders::read(part, voice, known, cells, &mut said)?;
    }
    if let Some(part) = &table.maintenance {
        maintenance::read(part, voice, known, cells, &mut said)?;
    }
    if let Some(part) = &table.error {
        observations::error(part, voice, known, cells, &mut said)?;
    }
    if let Some(part) = &table.interval {
        observations::interval(part, known, cells, &mut said)?;
    }
    for part in &table.counters {
        observations::counter(part, voice, known, cells, &mut said)?;
    }
    Ok(said)
}
