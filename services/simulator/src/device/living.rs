//! Daily life: uses, checks, interrupts that pass by themselves, and readings of the counters.

use medfleet_domain::fact::{Body, DeviceError};
use medfleet_domain::time::{MICROS_PER_HOUR, MICROS_PER_SECOND, Timestamp};

use super::agenda::Step;
use super::{Activity, DeviceSim, Happening, SECONDS_PER_HOUR};

const SECONDS_PER_MINUTE: f64 = 60.0;
const SECONDS_PER_DAY: f64 = 86_400.0;
/// No use outlasts the 90th percentile by more than this factor.
const LONGEST_USE_FACTOR: f64 = 4.0;
/// Nobody is busier than this, however hard the device is used.
const BUSIEST_SHARE: f64 = 0.95;
/// A device that is hardly ever used looks no further ahead than this for its next use, and then asks again.
const USE_HORIZON_HOURS: u32 = 24 * 60;

/// Whole seconds, at least one: sums of seconds stay exact.
pub fn whole_seconds(seconds: f64) -> i64 {
    (seconds.round() as i64).max(1)
}

impl DeviceSim {
    /// Fills the agenda of a device that has just come into the simulation.
    pub(super) fn begin(&mut self) {
        let kind = self.device.kind.clone();
        self.put_next_use();
        self.put_next_sample();
        for (index, qa) in kind.qa.iter().enumerate() {
            let offset = self.chance.below(qa.every_days as usize) as u32;
            let at = self.device.zone.next_at(self.now, qa.local_time, offset);
            self.agenda.put(at, Step::QaStarts(index));
        }
        for index in 0..kind.interrupts.len() {
            self.put_daily_interrupt(index);
        }
        self.plan_first_maintenance();
    }

    pub(super) fn perform(&mut self, step: Step) {
        match step {
            Step::UseStarts => self.start_use(),
            Step::UseEnds => self.end_use(),
            Step::QaStarts(index) => self.start_qa(index),
            Step::QaEnds => self.idle(),
            Step::Interrupt(index) => self.interrupt(index),
            Step::DailyInterrupt(index) => {
                self.interrupt(index);
                self.put_daily_interrupt(index);
            }
            Step::StopEnds { was_in_use, left_s } => self.recover(was_in_use, left_s),
            Step::Sample => self.sample(),
            Step::MaintenanceDue(visit) => self.maintenance_due(visit),
            Step::MaintenancePlannedEnds => self.turn(Activity::Maintenance { overrun: true }),
            Step::MaintenanceEnds { visit, began } => self.end_maintenance(visit, began),
            Step::RepairStarts => self.start_repair(),
            Step::Returned => self.return_to_service(),
            Step::Say { of, body } => self.say(of, *body),
        }
    }

    /// Ready again, and waiting for the next use.
    pub(super) fn idle(&mut self) {
        self.turn(Activity::Idle);
        self.put_next_use();
    }

    fn start_use(&mut self) {
        if self.activity != Activity::Idle {
            return;
        }
        let kind = self.device.kind.clone();
        let spread = kind.usage.duration_min;
        let minutes = self.chance.spread(spread).min(spread.p90 * LONGEST_USE_FACTOR);
        let seconds = whole_seconds(minutes * SECONDS_PER_MINUTE);
        for (index, interrupt) in kind.interrupts.iter().enumerate() {
            if interrupt.every_uses.is_some_and(|uses| self.chance.happens(1.0 / uses)) {
                let into = whole_seconds(self.chance.between(0.0, seconds as f64 * 0.95));
                self.agenda.put(self.now.plus_seconds(into), Step::Interrupt(index));
            }
        }
        self.agenda.put(self.now.plus_seconds(seconds), Step::UseEnds);
        self.turn(Activity::InUse);
    }

    fn end_use(&mut self) {
        let grown = self.meters.count_use();
        for part in &mut self.parts {
            part.age += grown.of(part.clock);
        }
        self.idle();
    }

    pub(super) fn put_next_use(&mut self) {
        self.agenda.cancel(|step| *step == Step::UseStarts);
        let at = self.next_use();
        self.agenda.put(at, Step::UseStarts);
    }

