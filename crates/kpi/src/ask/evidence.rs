//! From a figure down to its facts: those whose records made its rows, and the stretches that cover it.

use medfleet_domain::fact::{Body, Fact};
use medfleet_domain::time::Timestamp;
use medfleet_lake::SessionContext;

use super::ask;
use crate::error::KpiError;
use crate::question::Question;

/// One fact with its identity and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub fact: Fact,
    pub appended: Timestamp,
    pub agent: Option<String>,
    /// Kept, never folded.
    pub suspect: bool,
    pub epoch: u64,
    pub seq: u64,
    pub log_topic: i64,
    pub log_partition: i64,
    pub log_offset: i64,
    pub log_index: i64,
    /// Its record made rows of the period what they are.
    pub is_cause: bool,
}

/// The facts behind one device's intervals, failures, repairs and maintenance in the period, in the order of the log.
pub async fn evidence(session: &SessionContext, question: &Question) -> Result<Vec<Evidence>, KpiError> {
    let candidates = ask(session, "evidence", question, |line| {
        let bytes = line.bytes("bytes")?;
        let fact = medfleet_wire::decode_fact(bytes).map_err(KpiError::Fact)?.fact;
        Ok(Evidence {
            fact,
            appended: line.time("appended_us")?,
            agent: line.some_text("agent")?,
            suspect: line.flag("suspect")?,
            epoch: line.int("epoch")?.cast_unsigned(),
            seq: line.int("seq")?.cast_unsigned(),
            log_topic: line.int("log_topic")?,
            log_partition: line.int("log_partition")?,
            log_offset: line.int("log_offset")?,
            log_index: line.int("log_index")?,
            is_cause: line.flag("is_cause")?,
        })
    });
    let touches = |one: &Evidence| match &one.fact.body {
        Body::Stretch(stretch) => one.fact.at < question.until && stretch.until > question.from,
        _ => one.is_cause,
    };
    Ok(candidates.await?.into_iter().filter(touches).collect())
}
