//! An import worked out before its first fact: the sites, lives and remarks of all tables under one mapping. Pure.

use std::collections::BTreeMap;

use medfleet_domain::condition::Clock;
use medfleet_domain::fact::{Body, Fact, Run, Source};
use medfleet_domain::fleet::Site;
use medfleet_domain::id::{SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, Span, Timestamp};

use crate::devices::Devices;
use crate::difference::{Teller, Told};
use crate::life::{Frame, Life};
use crate::mapping::{Export, Mapping, MappingError};
use crate::reader::{self, FileError, Place};
use crate::remarks::Remarks;

/// Facts are told window by window, in each all devices: tables are cut by day, and a device told from end to end would leave a
/// small file on each of its days.
const WINDOW_DAYS: i32 = 32;

/// The bytes of each table by the name the mapping gives it.
pub type Files = BTreeMap<String, Vec<u8>>;

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Mapping(#[from] MappingError),
    #[error("{file} cannot be read: {source}")]
    File { file: String, source: FileError },
    #[error("{file} is not among the files")]
    NoFile { file: String },
    #[error(
        "record_end {record_end} lies ahead of {now}: nothing can be assumed of the future; correct it, or leave it out"
    )]
    RecordEndAhead { record_end: Timestamp, now: Timestamp },
}

pub struct Plan<'a> {
    mapping: &'a Mapping,
    pub remarks: Remarks,
    sites: BTreeMap<SiteId, Site>,
    lives: Vec<Life<'a>>,
    frame: Frame,
}

impl<'a> Plan<'a> {
    /// Reads every table. Nothing outside `plausible` is believed; its end is the present.
    pub fn of(files: &Files, mapping: &'a Mapping, plausible: Span) -> Result<Self, PlanError> {
        let now = plausible.until;
        if let Some(record_end) = mapping.record_end.filter(|end| *end > now) {
            return Err(PlanError::RecordEndAhead { record_end, now });
        }
        let bounds = Span { from: plausible.from, until: mapping.record_end.unwrap_or(now) };
        let mut remarks = Remarks::default();
        let mut devices = Devices::new(mapping, bounds);
        for nth in mapping.in_order() {
            read_table(mapping, nth, files, &mut devices, &mut remarks)?;
        }
        let record_end = mapping.record_end.or(devices.last).unwrap_or(plausible.from);
        let frame = Frame { first: plausible.from, record_end, last: bounds.until };
        let sites = std::mem::take(&mut devices.sites);
        let lives = devices.into_sorted().into_iter();
        let lives = lives.map(|device| Life::new(mapping, device, frame, &mut remarks)).collect();
        Ok(Self { mapping, remarks, sites, lives, frame })
    }

    /// Everything the import may speak of, so that the log can be asked what it was told before.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        let sites = self.sites.keys().map(Subject::site);
        sites.chain(self.lives.iter().map(|life| life.subject.clone()))
    }

    /// Begins to tell, given what was told before.
    pub fn telling(&self, mut told: BTreeMap<Subject, Told>) -> Telling<'_, 'a> {
        let source = &self.mapping.source.name;
        let mut teller = |subject: Subject, site: &SiteId, kind| {
            let before = told.remove(&subject).unwrap_or_default();
            Teller::new(source, subject, site.clone(), kind, before)
        };
        let sites =
            self.sites.iter().map(|(id, site)| (site, teller(Subject::site(id), id, DeviceKind::Other))).collect();
        let lives =
            self.lives.iter().map(|life| (life, teller(life.subject.clone(), life.site(), life.kind()))).collect();
        let spans = || self.lives.iter().filter_map(Life::span);
        let from = spans().map(|span| span.from).min().unwrap_or(self.frame.record_end).day();
        let until = spans().map(|span| span.until).max();
        let until = until.map_or(from, |until| Timestamp(until.0 - 1).day().next());
        Telling { plan: self, sites, lives, next: from, until }
    }
}

