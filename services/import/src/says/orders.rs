//! Work orders and failures: the phases a row knows, and what it says about the device meanwhile. Pure.

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::Body;
use medfleet_domain::human::{Asserted, Claimed, OrderClass, OrderPhase, Phase};
use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};

use super::{Cells, Said, Voice, point};
use crate::mapping::{Effect, OrderPart};
use crate::remarks::{Reason, Refusal};
use crate::unite::Spoken;

const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;

/// What a row says of its order, apart from times.
struct Order {
    id: String,
    class: OrderClass,
    cause: String,
    /// Told with the opening: what was reported.
    problem: String,
    /// Told with the last phase, as the cause is: before it nobody could know.
    finding: String,
}

pub fn read(
    part: &OrderPart,
    voice: Voice<'_>,
    known: Option<Timestamp>,
    cells: &mut Cells<'_>,
    said: &mut Said,
) -> Result<(), Refusal> {
    if let Some(column) = part.id.blank(cells.row) {
        return Err(cells.refused(column, Reason::Empty));
    }
    let order = order(part, cells)?;
    let phases = phases(part, cells)?;
    let opened = phases[0].1;
    let last = phases.len() - 1;
    for (nth, (phase, at)) in phases.iter().enumerate() {
        let is_last = nth == last;
        let text = match (nth, is_last) {
            (0, true) if order.problem.is_empty() => order.finding.clone(),
            (0, _) => order.problem.clone(),
            (_, true) => order.finding.clone(),
            _ => String::new(),
        };
        let body = Body::Order(OrderPhase {
            order: order.id.clone(),
            class: order.class,
            phase: *phase,
            waiting_for: None,
            planned: None,
            cause: if is_last { order.cause.clone() } else { String::new() },
            text,
        });
        said.points.push(point(voice.fact(*at, *at, known, body))?);
    }
    if let (OrderClass::Corrective, Some(component)) = (order.class, cells.whole(part.component.as_ref())) {
        said.failed = Some((opened, component));
    }
    effect(part, voice, known, &order, opened, cells, said)?;
    said.order = Some(order.id);
    Ok(())
}

fn order(part: &OrderPart, cells: &mut Cells<'_>) -> Result<Order, Refusal> {
    let filled = part.causes.iter().find(|column| !cells.row.cell(column).is_empty());
    if filled.is_none() && !part.causes.is_empty() {
        cells.notes.push(Reason::NoCause.into());
    }
    let (cause, problem, finding) = match filled {
        Some(column) => (column.clone(), String::new(), cells.row.cell(column).to_owned()),
        None if part.causes.is_empty() => (cells.fill(&part.cause), cells.fill(&part.text), String::new()),
        None => (part.no_cause.clone(), String::new(), String::new()),
    };
    Ok(Order { id: cells.fill(&part.id), class: part.class.choose(cells.row)?, cause, problem, finding })
}

/// The phases whose cells are filled, the opening first.
fn phases(part: &OrderPart, cells: &mut Cells<'_>) -> Result<Vec<(Phase, Timestamp)>, Refusal> {
    let opened = cells.instant(&part.opened)?;
    let later = [
        (Phase::Assigned, "assigned", &part.assigned),
        (Phase::Arrived, "arrived", &part.arrived),
        (Phase::RepairStarted, "repair started", &part.repair_started),
        (Phase::Repaired, "repaired", &part.repaired),
        (Phase::ReturnedToService, "returned", &part.returned),
        (Phase::Closed, "closed", &part.closed),
        (Phase::Cancelled, "cancelled", &part.cancelled),
    ];
    let mut phases = vec![(Phase::Opened, opened)];
    for (phase, name, column) in later {
        let (Some(column), Some(at)) = (column, cells.instant_if(column.as_ref())?) else { continue };
        if at < opened {
            let ends = matches!(phase, Phase::ReturnedToService | Phase::Closed | Phase::Cancelled);
            let [from, until] = [opened, at].map(|at| at.to_string());
            if ends {
                return Err(cells.refused(column, Reason::Backwards { from, until }));
            }
            cells.note(column, Reason::BeforeOpened { phase: name, at: until, opened: from });
        }
        phases.push((phase, at));
    }
    Ok(phases)
}

/// The span for which the row says something about the device itself.
fn effect(
    part: &OrderPart,
    voice: Voice<'_>,
    known: Option<Timestamp>,
    order: &Order,
    opened: Timestamp,
    cells: &mut Cells<'_>,
    said: &mut Said,
) -> Result<(), Refusal> {
    let effect = part.effect.choose(cells.row)?;
    if effect == Effect::Nothing {
        return Ok(());
    }
    let from = cells.instant_if(part.down_from.as_ref())?.unwrap_or(opened);
    let mut until = None;
    for column in [&part.down_until, &part.returned, &part.repaired, &part.closed, &part.cancelled] {
        until = match column {
            Some(column) if !cells.row.cell(column).is_empty() => {
                cells.instant_if(Some(column))?.map(|at| (column, at))
            }
            _ => None,
        };
        if until.is_some() {
            break;
        }
    }
    match until {
        None => cells.notes.push(Reason::NoEnd.into()),
        Some((column, until)) if until < from => {
            let [from, until] = [from, until].map(|at| at.to_string());
            return Err(cells.refused(column, Reason::Backwards { from, until }));
        }
        Some((column, until)) => {
            if until == from {
                cells.note(column, Reason::NoLength);
            }
            compare(part, (until.0 - from.0) / MICROS_PER_MINUTE, cells);
        }
    }
    let until = until.map(|(_, until)| until);
    let spoken = Spoken { place: cells.place, from, until, known, adjoins: false };
    match effect {
        Effect::Nothing => {}
        Effect::Down => said.spans.push((Condition::UnscheduledDown, spoken)),
        Effect::ScheduledDown => said.spans.push((Condition::ScheduledDown, spoken)),
        Effect::Partial(_) if until == Some(from) => {}
        Effect::Partial(class) => {
            let body = Body::Asserted(Asserted {
                claim: Claimed::Partial(class),
                until,
                author: voice.source.name.clone(),
                reason: order.problem.clone(),
                order: Some(order.id.clone()),
            });
            said.points.push(point(voice.fact(from, until.unwrap_or(from), known, body))?);
        }
    }
    Ok(())
}

fn compare(part: &OrderPart, timed: i64, cells: &mut Cells<'_>) {
    let Some(column) = &part.stated_minutes else { return };
    let stated = cells.row.cell(column);
    if !stated.is_empty() && stated.parse::<i64>().ok() != Some(timed) {
        let stated = stated.to_owned();
        cells.note(column, Reason::StatedDisagrees { stated, timed });
    }
}
