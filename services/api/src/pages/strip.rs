//! A device's days as strips: one line per local day, midnight to midnight, so that habits and outages stand under each
//! other. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{Days, NaiveDate, TimeZone as _};
use chrono_tz::Tz;
use medfleet_domain::time::Timestamp;

use super::format::{Clock, condition_title, duration, hours};
use crate::period::Period;
use crate::query::Piece;
use crate::timeline::Origin;

/// Days drawn; a longer period shows its last ones.
pub const DAYS_DRAWN_MAX: usize = 31;
/// Width of a strip in its own units: seconds of a common day.
const STRIP_UNITS: usize = 86_400;
/// Downtimes and silences a reader can point at, the longest; shorter ones are only drawn.
const POINTED_MAX: usize = 80;
/// Lines drawn by all strips together, to the second. Where there are more, time is gathered into cells, each of them
/// filled in proportion, so that a restless month is not a heavy page.
const LINES_DRAWN_MAX: usize = 1_200;
const CELLS_UNITS: [usize; 4] = [300, 900, 1_800, 3_600];
const COARSEST_UNITS: usize = 7_200;
/// What is no common use is drawn at least as wide.
const SEEN_UNITS: usize = 60;
/// And what can be pointed at so much of the day, to be met with a pointer.
const MARK_PERCENT: f64 = 0.15;
/// Styles of what is drawn, the upper ones last. Each has a height of its own, and what is no common use a place of its own too:
/// what is thin has no texture.
const DRAWN: [&str; 7] = ["p", "s", "e", "n", "x", "d", "u"];
const COMMON: [&str; 3] = ["p", "s", "e"];

/// Order of the columns under the strips.
pub const CONDITIONS: [&str; 6] =
    ["productive", "standby", "engineering", "scheduled_down", "unscheduled_down", "unknown"];

/// One local day.
pub struct DayStrip {
    pub label: String,
    /// Path data by style, to be stroked: many short pieces cost few bytes.
    pub paths: Vec<(&'static str, String)>,
    /// What a reader wants to point at: the longest downtimes and silences.
    pub marks: Vec<Mark>,
    pub hours: Vec<String>,
    /// The day in words, for who does not see it.
    pub summary: String,
}

pub struct Mark {
    pub class: &'static str,
    pub x: String,
    pub width: String,
    pub title: String,
}

/// The last days of the period, oldest first.
pub fn days(pieces: &[Piece], period: Period, zone: &str) -> Vec<DayStrip> {
    let clock = Clock::of(zone);
    let first = clock.local(period.from).date_naive();
    let last = clock.local(Timestamp(period.until.0 - 1)).date_naive();
    let all: Vec<NaiveDate> = first.iter_days().take_while(|day| *day <= last).collect();
    let shown = &all[all.len().saturating_sub(DAYS_DRAWN_MAX)..];
    let zone = zone.parse().unwrap_or(Tz::UTC);
    let days: Vec<Day> = shown.iter().map(|day| Day::of(pieces, *day, zone)).collect();
    let pointed = pointed(&days);
    let parts: Vec<Vec<Part>> = days.iter().map(|day| day.parts(&pointed)).collect();
    let exact = || parts.iter().map(|parts| lines(parts)).collect();
    let in_cells = |cell: usize| -> Vec<Lines> { parts.iter().map(|parts| lines(&gathered(parts, cell))).collect() };
    let light = |days: &Vec<Lines>| days.iter().flatten().map(Vec::len).sum::<usize>() <= LINES_DRAWN_MAX;
    let mut drawn = std::iter::once_with(exact).chain(CELLS_UNITS.into_iter().map(in_cells));
    let lines = drawn.find(light).unwrap_or_else(|| in_cells(COARSEST_UNITS));
    days.iter().zip(lines).map(|(day, lines)| day.strip(&pointed, lines, clock)).collect()
}

/// The longest pieces that are no common use, by their beginnings: no other piece begins there.
fn pointed(days: &[Day]) -> BTreeSet<Timestamp> {
    let pieces = days.iter().flat_map(|day| day.pieces).filter(|piece| !COMMON.contains(&class(piece)));
    let mut lengths: Vec<(i64, Timestamp)> = pieces.map(|piece| (piece.from.0 - piece.until.0, piece.from)).collect();
    lengths.sort_unstable();
    // One that crosses midnight is met on both days.
    lengths.dedup();
    lengths.into_iter().take(POINTED_MAX).map(|(_, from)| from).collect()
}

/// The first instant of a local day; an hour later where the zone skips it.
fn midnight(day: NaiveDate, zone: Tz) -> Timestamp {
    let begin = (0..24).find_map(|hour| zone.from_local_datetime(&day.and_hms_opt(hour, 0, 0)?).earliest());
    Timestamp(begin.map(|at| at.timestamp_micros()).unwrap_or_default())
}

/// One local day and the pieces that touch it.
struct Day<'a> {
    from: Timestamp,
    until: Timestamp,
    pieces: &'a [Piece],
}

