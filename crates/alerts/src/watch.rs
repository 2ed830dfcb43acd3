//! What is known of each subject, as far as alerts need it: how it is, who works on it, what is planned, when it was heard.

use std::collections::BTreeMap;

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::{Body, Sample};
use medfleet_domain::human::{Claimed, OrderClass, OrderPhase, Phase, PmOutcome};
use medfleet_domain::id::{AgentId, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::order::Stewardship;
use medfleet_domain::time::{MICROS_PER_DAY, Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rule::When;

/// For so long after a repair a device says nothing about its next failure.
const INFECTED_MICROS: i64 = 20 * MICROS_PER_DAY;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    pub site: SiteId,
    pub kind: DeviceKind,
    pub agent: Option<AgentId>,
    /// The latest moment of which the subject itself has told.
    pub heard_at: Option<Timestamp>,
    /// The condition told of the latest moment, and since when it has lasted without a break.
    shown: Option<(Timestamp, Condition)>,
    shown_since: Option<Timestamp>,
    /// A person's open claim of down, and since when.
    claimed_down: Option<Timestamp>,
    claim_said: Option<Timestamp>,
    /// Corrective orders that are open.
    orders: BTreeMap<String, Timestamp>,
    /// Preventive orders that are not done, with their window.
    planned: BTreeMap<String, Span>,
    returned_at: Option<Timestamp>,
    retired: bool,
    /// Judges what people ask about orders here, as the ledger does.
    stewardship: Stewardship,
    /// The instant of the latest score, by horizon.
    scored_at: BTreeMap<u32, Timestamp>,
    /// The latest reading of each counter.
    readings: BTreeMap<String, Reading>,
}

/// What a counter showed, and of which part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    at: Timestamp,
    part: String,
    value_milli: i64,
}

/// What a fact changed about failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It fails, since then.
    Fails(Timestamp),
    /// It works again, since then.
    Works(Timestamp),
    /// It failed then, and that is over: something newer is known.
    HadFailed(Timestamp),
    Nothing,
}

/// The part that a counter wears; the counter itself where it names none.
pub fn worn_part(sample: &Sample) -> &str {
    if sample.component.is_empty() { &sample.counter } else { &sample.component }
}

impl Watch {
    pub fn new(site: &SiteId, kind: DeviceKind, agent: Option<&AgentId>) -> Self {
        Self {
            site: site.clone(),
            kind,
            agent: agent.cloned(),
            heard_at: None,
            shown: None,
            shown_since: None,
            claimed_down: None,
            claim_said: None,
            orders: BTreeMap::new(),
            planned: BTreeMap::new(),
            returned_at: None,
            retired: false,
            stewardship: Stewardship::default(),
            scored_at: BTreeMap::new(),
            readings: BTreeMap::new(),
        }
    }

    pub const fn is_retired(&self) -> bool {
        self.retired
    }

    /// Since when it fails: by its own word, or by a person's, which outlives silence.
    pub fn failing_since(&self) -> Option<Timestamp> {
        let shows = self.shown.is_some_and(|(_, condition)| condition == Condition::UnscheduledDown);
        let own = self.shown_since.filter(|_| shows);
        match (own, self.claimed_down) {
            (Some(own), Some(claimed)) => Some(own.min(claimed)),
            (own, claimed) => own.or(claimed),
        }
    }

    /// Preventive orders beside the window in which they were to be done.
    pub fn planned(&self) -> impl Iterator<Item = (&str, Span)> {
        self.planned.iter().map(|(order, window)| (order.as_str(), *window))
    }

    /// Whether a problem of this sort is no news now: work is planned or under way, or the device has just been mended.
    pub fn suppresses(&self, when: When, now: Timestamp) -> bool {
        if self.retired {
            return true;
        }
        let planned = self.planned.values().any(|window| window.contains(now))
            || self.shown.is_some_and(|(_, condition)| condition == Condition::ScheduledDown);
        let worked_on = !self.orders.is_empty();
        let infected = self.returned_at.is_some_and(|returned| now.micros() - returned.micros() < INFECTED_MICROS);
        match when {
            When::DeviceFailed | When::DeviceError | When::DeviceSilent => planned || worked_on,
            When::LifeNear => worked_on || planned,
            When::AtRisk => worked_on || planned || infected,
            When::AgentSilent | When::SiteSilent | When::PmOverdue => false,
        }
    }

    /// Whether a score of this horizon and instant is newer than the last.
    pub fn is_news(&self, horizon_hours: u32, at: Timestamp) -> bool {
        self.scored_at.get(&horizon_hours).is_none_or(|last| *last < at)
    }

    pub fn scored(&mut self, horizon_hours: u32, at: Timestamp) {
        self.scored_at.insert(horizon_hours, at);
    }

    /// Takes a fact in, and says what it changed about failing.
    pub fn observe(&mut self, at: Timestamp, body: &Body) -> Turn {
        self.stewardship.observe(body);
        match body {
            Body::Requested(request) => {
                let Ok(decision) = self.stewardship.decide(request) else { return Turn::Nothing };
                self.stewardship.evolve(&decision);
                let stated = self.stewardship.stated(&decision, &request.ask);
                stated.map_or(Turn::Nothing, |body| self.observe(at, &body))
            }
            Body::Began { condition, .. } => self.show(at, at, *condition),
            Body::Stretch(stretch) => self.show(at, stretch.until, stretch.condition),
            Body::Usage(sample) => {
                self.read(at, sample);
                self.hear(at);
                Turn::Nothing
            }
            Body::Error(_) | Body::Heartbeat => {
                self.hear(at);
                Turn::Nothing
            }
            Body::Asserted(asserted) => self.claim(at, asserted.until, asserted.claim),
            Body::Order(phase) => self.order(at, phase),
            Body::PmDone(done) => {
                if let (PmOutcome::Completed, Some(order)) = (done.outcome, &done.order) {
                    self.planned.remove(order);
                }
                Turn::Nothing
            }
            Body::Registered(_) => {
                self.retired = false;
                Turn::Nothing
            }
            Body::Retired(_) => {
                self.retired = true;
                Turn::Nothing
            }
            _ => Turn::Nothing,
        }
    }

