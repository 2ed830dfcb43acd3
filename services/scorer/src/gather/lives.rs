//! Lives of parts: when each failed, was mended or was taken out, and how old it was on its own clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_domain::time::{MICROS_PER_DAY, Span, Timestamp};
use medfleet_risk::fate::{Failure, PartHistory, Presence};
use medfleet_risk::voice::hazard::PartLife;

use super::dated::Told;
use super::orders::Order;
use super::{Cells, Counter, Gathered, Signal, Sort};

/// One part of one device.
#[derive(Debug, Clone)]
pub struct Part {
    pub component: Arc<str>,
    /// The counter that tells its age; None for one that ages by the day.
    pub counter: Option<Counter>,
    /// When it can be spoken of, by what was known.
    pub presence: Presence,
}

impl Gathered {
    /// Components of which an order or a verdict tells.
    pub fn components(&self) -> impl Iterator<Item = &Arc<str>> {
        self.components.iter()
    }

    /// All signals that the asked instants can see.
    pub fn signals(&self, asked: &Cells) -> Vec<Signal> {
        let none: Arc<str> = "".into();
        let whole =
            |sort: Sort, told: Told, amount: f64| Signal { sort, part: none.clone(), name: none.clone(), told, amount };
        let mut signals: Vec<Signal> =
            self.signals.iter().filter(|one| asked.see(one.sort, one.told)).cloned().collect();
        signals.extend(self.pieces.hours(asked).map(|(sort, told, hours)| whole(sort, told, hours)));
        for (part, counter) in &self.counters {
            let read = |(told, amount): (Told, f64)| Signal {
                sort: Sort::Reading,
                part: part.clone(),
                name: counter.name.clone(),
                told,
                amount,
            };
            signals.extend(self.pieces.edges(part, &counter.name, asked).into_iter().map(read));
        }
        signals.extend(self.orders.iter().flat_map(|(name, order)| order.signals(name)));
        signals.extend(self.first_seen.steps().iter().map(|told| whole(Sort::Seen, *told, 1.0)));
        let in_service = self.inventory.in_service();
        signals.extend(in_service.map(|(told, day)| whole(Sort::InService, told, f64::from(day.0))));
        signals
    }

    /// Failures of the device as a whole, with all that is known, in order of onset.
    pub fn failures(&self) -> Vec<Failure> {
        self.labels(Timestamp::MAX).failures(&self.components)
    }

    /// The part of this name.
    pub fn part(&self, component: &Arc<str>) -> Part {
        let presence = self.presence(component);
        Part { component: component.clone(), counter: self.counters.get(component).cloned(), presence }
    }

    fn presence(&self, component: &Arc<str>) -> Presence {
        let own = |order: &&Order| order.corrective && order.component == *component;
        let ill = self.orders.values().filter(own).map(Order::known_ill);
        let down = self.orders.values().map(|order| order.known_down(0));
        let spans = ill.chain(down).flat_map(|spans| spans.iter().copied().collect::<Vec<_>>());
        Presence { heard: self.heard.clone(), ill: spans.collect() }
    }

    /// The lives of a part until an instant, on its own clock, as what is known of it tells.
    pub fn lives(&self, part: &Part, history: &PartHistory, group: u32, until: Timestamp) -> Vec<PartLife> {
        let Ok(watched) = Span::new(history.watched.from, history.watched.until.min(until)) else {
            return Vec::new();
        };
        let mut ends: BTreeMap<Timestamp, (Timestamp, bool)> = BTreeMap::new();
        for failure in &history.failures {
            ends.insert(failure.onset, (failure.returned.unwrap_or(watched.until), true));
        }
        for taken in &history.taken_out {
            ends.insert(*taken, (*taken, false));
        }
        let counter = part.counter.as_ref();
        let readings = counter.map(|counter| self.pieces.readings(&part.component, &counter.name)).unwrap_or_default();
        let (mut from, mut lives) = (watched.from, Vec::new());
        for (end, (renewed, failed)) in ends.into_iter().filter(|(end, _)| *end < watched.until) {
            // What is done to a part that is being mended ends no life of it.
            if end < from {
                continue;
            }
            lives.extend(piece(from, end, failed, group, part, &readings));
            from = renewed.max(from);
        }
        lives.extend(piece(from, watched.until, false, group, part, &readings));
        lives
    }

    /// When somebody would have heard of it: from the first fact to the last.
    pub fn watched(&self) -> Span {
        Span { from: self.first_seen.at(), until: self.last_seen }
    }
}

/// One piece of a life; nothing where the clock did not move or was not read.
fn piece(
    from: Timestamp,
    until: Timestamp,
    failed: bool,
    group: u32,
    part: &Part,
    readings: &[(Timestamp, f64)],
) -> Option<PartLife> {
    let (entered, left) = if part.counter.is_some() {
        let read =
            &readings[readings.partition_point(|(at, _)| *at < from)..readings.partition_point(|(at, _)| *at <= until)];
        (read.first()?.1, read.last()?.1)
    } else {
        (0.0, (until.micros() - from.micros()) as f64 / MICROS_PER_DAY as f64)
    };
    (left > entered).then_some(PartLife { group, entered, left, failed })
}
