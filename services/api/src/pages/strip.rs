//! A device's days as strips: one line per local day, midnight to midnight, so that habits and outages stand under each
//! other. Pure.

use std::collections::BTreeMap;
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
/// Width of a strip in its own units: minutes of a common day.
const STRIP_UNITS: f64 = 1_440.0;

/// Order of the columns under the strips.
pub const CONDITIONS: [&str; 6] =
    ["productive", "standby", "engineering", "scheduled_down", "unscheduled_down", "unknown"];

/// One local day.
pub struct DayStrip {
    pub label: String,
    /// Path data by condition: many short pieces cost few bytes.
    pub paths: Vec<(&'static str, String)>,
    /// What a reader wants to point at: downtime and silence.
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
    shown.iter().map(|day| strip(pieces, midnight(*day, zone), midnight(*day + Days::new(1), zone), clock)).collect()
}

/// The first instant of a local day; an hour later where the zone skips it.
fn midnight(day: NaiveDate, zone: Tz) -> Timestamp {
    let begin = (0..24).find_map(|hour| zone.from_local_datetime(&day.and_hms_opt(hour, 0, 0)?).earliest());
    Timestamp(begin.map(|at| at.timestamp_micros()).unwrap_or_default())
}

fn strip(pieces: &[Piece], from: Timestamp, until: Timestamp, clock: Clock) -> DayStrip {
    let mut paths: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut marks = Vec::new();
    let mut micros = [0_i64; CONDITIONS.len()];
    let scale = |at: Timestamp| (at.0 - from.0) as f64 / (until.0 - from.0) as f64;
    let begun = pieces.partition_point(|piece| piece.until <= from);
    for piece in pieces[begun..].iter().take_while(|piece| piece.from < until) {
        let (left, right) = (piece.from.max(from), piece.until.min(until));
        if let Some(index) = CONDITIONS.iter().position(|condition| *condition == piece.condition) {
            micros[index] += right.0 - left.0;
        }
        let (x, width) = (scale(left), scale(right) - scale(left));
        match class(piece) {
            class @ ("p" | "s" | "e") => {
                let path = paths.entry(class).or_default();
                // Writing to a string cannot fail.
                let _ = write!(path, "M{:.1} 0h{:.1}v1h-{1:.1}z", x * STRIP_UNITS, (width * STRIP_UNITS).max(0.5));
            }
            class => marks.push(Mark {
                class,
                x: format!("{:.2}%", x * 100.0),
                width: format!("{:.2}%", (width * 100.0).max(0.15)),
                title: title(piece, clock),
            }),
        }
    }
    DayStrip {
        label: clock.day(from),
        paths: paths.into_iter().collect(),
        marks,
        summary: summary(&micros),
        hours: micros.iter().map(|micros| if *micros == 0 { "–".to_owned() } else { hours(*micros) }).collect(),
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
        assert_eq!((days[0].marks[0].class, days[0].marks[0].width.as_str()), ("n", "100.00%"));
    }
}
