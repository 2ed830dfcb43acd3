//! Failing and being mended: warnings, failures, the phases of the order, and the return to service.

use medfleet_domain::condition::Degradation;
use medfleet_domain::fact::Body;
use medfleet_domain::human::{Asserted, Claimed, ComponentReplaced, OrderClass, OrderPhase, Party, Phase};
use medfleet_domain::time::Timestamp;

use super::agenda::Step;
use super::living::whole_seconds;
use super::parts::Mark;
use super::repair::{Episode, Timeline, draw_witness};
use super::{Activity, DeviceSim, Happening, SECONDS_PER_HOUR, Witness};
use crate::catalogue::{Effect, Failure};

/// What a partly failed device has lost, drawn evenly.
const CLASSES: [Degradation; 3] = [Degradation::Minor, Degradation::Partial, Degradation::Severe];
const TECHNICIAN: &str = "technician";
const WARD: &str = "ward staff";

impl DeviceSim {
    /// A part has reached a mark of its life.
    pub(super) fn reach_mark(&mut self, part: usize) {
        let kind = self.device.kind.clone();
        let component = &kind.components[part];
        match (self.parts[part].take_mark(), &component.precursor) {
            (Some(Mark::Warning), Some(precursor)) => self.report_error(&precursor.family),
            (Some(Mark::Failure), _) => self.fail(part),
            _ => {}
        }
    }

    fn fail(&mut self, part: usize) {
        let kind = self.device.kind.clone();
        let component = &kind.components[part];
        match self.episode.take() {
            Some(mut open) => {
                open.parts.push(part);
                self.label(part, &open);
                let worsens = component.effect == Effect::Down && open.effect == Effect::Partial;
                if worsens {
                    open.effect = Effect::Down;
                }
                self.episode = Some(open);
                if worsens {
                    self.go_down();
                    self.claim_down(self.now);
                }
            }
            None => self.open_episode(part),
        }
    }

    /// Keeps the truth of a failure aside, and lets the device say what it can.
    fn label(&mut self, part: usize, episode: &Episode) {
        let component = self.device.kind.components[part].clone();
        if episode.witness != Witness::Person {
            self.report_error(&component.family);
        }
        self.happen(Happening::Failed {
            component: component.name,
            family: component.family,
            effect: component.effect,
            order: episode.order.clone(),
            witness: episode.witness,
        });
    }

    fn open_episode(&mut self, part: usize) {
        let kind = self.device.kind.clone();
        let component = &kind.components[part];
        let device = self.device.clone();
        let witness = draw_witness(&device, &mut self.chance);
        // The catalogue was checked: every repair is defined.
        let Some(repair) = kind.repairs.get(&component.repair) else { return };
        let timeline = Timeline::draw(repair, &device, self.now, &mut self.chance);
        let order = self.next_order();
        let episode = Episode { order, witness, timeline, parts: vec![part], effect: component.effect };
        self.label(part, &episode);
        self.put_order_phases(&episode, &component.name);
        self.episode = Some(episode);
        match component.effect {
            Effect::Down => {
                self.go_down();
                self.claim(self.now, timeline.reported, Claimed::Down);
            }
            Effect::Partial => {
                self.degradation = CLASSES[self.chance.below(CLASSES.len())];
                self.tell();
                self.claim(self.now, timeline.reported, Claimed::Partial(self.degradation));
            }
        }
    }

