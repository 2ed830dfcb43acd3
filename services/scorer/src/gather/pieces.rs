//! Pieces: what comes many times a day, kept as it was told, and put together only where no instant that is asked about can tell
//! its pieces apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_domain::time::{MICROS_PER_DAY, MICROS_PER_SECOND, Timestamp};

use super::Sort;
use super::dated::Told;

/// Hours are counted in these parts, 3.5 s each: their sums are exact, whatever the order in which a query takes them.
const PARTS_PER_HOUR: f64 = 1_024.0;
/// Windows, in days, over which the feature query sums pieces.
const WINDOWS_DAYS: [i64; 2] = [7, 30];

/// Time cut at some instants and where the windows before them begin: what lies in one cell is the same to all of them.
#[derive(Debug)]
pub struct Cells {
    edges: Vec<Timestamp>,
    /// From when on the longest window of the first instant looks, and the last instant.
    from: Timestamp,
    until: Timestamp,
}

impl Cells {
    pub fn of(instants: &[Timestamp]) -> Self {
        let windows = WINDOWS_DAYS.map(|days| -days * MICROS_PER_DAY).into_iter().chain([0]);
        let mut edges: Vec<Timestamp> =
            windows.flat_map(|back| instants.iter().map(move |at| at.plus_micros(back))).collect();
        edges.sort_unstable();
        edges.dedup();
        let (from, until) = (edges.first().copied(), edges.last().copied());
        Self { from: from.unwrap_or(Timestamp::MAX), until: until.unwrap_or(Timestamp::MIN), edges }
    }

    fn of_time(&self, at: Timestamp) -> usize {
        self.edges.partition_point(|edge| *edge < at)
    }

    fn cell(&self, told: Told) -> (usize, usize) {
        (self.of_time(told.at), self.of_time(told.known_at))
    }

    /// Whether any of the instants knows it; what is recent, also within its windows.
    pub fn see(&self, sort: Sort, told: Told) -> bool {
        told.known_at <= self.until && !(sort.is_recent() && told.at <= self.from)
    }
}

/// One figure that ended or was read at an instant.
#[derive(Debug, Clone, Copy)]
struct Piece<T> {
    at: Timestamp,
    amount: T,
    /// How much later it was known, rounded up: a piece that waits a second more is known too late, never too early.
    late_seconds: u32,
}

impl<T> Piece<T> {
    fn new(told: Told, amount: T) -> Self {
        let late = told.known_at.micros() - told.at.micros();
        let late_seconds = u32::try_from(late.unsigned_abs().div_ceil(MICROS_PER_SECOND.unsigned_abs()));
        Self { at: told.at, amount, late_seconds: late_seconds.unwrap_or(u32::MAX) }
    }

    fn told(&self) -> Told {
        Told::new(self.at, self.at.plus_seconds(i64::from(self.late_seconds)))
    }
}

/// Of one device.
#[derive(Debug, Default)]
pub struct Pieces {
    in_use: Vec<Piece<u32>>,
    down: Vec<Piece<u32>>,
    readings: BTreeMap<(Arc<str>, Arc<str>), Vec<Piece<f64>>>,
}

impl Pieces {
    pub fn use_of(&mut self, ended: Told, hours: f64) {
        self.in_use.push(Piece::new(ended, (hours * PARTS_PER_HOUR).round() as u32));
    }

    pub fn down_for(&mut self, ended: Told, hours: f64) {
        self.down.push(Piece::new(ended, (hours * PARTS_PER_HOUR).round() as u32));
    }

    pub fn read(&mut self, part: Arc<str>, counter: Arc<str>, told: Told, value: f64) {
        self.readings.entry((part, counter)).or_default().push(Piece::new(told, value));
    }

