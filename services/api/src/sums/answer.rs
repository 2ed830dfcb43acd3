//! Answers by site and kind: whole days from the sums, the days at the edges entry by entry, less what was not known. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use medfleet_domain::time::{Day, MICROS_PER_DAY};

use super::book::{Book, day_of};
use super::causes::Known;
use super::entry::{BASED, Entry, TOLD};
use super::heard::Seats;
use super::hours::Steps;
use crate::measure::Measure;
use crate::period::Period;
use crate::query::UptimeRow;

/// What a question is about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub period: Period,
    /// None: all that the sums contain.
    pub known: Option<&'a Known>,
    /// None: every site.
    pub site: Option<&'a str>,
}

/// Which days a question adds up as wholes, and which it reads entry by entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    pub whole: Range<i32>,
    pub read: BTreeSet<Day>,
}

impl Book {
    /// Which days a question needs.
    pub fn days(&self, question: &Question<'_>) -> Days {
        let Period { from, until } = question.period;
        let first = (from.0 + MICROS_PER_DAY - 1).div_euclid(MICROS_PER_DAY) as i32;
        let end = until.0.div_euclid(MICROS_PER_DAY) as i32;
        let mut read: BTreeSet<Day> = BTreeSet::new();
        if from.0 % MICROS_PER_DAY != 0 {
            read.insert(from.day());
        }
        if until.0 % MICROS_PER_DAY != 0 {
            read.insert(until.day());
        }
        let mut whole = first..end.max(first);
        if let Some(known) = question.known {
            while !whole.is_empty() && !self.settled(Day(whole.end - 1), known) {
                whole.end -= 1;
                read.insert(Day(whole.end));
            }
            read.extend(self.crowded.range(Day(whole.start)..Day(whole.end)));
        }
        Days { whole, read }
    }

    /// One row for each site and kind that has anything to say. `read` are the entries of the days that are read.
    pub fn answer<'e>(
        &self,
        question: &Question<'_>,
        days: &Days,
        read: impl Iterator<Item = &'e Entry>,
    ) -> Vec<UptimeRow> {
        let Period { from, until } = question.period;
        let told_then = |entry: &&Entry| question.known.is_none_or(|known| known.holds(entry.cause));
        let stretches: Vec<_> = self.whole_days(days).collect();
        let tracks: Vec<Option<TrackSums>> =
            (0..self.names.tracks.len()).map(|track| self.whole(track, question, &stretches)).collect();
        let mut sums = Sums { tracks, heard: vec![0; self.names.seats.len()], served: vec![0; self.names.seats.len()] };
        let clip = |entry: &Entry| entry.clip(from.0, until.0);
        let claims = self.claims.iter().filter(told_then).filter_map(clip);
        for entry in read.filter(told_then).filter_map(clip).chain(claims) {
            sums.add(&entry, 1);
        }
        let mut taken: HashMap<(u32, i32), i64> = HashMap::new();
        for entry in self.unknown_late(question, days) {
            sums.add_told(entry, -1);
            *taken.entry((entry.seat, day_of(entry).0)).or_default() += entry.known_micros();
        }
        for entry in self.services.iter().filter(told_then).filter_map(clip) {
            sums.serve(&entry);
        }
        let mut silent: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
        for ((seat, day), micros) in taken {
            if self.seats[seat as usize].known(day) <= micros {
                silent.entry(day).or_default().push(seat);
            }
        }
        let heard = self.heard.on_any(stretches.into_iter().flatten(), &silent);
        self.rows(sums, &heard)
    }

    /// The sums of one track over whole days.
    fn whole(&self, track: usize, question: &Question<'_>, stretches: &[Range<i32>]) -> Option<TrackSums> {
        let named = &self.names.tracks[track];
        if question.site.is_some_and(|site| site != &*named.site) {
            return None;
        }
        let site = self.sites.get(&*named.site);
        let steps = site.map_or_else(Vec::new, |site| site.steps(&named.kind));
        let state = site.and_then(|site| site.state(question.known));
        let mut told = vec![0; TOLD + BASED * steps.len()];
        if let Some(sums) = self.told.get(track) {
            stretches.iter().for_each(|days| sums.add_range(days.start, days.end, &mut told));
        }
        Some(TrackSums { told, steps, state, registered: 0, base_registered: 0, last: None, devices: 0, monitored: 0 })
    }

    fn rows(&self, mut sums: Sums, heard: &Seats) -> Vec<UptimeRow> {
        for (seat, _) in sums.served.iter().enumerate().filter(|(_, served)| **served > 0) {
            let Some(track) = &mut sums.tracks[self.names.seats[seat].track as usize] else { continue };
            track.devices += 1;
            track.monitored += i64::from(sums.heard[seat] > 0 || heard.holds(seat as u32));
        }
        let named = self.names.tracks.iter().zip(sums.tracks);
        let mut rows: Vec<UptimeRow> = named
            .filter_map(|(named, sums)| {
                let measure = sums?.measure();
                let row = |measure| UptimeRow {
                    site: named.site.to_string(),
                    kind: named.kind.to_string(),
                    device: String::new(),
                    measure,
                };
                (measure != Measure::default()).then(|| row(measure))
            })
            .collect();
        rows.sort_by(|a, b| (&a.site, &a.kind).cmp(&(&b.site, &b.kind)));
        rows
    }
}

