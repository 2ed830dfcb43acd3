//! What the desk and the sender count and show.

use medfleet_domain::alert::life::Alert;
use medfleet_runtime::metrics::LATENCY_BUCKETS_SECONDS;
use medfleet_runtime::{Metrics, RuntimeError, Watchdog};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::config::DeskConfig;

#[derive(Clone)]
pub struct DeskMeters {
    pub steps: IntCounterVec,
    pub answers: IntCounterVec,
    pub turns: IntCounter,
    pub restarts: IntCounter,
    pub differing: IntCounter,
    pub implausible: IntCounter,
    pub demotions: IntCounter,
    pub open: IntGaugeVec,
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
            demotions: room.counter("demoted_voices_total", "Voices that went beyond their budget of false alerts.")?,
            open: room.gauge_vec("open_alerts", "Alerts that are open.", &["site", "urgency", "rule", "taken"])?,
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

impl DeskMeters {
    /// How many alerts are open, of which site and rule, and whether somebody has taken them.
    pub fn show_open<'a>(&self, alerts: impl Iterator<Item = &'a Alert>) {
        self.open.reset();
        for alert in alerts.filter(|alert| alert.is_open()) {
            let (about, taken) = (&alert.about, alert.acknowledged_by.is_some());
            let taken = if taken { "yes" } else { "no" };
            let labels = [about.site.as_str(), about.urgency.as_str(), &about.rule, taken];
            self.open.with_label_values(&labels).inc();
        }
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
    pub untold: IntGauge,
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
            untold: room.gauge("untold_alerts", "Open alerts that want attention and for which nobody is on call.")?,
            send: room.histogram("send_seconds", "One attempt, to its outcome.", &LATENCY_BUCKETS_SECONDS)?,
        })
    }
}
