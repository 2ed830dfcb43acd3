//! Gathering: facts of devices, in the order they are told, become signals with the time they could be known, and lives of parts.
//!
//! Whatever a feature may use carries the instant from which on it counts, so that a fact that is told later moves nothing before
//! it: what comes many times a day stands in `pieces`, what is said of a failure in `orders`, what may be stated anew in `dated`.
//! What became of parts is said by `labels`, which also hear what was voided and corrected, and what technicians found.

mod dated;
mod labels;
mod lives;
mod orders;
mod pieces;
mod signal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::{Body, Fact, Sample, Stretch};
use medfleet_domain::held::Held;
use medfleet_domain::human::{Claimed, ComponentReplaced, OrderPhase, PmOutcome};
use medfleet_domain::id::{DeviceId, Epoch, Seq, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Span, Timestamp};
use medfleet_risk::fate::{SILENT_DAYS, Spans};
use medfleet_risk::verdict::Verdict;

use dated::{FirstSeen, Inventory, Told};
pub use labels::Labels;
pub use lives::Part;
use orders::{Order, Turn};
pub use pieces::Cells;
use pieces::Pieces;
pub use signal::{Signal, Sort};

/// All that is gathered of a fleet.
#[derive(Debug, Default)]
pub struct Gatherer {
    devices: BTreeMap<DeviceId, Gathered>,
}

/// One device, as told.
#[derive(Debug)]
pub struct Gathered {
    /// As the fact says that was known first.
    pub site: SiteId,
    pub kind: DeviceKind,
    inventory: Inventory,
    first_seen: FirstSeen,
    last_seen: Timestamp,
    /// When it had been heard within the last days.
    heard: Spans,
    signals: Vec<Signal>,
    pieces: Pieces,
    orders: BTreeMap<Arc<str>, Order>,
    /// That the device was down, by the order that the claim names.
    claims: BTreeMap<Arc<str>, Vec<Told>>,
    /// When it began to be impaired, and when it was whole again, as the device tells.
    turns: Vec<Turn>,
    /// What labels are made of: orders, replacements, claims, and what takes them back or puts others in their place.
    stated: Vec<Held>,
    /// In the order of the log.
    verdicts: Vec<Verdict>,
    /// Components with a counter of their own, beside the counter that was known first.
    counters: BTreeMap<Arc<str>, Counter>,
    components: BTreeSet<Arc<str>>,
    names: BTreeSet<Arc<str>>,
}

/// The counter that tells the age of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    pub name: Arc<str>,
    pub known_at: Timestamp,
}

impl Gatherer {
    /// Takes in one fact about a device, under its identity.
    pub fn tell(&mut self, device: &DeviceId, site: &SiteId, kind: DeviceKind, identity: (Epoch, Seq), fact: &Fact) {
        if !self.devices.contains_key(device) {
            self.devices.insert(device.clone(), Gathered::new(site.clone(), kind, fact));
        }
        if let Some(gathered) = self.devices.get_mut(device) {
            gathered.take(site, kind, fact);
            if labels::are_made_of(&fact.body) {
                gathered.state(Held::archived(identity, (site.clone(), kind), None, false, fact));
            }
        }
    }

    /// Takes in what a technician found at an alert about a device; of a device that has told nothing there is nothing to learn.
    pub fn judge(&mut self, device: &DeviceId, verdict: Verdict) {
        if let Some(gathered) = self.devices.get_mut(device) {
            gathered.judge(verdict);
        }
    }

    /// All is told: when each failure began can be said now.
    pub fn settle(&mut self) {
        self.devices.values_mut().for_each(Gathered::settle);
    }