/// Sums of a question while they grow.
struct Sums {
    tracks: Vec<Option<TrackSums>>,
    /// By seat: intervals and claims in which it was heard, of those that were read.
    heard: Vec<i64>,
    /// By seat: times of service.
    served: Vec<i64>,
}

pub(super) struct TrackSums {
    pub told: Vec<i64>,
    pub steps: Vec<Arc<Steps>>,
    pub state: Option<usize>,
    pub registered: i64,
    pub base_registered: i64,
    /// The last span measured against base hours, and the answer: most devices served all the time.
    pub last: Option<((i64, i64), i64)>,
    pub devices: i64,
    pub monitored: i64,
}

impl Sums {
    fn add(&mut self, entry: &Entry, sign: i64) {
        self.add_told(entry, sign);
        self.heard[entry.seat as usize] += sign * i64::from(entry.weight) * i64::from(entry.what.is_known());
    }

    fn add_told(&mut self, entry: &Entry, sign: i64) {
        if let Some(track) = &mut self.tracks[entry.track as usize] {
            entry.add_to(&mut track.told, sign, &track.steps);
        }
    }

    fn serve(&mut self, entry: &Entry) {
        let Some(track) = &mut self.tracks[entry.track as usize] else { return };
        let weight = i64::from(entry.weight);
        track.registered += weight * (entry.until - entry.from);
        if let Some(state) = track.state {
            let span = (entry.from, entry.until);
            let last = track.last.filter(|(last, _)| *last == span);
            let (_, base) =
                *track.last.insert(last.unwrap_or_else(|| (span, track.steps[state].overlap(span.0, span.1))));
            track.base_registered += weight * base;
        }
        self.served[entry.seat as usize] += weight;
    }
}

impl TrackSums {
    pub(super) fn measure(&self) -> Measure {
        let based = self.state.map_or([0; BASED], |state| {
            let at = TOLD + BASED * state;
            [self.told[at], self.told[at + 1], self.told[at + 2]]
        });
        Measure {
            devices: self.devices,
            monitored: self.monitored,
            registered: self.registered,
            productive: self.told[0],
            standby: self.told[1],
            engineering: self.told[2],
            scheduled_down: self.told[3],
            unscheduled_down: self.told[4],
            assumed: self.told[5],
            conflict: self.told[6],
            base_registered: self.base_registered,
            base_productive: based[0],
            base_up: based[1],
            base_down: based[2],
        }
    }
}
