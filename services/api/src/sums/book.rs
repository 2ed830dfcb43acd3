//! The running sums themselves: what every entry of the ledger up to a cut adds up to, by site, kind, device and day. Pure.
//!
//! An entry is added once and never looked at again, except where somebody asks what was known earlier: for that the
//! entries that came late are kept. A day's other entries were appended on that day or the next, so of days long settled
//! only the late ones can be unknown; newer days are answered from their entries.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use medfleet_domain::time::{Day, MICROS_PER_DAY, Timestamp};

use super::answer::{Days, Question};
use super::causes::{CauseKey, Clock, Known};
use super::days::DaySums;
use super::entry::{BASED, Entry, TOLD};
use super::heard::Heard;
use super::hours::{BaseHours, Steps};
use super::names::Names;
use super::outages::{Down, Fresh, Outages, Phase, Version, Why};
use super::seats::{STATES_KEPT, Seat};
use super::service::{self, FreshEdges, Services};
use super::sites::{Said, SiteHours};

/// Late entries kept; of days that have more than fit, every entry is read when somebody asks what was known earlier.
const LATE_ENTRIES_MAX: usize = 8_000_000;
/// An entry is late when its record was appended this many days after its own began, or later.
const SETTLED_AFTER_DAYS: i32 = 2;
/// Calendars are spelled out so far ahead of the first cut; with less than a month of it left the sums begin anew.
const SPELLED_DAYS: i32 = 400;
const SPELLED_DAYS_MIN: i32 = 31;

/// All sums up to one cut.
#[derive(Debug)]
pub struct Book {
    pub(super) names: Names,
    pub(super) sites: HashMap<String, SiteHours>,
    spelled_until: Option<Day>,
    /// By track: seconds told, and those within base hours for every state of the site's calendar.
    pub(super) told: Vec<DaySums>,
    pub(super) seats: Vec<Seat>,
    /// The end of all that was ever told.
    pub(super) told_until: Timestamp,
    /// Entries that came late, by the day they are about.
    pub(super) late: BTreeMap<i32, Vec<Entry>>,
    late_entries: usize,
    pub(super) heard: Heard,
    pub(super) crowded: BTreeSet<Day>,
    pub(super) services: Services,
    /// People's claims that reach beyond a device's edge.
    pub(super) claims: Vec<Entry>,
    pub(super) clock: Clock,
    pub(super) outages: Outages,
    /// All seats by site, kind and device.
    pub(super) order: Vec<u32>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            names: Names::default(),
            sites: HashMap::new(),
            spelled_until: None,
            told: Vec::new(),
            seats: Vec::new(),
            told_until: Timestamp::MIN,
            late: BTreeMap::new(),
            late_entries: 0,
            heard: Heard::default(),
            crowded: BTreeSet::new(),
            services: Services::default(),
            claims: Vec::new(),
            clock: Clock::default(),
            outages: Outages::default(),
            order: Vec::new(),
        }
    }
}

impl Book {
    pub fn names(&mut self) -> &mut Names {
        &mut self.names
    }

    pub const fn known_names(&self) -> &Names {
        &self.names
    }

    pub fn note_append(&mut self, hour: i64, cause: CauseKey) {
        self.clock.note(hour, cause);
    }

    pub fn settle(&mut self, all: &Known) {
        self.clock.settle(all);
    }

    pub fn appended_before(&self, at: Timestamp) -> Option<&Known> {
        self.clock.before(at)
    }

    pub fn hear_site(&mut self, site: &str, cause: CauseKey, said: Said, weight: i64) {
        self.sites.entry(site.to_owned()).or_default().hear(cause, said, weight);
    }

    /// Spells the calendars of these sites out. The first call decides how far.
    pub fn spell(&mut self, changed: &BTreeSet<String>, today: Day) {
        let until = *self.spelled_until.get_or_insert(Day(today.0 + SPELLED_DAYS));
        for (_, hours) in self.sites.iter_mut().filter(|(site, _)| changed.contains(*site)) {
            hours.spell(until);
        }
    }

    /// Whether the calendars reach far enough past a day. Otherwise the sums begin anew, as a calendar stated far ahead may
    /// make a state more once its days are spelled out.
    pub fn is_spelled_past(&self, today: Day) -> bool {
        self.spelled_until.is_some_and(|until| until.0 >= today.0 + SPELLED_DAYS_MIN)
    }

    pub fn hours(&self, known: Option<&Known>) -> BaseHours {
        BaseHours::of(self.sites.iter().filter_map(|(site, hours)| Some((site.clone(), hours.at(known)?))))
    }

    /// Forgets the sums of a site, whose intervals are then added again under another calendar.
    pub fn forget_told(&mut self, sites: &BTreeSet<String>) {
        for (track, sums) in self.names.tracks.iter().zip(&mut self.told) {
            if sites.contains(&*track.site) {
                *sums = DaySums::new(width(self.sites.get(&*track.site), &track.kind));
            }
        }
        for (named, sums) in self.names.seats.iter().zip(&mut self.seats) {
            if sites.contains(&*self.names.tracks[named.track as usize].site) {
                sums.forget_told();
            }
        }
    }

    pub fn add_service(&mut self, version: service::Version) {
        self.services.add(version);
    }

