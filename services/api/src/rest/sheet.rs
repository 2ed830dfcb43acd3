//! A contract statement as it is answered: figures, treatments of maintenance, lines, adjustments.

use std::collections::BTreeMap;

use medfleet_domain::contract::{BasisPoints, Contract, ContractHours};
use medfleet_domain::id::Cause;
use medfleet_domain::statement::{Changed, Class, Figure as Counted, Line, Maintenance};
use medfleet_kpi::statement::{Adjustment, Issued, Sheet};
use medfleet_kpi::table::{Cell, Figure, Table};
use serde::Serialize;
use utoipa::ToSchema;

use super::table::ColumnOut;
use super::{CutInfo, PeriodInfo};
use crate::human::Accepted;
use crate::statements::Told;

/// A figure with everything it divides.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountedOut {
    /// Hours of the contract in which the device was in service.
    pub base_seconds: f64,
    /// Downtime that counts, by its weight.
    pub weighted_down_seconds: f64,
    pub unknown_seconds: f64,
    /// Of the counted, what is in conflict with use that was seen.
    pub conflict_seconds: f64,
    /// (base − weighted downtime) ÷ base.
    pub uptime: Option<f64>,
    /// Were all unknown down.
    pub worst: Option<f64>,
    /// Were all conflict up.
    pub best: Option<f64>,
    pub coverage: Option<f64>,
}

impl From<Counted> for CountedOut {
    fn from(of: Counted) -> Self {
        let rated = of.rated();
        Self {
            base_seconds: seconds(of.base_micros),
            weighted_down_seconds: weighted(of.weighted_micros_bp),
            unknown_seconds: seconds(of.unknown_micros),
            conflict_seconds: weighted(of.conflict_micros_bp),
            uptime: rated.map(|rated| rated.uptime),
            worst: rated.map(|rated| rated.worst),
            best: rated.map(|rated| rated.best),
            coverage: rated.map(|rated| rated.coverage),
        }
    }
}

/// The figure under one treatment of maintenance; the contract names one of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct TreatmentOut {
    pub treatment: String,
    pub is_the_contracts: bool,
    pub figure: CountedOut,
}

/// The version of a contract that holds for the period.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractOut {
    pub contract: String,
    pub vendor: String,
    pub valid_from: String,
    pub recorded_at: String,
    /// Guaranteed uptime.
    pub guarantee: f64,
    /// month or quarter.
    pub period: String,
    /// of_site, around_the_clock or own.
    pub hours: String,
    pub clock_starts: String,
    pub clock_stops: String,
    pub exclusions: Vec<String>,
    pub weight_minor: f64,
    pub weight_partial: f64,
    pub weight_severe: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct StatementOut {
    pub cut: CutInfo,
    pub device: String,
    pub site: String,
    pub kind: String,
    pub contract: ContractOut,
    /// When the calendar in force was recorded; absent where the contract has hours of its own.
    pub calendar_recorded_at: Option<String>,
    /// Local days of the period; the second is excluded.
    pub first_day: String,
    pub until_day: String,
    pub period: PeriodInfo,
    /// The period is not over at the cut.
    pub is_open: bool,
    pub figure: CountedOut,
    /// met, missed, or undecided where the bounds lie on both sides of the guarantee; absent without hours.
    pub guarantee: Option<String>,
    pub treatments: Vec<TreatmentOut>,
    /// Unweighted, by why it counts or not.
    pub seconds_by_class: BTreeMap<String, f64>,
    pub columns: Vec<ColumnOut>,
    #[schema(value_type = Vec<Object>)]
    pub lines: Vec<serde_json::Map<String, serde_json::Value>>,
    /// The statement that was issued for this period.
    pub issued: Option<IssuedOut>,
    /// Whether the figure is the one that was issued; absent where none was.
    pub agrees: Option<bool>,
    /// What later facts made of the statements before this one.
    pub adjustments: Vec<AdjustmentOut>,
}

