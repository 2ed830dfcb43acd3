//! Running SQL: read-only, with named parameters, over a session or over one micro-batch.

use arrow::array::RecordBatch;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::SessionContext;
use futures::StreamExt as _;
use futures::stream::BoxStream;

use crate::error::LakeError;
use crate::schema::{TableDef, conform};

/// Site × kind × condition × UTC quarter-hour, from a micro-batch of `intervals`.
pub const ROLLUP_QUARTER_SQL: &str = include_str!("../../sql/rollup_quarter.sql");
/// Device × condition × local day, from a micro-batch of `intervals` and the time zones in `sites`.
pub const ROLLUP_DAY_SQL: &str = include_str!("../../sql/rollup_day.sql");

/// Plans a query with its `$name` parameters. Anything that is not a query is refused: no DDL, no
/// DML, no statements.
pub async fn query(
    session: &SessionContext,
    sql: &str,
    params: &[(&str, ScalarValue)],
) -> Result<DataFrame, LakeError> {
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
pub async fn run(
    session: &SessionContext,
    sql: &str,
    params: &[(&str, ScalarValue)],
) -> Result<Vec<RecordBatch>, LakeError> {
    let planned = query(session, sql, params).await?;
    planned.collect().await.map_err(LakeError::query("run a query"))
}

/// Runs a query and hands its batches over as they come: for answers that need not fit into memory.
pub async fn stream(
    session: &SessionContext,
    sql: &str,
) -> Result<BoxStream<'static, Result<RecordBatch, LakeError>>, LakeError> {
    let planned = query(session, sql, &[]).await?;
    let batches = planned.execute_stream().await.map_err(LakeError::query("run a query"))?;
    Ok(batches.map(|batch| batch.map_err(LakeError::query("run a query"))).boxed())
}

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
