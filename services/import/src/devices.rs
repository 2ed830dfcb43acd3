//! All that the tables say, by device: its inventory from its first row, its facts, and the names by which rows find it. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono_tz::Tz;
use medfleet_domain::condition::{Condition, SourceKind};
use medfleet_domain::fleet::Site;
use medfleet_domain::id::{SiteId, Subject, SubjectKind};
use medfleet_domain::time::{Span, Timestamp};

use crate::mapping::{Mapping, Repeats, Table};
use crate::reader::{Place, Row};
use crate::remarks::{Reason, Refusal};
use crate::says::{self, Cells, Change, Inventory, Point, Replaced, Said, Voice};
use crate::unite::Spoken;

/// Who says which condition.
pub type Voiced = (SourceKind, Condition);

#[derive(Debug)]
pub struct Device {
    pub subject: Subject,
    /// False where rows name no device: such a subject was never in service.
    pub assigned: bool,
    pub inventory: Inventory,
    /// The line that first named it.
    line: u64,
    pub points: Vec<Point>,
    pub spans: BTreeMap<Voiced, Vec<Spoken>>,
    /// By table, since one table's row ends only its own.
    pub changes: BTreeMap<(usize, SourceKind), Vec<Change>>,
    pub replaced: Vec<Replaced>,
    pub failed: BTreeSet<(Timestamp, String)>,
    /// The earliest instant of any row.
    pub first: Option<Timestamp>,
}

/// What the tables told so far.
pub struct Devices<'a> {
    mapping: &'a Mapping,
    /// No instant outside is believed.
    bounds: Span,
    all: Vec<Device>,
    names: HashMap<String, usize>,
    orders: HashMap<(usize, String), u64>,
    /// Rows of the present table by their cells.
    seen: HashMap<u128, u64>,
    pub sites: BTreeMap<SiteId, Site>,
    /// The latest instant of any row.
    pub last: Option<Timestamp>,
}

/// A row that was understood, before it changes anything.
struct Taken {
    name: String,
    subject: Subject,
    known: Option<usize>,
    assigned: bool,
    inventory: Option<Inventory>,
    aliases: Vec<String>,
    witness: SourceKind,
    said: Said,
    notes: Vec<Refusal>,
    seen: Option<(Timestamp, Timestamp)>,
}

impl<'a> Devices<'a> {
    pub fn new(mapping: &'a Mapping, bounds: Span) -> Self {
        Self {
            mapping,
            bounds,
            all: Vec::new(),
            names: HashMap::new(),
            orders: HashMap::new(),
            seen: HashMap::new(),
            sites: BTreeMap::new(),
            last: None,
        }
    }

    /// Rows are compared with rows of their own table.
    pub fn begin_table(&mut self) {
        self.seen.clear();
    }

    /// Takes one row in, or says why not; then nothing has changed. The notes are what was special about it.
    pub fn take(&mut self, table: &Table, row: &Row<'_>, place: Place) -> Result<Vec<Refusal>, Refusal> {
        if table.repeats == Repeats::Refuse {
            let first = *self.seen.entry(row.digest()).or_insert(place.line);
            if first != place.line {
                return Err(Reason::Repeats { line: first }.into());
            }
        }
        let taken = self.understand(table, row, place)?;
        Ok(self.apply(taken, row, place))
    }

    fn understand(&self, table: &Table, row: &Row<'_>, place: Place) -> Result<Taken, Refusal> {
        let blank = table.device.blank(row);
        let unassigned = table.unassigned.as_ref().filter(|other| other.blank(row).is_none());
        let name = match (blank, unassigned) {
            (None, _) => table.device.fill(row),
            (Some(_), Some(unassigned)) => unassigned.fill(row),
            (Some(column), None) => return Err(Refusal::at(column, "", Reason::NoDevice)),
        };
        let assigned = blank.is_none();
        let known = self.names.get(&name).copied();
        let mut notes = Vec::new();
        let site = self.site_of(table, row, known, &name)?;
        let zone = self.zone(table, &site)?;
        let mut cells =
            Cells { row, place, times: &table.times, zone, bounds: self.bounds, notes: Vec::new(), seen: None };
        let inventory = match (&table.machine, known, &self.mapping.unlisted) {
            (Some(part), ..) => Some(says::machine(part, site, assigned, &mut cells)?),
            (None, None, Some(rule)) => {
                let taken = says::unlisted(rule, row)?;
                let (kind, site) = (taken.registration.kind.as_str(), taken.site.to_string());
                notes.push(Reason::Unlisted { kind, site }.into());
                Some(taken)
            }
            _ => None,
        };
        let subject = match known {
            Some(nth) => self.all[nth].subject.clone(),
            None => Subject::new(SubjectKind::Device, &name)?,
        };
        if !assigned {
            notes.push(Reason::Unassigned { subject: subject.name().to_owned() }.into());
        }
        let voice = Voice { source: &self.mapping.source, kind: self.mapping.witness(table) };
        let aliases = self.aliases(table, row, &name, known)?;
        let said = says::read(table, voice, &mut cells)?;
        self.is_new(table, known, &said)?;
        notes.append(&mut cells.notes);
        let witness = voice.kind;
        Ok(Taken { name, subject, known, assigned, inventory, aliases, witness, said, notes, seen: cells.seen })
    }

