//! Rows of a CSV: numbered, trimmed, and each either whole or refused. Pure but for the bytes it is given.

use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder, StringRecord};

use crate::remarks::{Reason, Refusal};

/// One file is held in memory while its rows are read.
pub const FILE_MAX_BYTES: usize = 256 << 20;
/// One row with all its cells. A missing quote would make one cell of a whole file.
pub const ROW_MAX_BYTES: usize = 8 << 10;
/// What rows say is held until the last is read, because only then a device's first row is known.
pub const ROWS_MAX: u64 = 1_000_000;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error(
        "it has more than {FILE_MAX_BYTES} bytes: split it by device, never by time, and import each with a mapping of its own name"
    )]
    TooLarge,
    #[error(
        "it has more than {ROWS_MAX} rows: split it by device, never by time, and import each with a mapping of its own name"
    )]
    TooManyRows,
    #[error("it has no header line in UTF-8: is it a CSV?")]
    NoHeader,
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
    pub line: u64,
    header: &'a Header,
    cells: StringRecord,
}

impl Row<'_> {
    /// The cell of a column that the header was checked to have.
    pub fn cell(&self, column: &str) -> &str {
        self.header.places.get(column).and_then(|place| self.cells.get(*place)).unwrap_or_default()
    }

    /// Equal for rows that are equal in every cell.
    pub fn digest(&self) -> u128 {
        let mut bytes = Vec::with_capacity(self.cells.as_slice().len() + 8 * self.cells.len());
        for cell in &self.cells {
            bytes.extend_from_slice(&(cell.len() as u64).to_le_bytes());
            bytes.extend_from_slice(cell.as_bytes());
        }
        twox_hash::XxHash3_128::oneshot(&bytes)
    }
}

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which table of the mapping.
    pub table: usize,
    pub row: u64,
    pub line: u64,
}

pub fn header(bytes: &[u8], delimiter: u8) -> Result<Header, FileError> {
    let mut csv = open(bytes, delimiter);
    let names: Vec<String> = csv.headers().map_err(|_| FileError::NoHeader)?.iter().map(str::to_owned).collect();
    if names.iter().all(String::is_empty) {
        return Err(FileError::NoHeader);
    }
    let places = names.iter().cloned().zip(0..).collect();
    Ok(Header { names, places })
}

/// Hands every row or its refusal to `take`, with its number and line, in the order of the file.
pub fn read<'a>(
    bytes: &[u8],
    delimiter: u8,
    header: &'a Header,
    mut take: impl FnMut(u64, u64, Result<Row<'a>, Refusal>),
) -> Result<(), FileError> {
    let mut csv = open(bytes, delimiter);
    let mut record = ByteRecord::new();
    for number in 1..=ROWS_MAX + 1 {
        match csv.read_byte_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) if number > ROWS_MAX => break,
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                take(number, line, whole(number, line, &record, header));
            }
            Err(error) => {
                take(number, csv.position().line(), Err(Reason::Csv(error.to_string()).into()));
                return Ok(());
            }
        }
    }
    Err(FileError::TooManyRows)
}

fn open(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    // Spreadsheets begin a file with a mark that is no part of the first column's name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(csv::Trim::All).from_reader(bytes)
}

fn whole<'a>(number: u64, line: u64, record: &ByteRecord, header: &'a Header) -> Result<Row<'a>, Refusal> {
    let (cells, columns) = (record.len(), header.names.len());
    let bytes = record.as_slice().len();
    if bytes > ROW_MAX_BYTES {
        return Err(Reason::TooLong { bytes }.into());
    }
    if cells != columns {
        return Err(Reason::Cells { cells, columns }.into());
    }
    let cells = StringRecord::from_byte_record(record.clone()).map_err(|_| Reason::NotUtf8)?;
    Ok(Row { number, line, header, cells })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(bytes: &[u8]) -> Result<Vec<String>, FileError> {
        let header = header(bytes, b',')?;
        let mut seen = Vec::new();
        let take = |number, line, row: Result<Row<'_>, Refusal>| {
            let said = row.map_or_else(|refused| refused.reason.code().to_owned(), |row| row.cell("b").to_owned());
            seen.push(format!("{number} @{line} {said}"));
        };
        read(bytes, b',', &header, take)?;
        Ok(seen)
    }

    #[test]
    fn every_row_is_either_whole_or_refused_with_its_number_and_line() {
        let seen = read_all(b"\xef\xbb\xbfa,b\n1, two \n1\n1,2,3\n1,\xff\n\"1\n1\",\"q,\"\n1,2\n").unwrap();
        assert_eq!(seen, ["1 @2 two", "2 @3 cells", "3 @4 cells", "4 @5 not_utf8", "5 @6 q,", "6 @8 2"]);
    }

    #[test]
    fn a_quote_left_open_makes_one_refused_row_and_no_panic() {
        let mut bytes = b"a,b\n1,2\n1,\"".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', ROW_MAX_BYTES + 1));
        assert_eq!(read_all(&bytes).unwrap(), ["1 @2 2", "2 @3 too_long"]);
    }

    #[test]
    fn a_file_without_header_is_refused() {
        assert_eq!(read_all(b""), Err(FileError::NoHeader));
        assert_eq!(read_all(b"\xff\xfe\n1\n"), Err(FileError::NoHeader));
    }

    #[test]
    fn rows_are_equal_by_cells_not_by_how_they_are_joined() {
        let header = header(b"a,b\n", b',').unwrap();
        let mut digests = Vec::new();
        read(b"a,b\nxy,z\nx,yz\n xy , z\n", b',', &header, |_, _, row| {
            digests.extend(row.map(|row| row.digest()).ok())
        })
        .unwrap();
        assert!(digests[0] != digests[1] && digests[0] == digests[2]);
    }
}
