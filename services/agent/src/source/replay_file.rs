//! Rows of a replayed file, one at a time and never longer than a limit: a missing line end or quote costs a row, not the memory.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::AgentError;

/// The longest row taken from a file.
pub const ROW_MAX_BYTES: usize = 64 * 1024;
/// What a reader of CSV may have taken from the file beyond the row it is at.
const READ_AHEAD_BYTES: usize = 8 * 1024;

/// The fields of one row by column name.
pub type Row = BTreeMap<String, String>;

/// One object in each line. A line that is too long is passed over to its end.
pub fn json_rows<R: Read + Send + 'static>(
    file: R,
    bad: impl Fn(u64, String) -> AgentError + Send + 'static,
) -> impl Iterator<Item = Result<(u64, Row), AgentError>> + Send {
    let mut lines = BufReader::new(file);
    let mut numbers = 1..;
    std::iter::from_fn(move || {
        let mut text = Vec::new();
        let taken = match take_line(&mut lines, &mut text) {
            Ok(0) => return None,
            taken => taken,
        };
        let line = numbers.next()?;
        Some(match taken {
            Err(error) => Err(bad(line, error.to_string())),
            Ok(bytes) if bytes > ROW_MAX_BYTES => Err(too_long(line, bytes, &bad)),
            Ok(_) => object(&text).map(|row| (line, row)).map_err(|why| bad(line, why)),
        })
    })
}

/// Reads to the end of a line, keeping no more of it than is allowed; answers how long it was, 0 at the end of the file.
fn take_line(from: &mut impl BufRead, kept: &mut Vec<u8>) -> io::Result<usize> {
    let mut taken = 0;
    loop {
        let held = from.fill_buf()?;
        let end = held.iter().position(|byte| *byte == b'\n');
        let part = end.map_or(held.len(), |end| end + 1);
        kept.extend_from_slice(&held[..part.min(ROW_MAX_BYTES + 1 - kept.len())]);
        from.consume(part);
        taken += part;
        if end.is_some() || part == 0 {
            return Ok(taken);
        }
    }
}

fn object(text: &[u8]) -> Result<Row, String> {
    let object: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let plain = |value| match value {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    Ok(object.into_iter().map(|(key, value)| (key, plain(value))).collect())
}

/// Rows under a header line. After a row that is too long nothing can be told apart, so the file ends there.
pub fn csv_rows<R: Read + Send + 'static>(
    file: R,
    delimiter: u8,
    bad: impl Fn(u64, String) -> AgentError + Send + 'static,
) -> impl Iterator<Item = Result<(u64, Row), AgentError>> + Send {
    let left = Arc::new(AtomicUsize::new(ROW_MAX_BYTES + READ_AHEAD_BYTES));
    let rationed = Rationed { file, left: Arc::clone(&left) };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(rationed);
    let header = reader.headers().cloned().map_err(|error| error.to_string());
    let mut record = csv::StringRecord::new();
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let header = match &header {
            Ok(header) => header,
            Err(why) => {
                ended = true;
                return Some(Err(bad(1, why.clone())));
            }
        };
        let line = reader.position().line();
        left.store(ROW_MAX_BYTES + READ_AHEAD_BYTES, Ordering::Relaxed);
        match reader.read_record(&mut record) {
            Ok(false) => None,
            Ok(true) => {
                let cells = header.iter().zip(record.iter());
                Some(Ok((line, cells.map(|(key, value)| (key.trim().into(), value.trim().into())).collect())))
            }
            Err(error) => {
                ended = error.is_io_error();
                Some(Err(bad(line, error.to_string())))
            }
        }
    })
}

fn too_long(line: u64, bytes: usize, bad: &impl Fn(u64, String) -> AgentError) -> AgentError {
    bad(line, format!("{bytes} bytes are over the limit of {ROW_MAX_BYTES}"))
}

/// A file that gives no more than one row may have, until it is told that the next begins.
struct Rationed<R> {
    file: R,
    left: Arc<AtomicUsize>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            let why = format!("a row is over the limit of {ROW_MAX_BYTES} bytes: is a quote missing?");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let most = buffer.len().min(left);
        let read = self.file.read(&mut buffer[..most])?;
        self.left.store(left - read, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(line: u64, why: String) -> AgentError {
        AgentError::Replay { path: "file".into(), line, why }
    }

    fn lines(rows: impl Iterator<Item = Result<(u64, Row), AgentError>>) -> Vec<Result<u64, String>> {
        rows.map(|row| row.map(|(line, _)| line).map_err(|error| error.to_string())).collect()
    }

    /// Endless bytes of one kind, after a beginning.
    fn endless(beginning: &str, bytes: usize, end: &str) -> impl Read + Send + 'static {
        let (beginning, end) = (beginning.to_owned().into_bytes(), end.to_owned().into_bytes());
        io::Cursor::new(beginning).chain(io::repeat(b'x').take(bytes as u64)).chain(io::Cursor::new(end))
    }

    #[test]
    fn a_line_without_end_is_one_bad_row_and_the_next_is_read() {
        let found = lines(json_rows(endless("{\"a\":1}\n", 3_000_000, "\n{\"a\":2}"), bad));
        assert_eq!((found.len(), &found[0], &found[2]), (3, &Ok(1), &Ok(3)));
        assert!(found[1].as_ref().unwrap_err().contains("over the limit"), "{found:?}");
        let mut kept = Vec::new();
        let mut from = BufReader::new(endless("", 3_000_000, "\n"));
        assert_eq!(take_line(&mut from, &mut kept).unwrap(), 3_000_001);
        assert_eq!(kept.len(), ROW_MAX_BYTES + 1, "no more is held than the limit");
    }

    #[test]
    fn a_quote_left_open_ends_the_file_with_a_reason_and_holds_no_more_than_a_row() {
        let found = lines(csv_rows(endless("a,b\n1,2\n3,\"", 3_000_000, "\n5,6\n"), b',', bad));
        assert_eq!((found.len(), &found[0]), (2, &Ok(2)));
        assert!(found[1].as_ref().unwrap_err().contains("is a quote missing?"), "{found:?}");
    }

    #[test]
    fn many_short_rows_are_never_too_long() {
        let file = format!("a,b\n{}", "1,2\n".repeat(100_000));
        assert!(lines(csv_rows(io::Cursor::new(file), b',', bad)).iter().all(Result::is_ok));
    }
}
