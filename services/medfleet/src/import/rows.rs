//! From one row to what it says: whose repair it was, from when until when, and why. Pure.

use medfleet_domain::fleet::Site;
use medfleet_domain::human::Registration;
use medfleet_domain::id::{SiteId, Subject, SubjectKind};
use medfleet_domain::time::{Day, MICROS_PER_SECOND, Timestamp};
use medfleet_ingest::judge::EARLIEST_PLAUSIBLE;

use super::mapping::{Mapping, Template};
use super::reader::Row;
use super::rejects::{Note, Refused};
use super::times::{Instant, Month};

const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;

/// One row, understood.
#[derive(Debug)]
pub struct Said {
    pub inventory: Inventory,
    pub repair: Repair,
    pub site: Site,
    pub notes: Vec<Note>,
}

/// What the row says of the subject itself, whatever the repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    pub subject: Subject,
    pub site: SiteId,
    /// False where the row names no device: such a subject was never in service.
    pub assigned: bool,
    pub registration: Registration,
    /// The first day out of service.
    pub retired: Option<Day>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    pub row: u64,
    pub from: Timestamp,
    /// None: it lasts beyond the record.
    pub until: Option<Timestamp>,
    pub order: String,
    /// The column of the first filled cell among the causes, and that cell.
    pub cause: String,
    pub text: String,
}

/// Reads a row by its mapping, or says why it cannot be read.
pub fn read(mapping: &Mapping, row: &Row<'_>) -> Result<Said, Refused> {
    let mut notes = Vec::new();
    let inventory = inventory(mapping, row, &mut notes)?;
    let repair = repair(mapping, row, &mut notes)?;
    let site = Site {
        title: mapping.site.title.fill(row),
        time_zone: mapping.site.time_zone.clone(),
        region: mapping.site.region.clone(),
        demo: false,
    };
    Ok(Said { inventory, repair, site, notes })
}

fn inventory(mapping: &Mapping, row: &Row<'_>, notes: &mut Vec<Note>) -> Result<Inventory, Refused> {
    let assigned = !mapping.subject.id.has_blanks(row);
    let id: &Template = match &mapping.subject.unassigned {
        _ if assigned => &mapping.subject.id,
        Some(unassigned) if !unassigned.has_blanks(row) => unassigned,
        _ => return Err(Refused::NoSubject),
    };
    let subject = Subject::new(SubjectKind::Device, &id.fill(row))?;
    if !assigned {
        notes.push(Note::Unassigned { subject: subject.name().to_owned() });
    }
    let in_service = mapping.registered.in_service.as_ref().filter(|_| assigned);
    let in_service = in_service.map(|rule| month(mapping, row, &rule.column, &rule.unknown, notes)).transpose()?;
    if let (Some(None), Some(rule)) = (&in_service, &mapping.registered.in_service) {
        notes.push(Note::ServiceUnknown { text: row.cell(&rule.column).to_owned() });
    }
    let retired = mapping.retired.as_ref().filter(|_| assigned);
    let retired = retired.map(|rule| month(mapping, row, &rule.column, &rule.never, notes)).transpose()?;
    Ok(Inventory {
        subject,
        site: SiteId::new(&mapping.subject.site.fill(row))?,
        assigned,
        registration: registration(mapping, row, in_service.flatten().map(Month::first_day)),
        retired: retired.flatten().map(|month| month.day_after_last().max(EARLIEST_PLAUSIBLE)),
    })
}

fn registration(mapping: &Mapping, row: &Row<'_>, in_service: Option<Day>) -> Registration {
    let text = &mapping.registered;
    Registration {
        kind: mapping.subject.kind,
        make: text.make.fill(row),
        model: text.model.fill(row),
        serial: text.serial.fill(row),
        department: text.department.fill(row),
        room: String::new(),
        asset_number: None,
        in_service,
        acquisition_cost_cents: None,
        end_of_support: None,
        cost_centre: None,
        ownership: None,
    }
}

/// The month in a cell; None for an empty cell and for the words that mean none.
fn month(
    mapping: &Mapping,
    row: &Row<'_>,
    column: &str,
    words: &[String],
    notes: &mut Vec<Note>,
) -> Result<Option<Month>, Refused> {
    let text = row.cell(column);
    if text.is_empty() || words.iter().any(|word| word == text) {
        return Ok(None);
    }
    let month = mapping.time.month(text).map_err(|why| Refused::Time { column: column.to_owned(), why })?;
    notes.push(Note::Month { column: column.to_owned(), text: text.to_owned(), month });
    Ok(Some(month))
}

fn repair(mapping: &Mapping, row: &Row<'_>, notes: &mut Vec<Note>) -> Result<Repair, Refused> {
    let rule = &mapping.repair;
    let from = instant(mapping, row, &rule.from, notes)?;
    let until = match row.cell(&rule.until) {
        "" => None,
        _ => Some(instant(mapping, row, &rule.until, notes)?),
    };
    match until {
        None => notes.push(Note::NoEnd),
        Some(until) if until < from => {
            return Err(Refused::Backwards { from: from.to_string(), until: until.to_string() });
        }
        Some(until) => {
            notes.extend((until == from).then_some(Note::NoLength));
            compare(mapping, row, (until.0 - from.0) / MICROS_PER_MINUTE, notes);
        }
    }
    let cause = rule.causes.iter().find(|column| !row.cell(column).is_empty());
    if cause.is_none() && !rule.causes.is_empty() {
        notes.push(Note::NoCause);
    }
    Ok(Repair {
        row: row.number,
        from,
        until,
        order: rule.order.fill(row),
        cause: cause.unwrap_or(&rule.no_cause).clone(),
        text: cause.map_or_else(String::new, |column| row.cell(column).to_owned()),
    })
}

fn compare(mapping: &Mapping, row: &Row<'_>, timed: i64, notes: &mut Vec<Note>) {
    let stated = mapping.repair.stated_minutes.as_ref().map(|column| row.cell(column)).filter(|text| !text.is_empty());
    if let Some(stated) = stated.filter(|text| text.parse::<i64>().ok() != Some(timed)) {
        notes.push(Note::StatedDisagrees { stated: stated.to_owned(), timed });
    }
}

fn instant(mapping: &Mapping, row: &Row<'_>, column: &str, notes: &mut Vec<Note>) -> Result<Timestamp, Refused> {
    let text = row.cell(column);
    let read = mapping.time.instant(text).map_err(|why| Refused::Time { column: column.to_owned(), why })?;
    let Instant { at, twice } = read;
    let (first, last) = (EARLIEST_PLAUSIBLE.start(), mapping.time.record_end);
    if at < first || at > last {
        let [at, first, last] = [at, first, last].map(|at| at.to_string());
        return Err(Refused::OutsideRecord { column: column.to_owned(), at, first, last });
    }
    if twice {
        notes.push(Note::ShownTwice { text: text.to_owned(), taken: at.to_string() });
    }
    Ok(at)
}
