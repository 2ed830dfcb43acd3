//! Receipts: what became of each fact of a batch.

use medfleet_domain::id::{SeqRange, Subject};
use prost::Message;

use crate::limits::{RECEIPT_MAX_BYTES, RECEIPT_MAX_FATES};
use crate::pb;
use crate::read::{decoded, few, seq_range, subject};
use crate::refusal::{Disposition, Refusal};
use crate::word::Word;

/// The answer to one batch of one session of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub session: u64,
    pub number: u64,
    pub fates: Vec<Fate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    pub subject: Subject,
    pub seqs: SeqRange,
    pub kind: FateKind,
    /// Code of the refusal; empty when stored.
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FateKind {
    /// In the log, durably.
    Stored,
    /// Stays with the agent, which tries again.
    Held,
    /// In quarantine; the agent frees its journal and records a tombstone.
    Poison,
}

impl FateKind {
    pub const ALL: [FateKind; 3] = [Self::Stored, Self::Held, Self::Poison];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Held => "held",
            Self::Poison => "poison",
        }
    }
}

impl From<Disposition> for FateKind {
    fn from(disposition: Disposition) -> Self {
        match disposition {
            Disposition::Held => Self::Held,
            Disposition::Poison => Self::Poison,
        }
    }
}

impl Fate {
    pub fn stored(subject: Subject, seqs: SeqRange) -> Self {
        Self { subject, seqs, kind: FateKind::Stored, reason: String::new() }
    }

    pub fn refused(subject: Subject, seqs: SeqRange, refusal: &Refusal) -> Self {
        Self { subject, seqs, kind: refusal.disposition().into(), reason: refusal.code().into() }
    }
}

pub fn encode_receipt(receipt: &Receipt) -> Vec<u8> {
    let fates = receipt.fates.iter().map(|fate| pb::Fate {
        subject: Some((&fate.subject).into()),
        seqs: Some(fate.seqs.into()),
        kind: fate.kind.number(),
        reason: fate.reason.clone(),
    });
    pb::Receipt { session: receipt.session, number: receipt.number, fates: fates.collect() }.encode_to_vec()
}

/// Reads a receipt whole or not at all: half an answer could free facts that nobody stored.
pub fn decode_receipt(bytes: &[u8]) -> Result<Receipt, Refusal> {
    let wire: pb::Receipt = decoded("receipt", bytes, RECEIPT_MAX_BYTES)?;
    few("fates in a receipt", wire.fates.len(), RECEIPT_MAX_FATES)?;
    let fates = wire.fates.into_iter().map(|fate| {
        Ok(Fate {
            subject: subject("fate", fate.subject)?,
            seqs: seq_range("seqs", "fate", fate.seqs)?,
            kind: FateKind::required("kind", "fate", fate.kind)?,
            reason: fate.reason,
        })
    });
    Ok(Receipt { session: wire.session, number: wire.number, fates: fates.collect::<Result<_, Refusal>>()? })
}