/// What is drawn in one style, from where to where, in units.
struct Part {
    style: usize,
    left: f64,
    right: f64,
}

/// What each style draws of a day, in their order: from where to where, in whole units.
type Lines = [Vec<(usize, usize)>; DRAWN.len()];

/// Parts from the left to the right, each style for itself.
fn lines(parts: &[Part]) -> Lines {
    let mut lines = Lines::default();
    for part in parts {
        let line = &mut lines[part.style];
        let seen = if part.style < COMMON.len() { 0 } else { SEEN_UNITS };
        let right = (part.right.round() as usize).max(part.left.round() as usize + seen).min(STRIP_UNITS);
        let left = (part.left.round() as usize).min(right.saturating_sub(seen));
        match line.last_mut() {
            _ if left == right => {}
            Some(last) if last.1 >= left => last.1 = last.1.max(right),
            _ => line.push((left, right)),
        }
    }
    lines
}

/// The same in cells, each of them filled from its left with what it holds, in proportion.
fn gathered(parts: &[Part], cell_units: usize) -> Vec<Part> {
    let width = cell_units as f64;
    let mut cells = vec![[0.0_f64; DRAWN.len()]; STRIP_UNITS / cell_units];
    for part in parts {
        let first = (part.left / width) as usize;
        let touched =
            cells.iter_mut().enumerate().skip(first).take_while(|(cell, _)| *cell as f64 * width < part.right);
        for (cell, told) in touched {
            let begin = cell as f64 * width;
            told[part.style] += part.right.min(begin + width) - part.left.max(begin);
        }
    }
    let mut gathered = Vec::new();
    for (cell, told) in cells.iter().enumerate() {
        let mut left = cell as f64 * width;
        for (style, units) in told.iter().enumerate().filter(|(_, units)| **units > 0.0) {
            gathered.push(Part { style, left, right: left + units });
            left += units;
        }
    }
    gathered
}

/// Path data of lines from the left to the right.
fn path(lines: &[(usize, usize)]) -> String {
    let mut path = String::new();
    let mut end = 0;
    for (left, right) in lines {
        // Writing to a string cannot fail.
        let _ = match path.is_empty() {
            true => write!(path, "M{left} 0h{}", right - left),
            false => write!(path, "m{} 0h{}", left - end, right - left),
        };
        end = *right;
    }
    path
}

impl<'a> Day<'a> {
    fn of(pieces: &'a [Piece], day: NaiveDate, zone: Tz) -> Self {
        let (from, until) = (midnight(day, zone), midnight(day + Days::new(1), zone));
        let begun = pieces.partition_point(|piece| piece.until <= from);
        let ended = pieces.partition_point(|piece| piece.from < until);
        Self { from, until, pieces: &pieces[begun..ended.max(begun)] }
    }

    /// Where an instant stands in the day: 0 at its beginning, 1 at its end.
    fn scale(&self, at: Timestamp) -> f64 {
        let at = at.clamp(self.from, self.until);
        (at.0 - self.from.0) as f64 / (self.until.0 - self.from.0) as f64
    }

    /// What is drawn of it beside what can be pointed at. What is provisional and cannot be is drawn as if it were final.
    fn parts(&self, pointed: &BTreeSet<Timestamp>) -> Vec<Part> {
        let beside = self.pieces.iter().filter(|piece| !pointed.contains(&piece.from));
        let part = |piece: &Piece| {
            let class = class(piece).trim_start_matches('l');
            let style = DRAWN.iter().position(|drawn| *drawn == class)?;
            let unit = |at: Timestamp| self.scale(at) * STRIP_UNITS as f64;
            Some(Part { style, left: unit(piece.from), right: unit(piece.until) })
        };
        beside.filter_map(part).collect()
    }

    fn strip(&self, pointed: &BTreeSet<Timestamp>, lines: Lines, clock: Clock) -> DayStrip {
        let mut micros = [0_i64; CONDITIONS.len()];
        let mut marks = Vec::new();
        for piece in self.pieces {
            if let Some(index) = CONDITIONS.iter().position(|condition| *condition == piece.condition) {
                micros[index] += piece.until.min(self.until).0 - piece.from.max(self.from).0;
            }
            if pointed.contains(&piece.from) {
                let (x, right) = (self.scale(piece.from), self.scale(piece.until));
                marks.push(Mark {
                    class: class(piece),
                    x: format!("{:.3}%", x * 100.0),
                    width: format!("{:.3}%", ((right - x) * 100.0).max(MARK_PERCENT)),
                    title: title(piece, clock),
                });
            }
        }
        let paths = DRAWN.iter().zip(lines).filter(|(_, lines)| !lines.is_empty());
        DayStrip {
            label: clock.day(self.from),
            paths: paths.map(|(class, lines)| (*class, path(&lines))).collect(),
            marks,
            summary: summary(&micros),
            hours: micros.iter().map(|micros| if *micros == 0 { "–".to_owned() } else { hours(*micros) }).collect(),
        }
    }
}

