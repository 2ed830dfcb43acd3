//! What people wrote of a hospital: orders, maintenance, parts, a contract and a statement.

use medfleet_lake::rows::{ComponentRow, ContractRow, MaintenanceRow, OrderRow, StatementRow};
use medfleet_lake::{Cause, Day, RecordBatch, UtcMicros};

use super::rig::{DAY, HOUR, MONDAY, SECOND, batch, text};

pub fn rows(site: &str, device: &str) -> Vec<(&'static str, RecordBatch)> {
    let mut rows = notes(site, device);
    rows.extend(agreed(site, device));
    rows
}

/// The order was answered twenty minutes after it was opened, as was told later.
pub fn late_phase(site: &str, cause: Cause) -> OrderRow {
    OrderRow { cause, ..phase(site, "arrived", 620, 3) }
}

fn phase(site: &str, phase: &'static str, minute: i64, seq: i64) -> OrderRow {
    let at = UtcMicros(MONDAY + minute * 60 * SECOND);
    OrderRow {
        device: text(&format!("ct-{site}")),
        site: text(site),
        kind: text("ct"),
        work_order: text("wo-1"),
        class: text("corrective"),
        phase: text(phase),
        at,
        recorded_at: at,
        seq,
        weight: 1,
        ..OrderRow::default()
    }
}

/// An order about that hour, a maintenance that was due and done, a part that was replaced.
fn notes(site: &str, device: &str) -> Vec<(&'static str, RecordBatch)> {
    let done = MaintenanceRow {
        device: text(device),
        site: text(site),
        kind: text("ct"),
        procedure: text("annual"),
        // Due at the end of Sunday, done on Monday.
        due_day: Some(Day(i32::try_from(MONDAY / DAY).unwrap() - 1)),
        outcome: text("completed"),
        at: UtcMicros(MONDAY + 12 * HOUR),
        weight: 1,
        ..MaintenanceRow::default()
    };
    let replaced = ComponentRow {
        device: text(device),
        site: text(site),
        kind: text("ct"),
        component: text("tube"),
        at: UtcMicros(MONDAY + 10 * HOUR),
        weight: 1,
        ..ComponentRow::default()
    };
    let orders = [phase(site, "opened", 600, 1), phase(site, "returned_to_service", 660, 2)];
    vec![("orders", batch(&orders)), ("maintenance", batch(&[done])), ("components", batch(&[replaced]))]
}

/// A contract, recorded on Monday at one for the whole year, and a statement that was issued under it.
fn agreed(site: &str, device: &str) -> Vec<(&'static str, RecordBatch)> {
    let day = i32::try_from(MONDAY / DAY).unwrap();
    let contract = ContractRow {
        site: text(site),
        contract: text("SC-1"),
        vendor: text("Acme"),
        kind: Some(text("ct")),
        valid_from: Day(day - 60),
        guarantee_bp: 9_700,
        period: text("month"),
        hours: text("of_site"),
        clock_starts: text("reported"),
        clock_stops: text("returned_to_use"),
        recorded_at: UtcMicros(MONDAY + 13 * HOUR),
        weight: 1,
        ..ContractRow::default()
    };
    let issued = StatementRow {
        device: text(device),
        site: text(site),
        kind: text("ct"),
        statement: text(&format!("statement of {site}")),
        contract: text("SC-1"),
        period_until: UtcMicros(MONDAY),
        at: UtcMicros(MONDAY + 14 * HOUR),
        weight: 1,
        ..StatementRow::default()
    };
    vec![("contracts", batch(&[contract])), ("statements", batch(&[issued]))]
}
