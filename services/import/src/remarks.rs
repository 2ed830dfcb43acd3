//! What was not read plainly: every row refused, and every row read in a special way, with the reason and the cure. Nothing goes
//! silently.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use medfleet_domain::Invalid;

use crate::reader::{Place, ROW_MAX_BYTES};
use crate::times::Month;

/// Why a row was refused, or what was special about reading it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("{0}")]
    Csv(String),
    #[error("the row has {bytes} bytes, the limit is {ROW_MAX_BYTES}")]
    TooLong { bytes: usize },
    #[error("the row has {cells} cells where the header has {columns}")]
    Cells { cells: usize, columns: usize },
    #[error("the row is not UTF-8")]
    NotUtf8,
    #[error("the row repeats line {line} in every cell")]
    Repeats { line: u64 },
    #[error("no device is named")]
    NoDevice,
    #[error("no machine is listed as `{name}`")]
    UnknownDevice { name: String },
    #[error("`{name}` already names `{other}`")]
    SameName { name: String, other: String },
    #[error("the machine stands in line {line} already")]
    SameMachine { line: u64 },
    #[error("order `{order}` stands in line {line} already")]
    SameOrder { order: String, line: u64 },
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("no reader would take it: {0}")]
    NotAFact(String),
    #[error("{phase} at {at}, before the order was opened at {opened}")]
    BeforeOpened { phase: &'static str, at: String, opened: String },
    #[error("`{site}` has no [[site]] in the mapping, and with it no time zone")]
    NoZone { site: String },
    #[error("the cell is empty")]
    Empty,
    #[error("the cell is none of: {known}")]
    UnknownWord { what: &'static str, known: String },
    #[error("`{text}` fits none of {formats}")]
    UnreadableTime { text: String, formats: String },
    #[error("`{text}` never was in {zone}: the clocks skipped that hour")]
    SkippedHour { text: String, zone: Tz },
    #[error("{at} is not between {first} and {last}")]
    OutsideRecord { at: String, first: String, last: String },
    #[error("it ends at {until}, before it starts at {from}")]
    Backwards { from: String, until: String },
    #[error("it is no number of at most three decimals and nine quadrillion")]
    NoNumber,
    #[error("no device named: filed under `{subject}`, which is never in service")]
    Unassigned { subject: String },
    #[error("listed by no machine table: taken for {kind} of site `{site}`")]
    Unlisted { kind: &'static str, site: String },
    #[error("`{text}` in column `{column}` is {month}")]
    MonthSpelling { column: String, text: String, month: Month },
    #[error("`{text}`: in service from the day of its first row on")]
    ServiceUnknown { text: String },
    #[error("`{text}` was shown twice by the clock: taken as {taken}")]
    ShownTwice { text: String, taken: String },
    #[error("`{text}` names no time of day: taken as the midnight at which that day began")]
    DayOnly { text: String },
    #[error("states {stated} minutes, its times say {timed}: the times win")]
    StatedDisagrees { stated: String, timed: i64 },
    #[error("of no length: no time in any condition")]
    NoLength,
    #[error("no end: down to the end of the record")]
    NoEnd,
    #[error("no cause stated")]
    NoCause,
    #[error("overlaps or touches an earlier one of `{subject}` in the same condition: united with it")]
    United { subject: String },
    #[error("says of `{subject}` something else than an earlier row of the same time: both are told")]
    Contradicts { subject: String },
    #[error("says of `{subject}` otherwise than its first row: that row stands")]
    SaysOtherwise { subject: String },
    #[error("not within the service of `{subject}`: counted as downtime all the same")]
    OutsideService { subject: String },
    #[error("has more than three decimals: rounded to thousandths")]
    Rounded,
}

impl Reason {
    pub const fn code(&self) -> &'static str {
        self.words().0
    }

    /// What a person can do about it.
    pub const fn cure(&self) -> &'static str {
        self.words().1
    }

    const fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Csv(_) => ("csv", "mend the file from this line on: nothing after it was read"),
            Self::TooLong { .. } => ("too_long", "look for a missing quote"),
            Self::Cells { .. } => ("cells", "look for a stray or missing delimiter or quote"),
            Self::NotUtf8 => ("not_utf8", "convert the file to UTF-8"),
            Self::Repeats { .. } => ("repeats", "nothing, or `repeats = \"keep\"` if each row is an event of its own"),
            Self::NoDevice => ("no_device", "fill the cell, or give the table an `unassigned` id"),
            Self::UnknownDevice { .. } => {
                ("unknown_device", "list the machine, add an alias, or give an [unlisted] rule")
            }
            Self::SameName { .. } => ("same_name", "give each machine an id and aliases of its own"),
            Self::SameMachine { .. } => ("same_machine", "keep one row for each machine"),
            Self::SameOrder { .. } => ("same_order", "keep one row for each order, or add a column to its id"),
            Self::Invalid(_) => ("invalid", "correct the cell or the template"),
            Self::NotAFact(_) => ("not_a_fact", "shorten the text or correct the template"),
            Self::BeforeOpened { .. } => {
                ("before_opened", "correct the times: clocks that start at the opening are wrong")
            }
            Self::NoZone { .. } => ("no_zone", "add a [[site]], or name a zone for the table"),
            Self::Empty => ("empty", "fill the cell"),
            Self::UnknownWord { .. } => ("unknown_word", "add the word to `words`, or an `otherwise`"),
            Self::UnreadableTime { .. } => ("time", "correct the cell, or add its format"),
            Self::SkippedHour { .. } => ("skipped_hour", "correct the cell or the zone"),
            Self::OutsideRecord { .. } => ("outside_record", "correct the cell, or `record_end`"),
            Self::Backwards { .. } => ("ends_before_start", "correct the times"),
            Self::NoNumber => ("no_number", "correct the cell"),
            Self::Unassigned { .. } => ("unassigned", "fill the cell where the device is known"),
            Self::Unlisted { .. } => ("unlisted", "list the machine"),
            Self::MonthSpelling { .. } => ("month_spelling", "nothing, if the month is right"),
            Self::ServiceUnknown { .. } => ("service_unknown", "state when it went into service"),
            Self::ShownTwice { .. } => ("shown_twice", "nothing, or choose the other with `ambiguous`"),
            Self::DayOnly { .. } => ("day_only", "export the time of day as well"),
            Self::StatedDisagrees { .. } => ("stated_disagrees", "correct the times where they are wrong"),
            Self::NoLength => ("no_length", "nothing, if it was put right at once"),
            Self::NoEnd => ("no_end", "nothing, if it is still open"),
            Self::NoCause => ("no_cause", "nothing, or state the cause"),
            Self::United { .. } => ("united", "nothing: a second down counts once"),
            Self::Contradicts { .. } => ("contradicts", "correct one of them: up against down is unknown"),
            Self::SaysOtherwise { .. } => ("says_otherwise", "make both rows say the same"),
            Self::OutsideService { .. } => ("outside_service", "correct the dates of service"),
            Self::Rounded => ("rounded", "nothing: thousandths are kept"),
        }
    }
}

