//! What a table is: its columns, how its files are laid out, and the batch that fits it.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat_batches, partition, take};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};

use crate::error::LakeError;
use crate::rows;

/// What a table's sums are, which decides how it is hashed and what upkeep may do to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Entries are facts of their own: never updated, never netted. Hashed entry by entry.
    Entries,
    /// Rows add up: equal keys may be merged by adding `sums`. Hashed by the sums.
    Sums { keys: &'static [&'static str], sums: &'static [&'static str] },
}

/// One table of the lake.
#[derive(Debug)]
pub struct TableDef {
    pub name: &'static str,
    pub schema: SchemaRef,
    /// Each distinct value is a folder; at most one column, usually the UTC day.
    pub partition_columns: &'static [&'static str],
    /// Order of rows inside a file, so that row groups can be skipped.
    pub sort_columns: &'static [&'static str],
    /// Columns whose least and greatest value are kept in the table's log per file.
    pub stats_columns: &'static [&'static str],
    pub content: Content,
    /// Whether the rules of the fold decide its rows. Cuts name offsets, which outlive all rules.
    pub is_ruled: bool,
}

/// Rows that become columns together: as many as lie in a core's nearest cache.
pub(crate) const ROWS_AT_ONCE: usize = 64;

/// A plain struct that is one row of a table.
pub trait Row: Sized {
    fn fields() -> Vec<Field>;
    fn to_arrays(rows: &[&Self]) -> Vec<ArrayRef>;
    /// How two rows compare in one field, as the engine would compare the column; none where there is no such field.
    fn comparer(field: &str) -> Option<Comparer<Self>>;
    /// Reads rows from a batch that already has the exact schema of the row type.
    fn read_all(batch: &RecordBatch) -> Result<Vec<Self>, LakeError>;

    fn schema() -> SchemaRef {
        static_schema::<Self>()
    }

    fn to_batch<'a>(rows: impl IntoIterator<Item = &'a Self>) -> Result<RecordBatch, LakeError>
    where
        Self: 'a,
    {
        let rows: Vec<&Self> = rows.into_iter().collect();
        RecordBatch::try_new(Self::schema(), Self::to_arrays(&rows)).map_err(LakeError::arrow("build a batch of rows"))
    }

    /// Reads rows from any batch that has the columns, in any order and encoding.
    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, LakeError> {
        Self::read_all(&conform(batch, &Self::schema())?)
    }
}

pub type Comparer<R> = fn(&R, &R) -> Ordering;

/// Rows in the order of their table: partition first, then the columns it is sorted by.
#[derive(Clone, Debug)]
pub struct Arranged(RecordBatch);

impl Arranged {
    pub const fn batch(&self) -> &RecordBatch {
        &self.0
    }

    pub fn num_rows(&self) -> usize {
        self.0.num_rows()
    }
}

fn static_schema<R: Row>() -> SchemaRef {
    Arc::new(Schema::new(R::fields()))
}

/// Declares a row type: the struct is the schema.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $cell:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $cell,)* }

        impl $crate::schema::Row for $name {
            fn fields() -> Vec<arrow::datatypes::Field> {
                let mut out = Vec::new();
                $(<$cell as $crate::cell::Cell>::fields(stringify!($field), &mut out);)*
                out
            }

            fn to_arrays(rows: &[&Self]) -> Vec<arrow::array::ArrayRef> {
                $(let mut $field = <$cell as $crate::cell::Cell>::builder(rows.len());)*
                // A few rows at a time go into all columns: sorted rows lie anywhere in memory, and would be fetched anew for each.
                for few in rows.chunks($crate::schema::ROWS_AT_ONCE) {
                    $(few.iter().for_each(|row| $crate::cell::Cell::push(&row.$field, &mut $field));)*
                }
                let mut out = Vec::new();
                $(<$cell as $crate::cell::Cell>::finish($field, &mut out);)*
                out
            }

            fn comparer(field: &str) -> Option<$crate::schema::Comparer<Self>> {
                match field {
                    $(stringify!($field) => Some(|one, next| one.$field.cmp(&next.$field)),)*
                    _ => None,
                }
            }

            fn read_all(
                batch: &arrow::array::RecordBatch,
            ) -> Result<Vec<Self>, $crate::error::LakeError> {
                $(let $field = <$cell as $crate::cell::Cell>::reader(batch, stringify!($field))?;)*
                (0..batch.num_rows())
                    .map(|row| {
                        Ok(Self {
                            $($field: <$cell as $crate::cell::Cell>::read(&$field, row)?,)*
                        })
                    })
                    .collect()
            }
        }
    };
}
pub(crate) use row;

