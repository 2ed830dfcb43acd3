//! Gathering: facts of devices, in the order they are told, become signals with the time they could be known, and lives of parts.

mod lives;
mod signal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::{Body, Fact, Stretch};
use medfleet_domain::human::{Claimed, ComponentReplaced, OrderClass, OrderPhase, Phase, PmOutcome};
use medfleet_domain::id::{DeviceId, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_HOUR, Span, Timestamp};

pub use lives::Part;
use signal::Sums;
pub use signal::{Signal, Sort};

/// All that is gathered of a fleet.
#[derive(Debug, Default)]
pub struct Gatherer {
    devices: BTreeMap<DeviceId, Gathered>,
}

/// One device, as told.
#[derive(Debug)]
pub struct Gathered {
    pub site: SiteId,
    pub kind: DeviceKind,
    pub make_model: Arc<str>,
    pub in_service: Option<Day>,
    pub first_seen: Timestamp,
    last_seen: Timestamp,
    signals: Vec<Signal>,
    sums: Sums,
    orders: BTreeMap<String, Order>,
    /// When it began to be impaired, and when it was whole again, as the device tells.
    turns: Vec<(Timestamp, bool)>,
    /// Taken out on plan, by component.
    taken_out: BTreeMap<Arc<str>, Vec<Timestamp>>,
    /// Components with a counter of their own, beside its name.
    counters: BTreeMap<Arc<str>, Arc<str>>,
    components: BTreeSet<Arc<str>>,
}

/// An order as its phases tell.
#[derive(Debug, Clone)]
struct Order {
    corrective: bool,
    component: Arc<str>,
    opened: Timestamp,
    known: Timestamp,
    claimed: Option<Timestamp>,
    started: Option<Timestamp>,
    /// When the device began to fail, as far as all that was told can say.
    onset: Option<Timestamp>,
    returned: Option<(Timestamp, Timestamp)>,
}

impl Gatherer {
    /// Takes in one fact about a device.
    pub fn tell(&mut self, device: &DeviceId, site: &SiteId, kind: DeviceKind, fact: &Fact) {
        let new = || Gathered::new(site.clone(), kind, fact.at);
        self.devices.entry(device.clone()).or_insert_with(new).take(fact);
    }

    /// All is told: when each failure began can be said now.
    pub fn settle(&mut self) {
        self.devices.values_mut().for_each(Gathered::settle);
    }

    /// From the first fact about any device to the last.
    pub fn watched(&self) -> Option<Span> {
        let from = self.devices.values().map(|device| device.first_seen).min()?;
        Span::new(from, self.devices.values().map(|device| device.last_seen).max()?).ok()
    }

    pub fn device(&self, name: &DeviceId) -> Option<&Gathered> {
        self.devices.get(name)
    }

    /// All devices by name. Their place in this order is their number in signals and frames.
    pub fn devices(&self) -> impl Iterator<Item = (&DeviceId, &Gathered)> {
        self.devices.iter()
    }
}

impl Gathered {
    fn new(site: SiteId, kind: DeviceKind, at: Timestamp) -> Self {
        Self {
            site,
            kind,
            make_model: "unknown".into(),
            in_service: None,
            first_seen: at,
            last_seen: at,
            signals: Vec::new(),
            sums: Sums::default(),
            orders: BTreeMap::new(),
            turns: Vec::new(),
            taken_out: BTreeMap::new(),
            counters: BTreeMap::new(),
            components: BTreeSet::new(),
        }
    }

