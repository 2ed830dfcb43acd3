//! What a row says of the machine itself. Pure.

use medfleet_domain::human::Registration;
use medfleet_domain::id::SiteId;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Day;

use super::Cells;
use crate::mapping::{MachinePart, Site, UnlistedRule};
use crate::reader::Row;
use crate::remarks::{Reason, Refusal};
use crate::times::Date;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    pub site: SiteId,
    pub registration: Registration,
    /// The first day out of service, and why.
    pub retired: Option<(Day, String)>,
}

/// The site of a machine, which decides the zone of its other cells.
pub fn site(part: &MachinePart, row: &Row<'_>) -> Result<SiteId, Refusal> {
    match &part.site {
        Site::Coded(word) => word.choose(row),
        Site::Named(template) => {
            let column = template.blank(row).unwrap_or_default();
            let blank = || Refusal::at(column, "", Reason::Empty);
            if !column.is_empty() {
                return Err(blank());
            }
            Ok(SiteId::new(&template.fill(row))?)
        }
    }
}

/// Reads the inventory of a machine that is in service, or only its descriptions where it is none.
pub fn machine(part: &MachinePart, site: SiteId, assigned: bool, cells: &mut Cells<'_>) -> Result<Inventory, Refusal> {
    let mut registration = described(part, cells)?;
    let mut retired = None;
    if assigned {
        if let Some(rule) = &part.in_service {
            registration.in_service = cells.date(&rule.column, &rule.unknown)?.map(Date::first_day);
            if registration.in_service.is_none() {
                let text = cells.row.cell(&rule.column).to_owned();
                cells.note(&rule.column, Reason::ServiceUnknown { text });
            }
        }
        if let Some(rule) = &part.retired {
            let after = cells.date(&rule.column, &rule.never)?.map(Date::day_after);
            retired = after.map(|day| (day, cells.fill(&rule.reason)));
        }
    }
    Ok(Inventory { site, registration, retired })
}

fn described(part: &MachinePart, cells: &mut Cells<'_>) -> Result<Registration, Refusal> {
    let cost_milli = part.acquisition_cost.as_ref().map(|column| cells.milli(column, 1)).transpose()?.flatten();
    let end_of_support = part.end_of_support.as_ref().map(|column| cells.date(column, &[])).transpose()?.flatten();
    Ok(Registration {
        kind: part.kind.choose(cells.row)?,
        make: cells.fill(&part.make),
        model: cells.fill(&part.model),
        serial: cells.fill(&part.serial),
        department: cells.fill(&part.department),
        room: cells.fill(&part.room),
        asset_number: cells.whole(part.asset_number.as_ref()),
        in_service: None,
        acquisition_cost_cents: cost_milli.map(|milli| milli / 10),
        end_of_support: end_of_support.map(Date::first_day),
        cost_centre: cells.whole(part.cost_centre.as_ref()),
        ownership: part.ownership.as_ref().map(|word| word.choose(cells.row)).transpose()?,
    })
}

/// What a device is taken for that no machine table lists.
pub fn unlisted(rule: &UnlistedRule, row: &Row<'_>) -> Result<Inventory, Refusal> {
    let kind: DeviceKind = rule.kind.choose(row)?;
    let nothing = String::new;
    let registration = Registration {
        kind,
        make: nothing(),
        model: nothing(),
        serial: nothing(),
        department: nothing(),
        room: nothing(),
        asset_number: None,
        in_service: None,
        acquisition_cost_cents: None,
        end_of_support: None,
        cost_centre: None,
        ownership: None,
    };
    Ok(Inventory { site: SiteId::new(&rule.site.fill(row))?, registration, retired: None })
}
