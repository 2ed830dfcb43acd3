//! The content hash of a table: what is in it, whatever files and row order it lies in.
//!
//! A row is encoded column by column in schema order: one byte 0 for null or 1, then the value
//! (integers, dates and times as 8 bytes little endian; booleans as 1 byte; strings and bytes as
//! their length in 8 bytes little endian and the bytes). The hash of a row is XXH3-128 of its
//! encoding; the hash of a table is the number of rows and the sum of their hashes modulo 2^128,
//! which does not depend on order. Weight and cause are columns like any other. A table of sums is
//! hashed over its sums by key, keys whose sums are all zero left out.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryArray, BinaryViewArray, BooleanArray, Int64Array, RecordBatch, StringArray,
    StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use tokio::task::JoinSet;

use crate::error::LakeError;
use crate::schema::{Content, TableDef, column_of};

/// Hash of a multiset of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentHash {
    pub rows: u64,
    pub sum: u128,
}

impl ContentHash {
    /// Adds the rows of a batch, seen through `schema`.
    pub fn add(&mut self, batch: &RecordBatch, schema: &SchemaRef) -> Result<(), LakeError> {
        let column = |field: &FieldRef| Column::of(column_of(batch, field)?, field.data_type());
        let columns: Vec<Column> = schema.fields().iter().map(column).collect::<Result<_, LakeError>>()?;
        let mut encoded = Vec::new();
        for row in 0..batch.num_rows() {
            encoded.clear();
            for column in &columns {
                column.encode(row, &mut encoded);
            }
            self.sum = self.sum.wrapping_add(twox_hash::XxHash3_128::oneshot(&encoded));
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

impl std::ops::Add for ContentHash {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, sum: self.sum.wrapping_add(other.sum) }
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:032x}", self.rows, self.sum)
    }
}

/// Hashes a table as it is registered in the session under its own name.
pub fn content_hash<'a>(
    session: &'a SessionContext,
    def: &'a TableDef,
) -> BoxFuture<'a, Result<ContentHash, LakeError>> {
    hash_table(session, def).boxed()
}

async fn hash_table(session: &SessionContext, def: &TableDef) -> Result<ContentHash, LakeError> {
    let query = select_content(def);
    let rows = session.sql(&query).await.map_err(LakeError::query("plan a content hash"))?;
    let streams = rows.execute_stream_partitioned().await.map_err(LakeError::query("hash a table"))?;
    let mut parts = JoinSet::new();
    for stream in streams {
        parts.spawn(hash_stream(stream, Arc::clone(&def.schema)));
    }
    parts.join_all().await.into_iter().try_fold(ContentHash::default(), |whole, part| Ok(whole + part?))
}

async fn hash_stream(mut stream: SendableRecordBatchStream, schema: SchemaRef) -> Result<ContentHash, LakeError> {
    let mut hash = ContentHash::default();
    while let Some(batch) = stream.next().await {
        hash.add(&batch.map_err(LakeError::query("hash a table"))?, &schema)?;
    }
    Ok(hash)
}

/// The rows that count: entries as they are, sums by key.
pub(crate) fn select_content(def: &TableDef) -> String {
    let Content::Sums { keys, sums } = def.content else {
        return format!("SELECT * FROM {}", def.name);
    };
    let keys = keys.join(", ");
    let summed: Vec<String> = sums.iter().map(|sum| format!("SUM({sum}) AS {sum}")).collect();
    let nonzero: Vec<String> = sums.iter().map(|sum| format!("SUM({sum}) <> 0")).collect();
    format!("SELECT {keys}, {} FROM {} GROUP BY {keys} HAVING {}", summed.join(", "), def.name, nonzero.join(" OR "))
}

/// A column in one of four encodings; what the engine reads as views is not copied for it.
enum Column {
    Integer(Int64Array),
    Boolean(BooleanArray),
    Text(StringArray),
    TextView(StringViewArray),
    Bytes(BinaryArray),
    BytesView(BinaryViewArray),
}

