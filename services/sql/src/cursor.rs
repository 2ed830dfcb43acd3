//! A cursor: an answer that is kept and fetched in parts, each part in the format in which it is asked.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion_postgres::arrow_pg::datatypes::encode_recordbatch;
use futures::{StreamExt as _, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldInfo, QueryResponse};
use pgwire::error::PgWireResult;
use prometheus::IntCounter;
use std::sync::Arc;

use crate::config::Limits;
use crate::prepared::fields;
use crate::refusal::Refusal;
use crate::rows::Tally;
use crate::run::Run;

pub struct Cursor {
    schema: SchemaRef,
    batches: SendableRecordBatchStream,
    /// What is left of the batch that was read last.
    rest: Option<RecordBatch>,
    run: Arc<Run>,
    /// Of all its fetches: a cursor is one answer.
    tally: Tally,
    counted: IntCounter,
}

impl Cursor {
    pub fn new(
        schema: SchemaRef,
        batches: SendableRecordBatchStream,
        run: Arc<Run>,
        limits: &Limits,
        counted: IntCounter,
    ) -> Self {
        Self { schema, batches, rest: None, run, tally: Tally::of(limits), counted }
    }

    /// The columns of its rows.
    pub fn fields(&self, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
        fields(&self.schema, format)
    }

    /// The next rows; all that are left when None.
    pub async fn fetch(&mut self, most: Option<usize>, format: &Format) -> PgWireResult<QueryResponse> {
        let fields = Arc::new(self.fields(format)?);
        let mut fetched = Vec::new();
        while most.is_none_or(|most| fetched.len() < most) {
            let Some(part) = self.next(most.map(|most| most - fetched.len())).await? else { break };
            for row in encode_recordbatch(Arc::clone(&fields), part) {
                let row = row?;
                self.tally.add(row.data.len())?;
                self.counted.inc();
                fetched.push(Ok(row));
            }
        }
        let mut answer = QueryResponse::new(fields, stream::iter(fetched));
        answer.set_command_tag("FETCH");
        Ok(answer)
    }

    /// At most so many rows, out of one batch.
    async fn next(&mut self, most: Option<usize>) -> Result<Option<RecordBatch>, Refusal> {
        let batch = match self.rest.take() {
            Some(batch) => batch,
            None => match self.run.guard(self.batches.next()).await? {
                Some(batch) => batch.map_err(|error| Refusal::of(&error))?,
                None => return Ok(None),
            },
        };
        let taken = most.map_or(batch.num_rows(), |most| most.min(batch.num_rows()));
        if taken < batch.num_rows() {
            self.rest = Some(batch.slice(taken, batch.num_rows() - taken));
        }
        Ok(Some(batch.slice(0, taken)))
    }
}