/// What one cell, or the row as a whole, gave rise to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub column: String,
    pub value: String,
    pub reason: Reason,
}

impl Refusal {
    pub fn at(column: impl Into<String>, value: &str, reason: Reason) -> Self {
        Self { column: column.into(), value: value.to_owned(), reason }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { column: String::new(), value: String::new(), reason }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Reason::Invalid(invalid).into()
    }
}

/// All remarks of one import: a line for each, and how many there are of each kind.
#[derive(Debug, Default)]
pub struct Remarks {
    lines: Vec<Line>,
    /// Rows by table: read, and refused.
    rows: BTreeMap<usize, (u64, u64)>,
    counts: BTreeMap<(usize, &'static str, &'static str), u64>,
}

#[derive(Debug)]
struct Line {
    place: Place,
    fate: &'static str,
    about: Refusal,
}

const READ: &str = "imported";
const REFUSED: &str = "refused";

impl Remarks {
    pub fn imported(&mut self, place: Place) {
        self.rows.entry(place.table).or_default().0 += 1;
    }

    pub fn note(&mut self, place: Place, about: impl Into<Refusal>) {
        self.add(place, READ, about.into());
    }

    pub fn refuse(&mut self, place: Place, about: Refusal) {
        self.rows.entry(place.table).or_default().1 += 1;
        self.add(place, REFUSED, about);
    }

    fn add(&mut self, place: Place, fate: &'static str, about: Refusal) {
        *self.counts.entry((place.table, fate, about.reason.code())).or_default() += 1;
        self.lines.push(Line { place, fate, about });
    }

    /// Rows imported and refused of one table.
    pub fn rows(&self, table: usize) -> (u64, u64) {
        self.rows.get(&table).copied().unwrap_or_default()
    }

    /// How many rows of a table met which fate for which reason.
    pub fn counts(&self, table: usize) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let of_table = self.counts.iter().filter(move |((of, ..), _)| *of == table);
        of_table.map(|((_, fate, code), count)| (*fate, *code, *count))
    }

    /// The rejects file: one line for each row and reason, by table and row.
    pub fn to_csv(&self, files: &[&str]) -> Result<Vec<u8>, csv::Error> {
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by_key(|line| line.place);
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["file", "line", "row", "fate", "reason", "column", "value", "text", "cure"])?;
        for Line { place, fate, about: Refusal { column, value, reason } } in lines {
            let (line, row, text) = (place.line.to_string(), place.row.to_string(), reason.to_string());
            let file = files.get(place.table).copied().unwrap_or_default();
            csv.write_record([file, &line, &row, fate, reason.code(), column, value, &text, reason.cure()])?;
        }
        csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }
}
