//! What people, and the systems they keep, state about devices.

use medfleet_domain::human::{
    Asserted, Claimed, ComponentReplaced, Loan, Move, OrderClass, OrderPhase, Ownership, Party, Phase, PmDone,
    PmOutcome, Registration,
};
use medfleet_domain::time::{Day, Span, Timestamp};

use crate::fact::degradation;
use crate::pb;
use crate::read::{day, device_kind, instant_if_said, site, text, window};
use crate::refusal::Refusal;
use crate::word::{Word, number_or_unsaid};

impl From<&Registration> for pb::Registered {
    fn from(registration: &Registration) -> Self {
        Self {
            kind: registration.kind.as_str().into(),
            make: registration.make.clone(),
            model: registration.model.clone(),
            serial: registration.serial.clone(),
            department: registration.department.clone(),
            room: registration.room.clone(),
            asset_number: registration.asset_number.clone(),
            in_service_day: registration.in_service.map(number_of_day),
            acquisition_cost_cents: registration.acquisition_cost_cents,
            end_of_support_day: registration.end_of_support.map(number_of_day),
            cost_centre: registration.cost_centre.clone(),
            ownership: number_or_unsaid(registration.ownership),
        }
    }
}

impl TryFrom<pb::Registered> for Registration {
    type Error = Refusal;

    fn try_from(wire: pb::Registered) -> Result<Self, Refusal> {
        Ok(Self {
            kind: device_kind("kind", &wire.kind)?,
            make: wire.make,
            model: wire.model,
            serial: wire.serial,
            department: wire.department,
            room: wire.room,
            asset_number: wire.asset_number,
            in_service: wire.in_service_day.map(|number| day("in_service_day", number)).transpose()?,
            acquisition_cost_cents: wire.acquisition_cost_cents,
            end_of_support: wire.end_of_support_day.map(|number| day("end_of_support_day", number)).transpose()?,
            cost_centre: wire.cost_centre,
            ownership: Ownership::read("ownership", wire.ownership)?,
        })
    }
}

impl From<&Move> for pb::Moved {
    fn from(moved: &Move) -> Self {
        Self { site: moved.site.as_str().into(), department: moved.department.clone(), room: moved.room.clone() }
    }
}

impl TryFrom<pb::Moved> for Move {
    type Error = Refusal;

    fn try_from(wire: pb::Moved) -> Result<Self, Refusal> {
        Ok(Self { site: site("moved.site", &wire.site)?, department: wire.department, room: wire.room })
    }
}

impl From<&Loan> for pb::Loaned {
    fn from(loan: &Loan) -> Self {
        Self { to_site: loan.to_site.as_str().into(), until_us: loan.until.map(Timestamp::micros) }
    }
}

impl TryFrom<pb::Loaned> for Loan {
    type Error = Refusal;

    fn try_from(wire: pb::Loaned) -> Result<Self, Refusal> {
        Ok(Self { to_site: site("to_site", &wire.to_site)?, until: instant_if_said("until_us", wire.until_us)? })
    }
}

impl From<&ComponentReplaced> for pb::ComponentReplaced {
    fn from(replaced: &ComponentReplaced) -> Self {
        Self {
            component: replaced.component.clone(),
            old_serial: replaced.old_serial.clone(),
            new_serial: replaced.new_serial.clone(),
            preventive: replaced.preventive,
            order: replaced.order.clone(),
        }
    }
}

impl TryFrom<pb::ComponentReplaced> for ComponentReplaced {
    type Error = Refusal;

    fn try_from(wire: pb::ComponentReplaced) -> Result<Self, Refusal> {
        Ok(Self {
            component: text("component", "replacement of a component", wire.component)?,
            old_serial: wire.old_serial,
            new_serial: wire.new_serial,
            preventive: wire.preventive,
            order: wire.order,
        })
    }
}