impl StatementOut {
    pub fn of(cut: CutInfo, told: &Told) -> Self {
        let (sheet, statement) = (&told.sheet, &told.sheet.statement);
        let mut by_class: BTreeMap<String, f64> = BTreeMap::new();
        for line in &statement.lines {
            *by_class.entry(line.class.as_str().to_owned()).or_default() += seconds(line.span.micros());
        }
        let treatment = |one: Maintenance| TreatmentOut {
            treatment: one.as_str().to_owned(),
            is_the_contracts: one == statement.maintenance,
            figure: statement.variant(one).into(),
        };
        let table = lines(sheet);
        Self {
            cut,
            device: sheet.device.clone(),
            site: sheet.site.clone(),
            kind: sheet.kind.as_str().to_owned(),
            contract: ContractOut::of(sheet),
            calendar_recorded_at: sheet.calendar_recorded_at.map(|at| at.to_string()),
            first_day: sheet.days.0.to_string(),
            until_day: sheet.days.1.to_string(),
            period: PeriodInfo { from: statement.period.from.to_string(), until: statement.period.until.to_string() },
            is_open: sheet.is_open,
            figure: statement.figure().into(),
            guarantee: judged(&sheet.version.contract, statement.figure()),
            treatments: Maintenance::ALL.into_iter().map(treatment).collect(),
            seconds_by_class: by_class,
            lines: table.objects(),
            columns: table.headings.into_iter().map(ColumnOut::from).collect(),
            issued: told.issued.as_ref().map(IssuedOut::from),
            agrees: told.issued.as_ref().map(|issued| agrees(issued, statement.figure())),
            adjustments: told.adjustments.iter().map(AdjustmentOut::from).collect(),
        }
    }
}

impl ContractOut {
    fn of(sheet: &Sheet) -> Self {
        let of = &sheet.version.contract;
        let hours = match of.hours {
            ContractHours::OfSite => "of_site",
            ContractHours::AroundTheClock => "around_the_clock",
            ContractHours::Own(_) => "own",
        };
        Self {
            contract: of.number.clone(),
            vendor: of.vendor.clone(),
            valid_from: of.valid_from.to_string(),
            recorded_at: sheet.version.recorded_at.to_string(),
            guarantee: share(of.guarantee),
            period: of.period.as_str().to_owned(),
            hours: hours.to_owned(),
            clock_starts: of.starts.as_str().to_owned(),
            clock_stops: of.stops.as_str().to_owned(),
            exclusions: of.exclusions.iter().map(|one| one.as_str().to_owned()).collect(),
            weight_minor: share(of.minor),
            weight_partial: share(of.partial),
            weight_severe: share(of.severe),
        }
    }
}

/// Whether the guarantee was kept, as far as that is known.
pub fn judged(contract: &Contract, figure: Counted) -> Option<String> {
    let (rated, least) = (figure.rated()?, share(contract.guarantee));
    let word = match (rated.worst >= least, rated.best < least) {
        (true, _) => "met",
        (_, true) => "missed",
        _ => "undecided",
    };
    Some(word.to_owned())
}

pub fn agrees(issued: &Issued, figure: Counted) -> bool {
    let now = (figure.base_micros, figure.weighted_micros_bp, figure.unknown_micros, figure.conflict_micros_bp);
    now == (issued.base_micros, issued.weighted_micros_bp, issued.unknown_micros, issued.conflict_micros_bp)
}

/// The lines of a statement under their headings.
pub fn lines(sheet: &Sheet) -> Table {
    fn figure(name: &'static str, unit: &'static str, meaning: &'static str, of: fn(&Line) -> Cell) -> Figure<Line> {
        Figure { name, unit, meaning, of }
    }
    let figures = [
        figure("from_at", "instant, UTC", "from here", |line| Cell::Text(line.span.from.to_string())),
        figure("until_at", "instant, UTC", "to here", |line| Cell::Text(line.span.until.to_string())),
        figure("seconds", "seconds", "length, unweighted", |line| Cell::seconds(line.span.micros())),
        figure(
            "class",
            "text",
            "counted, uncovered, unknown, before_clock, after_clock, or the exclusion that takes it out",
            |line| Cell::text(line.class.as_str()),
        ),
        figure("condition", "text", "what the ledger says", |line| Cell::text(line.condition.as_str())),
        figure("weight", "ratio", "how much of each second is down", |line| Cell::Number(share(line.weight))),
        figure("conflict", "yes or no", "use was seen while it was claimed down", |line| Cell::Flag(line.conflict)),
        figure("orders", "text", "orders whose facts decided", |line| {
            Cell::text(&line.orders.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
        }),
        figure("records", "text", "log records behind it, partition:offset", |line| Cell::text(&records(&line.causes))),
    ];
    Table::of(&figures, &sheet.statement.lines)
}

pub fn records<'a>(causes: impl IntoIterator<Item = &'a Cause>) -> String {
    causes.into_iter().map(|cause| format!("{}:{}", cause.partition, cause.offset)).collect::<Vec<_>>().join(" ")
}

