//! Walks the records of one segment, and looks for proof that damage is no torn tail.

use std::io;

use crate::format::{RECORD_HEADER_BYTES, RecordHeader, Seal};
use crate::limits::{MAX_RECORD_BYTES, MAX_SEGMENT_BYTES, READ_WINDOW_BYTES};
use crate::storage::SegmentFile;

/// Reads records one after the other and checks each. It stops for good at the end or at the first bad record.
pub(crate) struct Cursor<'a> {
    file: &'a dyn SegmentFile,
    seal: &'a Seal,
    position_bytes: u64,
    end_bytes: u64,
    next_index: u64,
    window: Vec<u8>,
    window_at_bytes: u64,
}

pub(crate) enum Step<'a> {
    Record(Record<'a>),
    End,
    /// The bytes at the cursor's position are not the record that belongs there.
    Bad(String),
}

pub(crate) struct Record<'a> {
    pub index: u64,
    pub ordinal: u32,
    pub position_bytes: u64,
    pub payload: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Begins at the record `next_index`, which must lie at `position_bytes`.
    pub fn new(
        file: &'a dyn SegmentFile,
        seal: &'a Seal,
        next_index: u64,
        position_bytes: u64,
        end_bytes: u64,
    ) -> Self {
        Self { file, seal, position_bytes, end_bytes, next_index, window: Vec::new(), window_at_bytes: position_bytes }
    }

    /// Where the next record begins, or the first bad one.
    pub fn position_bytes(&self) -> u64 {
        self.position_bytes
    }

    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    pub fn step(&mut self) -> io::Result<Step<'_>> {
        let left_bytes = self.end_bytes - self.position_bytes;
        if left_bytes == 0 {
            return Ok(Step::End);
        }
        if left_bytes < RECORD_HEADER_BYTES as u64 {
            return Ok(Step::Bad(format!("{left_bytes} bytes are too few for a record")));
        }
        let at = self.load(RECORD_HEADER_BYTES)?;
        let header = decode_at(&self.window, at);
        if header.index != self.next_index {
            return Ok(Step::Bad(format!("record {} stands where {} belongs", header.index, self.next_index)));
        }
        if header.payload_bytes > MAX_RECORD_BYTES || header.total_bytes() > left_bytes {
            return Ok(Step::Bad(format!("record {} claims {} bytes", header.index, header.payload_bytes)));
        }
        let position_bytes = self.position_bytes;
        let at = self.load(header.total_bytes() as usize)?;
        let payload = &self.window[at + RECORD_HEADER_BYTES..at + header.total_bytes() as usize];
        if !self.seal.holds(&header, payload) {
            return Ok(Step::Bad(format!("the checksum of record {} does not fit", header.index)));
        }
        self.position_bytes += header.total_bytes();
        self.next_index += 1;
        Ok(Step::Record(Record { index: header.index, ordinal: header.ordinal, position_bytes, payload }))
    }

    /// Makes `bytes` from the current position available in the window, and says where in it they begin.
    fn load(&mut self, bytes: usize) -> io::Result<usize> {
        let at = (self.position_bytes - self.window_at_bytes) as usize;
        if at + bytes <= self.window.len() {
            return Ok(at);
        }
        let left_bytes = self.end_bytes - self.position_bytes;
        let size = left_bytes.min(bytes.max(READ_WINDOW_BYTES) as u64) as usize;
        self.window.resize(size, 0);
        self.window_at_bytes = self.position_bytes;
        self.file.read_at(&mut self.window, self.position_bytes)?;
        Ok(0)
    }
}

/// Where a whole record of a later batch lies behind the bad record `bad_index`, which begins at `bad_at_bytes`.
///
/// A batch is written only after everything before it was synced. So if a record of a later batch is there, the bad one
/// was once durable and has been damaged since. If there is none, the bad record belongs to the last batch, and a torn
/// write explains it. The pages of one batch reach the disk in any order, so its own later records prove nothing.
pub(crate) fn find_later_batch(
    file: &dyn SegmentFile,
    seal: &Seal,
    bad_index: u64,
    bad_at_bytes: u64,
    end_bytes: u64,
) -> io::Result<Option<u64>> {
    let mut window = Vec::new();
    let mut payload = Vec::new();
    let mut start_bytes = bad_at_bytes;
    while end_bytes.saturating_sub(start_bytes) >= RECORD_HEADER_BYTES as u64 {
        // Windows overlap by a header less one byte, so that every position is tried once.
        let size = (end_bytes - start_bytes).min((READ_WINDOW_BYTES + RECORD_HEADER_BYTES - 1) as u64) as usize;
        window.resize(size, 0);
        file.read_at(&mut window, start_bytes)?;
        for at in 0..=size - RECORD_HEADER_BYTES {
            let header = decode_at(&window, at);
            let position_bytes = start_bytes + at as u64;
            let left_bytes = end_bytes - position_bytes;
            // Cheap questions first: almost every position is none of ours, and only a checksum reads the payload.
            let plausible = header.is_of_a_batch_after(bad_index)
                && header.index - bad_index <= MAX_SEGMENT_BYTES / RECORD_HEADER_BYTES as u64
                && header.payload_bytes <= MAX_RECORD_BYTES
                && header.total_bytes() <= left_bytes;
            if !plausible {
                continue;
            }
            payload.resize(header.payload_bytes as usize, 0);
            file.read_at(&mut payload, position_bytes + RECORD_HEADER_BYTES as u64)?;
            if seal.holds(&header, &payload) {
                return Ok(Some(position_bytes));
            }
        }
        start_bytes += (size - RECORD_HEADER_BYTES + 1) as u64;
    }
    Ok(None)
}

fn decode_at(bytes: &[u8], at: usize) -> RecordHeader {
    let mut head = [0; RECORD_HEADER_BYTES];
    head.copy_from_slice(&bytes[at..at + RECORD_HEADER_BYTES]);
    RecordHeader::decode(&head)
}
