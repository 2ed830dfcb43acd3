//! How one field of a row becomes one or more Arrow columns, and comes back.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, BinaryArray, BinaryBuilder, BooleanArray, BooleanBuilder, Date32Array, Date32Builder,
    Int8Array, Int8Builder, Int32Array, Int32Builder, Int64Array, Int64Builder, RecordBatch, StringArray,
    StringBuilder, TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, TimeUnit};
use bytes::Bytes;

use crate::error::LakeError;

/// One field of a row type: it knows its columns, how to append itself and how to be read.
pub trait Cell: Sized {
    type Builder;
    type Reader;

    fn fields(name: &str, out: &mut Vec<Field>);
    fn builder(rows: usize) -> Self::Builder;
    fn push(&self, builder: &mut Self::Builder);
    fn finish(builder: Self::Builder, out: &mut Vec<ArrayRef>);
    /// Finds the columns in a batch that has the exact types of `fields`.
    fn reader(batch: &RecordBatch, name: &str) -> Result<Self::Reader, LakeError>;
    fn read(reader: &Self::Reader, row: usize) -> Result<Self, LakeError>;
}

/// Microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMicros(pub i64);

/// Days since 1970-01-01; whether the day is UTC or local is said by the column's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl UtcMicros {
    pub const PER_DAY: i64 = 86_400_000_000;

    /// The UTC day this instant lies in.
    pub fn day(self) -> Day {
        // An instant 2^31 days away is not representable in microseconds, so the cast is exact.
        Day(self.0.div_euclid(Self::PER_DAY) as i32)
    }
}

/// A short string that is cheap to clone: a word of the program or a shared name from outside.
#[derive(Clone)]
pub enum Text {
    Word(&'static str),
    Name(Arc<str>),
}

impl std::ops::Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Name(name) => name,
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Word("")
    }
}

impl Text {
    /// One name shared by both: equal without a look at the letters.
    fn is_shared_with(&self, other: &Self) -> bool {
        std::ptr::eq::<str>(&**self, &**other)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.is_shared_with(other) || **self == **other
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if self.is_shared_with(other) { std::cmp::Ordering::Equal } else { (**self).cmp(&**other) }
    }
}

impl std::hash::Hash for Text {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl From<&'static str> for Text {
    fn from(word: &'static str) -> Self {
        Self::Word(word)
    }
}

impl From<String> for Text {
    fn from(name: String) -> Self {
        Self::Name(name.into())
    }
}

impl From<Arc<str>> for Text {
    fn from(name: Arc<str>) -> Self {
        Self::Name(name)
    }
}

/// The topics that causes name: a topic's number in a cause is its place here, for ever.
pub const CAUSE_TOPICS: [&str; 4] =
    ["medfleet.facts.v1", "medfleet.fleet.v1", "medfleet.alerts.v1", "medfleet.risk.v1"];

/// The number of a topic in causes; none where no cause names it.
pub fn cause_topic(name: &str) -> Option<i8> {
    (0..).zip(CAUSE_TOPICS).find(|(_, known)| *known == name).map(|(number, _)| number)
}

/// Where in the log the record lies that made a row appear: (topic, partition, offset, index).
/// The log's id is the table's, see [`crate::Origin`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    pub topic: i8,
    pub partition: i32,
    pub offset: i64,
    /// Place of the fact within its log record.
    pub index: i32,
}

/// Finds a column and takes it as the array type it was written with.
fn column<A: Clone + 'static>(batch: &RecordBatch, name: &str) -> Result<A, LakeError> {
    batch
        .column_by_name(name)
        .and_then(|array| array.as_any().downcast_ref::<A>())
        .cloned()
        .ok_or_else(|| LakeError::MissingColumn { table: "being read".into(), column: name.into() })
}

/// A non-null field and its optional sibling, over one Arrow builder and array type.
macro_rules! cell {
    ($value:ty, $data_type:expr, $builder:ty, $array:ty, $new:expr, $push:expr, $get:expr) => {
        impl Cell for $value {
            type Builder = $builder;
            type Reader = (String, $array);

            fn fields(name: &str, out: &mut Vec<Field>) {
                out.push(Field::new(name, $data_type, false));
            }
            fn builder(rows: usize) -> $builder {
                $new(rows)
            }
            fn push(&self, builder: &mut $builder) {
                builder.append_value($push(self));
            }
            fn finish(mut builder: $builder, out: &mut Vec<ArrayRef>) {
                out.push(Arc::new(builder.finish()));
            }
            fn reader(batch: &RecordBatch, name: &str) -> Result<Self::Reader, LakeError> {
                Ok((name.to_owned(), column(batch, name)?))
            }
            fn read((name, array): &Self::Reader, row: usize) -> Result<Self, LakeError> {
                match array.is_null(row) {
                    true => Err(LakeError::UnexpectedNull { column: name.clone(), row }),
                    false => Ok($get(array, row)),
                }
            }
        }

        impl Cell for Option<$value> {
            type Builder = $builder;
            type Reader = $array;

            fn fields(name: &str, out: &mut Vec<Field>) {
                out.push(Field::new(name, $data_type, true));
            }
            fn builder(rows: usize) -> $builder {
                $new(rows)
            }
            fn push(&self, builder: &mut $builder) {
                builder.append_option(self.as_ref().map($push));
            }
            fn finish(mut builder: $builder, out: &mut Vec<ArrayRef>) {
                out.push(Arc::new(builder.finish()));
            }
            fn reader(batch: &RecordBatch, name: &str) -> Result<Self::Reader, LakeError> {
                column(batch, name)
            }
            fn read(array: &Self::Reader, row: usize) -> Result<Self, LakeError> {
                Ok((!array.is_null(row)).then(|| $get(array, row)))
            }
        }
    };
}

