//! Reading answers: whatever encoding the engine chose, a column is text, whole numbers or yes and no.

use std::collections::HashMap;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BinaryArray, BooleanArray, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use medfleet_domain::time::Timestamp;

use crate::error::KpiError;

enum Column {
    Text(StringArray),
    Int(Int64Array),
    Flag(BooleanArray),
    Bytes(BinaryArray),
    /// Nothing but nulls.
    Empty,
}

/// All rows of an answer.
pub struct Answer {
    batches: Vec<(usize, HashMap<String, Column>)>,
}

/// One row of an answer.
pub struct Line<'a> {
    columns: &'a HashMap<String, Column>,
    row: usize,
}

impl Answer {
    pub fn new(batches: Vec<RecordBatch>) -> Result<Self, KpiError> {
        let read = |batch: RecordBatch| {
            let schema = batch.schema();
            let named = schema.fields().iter().zip(batch.columns());
            let columns = named.map(|(field, array)| Ok((field.name().clone(), Column::of(array)?)));
            Ok((batch.num_rows(), columns.collect::<Result<_, KpiError>>()?))
        };
        Ok(Self { batches: batches.into_iter().map(read).collect::<Result<_, KpiError>>()? })
    }

    pub fn read<T>(&self, read: impl Fn(&Line<'_>) -> Result<T, KpiError>) -> Result<Vec<T>, KpiError> {
        let lines = self.batches.iter().flat_map(|(rows, columns)| (0..*rows).map(|row| Line { columns, row }));
        lines.map(|line| read(&line)).collect()
    }
}

impl Column {
    fn of(array: &ArrayRef) -> Result<Self, KpiError> {
        Ok(match array.data_type() {
            DataType::Null => Self::Empty,
            DataType::Boolean => Self::Flag(array.as_boolean().clone()),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                Self::Bytes(cast(array, &DataType::Binary)?.as_binary::<i32>().clone())
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
                Self::Text(cast(array, &DataType::Utf8)?.as_string().clone())
            }
            DataType::Date32 => {
                let days = cast(array, &DataType::Int32)?;
                Self::Int(cast(&days, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            _ => Self::Int(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone()),
        })
    }
}

impl Line<'_> {
    fn column(&self, name: &str) -> Result<&Column, KpiError> {
        self.columns.get(name).ok_or_else(|| missing(name))
    }

    pub fn some_text(&self, name: &str) -> Result<Option<String>, KpiError> {
        match self.column(name)? {
            Column::Text(array) => Ok((!array.is_null(self.row)).then(|| array.value(self.row).to_owned())),
            Column::Empty => Ok(None),
            _ => Err(missing(name)),
        }
    }

    pub fn text(&self, name: &str) -> Result<String, KpiError> {
        self.some_text(name)?.ok_or_else(|| missing(name))
    }

    pub fn some_int(&self, name: &str) -> Result<Option<i64>, KpiError> {
        match self.column(name)? {
            Column::Int(array) => Ok((!array.is_null(self.row)).then(|| array.value(self.row))),
            Column::Empty => Ok(None),
            _ => Err(missing(name)),
        }
    }

    pub fn int(&self, name: &str) -> Result<i64, KpiError> {
        self.some_int(name)?.ok_or_else(|| missing(name))
    }

    pub fn some_time(&self, name: &str) -> Result<Option<Timestamp>, KpiError> {
        Ok(self.some_int(name)?.map(Timestamp))
    }

    pub fn time(&self, name: &str) -> Result<Timestamp, KpiError> {
        self.int(name).map(Timestamp)
    }

    pub fn bytes(&self, name: &str) -> Result<&[u8], KpiError> {
        match self.column(name)? {
            Column::Bytes(array) if !array.is_null(self.row) => Ok(array.value(self.row)),
            _ => Err(missing(name)),
        }
    }

    pub fn flag(&self, name: &str) -> Result<bool, KpiError> {
        match self.column(name)? {
            Column::Flag(array) if !array.is_null(self.row) => Ok(array.value(self.row)),
            _ => Err(missing(name)),
        }
    }
}

fn missing(column: &str) -> KpiError {
    KpiError::Column { column: column.to_owned() }
}
