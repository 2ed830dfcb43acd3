//! What the process counts, under one naming rule: `medfleet_<room>_<noun>_<unit>`, with `total` as the unit of every
//! counter.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{Metric, MetricType};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::error::RuntimeError;

/// What a gauge or histogram may be measured in: base units, or the things it counts.
pub const UNITS: [&str; 25] = [
    "seconds",
    "bytes",
    "ratio",
    "state",
    "info",
    "records",
    "facts",
    "batches",
    "rows",
    "files",
    "commits",
    "sessions",
    "connections",
    "devices",
    "subjects",
    "sites",
    "agents",
    "alerts",
    "messages",
    "shards",
    "segments",
    "partitions",
    "requests",
    "versions",
    "days",
];

/// From half a millisecond to a minute, for anything that waits for a disk, a broker or a query.
pub const LATENCY_BUCKETS_SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// All metrics of this process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Holds the metrics of the process itself (memory, CPU, open files) from the start.
    pub fn new() -> Result<Self, RuntimeError> {
        let metrics = Self::default();
        metrics.register("process", ProcessCollector::for_self())?;
        Ok(metrics)
    }

    /// Makes metrics whose names begin with `medfleet_<room>_`.
    pub fn room(&self, name: &'static str) -> Room {
        Room { name, metrics: self.clone() }
    }

    /// The text that Prometheus reads.
    pub fn encode(&self) -> Result<String, RuntimeError> {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .map_err(|source| RuntimeError::MetricText { source })
    }

    /// The names of all metrics that have a value, for the test that compares them with rules and dashboards.
    pub fn names(&self) -> Vec<String> {
        self.registry.gather().iter().map(|family| family.name().to_owned()).collect()
    }

    /// The sum of a counter's or gauge's values over the series that carry this label; None where there is no such series.
    pub fn value(&self, name: &str, label: Option<(&str, &str)>) -> Option<f64> {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name)?;
        let carries = |metric: &&Metric| {
            label.is_none_or(|(name, value)| {
                metric.get_label().iter().any(|pair| pair.name() == name && pair.value() == value)
            })
        };
        let values = family.get_metric().iter().filter(carries).map(|metric| match family.get_field_type() {
            MetricType::COUNTER => metric.get_counter().get_value(),
            _ => metric.get_gauge().get_value(),
        });
        values.reduce(|sum, value| sum + value)
    }

    fn register<C: Collector + 'static>(&self, name: &str, collector: C) -> Result<(), RuntimeError> {
        self.registry.register(Box::new(collector)).map_err(unusable(name))
    }
}

fn unusable(name: &str) -> impl FnOnce(prometheus::Error) -> RuntimeError {
    let name = name.to_owned();
    move |source| RuntimeError::Metric { name, source }
}

/// Makes the metrics of one room. A name is given without prefix and room: `counter("facts_total", …)`.
#[derive(Debug, Clone)]
pub struct Room {
    name: &'static str,
    metrics: Metrics,
}

impl Room {
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, RuntimeError> {
        let name = self.counter_name(name)?;
        self.keep(&name, IntCounter::new(&name, help))
    }

    pub fn counter_vec(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, RuntimeError> {
        let name = self.counter_name(name)?;
        self.keep(&name, IntCounterVec::new(Opts::new(&name, help), labels))
    }

    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, RuntimeError> {
        let name = self.measured_name(name)?;
        self.keep(&name, IntGauge::new(&name, help))
    }

    pub fn gauge_vec(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, RuntimeError> {
        let name = self.measured_name(name)?;
        self.keep(&name, IntGaugeVec::new(Opts::new(&name, help), labels))
    }

    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, RuntimeError> {
        let name = self.measured_name(name)?;
        self.keep(&name, Histogram::with_opts(HistogramOpts::new(&name, help).buckets(buckets.to_vec())))
    }

    pub fn histogram_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, RuntimeError> {
        let name = self.measured_name(name)?;
        self.keep(&name, HistogramVec::new(HistogramOpts::new(&name, help).buckets(buckets.to_vec()), labels))
    }

    fn keep<C: Collector + Clone + 'static>(&self, name: &str, made: prometheus::Result<C>) -> Result<C, RuntimeError> {
        let metric = made.map_err(unusable(name))?;
        self.metrics.register(name, metric.clone())?;
        Ok(metric)
    }

    fn counter_name(&self, name: &str) -> Result<String, RuntimeError> {
        self.full_name(name, "a counter ends in _total, after the noun that it counts", |unit| unit == "total")
    }

    fn measured_name(&self, name: &str) -> Result<String, RuntimeError> {
        self.full_name(name, "a gauge or histogram ends in its unit, after a noun (metrics::UNITS)", |unit| {
            UNITS.contains(&unit)
        })
    }

    fn full_name(&self, name: &str, rule: &'static str, fits: impl Fn(&str) -> bool) -> Result<String, RuntimeError> {
        let full = format!("medfleet_{}_{name}", self.name);
        let plain = full.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && !full.contains("__");
        let fitting = name.rsplit_once('_').is_some_and(|(noun, unit)| !noun.is_empty() && fits(unit));
        if plain && fitting { Ok(full) } else { Err(RuntimeError::MetricName { name: full, rule }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_carry_room_noun_and_unit() {
        let metrics = Metrics::new().unwrap();
        let room = metrics.room("ingest");
        room.counter("facts_total", "Facts received.").unwrap().inc_by(3);
        room.gauge_vec("session_age_seconds", "Age.", &["shard"]).unwrap().with_label_values(&["7"]).set(9);
        room.histogram("append_wait_seconds", "Wait.", &LATENCY_BUCKETS_SECONDS).unwrap().observe(0.003);
        let text = metrics.encode().unwrap();
        assert!(text.contains("medfleet_ingest_facts_total 3"), "{text}");
        assert!(text.contains("medfleet_ingest_session_age_seconds{shard=\"7\"} 9"), "{text}");
        assert!(text.contains("medfleet_ingest_append_wait_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
    }

    #[test]
    fn a_name_without_noun_or_unit_is_refused() {
        let room = Metrics::default().room("ingest");
        for name in ["facts", "total", "_total", "Facts_total", "facts__total"] {
            assert!(matches!(room.counter(name, "x"), Err(RuntimeError::MetricName { .. })), "{name} was accepted");
        }
        for name in ["lag", "lag_total", "lag_parsecs", "seconds"] {
            assert!(matches!(room.gauge(name, "x"), Err(RuntimeError::MetricName { .. })), "{name} was accepted");
        }
    }

    #[test]
    fn one_name_is_registered_once() {
        let room = Metrics::default().room("ingest");
        room.counter("facts_total", "x").unwrap();
        assert!(matches!(room.counter("facts_total", "x"), Err(RuntimeError::Metric { .. })));
    }
}