    /// From the first fact about any device to the last.
    pub fn watched(&self) -> Option<Span> {
        let from = self.devices.values().map(|device| device.first_seen.at()).min()?;
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
    fn new(site: SiteId, kind: DeviceKind, fact: &Fact) -> Self {
        Self {
            site,
            kind,
            inventory: Inventory::default(),
            first_seen: FirstSeen::new(Told::of(fact)),
            last_seen: fact.at,
            heard: Spans::default(),
            signals: Vec::new(),
            pieces: Pieces::default(),
            orders: BTreeMap::new(),
            claims: BTreeMap::new(),
            turns: Vec::new(),
            stated: Vec::new(),
            verdicts: Vec::new(),
            counters: BTreeMap::new(),
            components: BTreeSet::new(),
            names: BTreeSet::new(),
        }
    }

    fn take(&mut self, site: &SiteId, kind: DeviceKind, fact: &Fact) {
        let told = Told::of(fact);
        if told.known_at < self.known_from() {
            (self.site, self.kind) = (site.clone(), kind);
        }
        self.first_seen.add(told);
        self.hear(fact.at, told.known_at);
        match &fact.body {
            Body::Registered(registered) => self.inventory.state(told, registered),
            Body::Began { condition, degradation } => self.began(told, *condition, *degradation),
            Body::Stretch(stretch) => self.stretch(fact, stretch),
            Body::Error(error) => {
                let amount = f64::from(error.severity as u8);
                let (part, family) = (self.name(&error.component), self.name(&error.family));
                self.signals.push(Signal { sort: Sort::Error, part, name: family, told, amount });
            }
            Body::Usage(sample) => self.reading(told, sample),
            Body::Order(phase) => self.order(told, phase),
            Body::Asserted(asserted) if asserted.claim == Claimed::Down => {
                if let Some(order) = &asserted.order {
                    self.claims.entry(order.as_str().into()).or_default().push(told);
                }
            }
            Body::PmDone(done) if done.outcome == PmOutcome::Completed => self.happened(Sort::Maintained, "", told),
            Body::ComponentReplaced(ComponentReplaced { component, .. }) => {
                self.happened(Sort::Replaced, component, told);
            }
            _ => {}
        }
    }

    /// A sign of life at an instant, known from another on.
    fn hear(&mut self, at: Timestamp, known_at: Timestamp) {
        self.last_seen = self.last_seen.max(at);
        self.heard.add(known_at, at.plus_micros(SILENT_DAYS * MICROS_PER_DAY));
    }

    fn happened(&mut self, sort: Sort, part: &str, told: Told) {
        let (part, name) = (self.name(part), self.name(""));
        self.signals.push(Signal { sort, part, name, told, amount: 1.0 });
    }

    fn began(&mut self, told: Told, condition: Condition, degradation: Degradation) {
        let impaired = condition == Condition::UnscheduledDown || degradation != Degradation::None;
        // One that was known later was not there when this one was known.
        let before = self.turns.iter().rev().find(|turn| turn.told.known_at <= told.known_at);
        if !before.is_some_and(|turn| turn.told.at <= told.at && turn.impaired == impaired) {
            self.turns.push(Turn { told, impaired });
        }
        if condition == Condition::UnscheduledDown {
            self.happened(Sort::Stopped, "", told);
        }
    }

    fn stretch(&mut self, fact: &Fact, stretch: &Stretch) {
        let hours = (stretch.until.micros() - fact.at.micros()) as f64 / MICROS_PER_HOUR as f64;
        let ended = Told::new(stretch.until, fact.known_at);
        self.hear(ended.at, ended.known_at);
        match stretch.condition {
            Condition::Productive => self.pieces.use_of(ended, hours),
            Condition::UnscheduledDown => self.pieces.down_for(ended, hours),
            _ => {}
        }
    }

    /// Counters of the whole device tell no part's age.
    fn reading(&mut self, told: Told, sample: &Sample) {
        if sample.component.is_empty() {
            return;
        }
        let (part, name) = (self.name(&sample.component), self.name(&sample.counter));
        let counter = Counter { name: name.clone(), known_at: told.known_at };
        let first = self.counters.entry(part.clone()).or_insert_with(|| counter.clone());
        if counter.known_at < first.known_at {
            *first = counter;
        }
        self.pieces.read(part, name, told, sample.value_milli as f64 / 1_000.0);
    }

    fn order(&mut self, told: Told, phase: &OrderPhase) {
        let part = self.name(&phase.text);
        let order =
            self.orders.entry(phase.order.as_str().into()).or_insert_with(|| Order::new(told, phase, part.clone()));
        order.tell(told, phase, &part);
    }

    /// The same words share their letters.
    fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.names.get(text) {
            return known.clone();
        }
        let name: Arc<str> = text.into();
        self.names.insert(name.clone());
        name
    }

    /// From when on anything was known of it.
    pub fn known_from(&self) -> Timestamp {
        self.first_seen.known_from()
    }

    /// Make and model as they were known: each from an instant on, in order, the first from [`Self::known_from`].
    pub fn make_models(&self) -> Vec<(Timestamp, Arc<str>)> {
        self.inventory.make_models(self.known_from())
    }
}
