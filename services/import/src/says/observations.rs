//! What was seen of a device: errors, intervals in a condition, readings of counters. Pure.

use medfleet_domain::fact::{Body, DeviceError, Sample};
use medfleet_domain::time::Timestamp;

use super::{Cells, Change, Said, Voice, point};
use crate::mapping::{CounterPart, ErrorPart, IntervalPart, Shown, Until};
use crate::remarks::{Reason, Refusal};
use crate::unite::Spoken;

pub fn error(
    part: &ErrorPart,
    voice: Voice<'_>,
    known: Option<Timestamp>,
    cells: &mut Cells<'_>,
    said: &mut Said,
) -> Result<(), Refusal> {
    let at = cells.instant(&part.at)?;
    if let Some(column) = part.code.blank(cells.row) {
        return Err(cells.refused(column, Reason::Empty));
    }
    let code = cells.fill(&part.code);
    let body = Body::Error(DeviceError {
        family: cells.whole(part.family.as_ref()).unwrap_or_else(|| code.clone()),
        code,
        severity: part.severity.choose(cells.row)?,
        component: cells.fill(&part.component),
        cause_domain: cells.fill(&part.cause_domain),
        text: cells.fill(&part.text),
    });
    said.points.push(point(voice.fact(at, at, known, body))?);
    Ok(())
}

pub fn interval(
    part: &IntervalPart,
    known: Option<Timestamp>,
    cells: &mut Cells<'_>,
    said: &mut Said,
) -> Result<(), Refusal> {
    let from = cells.instant(&part.from)?;
    let shown = part.condition.choose(cells.row)?;
    let after = |minutes: u32| from.plus_seconds(i64::from(minutes) * 60);
    let place = cells.place;
    let until = match &part.until {
        Until::NextWithinMinutes(minutes) => {
            let spoken = Spoken { place, from, until: None, known, adjoins: true };
            said.changes.push(Change { spoken, shown, at_most_until: after(*minutes) });
            return Ok(());
        }
        Until::Minutes(minutes) => Some(after(*minutes)),
        Until::Column(column) => {
            let until = cells.instant_if(Some(column))?;
            match until {
                None => cells.note(column, Reason::NoEnd),
                Some(until) if until < from => {
                    let [from, until] = [from, until].map(|at| at.to_string());
                    return Err(cells.refused(column, Reason::Backwards { from, until }));
                }
                Some(until) if until == from => cells.note(column, Reason::NoLength),
                Some(_) => {}
            }
            until
        }
    };
    if let Shown::In(condition) = shown {
        said.spans.push((condition, Spoken { place, from, until, known, adjoins: true }));
    }
    Ok(())
}

pub fn counter(
    part: &CounterPart,
    voice: Voice<'_>,
    known: Option<Timestamp>,
    cells: &mut Cells<'_>,
    said: &mut Said,
) -> Result<(), Refusal> {
    let Some(value_milli) = cells.milli(&part.value, part.factor)? else { return Ok(()) };
    let at = cells.instant(&part.at)?;
    let body = Body::Usage(Sample {
        counter: cells.fill(&part.counter),
        component: cells.fill(&part.component),
        unit: cells.fill(&part.unit),
        value_milli,
        modulus_milli: part.modulus.map(|modulus| i64::from(modulus) * 1_000),
    });
    let sample = point(voice.fact(at, at, known, body));
    said.points.push(sample.map_err(|refused| cells.refused(&part.value, refused.reason))?);
    Ok(())
}