fn read_table(
    mapping: &Mapping,
    nth: usize,
    files: &Files,
    devices: &mut Devices<'_>,
    remarks: &mut Remarks,
) -> Result<(), PlanError> {
    let table = &mapping.tables[nth];
    let file = || table.file.clone();
    let bytes = files.get(&table.file).ok_or_else(|| PlanError::NoFile { file: file() })?;
    let failed = |source| PlanError::File { file: file(), source };
    if bytes.len() > reader::FILE_MAX_BYTES {
        return Err(failed(FileError::TooLarge));
    }
    let header = reader::header(bytes, table.delimiter).map_err(failed)?;
    table.fits(&header.names, mapping.unlisted.as_ref())?;
    devices.begin_table();
    let take = |row, line, read: Result<reader::Row<'_>, _>| {
        let place = Place { table: nth, row, line };
        match read.and_then(|row| devices.take(table, &row, place)) {
            Ok(notes) => {
                remarks.imported(place);
                notes.into_iter().for_each(|note| remarks.note(place, note));
            }
            Err(refused) => remarks.refuse(place, refused),
        }
    };
    reader::read(bytes, table.delimiter, &header, take).map_err(failed)
}

/// A plan being told: what goes into the log, window by window.
pub struct Telling<'p, 'm> {
    plan: &'p Plan<'m>,
    sites: Vec<(&'p Site, Teller)>,
    lives: Vec<(&'p Life<'m>, Teller)>,
    /// The first day not yet told, and the day after the last.
    next: Day,
    until: Day,
}

impl Telling<'_, '_> {
    /// Runs that define the sites; they go before all others. A definition that changed takes back the one before, never the site.
    pub fn sites(&mut self, now: Timestamp) -> Vec<Run> {
        let source = &self.plan.mapping.source;
        let at = self.plan.frame.first;
        let define = |site: &Site| {
            let source = Source { kind: source.kind, name: source.name.clone() };
            let body = Body::SiteDefined(site.clone());
            medfleet_wire::seal(Fact { at, known_at: at, known_assumed: true, clock: Clock::Holdover, source, body })
        };
        let tell = |(site, teller): &mut (&Site, Teller)| {
            let mut runs = teller.tell([define(site)]);
            runs.extend(teller.withdraw(&source.name, source.kind, now));
            runs
        };
        self.sites.iter_mut().flat_map(tell).collect()
    }

    pub fn devices(&self) -> usize {
        self.lives.len()
    }

    /// Windows still to be told.
    pub fn windows(&self) -> u64 {
        u64::from((self.until.0 - self.next.0).max(0).unsigned_abs().div_ceil(WINDOW_DAYS.unsigned_abs()))
    }

    /// The runs of the next window, or None after the last.
    pub fn next_window(&mut self) -> Option<Vec<Run>> {
        if self.next >= self.until {
            return None;
        }
        let after = Day(self.next.0 + WINDOW_DAYS);
        let window = Span { from: self.next.start(), until: after.start() };
        self.next = after;
        Some(self.lives.iter_mut().flat_map(|(life, teller)| teller.tell(life.facts(window))).collect())
    }

    /// After the last window: withdraws what the tables no longer say, where they hold all that the source knows.
    pub fn withdrawals(&mut self, now: Timestamp) -> Vec<Run> {
        let source = &self.plan.mapping.source;
        if source.export == Export::Part {
            return Vec::new();
        }
        self.lives.iter_mut().flat_map(|(_, teller)| teller.withdraw(&source.name, source.kind, now)).collect()
    }

    /// Facts told before and said again, and facts told before that the tables do not say.
    pub fn before(&self) -> (u64, u64) {
        let tellers = || self.lives.iter().map(|(_, teller)| teller);
        let unsaid = tellers().flat_map(Teller::unsaid).map(|range| range.count()).sum();
        (tellers().map(|teller| teller.again).sum(), unsaid)
    }
}
