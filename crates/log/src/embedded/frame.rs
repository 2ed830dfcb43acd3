//! How the embedded keeper writes one record into a journal entry.
//!
//! ```text
//! version u8 = 1 | appended_at_micros i64 LE | key length u32 LE | key | value
//! ```
//! The journal frames the entry and guards it with a checksum; its index is the offset and is not repeated here.

use bytes::Bytes;

use crate::port::Record;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 1 + 8 + 4;

/// Appends one entry to `entry`.
pub(super) fn encode(entry: &mut Vec<u8>, appended_at_micros: i64, key: &[u8], value: &[u8]) {
    let key_bytes = u32::try_from(key.len()).expect("MAX_RECORD_BYTES keeps every key far below 4 GiB");
    entry.push(VERSION);
    entry.extend_from_slice(&appended_at_micros.to_le_bytes());
    entry.extend_from_slice(&key_bytes.to_le_bytes());
    entry.extend_from_slice(key);
    entry.extend_from_slice(value);
}

/// Takes an entry apart without copying it again. The error says what is wrong with the entry.
pub(super) fn decode(offset: u64, entry: Bytes) -> Result<Record, &'static str> {
    let header: &[u8; HEADER_BYTES] = entry.first_chunk().ok_or("shorter than its header")?;
    let [version, at @ .., k0, k1, k2, k3] = *header;
    if version != VERSION {
        return Err("its format is newer than this program: start the version that wrote it");
    }
    let key_end = HEADER_BYTES + u32::from_le_bytes([k0, k1, k2, k3]) as usize;
    if key_end > entry.len() {
        return Err("its key is longer than the entry");
    }
    Ok(Record {
        offset,
        appended_at_micros: i64::from_le_bytes(at),
        key: entry.slice(HEADER_BYTES..key_end),
        value: entry.slice(key_end..),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &[u8] = b"\x01\x40\xe2\x01\0\0\0\0\0\x03\0\0\0keyvalue";

    fn encoded(appended_at_micros: i64, key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut entry = Vec::new();
        encode(&mut entry, appended_at_micros, key, value);
        entry
    }

    #[test]
    fn golden_entry_is_written_and_read_for_ever() {
        assert_eq!(encoded(123_456, b"key", b"value"), GOLDEN);
        let record = decode(7, Bytes::from_static(GOLDEN)).unwrap();
        assert_eq!((record.offset, record.appended_at_micros), (7, 123_456));
        assert_eq!((record.key.as_ref(), record.value.as_ref()), (&b"key"[..], &b"value"[..]));
    }

    #[test]
    fn a_damaged_entry_is_refused_and_never_panics() {
        for length in 0..HEADER_BYTES + 3 {
            assert!(decode(0, Bytes::from_static(&GOLDEN[..length])).is_err(), "{length} bytes were accepted");
        }
        let mut newer = GOLDEN.to_vec();
        newer[0] = 2;
        assert!(decode(0, newer.into()).unwrap_err().contains("newer"));
    }

    #[test]
    fn an_empty_key_and_value_are_a_record() {
        let record = decode(0, encoded(-1, b"", b"").into()).unwrap();
        assert_eq!((record.appended_at_micros, record.size_bytes()), (-1, 0));
    }
}
