//! When devices were in service, as it was known: what was told of them at any other time does not count. Pure.
//!
//! Sums are by day. Where a time of service begins or ends within a day, the entries of that device and day that may lie
//! beyond it are kept one by one. A device that nobody ever registered was in service while it was heard.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};

use super::answer::Question;
use super::causes::CauseKey;
use super::entry::Entry;
use super::grouped::{Grouped, stand};
use super::names::Names;

/// Entries kept. Beyond it the intervals are asked wherever a device was not in service all the time.
const EDGE_ENTRIES_MAX: usize = 4_000_000;

/// A version of a device in the inventory; only its span, weight and cause mean something.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    pub of: Entry,
    pub in_service: bool,
}

/// Entries of a day of a device on which its service begins or ends.
#[derive(Debug)]
struct Edge {
    /// Service begins here at the latest, and ends here at the earliest.
    latest_from: i64,
    earliest_until: i64,
    entries: Vec<Entry>,
}

#[derive(Debug, Default)]
pub struct Services {
    /// By seat.
    versions: Grouped<Version>,
    edges: HashMap<(u32, i32), Edge>,
    kept: usize,
    given_up: bool,
}

/// Days of devices, by name, whose entries are to be read as their service turned out to begin or end there.
pub type FreshEdges = HashSet<(String, i32)>;

/// Days on which a time of service begins or ends, apart from midnights.
pub fn edge_days(from: i64, until: i64) -> impl Iterator<Item = i32> {
    let inner = |at: &i64| *at != i64::MAX && at.rem_euclid(MICROS_PER_DAY) != 0;
    [from, until].into_iter().filter(inner).map(day_of)
}

const fn day_of(at: i64) -> i32 {
    at.div_euclid(MICROS_PER_DAY) as i32
}

impl Services {
    pub fn add(&mut self, version: Version) {
        if version.in_service {
            let Entry { from, until, seat, .. } = version.of;
            for day in edge_days(from, until) {
                let new = Edge { latest_from: i64::MIN, earliest_until: i64::MAX, entries: Vec::new() };
                let edge = self.edges.entry((seat, day)).or_insert(new);
                if day_of(from) == day {
                    edge.latest_from = edge.latest_from.max(from);
                }
                if day_of(until) == day {
                    edge.earliest_until = edge.earliest_until.min(until);
                }
            }
        }
        self.versions.add(version.of.seat, version);
    }

    /// Puts the versions that were added into their places.
    pub fn arrange(&mut self) {
        self.versions.arrange();
    }

    /// Keeps what may lie outside a time of service.
    pub fn keep(&mut self, entry: &Entry) {
        let Some(edge) = self.edges.get_mut(&(entry.seat, day_of(entry.from))) else { return };
        if entry.from >= edge.latest_from && entry.until <= edge.earliest_until {
            return;
        }
        if self.kept < EDGE_ENTRIES_MAX {
            self.kept += 1;
            edge.entries.push(*entry);
        } else {
            self.given_up = true;
        }
    }

    /// Lets go of what is kept of days that are to be read anew.
    pub fn forget(&mut self, names: &Names, fresh: &FreshEdges) {
        for ((seat, day), edge) in &mut self.edges {
            if fresh.contains(&(names.seats[*seat as usize].device.to_string(), *day)) {
                self.kept -= edge.entries.len();
                edge.entries = Vec::new();
            }
        }
    }

    /// Times in service within the period of a question, as they were known, with their weights.
    pub fn in_service<'a>(&'a self, question: &'a Question<'_>) -> impl Iterator<Item = Entry> + 'a {
        let (from, until) = (question.period.from.0, question.period.until.0);
        let known = |cause: CauseKey| question.known.is_none_or(|known| known.holds(cause));
        let counts = move |version: &&Version| version.in_service && known(version.of.cause);
        self.versions.all().filter(counts).filter_map(move |version| version.of.clip(from, until))
    }

    /// Who was in service in the period of a question, as it was known.
    pub fn served(&self, names: &Names, question: &Question<'_>) -> Served {
        let (from, until) = (question.period.from.0, question.period.until.0);
        let known = |cause: CauseKey| question.known.is_none_or(|known| known.holds(cause));
        let happened = |at: i64| question.before.is_none_or(|before| Timestamp(at) < before);
        let seats = names.seats.len();
        let mut served = Served { how: Vec::with_capacity(seats), spans: Vec::new(), ends: Vec::with_capacity(seats) };
        let mut registered = vec![0; names.devices()];
        let mut weighted: Vec<((i64, i64), i64)> = Vec::new();
        for (seat, named) in (0..).zip(&names.seats) {
            weighted.clear();
            let mut micros = 0;
            for Version { of, in_service } in self.versions.of(seat) {
                if !known(of.cause) || !happened(of.from) {
                    continue;
                }
                let weight = i64::from(of.weight);
                registered[named.number as usize] += weight;
                let (from, until) = (of.from.max(from), of.until.min(until));
                if *in_service && from < until {
                    micros += weight * (until - from);
                    weighted.push(((from, until), weight));
                }
            }
            if micros == until - from {
                served.how.push(How::Always);
            } else {
                served.how.push(How::Partly);
                join(&mut weighted, &mut served.spans);
            }
            served.ends.push(served.spans.len() as u32);
        }
        for (how, named) in served.how.iter_mut().zip(&names.seats) {
            if *how == How::Partly && registered[named.number as usize] <= 0 {
                *how = How::Unregistered;
            }
        }
        served
    }

    /// Entries of a device that lie in parts of days on which its service begins or ends, cut to these. None: there were too
    /// many to keep.
    pub fn near_edges<'a>(&'a self, seat: u32, parts: &'a [(i64, i64)]) -> Option<impl Iterator<Item = Entry> + 'a> {
        let of_part = move |(from, until): &(i64, i64)| {
            let (from, until) = (*from, *until);
            let kept = self.edges.get(&(seat, day_of(from))).into_iter().flat_map(|edge| &edge.entries);
            kept.filter_map(move |entry| entry.clip(from, until))
        };
        (parts.is_empty() || !self.given_up).then(|| parts.iter().flat_map(of_part))
    }
}

