//! A frame: examples as columns. One row is one part of one device at one instant, with what became of it.

use std::sync::Arc;

use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::column::{Column, FamilyColumn};
use crate::fate::Fate;
use crate::horizon::Horizon;

/// What parts of one sort have in common: the unit for which a voice earns its right to speak is `(kind, component)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Group {
    pub kind: DeviceKind,
    pub make_model: Arc<str>,
    pub component: Arc<str>,
}

impl Group {
    pub fn sort(&self) -> PartSort {
        PartSort { kind: self.kind, component: self.component.clone() }
    }
}

/// A sort of part, whoever made the device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartSort {
    pub kind: DeviceKind,
    pub component: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Index of the device, in the order in which the caller numbers them.
    pub device: u32,
    /// Index into [`Frame::groups`].
    pub group: u32,
    pub at: Timestamp,
    pub fate: Fate,
    /// How many rows this one stands for, where others like it were left out.
    pub weight: f64,
}

/// What a device told of one family of errors: one count for each of [`FamilyColumn::ALL`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyErrors {
    pub family: Arc<str>,
    pub counts: [u32; FamilyColumn::COUNT],
}

#[derive(Debug, Clone, Default)]
pub struct Frame {
    groups: Vec<Group>,
    rows: Vec<Row>,
    columns: Vec<Vec<f64>>,
    /// Of all rows, one after the other: few devices tell errors, and of few families.
    families: Vec<FamilyErrors>,
    /// Where the families of each row end.
    family_ends: Vec<usize>,
}

impl Frame {
    pub fn new(groups: Vec<Group>) -> Self {
        Self { groups, columns: vec![Vec::new(); Column::COUNT], ..Self::default() }
    }

    /// Adds a row of a device that told no errors of any family; `values` are those of [`Column::ALL`], in that order.
    pub fn push(&mut self, row: Row, values: &[f64]) -> Result<(), Error> {
        self.push_telling(row, values, [])
    }

    /// Adds a row, and what its device told of each family of errors.
    pub fn push_telling(
        &mut self,
        row: Row,
        values: &[f64],
        families: impl IntoIterator<Item = FamilyErrors>,
    ) -> Result<(), Error> {
        if values.len() != Column::COUNT {
            return Err(Error::Width { found: values.len(), expected: Column::COUNT });
        }
        if row.group as usize >= self.groups.len() {
            return Err(Error::UnknownGroup { group: row.group, known: self.groups.len() });
        }
        self.rows.push(row);
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(*value);
        }
        self.families.extend(families);
        self.family_ends.push(self.families.len());
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub fn row(&self, row: usize) -> &Row {
        &self.rows[row]
    }

    pub fn group(&self, row: usize) -> &Group {
        &self.groups[self.rows[row].group as usize]
    }

    pub fn column(&self, column: Column) -> &[f64] {
        &self.columns[column.index()]
    }

    pub fn value(&self, row: usize, column: Column) -> f64 {
        self.columns[column.index()][row]
    }

    /// What the device of a row told of each family of errors.
    pub fn families(&self, row: usize) -> &[FamilyErrors] {
        let from = row.checked_sub(1).map_or(0, |before| self.family_ends[before]);
        &self.families[from..self.family_ends[row]]
    }

    /// How many errors of this family the device of a row told; none where it is not named.
    pub fn family_value(&self, row: usize, family: &str, column: FamilyColumn) -> f64 {
        let told = self.families(row).iter().find(|told| *told.family == *family);
        told.map_or(0.0, |told| f64::from(told.counts[column.index()]))
    }

    /// The rows of `rows` whose fate within the horizon is known, and whether they failed.
    pub fn decided(&self, rows: impl IntoIterator<Item = usize>, horizon: Horizon) -> Decided {
        let known = rows.into_iter().filter_map(|row| Some((row, self.rows[row].fate.within(horizon)?)));
        let (rows, failed) = known.unzip();
        Decided { rows, failed }
    }
}

/// Rows whose fate is known, beside that fate.
#[derive(Debug, Clone, Default)]
pub struct Decided {
    pub rows: Vec<usize>,
    pub failed: Vec<bool>,
}

impl Decided {
    pub fn failures(&self) -> usize {
        self.failed.iter().filter(|failed| **failed).count()
    }
}
