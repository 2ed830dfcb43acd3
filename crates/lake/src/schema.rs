//! What a table is: its columns, how its files are laid out, and the batch that fits it.

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
}

/// A plain struct that is one row of a table.
pub trait Row: Sized {
    fn fields() -> Vec<Field>;
    fn to_arrays(rows: &[Self]) -> Vec<ArrayRef>;
    /// Reads rows from a batch that already has the exact schema of the row type.
    fn read_all(batch: &RecordBatch) -> Result<Vec<Self>, LakeError>;

    fn schema() -> SchemaRef {
        static_schema::<Self>()
    }

    fn to_batch(rows: &[Self]) -> Result<RecordBatch, LakeError> {
        RecordBatch::try_new(Self::schema(), Self::to_arrays(rows)).map_err(LakeError::arrow("build a batch of rows"))
    }

    /// Reads rows from any batch that has the columns, in any order and encoding.
    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, LakeError> {
        Self::read_all(&conform(batch, &Self::schema())?)
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

            fn to_arrays(rows: &[Self]) -> Vec<arrow::array::ArrayRef> {
                let mut out = Vec::new();
                $(
                    let mut builder = <$cell as $crate::cell::Cell>::builder(rows.len());
                    for row in rows {
                        $crate::cell::Cell::push(&row.$field, &mut builder);
                    }
                    <$cell as $crate::cell::Cell>::finish(builder, &mut out);
                )*
                out
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
    /// The rows of all batches in the table's order, a batch for each partition.
    pub(crate) fn partitions(&self, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, LakeError> {
        let whole = match batches {
            [one] => conform(one, &self.schema)?,
            many => {
                let conformed: Result<Vec<RecordBatch>, LakeError> =
                    many.iter().map(|batch| conform(batch, &self.schema)).collect();
                concat_batches(&self.schema, &conformed?).map_err(LakeError::arrow("join batches"))?
            }
        };
        let arranged = self.arrange(&whole)?;
        let keys: Vec<ArrayRef> =
            self.partition_columns.iter().filter_map(|name| arranged.column_by_name(name).cloned()).collect();
        if keys.is_empty() || arranged.num_rows() == 0 {
            return Ok(if arranged.num_rows() == 0 { Vec::new() } else { vec![arranged] });
        }
        let ranges = partition(&keys).map_err(LakeError::arrow("split a batch by its partitions"))?.ranges();
        Ok(ranges.into_iter().map(|rows| arranged.slice(rows.start, rows.len())).collect())
    }

    /// Sorts a batch that has the table's columns into its order: partition first, then the sort columns.
    fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
        let names = self.partition_columns.iter().chain(self.sort_columns);
        let order: Vec<ArrayRef> = names.filter_map(|name| batch.column_by_name(name)).cloned().collect();
        if order.is_empty() || batch.num_rows() < 2 {
            return Ok(batch.clone());
        }
        // Keys put together once compare as bytes; column by column, every comparison would look up each string.
        let fields = order.iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let keys = RowConverter::new(fields).and_then(|converter| converter.convert_columns(&order));
        let keys = keys.map_err(LakeError::arrow("sort a batch"))?;
        let mut indices: Vec<u32> = (0..).take(batch.num_rows()).collect();
        indices.sort_by_key(|index| keys.row(*index as usize));
        reorder(batch, &UInt32Array::from(indices))
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
        let column = batch.column_by_name(field.name()).ok_or_else(|| LakeError::MissingColumn {
            table: "being conformed".into(),
            column: field.name().clone(),
        })?;
        columns.push(match column.data_type() == field.data_type() {
            true => Arc::clone(column),
            false => cast(column, field.data_type()).map_err(LakeError::arrow("cast a column"))?,
        });
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(LakeError::arrow("conform a batch"))
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