    fn take(&mut self, fact: &Fact) {
        self.first_seen = self.first_seen.min(fact.at);
        self.last_seen = self.last_seen.max(fact.at);
        match &fact.body {
            Body::Registered(registered) => {
                self.make_model = format!("{} {}", registered.make, registered.model).into();
                self.in_service = registered.in_service;
            }
            Body::Began { condition, degradation } => self.began(fact, *condition, *degradation),
            Body::Stretch(stretch) => self.stretch(fact, stretch),
            Body::Error(error) => {
                let amount = f64::from(error.severity as u8);
                let part: Arc<str> = error.component.as_str().into();
                self.signals.push(Signal::new(Sort::Error, &part, &error.family, fact.at, fact.known_at, amount));
            }
            Body::Usage(sample) => {
                let value = sample.value_milli as f64 / 1_000.0;
                let (counter, part): (Arc<str>, Arc<str>) =
                    (sample.counter.as_str().into(), sample.component.as_str().into());
                if !part.is_empty() {
                    self.counters.entry(part.clone()).or_insert_with(|| counter.clone());
                }
                self.sums.reading(&part, &counter, fact.at, fact.known_at, value);
            }
            Body::Order(phase) => self.order(fact, phase),
            Body::Asserted(asserted) if asserted.claim == Claimed::Down => {
                let claimed = asserted.order.as_ref().and_then(|order| self.orders.get_mut(order));
                if let Some(order) = claimed {
                    order.claimed = Some(order.claimed.map_or(fact.at, |known| known.min(fact.at)));
                }
            }
            Body::PmDone(done) if done.outcome == PmOutcome::Completed => self.whole(Sort::Maintained, fact),
            Body::ComponentReplaced(replaced) => self.replaced(fact, replaced),
            _ => {}
        }
    }

    /// A signal of the device as a whole.
    fn whole(&mut self, sort: Sort, fact: &Fact) {
        self.signals.push(Signal::new(sort, &"".into(), "", fact.at, fact.known_at, 1.0));
    }

    fn began(&mut self, fact: &Fact, condition: Condition, degradation: Degradation) {
        let impaired = condition == Condition::UnscheduledDown || degradation != Degradation::None;
        let told = self.turns.last().is_some_and(|(at, known)| *at <= fact.at && *known == impaired);
        if !told {
            self.turns.push((fact.at, impaired));
        }
        if condition == Condition::UnscheduledDown {
            self.whole(Sort::Stopped, fact);
        }
    }

    fn stretch(&mut self, fact: &Fact, stretch: &Stretch) {
        let hours = exact((stretch.until.micros() - fact.at.micros()) as f64 / MICROS_PER_HOUR as f64);
        self.last_seen = self.last_seen.max(stretch.until);
        let sort = match stretch.condition {
            Condition::Productive => Sort::InUse,
            Condition::UnscheduledDown => Sort::Down,
            _ => return,
        };
        self.sums.add(sort, stretch.until, fact.known_at, hours);
    }

    fn order(&mut self, fact: &Fact, phase: &OrderPhase) {
        let order = self.orders.entry(phase.order.clone()).or_insert_with(|| Order {
            corrective: phase.class == OrderClass::Corrective,
            component: phase.text.as_str().into(),
            opened: fact.at,
            known: fact.known_at,
            claimed: None,
            started: None,
            onset: None,
            returned: None,
        });
        match phase.phase {
            Phase::Opened if order.corrective => {
                self.components.insert(order.component.clone());
            }
            Phase::RepairStarted => order.started = Some(fact.at),
            Phase::ReturnedToService => order.returned = Some((fact.at, fact.known_at)),
            _ => {}
        }
    }

    fn replaced(&mut self, fact: &Fact, replaced: &ComponentReplaced) {
        let part: Arc<str> = replaced.component.as_str().into();
        self.signals.push(Signal::new(Sort::Replaced, &part, "", fact.at, fact.known_at, 1.0));
        if replaced.preventive {
            self.taken_out.entry(part).or_default().push(fact.at);
        }
    }

    /// When somebody would have heard of it: from the first fact to the last.
    pub fn watched(&self) -> Option<Span> {
        Span::new(self.first_seen, self.last_seen).ok()
    }
}

/// To the nearest 1024th of an hour, 3.5 s: sums of such figures are exact, whatever the order in which a query takes them.
fn exact(hours: f64) -> f64 {
    (hours * 1_024.0).round() / 1_024.0
}
