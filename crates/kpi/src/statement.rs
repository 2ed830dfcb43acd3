//! The contract statement of one device and period over one cut: gathers what the pure computation needs, and what
//! issuing pins.

mod contracts;
mod read;

use medfleet_domain::contract::{ContractHours, IssuedStatement, Pin};
use medfleet_domain::id::DeviceId;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::spans::Spans;
use medfleet_domain::statement::{Changed, Figure, Given, Statement, changes, state};
use medfleet_domain::time::{Day, MICROS_PER_DAY, Span, Timestamp};
use medfleet_lake::SessionContext;

use crate::error::KpiError;
use crate::hours::Hours;
use crate::question::Question;

pub use contracts::{ContractVersion, contracts};
pub use read::{Issued, in_the_way, issued, last_told, order_facts, pieces};

/// A statement with everything a reader may ask about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    pub device: String,
    pub site: String,
    pub kind: DeviceKind,
    pub version: ContractVersion,
    /// Local days of the period, before the contract's own dates and the cut end it.
    pub days: (Day, Day),
    /// The cut does not reach the end of the period.
    pub is_open: bool,
    /// When the calendar that was in force was recorded; None where the contract has hours of its own.
    pub calendar_recorded_at: Option<Timestamp>,
    pub statement: Statement,
}

/// Which statement is asked for: of a device, under a contract, for the period in which a local day lies.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub device: &'a str,
    pub contract: &'a str,
    pub day: Day,
    /// Time of the cut.
    pub now: Timestamp,
}

/// Computes a statement; None where no version of the contract covers the device in that period.
pub async fn statement(session: &SessionContext, asked: Asked<'_>) -> Result<Option<Sheet>, KpiError> {
    let services = read::services(session, asked.device).await?;
    let all = contracts(session).await?;
    for service in &services {
        let device = DeviceId::new(asked.device).map_err(KpiError::Name)?;
        let covers = |version: &&ContractVersion| {
            version.site == service.site
                && version.contract.number == asked.contract
                && version.contract.covers(&device, service.kind)
        };
        let versions: Vec<&ContractVersion> = all.iter().filter(covers).collect();
        let Some(version) = contracts::in_force(&versions, asked.day) else { continue };
        let spans = services.iter().filter(|one| one.site == service.site).map(|one| one.span);
        let in_service = Spans::of(spans);
        if let Some(sheet) = fill(session, asked, service, version, &in_service).await? {
            return Ok(Some(sheet));
        }
    }
    Ok(None)
}

async fn fill(
    session: &SessionContext,
    asked: Asked<'_>,
    service: &read::Service,
    version: &ContractVersion,
    in_service: &Spans,
) -> Result<Option<Sheet>, KpiError> {
    let contract = &version.contract;
    let days = contract.period_of(asked.day);
    let margin = Span {
        from: days.0.start().plus_micros(-2 * MICROS_PER_DAY),
        until: days.1.start().plus_micros(2 * MICROS_PER_DAY),
    };
    let hours = Hours::read(session, margin).await?;
    let Some(site) = hours.of(&service.site) else { return Ok(None) };
    let first = days.0.max(contract.valid_from);
    let last = contract.valid_until.map_or(days.1, |until| until.min(days.1));
    let whole = site.clock.days(first, last);
    let Ok(period) = Span::new(whole.from, whole.until.min(asked.now)) else { return Ok(None) };
    if in_service.clip(period).is_empty() {
        return Ok(None);
    }
    let (base, calendar_recorded_at) = match &contract.hours {
        ContractHours::AroundTheClock => (Spans::from(period), None),
        ContractHours::Own(own) => (site.clock.weekly(own, period), None),
        ContractHours::OfSite => (
            site.calendars.base_hours(service.kind, &site.clock, period),
            site.calendars.recorded_at(service.kind, &site.clock, period),
        ),
    };
    let question = Question::new(period.from, period.until, asked.now).of_device(asked.device);
    // An order goes with its device, and may end where it was not opened.
    let orders = order_facts(session, &question).await?;
    let pieces = pieces(session, &question.of_site(&service.site)).await?;
    let statement = state(&Given { contract, period, hours: &base, in_service, pieces: &pieces, orders: &orders });
    Ok(Some(Sheet {
        device: asked.device.to_owned(),
        site: service.site.clone(),
        kind: service.kind,
        version: version.clone(),
        days,
        is_open: asked.now < whole.until,
        calendar_recorded_at,
        statement,
    }))
}

impl Sheet {
    /// The fact that issues this statement. `pins` are the offsets of the cut it was computed at.
    pub fn issue(&self, name: &str, author: &str, cut: i64, as_of: Timestamp, pins: Vec<Pin>) -> IssuedStatement {
        let figure = self.statement.figure();
        IssuedStatement {
            statement: name.to_owned(),
            contract: self.version.contract.number.clone(),
            period: self.statement.period,
            cut,
            as_of,
            pins,
            contract_valid_from: self.version.contract.valid_from,
            contract_recorded_at: self.version.recorded_at,
            calendar_recorded_at: self.calendar_recorded_at,
            base_micros: figure.base_micros,
            weighted_micros_bp: figure.weighted_micros_bp,
            unknown_micros: figure.unknown_micros,
            conflict_micros_bp: figure.conflict_micros_bp,
            author: author.to_owned(),
        }
    }
}

/// What later facts made of a statement that was issued: an entry of the next one.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjustment {
    pub issued: Issued,
    /// The figure of that period as it was last told: as it was issued, or as a later statement has told it.
    pub told: Figure,
    /// The same period, contract and device, at the cut of the next statement; None: the contract covers nothing of it any more.
    pub now: Option<Sheet>,
    /// Where the two judge differently, with the log records behind it.
    pub changed: Vec<Changed>,
}

impl Adjustment {
    /// Compares an issued statement, computed again at the cut at which it was last told, with the same at the newer cut.
    pub fn of(issued: Issued, then: &Sheet, now: Option<Sheet>) -> Option<Self> {
        let lines = now.as_ref().map_or(&[][..], |now| now.statement.lines.as_slice());
        let changed = changes(&then.statement.lines, lines);
        let told = then.statement.figure();
        let moved = !changed.is_empty() || now.as_ref().is_none_or(|now| now.statement.figure() != told);
        moved.then_some(Self { issued, told, now, changed })
    }
}