/// A statement as it was issued.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedOut {
    pub statement: String,
    pub contract: String,
    pub period: PeriodInfo,
    pub issued_at: String,
    pub author: Option<String>,
    /// The cut it pins: its number, its append time, and where it had read the log.
    pub cut: i64,
    pub as_of: String,
    pub positions: Vec<Accepted>,
    pub figure: CountedOut,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedsOut {
    pub cut: CutInfo,
    pub statements: Vec<IssuedOut>,
}

impl From<&Issued> for IssuedOut {
    fn from(of: &Issued) -> Self {
        let position = |(home, next): (&String, &i64)| {
            let (topic, partition) = home.rsplit_once('/')?;
            let offset = next.cast_unsigned();
            Some(Accepted { topic: topic.to_owned(), partition: partition.parse().ok()?, offset })
        };
        let figure = Counted {
            base_micros: of.base_micros,
            weighted_micros_bp: of.weighted_micros_bp,
            unknown_micros: of.unknown_micros,
            conflict_micros_bp: of.conflict_micros_bp,
        };
        Self {
            statement: of.statement.clone(),
            contract: of.contract.clone(),
            period: PeriodInfo { from: of.period.from.to_string(), until: of.period.until.to_string() },
            issued_at: of.issued_at.to_string(),
            author: of.author.clone(),
            cut: of.cut,
            as_of: of.as_of.to_string(),
            positions: of.offsets.iter().filter_map(position).collect(),
            figure: figure.into(),
        }
    }
}

/// How a span counted, or counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountsOut {
    pub class: String,
    pub weight: f64,
}

/// A span that is judged otherwise now. Absent `was` or `is`: the device worked.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedOut {
    pub from: String,
    pub until: String,
    pub was: Option<CountsOut>,
    pub is: Option<CountsOut>,
    /// Log records behind the change, partition:offset.
    pub records: String,
}

/// What later facts made of a statement that was issued.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdjustmentOut {
    pub issued: IssuedOut,
    /// The figure of that period as it was last told: as issued, or as a later statement told it.
    pub told: CountedOut,
    /// Its figure now; absent: the contract covers nothing of it any more.
    pub now: Option<CountedOut>,
    pub changed: Vec<ChangedOut>,
}

impl From<&Adjustment> for AdjustmentOut {
    fn from(of: &Adjustment) -> Self {
        let now = of.now.as_ref().map(|now| now.statement.figure().into());
        let changed = of.changed.iter().map(ChangedOut::from).collect();
        Self { issued: (&of.issued).into(), told: of.told.into(), now, changed }
    }
}

impl From<&Changed> for ChangedOut {
    fn from(of: &Changed) -> Self {
        let counts = |(class, weight): (Class, BasisPoints)| CountsOut {
            class: class.as_str().to_owned(),
            weight: share(weight),
        };
        Self {
            from: of.span.from.to_string(),
            until: of.span.until.to_string(),
            was: of.was.map(counts),
            is: of.is.map(counts),
            records: records(&of.causes),
        }
    }
}

fn share(points: BasisPoints) -> f64 {
    f64::from(points.0) / f64::from(BasisPoints::WHOLE.0)
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

fn weighted(micros_bp: i64) -> f64 {
    micros_bp as f64 / f64::from(BasisPoints::WHOLE.0) / 1e6
}