    fn site_of(&self, table: &Table, row: &Row<'_>, known: Option<usize>, name: &str) -> Result<SiteId, Refusal> {
        match (&table.machine, known, &self.mapping.unlisted) {
            (Some(part), ..) => says::site(part, row),
            (None, Some(nth), _) => Ok(self.all[nth].inventory.site.clone()),
            (None, None, Some(rule)) => Ok(SiteId::new(&rule.site.fill(row))?),
            (None, None, None) => {
                let column = table.device.columns().next().unwrap_or_default();
                Err(Refusal::at(column, row.cell(column), Reason::UnknownDevice { name: name.to_owned() }))
            }
        }
    }

    fn zone(&self, table: &Table, site: &SiteId) -> Result<Tz, Refusal> {
        let of_site = || self.mapping.site(site).map(|site| site.time_zone);
        table.times.zone.or_else(of_site).ok_or_else(|| Reason::NoZone { site: site.to_string() }.into())
    }

    /// The other names a machine's row gives it; one that is another machine's is refused.
    fn aliases(&self, table: &Table, row: &Row<'_>, name: &str, known: Option<usize>) -> Result<Vec<String>, Refusal> {
        let part = table.machine.iter().flat_map(|part| &part.aliases);
        let mut aliases = Vec::new();
        for template in part {
            let Some(alias) = template.whole(row).filter(|alias| alias != name) else { continue };
            if let Some(other) = self.names.get(&alias).filter(|other| Some(**other) != known) {
                let other = self.all[*other].subject.name().to_owned();
                let column = template.columns().next().unwrap_or_default();
                return Err(Refusal::at(column, row.cell(column), Reason::SameName { name: alias, other }));
            }
            aliases.push(alias);
        }
        Ok(aliases)
    }

    /// Refuses a second row for one machine of a list, and for one order of a device.
    fn is_new(&self, table: &Table, known: Option<usize>, said: &Said) -> Result<(), Refusal> {
        let Some(nth) = known else { return Ok(()) };
        if table.only_lists_machines() {
            return Err(Reason::SameMachine { line: self.all[nth].line }.into());
        }
        match said.order.as_ref().and_then(|order| Some((order, self.orders.get(&(nth, order.clone()))?))) {
            Some((order, line)) => Err(Reason::SameOrder { order: order.clone(), line: *line }.into()),
            None => Ok(()),
        }
    }

    fn apply(&mut self, taken: Taken, row: &Row<'_>, place: Place) -> Vec<Refusal> {
        let Taken { name, subject, known, assigned, inventory, aliases, witness, said, mut notes, seen } = taken;
        let nth = known.unwrap_or(self.all.len());
        match (known.and_then(|nth| self.all.get(nth)), inventory) {
            (Some(device), Some(again)) if device.assigned && device.inventory != again => {
                notes.push(Reason::SaysOtherwise { subject: subject.name().to_owned() }.into());
            }
            (None, Some(inventory)) => {
                self.define(&inventory.site, row);
                self.all.push(Device::new(subject, assigned, inventory, place.line));
            }
            _ => {}
        }
        self.names.extend(aliases.into_iter().chain([name]).map(|name| (name, nth)));
        if let Some(order) = &said.order {
            self.orders.insert((nth, order.clone()), place.line);
        }
        if let Some((_, last)) = seen {
            self.last = self.last.max(Some(last));
        }
        if let Some(device) = self.all.get_mut(nth) {
            device.hear(said, seen, witness, place.table);
        }
        notes
    }

    /// The site's definition, its title filled by the row that first names it.
    fn define(&mut self, id: &SiteId, row: &Row<'_>) {
        if let Some(text) = self.mapping.site(id) {
            self.sites.entry(id.clone()).or_insert_with(|| Site {
                title: text.title.fill(row),
                time_zone: text.time_zone.name().to_owned(),
                region: text.region.clone(),
                demo: false,
            });
        }
    }

    /// The devices in the order of their names.
    pub fn into_sorted(self) -> Vec<Device> {
        let mut all = self.all;
        all.sort_by(|a, b| a.subject.cmp(&b.subject));
        all
    }
}

impl Device {
    fn new(subject: Subject, assigned: bool, inventory: Inventory, line: u64) -> Self {
        Self {
            subject,
            assigned,
            inventory,
            line,
            points: Vec::new(),
            spans: BTreeMap::new(),
            changes: BTreeMap::new(),
            replaced: Vec::new(),
            failed: BTreeSet::new(),
            first: None,
        }
    }

    fn hear(&mut self, said: Said, seen: Option<(Timestamp, Timestamp)>, witness: SourceKind, table: usize) {
        let Said { points, spans, changes, replaced, failed, order: _ } = said;
        self.points.extend(points);
        for (condition, spoken) in spans {
            self.spans.entry((witness, condition)).or_default().push(spoken);
        }
        if !changes.is_empty() {
            self.changes.entry((table, witness)).or_default().extend(changes);
        }
        self.replaced.extend(replaced);
        self.failed.extend(failed);
        if let Some((first, _)) = seen {
            self.first = Some(self.first.map_or(first, |known| known.min(first)));
        }
    }
}
