//! From the ledger's notes to the lake's rows: one function per table, nothing decided here.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_domain::contract::{BasisPoints, Contract, ContractHours, IssuedStatement};
use medfleet_domain::entry::NoteRow;
use medfleet_domain::fact::Body;
use medfleet_domain::human::{ComponentReplaced, OrderPhase, PmDone};
use medfleet_domain::time::Timestamp;
use medfleet_lake::rows::{ComponentRow, ContractRow, MaintenanceRow, OrderRow, StatementRow};
use medfleet_lake::{Cause, Day, Text, UtcMicros};

use crate::rows::Pending;

/// The table that a note is filed with.
pub(crate) const fn table_of(note: &NoteRow) -> &'static str {
    match note.body {
        Body::Order(_) => "orders",
        Body::PmDone(_) => "maintenance",
        Body::ComponentReplaced(_) => "components",
        Body::ContractDefined(_) => "contracts",
        Body::StatementIssued(_) => "statements",
        _ => "",
    }
}

/// Files a note with its table.
pub(crate) fn push(pending: &mut Pending, subject: &Text, note: NoteRow, weight: i64, cause: Cause) {
    let frame = Frame { subject, note: &note, weight, cause };
    match &note.body {
        Body::Order(phase) => pending.orders.push(frame.order(phase)),
        Body::PmDone(done) => pending.maintenance.push(frame.maintenance(done)),
        Body::ComponentReplaced(replaced) => pending.components.push(frame.component(replaced)),
        Body::ContractDefined(contract) => pending.contracts.push(frame.contract(contract)),
        Body::StatementIssued(issued) => pending.statements.push(frame.statement(issued)),
        // The domain makes notes of these bodies only.
        _ => {}
    }
}

/// What every note says beside its body.
struct Frame<'a> {
    subject: &'a Text,
    note: &'a NoteRow,
    weight: i64,
    cause: Cause,
}

/// A row about a device: what its body says, and what every note says.
macro_rules! of_device {
    ($frame:ident, $row:ident { $($said:tt)* }) => {
        $row {
            device: $frame.subject.clone(),
            site: text($frame.note.site.as_str()),
            kind: $frame.note.kind.as_str().into(),
            $($said)*
            at: utc($frame.note.at),
            recorded_at: utc($frame.note.recorded_at),
            epoch: $frame.note.epoch.0.cast_signed(),
            seq: $frame.note.seq.0.cast_signed(),
            weight: $frame.weight,
            cause: $frame.cause,
        }
    };
}

impl Frame<'_> {
    fn order(&self, phase: &OrderPhase) -> OrderRow {
        of_device!(
            self,
            OrderRow {
                work_order: text(&phase.order),
                class: phase.class.as_str().into(),
                phase: phase.phase.as_str().into(),
                waiting_for: phase.waiting_for.map(|party| party.as_str().into()),
                planned_from: phase.planned.map(|planned| utc(planned.from)),
                planned_until: phase.planned.map(|planned| utc(planned.until)),
                cause_code: some_text(&phase.cause),
                text: some_text(&phase.text),
            }
        )
    }

    fn maintenance(&self, done: &PmDone) -> MaintenanceRow {
        of_device!(
            self,
            MaintenanceRow {
                procedure: text(&done.procedure),
                due_day: done.due.map(|day| Day(day.0)),
                outcome: done.outcome.as_str().into(),
                work_order: done.order.as_deref().map(text),
            }
        )
    }

    fn component(&self, replaced: &ComponentReplaced) -> ComponentRow {
        of_device!(
            self,
            ComponentRow {
                component: text(&replaced.component),
                old_serial: replaced.old_serial.as_deref().map(text),
                new_serial: replaced.new_serial.as_deref().map(text),
                preventive: replaced.preventive,
                work_order: replaced.order.as_deref().map(text),
            }
        )
    }

    fn contract(&self, contract: &Contract) -> ContractRow {
        let points = |points: BasisPoints| i32::from(points.0);
        let devices: Vec<&str> = contract.devices.iter().map(|device| device.as_str()).collect();
        let exclusions: Vec<&str> = contract.exclusions.iter().map(|one| one.as_str()).collect();
        ContractRow {
            site: self.subject.clone(),
            contract: text(&contract.number),
            vendor: text(&contract.vendor),
            kind: contract.kind.map(|kind| kind.as_str().into()),
            devices: some_text(&devices.join(",")),
            valid_from: Day(contract.valid_from.0),
            valid_until: contract.valid_until.map(|day| Day(day.0)),
            guarantee_bp: points(contract.guarantee),
            period: contract.period.as_str().into(),
            hours: text(&hours(&contract.hours)),
            minor_bp: points(contract.minor),
            partial_bp: points(contract.partial),
            severe_bp: points(contract.severe),
            exclusions: some_text(&exclusions.join(",")),
            clock_starts: contract.starts.as_str().into(),
            clock_stops: contract.stops.as_str().into(),
            recorded_at: utc(self.note.recorded_at),
            epoch: self.note.epoch.0.cast_signed(),
            seq: self.note.seq.0.cast_signed(),
            weight: self.weight,
            cause: self.cause,
        }
    }

    fn statement(&self, issued: &IssuedStatement) -> StatementRow {
        let pins = issued.pins.iter().map(|pin| (format!("{}/{}", pin.topic, pin.partition), pin.next_offset));
        let offsets: BTreeMap<String, u64> = pins.collect();
        of_device!(
            self,
            StatementRow {
                statement: text(&issued.statement),
                contract: text(&issued.contract),
                period_from: utc(issued.period.from),
                period_until: utc(issued.period.until),
                cut: issued.cut,
                as_of: utc(issued.as_of),
                offsets: text(&json(&offsets)),
                contract_valid_from: Day(issued.contract_valid_from.0),
                contract_recorded_at: utc(issued.contract_recorded_at),
                calendar_recorded_at: issued.calendar_recorded_at.map(utc),
                base_us: issued.base_micros,
                weighted_us_bp: issued.weighted_micros_bp,
                unknown_us: issued.unknown_micros,
                conflict_us_bp: issued.conflict_micros_bp,
                author: some_text(&issued.author),
            }
        )
    }
}

fn hours(hours: &ContractHours) -> String {
    match hours {
        ContractHours::OfSite => "of_site".into(),
        ContractHours::AroundTheClock => "around_the_clock".into(),
        ContractHours::Own(own) => {
            let one = own.iter().map(|one| format!("{}:{}-{}", one.weekday, one.from_minute, one.until_minute));
            one.collect::<Vec<_>>().join(",")
        }
    }
}

/// Partition names hold no quote or backslash: topics are ours.
fn json(offsets: &BTreeMap<String, u64>) -> String {
    let pairs: Vec<String> = offsets.iter().map(|(home, next)| format!("\"{home}\":{next}")).collect();
    format!("{{{}}}", pairs.join(","))
}

fn text(text: &str) -> Text {
    Text::from(Arc::<str>::from(text))
}

fn some_text(words: &str) -> Option<Text> {
    (!words.is_empty()).then(|| text(words))
}

const fn utc(at: Timestamp) -> UtcMicros {
    UtcMicros(at.0)
}
