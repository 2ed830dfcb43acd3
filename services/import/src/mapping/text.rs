//! Values that a mapping takes from a row: templates made of cells, and words chosen by a cell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::words::Vocabulary;
use crate::reader::Row;
use crate::remarks::{Reason, Refusal};

/// Text in which `{Column}` is a cell and `{row}` the number of the row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(String),
    RowNumber,
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let unclosed = || format!("`{text}` opens a brace and does not close it: write {{Column}}");
            let (name, after) = after.split_once('}').ok_or_else(unclosed)?;
            parts.push(Part::Text(before.into()));
            parts.push(if name == "row" { Part::RowNumber } else { Part::Column(name.into()) });
            rest = after;
        }
        parts.push(Part::Text(rest.into()));
        Ok(Self(parts))
    }
}

impl Template {
    pub fn fill(&self, row: &Row<'_>) -> String {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Column(column) => filled.push_str(row.cell(column)),
                Part::RowNumber => filled.push_str(&row.number.to_string()),
            }
        }
        filled
    }

    /// The first column that it names and that is empty in this row.
    pub fn blank<'a>(&'a self, row: &Row<'_>) -> Option<&'a str> {
        self.columns().find(|column| row.cell(column).is_empty())
    }

    /// Filled, unless a cell that it names is empty.
    pub fn whole(&self, row: &Row<'_>) -> Option<String> {
        self.blank(row).is_none().then(|| self.fill(row)).filter(|text| !text.is_empty())
    }

    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| if let Part::Column(name) = part { Some(name.as_str()) } else { None })
    }
}

/// A word of a vocabulary: the same for every row, or chosen by a cell through a table of codes.
#[derive(Debug, Clone)]
pub struct Word<T> {
    column: Option<String>,
    words: BTreeMap<String, T>,
    /// For a cell that stands in no table; without it the row is refused.
    otherwise: Option<T>,
}

impl<T: Vocabulary> Word<T> {
    pub fn always(word: T) -> Self {
        Self { column: None, words: BTreeMap::new(), otherwise: Some(word) }
    }

    pub fn choose(&self, row: &Row<'_>) -> Result<T, Refusal> {
        let cell = self.column.as_deref().map_or("", |column| row.cell(column));
        let own = || if self.words.is_empty() && !cell.is_empty() { T::parse(cell) } else { None };
        let known = self.words.get(cell).cloned().or_else(own).or_else(|| self.otherwise.clone());
        known.ok_or_else(|| {
            let column = self.column.clone().unwrap_or_default();
            let known = self.words.keys().cloned().collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { T::WORDS.to_owned() } else { known };
            Refusal::at(column, cell, Reason::UnknownWord { what: T::WHAT, known })
        })
    }

    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Coded {
    column: String,
    #[serde(default)]
    words: BTreeMap<String, String>,
    otherwise: Option<String>,
}

impl<'de, T: Vocabulary> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WordVisitor(PhantomData))
    }
}

struct WordVisitor<T>(PhantomData<T>);

impl<'de, T: Vocabulary> Visitor<'de> for WordVisitor<T> {
    type Value = Word<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} ({}), or {{ column = …, words = {{ … }} }}", T::WHAT, T::WORDS)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Word<T>, E> {
        Ok(Word::always(parsed(text).map_err(E::custom)?))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Word<T>, A::Error> {
        let coded = Coded::deserialize(MapAccessDeserializer::new(map))?;
        let word = |text: &str| parsed(text).map_err(A::Error::custom);
        let words = coded.words.into_iter().map(|(cell, text)| Ok((cell, word(&text)?)));
        Ok(Word {
            column: Some(coded.column),
            words: words.collect::<Result<_, A::Error>>()?,
            otherwise: coded.otherwise.as_deref().map(word).transpose()?,
        })
    }
}

fn parsed<T: Vocabulary>(text: &str) -> Result<T, String> {
    T::parse(text).ok_or_else(|| format!("`{text}` is no {}: use {}", T::WHAT, T::WORDS))
}

/// Names of columns, collected so that a header can be checked before the first row.
#[derive(Debug, Default)]
pub struct Columns<'a>(pub BTreeSet<&'a str>);

impl<'a> Columns<'a> {
    pub fn add(&mut self, columns: impl IntoIterator<Item = &'a String>) -> &mut Self {
        self.0.extend(columns.into_iter().map(String::as_str));
        self
    }

    pub fn fill(&mut self, templates: impl IntoIterator<Item = &'a Template>) -> &mut Self {
        self.0.extend(templates.into_iter().flat_map(Template::columns));
        self
    }

    pub fn choose<T: Vocabulary + 'a>(&mut self, words: impl IntoIterator<Item = &'a Word<T>>) -> &mut Self {
        self.0.extend(words.into_iter().filter_map(Word::column));
        self
    }
}