impl From<&OrderPhase> for pb::WorkOrder {
    fn from(phase: &OrderPhase) -> Self {
        let (planned_from_us, planned_until_us) = ends(phase.planned);
        Self {
            order: phase.order.clone(),
            class: phase.class.number(),
            phase: phase.phase.number(),
            waiting_for: number_or_unsaid(phase.waiting_for),
            planned_from_us,
            planned_until_us,
            cause: phase.cause.clone(),
            text: phase.text.clone(),
        }
    }
}

impl TryFrom<pb::WorkOrder> for OrderPhase {
    type Error = Refusal;

    fn try_from(wire: pb::WorkOrder) -> Result<Self, Refusal> {
        Ok(Self {
            order: text("order", "work order", wire.order)?,
            class: OrderClass::required("class", "work order", wire.class)?,
            phase: Phase::required("phase", "work order", wire.phase)?,
            waiting_for: Party::read("waiting_for", wire.waiting_for)?,
            planned: window("planned", wire.planned_from_us, wire.planned_until_us)?,
            cause: wire.cause,
            text: wire.text,
        })
    }
}

impl From<&Asserted> for pb::Asserted {
    fn from(asserted: &Asserted) -> Self {
        use pb::ClaimedCondition as Wire;
        let (claim, degradation, planned) = match asserted.claim {
            Claimed::Usable => (Wire::Usable, 0, None),
            Claimed::Partial(class) => (Wire::Partial, class.number(), None),
            Claimed::Maintenance { planned } => (Wire::Maintenance, 0, planned),
            Claimed::Down => (Wire::Down, 0, None),
        };
        let (planned_from_us, planned_until_us) = ends(planned);
        Self {
            claim: claim.into(),
            degradation,
            until_us: asserted.until.map(Timestamp::micros),
            planned_from_us,
            planned_until_us,
            author: asserted.author.clone(),
            reason: asserted.reason.clone(),
            order: asserted.order.clone(),
        }
    }
}

impl TryFrom<pb::Asserted> for Asserted {
    type Error = Refusal;

    fn try_from(wire: pb::Asserted) -> Result<Self, Refusal> {
        use pb::ClaimedCondition as Wire;
        let claim = match Wire::try_from(wire.claim) {
            Ok(Wire::Unspecified) => return Err(Refusal::MissingField { field: "claim", of: "assertion" }),
            Ok(Wire::Usable) => Claimed::Usable,
            Ok(Wire::Partial) => Claimed::Partial(degradation(wire.degradation)?),
            Ok(Wire::Maintenance) => {
                Claimed::Maintenance { planned: window("planned", wire.planned_from_us, wire.planned_until_us)? }
            }
            Ok(Wire::Down) => Claimed::Down,
            Err(_) => return Err(Refusal::UnknownValue { field: "claim", value: wire.claim.to_string() }),
        };
        Ok(Self {
            claim,
            until: instant_if_said("until_us", wire.until_us)?,
            author: wire.author,
            reason: wire.reason,
            order: wire.order,
        })
    }
}

impl From<&PmDone> for pb::PmDone {
    fn from(done: &PmDone) -> Self {
        Self {
            procedure: done.procedure.clone(),
            due_day: done.due.map(number_of_day),
            outcome: done.outcome.number(),
            order: done.order.clone(),
        }
    }
}

impl TryFrom<pb::PmDone> for PmDone {
    type Error = Refusal;

    fn try_from(wire: pb::PmDone) -> Result<Self, Refusal> {
        Ok(Self {
            procedure: wire.procedure,
            due: wire.due_day.map(|number| day("due_day", number)).transpose()?,
            outcome: PmOutcome::required("outcome", "maintenance", wire.outcome)?,
            order: wire.order,
        })
    }
}

fn number_of_day(day: Day) -> i32 {
    day.0
}

fn ends(window: Option<Span>) -> (Option<i64>, Option<i64>) {
    (window.map(|span| span.from.micros()), window.map(|span| span.until.micros()))
}
