//! The pipeline as the operator sees it, and the quarantine with its second try.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::CutInfo;
use crate::operator::{Counted, PartitionLag, QUARANTINE_SHOWN_MAX, Quarantine, Redriven, partitions};
use crate::problem::Problem;
use crate::query::{self, Receipts};
use crate::service::App;

#[derive(Debug, Serialize, ToSchema)]
pub struct AgentOut {
    pub agent: String,
    pub site: String,
    /// Its newest heartbeat.
    pub last_heard_at: String,
    pub silent_seconds: i64,
    /// As of `last_heard_at`. Null: it did not say.
    pub receipts: Option<Receipts>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PipelineOut {
    pub cut: CutInfo,
    pub partitions: Vec<PartitionLag>,
    /// Longest silent first.
    pub agents: Vec<AgentOut>,
    pub counted: Counted,
    /// Received facts that are neither appended, quarantined nor held; 0 but for a moment between two counters.
    pub facts_unaccounted: Option<i64>,
}

/// Lag, agents, counters and disk.
#[utoipa::path(get, path = "/api/v1/pipeline", tag = "operator",
    responses((status = 200, body = PipelineOut), (status = 503, body = Problem)))]
pub async fn pipeline(State(app): State<App>) -> Result<Json<PipelineOut>, Problem> {
    let open = app.cuts.find(None).await?;
    let now = query::now();
    let agents = query::agents(&open).await?.into_iter().map(|agent| AgentOut {
        receipts: agent.receipts,
        last_heard_at: agent.seen.to_string(),
        silent_seconds: ((now.0 - agent.seen.0) / 1_000_000).max(0),
        agent: agent.agent,
        site: agent.site,
    });
    let counted = Counted::read(&app.metrics);
    Ok(Json(PipelineOut {
        cut: CutInfo::of(&app, &open).await,
        partitions: partitions(&open, app.log.as_ref()).await?,
        agents: agents.collect(),
        facts_unaccounted: counted.unaccounted(),
        counted,
    }))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalOut {
    /// `partition:offset`, which also names it to `medfleet quarantine`.
    pub place: String,
    pub received_at: String,
    pub reason: String,
    pub origin: String,
    pub subject: Option<String>,
    pub payload_bytes: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct QuarantineOut {
    pub entries: u64,
    /// Newest first, 50 at most.
    pub newest: Vec<RefusalOut>,
}

/// What was refused for good.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "operator",
    responses((status = 200, body = QuarantineOut), (status = 503, body = Problem)))]
pub async fn quarantine(State(app): State<App>) -> Result<Json<QuarantineOut>, Problem> {
    let Quarantine { entries, newest } = app.door.quarantine(QUARANTINE_SHOWN_MAX).await?;
    let out = newest.into_iter().map(|refusal| RefusalOut {
        place: format!("{}:{}", refusal.partition, refusal.offset),
        received_at: refusal.received_at.to_string(),
        reason: refusal.reason,
        origin: refusal.origin,
        subject: refusal.subject,
        payload_bytes: refusal.payload_bytes,
    });
    Ok(Json(QuarantineOut { entries, newest: out.collect() }))
}

/// Drives one entry in again. Its facts keep their identity: driven in twice, they count once.
#[utoipa::path(post, path = "/api/v1/quarantine/{partition}/{offset}/redrive", tag = "operator",
    params(("partition" = u32, Path), ("offset" = u64, Path)),
    responses((status = 200, body = Redriven), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn redrive(
    State(app): State<App>,
    Path((partition, offset)): Path<(String, String)>,
) -> Result<Json<Redriven>, Problem> {
    let (partition, offset) = place(&partition, &offset)?;
    Ok(Json(app.door.redrive(partition, offset).await?))
}

/// A place in the quarantine as a path or a form names it.
pub fn place(partition: &str, offset: &str) -> Result<(u32, u64), Problem> {
    let cure = "give numbers as /api/v1/quarantine lists them, PARTITION:OFFSET";
    let partition_number = partition.parse().map_err(|_| Problem::bad_value("partition", partition, cure))?;
    let offset_number = offset.parse().map_err(|_| Problem::bad_value("offset", offset, cure))?;
    Ok((partition_number, offset_number))
}
