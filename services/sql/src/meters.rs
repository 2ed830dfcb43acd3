//! What the endpoint counts.

use medfleet_runtime::metrics::LATENCY_BUCKETS_SECONDS;
use medfleet_runtime::{Metrics, RuntimeError};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

#[derive(Clone)]
pub struct Meters {
    pub connections: IntGauge,
    pub logins: IntCounterVec,
    pub statements: IntCounter,
    pub seconds: Histogram,
    pub rows: IntCounter,
    pub refusals: IntCounterVec,
    pub broken_connections: IntCounter,
    pub cut_failures: IntCounter,
}

impl Meters {
    pub fn new(metrics: &Metrics) -> Result<Self, RuntimeError> {
        let room = metrics.room("sql");
        Ok(Self {
            connections: room.gauge("open_connections", "Connections that are open.")?,
            logins: room.counter_vec("logins_total", "Logins tried, by how they ended.", &["outcome"])?,
            statements: room.counter("statements_total", "Queries begun.")?,
            seconds: room.histogram(
                "statement_seconds",
                "From a query to its last row, in messages that ran one.",
                &LATENCY_BUCKETS_SECONDS,
            )?,
            rows: room.counter("rows_total", "Rows sent.")?,
            refusals: room.counter_vec(
                "refusals_total",
                "Statements and connections refused or cut short, by SQLSTATE; every limit has its own.",
                &["sqlstate"],
            )?,
            broken_connections: room
                .counter("broken_connections_total", "Connections that ended in an error or in the middle.")?,
            cut_failures: room.counter("cut_failures_total", "Looks for a newer cut that failed.")?,
        })
    }
}
