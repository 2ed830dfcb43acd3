//! Turns silence into an alarm and an end: a role that has work and makes no progress must not look alive.
//!
//! [`Judge`] is the algorithm and knows no clock; [`Watchdog`] drives it. A role reports in every turn of its loop,
//! also when idle; a loop that stops turning is caught as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::error::RuntimeError;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// What a role has said so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// How often it has reported.
    pub turns: u64,
    /// How much it has done, in any unit that only grows.
    pub progress: u64,
    /// How much waits for it.
    pub lag: u64,
}

/// How a role stands at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It makes progress, has nothing to do, or is not late yet.
    Well,
    /// Work waits and nothing has moved for so long.
    Stalled { silent: Duration },
    /// It has not even reported for so long.
    Silent { silent: Duration },
}

/// Compares reports over time. Time is the time since any fixed moment.
#[derive(Debug, Clone)]
pub struct Judge {
    limit: Duration,
    last: Report,
    turned_at: Duration,
    /// When it last made progress or had nothing to do.
    well_at: Duration,
}

impl Judge {
    pub fn new(limit: Duration, now: Duration) -> Self {
        Self { limit, last: Report::default(), turned_at: now, well_at: now }
    }

    pub fn judge(&mut self, report: Report, now: Duration) -> Verdict {
        if report.turns != self.last.turns {
            self.turned_at = now;
            if report.progress != self.last.progress || report.lag == 0 {
                self.well_at = now;
            }
        }
        self.last = report;
        let late = |since: Duration| Some(now.saturating_sub(since)).filter(|silent| *silent > self.limit);
        match (late(self.turned_at), late(self.well_at)) {
            (Some(silent), _) => Verdict::Silent { silent },
            (None, Some(silent)) => Verdict::Stalled { silent },
            (None, None) => Verdict::Well,
        }
    }
}

/// Watches one role. Clones share it: the role holds one and reports, the process awaits [`Watchdog::watch`].
#[derive(Debug, Clone)]
pub struct Watchdog {
    role: &'static str,
    limit: Duration,
    shared: Arc<Shared>,
    alarm: IntGauge,
    lag: IntGauge,
}

#[derive(Debug, Default)]
struct Shared {
    turns: AtomicU64,
    progress: AtomicU64,
    lag: AtomicU64,
}

impl Watchdog {
    /// Registers `medfleet_<role>_stall_state` (1 while the alarm is on) and `medfleet_<role>_lag_records`.
    pub fn new(role: &'static str, limit: Duration, metrics: &Metrics) -> Result<Self, RuntimeError> {
        let room = metrics.room(role);
        Ok(Self {
            role,
            limit,
            shared: Arc::default(),
            alarm: room
                .gauge("stall_state", "1 when the role has work and makes no progress, or no longer reports.")?,
            lag: room.gauge("lag_records", "Log records that wait for the role, by its last report.")?,
        })
    }

    /// Called by the role in every turn of its loop: how much is done since the last report, and how much still waits.
    pub fn report(&self, done: u64, lag: u64) {
        self.shared.progress.fetch_add(done, Relaxed);
        self.shared.lag.store(lag, Relaxed);
        self.shared.turns.fetch_add(1, Relaxed);
        self.lag.set(lag.cast_signed());
    }

    fn last_report(&self) -> Report {
        Report {
            turns: self.shared.turns.load(Relaxed),
            progress: self.shared.progress.load(Relaxed),
            lag: self.shared.lag.load(Relaxed),
        }
    }

    /// Runs until the process is asked to end, or the role stands still: then raises the alarm and returns the error
    /// that must end the process with a non-zero exit code.
    pub async fn watch(&self, shutdown: &Shutdown) -> Result<(), RuntimeError> {
        let start = Instant::now();
        let mut judge = Judge::new(self.limit, Duration::ZERO);
        let mut ticks = interval((self.limit / 8).max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(now) = shutdown.unless_requested(ticks.tick()).await {
            let report = self.last_report();
            let verdict = judge.judge(report, now.saturating_duration_since(start));
            if verdict == Verdict::Well {
                continue;
            }
            self.alarm.set(1);
            tracing::error!(role = self.role, ?verdict, lag = report.lag, "role makes no progress");
            return Err(self.error(verdict, report.lag));
        }
        Ok(())
    }

    fn error(&self, verdict: Verdict, lag: u64) -> RuntimeError {
        let role = self.role;
        match verdict {
            Verdict::Silent { silent } => RuntimeError::Silent { role, silent },
            Verdict::Stalled { silent } => RuntimeError::Stalled { role, silent, lag },
            Verdict::Well => RuntimeError::Silent { role, silent: Duration::ZERO },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn judge(reports: &[(u64, u64, u64)]) -> Vec<Verdict> {
        let mut judge = Judge::new(LIMIT, Duration::ZERO);
        let judged = reports.iter().enumerate().map(|(turn, &(at, progress, lag))| {
            judge.judge(Report { turns: turn as u64 + 1, progress, lag }, seconds(at))
        });
        judged.collect()
    }

    #[test]
    fn progress_however_slow_is_well() {
        assert_eq!(judge(&[(20, 1, 900), (40, 2, 950), (60, 3, 999)]), [Verdict::Well; 3]);
    }

    #[test]
    fn idling_without_lag_is_well_for_ever() {
        assert_eq!(judge(&[(20, 5, 0), (40, 5, 0), (9_000, 5, 0)]), [Verdict::Well; 3]);
    }

    #[test]
    fn lag_without_progress_is_a_stall_only_after_the_limit() {
        let verdicts = judge(&[(10, 5, 0), (20, 5, 3), (40, 5, 3), (41, 5, 4)]);
        assert_eq!(verdicts, [Verdict::Well, Verdict::Well, Verdict::Well, Verdict::Stalled { silent: seconds(31) }]);
    }

    #[test]
    fn a_role_that_stops_reporting_is_silent_even_without_lag() {
        let mut judge = Judge::new(LIMIT, Duration::ZERO);
        let report = Report { turns: 1, progress: 5, lag: 0 };
        assert_eq!(judge.judge(report, seconds(1)), Verdict::Well);
        assert_eq!(judge.judge(report, seconds(31)), Verdict::Well);
        assert_eq!(judge.judge(report, seconds(32)), Verdict::Silent { silent: seconds(31) });
    }

    #[test]
    fn a_role_that_never_reports_is_silent() {
        assert_eq!(
            Judge::new(LIMIT, Duration::ZERO).judge(Report::default(), seconds(31)),
            Verdict::Silent { silent: seconds(31) }
        );
    }

    #[tokio::test]
    async fn silence_raises_the_alarm_and_ends_the_watch() {
        let metrics = Metrics::default();
        let watchdog = Watchdog::new("processor", Duration::from_millis(20), &metrics).unwrap();
        watchdog.report(1, 7);
        let error = watchdog.watch(&Shutdown::new()).await.unwrap_err();
        assert!(matches!(error, RuntimeError::Silent { role: "processor", .. }), "{error}");
        assert!(metrics.encode().unwrap().contains("medfleet_processor_stall_state 1"));
    }

    #[tokio::test]
    async fn a_request_to_end_ends_the_watch_well() {
        let watchdog = Watchdog::new("processor", LIMIT, &Metrics::default()).unwrap();
        let shutdown = Shutdown::new();
        shutdown.request();
        watchdog.watch(&shutdown).await.unwrap();
    }
}
