//! What the desk and the sender count and show.

use medfleet_runtime::metrics::LATENCY_BUCKETS_SECONDS;
use medfleet_runtime::{Metrics, RuntimeError, Watchdog};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use crate::config::DeskConfig;

#[derive(Clone)]
pub struct DeskMeters {
    pub steps: IntCounterVec,
    pub answers: IntCounterVec,
    pub turns: IntCounter,
    pub restarts: IntCounter,
    pub differing: IntCounter,
    pub implausible: IntCounter,
    pub open: IntGauge,
    pub subjects: IntGauge,
    pub decided: Histogram,
    pub watchdog: Watchdog,
}

impl DeskMeters {
    pub fn new(metrics: &Metrics, config: &DeskConfig) -> Result<Self, RuntimeError> {
        let room = metrics.room("alerter");
        Ok(Self {
            steps: room.counter_vec("steps_total", "Steps in the lives of alerts, by what happened.", &["change"])?,
            answers: room.counter_vec("answers_total", "Requests about alerts, by verdict.", &["verdict"])?,
            turns: room.counter("turns_total", "Turns of the desk appended to the log.")?,
            restarts: room.counter("restarts_total", "Times memory was forgotten and read again.")?,
            differing: room
                .counter("differing_alerts_total", "Alerts that a restart computed otherwise than the log has them.")?,
            implausible: room.counter("implausible_facts_total", "Facts that no rule was asked about: wrong clock.")?,
            open: room.gauge("open_alerts", "Alerts that are open.")?,
            subjects: room.gauge("watched_subjects", "Subjects that rules are asked about.")?,
            decided: room.histogram(
                "decide_seconds",
                "From a record's append to the append of the steps it brought about.",
                &LATENCY_BUCKETS_SECONDS,
            )?,
            watchdog: Watchdog::new("alerter", config.stall_limit(), metrics)?,
        })
    }
}

#[derive(Clone)]
pub struct SenderMeters {
    pub intents: IntCounterVec,
    pub attempts: IntCounterVec,
    pub outcomes: IntCounterVec,
    pub repeats: IntCounter,
    pub refresh_failures: IntCounter,
    pub restarts: IntCounter,
    pub open: IntGauge,
    pub send: Histogram,
}

impl SenderMeters {
    pub fn new(metrics: &Metrics) -> Result<Self, RuntimeError> {
        let room = metrics.room("sender");
        Ok(Self {
            intents: room.counter_vec("intents_total", "Messages decided to be sent, by channel.", &["channel"])?,
            attempts: room.counter_vec("attempts_total", "Attempts to send, by channel.", &["channel"])?,
            outcomes: room.counter_vec("outcomes_total", "Ends of attempts.", &["channel", "outcome"])?,
            repeats: room.counter("repeats_total", "Attempts cut off before their outcome and made again.")?,
            refresh_failures: room
                .counter("refresh_failures_total", "Times Alertmanager did not take the open alerts again.")?,
            restarts: room.counter("restarts_total", "Times the topic was read again.")?,
            open: room.gauge("open_messages", "Messages that are neither delivered nor given up.")?,
            send: room.histogram("send_seconds", "One attempt, to its outcome.", &LATENCY_BUCKETS_SECONDS)?,
        })
    }
}
