//! Rows of a CSV: numbered, trimmed, and each either whole or refused. Pure but for the bytes it is given.

use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder, StringRecord};

use super::mapping::MappingError;
use super::rejects::Refused;

/// A file is hashed before its first fact, so it is held in memory.
pub const FILE_MAX_BYTES: usize = 256 << 20;
/// One row with all its cells. A missing quote would make one cell of a whole file.
pub const ROW_MAX_BYTES: usize = 8 << 10;
/// Rows are held until the last is read, because only then a subject's first repair is known.
pub const ROWS_MAX: u64 = 1_000_000;

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("the file has more than {FILE_MAX_BYTES} bytes: split it by subject, never by time")]
    TooLarge,
    #[error("the file has more than {ROWS_MAX} rows: split it by subject, never by time")]
    TooManyRows,
    #[error("the file has no header line in UTF-8: is it a CSV?")]
    NoHeader,
    #[error("the file and its mapping disagree")]
    Mapping(#[from] MappingError),
}

/// The names of the columns, in their order.
#[derive(Debug)]
pub struct Header {
    pub names: Vec<String>,
    places: HashMap<String, usize>,
}

/// One row of data; the first is number 1.
pub struct Row<'a> {
    pub number: u64,
    header: &'a Header,
    cells: StringRecord,
}

impl Row<'_> {
    /// The cell of a column that the header was checked to have.
    pub fn cell(&self, column: &str) -> &str {
        self.header.places.get(column).and_then(|place| self.cells.get(*place)).unwrap_or_default()
    }
}

/// Reads the header, then hands every row or its refusal to `take`, in the order of the file.
pub fn read(
    bytes: &[u8],
    delimiter: u8,
    check: impl FnOnce(&[String]) -> Result<(), MappingError>,
    mut take: impl FnMut(u64, Result<Row<'_>, Refused>),
) -> Result<(), FileError> {
    let mut csv = ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let names: Vec<String> = csv.headers().map_err(|_| FileError::NoHeader)?.iter().map(str::to_owned).collect();
    if names.iter().all(String::is_empty) {
        return Err(FileError::NoHeader);
    }
    check(&names)?;
    let places = names.iter().cloned().zip(0..).collect();
    let header = Header { names, places };
    let mut record = ByteRecord::new();
    for number in 1..=ROWS_MAX {
        match csv.read_byte_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => take(number, whole(number, &record, &header)),
            Err(error) => {
                take(number, Err(Refused::Csv(error.to_string())));
                return Ok(());
            }
        }
    }
    Err(FileError::TooManyRows)
}

fn whole<'a>(number: u64, record: &ByteRecord, header: &'a Header) -> Result<Row<'a>, Refused> {
    let (cells, columns) = (record.len(), header.names.len());
    let bytes = record.as_slice().len();
    if bytes > ROW_MAX_BYTES {
        return Err(Refused::TooLong { bytes });
    }
    if cells != columns {
        return Err(Refused::Cells { cells, columns });
    }
    let cells = StringRecord::from_byte_record(record.clone()).map_err(|_| Refused::NotUtf8)?;
    Ok(Row { number, header, cells })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(bytes: &[u8]) -> Result<Vec<String>, FileError> {
        let mut seen = Vec::new();
        let take = |number, row: Result<Row<'_>, Refused>| {
            seen.push(row.map_or_else(
                |refused| format!("{number} {}", refused.code()),
                |row| format!("{number} {}", row.cell("b")),
            ));
        };
        read(bytes, b',', |_| Ok(()), take)?;
        Ok(seen)
    }

    #[test]
    fn every_row_is_either_whole_or_refused_with_its_number() {
        let seen = read_all(b"a,b\n1, two \n1\n1,2,3\n1,\xff\n1,\"q,\"\n").unwrap();
        assert_eq!(seen, ["1 two", "2 cells", "3 cells", "4 not_utf8", "5 q,"]);
    }

    #[test]
    fn a_quote_left_open_makes_one_refused_row_and_no_panic() {
        let mut bytes = b"a,b\n1,2\n1,\"".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', ROW_MAX_BYTES + 1));
        assert_eq!(read_all(&bytes).unwrap(), ["1 2", "2 too_long"]);
    }

    #[test]
    fn a_file_without_header_is_refused() {
        assert!(matches!(read_all(b""), Err(FileError::NoHeader)));
        assert!(matches!(read_all(b"\xff\xfe\n1\n"), Err(FileError::NoHeader)));
    }
}
