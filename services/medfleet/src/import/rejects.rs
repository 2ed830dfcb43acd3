//! What was not read plainly: every row refused, and every row read in a special way, with the reason. Nothing goes silently.

use std::collections::BTreeMap;

use medfleet_domain::Invalid;

use super::times::{BadTime, Month};

/// Why a row was not imported.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("{0}")]
    Csv(String),
    #[error("the row has {bytes} bytes, the limit is {}: is a quote missing?", super::reader::ROW_MAX_BYTES)]
    TooLong { bytes: usize },
    #[error("the row has {cells} cells where the header has {columns}")]
    Cells { cells: usize, columns: usize },
    #[error("the row is not UTF-8: convert the file")]
    NotUtf8,
    #[error("a cell of the subject's id is empty: fill it, or give the mapping an `unassigned` id")]
    NoSubject,
    #[error(transparent)]
    Name(#[from] Invalid),
    #[error("column `{column}`: {why}")]
    Time { column: String, why: BadTime },
    #[error(
        "column `{column}`: {at} is not between {first} and the record's end {last}: correct the row or the mapping"
    )]
    OutsideRecord { column: String, at: String, first: String, last: String },
    #[error("the repair ends at {until}, before it starts at {from}: correct the row")]
    Backwards { from: String, until: String },
}

impl Refused {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::TooLong { .. } => "too_long",
            Self::Cells { .. } => "cells",
            Self::NotUtf8 => "not_utf8",
            Self::NoSubject => "no_subject",
            Self::Name(_) => "name",
            Self::Time { why: BadTime::Skipped { .. }, .. } => "skipped_hour",
            Self::Time { .. } => "time",
            Self::OutsideRecord { .. } => "outside_record",
            Self::Backwards { .. } => "ends_before_start",
        }
    }
}

/// What was special about a row that was imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    #[error("no device named: filed under `{subject}`, which is never in service")]
    Unassigned { subject: String },
    #[error("`{text}` in column `{column}` is {month}")]
    Month { column: String, text: String, month: Month },
    #[error("`{text}`: in service from the day of the first repair on")]
    ServiceUnknown { text: String },
    #[error("`{text}` was shown twice by the clock: taken as {taken}")]
    ShownTwice { text: String, taken: String },
    #[error("states {stated} minutes, its times say {timed}: the times win")]
    StatedDisagrees { stated: String, timed: i64 },
    #[error("a repair of no length: an order, but no downtime")]
    NoLength,
    #[error("no end: down to the end of the record")]
    NoEnd,
    #[error("no cause stated")]
    NoCause,
    #[error("overlaps or touches an earlier repair of `{subject}`: united with it")]
    United { subject: String },
    #[error("says of `{subject}` otherwise than its first row: that row stands")]
    SaysOtherwise { subject: String },
    #[error("not within the service of `{subject}`: counted as downtime all the same")]
    OutsideService { subject: String },
}

impl Note {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unassigned { .. } => "unassigned",
            Self::Month { .. } => "month_spelling",
            Self::ServiceUnknown { .. } => "service_unknown",
            Self::ShownTwice { .. } => "shown_twice",
            Self::StatedDisagrees { .. } => "stated_disagrees",
            Self::NoLength => "no_length",
            Self::NoEnd => "no_end",
            Self::NoCause => "no_cause",
            Self::United { .. } => "united",
            Self::SaysOtherwise { .. } => "says_otherwise",
            Self::OutsideService { .. } => "outside_service",
        }
    }
}

/// The rejects of one import: a line for every note and refusal, and how many there are of each kind.
#[derive(Debug, Default)]
pub struct Rejects {
    lines: Vec<Line>,
    pub imported: u64,
    pub refused: u64,
    counts: BTreeMap<(&'static str, &'static str), u64>,
}

#[derive(Debug)]
struct Line {
    row: u64,
    fate: &'static str,
    code: &'static str,
    text: String,
}

impl Rejects {
    pub fn note(&mut self, row: u64, note: &Note) {
        self.add(row, "imported", note.code(), note.to_string());
    }

    pub fn refuse(&mut self, row: u64, refused: &Refused) {
        self.refused += 1;
        self.add(row, "refused", refused.code(), refused.to_string());
    }

    fn add(&mut self, row: u64, fate: &'static str, code: &'static str, text: String) {
        *self.counts.entry((fate, code)).or_default() += 1;
        self.lines.push(Line { row, fate, code, text });
    }

    /// How many rows met which fate for which reason.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        self.counts.iter().map(|((fate, code), count)| (*fate, *code, *count))
    }

    /// The rejects file: one line for each row and reason, in the order of the rows.
    pub fn to_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by_key(|line| line.row);
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["row", "fate", "reason", "text"])?;
        for line in lines {
            csv.write_record([line.row.to_string().as_str(), line.fate, line.code, line.text.as_str()])?;
        }
        csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }
}
