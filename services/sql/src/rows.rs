//! The rows of one answer on their way out: stopped by time and cancel, refused past the bounds, never cut short silently.

use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion_postgres::arrow_pg::datatypes::encode_recordbatch;
use futures::StreamExt as _;
use futures::stream::Stream;
use pgwire::api::results::FieldInfo;
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::data::DataRow;
use prometheus::IntCounter;

use crate::config::Limits;
use crate::refusal::Refusal;
use crate::refusal::sqlstate::PROGRAM_LIMIT_EXCEEDED;
use crate::run::Run;

type Encoded = Box<dyn Iterator<Item = PgWireResult<DataRow>> + Send + Sync>;

struct Outgoing {
    batches: SendableRecordBatchStream,
    fields: Arc<Vec<FieldInfo>>,
    run: Arc<Run>,
    encoded: Option<Encoded>,
    tally: Tally,
    counted: IntCounter,
}

/// How much of an answer went out.
#[derive(Debug)]
pub struct Tally {
    rows: u64,
    bytes: usize,
    rows_max: u64,
    bytes_max: usize,
}

impl Tally {
    pub fn of(limits: &Limits) -> Self {
        Self { rows: 0, bytes: 0, rows_max: limits.rows_max, bytes_max: limits.answer_mebibytes << 20 }
    }

    pub fn add(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.rows += 1;
        self.bytes += bytes;
        let refuse = |message| {
            let cure = "group on the server, narrow the period, or fetch in parts with LIMIT";
            Err(Refusal::new(PROGRAM_LIMIT_EXCEEDED, message, cure))
        };
        if self.rows > self.rows_max {
            return refuse(format!("the answer has more than {} rows", self.rows_max));
        }
        if self.bytes > self.bytes_max {
            return refuse(format!("the answer has more than {} MiB", self.bytes_max >> 20));
        }
        Ok(())
    }
}

pub fn rows(
    batches: SendableRecordBatchStream,
    fields: Arc<Vec<FieldInfo>>,
    run: Arc<Run>,
    limits: &Limits,
    counted: IntCounter,
) -> impl Stream<Item = PgWireResult<DataRow>> + Send + 'static {
    let outgoing = Outgoing { batches, fields, run, encoded: None, tally: Tally::of(limits), counted };
    futures::stream::try_unfold(outgoing, |mut outgoing| async move {
        Ok(outgoing.next().await?.map(|row| (row, outgoing)))
    })
}

impl Outgoing {
    async fn next(&mut self) -> Result<Option<DataRow>, PgWireError> {
        loop {
            if let Some(row) = self.encoded.as_mut().and_then(Iterator::next) {
                let row = row?;
                self.tally.add(row.data.len())?;
                self.counted.inc();
                return Ok(Some(row));
            }
            match self.run.guard(self.batches.next()).await? {
                Some(Ok(batch)) => self.encoded = Some(encode_recordbatch(Arc::clone(&self.fields), batch)),
                Some(Err(error)) => return Err(Refusal::of(&error).into()),
                None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_reach_its_bounds_and_not_pass_them() {
        let mut tally = Tally { rows: 0, bytes: 0, rows_max: 2, bytes_max: 1 << 20 };
        assert!(tally.add(1).is_ok() && tally.add(1).is_ok());
        let refused = tally.add(1).unwrap_err();
        assert_eq!((refused.sqlstate, refused.message.as_str()), ("54000", "the answer has more than 2 rows"));
        let mut tally = Tally { rows: 0, bytes: 0, rows_max: 9, bytes_max: 1 << 20 };
        assert!(tally.add(1 << 20).is_ok());
        assert_eq!(tally.add(1).unwrap_err().message, "the answer has more than 1 MiB");
    }
}
