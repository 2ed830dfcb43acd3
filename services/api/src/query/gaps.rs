//! Which facts the archive lacks, and which it has: counted over the numbers that writers gave them.

use medfleet_domain::id::{Epoch, SeqRange, Subject};
use medfleet_domain::time::Timestamp;

use super::{ARCHIVED, GAPS, ask, int, text};
use crate::cuts::OpenCut;
use crate::error::ApiError;

/// One life of one writer that lacks facts which its later facts name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// device, agent, site or place.
    pub subject_kind: String,
    pub subject: String,
    pub site: String,
    pub agent: Option<String>,
    pub epoch: i64,
    pub missing: u64,
    /// When the log took the newest fact of this life.
    pub newest: Timestamp,
}

/// The lives that lack the most facts, 50 at most. Reads the whole archive.
pub async fn gaps(open: &OpenCut) -> Result<Vec<Gap>, ApiError> {
    if !is_archived(open).await? {
        return Ok(Vec::new());
    }
    let (first, last) = (Epoch::COPIES.0.0.cast_signed(), Epoch::COPIES.1.0.cast_signed());
    ask(open, &GAPS, &[("copies_first", int(first)), ("copies_last", int(last))], |line| {
        Ok(Gap {
            subject_kind: line.text("subject_kind")?,
            subject: line.text("subject")?,
            site: line.text("site")?,
            agent: line.some_text("agent")?,
            epoch: line.int("epoch")?,
            missing: line.int("missing")?.max(0).cast_unsigned(),
            newest: line.time("newest_us")?,
        })
    })
    .await
}

/// How many facts of this range the archive holds.
pub async fn archived(open: &OpenCut, subject: &Subject, seqs: SeqRange) -> Result<u64, ApiError> {
    if !is_archived(open).await? {
        return Ok(0);
    }
    let params = [
        ("subject_kind", text(subject.kind.as_str())),
        ("subject", text(subject.name())),
        ("epoch", int(seqs.epoch.0.cast_signed())),
        ("first", int(seqs.first.0.cast_signed())),
        ("last", int(seqs.last.0.cast_signed())),
    ];
    let counts = ask(open, &ARCHIVED, &params, |line| line.int("facts")).await?;
    Ok(counts.first().map_or(0, |count| count.cast_unsigned()))
}

async fn is_archived(open: &OpenCut) -> Result<bool, ApiError> {
    open.session().await?.table_exist("facts").map_err(ApiError::Query)
}
