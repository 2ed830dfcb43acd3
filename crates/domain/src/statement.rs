//! The statement of a contract for one device and one period: which seconds count, which do not, and why. Pure.
//!
//! At each second the largest weight counts, exclusions are taken out, silence widens the bounds and is never downtime.

mod clocks;
mod compare;

use std::collections::BTreeSet;

use crate::condition::{Condition, Degradation};
use crate::contract::{BasisPoints, Contract, Exclusion};
use crate::human::{OrderClass, Party, Phase};
use crate::id::Cause;
use crate::spans::Spans;
use crate::time::{Span, Timestamp};

pub use compare::{Changed, changes};

/// What the ledger says of a span, and the log record that made it say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub span: Span,
    pub condition: Condition,
    pub degradation: Degradation,
    /// Maintenance beyond its planned window: no clock waits for a call.
    pub overrun: bool,
    /// Use was seen while it was claimed down.
    pub conflict: bool,
    pub cause: Cause,
}

/// One phase of an order, and the log record that told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFact {
    pub order: String,
    pub class: OrderClass,
    pub phase: Phase,
    pub waiting_for: Option<Party>,
    pub cause_code: String,
    pub at: Timestamp,
    pub cause: Cause,
}

/// Everything a statement is made of.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    pub contract: &'a Contract,
    /// The period, or as much of it as the cut has seen.
    pub period: Span,
    /// The contract's hours.
    pub hours: &'a Spans,
    /// When the device was in service at the site.
    pub in_service: &'a Spans,
    /// Sorted or not, overlapping or not.
    pub pieces: &'a [Piece],
    pub orders: &'a [OrderFact],
}

/// Why a stretch of trouble or silence counts, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Counted,
    /// Outside the contract's hours.
    Uncovered,
    Excluded(Exclusion),
    /// The fact that starts the contract's clock had not happened (or never did).
    BeforeClock,
    /// The fact that stops it had.
    AfterClock,
    /// Within the contract's hours, and nobody knows.
    Unknown,
}

impl Class {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Uncovered => "uncovered",
            Self::Excluded(why) => why.as_str(),
            Self::BeforeClock => "before_clock",
            Self::AfterClock => "after_clock",
            Self::Unknown => "unknown",
        }
    }
}

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub span: Span,
    pub class: Class,
    pub condition: Condition,
    /// How much of each second is down; whole for what is unknown, as far as the worst case goes.
    pub weight: BasisPoints,
    pub conflict: bool,
    /// Orders whose facts decided.
    pub orders: BTreeSet<String>,
    /// The log records behind it.
    pub causes: BTreeSet<Cause>,
}

/// A figure with everything it divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figure {
    pub base_micros: i64,
    /// Downtime that counts, in microseconds times basis points.
    pub weighted_micros_bp: i64,
    pub unknown_micros: i64,
    /// Of the counted, what is in conflict with use that was seen.
    pub conflict_micros_bp: i64,
}

/// Uptime between what it is at worst and at best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rated {
    pub uptime: f64,
    pub worst: f64,
    pub best: f64,
    pub coverage: f64,
}

impl Figure {
    /// None where there are no base hours.
    pub fn rated(&self) -> Option<Rated> {
        let base = self.base_micros as f64;
        let down = |micros_bp: i64| micros_bp as f64 / f64::from(BasisPoints::WHOLE.0);
        (self.base_micros > 0).then(|| Rated {
            uptime: (base - down(self.weighted_micros_bp)) / base,
            worst: (base - down(self.weighted_micros_bp) - self.unknown_micros as f64) / base,
            best: (base - down(self.weighted_micros_bp - self.conflict_micros_bp)) / base,
            coverage: (base - self.unknown_micros as f64) / base,
        })
    }
}

/// How maintenance within the hours is treated; all three are computed, the contract names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maintenance {
    Counts,
    FromDowntime,
    FromBoth,
}

impl Maintenance {
    pub const ALL: [Maintenance; 3] = [Self::Counts, Self::FromDowntime, Self::FromBoth];

    pub fn of(contract: &Contract) -> Self {
        if contract.excludes(Exclusion::MaintenanceFromBoth) {
            Self::FromBoth
        } else if contract.excludes(Exclusion::MaintenanceFromDowntime) {
            Self::FromDowntime
        } else {
            Self::Counts
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counts => "counts as downtime",
            Self::FromDowntime => "excluded from downtime only",
            Self::FromBoth => "excluded from downtime and base",
        }
    }
}

/// What one contract says of one device in one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub period: Span,
    pub maintenance: Maintenance,
    /// Without any maintenance in the downtime.
    sums: Figure,
    /// Scheduled down within base hours that nothing else excludes.
    pub maintenance_micros: i64,
    pub lines: Vec<Line>,
}

impl Statement {
    /// The figure as the contract counts.
    pub fn figure(&self) -> Figure {
        self.variant(self.maintenance)
    }

    pub fn variant(&self, maintenance: Maintenance) -> Figure {
        let whole = i64::from(BasisPoints::WHOLE.0);
        let Figure { base_micros, weighted_micros_bp, .. } = self.sums;
        match maintenance {
            Maintenance::Counts => {
                Figure { weighted_micros_bp: weighted_micros_bp + self.maintenance_micros * whole, ..self.sums }
            }
            Maintenance::FromDowntime => self.sums,
            Maintenance::FromBoth => Figure { base_micros: base_micros - self.maintenance_micros, ..self.sums },
        }
    }

