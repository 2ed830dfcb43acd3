//! The bytes of a segment, version 1: one header, then records. Pure: nothing here touches a file.
//!
//! All numbers are little-endian.
//! ```text
//! segment header, 40 bytes            record, 20 bytes + payload
//!  0  magic "MEDFLJNL"                 0  u32  checksum of journal id, bytes 4..20 and payload
//!  8  u32  format version              4  u32  payload bytes
//! 12  u32  checksum of the rest        8  u32  ordinal: its place in its batch, from 0
//! 16  u128 journal id                 12  u64  index
//! 32  u64  index of the first record  20  payload
//! ```

use std::fmt;

use crc32fast::Hasher;

pub const FORMAT_VERSION: u32 = 1;
pub const SEGMENT_HEADER_BYTES: usize = 40;
pub const RECORD_HEADER_BYTES: usize = 20;

const CHECKSUM_BYTES: usize = 4;
const MAGIC: [u8; 8] = *b"MEDFLJNL";

/// Names one journal for life. Its owner draws it at random when the journal is created.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JournalId(pub u128);

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JournalId({self})")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub journal: JournalId,
    pub first_index: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Not our magic or a wrong checksum: a torn creation, damage, or another program's file.
    Unreadable,
    Version(u32),
}

impl SegmentHeader {
    pub fn encode(self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.journal.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first_index.to_le_bytes());
        let checksum = header_checksum(&bytes);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, HeaderFault> {
        if bytes[0..8] != MAGIC {
            return Err(HeaderFault::Unreadable);
        }
        // The version comes before the checksum: a later version may place its checksum elsewhere.
        let version = u32::from_le_bytes(part(bytes, 8));
        if version != FORMAT_VERSION {
            return Err(HeaderFault::Version(version));
        }
        if u32::from_le_bytes(part(bytes, 12)) != header_checksum(bytes) {
            return Err(HeaderFault::Unreadable);
        }
        Ok(Self {
            journal: JournalId(u128::from_le_bytes(part(bytes, 16))),
            first_index: u64::from_le_bytes(part(bytes, 32)),
        })
    }
}

fn header_checksum(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&bytes[0..12]);
    hasher.update(&bytes[16..]);
    hasher.finalize()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    checksum: u32,
    pub payload_bytes: u32,
    pub ordinal: u32,
    pub index: u64,
}

impl RecordHeader {
    pub fn decode(bytes: &[u8; RECORD_HEADER_BYTES]) -> Self {
        Self {
            checksum: u32::from_le_bytes(part(bytes, 0)),
            payload_bytes: u32::from_le_bytes(part(bytes, 4)),
            ordinal: u32::from_le_bytes(part(bytes, 8)),
            index: u64::from_le_bytes(part(bytes, 12)),
        }
    }

    /// Whether its batch was opened after record `index`. A batch is written only when everything before it is synced,
    /// so such a record proves that record `index` was once durable.
    pub fn is_of_a_batch_after(&self, index: u64) -> bool {
        self.index.checked_sub(u64::from(self.ordinal)).is_some_and(|opened_at| opened_at > index)
    }

    fn checked_part(&self) -> [u8; RECORD_HEADER_BYTES - CHECKSUM_BYTES] {
        let mut bytes = [0; RECORD_HEADER_BYTES - CHECKSUM_BYTES];
        bytes[0..4].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.ordinal.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.index.to_le_bytes());
        bytes
    }

    /// Header and payload together.
    pub fn total_bytes(&self) -> u64 {
        record_bytes(self.payload_bytes as usize)
    }
}

pub(crate) fn record_bytes(payload_bytes: usize) -> u64 {
    (RECORD_HEADER_BYTES + payload_bytes) as u64
}

/// Makes and checks the checksums of one journal's records. They begin with the journal's id, so a record of another
/// journal is refused, and a payload that imitates records cannot pass for one without knowing that random number.
#[derive(Clone)]
pub(crate) struct Seal(Hasher);

