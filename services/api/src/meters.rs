//! What the api counts.

use medfleet_runtime::metrics::LATENCY_BUCKETS_SECONDS;
use medfleet_runtime::{Metrics, RuntimeError};
use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGauge};

#[derive(Clone)]
pub struct Meters {
    pub requests: IntCounterVec,
    pub seconds: HistogramVec,
    pub cut_age_seconds: IntGauge,
    pub log_lag_records: IntGauge,
    pub live_connections: IntGauge,
    pub live_resyncs: IntCounter,
    pub refused_connections: IntCounter,
    pub cut_failures: IntCounter,
}

impl Meters {
    pub fn new(metrics: &Metrics) -> Result<Self, RuntimeError> {
        let room = metrics.room("api");
        Ok(Self {
            requests: room.counter_vec(
                "requests_total",
                "Requests answered, by route and status.",
                &["route", "status"],
            )?,
            seconds: room.histogram_vec(
                "answer_seconds",
                "From request to answer.",
                &["route"],
                &LATENCY_BUCKETS_SECONDS,
            )?,
            cut_age_seconds: room.gauge("cut_age_seconds", "Age of the newest cut.")?,
            log_lag_records: room
                .gauge("log_lag_records", "Records in the log that the newest cut does not contain.")?,
            live_connections: room.gauge("live_connections", "Open event streams.")?,
            live_resyncs: room.counter("live_resyncs_total", "Event streams told to read everything again.")?,
            refused_connections: room
                .counter("refused_connections_total", "Connections that failed their TLS handshake.")?,
            cut_failures: room.counter("cut_failures_total", "Looks for a newer cut that failed.")?,
        })
    }
}
