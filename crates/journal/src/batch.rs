//! Records on their way into the journal.

use crate::error::{Error, Result};
use crate::format::{self, RECORD_HEADER_BYTES, record_bytes};
use crate::limits::{Limits, MAX_RECORD_BYTES};

/// Records that are made durable together. They lie in one buffer as they will lie in the file, each behind room for its
/// header: whoever has a record writes it here once, and nothing is copied, allocated or freed for it again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    frames: Vec<u8>,
    records: u64,
    largest_bytes: u64,
}

impl Batch {
    /// With room for so many bytes as written, headers included.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { frames: Vec::with_capacity(bytes), ..Self::default() }
    }

    pub fn push(&mut self, payload: &[u8]) {
        self.push_with(|frames| frames.extend_from_slice(payload));
    }

    /// The payload is what `write` appends.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.frames.len();
        self.frames.extend_from_slice(&[0; RECORD_HEADER_BYTES]);
        write(&mut self.frames);
        let payload_bytes = self.frames.len().checked_sub(begin + RECORD_HEADER_BYTES);
        let payload_bytes = payload_bytes.expect("a payload is appended, and what lies before it is left alone");
        format::open_frame(&mut self.frames[begin..], payload_bytes);
        self.records += 1;
        self.largest_bytes = self.largest_bytes.max(payload_bytes as u64);
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    /// As written, headers included.
    pub fn size_bytes(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Why no journal with these limits takes it.
    pub(crate) fn check(&self, limits: Limits) -> Result<()> {
        if self.largest_bytes > u64::from(MAX_RECORD_BYTES) {
            return Err(Error::RecordTooLarge { bytes: self.largest_bytes, max_bytes: u64::from(MAX_RECORD_BYTES) });
        }
        let (bytes, max_bytes) = (self.size_bytes(), limits.batch_max_bytes());
        if bytes > max_bytes { Err(Error::BatchTooLarge { bytes, max_bytes }) } else { Ok(()) }
    }

    pub(crate) fn frames(&self) -> &[u8] {
        &self.frames
    }

    pub(crate) fn frames_mut(&mut self) -> &mut [u8] {
        &mut self.frames
    }
}

impl<P: AsRef<[u8]>> FromIterator<P> for Batch {
    fn from_iter<I: IntoIterator<Item = P>>(payloads: I) -> Self {
        let mut batch = Self::default();
        payloads.into_iter().for_each(|payload| batch.push(payload.as_ref()));
        batch
    }
}

impl<P: AsRef<[u8]>> From<&[P]> for Batch {
    fn from(payloads: &[P]) -> Self {
        let bytes: u64 = payloads.iter().map(|payload| record_bytes(payload.as_ref().len())).sum();
        let mut batch = Self::with_capacity(bytes as usize);
        payloads.iter().for_each(|payload| batch.push(payload.as_ref()));
        batch
    }
}

impl<P: AsRef<[u8]>, const N: usize> From<[P; N]> for Batch {
    fn from(payloads: [P; N]) -> Self {
        Self::from(&payloads[..])
    }
}
