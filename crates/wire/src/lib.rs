//! How it is written: protobuf ⇄ domain, the MQTT topic grammar, upcasters and the reasons for refusal. Pure.
//!
//! ```text
//! encode_fact(&Fact) -> Vec<u8>                  decode_fact(&[u8]) -> Result<Sealed, Refusal>
//! seal(Fact) -> Sealed                           accept(Fact) -> Result<Sealed, Refusal>, at a writer's door
//! encode_run(&Run) -> Vec<u8>                    decode_run(&[u8]) -> Result<Run, Refusal>
//! encode_record(&Record) · SoundRun::record() -> Vec<u8>    decode_record(&[u8]) -> Result<Record, Refusal>
//! encode_batch(&Batch) -> Vec<u8>                decode_batch(Bytes) -> Result<DecodedBatch, Refusal>, of sound runs and bad ones
//! encode_receipt(&Receipt) -> Vec<u8>            decode_receipt(&[u8]) -> Result<Receipt, Refusal>
//! encode_spooled(&Spooled) -> Vec<u8>            decode_spooled(&[u8]) -> Result<Spooled, Refusal>
//! encode_quarantined(&Quarantined) -> Vec<u8>    decode_quarantined(&[u8]) -> Result<Quarantined, Refusal>
//! encode_alert_record(&Record) -> Vec<u8>       decode_alert_record(&[u8]) -> Result<Record, Refusal>, of the topic of alerts
//! encode_risk_record(&RiskRecord) -> Vec<u8>     decode_risk_record(&[u8]) -> Result<RiskRecord, Refusal>, of the topic of risk
//! encode_verdict(&Verdict) -> Vec<u8>            decode_verdict(&[u8]) -> Result<Verdict, Refusal>
//! BatchTopic::new(site, agent) · parse(&str) · receipt() · check(&DecodedBatch)    ReceiptTopic · Shard::of(&AgentId)
//! ```
//!
//! Decoding never panics and never keeps more than a small multiple of what it was given; every limit is in [`limits`].
//! A fact is kept as the very bytes it was written in, so fields that this version does not know survive every hop.

mod alert;
mod alert_record;
mod batch;
mod calendar;
mod contract;
mod fact;
mod human;
pub mod limits;
pub mod pb;
mod quarantine;
mod read;
mod receipt;
mod refusal;
mod request;
mod risk;
mod run;
pub mod schema;
mod sound;
mod spool;
mod topic;
mod verdict;
mod word;

pub use alert_record::{decode_alert_record, encode_alert_record};
pub use batch::{BadRun, Batch, DecodedBatch, decode_batch, encode_batch};
pub use fact::{accept, decode_fact, encode_fact, seal, unseal};
pub use quarantine::{Quarantined, decode_quarantined, encode_quarantined};
pub use receipt::{Fate, FateKind, Receipt, decode_receipt, encode_receipt};
pub use refusal::{Disposition, Refusal};
pub use risk::{decode_risk_record, encode_risk_record};
pub use run::{Record, decode_record, decode_run, encode_record, encode_run};
pub use schema::SCHEMA_VERSION;
pub use sound::{SoundRun, Spoken};
pub use spool::{Spooled, decode_spooled, encode_spooled};
pub use topic::{BatchTopic, ReceiptTopic, SHARD_COUNT, Shard};
pub use verdict::{Verdict, VerdictKind, decode_verdict, encode_verdict};
