//! The cells of one row, read as instants, dates and numbers; what was special is noted on the way. Pure.

use chrono_tz::Tz;
use medfleet_domain::time::{Span, Timestamp};

use crate::mapping::Template;
use crate::reader::{Place, Row};
use crate::remarks::{Reason, Refusal};
use crate::times::{Date, Instant, TimeRules};

/// Digits after the point that are kept.
const DECIMALS: usize = 3;

pub struct Cells<'a> {
    pub row: &'a Row<'a>,
    pub place: Place,
    pub times: &'a TimeRules,
    pub zone: Tz,
    /// No instant outside is believed.
    pub bounds: Span,
    pub notes: Vec<Refusal>,
    /// The earliest and the latest instant read so far.
    pub seen: Option<(Timestamp, Timestamp)>,
}

impl Cells<'_> {
    pub fn note(&mut self, column: &str, reason: Reason) {
        let note = Refusal::at(column, self.row.cell(column), reason);
        // A cell may be read for more than one purpose; what is special about it is said once.
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub fn refused(&self, column: &str, reason: Reason) -> Refusal {
        Refusal::at(column, self.row.cell(column), reason)
    }

    pub fn fill(&self, template: &Template) -> String {
        template.fill(self.row)
    }

    pub fn whole(&self, template: Option<&Template>) -> Option<String> {
        template.and_then(|template| template.whole(self.row))
    }

    /// An instant that must be there.
    pub fn instant(&mut self, column: &str) -> Result<Timestamp, Refusal> {
        self.instant_if(Some(column))?.ok_or_else(|| self.refused(column, Reason::Empty))
    }

    /// An instant, if the cell is filled.
    pub fn instant_if<S: AsRef<str> + ?Sized>(&mut self, column: Option<&S>) -> Result<Option<Timestamp>, Refusal> {
        let Some(column) = column.map(AsRef::as_ref).filter(|column| !self.row.cell(column).is_empty()) else {
            return Ok(None);
        };
        let text = self.row.cell(column);
        let read = self.times.instant(text, self.zone).map_err(|reason| self.refused(column, reason))?;
        let Instant { at, twice, dateless } = read;
        if at < self.bounds.from || at > self.bounds.until {
            let [at, first, last] = [at, self.bounds.from, self.bounds.until].map(|at| at.to_string());
            return Err(self.refused(column, Reason::OutsideRecord { at, first, last }));
        }
        if twice {
            self.note(column, Reason::ShownTwice { text: text.to_owned(), taken: at.to_string() });
        }
        if dateless {
            self.note(column, Reason::DayOnly { text: text.to_owned() });
        }
        let (first, last) = self.seen.unwrap_or((at, at));
        self.seen = Some((first.min(at), last.max(at)));
        Ok(Some(at))
    }

    /// A day or month; None for an empty cell and for the words that mean none.
    pub fn date(&mut self, column: &str, words: &[String]) -> Result<Option<Date>, Refusal> {
        let text = self.row.cell(column);
        if text.is_empty() || words.iter().any(|word| word == text) {
            return Ok(None);
        }
        let date = self.times.date(text).map_err(|reason| self.refused(column, reason))?;
        if let Date::Month(month) = date {
            let reason = Reason::MonthSpelling { column: column.to_owned(), text: text.to_owned(), month };
            self.note(column, reason);
        }
        Ok(Some(date))
    }

    /// A number in thousandths times a factor, if the cell is filled.
    pub fn milli(&mut self, column: &str, factor: u32) -> Result<Option<i64>, Refusal> {
        let text = self.row.cell(column);
        if text.is_empty() {
            return Ok(None);
        }
        let number = thousandths(text, factor).ok_or_else(|| self.refused(column, Reason::NoNumber))?;
        if number.rounded {
            self.note(column, Reason::Rounded);
        }
        Ok(Some(number.milli))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Number {
    milli: i64,
    rounded: bool,
}

/// `12`, `-0.5`, `1.2345`: exact, or rounded half away from zero where there are more than three decimals.
fn thousandths(text: &str, factor: u32) -> Option<Number> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || digits == "." || !plain(whole) || !plain(fraction) {
        return None;
    }
    // In units of 10^-(3+n), so that the factor comes before the rounding.
    let fraction = fraction.trim_end_matches('0');
    let extra = fraction.len().saturating_sub(DECIMALS);
    if extra > 12 {
        return thousandths(&text[..text.len() - (fraction.len() - DECIMALS - 12)], factor)
            .map(|number| Number { rounded: true, ..number });
    }
    let scale = 10_i128.pow(u32::try_from(extra).ok()?);
    let kept: i128 = format!("{}{fraction:0<DECIMALS$}", if whole.is_empty() { "0" } else { whole }).parse().ok()?;
    let scaled = kept.checked_mul(i128::from(factor))?;
    let rounded = (scaled + scale / 2) / scale;
    let milli = i64::try_from(rounded).ok()?.checked_mul(sign)?;
    (milli.abs() <= i64::MAX / 1_024).then_some(Number { milli, rounded: rounded * scale != scaled })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_thousandths_and_what_is_lost_is_said() {
        let read = |text, factor| thousandths(text, factor).map(|number| (number.milli, number.rounded));
        assert_eq!(read("12", 1), Some((12_000, false)));
        assert_eq!(read("0.5", 60), Some((30_000, false)));
        assert_eq!(read("-1.25", 1), Some((-1_250, false)));
        assert_eq!(read(".5", 1), Some((500, false)));
        assert_eq!(read("1.2345", 1), Some((1_235, true)));
        assert_eq!(read("1.2345", 10), Some((12_345, false)));
        assert_eq!(read("1.23400", 1), Some((1_234, false)));
        assert_eq!(read("176.217853015624999999999", 1), Some((176_218, true)));
        for text in ["", ".", "x", "1.x", "1,5", "1e3", "--1", "99999999999999999999"] {
            assert_eq!(read(text, 1), None, "{text}");
        }
    }
}
