//! How much a function may make of what it is given, by its name and the sizes of its arguments: never less than it does. A function
//! that is in none of these lists is not called. Pure.

use datafusion::arrow::array::{Array, ArrayRef, AsArray as _};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    BinaryType, ByteArrayType, DataType, Int64Type, LargeBinaryType, LargeUtf8Type, Utf8Type,
};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

/// Of one value, whatever it holds.
pub const PLACE_BYTES: usize = 16;
/// Of a number, a time or an interval that is written out; the largest of all floats has 309 digits.
const WRITTEN_BYTES: usize = 400;
/// Of what one letter of a format becomes.
const FORMATTED_BYTES: usize = 20;

/// What gives back no more than it was given.
pub const FITS: &[&str] = &[
    "array_add",
    "array_any_value",
    "array_compact",
    "array_concat",
    "array_append",
    "array_distinct",
    "array_element",
    "array_except",
    "array_intersect",
    "array_max",
    "array_min",
    "array_normalize",
    "array_pop_back",
    "array_pop_front",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_remove_all",
    "array_remove_n",
    "array_reverse",
    "array_scale",
    "array_slice",
    "array_sort",
    "array_subtract",
    "array_union",
    "btrim",
    "concat",
    "decode",
    "flatten",
    "get_field",
    "greatest",
    "least",
    "left",
    "ltrim",
    "make_array",
    "nullif",
    "overlay",
    "reverse",
    "right",
    "rtrim",
    "split_part",
    "substr",
    "substr_index",
    "||",
];
/// What gives back a few bytes, or words of the server, whatever it is given.
pub const SHORT: &[&str] = &[
    "array_dims",
    "arrow_typeof",
    "chr",
    "current_database",
    "current_schema",
    "current_schemas",
    "current_setting",
    "format_type",
    "pg_encoding_to_char",
    "pg_get_partkeydef",
    "pg_get_statisticsobjdef_columns",
    "pg_get_userbyid",
    "pg_get_constraintdef",
    "pg_get_expr",
    "pg_get_function_arguments",
    "pg_get_function_result",
    "pg_get_ruledef",
    "pg_get_viewdef",
    "col_description",
    "pg_partition_ancestors",
    "digest",
    "md5",
    "session_user",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "to_hex",
    "uuid",
    "version",
];
/// What gives back its arguments, so many times as long at most.
pub const STRETCHES: &[(&str, usize)] = &[
    ("encode", 2),
    ("initcap", 3),
    ("lower", 3),
    ("upper", 3),
    ("translate", 4),
    ("quote_ident", 3),
    ("parse_ident", 2 + PLACE_BYTES),
    ("string_to_array", 2 + PLACE_BYTES),
];
/// What writes one argument as often as another says or is long.
pub const MULTIPLIES: &[&str] = &[
    "array_replace",
    "array_replace_all",
    "array_replace_n",
    "array_to_string",
    "concat_ws",
    "lpad",
    "regexp_match",
    "regexp_replace",
    "repeat",
    "replace",
    "rpad",
    "to_char",
];
/// What hands on one of its arguments, and is looked at when it has.
pub const HANDS_ON: &[&str] = &["coalesce", "nvl", "nvl2"];

/// Whether values of this type can be of any length.
pub fn is_long(data_type: &DataType) -> bool {
    !data_type.is_null() && !data_type.is_primitive() && data_type != &DataType::Boolean
}

/// Bytes that a function may give back for its rows; None where nothing is known of it.
pub fn most(name: &str, args: &[ColumnarValue], rows: usize) -> Result<Option<usize>> {
    let places = rows.saturating_mul(PLACE_BYTES);
    let all = || -> Result<usize> {
        args.iter().try_fold(places, |sum, arg| Ok(Sizes::of(arg)?.total(rows).saturating_add(sum)))
    };
    Ok(Some(match name {
        _ if FITS.contains(&name) => all()?,
        _ if SHORT.contains(&name) => rows.saturating_mul(WRITTEN_BYTES),
        _ if MULTIPLIES.contains(&name) => multiplied(name, args, rows)?.saturating_add(places),
        _ => match STRETCHES.iter().find(|(stretches, _)| *stretches == name) {
            Some((_, times)) => all()?.saturating_mul(*times),
            None => return Ok(None),
        },
    }))
}