/// The style of a piece. Provisional pieces are marks, drawn open.
fn class(piece: &Piece) -> &'static str {
    let provisional = piece.origin == Origin::Live;
    match (piece.condition.as_str(), provisional) {
        ("productive", false) => "p",
        ("standby", false) => "s",
        ("engineering", false) => "e",
        ("productive", true) => "lp",
        ("standby", true) => "ls",
        ("engineering", true) => "le",
        ("scheduled_down", _) => "d",
        ("unscheduled_down", _) => "u",
        _ if piece.degradation != "none" => "x",
        _ => "n",
    }
}

/// `Down 09:12–11:40 …`: what, when, how long, who says so.
fn title(piece: &Piece, clock: Clock) -> String {
    let what = if piece.origin == Origin::Gap { "No data" } else { condition_title(&piece.condition) };
    let (from, until) = (clock.minute(piece.from), clock.minute(piece.until));
    let mut text = format!("{what}, {from} – {until} ({})", duration(piece.until.0 - piece.from.0));
    if piece.origin == Origin::Live {
        text.push_str(", provisional");
    }
    if let Some(author) = piece.author.as_deref().filter(|author| !author.is_empty()) {
        let _ = write!(text, ", says {author}");
    }
    text
}

fn summary(micros: &[i64; CONDITIONS.len()]) -> String {
    let said = CONDITIONS.iter().zip(micros).filter(|(_, micros)| **micros > 0);
    let words = said.map(|(condition, micros)| format!("{} {}", condition_title(condition), hours(*micros)));
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::without_holes;

    #[test]
    fn a_day_of_daylight_saving_has_its_own_length() {
        let at = |text: &str| crate::period::read_instant(text).unwrap();
        let period = Period { from: at("2026-03-08T05:00:00Z"), until: at("2026-03-09T04:00:00Z") };
        let days = days(&without_holes(Vec::new(), period), period, "America/New_York");
        assert_eq!(days.len(), 1);
        assert_eq!((days[0].label.as_str(), days[0].summary.as_str()), ("Sun 8 Mar", "Unknown 23.0 h"));
        assert_eq!((days[0].marks[0].class, days[0].marks[0].width.as_str()), ("n", "100.000%"));
    }

    /// A piece of so many minutes, some minutes into the month.
    fn piece(minute: i64, minutes: i64, condition: &str) -> Piece {
        let at = |minute: i64| Timestamp(minute * 60_000_000);
        Piece {
            origin: Origin::Ledger,
            from: at(minute),
            until: at(minute + minutes),
            condition: condition.to_owned(),
            degradation: "none".to_owned(),
            reason: None,
            source_kind: "device".to_owned(),
            assumed: false,
            conflict: false,
            claim: false,
            author: None,
        }
    }

    #[test]
    fn a_quiet_day_is_drawn_to_the_second_and_its_outage_can_be_pointed_at() {
        let pieces = [piece(0, 600, "standby"), piece(600, 90, "unscheduled_down"), piece(690, 750, "productive")];
        let period = Period { from: Timestamp(0), until: pieces[2].until };
        let days = days(&pieces, period, "UTC");
        assert_eq!(days[0].paths, [("p", "M41400 0h45000".to_owned()), ("s", "M0 0h36000".to_owned())]);
        assert_eq!((days[0].marks.len(), days[0].marks[0].x.as_str()), (1, "41.667%"));
        assert_eq!(days[0].summary, "In use 12.5 h, Ready 10.0 h, Down 1.5 h");
    }

    #[test]
    fn a_restless_month_is_drawn_in_wider_cells_each_in_proportion() {
        let conditions = ["productive", "unscheduled_down", "standby", "productive"];
        let pieces: Vec<Piece> =
            (0..31 * 1_440).map(|minute| piece(minute, 1, conditions[minute as usize % conditions.len()])).collect();
        let period = Period { from: Timestamp(0), until: pieces[pieces.len() - 1].until };
        let days = days(&pieces, period, "UTC");
        assert_eq!((days.len(), days.iter().map(|day| day.marks.len()).sum::<usize>()), (31, POINTED_MAX));
        let bytes: usize = days.iter().flat_map(|day| &day.paths).map(|path| path.1.len()).sum();
        assert!(bytes < 20_000, "{bytes} bytes");
        assert_eq!(days[30].paths[2], ("u", format!("M5400 0h1800{}", "m5400 0h1800".repeat(11))));
        assert_eq!(days[0].hours[0], "12.0 h");
    }

    #[test]
    fn short_outages_close_by_are_seen_and_drawn_once() {
        let part = |style: usize, left: f64, right: f64| Part { style, left, right };
        let down = DRAWN.len() - 1;
        let close =
            [part(down, 100.0, 101.0), part(0, 101.0, 104.0), part(down, 104.0, 105.0), part(down, 86_399.0, 86_400.0)];
        let drawn = lines(&close);
        assert_eq!(drawn[down], [(100, 164), (86_340, 86_400)], "each is a minute wide");
        assert_eq!(drawn[0], [(101, 104)]);
        assert_eq!(path(&drawn[down]), "M100 0h64m86176 0h60");
    }
}
