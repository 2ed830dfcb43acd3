//! Agents, when each was last heard, and what it said then of its journal.

use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};
use medfleet_kpi::KpiError;
use medfleet_kpi::answer::Line;
use serde::Serialize;
use utoipa::ToSchema;

use super::{AGENTS, ask};
use crate::cuts::OpenCut;
use crate::error::ApiError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSeen {
    pub agent: String,
    pub site: String,
    /// Its newest heartbeat, by its own clock.
    pub seen: Timestamp,
    /// None: it did not say.
    pub receipts: Option<Receipts>,
}

/// What an agent's journal held at the moment of its newest heartbeat. How it stands since is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Receipts {
    /// Facts that became durable in the journal since it began.
    pub accepted: i64,
    /// Of these, facts that the agent knew to be durable in the log or refused for good.
    pub receipted: i64,
    /// Of these, facts without a receipt.
    pub waiting: i64,
    /// How long the oldest of these had been known; null where none waited.
    pub oldest_waiting_seconds: Option<i64>,
    pub journal_bytes: i64,
    pub journal_limit_bytes: i64,
}

/// Every agent that was ever heard, longest silent first.
pub async fn agents(open: &OpenCut) -> Result<Vec<AgentSeen>, ApiError> {
    ask(open, &AGENTS, &[], |line| {
        let seen = line.time("seen_us")?;
        let receipts = match line.some_int("accepted_facts")? {
            Some(accepted) => Some(read(line, seen, accepted)?),
            None => None,
        };
        Ok(AgentSeen { agent: line.text("agent")?, site: line.text("site")?, seen, receipts })
    })
    .await
}

fn read(line: &Line<'_>, seen: Timestamp, accepted: i64) -> Result<Receipts, KpiError> {
    let (waiting, oldest) = (line.int("waiting_facts")?, line.some_time("oldest_waiting_us")?);
    Ok(Receipts {
        accepted,
        receipted: accepted - waiting,
        waiting,
        oldest_waiting_seconds: oldest.map(|oldest| ((seen.0 - oldest.0) / MICROS_PER_SECOND).max(0)),
        journal_bytes: line.int("journal_bytes")?,
        journal_limit_bytes: line.int("journal_limit_bytes")?,
    })
}