    fn put_order_phases(&mut self, episode: &Episode, component: &str) {
        let time = episode.timeline;
        let family = self.device.kind.components[episode.parts[0]].family.clone();
        let cause = self.device.kind.family(&family).map_or("device", |family| family.cause_domain.as_str());
        let phase = |phase, waiting_for| {
            phase_body(&episode.order, OrderClass::Corrective, phase, waiting_for, cause, component)
        };
        self.say_later(time.reported, time.reported, phase(Phase::Opened, Some(Party::InHouse)));
        self.say_later(time.arrived, time.arrived, phase(Phase::Arrived, None));
        if time.waiting_for.is_some() {
            self.say_later(time.arrived, time.arrived, phase(Phase::WaitingStarted, time.waiting_for));
            self.say_later(time.repair_starts, time.repair_starts, phase(Phase::WaitingEnded, time.waiting_for));
        }
        self.say_later(time.repair_starts, time.repair_starts, phase(Phase::RepairStarted, None));
        self.say_later(time.repaired, time.repaired, phase(Phase::Repaired, None));
        self.say_later(time.returned, time.returned, phase(Phase::ReturnedToService, None));
        let paper = whole_seconds(self.chance.spread(self.device.people.paper_delay_h) * SECONDS_PER_HOUR);
        let closed = time.returned.plus_seconds(paper);
        self.say_later(closed, closed, phase(Phase::Closed, None));
        self.agenda.put(time.repair_starts, Step::RepairStarts);
        self.agenda.put(time.returned, Step::Returned);
    }

    /// A person claims a condition since `from`, said at `said`; only where people are witnesses.
    fn claim(&mut self, from: Timestamp, said: Timestamp, claim: Claimed) {
        let Some(open) = self.episode.as_ref().filter(|open| open.witness != Witness::Device) else { return };
        let usable = claim == Claimed::Usable;
        let asserted = Asserted {
            claim,
            until: None,
            author: if usable { TECHNICIAN } else { WARD }.into(),
            reason: if usable { "returned to clinical use" } else { "found at use" }.into(),
            order: Some(open.order.clone()),
        };
        let said = said.min(open.timeline.returned);
        self.say_later(said, from, Body::Asserted(asserted));
    }

    fn claim_down(&mut self, from: Timestamp) {
        let delay = self.chance.spread(self.device.people.report_delay_min) * 60.0;
        self.claim(from, self.now.plus_seconds(whole_seconds(delay)), Claimed::Down);
    }

    fn go_down(&mut self) {
        self.agenda.cancel(|step| matches!(step, Step::UseStarts | Step::UseEnds | Step::QaEnds));
        self.degradation = Degradation::None;
        self.turn(Activity::Down);
    }

    /// The technician takes a device that still worked out of use.
    pub(super) fn start_repair(&mut self) {
        if self.activity == Activity::Down {
            return;
        }
        self.agenda.cancel(|step| matches!(step, Step::StopEnds { .. }));
        self.go_down();
        self.claim(self.now, self.now, Claimed::Down);
    }

    pub(super) fn return_to_service(&mut self) {
        self.claim(self.now, self.now, Claimed::Usable);
        let Some(open) = self.episode.take() else { return };
        let kind = self.device.kind.clone();
        for part in open.parts {
            let component = &kind.components[part];
            self.parts[part].renew(component, &mut self.chance);
            let worn = matches!(component.failure, Failure::Weibull { .. });
            if worn || open.timeline.waiting_for == Some(Party::Parts) {
                self.replace(&component.name, false, &open.order);
            }
        }
        self.idle();
    }

    /// A new part is in; its counters start again.
    pub(super) fn replace(&mut self, component: &str, preventive: bool, order: &str) {
        self.meters.reset(component);
        let replaced = ComponentReplaced {
            component: component.to_owned(),
            old_serial: None,
            new_serial: Some(format!("{component}-{:06}", self.chance.below(1_000_000))),
            preventive,
            order: Some(order.to_owned()),
        };
        self.say(self.now, Body::ComponentReplaced(replaced));
    }
}

/// One phase of an order, as the maintenance system states it.
pub fn phase_body(
    order: &str,
    class: OrderClass,
    phase: Phase,
    waiting_for: Option<Party>,
    cause: &str,
    text: &str,
) -> Body {
    Body::Order(OrderPhase {
        order: order.to_owned(),
        class,
        phase,
        waiting_for,
        planned: None,
        cause: cause.to_owned(),
        text: text.to_owned(),
    })
}
