//! Rows that statements and notes make: the device's inventory over time, sites and calendars, orders, contracts.

use std::borrow::Cow;

use super::Ledger;
use crate::entry::{CalendarRow, DeviceRow, Row, SiteRow};
use crate::fact::Body;
use crate::held::Held;

impl Ledger {
    /// All rows of all statements that count; they are few.
    pub(super) fn stated_rows(&self) -> Vec<Row> {
        let mut stated: Vec<_> = self.stated().collect();
        let rank = |held: &Held| (held.at, held.said_at);
        stated.sort_by(|a, b| (rank(a), &a.body, &a.site).cmp(&(rank(b), &b.body, &b.site)));
        let mut rows: Vec<Row> = device_rows(&stated).into_iter().map(Row::Device).collect();
        rows.extend(stated.iter().filter_map(|held| fleet_row(held)));
        rows
    }
}

impl Ledger {
    /// The rows of notes that stand and were filed after the first `count`, while no amendment is new.
    pub(super) fn notes_since(&self, count: usize) -> Vec<Row> {
        let fresh = self.notes[count..].iter().filter(|held| self.amendments.leaves(held));
        fresh.filter_map(|held| held.note_row()).map(Row::Note).collect()
    }

    /// The rows of all notes that stand, corrected where they were.
    pub(super) fn note_rows(&self) -> Vec<Row> {
        let corrected = self.amendments.corrected().filter_map(|held| held.note_row());
        self.notes_since(0).into_iter().chain(corrected.map(Row::Note)).collect()
    }
}

fn fleet_row(held: &Held) -> Option<Row> {
    match &held.body {
        Body::SiteDefined(site) => {
            Some(Row::Site(SiteRow { valid_from: held.at, recorded_at: held.said_at, site: site.clone() }))
        }
        Body::CalendarDefined(calendar) => {
            Some(Row::Calendar(CalendarRow { recorded_at: held.said_at, calendar: calendar.clone() }))
        }
        _ => None,
    }
}

/// Each statement in time order opens a version of the row and closes the one before.
fn device_rows(stated: &[Cow<'_, Held>]) -> Vec<DeviceRow> {
    let mut versions: Vec<DeviceRow> = Vec::new();
    for held in stated {
        let Some(version) = next_version(versions.last(), held) else { continue };
        if let Some(last) = versions.last_mut() {
            last.valid_until = Some(version.valid_from);
        }
        versions.retain(|one| one.valid_until != Some(one.valid_from));
        versions.push(version);
    }
    versions
}

fn next_version(last: Option<&DeviceRow>, held: &Held) -> Option<DeviceRow> {
    let following = |row: &DeviceRow| DeviceRow { valid_from: held.at, valid_until: None, ..row.clone() };
    match (&held.body, last) {
        (Body::Registered(registration), last) => Some(DeviceRow {
            valid_from: held.at,
            valid_until: None,
            site: held.site.clone(),
            registration: (**registration).clone(),
            on_loan_to: last.and_then(|row| row.on_loan_to.clone()),
            retired: false,
        }),
        (Body::Moved(to), Some(row)) => {
            let mut version = DeviceRow { site: to.site.clone(), ..following(row) };
            version.registration.department.clone_from(&to.department);
            version.registration.room.clone_from(&to.room);
            Some(version)
        }
        (Body::Loaned(loan), Some(row)) => Some(DeviceRow { on_loan_to: Some(loan.to_site.clone()), ..following(row) }),
        (Body::Returned, Some(row)) => Some(DeviceRow { on_loan_to: None, ..following(row) }),
        (Body::Retired(_), Some(row)) => Some(DeviceRow { retired: true, ..following(row) }),
        _ => None,
    }
}
