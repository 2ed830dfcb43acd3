//! Answers what a ledger needs from the past: the `facts` table, and the rows not yet flushed to it.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::held::Held;
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::ledger::{Ledger, Need};
use medfleet_domain::time::Day;
use medfleet_lake::rows::FactRow;
use medfleet_lake::{Reader, Row as _, TableVersion, run};

use crate::error::ProcessorError;

/// What may be known when a record is admitted: nothing at or past its own offset, even if it is archived already.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    /// The version of `facts` to read.
    pub facts: &'a TableVersion,
    /// Rows not yet flushed to it.
    pub pending: &'a [FactRow],
    /// The offset of the record being admitted; a subject's records lie in one partition.
    pub below: u64,
}

/// Reads the `facts` table at the version this worker last wrote.
pub struct Archive {
    reader: Reader,
}

impl Archive {
    pub fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// Looks a need up and tells the ledger. Names are safe in SQL: the domain admits no quote in them.
    pub async fn answer(
        &self,
        subject: &Subject,
        need: Need,
        past: Past<'_>,
        ledger: &mut Ledger,
    ) -> Result<(), ProcessorError> {
        let (kind, name) = (subject.kind.as_str(), subject.name());
        let own = |row: &&FactRow| &*row.subject == name && &*row.subject_kind == kind;
        let original = |row: &&FactRow| &*row.verdict != "duplicate";
        let waiting = past.pending.iter().filter(own).filter(original);
        let facts = past.facts;
        let base = format!(
            "SELECT * FROM facts WHERE subject = '{name}' AND subject_kind = '{kind}' AND verdict <> 'duplicate' \
             AND cause_offset < {}",
            past.below
        );
        match need {
            Need::Day(day) => {
                let daily = "kind IN ('stretch', 'error', 'usage')";
                let sql = format!("{base} AND day = arrow_cast({}, 'Date32') AND {daily}", day.0);
                let mut archived = self.rows(&sql, facts).await?;
                archived.sort_by_key(|row| row.cause);
                let facts: Result<Vec<Held>, _> = archived.iter().map(held).collect();
                ledger.supply_day(day, facts?);
            }
            Need::Located(range) => {
                let (epoch, first, last) =
                    (range.epoch.0.cast_signed(), range.first.0.cast_signed(), range.last.0.cast_signed());
                let sql = format!("{base} AND epoch = {epoch} AND seq BETWEEN {first} AND {last}");
                let archived = self.rows(&sql, facts).await?;
                let named = |row: &&FactRow| row.epoch == epoch && (first..=last).contains(&row.seq);
                let all = archived.iter().chain(waiting.filter(named));
                let daily = all.filter(|row| matches!(&*row.kind, "stretch" | "error" | "usage"));
                let days: BTreeSet<Day> = daily.map(|row| Day(row.day.0)).collect();
                ledger.supply_located(range, days.into_iter().collect());
            }
            Need::Epoch(epoch) => {
                let number = epoch.0.cast_signed();
                let archived = self.rows(&format!("{base} AND epoch = {number}"), facts).await?;
                let all = archived.iter().chain(waiting.filter(|row| row.epoch == number));
                ledger.supply_epoch(epoch, all.map(|row| Seq(row.seq.cast_unsigned())).collect::<Vec<_>>());
            }
            Need::Digest(epoch, seq) => {
                let digest = self.digest(&base, epoch, seq, waiting, facts).await?;
                ledger.supply_digest(epoch, seq, digest);
            }
        }
        Ok(())
    }

    async fn digest(
        &self,
        base: &str,
        epoch: Epoch,
        seq: Seq,
        waiting: impl Iterator<Item = &FactRow>,
        facts: &TableVersion,
    ) -> Result<u64, ProcessorError> {
        let (epoch, seq) = (epoch.0.cast_signed(), seq.0.cast_signed());
        let mut waiting = waiting.filter(|row| (row.epoch, row.seq) == (epoch, seq));
        if let Some(row) = waiting.next() {
            return Ok(row.content_hash.cast_unsigned());
        }
        let archived = self.rows(&format!("{base} AND epoch = {epoch} AND seq = {seq} LIMIT 1"), facts).await?;
        let row = archived.first().ok_or(ProcessorError::NotArchived { epoch, seq })?;
        Ok(row.content_hash.cast_unsigned())
    }

    async fn rows(&self, sql: &str, facts: &TableVersion) -> Result<Vec<FactRow>, ProcessorError> {
        let session = self.reader.open(&BTreeMap::from([("facts".to_owned(), facts.clone())])).await?;
        let mut rows = Vec::new();
        for batch in run(&session, sql, &[]).await? {
            rows.extend(FactRow::from_batch(&batch)?);
        }
        Ok(rows)
    }
}

/// A fact as the ledger held it before it was flushed.
fn held(row: &FactRow) -> Result<Held, ProcessorError> {
    let bytes = row.bytes.as_deref().unwrap_or_default();
    let fact = medfleet_wire::decode_fact(bytes).map_err(|source| ProcessorError::Archived {
        subject: row.subject.to_string(),
        epoch: Epoch(row.epoch.cast_unsigned()),
        seq: row.seq,
        source,
    })?;
    Ok(Held::archived(
        (Epoch(row.epoch.cast_unsigned()), Seq(row.seq.cast_unsigned())),
        (SiteId::new(&row.site)?, DeviceKind::parse(&row.device_kind)?),
        row.agent.as_deref().map(AgentId::new).transpose()?,
        row.suspect,
        &fact.fact,
    ))
}
