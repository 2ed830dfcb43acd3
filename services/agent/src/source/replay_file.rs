//! Rows of a replayed file: JSON lines or CSV, numbered, each bounded, each either whole or refused.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::replay_row::Mapping;

/// The longest row taken from a file. A missing line end or quote would otherwise make one row of all that follows.
pub const ROW_MAX_BYTES: usize = 64 * 1024;
/// What the CSV reader takes at once.
const CSV_READ_BYTES: usize = 8 * 1024;

/// The fields of one row by column name.
pub type Row = BTreeMap<String, String>;

/// Why there is no row here.
#[derive(Debug)]
pub enum BadRow {
    /// This row is not used; the next may be good.
    Refused { line: u64, why: String },
    /// Nothing more can be read.
    Input(io::Error),
}

/// A row and its line, or why it is none.
pub type ReadRow = Result<(u64, Row), BadRow>;

/// All rows of an input, with their line numbers.
pub struct Rows<R> {
    format: Format<R>,
    /// The input has failed; nothing follows.
    is_over: bool,
}

enum Format<R> {
    Json { input: R, line: u64, text: Vec<u8> },
    Csv { reader: Box<csv::Reader<Metered<R>>>, left_bytes: Arc<AtomicUsize>, record: csv::StringRecord },
}

impl<R: BufRead> Rows<R> {
    pub fn new(input: R, mapping: &Mapping) -> Self {
        let format = if mapping.is_json() {
            Format::Json { input, line: 0, text: Vec::new() }
        } else {
            let left_bytes = Arc::new(AtomicUsize::new(0));
            let metered = Metered { input, left_bytes: Arc::clone(&left_bytes) };
            let mut builder = csv::ReaderBuilder::new();
            builder.delimiter(mapping.delimiter()).flexible(true).buffer_capacity(CSV_READ_BYTES);
            Format::Csv { reader: Box::new(builder.from_reader(metered)), left_bytes, record: csv::StringRecord::new() }
        };
        Self { format, is_over: false }
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = ReadRow;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let row = match &mut self.format {
            Format::Json { input, line, text } => json_row(input, line, text),
            Format::Csv { reader, left_bytes, record } => csv_row(reader, left_bytes, record),
        };
        self.is_over = matches!(row, Some(Err(BadRow::Input(_))));
        row
    }
}

fn refused<T>(line: u64, why: String) -> Option<Result<T, BadRow>> {
    Some(Err(BadRow::Refused { line, why }))
}

fn too_long() -> String {
    format!("it is longer than {ROW_MAX_BYTES} bytes: end the line, or close the quote")
}

fn json_row(input: &mut impl BufRead, line: &mut u64, text: &mut Vec<u8>) -> Option<Result<(u64, Row), BadRow>> {
    *line += 1;
    match read_line(input, text) {
        Ok(Some(true)) => {}
        Ok(Some(false)) => return refused(*line, too_long()),
        Ok(None) => return None,
        Err(error) => return Some(Err(BadRow::Input(error))),
    }
    let object: BTreeMap<String, serde_json::Value> = match serde_json::from_slice(text) {
        Ok(object) => object,
        Err(error) => return refused(*line, error.to_string()),
    };
    let plain = |value| match value {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    Some(Ok((*line, object.into_iter().map(|(key, value)| (key, plain(value))).collect())))
}

/// One line into `text`; false when it was over the limit and passed over, None at the end.
fn read_line(input: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<Option<bool>> {
    text.clear();
    let read = input.by_ref().take(ROW_MAX_BYTES as u64 + 1).read_until(b'\n', text)?;
    if read <= ROW_MAX_BYTES || text.ends_with(b"\n") {
        return Ok((read > 0).then_some(true));
    }
    loop {
        let rest = input.fill_buf()?;
        let end = rest.iter().position(|byte| *byte == b'\n');
        let passed = end.map_or(rest.len(), |end| end + 1);
        let is_over = end.is_some() || rest.is_empty();
        input.consume(passed);
        if is_over {
            return Ok(Some(false));
        }
    }
}

fn csv_row<R: Read>(
    reader: &mut csv::Reader<Metered<R>>,
    left_bytes: &AtomicUsize,
    record: &mut csv::StringRecord,
) -> Option<Result<(u64, Row), BadRow>> {
    left_bytes.store(ROW_MAX_BYTES + CSV_READ_BYTES, Relaxed);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        // Without the names of its columns no row means anything.
        Err(error) => return Some(Err(BadRow::Input(error.into()))),
    };
    let line = reader.position().line();
    match reader.read_record(record) {
        Ok(false) => None,
        Ok(true) => {
            let cells = header.iter().zip(record.iter());
            Some(Ok((line, cells.map(|(key, value)| (key.trim().into(), value.trim().into())).collect())))
        }
        Err(error) => match error.into_kind() {
            csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => refused(line, too_long()),
            csv::ErrorKind::Io(error) => Some(Err(BadRow::Input(error))),
            kind => refused(line, format!("{kind:?}")),
        },
    }
}

/// Fails once a row has taken more than it may; the next row may read on.
struct Metered<R> {
    input: R,
    left_bytes: Arc<AtomicUsize>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left_bytes.load(Relaxed);
        if left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let room = buffer.len().min(left);
        let read = self.input.read(&mut buffer[..room])?;
        self.left_bytes.store(left - read, Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, input: &[u8]) -> Vec<String> {
        let mapping =
            Mapping::parse(&format!("format = '{format}'\ndevice = 'd'\nkind = 'ct'\n[time]\ncolumn = 'at'\n"));
        let rows = Rows::new(input, &mapping.expect("a mapping"));
        let told = |row| match row {
            Ok((line, row)) => format!("{line} {}", Row::get(&row, "d").map_or("-", String::as_str)),
            Err(BadRow::Refused { line, why }) => format!("{line} {}", &why[..why.len().min(14)]),
            Err(BadRow::Input(error)) => error.to_string(),
        };
        rows.take(50).map(told).collect()
    }

    #[test]
    fn a_line_without_end_is_refused_and_the_next_is_read() {
        let long = format!("{{\"d\":\"{}\"}}", "x".repeat(ROW_MAX_BYTES));
        let seen =
            read("json_lines", format!("{{\"d\":\"a\"}}\n{long}\n{{\"d\":\"b\"}}\nnonsense\n{{\"d\":7}}").as_bytes());
        assert_eq!(seen, ["1 a", "2 it is longer t", "3 b", "4 expected ident", "5 7"]);
    }

    #[test]
    fn a_quote_left_open_is_refused_in_pieces_and_never_held_whole() {
        let seen = read("csv", format!("d,at\na,1\nb,\"{}", "x\n".repeat(3 * ROW_MAX_BYTES)).as_bytes());
        assert_eq!(seen[0], "2 a");
        assert!(seen.len() < 10 && seen[1].ends_with("it is longer t"), "{seen:?}");
    }

    #[test]
    fn an_input_that_fails_ends_the_rows() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        for format in ["json_lines", "csv"] {
            let mapping =
                Mapping::parse(&format!("format = '{format}'\ndevice = 'd'\nkind = 'ct'\n[time]\ncolumn = 'at'\n"));
            let mut rows = Rows::new(io::BufReader::new(Broken), &mapping.expect("a mapping"));
            assert!(matches!(rows.next(), Some(Err(BadRow::Input(_)))), "{format}");
            assert!(rows.next().is_none(), "{format}");
        }
    }
}
