//! What a service contract promises for which devices, and how it counts: its hours, clocks, weights and exclusions.

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::condition::Degradation;
use crate::fleet::{BaseHours, check_hours};
use crate::id::DeviceId;
use crate::kind::DeviceKind;
use crate::time::{Day, Span, Timestamp};

/// Hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct BasisPoints(pub u16);

impl BasisPoints {
    pub const WHOLE: BasisPoints = BasisPoints(10_000);
}

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            pub const ALL: &[$name] = &[$(Self::$variant,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            pub fn parse(code: &str) -> Result<Self, Invalid> {
                Self::ALL.iter().copied().find(|one| one.as_str() == code).ok_or_else(|| Invalid::Name {
                    what: $what,
                    value: code.chars().take(64).collect(),
                    cure: concat!("use one of ", $($code, " ",)*),
                })
            }
        }
    };
}
pub(crate) use codes;

codes! {
    /// Local months or quarters of the site.
    PeriodLength, "contract period" { Month = "month", Quarter = "quarter", }
}

codes! {
    /// What a contract takes out of the downtime it answers for. Each names facts; none is a judgement.
    Exclusion, "exclusion" {
        /// Scheduled down leaves the downtime; the hours stay in the base.
        MaintenanceFromDowntime = "maintenance_from_downtime",
        /// Scheduled down leaves downtime and base.
        MaintenanceFromBoth = "maintenance_from_both",
        /// An order waits for the facility, or names the facility as its cause: power, climate, water, network.
        Facility = "facility",
        /// An order waits for the user (no access, approval), or names use or an accessory as its cause.
        User = "user",
        /// Down under an order of class upgrade.
        Upgrade = "upgrade",
    }
}

codes! {
    /// What starts the clock of a downtime.
    ClockStart, "clock start" {
        /// The device stopped working, as the ledger knows it.
        Onset = "onset",
        /// Staff reported it: the order was opened.
        Reported = "reported",
        /// The vendor was called.
        VendorCalled = "vendor_called",
    }
}

codes! {
    /// What stops it; the device working again always does.
    ClockStop, "clock stop" {
        Arrived = "arrived",
        /// The vendor works on it from afar, or has arrived.
        RemoteConnected = "remote_connected",
        Repaired = "repaired",
        ReturnedToUse = "returned_to_use",
    }
}

/// The hours in which a contract counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ContractHours {
    /// The base hours of the site (and kind) as its calendar says.
    OfSite,
    AroundTheClock,
    /// Hours of its own, in the site's local time.
    Own(Vec<BaseHours>),
}

/// One version of a contract: what holds for devices at the site whose stream carries it, from a local day on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Contract {
    pub number: String,
    pub vendor: String,
    /// Whom to call when a covered device fails, as it is dialled; empty where it was not told.
    pub phone: String,
    /// None: of every kind.
    pub kind: Option<DeviceKind>,
    /// Empty: all devices of the kind at the site.
    pub devices: Vec<DeviceId>,
    pub valid_from: Day,
    /// The first local day on which it no longer holds.
    pub valid_until: Option<Day>,
    pub guarantee: BasisPoints,
    pub period: PeriodLength,
    pub hours: ContractHours,
    /// How much of an hour counts as down in each class of degradation; hard down is the whole hour.
    pub minor: BasisPoints,
    pub partial: BasisPoints,
    pub severe: BasisPoints,
    pub exclusions: Vec<Exclusion>,
    pub starts: ClockStart,
    pub stops: ClockStop,
}

const PHONE_MAX_BYTES: usize = 40;

