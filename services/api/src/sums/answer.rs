//! Answers by site and kind: whole days from the sums, the days at the edges entry by entry, less what was not known. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use medfleet_domain::time::{Day, MICROS_PER_DAY, Timestamp};

use super::book::{Book, day_of, newest};
use super::causes::Known;
use super::entry::{BASED, CONDITIONS, Entry, TOLD};
use super::heard::Seats;
use super::hours::Steps;
use super::seats::{SEAT_SUMS, SeatSums};
use super::service::{How, Outside, Served};
use crate::measure::Measure;
use crate::period::Period;
use crate::query::UptimeRow;

/// What a question is about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub period: Period,
    /// None: all that the sums contain.
    pub known: Option<&'a Known>,
    /// What happened then or later is left out.
    pub before: Option<Timestamp>,
    /// None: every site.
    pub site: Option<&'a str>,
    /// Whether base hours are asked for: by device they are kept for the newest calendars.
    pub base: bool,
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

    /// One row for each site and kind that has anything to say; None where that is not kept by device which must be taken
    /// out. `read` are the entries of the days that are read.
    pub fn answer<'e>(
        &self,
        question: &Question<'_>,
        days: &Days,
        read: impl Iterator<Item = &'e Entry>,
    ) -> Option<Vec<UptimeRow>> {
        self.answer_of(question, &self.services.served(&self.names, question), days, read)
    }

    /// The same, for who knows already when devices were in service.
    pub(super) fn answer_of<'e>(
        &self,
        question: &Question<'_>,
        served: &Served,
        days: &Days,
        read: impl Iterator<Item = &'e Entry>,
    ) -> Option<Vec<UptimeRow>> {
        let Period { from, until } = question.period;
        let told_then = |entry: &&Entry| question.known.is_none_or(|known| known.holds(entry.cause));
        let stretches: Vec<_> = self.whole_days(days).collect();
        let tracks: Vec<Option<TrackSums>> =
            (0..self.names.tracks.len()).map(|track| self.whole(track, question, &stretches)).collect();
        let seats = self.names.seats.len();
        let mut sums = Sums { tracks, heard: vec![0; seats], served: vec![0; seats], own: HashMap::new() };
        let clip = |entry: &Entry| entry.clip(from.0, until.0);
        let claims = self.claims.iter().filter(told_then).filter_map(clip);
        for entry in read.filter(told_then).filter_map(clip).chain(claims) {
            served.each_part(&entry, |part| sums.add(part, 1));
            if served.how(entry.seat) == How::Unregistered {
                sums.add_own(&entry);
            }
        }
        let mut taken: HashMap<(u32, i32), i64> = HashMap::new();
        for entry in self.unknown_late(question, days) {
            sums.add_told(entry, -1);
            *taken.entry((entry.seat, day_of(entry).0)).or_default() += entry.known_micros();
        }
        for entry in self.services.in_service(question) {
            sums.serve(&entry);
        }
        let mut silent: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
        for ((seat, day), micros) in taken {
            if self.seats[seat as usize].known(day) <= micros {
                silent.entry(day).or_default().push(seat);
            }
        }
        let heard = self.heard.on_any(stretches.iter().cloned().flatten(), &silent);
        let apart = self.set_apart(&mut sums, question, served, &stretches, days)?;
        Some(self.rows(sums, &heard, &apart))
    }

    /// Takes out what was told of whole days outside the times in service, and puts devices that nobody registered into service
    /// while they were heard. Answers of those devices whether they were heard. None: it is not kept.
    fn set_apart(
        &self,
        sums: &mut Sums,
        question: &Question<'_>,
        served: &Served,
        stretches: &[Range<i32>],
        days: &Days,
    ) -> Option<HashMap<u32, bool>> {
        let late = self.late_apart(question, days, served);
        let mut apart = HashMap::new();
        for (seat, named) in self.names.seats.iter().enumerate() {
            let seat = seat as u32;
            let Some(track) = &mut sums.tracks[named.track as usize] else { continue };
            let kept = newest(&track.steps).len();
            let late = late.get(&seat).map_or(&[][..], Vec::as_slice);
            match served.how(seat) {
                How::Always => {}
                How::Partly => {
                    let out = self.outside(seat, served, question, stretches, late)?;
                    if out == [0; SEAT_SUMS] {
                        continue;
                    }
                    track.add_kept(&out, -1, kept)?;
                    let told = self.told_of(seat, stretches, late, &track.steps);
                    let inside: i64 = (0..CONDITIONS).map(|at| told[at] - out[at]).sum();
                    apart.insert(seat, inside > 0 || sums.heard[seat as usize] > 0);
                }
                How::Unregistered => {
                    let mut told = self.told_of(seat, stretches, late, &track.steps);
                    if let Some(own) = sums.own.get(&seat) {
                        told.iter_mut().zip(own).for_each(|(sum, one)| *sum += one);
                    }
                    let known: i64 = told[..CONDITIONS].iter().sum();
                    if known > 0 {
                        track.registered += known;
                        track.base_registered += track.kept_base(&told, kept)?;
                        sums.served[seat as usize] += 1;
                        apart.insert(seat, true);
                    }
                }
            }
        }
        Some(apart)
    }

    /// Late entries that were not known, of devices that were not in service all of the period.
    pub(super) fn late_apart<'a>(
        &'a self,
        question: &'a Question<'_>,
        days: &'a Days,
        served: &Served,
    ) -> HashMap<u32, Vec<&'a Entry>> {
        let mut late: HashMap<u32, Vec<&Entry>> = HashMap::new();
        for entry in self.unknown_late(question, days).filter(|entry| served.how(entry.seat) != How::Always) {
            late.entry(entry.seat).or_default().push(entry);
        }
        late
    }

    /// What was told of a device on whole days, less what was not known.
    pub(super) fn told_of(
        &self,
        seat: u32,
        stretches: &[Range<i32>],
        late: &[&Entry],
        steps: &[Arc<Steps>],
    ) -> SeatSums {
        let mut told = [0; SEAT_SUMS];
        if let Some(sums) = self.seats.get(seat as usize) {
            stretches.iter().for_each(|days| sums.add_range(days.start, days.end, &mut told));
        }
        late.iter().for_each(|entry| entry.add_to(&mut told, -1, newest(steps)));
        told
    }

    /// The part of that which lies outside its times in service. None: there were too many changes of service to keep it.
    pub(super) fn outside(
        &self,
        seat: u32,
        served: &Served,
        question: &Question<'_>,
        stretches: &[Range<i32>],
        late: &[&Entry],
    ) -> Option<SeatSums> {
        let mut out = [0; SEAT_SUMS];
        let (sums, spans) = (self.seats.get(seat as usize), served.spans(seat));
        let Some(sums) = sums.filter(|sums| !Outside::is_none(stretches, sums.told(), spans)) else { return Some(out) };
        let outside = Outside::of(stretches, spans);
        outside.days.iter().for_each(|days| sums.add_range(days.start, days.end, &mut out));
        let track = &self.names.tracks[self.names.seats[seat as usize].track as usize];
        let steps = || self.sites.get(&*track.site).map_or_else(Vec::new, |site| site.steps(&track.kind));
        let late = late.iter().filter(|entry| outside.holds_day(day_of(entry).0)).map(|entry| (-1, **entry));
        let near = self.services.near_edges(seat, &outside.parts)?;
        let near = near.filter(|entry| question.known.is_none_or(|known| known.holds(entry.cause)));
        let mut single = late.chain(near.map(|entry| (1, entry))).peekable();
        if single.peek().is_some() {
            let steps = steps();
            single.for_each(|(sign, entry)| entry.add_to(&mut out, sign, newest(&steps)));
        }
        Some(out)
    }

    /// The sums of one track over whole days.
    fn whole(&self, track: usize, question: &Question<'_>, stretches: &[Range<i32>]) -> Option<TrackSums> {
        let named = &self.names.tracks[track];
        if question.site.is_some_and(|site| site != &*named.site) {
            return None;
        }
        let site = self.sites.get(&*named.site);
        let steps = site.map_or_else(Vec::new, |site| site.steps(&named.kind));
        let state = site.filter(|_| question.base).and_then(|site| site.state(question.known));
        let mut told = vec![0; TOLD + BASED * steps.len()];
        if let Some(sums) = self.told.get(track) {
            stretches.iter().for_each(|days| sums.add_range(days.start, days.end, &mut told));
        }
        Some(TrackSums { told, steps, state, registered: 0, base_registered: 0, last: None, devices: 0, monitored: 0 })
    }

    fn rows(&self, mut sums: Sums, heard: &Seats, apart: &HashMap<u32, bool>) -> Vec<UptimeRow> {
        for (seat, _) in sums.served.iter().enumerate().filter(|(_, served)| **served > 0) {
            let Some(track) = &mut sums.tracks[self.names.seats[seat].track as usize] else { continue };
            track.devices += 1;
            let is_heard = || sums.heard[seat] > 0 || heard.holds(seat as u32);
            track.monitored += i64::from(apart.get(&(seat as u32)).copied().unwrap_or_else(is_heard));
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
    /// What was read of devices that nobody registered.
    own: HashMap<u32, SeatSums>,
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

    fn add_own(&mut self, entry: &Entry) {
        if let Some(track) = &self.tracks[entry.track as usize] {
            let own = self.own.entry(entry.seat).or_insert([0; SEAT_SUMS]);
            entry.add_to(own, 1, newest(&track.steps));
        }
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
    /// Adds sums of a device, of which base hours are kept for the newest states; None where another is asked for.
    fn add_kept(&mut self, told: &SeatSums, sign: i64, kept: usize) -> Option<()> {
        self.told[..TOLD].iter_mut().zip(told).for_each(|(sum, one)| *sum += sign * one);
        if let Some(state) = self.state {
            let at = TOLD + BASED * (state + kept).checked_sub(self.steps.len())?;
            let based = &mut self.told[TOLD + BASED * state..][..BASED];
            based.iter_mut().zip(&told[at..]).for_each(|(sum, one)| *sum += sign * one);
        }
        Some(())
    }

    /// Of the sums of a device, what is known within base hours.
    fn kept_base(&self, told: &SeatSums, kept: usize) -> Option<i64> {
        let Some(state) = self.state else { return Some(0) };
        let at = TOLD + BASED * (state + kept).checked_sub(self.steps.len())?;
        Some(told[at + 1] + told[at + 2])
    }

    pub(super) fn measure(&self) -> Measure {
        let based = self.state.map_or([0; BASED], |state| {
            let at = TOLD + BASED * state;
            std::array::from_fn(|sum| self.told[at + sum])
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
            base_conflict: based[3],
        }
    }
}
