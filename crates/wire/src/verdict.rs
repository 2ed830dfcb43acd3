//! Verdicts: what became of a request.

use medfleet_domain::id::Subject;
use prost::Message;

use crate::limits::VERDICT_MAX_BYTES;
use crate::pb;
use crate::read::{decoded, subject};
use crate::refusal::Refusal;
use crate::request::request_id;
use crate::word::Word;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub request_id: String,
    pub subject: Subject,
    pub kind: VerdictKind,
    /// What was decided, or why it was refused and what to do.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VerdictKind {
    Granted,
    Refused,
}

pub fn encode_verdict(verdict: &Verdict) -> Vec<u8> {
    pb::Verdict {
        request_id: verdict.request_id.clone(),
        subject: Some((&verdict.subject).into()),
        kind: verdict.kind.number(),
        text: verdict.text.clone(),
    }
    .encode_to_vec()
}

pub fn decode_verdict(bytes: &[u8]) -> Result<Verdict, Refusal> {
    let wire: pb::Verdict = decoded("verdict", bytes, VERDICT_MAX_BYTES)?;
    Ok(Verdict {
        request_id: request_id(wire.request_id)?,
        subject: subject("verdict", wire.subject)?,
        kind: VerdictKind::required("kind", "verdict", wire.kind)?,
        text: wire.text,
    })
}
