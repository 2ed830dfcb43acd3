//! Answers by device, of one site or of all: whole days from the sums, the days at the edges entry by entry. Pure.

use std::sync::Arc;

use super::answer::{Days, Question, TrackSums};
use super::book::{Book, newest};
use super::entry::{BASED, CONDITIONS, Entry, TOLD};
use super::hours::Steps;
use super::names::Track;
use super::seats::{SEAT_SUMS, SeatSums};
use super::service::How;
use crate::measure::Measure;
use crate::period::Period;
use crate::query::UptimeRow;

impl Book {
    /// One row for each device that has anything to say; None where the calendar was one that is not kept by device.
    /// `read` are the entries of the days that are read.
    pub fn devices<'e>(
        &self,
        question: &Question<'_>,
        days: &Days,
        read: impl Iterator<Item = &'e Entry>,
    ) -> Option<Vec<UptimeRow>> {
        let Period { from, until } = question.period;
        let known_then = |entry: &&Entry| question.known.is_none_or(|known| known.holds(entry.cause));
        let clip = |entry: &Entry| entry.clip(from.0, until.0);
        let mut rows = DeviceRows::new(self, question)?;
        let stretches: Vec<_> = self.whole_days(days).collect();
        for row in &mut rows.rows {
            let Some(sums) = self.seats.get(row.seat) else { continue };
            stretches.iter().for_each(|days| sums.add_range(days.start, days.end, &mut row.told));
        }
        let served = self.services.served(&self.names, question);
        let claims = self.claims.iter().filter(known_then).filter_map(clip);
        let told = read.filter(known_then).filter_map(clip).chain(claims);
        told.for_each(|entry| served.each_part(&entry, |part| rows.tell(part, 1)));
        self.unknown_late(question, days).for_each(|entry| rows.tell(entry, -1));
        self.services.in_service(question).for_each(|entry| rows.serve(&entry));
        let late = self.late_apart(question, days, &served);
        for row in &mut rows.rows {
            let seat = row.seat as u32;
            match served.how(seat) {
                How::Always => {}
                How::Partly => {
                    let late = late.get(&seat).map_or(&[][..], Vec::as_slice);
                    let out = self.outside(seat, &served, question, &stretches, late)?;
                    row.told.iter_mut().zip(&out).for_each(|(sum, one)| *sum -= one);
                }
                How::Unregistered => row.serve_while_heard(rows.hours[self.names.seats[row.seat].track as usize].1),
            }
        }
        Some(rows.finish())
    }
}

/// Sums of the devices of a site, or of all.
struct DeviceRows<'a> {
    book: &'a Book,
    /// By seat: the number of its row, or none.
    row_of: Vec<Option<u32>>,
    rows: Vec<DeviceRow>,
    /// By track: its base hours in the states that are kept, and which of them is asked for.
    hours: Vec<(Vec<Arc<Steps>>, Option<usize>)>,
}

struct DeviceRow {
    seat: usize,
    told: SeatSums,
    registered: i64,
    base_registered: i64,
    served: i64,
}

impl DeviceRow {
    /// Nobody ever registered it: it was in service while it was heard.
    fn serve_while_heard(&mut self, state: Option<usize>) {
        self.registered = self.told[..CONDITIONS].iter().sum();
        self.base_registered = state.map_or(0, |state| {
            let at = TOLD + BASED * state;
            self.told[at + 1] + self.told[at + 2]
        });
        self.served = i64::from(self.registered > 0);
    }
}

impl<'a> DeviceRows<'a> {
    fn new(book: &'a Book, question: &Question<'_>) -> Option<Self> {
        let here = |track: &Track| question.site.is_none_or(|site| site == &*track.site);
        let mut hours = Vec::with_capacity(book.names.tracks.len());
        for track in &book.names.tracks {
            let site = book.sites.get(&*track.site).filter(|_| here(track));
            let steps = site.map_or_else(Vec::new, |site| site.steps(&track.kind));
            let kept = newest(&steps).to_vec();
            let state = match site.and_then(|site| site.state(question.known)) {
                Some(state) => Some((state + kept.len()).checked_sub(steps.len())?),
                None => None,
            };
            hours.push((kept, state));
        }
        let mut new = Self { book, row_of: Vec::new(), rows: Vec::new(), hours };
        for (seat, named) in book.names.seats.iter().enumerate() {
            let here = here(&book.names.tracks[named.track as usize]);
            new.row_of.push(here.then_some(new.rows.len() as u32));
            if here {
                new.rows.push(DeviceRow { seat, told: [0; SEAT_SUMS], registered: 0, base_registered: 0, served: 0 });
            }
        }
        Some(new)
    }

    fn tell(&mut self, entry: &Entry, sign: i64) {
        let Some(row) = self.row_of[entry.seat as usize] else { return };
        entry.add_to(&mut self.rows[row as usize].told, sign, &self.hours[entry.track as usize].0);
    }

    fn serve(&mut self, entry: &Entry) {
        let Some(row) = self.row_of[entry.seat as usize] else { return };
        let (row, weight) = (&mut self.rows[row as usize], i64::from(entry.weight));
        row.registered += weight * (entry.until - entry.from);
        let (steps, state) = &self.hours[entry.track as usize];
        row.base_registered += weight * state.map_or(0, |state| steps[state].overlap(entry.from, entry.until));
        row.served += weight;
    }

    fn finish(self) -> Vec<UptimeRow> {
        let (names, hours) = (&self.book.names, &self.hours);
        let row = |row: DeviceRow| {
            let seat = &names.seats[row.seat];
            let sums = TrackSums {
                told: row.told.to_vec(),
                steps: Vec::new(),
                state: hours[seat.track as usize].1,
                registered: row.registered,
                base_registered: row.base_registered,
                last: None,
                devices: i64::from(row.served > 0),
                monitored: i64::from(row.served > 0 && row.told[..CONDITIONS].iter().sum::<i64>() > 0),
            };
            let measure = sums.measure();
            let track = &names.tracks[seat.track as usize];
            let text = |text: &Arc<str>| text.to_string();
            let row =
                || UptimeRow { site: text(&track.site), kind: text(&track.kind), device: text(&seat.device), measure };
            (measure != Measure::default()).then(row)
        };
        let mut rows: Vec<UptimeRow> = self.rows.into_iter().filter_map(row).collect();
        rows.sort_by(|a, b| (&a.site, &a.kind, &a.device).cmp(&(&b.site, &b.kind, &b.device)));
        rows
    }
}