impl Contract {
    pub fn check(&self) -> Result<(), Invalid> {
        if self.number.is_empty() {
            return Err(Invalid::Missing { what: "number", of: "contract" });
        }
        let dials = |c: char| c.is_ascii_digit() || "+-(). /".contains(c);
        if self.phone.len() > PHONE_MAX_BYTES || !self.phone.chars().all(dials) {
            return Err(Invalid::Name {
                what: "phone",
                value: self.phone.chars().filter(|c| !c.is_control()).take(64).collect(),
                cure: "write it as it is dialled: +1 555 0100",
            });
        }
        let points = [("guarantee", self.guarantee), ("minor", self.minor), ("partial", self.partial)];
        for (what, value) in points.into_iter().chain([("severe", self.severe)]) {
            let high = i64::from(BasisPoints::WHOLE.0);
            if i64::from(value.0) > high {
                return Err(Invalid::Range { what, value: value.0.into(), low: 0, high });
            }
        }
        if let Some(until) = self.valid_until.filter(|until| *until <= self.valid_from) {
            return Err(Invalid::Span { from: self.valid_from.start(), until: until.start() });
        }
        match &self.hours {
            ContractHours::Own(hours) => check_hours(hours),
            _ => Ok(()),
        }
    }

    pub const fn weight(&self, class: Degradation) -> BasisPoints {
        match class {
            Degradation::None => BasisPoints(0),
            Degradation::Minor => self.minor,
            Degradation::Partial => self.partial,
            Degradation::Severe => self.severe,
        }
    }

    pub fn excludes(&self, what: Exclusion) -> bool {
        self.exclusions.contains(&what)
    }

    pub fn covers(&self, device: &DeviceId, kind: DeviceKind) -> bool {
        self.kind.is_none_or(|own| own == kind) && (self.devices.is_empty() || self.devices.contains(device))
    }

    /// The local days `from..until` of the period in which a day lies.
    pub const fn period_of(&self, day: Day) -> (Day, Day) {
        period_of(self.period, day)
    }
}

pub const fn period_of(length: PeriodLength, day: Day) -> (Day, Day) {
    let (year, month, _) = day.civil();
    let (first, months) = match length {
        PeriodLength::Month => (month, 1),
        PeriodLength::Quarter => ((month - 1) / 3 * 3 + 1, 3),
    };
    let (next_year, next) = if first + months > 12 { (year + 1, first + months - 12) } else { (year, first + months) };
    (Day::from_civil(year, first, 1), Day::from_civil(next_year, next, 1))
}

/// A statement as it was issued: its figure and everything that must be pinned to compute it again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IssuedStatement {
    /// Name of the statement.
    pub statement: String,
    pub contract: String,
    pub period: Span,
    pub cut: i64,
    /// Greatest append time of anything the cut contains.
    pub as_of: Timestamp,
    /// The next offset of every partition that the cut had read.
    pub pins: Vec<Pin>,
    pub contract_valid_from: Day,
    pub contract_recorded_at: Timestamp,
    /// None: no calendar of the site was needed.
    pub calendar_recorded_at: Option<Timestamp>,
    pub base_micros: i64,
    /// Downtime that counts: microseconds times basis points.
    pub weighted_micros_bp: i64,
    pub unknown_micros: i64,
    /// Of the counted, what is in conflict with use that was seen.
    pub conflict_micros_bp: i64,
    pub author: String,
}

/// Where a cut stood in one partition of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pin {
    pub topic: String,
    pub partition: u32,
    pub next_offset: u64,
}

impl IssuedStatement {
    pub fn check(&self) -> Result<(), Invalid> {
        if self.statement.is_empty() || self.contract.is_empty() {
            return Err(Invalid::Missing { what: "name of the statement and of its contract", of: "issued statement" });
        }
        Span::new(self.period.from, self.period.until).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_calendar_months_and_quarters() {
        let of = |length, month, date| period_of(length, Day::from_civil(2026, month, date));
        let day = |year, month| Day::from_civil(year, month, 1);
        assert_eq!(of(PeriodLength::Month, 12, 31), (day(2026, 12), day(2027, 1)));
        assert_eq!(of(PeriodLength::Quarter, 3, 31), (day(2026, 1), day(2026, 4)));
        assert_eq!(of(PeriodLength::Quarter, 11, 1), (day(2026, 10), day(2027, 1)));
    }
}