fn multiplied(name: &str, args: &[ColumnarValue], rows: usize) -> Result<usize> {
    let size = |nth: usize| args.get(nth).map_or(Ok(Sizes::All(0)), Sizes::of);
    let elements = |nth: usize| args.get(nth).map_or(Ok(Sizes::All(0)), Sizes::elements);
    let (first, second, third) = (size(0)?, size(1)?, size(2)?);
    let over = |of_row: &dyn Fn(usize) -> usize| (0..rows).fold(0usize, |sum, row| sum.saturating_add(of_row(row)));
    Ok(match name {
        "repeat" => {
            let times = Sizes::number(args.get(1))?;
            over(&|row| first.at(row).saturating_mul(times.at(row)))
        }
        // So many letters, each of four bytes at most.
        "lpad" | "rpad" => {
            let letters = Sizes::number(args.get(1))?;
            over(&|row| letters.at(row).saturating_mul(4))
        }
        "replace" => over(&|row| {
            let (text, from, to) = (first.at(row), second.at(row), third.at(row));
            let times = if from == 0 { text + 1 } else { text / from };
            times.saturating_mul(to).saturating_add(text)
        }),
        // Matches do not overlap; each name of a group, two letters at least, writes what it caught once more.
        "regexp_replace" => over(&|row| {
            let (text, to) = (first.at(row), third.at(row));
            (2 * text + 1).saturating_mul(to).saturating_add(text)
        }),
        // A group for each two letters of the pattern, and each may catch all.
        "regexp_match" => over(&|row| (second.at(row) / 2 + 1).saturating_mul(first.at(row) + PLACE_BYTES)),
        "concat_ws" => {
            let parts = args.iter().skip(1).map(|arg| Ok((Sizes::of(arg)?, Sizes::elements(arg)?)));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            over(&|row| {
                let of_part = |(size, elements): &(Sizes, Sizes)| {
                    first.at(row).saturating_mul(elements.at(row)).saturating_add(size.at(row))
                };
                parts.iter().fold(0, |sum, part| of_part(part).saturating_add(sum))
            })
        }
        "array_to_string" => {
            let elements = elements(0)?;
            over(&|row| {
                let of_one = second.at(row).saturating_add(third.at(row)).saturating_add(WRITTEN_BYTES);
                elements.at(row).saturating_mul(of_one).saturating_add(first.at(row))
            })
        }
        "to_char" => over(&|row| FORMATTED_BYTES.saturating_mul(second.at(row)).saturating_add(WRITTEN_BYTES)),
        // Lists with another value in place of every element that is the first.
        _ => {
            let elements = elements(0)?;
            over(&|row| elements.at(row).saturating_mul(third.at(row)).saturating_add(first.at(row)))
        }
    })
}

/// A number for each row.
pub enum Sizes {
    All(usize),
    Each(Vec<usize>),
}

impl Sizes {
    /// Bytes of each value.
    pub fn of(arg: &ColumnarValue) -> Result<Self> {
        Self::by(arg, |array| Ok(sizes(array)))
    }

    /// Elements of each list, of lists in lists too; one of what is no list.
    pub fn elements(arg: &ColumnarValue) -> Result<Self> {
        Self::by(arg, |array| Ok(elements(array)))
    }

    /// The values themselves; what is negative or nothing is 0.
    fn number(arg: Option<&ColumnarValue>) -> Result<Self> {
        let numbers = |array: &ArrayRef| {
            let numbers = cast(array, &DataType::Int64)?;
            let numbers = numbers.as_primitive::<Int64Type>().iter();
            Ok(numbers.map(|number| usize::try_from(number.unwrap_or(0)).unwrap_or(0)).collect())
        };
        arg.map_or(Ok(Self::All(0)), |arg| Self::by(arg, numbers))
    }

    fn by(arg: &ColumnarValue, of: impl Fn(&ArrayRef) -> Result<Vec<usize>>) -> Result<Self> {
        Ok(match arg {
            ColumnarValue::Array(array) => Self::Each(of(array)?),
            ColumnarValue::Scalar(value) => Self::All(of(&value.to_array()?)?.first().copied().unwrap_or(0)),
        })
    }

    pub fn at(&self, row: usize) -> usize {
        match self {
            Self::All(size) => *size,
            Self::Each(sizes) => sizes.get(row).copied().unwrap_or(0),
        }
    }

    pub fn total(&self, rows: usize) -> usize {
        match self {
            Self::All(size) => size.saturating_mul(rows),
            Self::Each(sizes) => sizes.iter().sum(),
        }
    }

    pub fn widest(&self) -> usize {
        match self {
            Self::All(size) => *size,
            Self::Each(sizes) => sizes.iter().copied().max().unwrap_or(0),
        }
    }
}

