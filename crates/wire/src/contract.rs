//! Service contracts and issued statements.

use medfleet_domain::Invalid;
use medfleet_domain::contract::{
    BasisPoints, ClockStart, ClockStop, Contract, ContractHours, Exclusion, IssuedStatement, PeriodLength, Pin,
};
use medfleet_domain::fleet::BaseHours;
use medfleet_domain::id::DeviceId;
use medfleet_domain::time::{Day, Span, Timestamp};

use crate::pb;
use crate::read::{day, device_kind, instant, instant_if_said, narrow, text};
use crate::refusal::Refusal;
use crate::word::Word;

/// The wire says which hours apart from the hours themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HoursWord {
    OfSite,
    AroundTheClock,
    Own,
}

impl From<&Contract> for pb::ContractDefined {
    fn from(contract: &Contract) -> Self {
        let (hours, own_hours) = match &contract.hours {
            ContractHours::OfSite => (HoursWord::OfSite, Vec::new()),
            ContractHours::AroundTheClock => (HoursWord::AroundTheClock, Vec::new()),
            ContractHours::Own(own) => (HoursWord::Own, own.iter().map(Into::into).collect()),
        };
        Self {
            number: contract.number.clone(),
            vendor: contract.vendor.clone(),
            kind: contract.kind.map(|kind| kind.as_str().into()),
            devices: contract.devices.iter().map(|device| device.as_str().into()).collect(),
            valid_from_day: contract.valid_from.0,
            valid_until_day: contract.valid_until.map(|day| day.0),
            guarantee_bp: contract.guarantee.0.into(),
            period: contract.period.number(),
            hours: hours.number(),
            own_hours,
            minor_bp: contract.minor.0.into(),
            partial_bp: contract.partial.0.into(),
            severe_bp: contract.severe.0.into(),
            exclusions: contract.exclusions.iter().map(|one| one.number()).collect(),
            starts: contract.starts.number(),
            stops: contract.stops.number(),
            phone: contract.phone.clone(),
        }
    }
}

impl TryFrom<pb::ContractDefined> for Contract {
    type Error = Refusal;

    fn try_from(wire: pb::ContractDefined) -> Result<Self, Refusal> {
        const OF: &str = "contract";
        let hours = match HoursWord::required("hours", OF, wire.hours)? {
            HoursWord::OfSite => ContractHours::OfSite,
            HoursWord::AroundTheClock => ContractHours::AroundTheClock,
            HoursWord::Own => {
                let own = wire.own_hours.into_iter().map(BaseHours::try_from);
                ContractHours::Own(own.collect::<Result<_, _>>()?)
            }
        };
        let devices = wire.devices.iter().map(|name| DeviceId::new(name).map_err(Refusal::invalid("devices")));
        let exclusions = wire.exclusions.into_iter().map(|number| Exclusion::required("exclusions", OF, number));
        Ok(Self {
            number: text("number", OF, wire.number)?,
            vendor: wire.vendor,
            phone: wire.phone,
            kind: wire.kind.map(|name| device_kind("kind", &name)).transpose()?,
            devices: devices.collect::<Result<_, _>>()?,
            valid_from: day("valid_from_day", wire.valid_from_day)?,
            valid_until: wire.valid_until_day.map(|number| day("valid_until_day", number)).transpose()?,
            guarantee: points("guarantee_bp", wire.guarantee_bp)?,
            period: PeriodLength::required("period", OF, wire.period)?,
            hours,
            minor: points("minor_bp", wire.minor_bp)?,
            partial: points("partial_bp", wire.partial_bp)?,
            severe: points("severe_bp", wire.severe_bp)?,
            exclusions: exclusions.collect::<Result<_, _>>()?,
            starts: ClockStart::required("starts", OF, wire.starts)?,
            stops: ClockStop::required("stops", OF, wire.stops)?,
        })
    }
}

fn points(field: &'static str, value: u32) -> Result<BasisPoints, Refusal> {
    narrow(field, value, i64::from(BasisPoints::WHOLE.0)).map(BasisPoints)
}

impl From<&Pin> for pb::Pin {
    fn from(pin: &Pin) -> Self {
        Self { topic: pin.topic.clone(), partition: pin.partition, next_offset: pin.next_offset }
    }
}

impl From<pb::Pin> for Pin {
    fn from(pin: pb::Pin) -> Self {
        Self { topic: pin.topic, partition: pin.partition, next_offset: pin.next_offset }
    }
}

impl From<&IssuedStatement> for pb::StatementIssued {
    fn from(issued: &IssuedStatement) -> Self {
        Self {
            statement: issued.statement.clone(),
            contract: issued.contract.clone(),
            period_from_us: issued.period.from.micros(),
            period_until_us: issued.period.until.micros(),
            cut: issued.cut,
            as_of_us: issued.as_of.micros(),
            pins: issued.pins.iter().map(Into::into).collect(),
            contract_valid_from_day: issued.contract_valid_from.0,
            contract_recorded_at_us: issued.contract_recorded_at.micros(),
            calendar_recorded_at_us: issued.calendar_recorded_at.map(Timestamp::micros),
            base_us: issued.base_micros,
            weighted_us_bp: issued.weighted_micros_bp,
            unknown_us: issued.unknown_micros,
            conflict_us_bp: issued.conflict_micros_bp,
            author: issued.author.clone(),
        }
    }
}

impl TryFrom<pb::StatementIssued> for IssuedStatement {
    type Error = Refusal;

    fn try_from(wire: pb::StatementIssued) -> Result<Self, Refusal> {
        let from = instant("period_from_us", wire.period_from_us)?;
        let until = instant("period_until_us", wire.period_until_us)?;
        let valid_from: Day = day("contract_valid_from_day", wire.contract_valid_from_day)?;
        Ok(Self {
            statement: text("statement", "issued statement", wire.statement)?,
            contract: text("contract", "issued statement", wire.contract)?,
            period: Span::new(from, until).map_err(Refusal::invalid("period"))?,
            cut: wire.cut,
            as_of: instant("as_of_us", wire.as_of_us)?,
            pins: wire.pins.into_iter().map(Into::into).collect(),
            contract_valid_from: valid_from,
            contract_recorded_at: instant("contract_recorded_at_us", wire.contract_recorded_at_us)?,
            calendar_recorded_at: instant_if_said("calendar_recorded_at_us", wire.calendar_recorded_at_us)?,
            base_micros: counted("base_us", wire.base_us)?,
            weighted_micros_bp: counted("weighted_us_bp", wire.weighted_us_bp)?,
            unknown_micros: counted("unknown_us", wire.unknown_us)?,
            conflict_micros_bp: counted("conflict_us_bp", wire.conflict_us_bp)?,
            author: wire.author,
        })
    }
}

fn counted(field: &'static str, value: i64) -> Result<i64, Refusal> {
    if value >= 0 {
        return Ok(value);
    }
    Err(Refusal::InvalidValue { field, source: Invalid::Range { what: field, value, low: 0, high: i64::MAX } })
}
