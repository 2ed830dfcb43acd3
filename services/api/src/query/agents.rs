//! Agents and when each was last heard.

use medfleet_domain::time::Timestamp;

use super::{AGENTS, ask};
use crate::cuts::OpenCut;
use crate::error::ApiError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSeen {
    pub agent: String,
    pub site: String,
    pub seen: Timestamp,
}

/// Every agent that was ever heard, longest silent first.
pub async fn agents(open: &OpenCut) -> Result<Vec<AgentSeen>, ApiError> {
    ask(open, &AGENTS, &[], |line| {
        Ok(AgentSeen { agent: line.text("agent")?, site: line.text("site")?, seen: line.time("seen_us")? })
    })
    .await
}
