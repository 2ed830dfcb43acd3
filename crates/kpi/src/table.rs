//! Answers as tables that explain themselves, for whoever shows them: JSON, CSV, pages. Every column has a unit and a meaning.

use medfleet_domain::time::{Day, Timestamp};
use medfleet_lake::SessionContext;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::answer::{Answer, Line};
use crate::backdated;
use crate::error::KpiError;
use crate::question::Question;
use crate::registry::{Column, Unit, View};

/// One value as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    Nothing,
    Text(String),
    Flag(bool),
    Whole(i64),
    Number(f64),
}

/// What a column is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heading {
    pub name: String,
    pub unit: &'static str,
    pub meaning: &'static str,
}

/// Rows under their headings.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub headings: Vec<Heading>,
    pub rows: Vec<Vec<Cell>>,
}

/// What a word stands for among some; an empty one is the first, which is the usual one.
pub fn by_word<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    let said = words.iter().find(|(name, _)| word.is_empty() || *name == word);
    said.map(|(_, meant)| *meant)
}

/// The words, for whoever used another.
pub fn listed<T>(words: &[(&str, T)]) -> String {
    words.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// One column of rows that are computed: where its value comes from.
#[derive(Debug)]
pub struct Figure<T: 'static> {
    pub name: &'static str,
    pub unit: &'static str,
    pub meaning: &'static str,
    pub of: fn(&T) -> Cell,
}

impl<T> Figure<T> {
    pub const fn new(name: &'static str, unit: &'static str, meaning: &'static str, of: fn(&T) -> Cell) -> Self {
        Self { name, unit, meaning, of }
    }
}

impl Table {
    pub fn of<T>(figures: &[Figure<T>], rows: &[T]) -> Self {
        let heading =
            |figure: &Figure<T>| Heading { name: figure.name.to_owned(), unit: figure.unit, meaning: figure.meaning };
        let cells = |row: &T| figures.iter().map(|figure| (figure.of)(row)).collect();
        Self { headings: figures.iter().map(heading).collect(), rows: rows.iter().map(cells).collect() }
    }

    /// Each row as a JSON object.
    pub fn objects(&self) -> Vec<Map<String, Value>> {
        let names = || self.headings.iter().map(|heading| heading.name.clone());
        self.rows.iter().map(|row| names().zip(row.iter().map(Cell::json)).collect()).collect()
    }
}

impl View {
    pub fn headings(&self) -> Vec<Heading> {
        if self.name == backdated::VIEW {
            return Table::of(&backdated::figures(), &[]).headings;
        }
        let heading =
            |column: &Column| Heading { name: column.shown(), unit: column.shown_unit(), meaning: column.meaning };
        self.columns.iter().map(heading).collect()
    }

    /// The answer as cells, named and measured as [`Column::shown`] says.
    pub async fn table(&self, session: &SessionContext, question: &Question) -> Result<Table, KpiError> {
        if self.name == backdated::VIEW {
            return backdated::table(session, question).await;
        }
        let answer = Answer::new(self.run(session, question).await?)?;
        let row = |line: &Line<'_>| self.columns.iter().map(|column| cell(line, column)).collect::<Result<_, _>>();
        Ok(Table { headings: self.headings(), rows: answer.read(row)? })
    }
}

impl Cell {
    /// A number, or nothing where there is none or no end to it.
    pub fn number(value: Option<f64>) -> Self {
        value.filter(|value| value.is_finite()).map_or(Self::Nothing, Self::Number)
    }

    pub fn seconds(micros: i64) -> Self {
        Self::Number(micros as f64 / 1e6)
    }

    pub fn some_seconds(micros: Option<f64>) -> Self {
        Self::number(micros.map(|micros| micros / 1e6))
    }

    pub fn count(count: u64) -> Self {
        Self::Whole(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Text; an empty one is nothing.
    pub fn text(text: &str) -> Self {
        if text.is_empty() { Self::Nothing } else { Self::Text(text.to_owned()) }
    }

    fn json(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Text(text) => Value::from(text.as_str()),
            Self::Flag(flag) => Value::from(*flag),
            Self::Whole(number) => Value::from(*number),
            Self::Number(number) => Value::from(*number),
        }
    }
}

fn cell(line: &Line<'_>, column: &Column) -> Result<Cell, KpiError> {
    let of = |value: Option<i64>, shown: &dyn Fn(i64) -> Cell| value.map_or(Cell::Nothing, shown);
    let name = column.name;
    Ok(match column.unit {
        Unit::Text => line.some_text(name)?.map_or(Cell::Nothing, Cell::Text),
        Unit::Flag => Cell::Flag(line.flag(name)?),
        Unit::Count | Unit::Number => of(line.some_int(name)?, &Cell::Whole),
        Unit::Micros => of(line.some_int(name)?, &Cell::seconds),
        Unit::Milli => of(line.some_int(name)?, &|milli| Cell::Number(milli as f64 / 1e3)),
        Unit::InstantMicros => of(line.some_int(name)?, &|at| Cell::Text(Timestamp(at).to_string())),
        Unit::Day => {
            of(line.some_int(name)?, &|day| Cell::Text(Day(i32::try_from(day).unwrap_or_default()).to_string()))
        }
        Unit::Bytes => Cell::Text(line.bytes(name)?.iter().map(|byte| format!("{byte:02x}")).collect()),
    })
}
