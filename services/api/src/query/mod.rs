//! The `.sql` files, put together from their shared parts, asked of one cut and read into plain values.

mod agents;
mod contracts;
mod devices;
mod fleet;
mod gaps;
mod history;
mod scores;
mod uptime;

use std::sync::LazyLock;

use datafusion::prelude::SessionContext;
use medfleet_domain::time::Timestamp;
use medfleet_kpi::KpiError;
use medfleet_kpi::answer::{Answer, Line};
use medfleet_kpi::registry::whole;
use medfleet_lake::{ScalarValue, run};

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::live::LiveDevice;

pub use agents::{AgentSeen, Receipts, agents};
pub use contracts::contracts_told;
pub use devices::{DeviceFilter, DeviceVersion, Site, device, devices, sites};
pub(crate) use devices::{Stated, newest_sites, read_sites, read_versions, standing};
pub use fleet::{fleet, fleet_in_memory};
pub use gaps::{Gap, archived, gaps};
pub use history::{Piece, Reported, Verdict, counters, errors, timeline, verdict};
pub use scores::{Said, Score, said, scores, scores_of, scores_told};
pub use uptime::{Scope, UptimeRow, uptime, uptime_by_device, uptime_by_intervals};

macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("../../sql/", $name, ".sql"))
    };
}

/// A file with its parts in place, put together once. Those of the KPI room are named as `{part}`.
macro_rules! file {
    ($static:ident, $text:expr) => {
        pub(crate) static $static: LazyLock<String> = LazyLock::new(|| whole($text));
    };
}
file!(AGENTS, sql!("agents"));
const SITES: &str = sql!("site_entries");
const DEVICES: &str = sql!("device_entries");
file!(LIVE, "{live}");
file!(TIMELINE, "{timeline}");
file!(ERRORS, sql!("errors"));
file!(VERDICT, sql!("verdict"));
file!(SCORES, sql!("scores"));
file!(SCORES_OF_DEVICE, sql!("scores_of_device"));
file!(SCORES_SETTLED, sql!("scores_settled"));
file!(CONTRACTS_TOLD, sql!("contracts_told"));
file!(SCORES_TOLD, sql!("scores_told"));
file!(GAPS, sql!("gaps"));
file!(ARCHIVED, sql!("archived"));

/// Runs one file over a cut and reads its rows.
pub(crate) async fn ask<T>(
    open: &OpenCut,
    sql: &str,
    params: &[(&str, ScalarValue)],
    read: impl Fn(&Line<'_>) -> Result<T, KpiError>,
) -> Result<Vec<T>, ApiError> {
    Ok(Answer::new(run(open.session().await?, sql, params).await?)?.read(read)?)
}

pub(crate) fn text(text: &str) -> ScalarValue {
    ScalarValue::Utf8(Some(text.to_owned()))
}

pub(crate) fn int(value: i64) -> ScalarValue {
    ScalarValue::Int64(Some(value))
}

pub(crate) fn day(day: medfleet_domain::time::Day) -> ScalarValue {
    ScalarValue::Date32(Some(day.0))
}

/// The wall clock, at the rim only.
pub fn now() -> Timestamp {
    Timestamp(medfleet_runtime::now_micros())
}

/// What is believed of one subject beyond the edge of its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Head {
    pub subject: String,
    pub role: String,
    site: String,
    kind: String,
    pub agent: Option<String>,
    pub condition: String,
    pub degradation: String,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
    edge: Option<Timestamp>,
    pub author: Option<String>,
}

/// The heads whose entries a condition leaves, with the sum of their weights where that is not nothing.
pub(crate) async fn heads(session: &SessionContext, condition: &str) -> Result<Vec<(Head, i64)>, ApiError> {
    let netted = run(session, &sql!("heads_net").replace("{condition}", condition), &[]).await?;
    let heads = Answer::new(netted)?.read(|line| {
        let head = Head {
            subject: line.text("subject")?,
            role: line.text("role")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            agent: line.some_text("agent")?,
            condition: line.text("condition")?,
            degradation: line.text("degradation")?,
            from: line.time("from_us")?,
            until: line.some_time("until_us")?,
            edge: line.some_time("edge_us")?,
            author: line.some_text("author")?,
        };
        Ok((head, line.int("weight")?))
    });
    Ok(heads?)
}

/// Every device in service and what is believed of it at the time of the cut.
pub async fn live(open: &OpenCut) -> Result<Vec<LiveDevice>, ApiError> {
    match open.heads().live(open).await? {
        Some(live) => Ok(live),
        None => live_by_sql(open).await,
    }
}

/// As [`live`], from the table itself: of cuts older than the one whose heads are kept.
pub async fn live_by_sql(open: &OpenCut) -> Result<Vec<LiveDevice>, ApiError> {
    ask(open, &LIVE, &[("now", int(open.at().0))], |line| {
        Ok(LiveDevice {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            agent: line.some_text("agent")?,
            condition: line.some_text("condition")?,
            from: line.some_time("from_us")?,
            until: line.some_time("until_us")?,
            agent_seen: line.some_time("agent_seen_us")?,
            claim: line.some_text("claim_condition")?,
            claim_degradation: line.some_text("claim_degradation")?,
            claim_from: line.some_time("claim_from_us")?,
            claim_author: line.some_text("claim_author")?,
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_is_left_unnamed_and_every_file_says_what_a_row_is() {
        let whole = [&AGENTS, &LIVE, &TIMELINE, &ERRORS, &VERDICT, &GAPS, &ARCHIVED];
        for sql in whole.into_iter().map(|sql| sql.as_str()).chain([SITES, DEVICES]) {
            assert!(!sql.contains('{'), "{sql}");
            assert!(sql.starts_with("-- One row: "), "{sql}");
        }
    }
}