impl TableDef {
    /// These rows in the table's order. Rows are sorted before they become columns: that is much cheaper than to sort those.
    pub fn arrange_rows<R: Row>(&self, mut rows: Vec<&R>) -> Result<Arranged, LakeError> {
        let comparer = |column: &'static str| {
            let missing = || LakeError::MissingColumn { table: self.name.into(), column: column.into() };
            R::comparer(column).ok_or_else(missing)
        };
        let order: Vec<Comparer<R>> = self.order().map(comparer).collect::<Result<_, LakeError>>()?;
        rows.sort_by(|one, next| {
            let mut each = order.iter().map(|compare| compare(one, next));
            each.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
        });
        Ok(Arranged(R::to_batch(rows)?))
    }

    /// The rows of all batches in the table's order.
    pub fn arrange(&self, batches: &[RecordBatch]) -> Result<Arranged, LakeError> {
        let whole = match batches {
            [one] => conform(one, &self.schema)?,
            many => {
                let conformed: Result<Vec<RecordBatch>, LakeError> =
                    many.iter().map(|batch| conform(batch, &self.schema)).collect();
                concat_batches(&self.schema, &conformed?).map_err(LakeError::arrow("join batches"))?
            }
        };
        self.sort(whole).map(Arranged)
    }

    /// A batch for each partition.
    pub(crate) fn partitions(&self, Arranged(rows): &Arranged) -> Result<Vec<RecordBatch>, LakeError> {
        let rows = conform(rows, &self.schema)?;
        let keys: Vec<ArrayRef> =
            self.partition_columns.iter().filter_map(|name| rows.column_by_name(name).cloned()).collect();
        if keys.is_empty() || rows.num_rows() == 0 {
            return Ok(if rows.num_rows() == 0 { Vec::new() } else { vec![rows] });
        }
        let ranges = partition(&keys).map_err(LakeError::arrow("split a batch by its partitions"))?.ranges();
        Ok(ranges.into_iter().map(|range| rows.slice(range.start, range.len())).collect())
    }

    /// The columns that decide the place of a row.
    fn order(&self) -> impl Iterator<Item = &'static str> {
        self.partition_columns.iter().chain(self.sort_columns).copied()
    }

    fn sort(&self, batch: RecordBatch) -> Result<RecordBatch, LakeError> {
        let order: Vec<ArrayRef> = self.order().filter_map(|name| batch.column_by_name(name)).cloned().collect();
        if order.is_empty() || batch.num_rows() < 2 {
            return Ok(batch);
        }
        // Keys put together once compare as bytes; column by column, every comparison would look up each string.
        let fields = order.iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let keys = RowConverter::new(fields).and_then(|converter| converter.convert_columns(&order));
        let keys = keys.map_err(LakeError::arrow("sort a batch"))?;
        let mut indices: Vec<u32> = (0..).take(batch.num_rows()).collect();
        indices.sort_by_key(|index| keys.row(*index as usize));
        reorder(&batch, &UInt32Array::from(indices))
    }
}

fn reorder(batch: &RecordBatch, indices: &UInt32Array) -> Result<RecordBatch, LakeError> {
    let columns: Result<Vec<ArrayRef>, _> = batch.columns().iter().map(|column| take(column, indices, None)).collect();
    columns
        .and_then(|columns| RecordBatch::try_new(batch.schema(), columns))
        .map_err(LakeError::arrow("reorder a batch"))
}

/// The batch with exactly the columns of `schema`, by name, cast where the encoding differs.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, LakeError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let column = column_of(batch, field)?;
        columns.push(match column.data_type() == field.data_type() {
            true => Arc::clone(column),
            false => cast(column, field.data_type()).map_err(LakeError::arrow("cast a column"))?,
        });
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(LakeError::arrow("conform a batch"))
}

pub(crate) fn column_of<'a>(batch: &'a RecordBatch, field: &Field) -> Result<&'a ArrayRef, LakeError> {
    let missing = || LakeError::MissingColumn { table: "being conformed".into(), column: field.name().clone() };
    batch.column_by_name(field.name()).ok_or_else(missing)
}

/// Every table of the lake, in the order in which a flush writes them; `cuts` comes last.
pub fn tables() -> &'static [TableDef] {
    static TABLES: LazyLock<Vec<TableDef>> = LazyLock::new(rows::definitions);
    &TABLES
}

/// The definition of a table, by name.
pub fn table(name: &str) -> Option<&'static TableDef> {
    tables().iter().find(|def| def.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{Cause, Day, UtcMicros};
    use crate::rows::{ComponentRow, FactRow, HeadRow, IntervalRow};

    /// Few values, so that many rows are equal in what they are sorted by; the cause tells them apart.
    fn few(at: i64, of: i64) -> i64 {
        at.wrapping_mul(0x9e37_79b9).rotate_left(7).rem_euclid(of)
    }

    fn same_as_sorted_columns<R: Row>(table: &str, make: impl Fn(i64) -> R) {
        let rows: Vec<R> = (0..500).map(make).collect();
        let def = super::table(table).unwrap();
        let arranged = def.arrange_rows(rows.iter().collect()).unwrap();
        assert_eq!(arranged.batch(), def.arrange(&[R::to_batch(&rows).unwrap()]).unwrap().batch(), "{table}");
        assert_ne!(arranged.batch(), &R::to_batch(&rows).unwrap(), "{table}: nothing was out of order");
    }

    #[test]
    fn rows_sorted_before_they_are_columns_are_those_of_sorted_columns() {
        let name = |at| ["b", "", "ab", "é", "a"][few(at, 5) as usize].into();
        let cause = |at| Cause { offset: at, ..Cause::default() };
        same_as_sorted_columns("facts", |at| FactRow {
            subject: name(at),
            at: UtcMicros(few(at, 3) - 1),
            epoch: few(at, 2),
            seq: -few(at, 7),
            day: Day(few(at, 3) as i32),
            cause: cause(at),
            ..FactRow::default()
        });
        same_as_sorted_columns("intervals", |at| IntervalRow {
            device: name(at),
            from_at: UtcMicros(few(at, 3) - 1),
            day: Day(few(at, 3) as i32),
            cause: cause(at),
            ..IntervalRow::default()
        });
        same_as_sorted_columns("heads", |at| HeadRow {
            subject: name(at),
            role: ["live", "claim", "agent"][few(at, 3) as usize].into(),
            cause: cause(at),
            ..HeadRow::default()
        });
        same_as_sorted_columns("components", |at| ComponentRow {
            device: name(at),
            cause: cause(at),
            ..ComponentRow::default()
        });
    }
}
