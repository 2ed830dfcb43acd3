//! What the feature query says of families of errors by name: a list of counts in each row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array, ListArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use medfleet_risk::column::FamilyColumn;
use medfleet_risk::frame::FamilyErrors;

use crate::Error;

/// The column of the feature query.
pub const FAMILIES: &str = "families";
const NAME: &str = "family";

/// The lists of a batch.
pub struct Families {
    lists: ListArray,
    names: Vec<Arc<str>>,
    counts: [Int64Array; FamilyColumn::COUNT],
}

impl Families {
    pub fn read(column: &ArrayRef) -> Result<Self, Error> {
        let lists = column.as_list_opt::<i32>().ok_or(Error::NoColumn { column: FAMILIES })?.clone();
        let told = lists.values().as_struct_opt().ok_or(Error::NoColumn { column: FAMILIES })?;
        let names = field(told, NAME, &DataType::Utf8)?;
        let mut known: BTreeMap<&str, Arc<str>> = BTreeMap::new();
        let names = names.as_string::<i32>().iter().map(Option::unwrap_or_default);
        let names = names.map(|name| Arc::clone(known.entry(name).or_insert_with(|| name.into()))).collect();
        let mut counts = FamilyColumn::ALL.map(|_| Int64Array::new_null(0));
        for (column, counts) in FamilyColumn::ALL.into_iter().zip(&mut counts) {
            *counts = field(told, column.as_str(), &DataType::Int64)?.as_primitive::<Int64Type>().clone();
        }
        Ok(Self { lists, names, counts })
    }

    /// What the device of this row told of each family.
    pub fn at(&self, row: usize) -> impl Iterator<Item = FamilyErrors> + '_ {
        let of_row = if self.lists.is_null(row) {
            0..0
        } else {
            self.lists.value_offsets()[row]..self.lists.value_offsets()[row + 1]
        };
        of_row.map(|place| {
            let count = |counts: &Int64Array| u32::try_from(counts.value(place as usize)).unwrap_or(u32::MAX);
            FamilyErrors { family: Arc::clone(&self.names[place as usize]), counts: self.counts.each_ref().map(count) }
        })
    }
}

fn field(told: &StructArray, name: &'static str, kind: &DataType) -> Result<ArrayRef, Error> {
    Ok(cast(told.column_by_name(name).ok_or(Error::NoColumn { column: name })?, kind)?)
}
