//! Planned maintenance: visits inside a window, overruns, replacements on plan, and work carried forward until done.

use medfleet_domain::fact::Body;
use medfleet_domain::human::{Asserted, Claimed, OrderClass, OrderPhase, Phase, PmDone, PmOutcome};
use medfleet_domain::time::{Day, MICROS_PER_DAY, Span, Timestamp};

use super::agenda::Step;
use super::failing::phase_body;
use super::living::whole_seconds;
use super::{Activity, DeviceSim, SECONDS_PER_HOUR};
use crate::chance::Spread;
use crate::local::Wall;

/// Planned starts lie on quarter-hours of the working morning, local time.
const FIRST_START_MINUTE: u16 = 8 * 60;
const START_STEPS: usize = 20;
const STEP_MINUTES: u16 = 15;
const STEP_S: i64 = 15 * 60;
/// The window is this much longer than the work.
const WINDOW_FACTOR: f64 = 1.4;
/// A visit may begin until this share of its window has passed; then it is carried forward.
const LATEST_START_SHARE: f64 = 0.4;
/// A technician comes up to ten minutes early or a quarter of an hour late.
const JITTER_S: (f64, f64) = (-600.0, 900.0);
const OVERRUN_H: Spread = Spread { median: 0.7, p90: 2.5 };
const CARRIED_DAYS: (u32, usize) = (1, 3);
const PLANNED_WORK: &str = "planned maintenance";

/// One planned visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    pub order: String,
    pub due: Day,
    pub planned: Span,
}

impl DeviceSim {
    pub(super) fn plan_first_maintenance(&mut self) {
        let days = self.chance.between(0.6, f64::from(self.device.kind.pm.interval_days));
        self.plan_maintenance(self.now.plus_micros((days * MICROS_PER_DAY as f64) as i64));
    }

    fn plan_maintenance(&mut self, about: Timestamp) {
        let due = about.day();
        let order = self.next_order();
        let visit = Visit { order, due, planned: self.window(about) };
        let lead_s = i64::from(self.device.people.pm_order_lead_days) * MICROS_PER_DAY / 1_000_000;
        let opened = visit.planned.from.plus_seconds(-lead_s).max(self.now);
        let Body::Order(phase) = self.pm_phase(&visit, Phase::Opened) else { return };
        let body = Body::Order(OrderPhase { planned: Some(visit.planned), ..phase });
        self.say_later(opened, opened, body);
        self.put_visit(visit);
    }

    fn pm_phase(&self, visit: &Visit, phase: Phase) -> Body {
        phase_body(&visit.order, OrderClass::Preventive, phase, None, "", PLANNED_WORK)
    }

    /// A window on a working morning at or after `about`.
    fn window(&mut self, about: Timestamp) -> Span {
        let zone = self.device.zone;
        let minute = FIRST_START_MINUTE + STEP_MINUTES * self.chance.below(START_STEPS) as u16;
        let mut from = zone.next_at(about, minute, 0);
        while zone.wall(from).is_weekend() {
            let Wall { minute_of_day, .. } = zone.wall(from);
            from = zone.next_at(from, minute_of_day, 1);
        }
        let work_s = self.device.kind.pm.duration_h * SECONDS_PER_HOUR * WINDOW_FACTOR;
        let steps = (work_s / STEP_S as f64).ceil() as i64;
        Span { from, until: from.plus_seconds(steps * STEP_S) }
    }

    fn put_visit(&mut self, visit: Visit) {
        let jitter = self.chance.between(JITTER_S.0, JITTER_S.1).round() as i64;
        let at = visit.planned.from.plus_seconds(jitter).max(self.now.plus_seconds(1));
        self.agenda.put(at, Step::MaintenanceDue(visit));
    }

    pub(super) fn maintenance_due(&mut self, visit: Visit) {
        let window_s = (visit.planned.micros() / 1_000_000) as f64;
        let latest = visit.planned.from.plus_seconds((window_s * LATEST_START_SHARE) as i64);
        if self.episode.is_none() && self.activity == Activity::Idle {
            return self.start_maintenance(visit);
        }
        if self.episode.is_none() && self.now < latest {
            self.agenda.put(self.now.plus_seconds(STEP_S), Step::MaintenanceDue(visit));
            return;
        }
        let outcome = PmOutcome::InUse;
        self.say(self.now, pm_done(&visit, outcome));
        let days = CARRIED_DAYS.0 as usize + self.chance.below(CARRIED_DAYS.1);
        let planned = self.window(self.now.plus_micros(days as i64 * MICROS_PER_DAY));
        self.put_visit(Visit { planned, ..visit });
    }

    fn start_maintenance(&mut self, visit: Visit) {
        self.agenda.cancel(|step| *step == Step::UseStarts);
        let pm = &self.device.kind.pm;
        let planned_s = pm.duration_h * SECONDS_PER_HOUR;
        let ends = if self.chance.happens(pm.overrun_share) {
            let over = whole_seconds(self.chance.spread(OVERRUN_H) * SECONDS_PER_HOUR);
            visit.planned.until.plus_seconds(over)
        } else {
            let work = whole_seconds(planned_s * self.chance.between(0.75, 1.1));
            self.now.plus_seconds(work).min(visit.planned.until)
        };
        if visit.planned.until < ends {
            self.agenda.put(visit.planned.until, Step::MaintenancePlannedEnds);
        }
        let started = self.pm_phase(&visit, Phase::RepairStarted);
        self.say(self.now, started);
        self.agenda.put(ends, Step::MaintenanceEnds { visit, began: self.now });
        self.turn(Activity::Maintenance { overrun: false });
    }

    pub(super) fn end_maintenance(&mut self, visit: Visit, began: Timestamp) {
        let performed = Asserted {
            claim: Claimed::Maintenance { planned: Some(visit.planned) },
            until: Some(self.now),
            author: "technician".into(),
            reason: PLANNED_WORK.into(),
            order: Some(visit.order.clone()),
        };
        self.say(began, Body::Asserted(performed));
        self.say(self.now, pm_done(&visit, PmOutcome::Completed));
        let kind = self.device.kind.clone();
        for (part, component) in kind.components.iter().enumerate() {
            if component.replace_at_pm_from.is_some_and(|from| self.parts[part].age >= from) {
                self.parts[part].renew(component, &mut self.chance);
                self.replace(&component.name, true, &visit.order);
            }
        }
        let returned = self.pm_phase(&visit, Phase::ReturnedToService);
        self.say(self.now, returned);
        let paper = whole_seconds(self.chance.spread(self.device.people.paper_delay_h) * SECONDS_PER_HOUR);
        let closed = self.now.plus_seconds(paper);
        let body = self.pm_phase(&visit, Phase::Closed);
        self.say_later(closed, closed, body);
        self.idle();
        let next = self.now.plus_micros(i64::from(kind.pm.interval_days) * MICROS_PER_DAY);
        self.plan_maintenance(next);
    }
}

fn pm_done(visit: &Visit, outcome: PmOutcome) -> Body {
    Body::PmDone(PmDone {
        procedure: PLANNED_WORK.into(),
        due: Some(visit.due),
        outcome,
        order: Some(visit.order.clone()),
    })
}