impl Seal {
    pub fn new(journal: JournalId) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(&journal.0.to_le_bytes());
        Self(hasher)
    }

    pub fn holds(&self, header: &RecordHeader, payload: &[u8]) -> bool {
        let mut hasher = self.0.clone();
        hasher.update(&header.checked_part());
        hasher.update(payload);
        header.checksum == hasher.finalize()
    }

    /// Gives frames their places and their checksums, where they lie. What is synced together counts its ordinals through.
    pub fn close_frames(&self, frames: &mut [u8], first_index: u64, first_ordinal: u32) {
        let mut rest = frames;
        let mut places = (first_ordinal..).zip(first_index..);
        while let (Some(bytes), Some((ordinal, index))) = (next_frame_bytes(rest), places.next()) {
            let (frame, later) = rest.split_at_mut(bytes);
            self.close_frame(frame, index, ordinal);
            rest = later;
        }
    }

    fn close_frame(&self, frame: &mut [u8], index: u64, ordinal: u32) {
        frame[8..12].copy_from_slice(&ordinal.to_le_bytes());
        frame[12..RECORD_HEADER_BYTES].copy_from_slice(&index.to_le_bytes());
        // In one piece, because small updates cost more than the checksum itself.
        let mut hasher = self.0.clone();
        hasher.update(&frame[CHECKSUM_BYTES..]);
        frame[..CHECKSUM_BYTES].copy_from_slice(&hasher.finalize().to_le_bytes());
    }
}

/// A frame is a record before it has a place: its length stands in its header, the rest is filled in by [`Seal::close_frames`].
/// A payload beyond the limit is refused with its batch, before its length is ever read.
pub(crate) fn open_frame(frame: &mut [u8], payload_bytes: usize) {
    frame[CHECKSUM_BYTES..8].copy_from_slice(&(payload_bytes as u32).to_le_bytes());
}

/// The payload sizes of frames that lie one behind the other.
pub(crate) fn payload_sizes(frames: &[u8]) -> impl Iterator<Item = usize> {
    let mut rest = frames;
    std::iter::from_fn(move || {
        let bytes = next_frame_bytes(rest)?;
        rest = &rest[bytes..];
        Some(bytes - RECORD_HEADER_BYTES)
    })
}

fn next_frame_bytes(frames: &[u8]) -> Option<usize> {
    let header = frames.first_chunk::<RECORD_HEADER_BYTES>()?;
    Some(RECORD_HEADER_BYTES + RecordHeader::decode(header).payload_bytes as usize)
}

/// Segments are named by their first index, so that a sorted listing is the journal's order.
pub(crate) fn segment_name(first_index: u64) -> String {
    format!("{first_index:020}.seg")
}

/// The first index a file's name claims, or none if it is no segment's name.
pub(crate) fn first_index_of(name: &str) -> Option<u64> {
    let first_index = name.strip_suffix(".seg")?.parse().ok()?;
    (segment_name(first_index) == name).then_some(first_index)
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;

    #[test]
    fn a_record_is_refused_in_another_journal_or_at_another_index() {
        let (ours, theirs) = (Seal::new(JournalId(1)), Seal::new(JournalId(2)));
        let mut batch = Batch::from([&b"a"[..], b"", b"fact"]);
        ours.close_frames(batch.frames_mut(), 5, 0);
        assert_eq!(payload_sizes(batch.frames()).collect::<Vec<_>>(), [1, 0, 4]);
        let third = &batch.frames()[2 * RECORD_HEADER_BYTES + 1..];
        let header = RecordHeader::decode(third.first_chunk().expect("a whole header"));

        assert_eq!((header.index, header.ordinal, header.payload_bytes), (7, 2, 4));
        assert!(ours.holds(&header, b"fact"));
        assert!(!theirs.holds(&header, b"fact"));
        assert!(!ours.holds(&RecordHeader { index: 8, ..header }, b"fact"));
        assert!(!ours.holds(&RecordHeader { ordinal: 3, ..header }, b"fact"));
        assert!(!ours.holds(&header, b"fakt"));
    }

    #[test]
    fn only_a_later_batch_vouches_for_a_record() {
        let third_of_its_batch = RecordHeader { checksum: 0, payload_bytes: 0, ordinal: 2, index: 12 };
        assert!(third_of_its_batch.is_of_a_batch_after(9));
        assert!(!third_of_its_batch.is_of_a_batch_after(10), "10 opened the same batch");
        assert!(
            !RecordHeader { ordinal: 13, ..third_of_its_batch }.is_of_a_batch_after(0),
            "nonsense vouches for nothing"
        );
    }

    #[test]
    fn names_sort_like_indices_and_nothing_else_is_a_segment() {
        assert_eq!(first_index_of(&segment_name(42)), Some(42));
        assert_eq!(first_index_of(&segment_name(u64::MAX)), Some(u64::MAX));
        assert!(segment_name(9) < segment_name(10));
        for name in ["lock", "42.seg", "00000000000000000042.bak", "+0000000000000000042.seg"] {
            assert_eq!(first_index_of(name), None, "{name}");
        }
    }
}
