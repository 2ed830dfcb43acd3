//! The truth in figures: seconds by condition as lived, and as an observer with these outages can know them.

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::{Body, Severity};
use medfleet_domain::time::{MICROS_PER_HOUR, MICROS_PER_SECOND, Span, Timestamp};
use serde::Serialize;

use super::{FailureTruth, Life};
use crate::outages::{Outages, without};
use crate::plan::{Plan, PlannedDevice};

/// Figures are told of whole quarter-hours, and so is the truth beside them.
const QUARTER_MICROS: i64 = MICROS_PER_HOUR / 4;

/// Seconds spent in each condition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ConditionSeconds {
    pub productive: i64,
    pub standby: i64,
    pub engineering: i64,
    pub scheduled_down: i64,
    pub unscheduled_down: i64,
}

impl ConditionSeconds {
    fn add(&mut self, condition: Condition, micros: i64) {
        let seconds = micros / MICROS_PER_SECOND;
        match condition {
            Condition::Productive => self.productive += seconds,
            Condition::Standby => self.standby += seconds,
            Condition::Engineering => self.engineering += seconds,
            Condition::ScheduledDown => self.scheduled_down += seconds,
            Condition::UnscheduledDown => self.unscheduled_down += seconds,
            Condition::Unknown => {}
        }
    }

    pub fn total(&self) -> i64 {
        self.productive + self.standby + self.engineering + self.scheduled_down + self.unscheduled_down
    }
}

/// What is true of one device over the period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceTruth {
    pub device: String,
    pub site: String,
    pub kind: &'static str,
    /// None for a device that is registered and never heard.
    pub agent: Option<String>,
    pub lived_s: ConditionSeconds,
    /// What a correct ledger must say, outages and claims considered, once every backlog has arrived.
    pub observed_s: ConditionSeconds,
    /// Seconds in which the agent and its link to the device were up and the device showed something.
    pub heard_s: i64,
    /// Errors reported while somebody could hear them.
    pub errors_heard: usize,
    pub errors_of_major_or_worse: usize,
    pub failures: Vec<FailureTruth>,
}

/// The known truth of a fleet, for tests and for comparison beside the dashboards.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TruthSummary {
    pub seed: u64,
    pub from: String,
    pub until: String,
    pub devices: Vec<DeviceTruth>,
}

impl TruthSummary {
    /// Lives the whole fleet from the plan's start to `until`, and adds up to the last whole quarter-hour of it.
    pub fn of(plan: &Plan, until: Timestamp) -> Self {
        let outages = plan.outages(until);
        let whole = Span { from: plan.start, until: Timestamp(until.0.div_euclid(QUARTER_MICROS) * QUARTER_MICROS) };
        let device = |device| {
            let life = super::simulate(plan, device, until);
            let claimed = life.claimed(until);
            DeviceTruth::of(device, &life.within(whole), &claimed, &outages)
        };
        Self {
            seed: plan.seed,
            from: plan.start.to_string(),
            until: whole.until.to_string(),
            devices: plan.devices.iter().map(device).collect(),
        }
    }
}

impl DeviceTruth {
    fn of(device: &PlannedDevice, life: &Life, claimed: &[Span], outages: &Outages) -> Self {
        let blind = outages.blind(&device.id, device.agent.as_ref());
        let heard = |at: &Timestamp| device.agent.is_some() && !blind.iter().any(|window| window.contains(*at));
        let errors = || {
            life.reported.iter().filter(|(at, _)| heard(at)).filter_map(|(_, body)| match body {
                Body::Error(error) => Some(error.severity),
                _ => None,
            })
        };
        let mut lived_s = ConditionSeconds::default();
        for span in &life.spans {
            lived_s.add(span.condition, span.span.micros());
        }
        let shown = life.spans.iter().filter(|lived| device.agent.is_some() && lived.shown.is_some());
        let heard_micros: i64 = shown.flat_map(|lived| without(lived.span, &blind)).map(Span::micros).sum();
        Self {
            device: device.id.to_string(),
            site: device.site.to_string(),
            kind: device.kind.kind.as_str(),
            agent: device.agent.as_ref().map(ToString::to_string),
            lived_s,
            observed_s: observed(device, life, claimed, &blind),
            heard_s: heard_micros / MICROS_PER_SECOND,
            errors_heard: errors().count(),
            errors_of_major_or_worse: errors().filter(|severity| *severity >= Severity::Major).count(),
            failures: life.failures.clone(),
        }
    }
}

/// Where people speak, the truth; elsewhere what the device shows, as long as somebody listens.
fn observed(device: &PlannedDevice, life: &Life, claimed: &[Span], blind: &[Span]) -> ConditionSeconds {
    let mut seconds = ConditionSeconds::default();
    for lived in &life.spans {
        for covered in claimed.iter().filter_map(|claim| claim.clip(lived.span)) {
            seconds.add(lived.condition, covered.micros());
        }
        let Some(shown) = lived.shown.as_ref().filter(|_| device.agent.is_some()) else { continue };
        for free in without(lived.span, claimed) {
            for seen in without(free, blind) {
                seconds.add(shown.condition, seen.micros());
            }
        }
    }
    seconds
}
