//! Spooled facts: what an agent's journal keeps of each fact it accepted.

use medfleet_domain::fact::Sealed;
use medfleet_domain::id::{Epoch, Seq, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use prost::Message;

use crate::fact::unseal;
use crate::limits::SPOOLED_MAX_BYTES;
use crate::pb;
use crate::read::{decoded_shared, device_kind, seq_range, site, subject};
use crate::refusal::Refusal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    pub subject: Subject,
    pub epoch: Epoch,
    pub seq: Seq,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub fact: Sealed,
}

pub fn encode_spooled(spooled: &Spooled) -> Vec<u8> {
    pb::Spooled {
        subject: Some((&spooled.subject).into()),
        epoch: spooled.epoch.0,
        seq: spooled.seq.0,
        site: spooled.site.as_str().into(),
        kind: spooled.kind.as_str().into(),
        fact: spooled.fact.bytes.clone(),
    }
    .encode_to_vec()
}

pub fn decode_spooled(bytes: &[u8]) -> Result<Spooled, Refusal> {
    let wire: pb::Spooled = decoded_shared("spooled fact", bytes, SPOOLED_MAX_BYTES)?;
    let one = pb::SeqRange { epoch: wire.epoch, first: wire.seq, last: wire.seq };
    let seqs = seq_range("seq", "spooled fact", Some(one))?;
    Ok(Spooled {
        subject: subject("spooled fact", wire.subject)?,
        epoch: seqs.epoch,
        seq: seqs.first,
        site: site("spooled.site", &wire.site)?,
        kind: device_kind("spooled.kind", &wire.kind)?,
        fact: unseal(wire.fact)?,
    })
}