/// Typical bytes of a name, to size string builders once.
const NAME_BYTES: usize = 16;

/// The one timestamp type of the lake.
pub(crate) fn utc_micros_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

cell!(i8, DataType::Int8, Int8Builder, Int8Array, Int8Builder::with_capacity, |v: &i8| *v, |a: &Int8Array, r| a
    .value(r));
cell!(
    i32,
    DataType::Int32,
    Int32Builder,
    Int32Array,
    Int32Builder::with_capacity,
    |v: &i32| *v,
    |a: &Int32Array, r| a.value(r)
);
cell!(
    i64,
    DataType::Int64,
    Int64Builder,
    Int64Array,
    Int64Builder::with_capacity,
    |v: &i64| *v,
    |a: &Int64Array, r| a.value(r)
);
cell!(
    bool,
    DataType::Boolean,
    BooleanBuilder,
    BooleanArray,
    BooleanBuilder::with_capacity,
    |v: &bool| *v,
    |a: &BooleanArray, r| a.value(r)
);
cell!(
    Day,
    DataType::Date32,
    Date32Builder,
    Date32Array,
    Date32Builder::with_capacity,
    |v: &Day| v.0,
    |a: &Date32Array, r| Day(a.value(r))
);
cell!(
    UtcMicros,
    utc_micros_type(),
    TimestampMicrosecondBuilder,
    TimestampMicrosecondArray,
    |rows| TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"),
    |v: &UtcMicros| v.0,
    |a: &TimestampMicrosecondArray, r| UtcMicros(a.value(r))
);
cell!(
    Text,
    DataType::Utf8,
    StringBuilder,
    StringArray,
    |rows| StringBuilder::with_capacity(rows, rows * NAME_BYTES),
    as_str,
    |a: &StringArray, r| Text::Name(a.value(r).into())
);
cell!(
    Bytes,
    DataType::Binary,
    BinaryBuilder,
    BinaryArray,
    |rows| BinaryBuilder::with_capacity(rows, rows * NAME_BYTES),
    as_slice,
    |a: &BinaryArray, r| Bytes::copy_from_slice(a.value(r))
);

fn as_str(text: &Text) -> &str {
    text
}

fn as_slice(bytes: &Bytes) -> &[u8] {
    bytes
}

/// A cause takes four columns: `cause_topic`, `cause_partition`, `cause_offset`, `cause_index`.
impl Cell for Cause {
    type Builder = (Int8Builder, Int32Builder, Int64Builder, Int32Builder);
    type Reader = (<i8 as Cell>::Reader, <i32 as Cell>::Reader, <i64 as Cell>::Reader, <i32 as Cell>::Reader);

    fn fields(name: &str, out: &mut Vec<Field>) {
        i8::fields(&format!("{name}_topic"), out);
        i32::fields(&format!("{name}_partition"), out);
        i64::fields(&format!("{name}_offset"), out);
        i32::fields(&format!("{name}_index"), out);
    }

    fn builder(rows: usize) -> Self::Builder {
        (i8::builder(rows), i32::builder(rows), i64::builder(rows), i32::builder(rows))
    }

    fn push(&self, (topic, partition, offset, index): &mut Self::Builder) {
        topic.append_value(self.topic);
        partition.append_value(self.partition);
        offset.append_value(self.offset);
        index.append_value(self.index);
    }

    fn finish((topic, partition, offset, index): Self::Builder, out: &mut Vec<ArrayRef>) {
        i8::finish(topic, out);
        i32::finish(partition, out);
        i64::finish(offset, out);
        i32::finish(index, out);
    }

    fn reader(batch: &RecordBatch, name: &str) -> Result<Self::Reader, LakeError> {
        Ok((
            i8::reader(batch, &format!("{name}_topic"))?,
            i32::reader(batch, &format!("{name}_partition"))?,
            i64::reader(batch, &format!("{name}_offset"))?,
            i32::reader(batch, &format!("{name}_index"))?,
        ))
    }

    fn read((topic, partition, offset, index): &Self::Reader, row: usize) -> Result<Self, LakeError> {
        Ok(Self {
            topic: i8::read(topic, row)?,
            partition: i32::read(partition, row)?,
            offset: i64::read(offset, row)?,
            index: i32::read(index, row)?,
        })
    }
}