    /// Uses start at a rate that keeps the device busy for its share of each local hour:
    /// with mean duration d and busy share u, one start per `d * (1 - u) / u` of free time.
    fn next_use(&mut self) -> Timestamp {
        let usage = &self.device.kind.usage;
        let mean_h = usage.duration_min.mean() / 60.0;
        let mut left = self.chance.exponential(1.0);
        let mut at = self.now;
        for _ in 0..USE_HORIZON_HOURS {
            let wall = self.device.zone.wall(at);
            let hours = if wall.is_weekend() { &usage.weekend_busy_percent } else { &usage.weekday_busy_percent };
            let busy = (hours[wall.hour()] / 100.0 * self.device.intensity).min(BUSIEST_SHARE);
            let per_hour = busy / ((1.0 - busy) * mean_h);
            let end = self.device.zone.next_hour(at);
            let expected = per_hour * (end.micros() - at.micros()) as f64 / MICROS_PER_HOUR as f64;
            if expected > left {
                return at.plus_seconds(whole_seconds(left / per_hour * SECONDS_PER_HOUR));
            }
            left -= expected;
            at = end;
        }
        at
    }

    fn start_qa(&mut self, index: usize) {
        let qa = &self.device.kind.qa[index];
        let (seconds, next) = (
            whole_seconds(qa.duration_min * SECONDS_PER_MINUTE),
            self.device.zone.next_at(self.now, qa.local_time, qa.every_days),
        );
        self.agenda.put(next, Step::QaStarts(index));
        if self.activity == Activity::Idle {
            self.agenda.cancel(|step| *step == Step::UseStarts);
            self.agenda.put(self.now.plus_seconds(seconds), Step::QaEnds);
            self.turn(Activity::Qa);
        }
    }

    fn put_daily_interrupt(&mut self, index: usize) {
        if let Some(days) = self.device.kind.interrupts[index].every_days {
            let seconds = whole_seconds(self.chance.exponential(days) * SECONDS_PER_DAY);
            self.agenda.put(self.now.plus_seconds(seconds), Step::DailyInterrupt(index));
        }
    }

    fn interrupt(&mut self, index: usize) {
        if !matches!(self.activity, Activity::Idle | Activity::InUse) {
            return;
        }
        let kind = self.device.kind.clone();
        let interrupt = &kind.interrupts[index];
        self.report_error(&interrupt.family);
        let Some(stop) = interrupt.stop_min else { return };
        let was_in_use = self.activity == Activity::InUse;
        let ends = self.agenda.cancel(|step| matches!(step, Step::UseEnds | Step::UseStarts)).unwrap_or(self.now);
        let left_s = (ends.micros() - self.now.micros()) / MICROS_PER_SECOND;
        let seconds = whole_seconds(self.chance.spread(stop) * SECONDS_PER_MINUTE);
        self.agenda.put(self.now.plus_seconds(seconds), Step::StopEnds { was_in_use, left_s });
        self.turn(Activity::Stopped);
    }

    fn recover(&mut self, was_in_use: bool, left_s: i64) {
        if was_in_use {
            self.agenda.put(self.now.plus_seconds(left_s.max(1)), Step::UseEnds);
            self.turn(Activity::InUse);
        } else {
            self.idle();
        }
    }

    fn sample(&mut self) {
        if self.activity.is_powered() {
            for reading in self.meters.read() {
                self.happen(Happening::Reported(reading));
            }
        }
        self.put_next_sample();
    }

    fn put_next_sample(&mut self) {
        let step = i64::from(self.device.kind.sample_every_h) * MICROS_PER_HOUR;
        self.agenda.put(Timestamp((self.now.micros().div_euclid(step) + 1) * step), Step::Sample);
    }

    /// The device reports an error of a family, in its maker's code.
    pub(super) fn report_error(&mut self, family: &str) {
        let kind = self.device.kind.clone();
        let spoken: Vec<_> = self.device.model().codes.iter().filter(|code| code.family == family).collect();
        let Some(meaning) = kind.family(family) else { return };
        let Some(code) = spoken.get(self.chance.below(spoken.len())) else { return };
        let error = DeviceError {
            code: code.code.clone(),
            family: family.to_owned(),
            severity: code.severity.unwrap_or(meaning.severity),
            component: code.component.clone().unwrap_or_else(|| meaning.component.clone()),
            cause_domain: code.cause_domain.unwrap_or(meaning.cause_domain).as_str().to_owned(),
            text: code.text.clone(),
        };
        let grown = self.meters.count_error(family);
        for part in &mut self.parts {
            part.age += grown.of(part.clock);
        }
        self.happen(Happening::Reported(Body::Error(error)));
    }
}