    /// Hours in use and down, one sum for each cell.
    pub fn hours(&self, cells: &Cells) -> impl Iterator<Item = (Sort, Told, f64)> {
        let of = |sort: Sort, pieces: &[Piece<u32>]| {
            let mut sums: BTreeMap<(usize, usize), (Told, u64)> = BTreeMap::new();
            for piece in pieces {
                let told = piece.told();
                if cells.see(sort, told) {
                    let (known, sum) = sums.entry(cells.cell(told)).or_insert((told, 0));
                    *known = Told { at: known.at.max(told.at), known_at: known.known_at.max(told.known_at) };
                    *sum += u64::from(piece.amount);
                }
            }
            sums.into_values().map(move |(told, sum)| (sort, told, sum as f64 / PARTS_PER_HOUR))
        };
        of(Sort::InUse, &self.in_use).chain(of(Sort::Down, &self.down))
    }

    /// The first and the last reading of each cell.
    pub fn edges(&self, part: &Arc<str>, counter: &Arc<str>, cells: &Cells) -> Vec<(Told, f64)> {
        let mut ends: BTreeMap<(usize, usize), [Reading; 2]> = BTreeMap::new();
        for reading in self.of_counter(part, counter).filter(|(told, _)| cells.see(Sort::Reading, *told)) {
            let [first, last] = ends.entry(cells.cell(reading.0)).or_insert([reading, reading]);
            if is_before(reading, *first) {
                *first = reading;
            }
            if is_before(*last, reading) {
                *last = reading;
            }
        }
        ends.into_values()
            .flat_map(|[first, last]| [first].into_iter().chain((first != last).then_some(last)))
            .collect()
    }

    /// All readings of one counter, in order of time.
    pub fn readings(&self, part: &Arc<str>, counter: &Arc<str>) -> Vec<(Timestamp, f64)> {
        let mut readings: Vec<Reading> = self.of_counter(part, counter).collect();
        readings.sort_by(|a, b| (a.0, a.1).partial_cmp(&(b.0, b.1)).unwrap_or(std::cmp::Ordering::Equal));
        readings.into_iter().map(|(told, value)| (told.at, value)).collect()
    }

    fn of_counter(&self, part: &Arc<str>, counter: &Arc<str>) -> impl Iterator<Item = Reading> {
        let own = self.readings.get(&(part.clone(), counter.clone()));
        own.into_iter().flatten().map(|piece| (piece.told(), piece.amount))
    }
}

type Reading = (Told, f64);

/// As the query orders readings.
fn is_before(one: Reading, other: Reading) -> bool {
    (one.0, one.1) < (other.0, other.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::{Day, MICROS_PER_HOUR};

    fn hour(hour: i64) -> Timestamp {
        Day(20_000).start().plus_micros(hour * MICROS_PER_HOUR)
    }

    fn sums(pieces: &Pieces, instants: &[Timestamp]) -> Vec<(Told, f64)> {
        pieces.hours(&Cells::of(instants)).map(|(_, told, hours)| (told, hours)).collect()
    }

    #[test]
    fn pieces_are_one_only_where_no_instant_tells_them_apart() {
        let mut pieces = Pieces::default();
        let mut used = |until: i64, known_at: i64| pieces.use_of(Told::new(hour(until), hour(known_at)), 0.5);
        used(9, 9);
        used(11, 15);
        used(13, 16);
        used(13, 30);
        assert_eq!(sums(&pieces, &[hour(24)]), [(Told::new(hour(13), hour(16)), 1.5)], "what is known tomorrow is not");
        let noon_too = [
            (Told::new(hour(9), hour(9)), 0.5),
            (Told::new(hour(11), hour(15)), 0.5),
            (Told::new(hour(13), hour(16)), 0.5),
        ];
        assert_eq!(sums(&pieces, &[hour(12), hour(24)]), noon_too);
        assert_eq!(sums(&pieces, &[hour(24 * 40)]), [], "long past");
        assert_eq!(sums(&pieces, &[hour(10 + 7 * 24)]).len(), 2, "the window of a week begins between them");
    }

    #[test]
    fn a_late_piece_is_never_known_early() {
        let piece = Piece::new(Told::new(hour(1), hour(1).plus_micros(1)), 0_u32);
        assert_eq!(piece.told(), Told::new(hour(1), hour(1).plus_seconds(1)));
    }
}