    /// Keeps entries of days on which a service turned out to begin or end, instead of what was kept of them.
    pub fn keep_at_edges(&mut self, entries: &[Entry], fresh: &FreshEdges) {
        self.services.forget(&self.names, fresh);
        for entry in entries {
            let device = &self.names.seats[entry.seat as usize].device;
            if fresh.contains(&(device.to_string(), day_of(entry).0)) {
                self.services.keep(entry);
            }
        }
    }

    pub fn add_claim(&mut self, entry: Entry) {
        self.claims.push(entry);
        if entry.what.is_unscheduled_down() {
            let Entry { from, until, cause, seat, weight, .. } = entry;
            self.add_down(Down { from, until, cause, seat, weight, why: Why::Claimed });
        }
    }

    pub fn add_down(&mut self, down: Down) {
        self.outages.add_down(&self.names, down);
    }

    pub fn add_phase(&mut self, phase: Phase) {
        self.outages.add_phase(&self.names, phase);
    }

    pub fn add_version(&mut self, version: Version) {
        self.outages.add_version(&self.names, version);
    }

    /// Keeps working times of days that were of no interest when they were told.
    pub fn add_worked_earlier(&mut self, entries: &[Entry], fresh: &Fresh) {
        self.outages.add_worked_earlier(&self.names, entries, fresh);
    }

    /// Puts the seats and the times of service into order once more have come.
    pub fn arrange(&mut self) {
        let names = &self.names;
        self.services.arrange();
        self.outages.arrange();
        if self.order.len() < names.seats.len() {
            self.order = (0..names.seats.len() as u32).collect();
            self.order.sort_by_key(|seat| {
                let named = &names.seats[*seat as usize];
                let track = &names.tracks[named.track as usize];
                (&track.site, &track.kind, &named.device)
            });
        }
    }

    /// Adds intervals, each within one UTC day.
    pub fn add_intervals(&mut self, entries: &[Entry]) {
        self.add_told(entries);
        entries.iter().for_each(|entry| self.services.keep(entry));
        self.outages.add_worked(&self.names, entries);
        let mut settled: HashMap<Day, Option<Known>> = HashMap::new();
        for entry in entries {
            let day = day_of(entry);
            let on_time = settled
                .entry(day)
                .or_insert_with(|| self.clock.before(Day(day.0 + SETTLED_AFTER_DAYS).start()).cloned());
            if on_time.as_ref().is_none_or(|on_time| on_time.holds(entry.cause)) {
                continue;
            }
            if self.late_entries < LATE_ENTRIES_MAX {
                self.late_entries += 1;
                self.late.entry(day.0).or_default().push(*entry);
            } else {
                self.crowded.insert(day);
            }
        }
    }

    /// Adds the seconds that intervals tell, and nothing else of them.
    pub fn add_told(&mut self, entries: &[Entry]) {
        for track in &self.names.tracks[self.told.len()..] {
            self.told.push(DaySums::new(width(self.sites.get(&*track.site), &track.kind)));
        }
        self.seats.resize_with(self.names.seats.len(), Seat::default);
        let mut states: HashMap<u32, Vec<_>> = HashMap::new();
        for entry in entries {
            let track = &self.names.tracks[entry.track as usize];
            let steps = states
                .entry(entry.track)
                .or_insert_with(|| self.sites.get(&*track.site).map_or_else(Vec::new, |site| site.steps(&track.kind)));
            self.told[entry.track as usize].change(day_of(entry).0, |sums| entry.add_to(sums, 1, steps));
            let heard = self.seats[entry.seat as usize].tell(day_of(entry), entry, newest(steps));
            self.heard.set(day_of(entry).0, entry.seat, heard);
            self.told_until = self.told_until.max(Timestamp(entry.until));
        }
    }

    /// Late entries of the days that are added up as wholes which were not known.
    pub(super) fn unknown_late<'a>(
        &'a self,
        question: &'a Question<'_>,
        days: &'a Days,
    ) -> impl Iterator<Item = &'a Entry> {
        let of = move |known: &'a Known| {
            let covered = self.whole_days(days).flat_map(|days| self.late.range(days));
            covered.flat_map(|(_, entries)| entries).filter(|entry| !known.holds(entry.cause))
        };
        question.known.into_iter().flat_map(of)
    }

    /// The days that are added up as wholes, in stretches.
    pub(super) fn whole_days<'a>(&self, days: &'a Days) -> impl Iterator<Item = Range<i32>> + 'a {
        let cuts = days.read.iter().map(|day| day.0).filter(|day| days.whole.contains(day));
        let ends = cuts.chain([days.whole.end]);
        ends.scan(days.whole.start, |from, end| {
            let stretch = *from..end;
            *from = end + 1;
            Some(stretch)
        })
    }

    /// Whether all that was not late on a day was known. Of a day after everything told there is nothing to know.
    pub(super) fn settled(&self, day: Day, known: &Known) -> bool {
        day.start() >= self.told_until
            || self.clock.before(Day(day.0 + SETTLED_AFTER_DAYS).start()).is_some_and(|on_time| on_time.within(known))
    }
}

/// The base hours that are kept by device, of all that ever were.
pub fn newest(states: &[Arc<Steps>]) -> &[Arc<Steps>] {
    &states[states.len().saturating_sub(STATES_KEPT)..]
}

fn width(site: Option<&SiteHours>, kind: &str) -> usize {
    TOLD + BASED * site.map_or(0, |site| site.steps(kind).len())
}

/// The UTC day an interval lies in.
pub const fn day_of(entry: &Entry) -> Day {
    Day(entry.from.div_euclid(MICROS_PER_DAY) as i32)
}
