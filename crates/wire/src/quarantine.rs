//! Quarantined payloads: what was refused for good, whole, with where it came from and why.

use medfleet_domain::id::{SeqRange, Subject};
use medfleet_domain::time::Timestamp;
use prost::Message;

use crate::limits::QUARANTINED_MAX_BYTES;
use crate::pb;
use crate::read::{decoded, instant, seq_range_if_said, subject, text};
use crate::refusal::Refusal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// An MQTT topic, a request path, an import file with a line.
    pub origin: String,
    /// Code of the refusal.
    pub reason: String,
    /// As it came; a `Run` message when `subject` and `seqs` are set.
    pub payload: Vec<u8>,
    pub received_at: Timestamp,
    pub subject: Option<Subject>,
    pub seqs: Option<SeqRange>,
}

/// The value of a record in `medfleet.quarantine.v1`.
pub fn encode_quarantined(quarantined: &Quarantined) -> Vec<u8> {
    pb::Quarantined {
        origin: quarantined.origin.clone(),
        reason: quarantined.reason.clone(),
        payload: quarantined.payload.clone(),
        received_at_us: quarantined.received_at.micros(),
        subject: quarantined.subject.as_ref().map(Into::into),
        seqs: quarantined.seqs.map(Into::into),
    }
    .encode_to_vec()
}

pub fn decode_quarantined(bytes: &[u8]) -> Result<Quarantined, Refusal> {
    let wire: pb::Quarantined = decoded("quarantined payload", bytes, QUARANTINED_MAX_BYTES)?;
    Ok(Quarantined {
        origin: wire.origin,
        reason: text("reason", "quarantined payload", wire.reason)?,
        payload: wire.payload,
        received_at: instant("received_at_us", wire.received_at_us)?,
        subject: wire.subject.map(|named| subject("quarantined payload", Some(named))).transpose()?,
        seqs: seq_range_if_said("seqs", wire.seqs)?,
    })
}
