//! Running SQL: read-only, with named parameters, over a session or over one micro-batch.

use arrow::array::RecordBatch;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};

use crate::error::LakeError;
use crate::schema::{TableDef, conform};

/// Site × kind × condition × UTC quarter-hour, from a micro-batch of `intervals`.
pub const ROLLUP_QUARTER_SQL: &str = include_str!("../../sql/rollup_quarter.sql");
/// Device × condition × local day, from a micro-batch of `intervals` and the time zones in `sites`.
pub const ROLLUP_DAY_SQL: &str = include_str!("../../sql/rollup_day.sql");

/// Plans a query with its `$name` parameters. Anything that is not a query is refused: no DDL, no
/// DML, no statements.
pub fn query<'a>(
    session: &'a SessionContext,
    sql: &'a str,
    params: &'a [(&'a str, ScalarValue)],
) -> BoxFuture<'a, Result<DataFrame, LakeError>> {
    plan(session, sql, params).boxed()
}

async fn plan(session: &SessionContext, sql: &str, params: &[(&str, ScalarValue)]) -> Result<DataFrame, LakeError> {
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let planned = session.sql_with_options(sql, read_only).await;
    let planned = planned.map_err(LakeError::query("plan a query"))?;
    if params.is_empty() {
        return Ok(planned);
    }
    let params: Vec<(String, ScalarValue)> =
        params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    planned.with_param_values(ParamValues::from(params)).map_err(LakeError::query("bind the parameters of a query"))
}

/// Runs a query to its end.
pub fn run<'a>(
    session: &'a SessionContext,
    sql: &'a str,
    params: &'a [(&'a str, ScalarValue)],
) -> BoxFuture<'a, Result<Vec<RecordBatch>, LakeError>> {
    let collected = async move {
        let planned = plan(session, sql, params).await?;
        planned.collect().await.map_err(LakeError::query("run a query"))
    };
    collected.boxed()
}

/// Runs a query and hands its batches over as they come: for answers that need not fit into memory.
pub fn stream<'a>(session: &'a SessionContext, sql: &'a str) -> BoxFuture<'a, Result<Batches, LakeError>> {
    let begun = async move {
        let planned = plan(session, sql, &[]).await?;
        let batches = planned.execute_stream().await.map_err(LakeError::query("run a query"))?;
        Ok(batches.map(|batch| batch.map_err(LakeError::query("run a query"))).boxed())
    };
    begun.boxed()
}

/// The batches of an answer as they come.
pub type Batches = BoxStream<'static, Result<RecordBatch, LakeError>>;

/// Runs a `.sql` file over micro-batches registered under these names, and returns rows that fit
/// the table it feeds. The session is left without them.
pub async fn run_over_batch(
    session: &SessionContext,
    sql: &str,
    inputs: &[(&str, RecordBatch)],
    output: &TableDef,
) -> Result<Vec<RecordBatch>, LakeError> {
    for (name, batch) in inputs {
        let registered = session.register_batch(*name, batch.clone());
        registered.map_err(LakeError::query("register a micro-batch"))?;
    }
    let result = run(session, sql, &[]).await;
    for (name, _) in inputs {
        let removed = session.deregister_table(*name);
        removed.map_err(LakeError::query("forget a micro-batch"))?;
    }
    result?.iter().map(|batch| conform(batch, &output.schema)).collect()
}