impl Column {
    fn of(array: &ArrayRef, wanted: &DataType) -> Result<Self, LakeError> {
        let as_type =
            |array: &ArrayRef, to: &DataType| cast(array, to).map_err(LakeError::arrow("encode a column for hashing"));
        let integer =
            |array: &ArrayRef| Ok(Self::Integer(as_type(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone()));
        match (wanted, array.data_type()) {
            (DataType::Utf8, DataType::Utf8View) => Ok(Self::TextView(array.as_string_view().clone())),
            (DataType::Binary, DataType::BinaryView) => Ok(Self::BytesView(array.as_binary_view().clone())),
            (DataType::Boolean, _) => Ok(Self::Boolean(as_type(array, wanted)?.as_boolean().clone())),
            (DataType::Utf8, _) => Ok(Self::Text(as_type(array, wanted)?.as_string().clone())),
            (DataType::Binary, _) => Ok(Self::Bytes(as_type(array, wanted)?.as_binary().clone())),
            // Arrow casts a date to 64 bits only by way of 32.
            (DataType::Date32, _) => integer(&as_type(&as_type(array, wanted)?, &DataType::Int32)?),
            _ => integer(&as_type(array, wanted)?),
        }
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Integer(array) => array,
            Self::Boolean(array) => array,
            Self::Text(array) => array,
            Self::TextView(array) => array,
            Self::Bytes(array) => array,
            Self::BytesView(array) => array,
        }
    }

    fn encode(&self, row: usize, out: &mut Vec<u8>) {
        if self.array().is_null(row) {
            out.push(0);
            return;
        }
        out.push(1);
        match self {
            Self::Integer(array) => out.extend_from_slice(&array.value(row).to_le_bytes()),
            Self::Boolean(array) => out.push(u8::from(array.value(row))),
            Self::Text(array) => encode_bytes(array.value(row).as_bytes(), out),
            Self::TextView(array) => encode_bytes(array.value(row).as_bytes(), out),
            Self::Bytes(array) => encode_bytes(array.value(row), out),
            Self::BytesView(array) => encode_bytes(array.value(row), out),
        }
    }
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{Day, Text, UtcMicros};
    use crate::schema::{Row as _, row};

    row! {
        /// One column of every encoding, so that the golden hash outlives changes of tables.
        Sample {
            name: Text,
            other: Option<Text>,
            weight: i64,
            at: UtcMicros,
            day: Day,
            flag: bool,
            raw: bytes::Bytes,
        }
    }

    fn sample(name: &'static str, weight: i64) -> Sample {
        let raw = bytes::Bytes::from_static(b"\x00\xff");
        Sample { name: name.into(), weight, at: UtcMicros(7), day: Day(-1), flag: true, raw, other: None }
    }

    fn hash(batches: &[&[Sample]]) -> ContentHash {
        let mut hash = ContentHash::default();
        for rows in batches {
            hash.add(&Sample::to_batch(*rows).unwrap(), &Sample::schema()).unwrap();
        }
        hash
    }

    #[test]
    fn the_hash_ignores_order_and_batching_but_no_row_weight_or_repetition() {
        let (a, b, c) = (sample("a", 1), sample("b", 1), sample("c", -1));
        let whole = hash(&[&[a.clone(), b.clone(), c.clone()]]);
        assert_eq!(whole, hash(&[&[c.clone()], &[b.clone(), a.clone()]]));
        assert_ne!(whole, hash(&[&[a.clone(), b.clone(), sample("c", 1)]]));
        assert_ne!(whole, hash(&[&[a.clone(), b.clone(), c.clone(), c.clone()]]));
        assert_ne!(whole, hash(&[&[a, b]]));
    }

    #[test]
    fn the_hash_is_the_same_in_every_encoding() {
        let rows =
            [sample("a", 1), Sample { other: Some("a text longer than a view holds".into()), ..sample("b", -1) }];
        let batch = Sample::to_batch(&rows).unwrap();
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        for (column, to) in
            [(0, DataType::Utf8View), (1, DataType::Utf8View), (0, dictionary), (6, DataType::BinaryView)]
        {
            let mut columns = batch.columns().to_vec();
            columns[column] = cast(&columns[column], &to).unwrap();
            let names = batch.schema_ref().fields().iter().map(|field| field.name().clone());
            let encoded = RecordBatch::try_from_iter(names.zip(columns)).unwrap();
            let mut found = ContentHash::default();
            found.add(&encoded, &Sample::schema()).unwrap();
            assert_eq!(found, hash(&[&rows]), "column {column} as {to}");
        }
    }

    #[test]
    fn the_hash_of_one_known_row_never_changes() {
        assert_eq!(hash(&[&[sample("a", 1)]]).to_string(), "1:e40a61b8b016f56453bfbbee9d904191");
    }

    #[test]
    fn shifting_a_letter_between_columns_changes_the_hash() {
        let named = |name: &'static str, other: &'static str| Sample { other: Some(other.into()), ..sample(name, 1) };
        assert_ne!(hash(&[&[named("ab", "c")]]), hash(&[&[named("a", "bc")]]));
    }
}
