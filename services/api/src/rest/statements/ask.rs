//! What may be asked for, as JSON, and the domain's word for it.

use medfleet_domain::human::{OrderClass, Ownership, Party, Phase, Registration};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::order::Ask;
use medfleet_domain::time::Day;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::human::chain;
use crate::period::read_day;
use crate::problem::Problem;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AskIn {
    Register(RegistrationIn),
    Retire {
        reason: String,
    },
    OpenOrder {
        order: String,
        class: ClassIn,
        #[serde(default)]
        text: String,
    },
    AdvanceOrder {
        order: String,
        phase: PhaseIn,
        waiting_for: Option<PartyIn>,
    },
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct RegistrationIn {
    /// A kind of the catalogue, e.g. ct or infusion_pump; or other.
    pub kind: String,
    #[serde(default)]
    pub make: String,
    #[serde(default)]
    pub model: String,
    #[serde(default)]
    pub serial: String,
    #[serde(default)]
    pub department: String,
    #[serde(default)]
    pub room: String,
    pub asset_number: Option<String>,
    /// A day, 2026-03-01.
    pub in_service: Option<String>,
    pub end_of_support: Option<String>,
    pub acquisition_cost_cents: Option<i64>,
    pub cost_centre: Option<String>,
    /// owned, leased, rented, loaner or consigned.
    pub ownership: Option<String>,
}

/// A word of the API for a word of the domain.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident for $of:ident { $($variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($variant,)* }

        impl From<$name> for $of {
            fn from(word: $name) -> Self {
                match word { $($name::$variant => Self::$variant,)* }
            }
        }
    };
}
words!(ClassIn for OrderClass { Corrective, Preventive, Upgrade, Inspection });
words!(PhaseIn for Phase {
    Opened, Assigned, Arrived, RepairStarted, WaitingStarted, WaitingEnded, Repaired, ReturnedToService, Closed, Cancelled,
    VendorCalled, RemoteConnected,
});
words!(PartyIn for Party { InHouse, Vendor, Parts, Facility, User });

impl AskIn {
    /// The kind a registration states.
    pub fn kind(&self) -> Option<DeviceKind> {
        match self {
            Self::Register(stated) => DeviceKind::parse(&stated.kind).ok(),
            _ => None,
        }
    }

    pub fn read(&self) -> Result<Ask, Problem> {
        Ok(match self.clone() {
            Self::Register(stated) => Ask::Register(stated.read()?),
            Self::Retire { reason } => Ask::Retire { reason },
            Self::OpenOrder { order, class, text } => Ask::OpenOrder { order, class: class.into(), text },
            Self::AdvanceOrder { order, phase, waiting_for } => {
                Ask::AdvanceOrder { order, phase: phase.into(), waiting_for: waiting_for.map(Party::from) }
            }
        })
    }
}

impl RegistrationIn {
    fn read(self) -> Result<Registration, Problem> {
        let kind = DeviceKind::parse(&self.kind).map_err(|invalid| Problem::refused(chain(&invalid)))?;
        let ownership = self.ownership.as_deref().map(|text| {
            let cure = "use owned, leased, rented, loaner or consigned";
            Ownership::parse(text).ok_or_else(|| Problem::bad_value("ownership", text, cure))
        });
        Ok(Registration {
            kind,
            make: self.make,
            model: self.model,
            serial: self.serial,
            department: self.department,
            room: self.room,
            asset_number: self.asset_number,
            in_service: day("in_service", self.in_service.as_deref())?,
            acquisition_cost_cents: self.acquisition_cost_cents,
            end_of_support: day("end_of_support", self.end_of_support.as_deref())?,
            cost_centre: self.cost_centre,
            ownership: ownership.transpose()?,
        })
    }
}

fn day(name: &str, text: Option<&str>) -> Result<Option<Day>, Problem> {
    text.map(|text| read_day(name, text)).transpose()
}