    /// Microseconds of all lines of a class, unweighted.
    pub fn micros(&self, class: Class) -> i64 {
        self.lines.iter().filter(|line| line.class == class).map(|line| line.span.micros()).sum()
    }
}

/// Judges every second of the period.
pub fn state(given: &Given<'_>) -> Statement {
    let base = given.hours.and(given.in_service).clip(given.period);
    let clocks = clocks::Clocks::of(given);
    let maintenance = Maintenance::of(given.contract);
    let mut statement = Statement {
        period: given.period,
        maintenance,
        sums: Figure::default(),
        maintenance_micros: 0,
        lines: Vec::new(),
    };
    statement.sums.base_micros = base.micros();
    for (span, pieces) in segments(given, &base, &clocks) {
        if !given.in_service.contains(span.from) {
            continue;
        }
        let covered = base.contains(span.from);
        if let Some(line) = judge(given.contract, span, &pieces, covered, &clocks) {
            statement.add(line);
        }
    }
    statement
}

impl Statement {
    fn add(&mut self, line: Line) {
        let micros = line.span.micros();
        let weighted = micros * i64::from(line.weight.0);
        let scheduled = line.condition == Condition::ScheduledDown;
        match line.class {
            Class::Counted if scheduled => self.maintenance_micros += micros,
            Class::Counted => {
                self.sums.weighted_micros_bp += weighted;
                self.sums.conflict_micros_bp += if line.conflict { weighted } else { 0 };
            }
            Class::Excluded(Exclusion::MaintenanceFromDowntime | Exclusion::MaintenanceFromBoth) => {
                self.maintenance_micros += micros;
            }
            Class::Unknown => self.sums.unknown_micros += micros,
            Class::Uncovered | Class::Excluded(_) | Class::BeforeClock | Class::AfterClock => {}
        }
        match self.lines.last_mut() {
            Some(last) if last.goes_on_as(&line) => {
                last.span.until = line.span.until;
                last.orders.extend(line.orders);
                last.causes.extend(line.causes);
            }
            _ => self.lines.push(line),
        }
    }
}

impl Line {
    fn goes_on_as(&self, next: &Line) -> bool {
        let kind = |line: &Line| (line.class, line.condition, line.weight, line.conflict);
        self.span.until == next.span.from && kind(self) == kind(next)
    }
}

/// The period cut at every edge there is, each part with the pieces that cover it.
fn segments<'a>(given: &Given<'a>, base: &Spans, clocks: &clocks::Clocks) -> Vec<(Span, Vec<&'a Piece>)> {
    let mut pieces: Vec<&Piece> = given.pieces.iter().filter(|piece| piece.span.clip(given.period).is_some()).collect();
    pieces.sort_by_key(|piece| piece.span);
    let mut cuts: Vec<Timestamp> = pieces.iter().flat_map(|piece| [piece.span.from, piece.span.until]).collect();
    cuts.extend(base.edges().chain(given.in_service.edges()).chain(clocks.edges()));
    cuts.retain(|at| given.period.contains(*at));
    cuts.extend([given.period.from, given.period.until]);
    cuts.sort_unstable();
    cuts.dedup();
    let mut waiting = pieces.into_iter().peekable();
    let mut covering: Vec<&Piece> = Vec::new();
    let parts = cuts.windows(2).map(|pair| {
        let span = Span { from: pair[0], until: pair[1] };
        covering.retain(|piece| piece.span.until > span.from);
        while let Some(next) = waiting.next_if(|piece| piece.span.from <= span.from) {
            covering.push(next);
        }
        covering.retain(|piece| piece.span.until > span.from);
        (span, covering.clone())
    });
    parts.collect()
}

/// How much of a second in this piece is down, exclusions apart.
pub(crate) fn weight(contract: &Contract, piece: &Piece) -> BasisPoints {
    match piece.condition {
        Condition::UnscheduledDown | Condition::ScheduledDown => BasisPoints::WHOLE,
        Condition::Unknown => BasisPoints(0),
        Condition::Standby | Condition::Engineering | Condition::Productive => contract.weight(piece.degradation),
    }
}

/// The line of one segment; none where the device worked, or where nobody asks.
fn judge(contract: &Contract, span: Span, pieces: &[&Piece], covered: bool, clocks: &clocks::Clocks) -> Option<Line> {
    let known = pieces.iter().filter(|piece| piece.condition != Condition::Unknown);
    let worst = known.clone().max_by_key(|piece| (weight(contract, piece), piece.condition)).copied();
    let causes = |kept: &dyn Fn(&Piece) -> bool| {
        pieces.iter().filter(|piece| kept(piece)).map(|piece| piece.cause).collect::<BTreeSet<Cause>>()
    };
    let Some(piece) = worst else {
        let causes = causes(&|_| true);
        return covered.then(|| Line {
            span,
            class: Class::Unknown,
            condition: Condition::Unknown,
            weight: BasisPoints::WHOLE,
            conflict: false,
            orders: BTreeSet::new(),
            causes,
        });
    };
    let weight = weight(contract, piece);
    if weight == BasisPoints(0) {
        return None;
    }
    let ruling = clocks.at(span.from, piece);
    let class = if covered { ruling.class } else { Class::Uncovered };
    let mut causes = causes(&|other| other == piece);
    causes.extend(ruling.causes);
    Some(Line {
        span,
        class,
        condition: piece.condition,
        weight,
        conflict: piece.conflict,
        orders: ruling.orders,
        causes,
    })
}