/// Bytes of each value: of a text its letters, of a list its elements and their places.
pub fn sizes(array: &dyn Array) -> Vec<usize> {
    match array.data_type() {
        DataType::Utf8 => lengths::<Utf8Type>(array),
        DataType::LargeUtf8 => lengths::<LargeUtf8Type>(array),
        DataType::Binary => lengths::<BinaryType>(array),
        DataType::LargeBinary => lengths::<LargeBinaryType>(array),
        DataType::Utf8View => array.as_string_view().lengths().map(|length| length as usize).collect(),
        DataType::BinaryView => array.as_binary_view().lengths().map(|length| length as usize).collect(),
        DataType::Struct(_) => {
            let columns: Vec<_> = array.as_struct().columns().iter().map(|column| sizes(column)).collect();
            (0..array.len()).map(|row| columns.iter().map(|column| column[row]).sum()).collect()
        }
        DataType::Dictionary(..) => {
            vec![sizes(array.as_any_dictionary().values()).into_iter().max().unwrap_or(0); array.len()]
        }
        DataType::List(_) | DataType::LargeList(_) => {
            in_lists(array, |values| sizes(values).into_iter().map(|size| size.saturating_add(PLACE_BYTES)).collect())
        }
        other if is_long(other) => {
            vec![array.get_array_memory_size() / array.len().max(1) + PLACE_BYTES; array.len()]
        }
        _ => vec![PLACE_BYTES; array.len()],
    }
}

pub fn elements(array: &dyn Array) -> Vec<usize> {
    match array.data_type() {
        DataType::List(_) | DataType::LargeList(_) => {
            in_lists(array, |values| elements(values).into_iter().map(|elements| elements.max(1)).collect())
        }
        _ => vec![1; array.len()],
    }
}

fn lengths<T: ByteArrayType>(array: &dyn Array) -> Vec<usize> {
    array.as_bytes::<T>().offsets().lengths().collect()
}

/// For each list the sum over its values.
fn in_lists(array: &dyn Array, of: impl Fn(&dyn Array) -> Vec<usize>) -> Vec<usize> {
    let (of_values, bounds): (Vec<usize>, Vec<usize>) = match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            (of(list.values()), list.value_offsets().iter().map(|at| usize::try_from(*at).unwrap_or(0)).collect())
        }
        _ => {
            let list = array.as_list::<i64>();
            (of(list.values()), list.value_offsets().iter().map(|at| usize::try_from(*at).unwrap_or(0)).collect())
        }
    };
    let sum =
        |bounds: &[usize]| of_values[bounds[0]..bounds[1]].iter().fold(0usize, |sum, one| sum.saturating_add(*one));
    bounds.windows(2).map(sum).collect()
}

/// What the values of an array take; a slice is not charged for all that it was cut from.
pub fn bytes(array: &dyn Array) -> usize {
    match array.data_type() {
        DataType::Utf8View | DataType::BinaryView => sizes(array).into_iter().map(|size| size + PLACE_BYTES).sum(),
        _ => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ListArray, StringArray, StringViewArray};
    use datafusion::arrow::datatypes::Int32Type;
    use datafusion::common::ScalarValue;

    use super::*;

    fn text(text: &str) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::from(text))
    }

    fn of_one(name: &str, args: &[ColumnarValue]) -> usize {
        most(name, args, 1).unwrap().unwrap_or(usize::MAX) - PLACE_BYTES
    }

    #[test]
    fn what_multiplies_is_as_long_as_it_can_become() {
        let number = |number: i64| ColumnarValue::Scalar(ScalarValue::from(number));
        assert_eq!(of_one("repeat", &[text("ab"), number(1_000_000_000)]), 2_000_000_000);
        assert_eq!(of_one("repeat", &[text("ab"), number(-1)]), 0);
        assert_eq!(of_one("lpad", &[text("ab"), number(100)]), 400);
        assert_eq!(of_one("replace", &[text("aaaa"), text("aa"), text("12345")]), 14);
        assert_eq!(of_one("replace", &[text("aaaa"), text(""), text("12345")]), 29);
        assert_eq!(of_one("concat_ws", &[text(","), text("ab"), text("cde")]), 7);
        assert!(of_one("regexp_replace", &[text("aaaa"), text("a"), text("\\0\\0")]) >= 16);
        assert!(of_one("regexp_match", &[text("aaaa"), text("((((a*))))")]) >= 16);
        assert_eq!(most("unheard_of", &[], 1).unwrap(), None);
    }

    #[test]
    fn each_row_is_measured_by_itself() {
        let texts = ColumnarValue::Array(Arc::new(StringArray::from(vec!["a", "aaaaaaaa"])));
        let to = ColumnarValue::Array(Arc::new(StringArray::from(vec!["x".repeat(1_000), String::new()])));
        assert_eq!(most("replace", &[texts, text("a"), to], 2).unwrap(), Some(1_009 + 2 * PLACE_BYTES));
    }

    #[test]
    fn sizes_are_those_of_a_slice_in_every_form() {
        let texts = ["ab", "abcdefghijklmnopqrstuvwxyz", "abc"];
        assert_eq!(sizes(&StringArray::from_iter_values(texts).slice(1, 2)), [26, 3]);
        assert_eq!(sizes(&StringViewArray::from_iter_values(texts).slice(1, 2)), [26, 3]);
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1); 5]), None]);
        assert_eq!((sizes(&lists), elements(&lists)), (vec![5 * 2 * PLACE_BYTES, 0], vec![5, 0]));
    }
}
