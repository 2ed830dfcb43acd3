//! Maintenance: what was done, how long it took against its plan, and the part it replaced. Pure.

use medfleet_domain::fact::Body;
use medfleet_domain::human::{Asserted, Claimed, ComponentReplaced, PmDone};
use medfleet_domain::time::{Span, Timestamp};

use super::{Cells, Replaced, Said, Voice, point};
use crate::mapping::MaintenancePart;
use crate::remarks::{Reason, Refusal};
use crate::times::Date;

pub fn read(
    part: &MaintenancePart,
    voice: Voice<'_>,
    known: Option<Timestamp>,
    cells: &mut Cells<'_>,
    said: &mut Said,
) -> Result<(), Refusal> {
    let at = cells.instant(&part.at)?;
    let until = cells.instant_if(part.until.as_ref())?;
    if let (Some(column), Some(until)) = (&part.until, until) {
        forwards(column, at, until, cells)?;
    }
    let order = cells.whole(part.order.as_ref());
    let over = until.unwrap_or(at);
    let planned = planned(part, cells)?;
    if until.is_some_and(|until| until > at) {
        let body = Body::Asserted(Asserted {
            claim: Claimed::Maintenance { planned },
            until,
            author: voice.source.name.clone(),
            reason: cells.whole(part.procedure.as_ref()).unwrap_or_default(),
            order: order.clone(),
        });
        said.points.push(point(voice.fact(at, over, known, body))?);
    }
    if let Some(procedure) = cells.whole(part.procedure.as_ref()) {
        let due = part.due.as_ref().map(|column| cells.date(column, &[])).transpose()?.flatten();
        let outcome = part.outcome.choose(cells.row)?;
        let body = Body::PmDone(PmDone { procedure, due: due.map(Date::first_day), outcome, order: order.clone() });
        said.points.push(point(voice.fact(over, over, known, body))?);
    }
    if let Some(replaced) = &part.component
        && let Some(component) = cells.whole(Some(&replaced.name))
    {
        let part = ComponentReplaced {
            component,
            old_serial: cells.whole(replaced.old_serial.as_ref()),
            new_serial: cells.whole(replaced.new_serial.as_ref()),
            preventive: false,
            order,
        };
        said.replaced.push(Replaced { at: over, known, part, prevents: replaced.preventive.choose(cells.row)? });
    }
    Ok(())
}

/// The planned window, where both its ends are filled.
fn planned(part: &MaintenancePart, cells: &mut Cells<'_>) -> Result<Option<Span>, Refusal> {
    let from = cells.instant_if(part.planned_from.as_ref())?;
    let until = cells.instant_if(part.planned_until.as_ref())?;
    let (Some(column), Some(from), Some(until)) = (&part.planned_until, from, until) else { return Ok(None) };
    forwards(column, from, until, cells)?;
    Ok(Span::new(from, until).ok())
}

fn forwards(column: &str, from: Timestamp, until: Timestamp, cells: &Cells<'_>) -> Result<(), Refusal> {
    if until < from {
        let [from, until] = [from, until].map(|at| at.to_string());
        return Err(cells.refused(column, Reason::Backwards { from, until }));
    }
    Ok(())
}