/// Adds the spans that stand to others, those that meet as one.
fn join(weighted: &mut Vec<((i64, i64), i64)>, spans: &mut Vec<(i64, i64)>) {
    stand(weighted);
    let begin = spans.len();
    for ((from, until), _) in weighted.iter() {
        match spans[begin..].last_mut() {
            Some((_, end)) if *end >= *from => *end = *until.max(end),
            _ => spans.push((*from, *until)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// In service all of the period.
    Always,
    /// In service for a part of it, or not at all.
    Partly,
    /// Nobody ever registered it.
    Unregistered,
}

/// When the devices of a question were in service.
pub struct Served {
    /// By seat.
    how: Vec<How>,
    /// Seat after seat.
    spans: Vec<(i64, i64)>,
    /// By seat: where its spans end.
    ends: Vec<u32>,
}

impl Served {
    pub fn how(&self, seat: u32) -> How {
        self.how[seat as usize]
    }

    /// The times of service of a device that was so for a part of the period.
    pub fn spans(&self, seat: u32) -> &[(i64, i64)] {
        let begin = if seat == 0 { 0 } else { self.ends[seat as usize - 1] };
        &self.spans[begin as usize..self.ends[seat as usize] as usize]
    }

    /// The parts of a span that lie within the time in service.
    pub fn each_span(&self, seat: u32, from: i64, until: i64, mut each: impl FnMut(i64, i64)) {
        if self.how(seat) != How::Partly {
            return each(from, until);
        }
        let parts = self.spans(seat).iter().map(|(begin, end)| (from.max(*begin), until.min(*end)));
        parts.filter(|(from, until)| from < until).for_each(|(from, until)| each(from, until));
    }

    /// The parts of an entry that lie within the time in service.
    pub fn each_part(&self, entry: &Entry, mut each: impl FnMut(&Entry)) {
        if self.how(entry.seat) != How::Partly {
            return each(entry);
        }
        let parts = self.spans(entry.seat).iter().filter_map(|(from, until)| entry.clip(*from, *until));
        parts.for_each(|part| each(&part));
    }
}

/// Told outside the time in service on days that are added up as wholes: whole days, and parts of days.
pub struct Outside {
    pub days: Vec<Range<i32>>,
    pub parts: Vec<(i64, i64)>,
}

impl Outside {
    /// Whether nothing of the days that a device told of lies outside its spans. Most were in service since before they told
    /// anything, and are so still.
    pub fn is_none(stretches: &[Range<i32>], told: &Range<i32>, spans: &[(i64, i64)]) -> bool {
        let start = |day: i32| i64::from(day) * MICROS_PER_DAY;
        let within = |days: &Range<i32>| days.start.max(told.start)..days.end.min(told.end);
        let covers = |days: Range<i32>| {
            days.is_empty() || spans.iter().any(|(from, until)| *from <= start(days.start) && *until >= start(days.end))
        };
        stretches.iter().map(within).all(covers)
    }

    /// What of these days lies outside some spans.
    pub fn of(stretches: &[Range<i32>], spans: &[(i64, i64)]) -> Self {
        let mut outside = Self { days: Vec::new(), parts: Vec::new() };
        for stretch in stretches.iter().filter(|stretch| !stretch.is_empty()) {
            let start = |day: i32| i64::from(day) * MICROS_PER_DAY;
            let (mut at, end) = (start(stretch.start), start(stretch.end));
            for (from, until) in spans {
                if *from > at {
                    outside.gap(at, end.min(*from));
                }
                at = at.max(*until);
            }
            outside.gap(at, end);
        }
        outside
    }

    fn gap(&mut self, from: i64, until: i64) {
        if from >= until {
            return;
        }
        let (first, end) = (day_of(from + MICROS_PER_DAY - 1), day_of(until));
        if first > end {
            return self.parts.push((from, until));
        }
        let start = |day: i32| i64::from(day) * MICROS_PER_DAY;
        let ends = [(from, start(first)), (start(end), until)];
        self.parts.extend(ends.into_iter().filter(|(from, until)| from < until));
        if first < end {
            self.days.push(first..end);
        }
    }

    pub fn holds_day(&self, day: i32) -> bool {
        self.days.iter().any(|days| days.contains(&day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_whole_days_and_the_parts_at_its_edges() {
        const DAY: i64 = MICROS_PER_DAY;
        let of = |stretches: &[Range<i32>], spans: &[(i64, i64)]| {
            let outside = Outside::of(stretches, spans);
            (outside.days, outside.parts)
        };
        assert_eq!(of(&[0..4, 5..9], &[]), (vec![0..4, 5..9], vec![]));
        assert_eq!(of(&[0..4], &[(0, 4 * DAY)]), (vec![], vec![]));
        let (noon, six) = (DAY + DAY / 2, 6 * DAY + DAY / 4);
        assert_eq!(of(&[0..9], &[(noon, six)]), (vec![0..1, 7..9], vec![(DAY, noon), (six, 7 * DAY)]));
        assert_eq!(of(&[0..2], &[(0, noon), (noon + 5, 9 * DAY)]), (vec![], vec![(noon, noon + 5)]));
        assert_eq!(of(&[3..5], &[(0, noon), (six, 9 * DAY)]), (vec![3..5], vec![]));
    }
}
