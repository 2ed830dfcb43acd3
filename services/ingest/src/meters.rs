//! What ingest counts and shows.

use medfleet_runtime::{Metrics, RuntimeError};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use crate::judge::Tally;

#[derive(Clone)]
pub struct Meters {
    facts: IntCounterVec,
    implausible: IntCounter,
    quarantined: IntCounterVec,
    pub append_retries: IntCounter,
    pub append_failures: IntCounter,
    pub stale_arrivals: IntCounter,
    pub broker_reconnects: IntCounter,
    pub receipts_unsent: IntCounter,
    pub refused_clients: IntCounter,
    pub busy_refusals: IntCounter,
    pub known_sites: IntGauge,
    pub admit_seconds: Histogram,
}

impl Meters {
    pub fn new(metrics: &Metrics) -> Result<Self, RuntimeError> {
        let room = metrics.room("ingest");
        let quarantined = room.counter_vec("quarantined_total", "Refused payloads, by reason.", &["reason"])?;
        for code in medfleet_wire::Refusal::CODES {
            quarantined.with_label_values(&[code]);
        }
        Ok(Self {
            facts: room.counter_vec(
                "facts_total",
                "Facts by fate: received is always appended plus quarantined plus held.",
                &["fate"],
            )?,
            implausible: room.counter("implausible_facts_total", "Facts kept whose time cannot be true.")?,
            quarantined,
            append_retries: room
                .counter("append_retries_total", "Appends tried again because the log did not confirm them.")?,
            append_failures: room
                .counter("append_failures_total", "Appends given up because the log did not confirm them.")?,
            receipts_unsent: room
                .counter("receipts_unsent_total", "Receipts that could not be handed to the broker.")?,
            refused_clients: room.counter("refused_clients_total", "Connections with a wrong name or password.")?,
            busy_refusals: room
                .counter("busy_refusals_total", "Messages not taken because too many were in flight.")?,
            stale_arrivals: room.counter(
                "stale_arrivals_total",
                "Messages of a connection that has ended; the broker sends them again.",
            )?,
            broker_reconnects: room
                .counter("broker_reconnects_total", "Connections to the external broker that failed or ended.")?,
            known_sites: room.gauge("known_sites", "Sites defined in the fleet topic.")?,
            admit_seconds: room.histogram(
                "admit_seconds",
                "From a batch's arrival to its durable append.",
                &medfleet_runtime::metrics::LATENCY_BUCKETS_SECONDS,
            )?,
        })
    }

    pub fn count(&self, tally: &Tally) {
        let fates = [
            ("received", tally.received),
            ("appended", tally.appended),
            ("quarantined", tally.quarantined),
            ("held", tally.held),
        ];
        for (fate, count) in fates {
            self.facts.with_label_values(&[fate]).inc_by(count);
        }
        self.implausible.inc_by(tally.implausible);
    }

    pub fn quarantined_reason(&self, code: &str) {
        self.quarantined.with_label_values(&[code]).inc();
    }
}
