//! What an agent counts. Registered once per process, because one process may run several agents.

use medfleet_domain::id::AgentId;
use medfleet_runtime::{Metrics, RuntimeError};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// The metrics of all agents of this process.
#[derive(Debug, Clone)]
pub struct AgentMetrics {
    accepted: IntCounterVec,
    published: IntCounterVec,
    corrected: IntCounterVec,
    batches: IntCounterVec,
    resent: IntCounterVec,
    receipted: IntCounterVec,
    held: IntCounterVec,
    poison: IntCounterVec,
    refused: IntCounterVec,
    stale_receipts: IntCounterVec,
    dropped_receipts: IntCounterVec,
    reconnects: IntCounterVec,
    journal_bytes: IntGaugeVec,
    full: IntGaugeVec,
    unreceipted: IntGaugeVec,
    oldest_unreceipted: IntGaugeVec,
    linked: IntGaugeVec,
}

/// The metrics of one agent.
#[derive(Debug, Clone)]
pub struct OwnMetrics {
    pub accepted: IntCounter,
    pub published: IntCounter,
    pub corrected: IntCounter,
    pub batches: IntCounter,
    pub resent: IntCounter,
    pub receipted: IntCounter,
    pub held: IntCounter,
    pub poison: IntCounter,
    pub refused_full: IntCounter,
    pub refused_subjects: IntCounter,
    pub refused_other: IntCounter,
    pub stale_receipts: IntCounter,
    pub dropped_receipts: IntCounter,
    pub reconnects: IntCounter,
    pub journal_bytes: IntGauge,
    pub full: IntGauge,
    pub unreceipted: IntGauge,
    pub oldest_unreceipted: IntGauge,
    pub linked: IntGauge,
}

impl AgentMetrics {
    pub fn register(metrics: &Metrics) -> Result<Self, RuntimeError> {
        let room = metrics.room("agent");
        let by_agent = ["agent"];
        Ok(Self {
            accepted: room.counter_vec("accepted_facts_total", "Facts that are durable in the journal.", &by_agent)?,
            published: room.counter_vec(
                "published_facts_total",
                "Facts handed to the link, repeats included.",
                &by_agent,
            )?,
            corrected: room.counter_vec(
                "corrected_site_facts_total",
                "Facts handed to the link under the agent's site because nobody defined the one they were accepted under.",
                &by_agent,
            )?,
            batches: room.counter_vec(
                "published_batches_total",
                "Batches handed to the link, repeats included.",
                &by_agent,
            )?,
            resent: room.counter_vec(
                "resent_batches_total",
                "Batches handed to the link again for want of a receipt.",
                &by_agent,
            )?,
            receipted: room.counter_vec(
                "receipted_facts_total",
                "Facts that are durable in the event log.",
                &by_agent,
            )?,
            held: room.counter_vec(
                "held_facts_total",
                "Facts that ingest asked to keep and send again later.",
                &by_agent,
            )?,
            poison: room.counter_vec(
                "poison_facts_total",
                "Facts that ingest refused for good; a tombstone stands for each.",
                &by_agent,
            )?,
            refused: room.counter_vec(
                "refused_observations_total",
                "Observations refused to their source.",
                &["agent", "reason"],
            )?,
            stale_receipts: room.counter_vec(
                "stale_receipts_total",
                "Receipts that answered no batch in flight.",
                &by_agent,
            )?,
            dropped_receipts: room.counter_vec(
                "dropped_receipts_total",
                "Receipts lost inside the agent; their batches go again.",
                &by_agent,
            )?,
            reconnects: room.counter_vec(
                "reconnects_total",
                "Attempts to reach the broker that failed or ended.",
                &by_agent,
            )?,
            journal_bytes: room.gauge_vec("journal_used_bytes", "Journal segments on disk.", &by_agent)?,
            full: room.gauge_vec("full_state", "1 while the journal has no room and nothing is accepted.", &by_agent)?,
            unreceipted: room.gauge_vec("unreceipted_facts", "Facts in the journal without a receipt.", &by_agent)?,
            oldest_unreceipted: room.gauge_vec(
                "oldest_unreceipted_seconds",
                "Age of the oldest fact without a receipt.",
                &by_agent,
            )?,
            linked: room.gauge_vec(
                "link_state",
                "1 while the broker is connected and receipts are subscribed.",
                &by_agent,
            )?,
        })
    }

    pub fn of(&self, agent: &AgentId) -> OwnMetrics {
        let own = |counters: &IntCounterVec| counters.with_label_values(&[agent.as_str()]);
        let gauge = |gauges: &IntGaugeVec| gauges.with_label_values(&[agent.as_str()]);
        OwnMetrics {
            accepted: own(&self.accepted),
            published: own(&self.published),
            corrected: own(&self.corrected),
            batches: own(&self.batches),
            resent: own(&self.resent),
            receipted: own(&self.receipted),
            held: own(&self.held),
            poison: own(&self.poison),
            refused_full: self.refused.with_label_values(&[agent.as_str(), "journal_full"]),
            refused_subjects: self.refused.with_label_values(&[agent.as_str(), "too_many_subjects"]),
            refused_other: self.refused.with_label_values(&[agent.as_str(), "invalid"]),
            stale_receipts: own(&self.stale_receipts),
            dropped_receipts: own(&self.dropped_receipts),
            reconnects: own(&self.reconnects),
            journal_bytes: gauge(&self.journal_bytes),
            full: gauge(&self.full),
            unreceipted: gauge(&self.unreceipted),
            oldest_unreceipted: gauge(&self.oldest_unreceipted),
            linked: gauge(&self.linked),
        }
    }
}
