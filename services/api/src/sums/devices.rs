//! Answers by device, of one site or of all: whole blocks of days, and pieces of days around them. Pure.

use std::sync::Arc;

use medfleet_domain::time::{Day, Timestamp};

use super::answer::{Question, TrackSums};
use super::book::{Book, newest};
use super::entry::{CONDITIONS, Entry};
use super::hours::Steps;
use super::names::Track;
use super::seats::{Plan, SEAT_SUMS};
use crate::measure::Measure;
use crate::period::Period;
use crate::query::UptimeRow;

impl Book {
    /// How the period of a question is put together for devices; None where the calendar was another then.
    pub fn plan(&self, question: &Question<'_>) -> Option<Plan> {
        let asked = |site: &&String| question.site.is_none_or(|asked| asked == site.as_str());
        let mut sites = self.sites.iter().filter(|(site, _)| asked(site));
        if sites.any(|(_, hours)| hours.state(question.known) != hours.state(None)) {
            return None;
        }
        let Period { from, until } = question.period;
        let Some(known) = question.known else {
            return Some(Plan::of(question.period, Timestamp::MAX, self.told_until));
        };
        let mut end = Timestamp(until.0 - 1).day().next();
        while end > from.day() && !self.settled(Day(end.0 - 1), known) {
            end = Day(end.0 - 1);
        }
        let crowded = self.crowded.range(from.day()..).next().copied();
        let settled_until = crowded.map_or(end, |crowded| end.min(crowded)).start();
        Some(Plan::of(question.period, settled_until, self.told_until))
    }

    /// One row for each device that has anything to say, as planned; the entries of each piece's day come with it.
    pub fn devices(&self, question: &Question<'_>, plan: &Plan, held: &[Arc<Vec<Entry>>]) -> Vec<UptimeRow> {
        let Period { from, until } = question.period;
        let known_then = |entry: &Entry| question.known.is_none_or(|known| known.holds(entry.cause));
        let mut rows = DeviceRows::new(self, question.site);
        for (seat, sums) in self.seats.iter().enumerate() {
            if let Some(row) = rows.row(seat) {
                sums.add_blocks(&plan.blocks, &mut row.told);
            }
        }
        for (piece, entries) in plan.pieces.iter().zip(held) {
            // What is taken from a block is in it, known or not.
            let told = entries.iter().filter(|entry| piece.sign < 0 || known_then(entry));
            told.filter_map(|entry| entry.clip(piece.from, piece.until))
                .for_each(|entry| rows.tell(&entry, piece.sign));
        }
        let claims = self.claims.iter().filter(|entry| known_then(entry));
        claims.filter_map(|entry| entry.clip(from.0, until.0)).for_each(|entry| rows.tell(&entry, 1));
        if question.known.is_some() {
            let late = self.late.iter().filter(|entry| !known_then(entry));
            late.filter_map(|entry| entry.clip(plan.from, plan.until)).for_each(|entry| rows.tell(&entry, -1));
        }
        let services = self.services.iter().filter(|entry| known_then(entry));
        services.filter_map(|entry| entry.clip(from.0, until.0)).for_each(|entry| rows.serve(&entry));
        rows.finish()
    }
}

/// Sums of the devices of a site, or of all.
struct DeviceRows<'a> {
    book: &'a Book,
    /// By seat: the number of its row, or none.
    row_of: Vec<Option<u32>>,
    rows: Vec<DeviceRow>,
    /// By track: its base hours as they are now.
    hours: Vec<Vec<Arc<Steps>>>,
}

struct DeviceRow {
    seat: usize,
    told: [i64; SEAT_SUMS],
    registered: i64,
    base_registered: i64,
    served: i64,
}

impl<'a> DeviceRows<'a> {
    fn new(book: &'a Book, site: Option<&str>) -> Self {
        let hours = |track: &Track| {
            let steps = book.sites.get(&*track.site).map_or_else(Vec::new, |site| site.steps(&track.kind));
            newest(&steps).to_vec()
        };
        let mut new =
            Self { book, row_of: Vec::new(), rows: Vec::new(), hours: book.names.tracks.iter().map(hours).collect() };
        for (seat, named) in book.names.seats.iter().enumerate() {
            let here = site.is_none_or(|site| site == &*book.names.tracks[named.track as usize].site);
            new.row_of.push(here.then_some(new.rows.len() as u32));
            if here {
                new.rows.push(DeviceRow { seat, told: [0; SEAT_SUMS], registered: 0, base_registered: 0, served: 0 });
            }
        }
        new
    }

    fn row(&mut self, seat: usize) -> Option<&mut DeviceRow> {
        Some(&mut self.rows[self.row_of[seat]? as usize])
    }

    fn tell(&mut self, entry: &Entry, sign: i64) {
        let Some(row) = self.row_of[entry.seat as usize] else { return };
        entry.add_to(&mut self.rows[row as usize].told, sign, &self.hours[entry.track as usize]);
    }

    fn serve(&mut self, entry: &Entry) {
        let Some(row) = self.row_of[entry.seat as usize] else { return };
        let (row, weight) = (&mut self.rows[row as usize], i64::from(entry.weight));
        row.registered += weight * (entry.until - entry.from);
        let base: i64 =
            self.hours[entry.track as usize].iter().map(|steps| steps.overlap(entry.from, entry.until)).sum();
        row.base_registered += weight * base;
        row.served += weight;
    }

    fn finish(self) -> Vec<UptimeRow> {
        let names = &self.book.names;
        let row = |row: DeviceRow| {
            let sums = TrackSums {
                told: row.told.to_vec(),
                steps: Vec::new(),
                state: Some(0),
                registered: row.registered,
                base_registered: row.base_registered,
                last: None,
                devices: i64::from(row.served > 0),
                monitored: i64::from(row.served > 0 && row.told[..CONDITIONS].iter().sum::<i64>() > 0),
            };
            let (seat, measure) = (&names.seats[row.seat], sums.measure());
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