    /// The greatest share of its life that a part has used, by the counters for which a rule knows a limit.
    pub fn life_used(&self, part: &str, limits: &BTreeMap<String, f64>) -> f64 {
        let of_part = self.readings.iter().filter(|(_, reading)| reading.part == part);
        let used = of_part
            .filter_map(|(counter, reading)| Some(reading.value_milli as f64 / (1_000.0 * limits.get(counter)?)));
        used.fold(0.0, f64::max)
    }

    /// Readings follow each other by the time they speak of; an earlier one says nothing of the present.
    fn read(&mut self, at: Timestamp, sample: &Sample) {
        if self.readings.get(&sample.counter).is_some_and(|known| at < known.at) {
            return;
        }
        let (part, value_milli) = (worn_part(sample).to_owned(), sample.value_milli);
        self.readings.insert(sample.counter.clone(), Reading { at, part, value_milli });
    }

    fn hear(&mut self, at: Timestamp) {
        self.heard_at = Some(self.heard_at.map_or(at, |heard| heard.max(at)));
    }

    fn show(&mut self, from: Timestamp, until: Timestamp, condition: Condition) -> Turn {
        let before = self.failing_since();
        self.hear(until);
        if self.shown.is_some_and(|(latest, _)| from < latest) {
            let over = condition == Condition::UnscheduledDown && self.shown_since.is_some_and(|since| from < since);
            return if over && before.is_none() { Turn::HadFailed(from) } else { Turn::Nothing };
        }
        if self.shown.is_none_or(|(_, shown)| shown != condition) {
            self.shown_since = Some(from);
        }
        self.shown = Some((until, condition));
        self.turned(before, from)
    }

    /// Claims follow each other by the time they speak of; one that speaks of an earlier time changes nothing any more.
    fn claim(&mut self, from: Timestamp, until: Option<Timestamp>, claim: Claimed) -> Turn {
        let before = self.failing_since();
        if self.claim_said.is_some_and(|said| from < said) || until.is_some() {
            return Turn::Nothing;
        }
        self.claim_said = Some(from);
        match claim {
            Claimed::Down => {
                self.claimed_down.get_or_insert(from);
            }
            Claimed::Usable => self.claimed_down = None,
            Claimed::Partial(_) | Claimed::Maintenance { .. } => {}
        }
        self.turned(before, from)
    }

    fn order(&mut self, at: Timestamp, phase: &OrderPhase) -> Turn {
        let done = matches!(phase.phase, Phase::ReturnedToService | Phase::Closed | Phase::Cancelled);
        match (phase.class, done) {
            (OrderClass::Corrective, false) => {
                self.orders.entry(phase.order.clone()).or_insert(at);
            }
            (OrderClass::Corrective, true) => {
                let was_open = self.orders.remove(&phase.order).is_some();
                if was_open && phase.phase != Phase::Cancelled {
                    self.returned_at = self.returned_at.max(Some(at));
                }
            }
            (_, true) => {
                self.planned.remove(&phase.order);
            }
            (_, false) => {
                if let Some(window) = phase.planned {
                    self.planned.insert(phase.order.clone(), window);
                }
            }
        }
        Turn::Nothing
    }

    fn turned(&self, before: Option<Timestamp>, at: Timestamp) -> Turn {
        match (before, self.failing_since()) {
            (None, Some(since)) => Turn::Fails(since),
            (Some(_), None) => Turn::Works(at),
            _ => Turn::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::human::Registration;
    use medfleet_domain::order::{Ask, Request};

    #[test]
    fn an_order_that_was_asked_for_and_granted_is_an_order() {
        let mut watch = Watch::new(&SiteId::new("st-mary").expect("a name"), DeviceKind::Ct, None);
        let registration = Registration {
            kind: DeviceKind::Ct,
            make: String::new(),
            model: String::new(),
            serial: "SN-1".into(),
            department: String::new(),
            room: String::new(),
            asset_number: None,
            in_service: None,
            acquisition_cost_cents: None,
            end_of_support: None,
            cost_centre: None,
            ownership: None,
        };
        let ask = |ask| Body::Requested(Request { id: "r-1".into(), author: "kim".into(), ask });
        let (order, now) = ("wo-1".to_owned(), Timestamp::from_seconds(1_000));
        let open = ask(Ask::OpenOrder { order: order.clone(), class: OrderClass::Corrective, text: String::new() });
        watch.observe(now, &open);
        assert!(!watch.suppresses(When::DeviceFailed, now), "refused: it is not registered");
        watch.observe(now, &ask(Ask::Register(registration)));
        watch.observe(now, &open);
        assert!(watch.suppresses(When::DeviceFailed, now));
        watch.observe(now, &ask(Ask::AdvanceOrder { order, phase: Phase::Closed, waiting_for: None }));
        assert!(!watch.suppresses(When::DeviceFailed, now));
    }
}
